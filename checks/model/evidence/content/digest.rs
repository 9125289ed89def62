//! Digests of short texts, so that a hash of a pod's name is known for what it is.
//!
//! Only names are hashed here, never anything secret: what counts is that a student's `md5sum`
//! gives the same digits.

mod sha2;

use std::fmt::Write as _;

use crate::model::evidence::content::digest::sha2::{
    SHA_224, SHA_256, SHA_384, SHA_512, sha256, sha512,
};

/// The digests of a text in hexadecimal digits: MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512.
pub(crate) fn all(text: &str) -> [String; 6] {
    let bytes = text.as_bytes();
    let short = |start| hex(&sha256(bytes, start));
    let long = |start| hex(&sha512(bytes, start));
    let (mut sha224, mut sha384) = (short(SHA_224), long(SHA_384));
    sha224.truncate(56);
    sha384.truncate(96);
    [hex(&md5(bytes)), hex(&sha1(bytes)), sha224, short(SHA_256), sha384, long(SHA_512)]
}

/// A text in hexadecimal digits, as `xxd -p` writes it.
pub(crate) fn digits(text: &str) -> String {
    hex(text.as_bytes())
}

/// What `cksum` prints first (POSIX, cksum): a CRC of a text and of its length.
pub(crate) fn cksum(text: &str) -> u32 {
    let mut length = text.len();
    let lengths = std::iter::from_fn(|| {
        let byte = u8::try_from(length & 0xff).ok().filter(|_| length > 0);
        length >>= 8;
        byte
    });
    let crc = text.bytes().chain(lengths).fold(0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    });
    !crc
}

/// Base64 with the standard alphabet, without padding.
pub(crate) fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=chunk.len() {
            let place = usize::try_from(bits >> (18 - 6 * digit) & 63).unwrap_or(0);
            encoded.push(char::from(ALPHABET[place]));
        }
    }
    encoded
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The message with a one bit, zeros, and its length in bits, in whole blocks.
fn padded(message: &[u8], block_bytes: usize, length: &[u8]) -> Vec<u8> {
    let mut bytes = message.to_vec();
    bytes.push(0x80);
    while bytes.len() % block_bytes != block_bytes - length.len() {
        bytes.push(0);
    }
    bytes.extend(length);
    bytes
}

fn bits(message: &[u8]) -> u64 {
    message.len() as u64 * 8
}

/// RFC 1321.
fn md5(message: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] =
        [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded(message, 64, &bits(message).to_le_bytes()).chunks_exact(64) {
        let word = |place: usize| {
            u32::from_le_bytes([
                block[place * 4],
                block[place * 4 + 1],
                block[place * 4 + 2],
                block[place * 4 + 3],
            ])
        };
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64 {
            let (mixed, place) = match step / 16 {
                0 => (b & c | !b & d, step),
                1 => (d & b | !d & c, (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), 7 * step % 16),
            };
            let sum = a.wrapping_add(mixed).wrapping_add(SINES[step]).wrapping_add(word(place));
            (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(SHIFTS[step / 16][step % 4])));
        }
        state = [
            state[0].wrapping_add(a),
            state[1].wrapping_add(b),
            state[2].wrapping_add(c),
            state[3].wrapping_add(d),
        ];
    }
    let mut digest = [0; 16];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

