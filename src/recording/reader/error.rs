//! Why a recording cannot be read.

use std::io;

use checks::model::Seq;

use super::budget::MAX_MEMORY_BYTES;
use crate::recording::{MAX_RECORDING_BYTES, VERSION};

/// A recording that cannot be read, by file and line (the header is line 1).
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened.
    #[error("cannot open {file}: {source}")]
    Open {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// Reading stopped in the middle.
    #[error("cannot read {file} after line {line}: {source}")]
    Read {
        /// The file.
        file: String,
        /// The last line that was read.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// What compressed it says that more belongs to it.
    #[error(
        "{file} ends too early: it was cut off in the middle of its compressed data, after line {line}"
    )]
    CutOff {
        /// The file.
        file: String,
        /// The last line that is whole.
        line: u64,
    },
    /// Nothing is in it.
    #[error("{file} is empty")]
    Empty {
        /// The file.
        file: String,
    },
    /// It is not text.
    #[error("{file} is a binary file, not a recording")]
    Binary {
        /// The file.
        file: String,
    },
    /// It is text, but something else.
    #[error("{file} is not a recording: {why}")]
    NotARecording {
        /// The file.
        file: String,
        /// What its first line lacks.
        why: String,
    },
    /// A newer tool wrote it.
    #[error(
        "{file} has version {version} of the recording format, this tool reads up to {VERSION}"
    )]
    Newer {
        /// The file.
        file: String,
        /// Its version.
        version: u32,
    },
    /// Judging it would fill the memory.
    #[error("{file} goes on after {} MiB (line {line}): no recording of a lab is so long", MAX_RECORDING_BYTES >> 20)]
    TooLong {
        /// The file.
        file: String,
        /// The first line that is too much.
        line: u64,
    },
    /// What is kept of it would fill the memory.
    #[error(
        "{file} takes more than {} MiB of memory at line {line} (field `{field}`): no recording of \
        a lab holds so much",
        MAX_MEMORY_BYTES >> 20
    )]
    TooLarge {
        /// The file.
        file: String,
        /// The first line that is too much.
        line: u64,
        /// The field of that line.
        field: String,
    },
    /// A line cannot be understood.
    #[error("{file} is broken at line {line}: {why}")]
    Broken {
        /// The file.
        file: String,
        /// Which line.
        line: u64,
        /// Why.
        why: String,
    },
    /// Lines are missing, doubled or out of order.
    #[error("{file} is broken at line {line}: seq {found} where {expected} belongs")]
    NotDense {
        /// The file.
        file: String,
        /// Which line.
        line: u64,
        /// The number that belongs there.
        expected: Seq,
        /// The number that is there.
        found: Seq,
    },
}

impl ReadError {
    /// Reading stopped after this line.
    pub(super) fn of_io(file: String, line: u64, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::CutOff { file, line },
            _ => Self::Read { file, line, source },
        }
    }

    /// Stable name of the case.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        match self {
            Self::Open { .. } | Self::Read { .. } => "recording_unreadable",
            Self::CutOff { .. } => "recording_cut_off",
            Self::Empty { .. } => "recording_empty",
            Self::Binary { .. } => "recording_binary",
            Self::NotARecording { .. } => "not_a_recording",
            Self::Newer { .. } => "recording_newer",
            Self::TooLong { .. } | Self::TooLarge { .. } => "recording_too_long",
            Self::Broken { .. } | Self::NotDense { .. } => "recording_broken",
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn next(&self) -> &'static str {
        match self {
            Self::Open { .. } | Self::Read { .. } => {
                "Check the path and that you may read the file."
            }
            Self::CutOff { .. } => {
                "Copy it again, whole. If it is no longer where it was compressed, the disk may \
                have been full: compress the recording again."
            }
            Self::Newer { .. } => {
                "Judge it with the version of stsgrade that recorded it, or a newer one."
            }
            Self::Empty { .. } | Self::Binary { .. } | Self::NotARecording { .. } => {
                "Name the file that `stsgrade grade` or `stsgrade record` wrote; `grade` prints \
                its path."
            }
            Self::TooLong { .. } | Self::TooLarge { .. } => {
                "Record the lab alone, not what goes on around it for days, and judge that."
            }
            Self::Broken { .. } | Self::NotDense { .. } => {
                "The file was changed or damaged after it was recorded. Use an intact copy, or \
                grade again."
            }
        }
    }
}
