//! Recordings that gzip or zstd compressed.

use std::{
    error::Error,
    io::{self, BufRead, BufReader, Read},
};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// How a file begins that gzip compressed (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// How a file begins that zstd compressed (RFC 8878).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What such a file holds, or the file itself where it is not compressed.
pub(super) fn uncompressed(mut input: Box<dyn BufRead>) -> Box<dyn BufRead> {
    let begins = input.fill_buf().unwrap_or_default();
    if begins.starts_with(&GZIP_MAGIC) {
        return Box::new(BufReader::new(MultiGzDecoder::new(input)));
    }
    if begins.starts_with(&ZSTD_MAGIC) {
        return Box::new(BufReader::new(ZstdReader::BetweenFrames(input)));
    }
    input
}

/// Reads all frames of a file, one after the other: some programs write several (`pzstd`).
enum ZstdReader {
    BetweenFrames(Box<dyn BufRead>),
    InFrame(Box<StreamingDecoder<Box<dyn BufRead>, FrameDecoder>>),
    Ended,
}

impl Read for ZstdReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(self, Self::Ended) {
                Self::Ended => return Ok(0),
                Self::BetweenFrames(mut input) => {
                    if !input.fill_buf()?.is_empty() {
                        let frame = StreamingDecoder::new(input).map_err(broken)?;
                        *self = Self::InFrame(Box::new(frame));
                    }
                }
                Self::InFrame(mut frame) => {
                    let count = frame.read(buffer)?;
                    if count > 0 || buffer.is_empty() {
                        *self = Self::InFrame(frame);
                        return Ok(count);
                    }
                    if is_damaged(&frame.decoder) {
                        return Err(broken("its checksum is another"));
                    }
                    *self = Self::BetweenFrames(frame.into_inner());
                }
            }
        }
    }
}

/// Whether a frame that was read to its end holds something else than was compressed.
fn is_damaged(frame: &FrameDecoder) -> bool {
    let stated = frame.get_checksum_from_data();
    stated.is_some() && stated != frame.get_calculated_checksum()
}

fn broken(why: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