/// FIPS 180-4, section 6.1.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded(message, 64, &bits(message).to_be_bytes()).chunks_exact(64) {
        let mut words = [0; 80];
        load(&mut words, block);
        for step in 16..80 {
            words[step] = (words[step - 3] ^ words[step - 8] ^ words[step - 14] ^ words[step - 16])
                .rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (step, word) in words.iter().enumerate() {
            let (mixed, constant) = match step / 20 {
                0 => (b & c | !b & d, 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => (b & c | b & d | c & d, 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let sum = a
                .rotate_left(5)
                .wrapping_add(mixed)
                .wrapping_add(e)
                .wrapping_add(constant)
                .wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, sum);
        }
        for (word, add) in state.iter_mut().zip([a, b, c, d, e]) {
            *word = word.wrapping_add(add);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

fn load(words: &mut [u32], block: &[u8]) {
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
}

/// The first 32 bits of the sines of 1 to 64.
const SINES: [u32; 64] = [
    0xd76a_a478,
    0xe8c7_b756,
    0x2420_70db,
    0xc1bd_ceee,
    0xf57c_0faf,
    0x4787_c62a,
    0xa830_4613,
    0xfd46_9501,
    0x6980_98d8,
    0x8b44_f7af,
    0xffff_5bb1,
    0x895c_d7be,
    0x6b90_1122,
    0xfd98_7193,
    0xa679_438e,
    0x49b4_0821,
    0xf61e_2562,
    0xc040_b340,
    0x265e_5a51,
    0xe9b6_c7aa,
    0xd62f_105d,
    0x0244_1453,
    0xd8a1_e681,
    0xe7d3_fbc8,
    0x21e1_cde6,
    0xc337_07d6,
    0xf4d5_0d87,
    0x455a_14ed,
    0xa9e3_e905,
    0xfcef_a3f8,
    0x676f_02d9,
    0x8d2a_4c8a,
    0xfffa_3942,
    0x8771_f681,
    0x6d9d_6122,
    0xfde5_380c,
    0xa4be_ea44,
    0x4bde_cfa9,
    0xf6bb_4b60,
    0xbebf_bc70,
    0x289b_7ec6,
    0xeaa1_27fa,
    0xd4ef_3085,
    0x0488_1d05,
    0xd9d4_d039,
    0xe6db_99e5,
    0x1fa2_7cf8,
    0xc4ac_5665,
    0xf429_2244,
    0x432a_ff97,
    0xab94_23a7,
    0xfc93_a039,
    0x655b_59c3,
    0x8f0c_cc92,
    0xffef_f47d,
    0x8584_5dd1,
    0x6fa8_7e4f,
    0xfe2c_e6e0,
    0xa301_4314,
    0x4e08_11a1,
    0xf753_7e82,
    0xbd3a_f235,
    0x2ad7_d2bb,
    0xeb86_d391,
];

#[cfg(test)]
mod tests {
    use super::{all, base64, cksum, digits};

    #[test]
    fn the_digits_that_the_tools_print() {
        for (text, md5, sha1, sha256) in [
            (
                "",
                "d41d8cd98f00b204e9800998ecf8427e",
                "da39a3ee5e6b4b0d3255bfef95601890afd80709",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                "web-1",
                "a2e3a94e0befb3546bfea8a1cb24ac48",
                "ba92dbab2801178bcb56af5f2562eda9d2a3cf41",
                "c4719afa76fa448b5eca99e6736885846501d17956f2fcb2de5c916d723f3a87",
            ),
            (
                "web-1\n",
                "c60f6e095eff21f568d9ed5d31a5fee3",
                "1846cb4df90d9aaa490a6dfd7870e76f3a5860c4",
                "dc62610acddd8a12f58dcd72011fb21c1a4d20bcfdcd1fae0240e06a9bd130f8",
            ),
            (
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                "668a72d5ba17f08e62dabcafad6db14b",
                "901305367c259952f4e7af8323f480d59f81335b",
                "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e",
            ),
            (
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                "7dc2ca208106a2f703567bdff99d8981",
                "0ddc4e0cccd9a12850deb5abb0853a4425559fec",
                "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2",
            ),
            (
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                "30a83621ce5422fbdfdd539777458c78",
                "94218caae9904e93a3d7bf578bf4791926fc5e82",
                "aa20c23e3201834050679e1d88941b9a6fed0557c9a705cb2c315e2e63fd486d",
            ),
        ] {
            let [a, b, _, c, ..] = all(text);
            assert_eq!([a, b, c], [md5, sha1, sha256], "{text:?}");
        }
    }

    #[test]
    fn the_longer_digits_that_the_tools_print() {
        let [_, _, sha224, _, sha384, sha512] = all("web-1\n");
        assert_eq!(sha224, "a565b28eb8bf8ccdfbb204e5022c3d5b0e50f69c7aa193d608ffd3da");
        assert_eq!(
            sha384,
            "724870c96796df34158a27d57c90c19cbba8d25990be289f\
            96fed76bcad18de745dd8df710f8e1d8831892fa5fdce62b"
        );
        assert_eq!(
            sha512,
            "22ffcf6c52fb6888bb03936b97ad47707b19d006f0417ebfde123551b0b56d59\
            d4c08adae659a3e793dcc6bf7ed711cad1b20e99de73d69fa1a484b41c378054"
        );
        // Of two blocks.
        let [.., long] = all(&"x".repeat(200));
        assert!(long.starts_with("ef978e23dc520404ae16fd17bde9ee59"), "{long}");
    }

    #[test]
    fn what_cksum_and_xxd_print() {
        assert_eq!(cksum(""), 4294967295);
        assert_eq!(cksum("web-1\n"), 1365116316);
        assert_eq!(cksum(&"x".repeat(300)), 3786917833);
        assert_eq!(digits("web-1\n"), "7765622d310a");
    }

    #[test]
    fn base64_without_padding() {
        for (text, expected) in
            [("", ""), ("a", "YQ"), ("ab", "YWI"), ("web-1", "d2ViLTE"), ("web-1\n", "d2ViLTEK")]
        {
            assert_eq!(base64(text), expected);
        }
    }
}
