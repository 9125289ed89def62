//! Recordings that gzip or zstd compressed.

use std::{
    error::Error,
    io::{self, BufRead, BufReader, Read},
};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{
    BlockDecodingStrategy::UptoBlocks,
    FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

use crate::recording::MAX_RECORDING_BYTES;

/// How a file begins that gzip compressed (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// How a file begins that zstd compressed (RFC 8878).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How a frame begins that holds nothing of the recording, but for the lower half of its first byte;
/// `pzstd` writes one first.
const SKIPPABLE_MAGIC: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];

/// What such a file holds, or the file itself where it is not compressed.
pub(super) fn uncompressed(mut input: Box<dyn BufRead>) -> Box<dyn BufRead> {
    let begins = input.fill_buf().unwrap_or_default();
    let (is_gzip, is_zstd) = (begins.starts_with(&GZIP_MAGIC), is_zstd(begins));
    let compressed = |input| Compressed { input, room: MAX_RECORDING_BYTES, is_at_end: false };
    if is_gzip {
        Box::new(BufReader::new(MultiGzDecoder::new(compressed(input))))
    } else if is_zstd {
        Box::new(BufReader::new(ZstdReader::of(compressed(input))))
    } else {
        input
    }
}

fn is_zstd(begins: &[u8]) -> bool {
    let is_skippable = || {
        matches!(begins, [first, rest @ ..] if rest.starts_with(&SKIPPABLE_MAGIC[1..])
            && first & 0xf0 == SKIPPABLE_MAGIC[0])
    };
    begins.starts_with(&ZSTD_MAGIC) || is_skippable()
}

/// A compressed file. It is no longer than what it holds may be, though it may hold nothing: frames
/// that are skipped, or empty ones.
struct Compressed {
    input: Box<dyn BufRead>,
    /// How many bytes more are read of it.
    room: u64,
    /// More was asked for than there is.
    is_at_end: bool,
}

impl BufRead for Compressed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.input.fill_buf()?;
        self.is_at_end |= bytes.is_empty();
        if self.room == 0 && !bytes.is_empty() {
            let most = MAX_RECORDING_BYTES >> 20;
            return Err(broken(format!("it goes on after {most} MiB of compressed data")));
        }
        let room = usize::try_from(self.room).unwrap_or(usize::MAX);
        Ok(&bytes[..bytes.len().min(room)])
    }

    fn consume(&mut self, count: usize) {
        self.room = self.room.saturating_sub(count as u64);
        self.input.consume(count);
    }
}

impl Read for Compressed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// Reads all frames of a file, one after the other: some programs write several (`pzstd`).
struct ZstdReader {
    input: Compressed,
    decoder: Box<FrameDecoder>,
    is_in_frame: bool,
}

impl ZstdReader {
    fn of(input: Compressed) -> Self {
        Self { input, decoder: Box::new(FrameDecoder::new()), is_in_frame: false }
    }

    /// Begins the next frame that holds something; false where there is none.
    fn begin_frame(&mut self) -> io::Result<bool> {
        while !self.input.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => self.skip(length.into())?,
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(false)
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.input).take(length), &mut io::sink())?;
        if skipped < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Decodes until some bytes of the frame are there, or it is at its end.
    fn decode(&mut self) -> io::Result<()> {
        while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
            let decoded = self.decoder.decode_blocks(&mut self.input, UptoBlocks(1));
            decoded.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Why decoding failed: where the file had no more, nothing else is wrong with it.
    fn failed(&self, error: FrameDecoderError) -> io::Error {
        if self.input.is_at_end { io::ErrorKind::UnexpectedEof.into() } else { broken(error) }
    }
}

impl Read for ZstdReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_in_frame && !self.begin_frame()? {
                return Ok(0);
            }
            self.is_in_frame = true;
            self.decode()?;
            let count = self.decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if is_damaged(&self.decoder) {
                return Err(broken("its checksum is another"));
            }
            self.is_in_frame = false;
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
