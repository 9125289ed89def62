//! The recording file: JSON Lines, a header and then one observation per line.
//!
//! The digest of a recording covers the header line and all lines up to and including the `end`
//! line, each with its newline: what is judged, and nothing else. So the live grade, which goes on
//! recording while it restores, and a later `judge` of the file print the same digest.

mod earlier;
mod file;
pub mod mask;
mod reader;
pub mod schema;
pub mod signature;
mod writer;

use serde::{Deserialize, Serialize};

pub use crate::recording::file::{CreateError, may_replace};
pub use crate::recording::reader::{Folded, ReadError, Reader, fold, fold_for};
pub(crate) use crate::recording::writer::state_folder;
pub use crate::recording::writer::{Writer, recordings, state_file};

/// What line 1 says that the file is.
pub const FORMAT: &str = "stsgrade-recording";
/// The major version that this tool writes, and the newest that it reads.
pub const VERSION: u32 = 1;
/// The minor version that this tool writes; newer ones are read, with what is unknown skipped.
pub const MINOR: u32 = 3;

/// A recording does not grow longer, in bytes: all of it that matters is held in memory.
pub const MAX_RECORDING_BYTES: u64 = 256 << 20;

/// Line 1 of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// `stsgrade-recording`.
    #[schemars(extend("const" = FORMAT))]
    pub format: String,
    /// Major version: a newer one is refused.
    #[schemars(extend("const" = VERSION))]
    pub version: u32,
    /// Minor version: a newer one is read.
    #[serde(default)]
    pub minor: u32,
    /// Version of the tool that wrote it.
    pub tool: String,
    /// The cluster's version (`v1.34.4`).
    pub cluster: String,
    /// The namespace that was watched.
    pub namespace: String,
    /// When it began: RFC 3339, UTC.
    pub started_at: String,
    /// What was asked for.
    #[serde(default)]
    pub asked: AskedOptions,
}

/// What the user asked for, as far as it can explain a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AskedOptions {
    /// `grade`, `record` or `batch`.
    pub command: String,
    /// `--statefulset`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statefulset: Option<String>,
    /// Whether manifests were applied (`-f`).
    pub filename: bool,
    /// The manifests' names, from the folder in which the user was or from `~`; of another path
    /// that names the user, its last part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// `sha256:…` of the manifests' bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifests: Option<String>,
    /// The objects of the manifests, as their files have them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ManifestText>,
    /// `--probe-image`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_image: Option<String>,
    /// `--timeout`, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// `--cleanup`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cleanup: bool,
}

/// An object of a manifest as its file has it. No value that may be secret stands in it: of the
/// environment, of annotations, of Secrets and ConfigMaps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ManifestText {
    /// Its kind.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// The file's name, as in [`AskedOptions::files`].
    pub file: String,
    /// The line of the file that the text begins with, from 1.
    pub line: usize,
    /// Its lines.
    pub text: String,
}

impl AskedOptions {
    /// What [`AskedOptions::command`] says of a grade of a batch.
    pub const BATCH: &str = "batch";
    /// What it says of what somebody did by hand.
    pub const RECORD: &str = "record";

    /// Whether what is recorded was done by hand, and not by a grade.
    #[must_use]
    pub fn is_by_hand(&self) -> bool {
        self.command == Self::RECORD
    }

    /// Whether the namespace was made for this grade alone and is deleted after it.
    #[must_use]
    pub fn is_isolated(&self) -> bool {
        self.command == Self::BATCH && self.filename
    }
}

impl Header {
    /// The header of a recording that begins now.
    #[must_use]
    pub fn now(cluster: &str, namespace: &str, asked: AskedOptions) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            minor: MINOR,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            cluster: cluster.to_owned(),
            namespace: namespace.to_owned(),
            started_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            asked,
        }
    }
}

/// `sha256:` and the lowercase hexadecimal digits.
pub(crate) fn digest_text(hash: &[u8]) -> String {
    format!("sha256:{}", hexadecimal(hash))
}

/// Bytes in lowercase hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
