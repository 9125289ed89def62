//! Zip archives as no library writes them.

use std::io::Write as _;

/// The file is encrypted.
pub(super) const ENCRYPTED: u16 = 1;

/// An archive under construction.
#[derive(Default)]
pub(super) struct RawZip {
    files: Vec<u8>,
    list: Vec<u8>,
    count: u16,
}

impl RawZip {
    /// Adds a file; gives where it begins, and lists it.
    pub(super) fn add(mut self, name: &[u8], bytes: &[u8], flags: u16, extra: &[u8]) -> Self {
        let mut deflate =
            flate2::write::DeflateEncoder::new(vec![], flate2::Compression::default());
        deflate.write_all(bytes).unwrap();
        let compressed = deflate.finish().unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let at = u32::try_from(self.files.len()).unwrap();
        let about = about(&compressed, bytes.len(), crc.sum(), flags);
        let head = [&b"PK\x03\x04\x14\0"[..], &about, &length(name.len()), &[0, 0]].concat();
        self.files.extend([&head, name, &compressed].concat());
        self.list(&about, name, extra, at);
        self
    }

    /// Lists the last file so many times more.
    pub(super) fn again(mut self, times: u16, bytes: &[u8]) -> Self {
        let one = Self::default().add(b"a", bytes, 0, &[]);
        let about = one.list[8..28].to_vec();
        self.files.extend(&one.files);
        for number in 0..times {
            self.list(&about, format!("x{number}.yaml").as_bytes(), &[], 0);
        }
        self
    }

    fn list(&mut self, about: &[u8], name: &[u8], extra: &[u8], at: u32) {
        self.list.extend(b"PK\x01\x02\x14\x03\x14\0");
        self.list.extend([about, &length(name.len()), &length(extra.len())].concat());
        self.list.extend([0; 10]);
        self.list.extend([&at.to_le_bytes(), name, extra].concat());
        self.count += 1;
    }

    /// The archive.
    pub(super) fn bytes(self) -> Vec<u8> {
        let count = self.count.to_le_bytes();
        let size = u32::try_from(self.list.len()).unwrap().to_le_bytes();
        let at = u32::try_from(self.files.len()).unwrap().to_le_bytes();
        let end = [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &size, &at, &[0, 0]].concat();
        [self.files, self.list, end].concat()
    }
}

/// What stands in both headers of a file.
fn about(compressed: &[u8], size: usize, crc: u32, flags: u16) -> Vec<u8> {
    let number = |it: usize| u32::try_from(it).unwrap().to_le_bytes();
    let deflated_on = [8, 0, 0, 0, 0x21, 0x5a];
    let sizes = [number(compressed.len()), number(size)].concat();
    [&flags.to_le_bytes()[..], &deflated_on, &crc.to_le_bytes(), &sizes].concat()
}

fn length(it: usize) -> [u8; 2] {
    u16::try_from(it).unwrap().to_le_bytes()
}
