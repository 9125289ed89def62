//! Signatures: whether a recording is what a grader recorded that holds a key.
//!
//! A recording is a file that anybody can edit, and its digest is no secret. Where the instructor
//! sets a key, `grade` signs the digest and `judge` checks that.

use std::env;

use checks::model::observation::Signature;
use hmac::{Hmac, KeyInit as _, Mac as _};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::Sha256;

use crate::recording::hexadecimal;

/// The environment variable that holds the key.
pub const KEY_VARIABLE: &str = "STSGRADE_KEY";

/// The key of the grader or the judge.
#[derive(Clone)]
pub struct Key(Vec<u8>);

/// What a signature says of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Signed {
    /// The key made it, of this recording.
    Valid,
    /// It is of something else, or made by another key: the recording may have been edited.
    Invalid,
    /// There is none.
    #[default]
    Absent,
    /// There is one, and no key to check it with.
    Unchecked,
}

impl Key {
    /// A key of those bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The key of this process, which may be any bytes; `None` where none is set.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        let text = env::var_os(KEY_VARIABLE).filter(|it| !it.is_empty())?;
        Some(Self::new(text.into_encoded_bytes()))
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Signs the digest of a judged part.
    #[must_use]
    pub fn sign(&self, digest: &str) -> Signature {
        Signature { hmac_sha256: hexadecimal(&self.code(digest).finalize().into_bytes()) }
    }

    fn code(&self, digest: &str) -> Hmac<Sha256> {
        let Ok(mut code) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            unreachable!("HMAC takes a key of any length")
        };
        code.update(digest.as_bytes());
        code
    }

    fn has_made(&self, signature: &Signature, digest: &str) -> bool {
        let hex = signature.hmac_sha256.as_bytes();
        let (pairs, rest) = hex.as_chunks::<2>();
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        // In constant time.
        rest.is_empty() && bytes.is_some_and(|it| self.code(digest).verify_slice(&it).is_ok())
    }
}

impl Signed {
    /// Checks the signature of a judged part with that digest.
    #[must_use]
    pub fn check(key: Option<&Key>, signature: Option<&Signature>, digest: &str) -> Self {
        match (key, signature) {
            (_, None) => Self::Absent,
            (None, Some(_)) => Self::Unchecked,
            (Some(key), Some(signature)) if key.has_made(signature, digest) => Self::Valid,
            (Some(_), Some(_)) => Self::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use checks::model::observation::Signature;

    use super::{Key, Signed};

    /// Catches a signature that another recording, another key or an edited file passes with.
    #[test]
    fn only_the_key_and_the_recording_make_it_valid() {
        let (key, other) = (Key::new("k"), Key::new("other"));
        let made = key.sign("sha256:00");
        assert_eq!(made.hmac_sha256.len(), 64);
        assert_eq!(Signed::check(Some(&key), Some(&made), "sha256:00"), Signed::Valid);
        assert_eq!(Signed::check(Some(&key), Some(&made), "sha256:01"), Signed::Invalid);
        assert_eq!(Signed::check(Some(&other), Some(&made), "sha256:00"), Signed::Invalid);
        assert_eq!(Signed::check(None, Some(&made), "sha256:00"), Signed::Unchecked);
        assert_eq!(Signed::check(Some(&key), None, "sha256:00"), Signed::Absent);
        for broken in ["", "0", "zz", "é"] {
            let broken = Signature { hmac_sha256: broken.to_owned() };
            let said = Signed::check(Some(&key), Some(&broken), "sha256:00");
            assert_eq!(said, Signed::Invalid);
        }
    }
}
