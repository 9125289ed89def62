//! Reading a recording line by line; the file is never held in memory.

mod budget;
mod compression;
mod counted;
mod error;
mod named_set;
mod states;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use checks::model::{Fact, Observation, Seq, Timeline, observation::Signature};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use self::{
    budget::{Bound, Exceeded, MAX_ELEMENTS, MAX_MEMORY_BYTES},
    counted::{LineError, from_line},
    states::PodStates,
};
pub use self::{error::ReadError, named_set::fold_for};
use crate::console::sanitize::sanitize;
use crate::recording::{FORMAT, Header, MAX_RECORDING_BYTES, MINOR, VERSION, digest_text, earlier};

/// The longest line of a recording, in bytes: what files hold is cut when it is recorded.
const MAX_LINE_BYTES: u64 = 8 << 20;
/// What is kept of any line, in bytes, beside its lists, maps and texts: at most what a new pod takes.
const LINE_BYTES: usize = 2048;
/// So many lines may follow the `end` line before the signature: what the watches told meanwhile.
const MAX_LINES_BEFORE_SIGNATURE: usize = 1000;

/// Yields a recording's observations, and computes its digest on the way.
pub struct Reader {
    input: Box<dyn BufRead>,
    file: String,
    header: Header,
    /// The line that was read last, and its number.
    line: Vec<u8>,
    number: u64,
    /// How many bytes more the file may have.
    room: u64,
    /// How many bytes more what is kept of it may take.
    memory: usize,
    states: PodStates,
    hash: Sha256,
    /// The file stops without an `end` line, or in the middle of a line.
    torn: bool,
    /// The `end` line was read.
    ended: bool,
    unknown: u64,
}

/// A whole recording, folded.
#[derive(Debug)]
pub struct Folded {
    /// Line 1.
    pub header: Header,
    /// What happened.
    pub timeline: Timeline,
    /// `sha256:…` of the lines that are judged.
    pub digest: String,
    /// How many observations of a newer minor version were skipped.
    pub unknown: u64,
    /// There is no `end`, or the last line is torn: the grade was cut off.
    pub torn: bool,
    /// What stands behind the judged part to tell who recorded it.
    pub signature: Option<Signature>,
}

/// Reads all that is judged.
///
/// # Errors
/// As [`Reader::next`].
pub fn fold(reader: Reader) -> Result<Folded, ReadError> {
    fold_by(reader, Timeline::push_owned)
}

fn fold_by(
    mut reader: Reader,
    push: impl Fn(&mut Timeline, Observation),
) -> Result<Folded, ReadError> {
    let mut timeline = Timeline::default();
    while let Some(observation) = reader.next()? {
        push(&mut timeline, observation);
    }
    let signature = reader.signature();
    Ok(Folded {
        signature,
        timeline,
        digest: reader.digest(),
        unknown: reader.unknown,
        torn: reader.torn,
        header: reader.header,
    })
}

impl Reader {
    /// Opens a recording and reads its header. `-` is the standard input.
    ///
    /// # Errors
    /// It cannot be opened, is empty or binary, is no recording, or is of a newer major version.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        if path == Path::new("-") {
            return Self::from(
                Box::new(BufReader::with_capacity(1 << 18, io::stdin())),
                "standard input",
            );
        }
        let file = sanitize(&path.display().to_string());
        match File::open(path) {
            Ok(it) => Self::from(Box::new(BufReader::with_capacity(1 << 18, it)), &file),
            Err(source) => Err(ReadError::Open { file, source }),
        }
    }

    /// Reads a recording from anything, compressed by gzip or zstd or not; `file` is what errors call
    /// it.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn from(input: Box<dyn BufRead>, file: &str) -> Result<Self, ReadError> {
        // What is counted against the limit is what comes out of it.
        Self::within(MAX_RECORDING_BYTES, compression::uncompressed(input), file)
    }

    /// With so many bytes of memory for what is kept of it.
    #[must_use]
    pub fn with_memory(self, memory: usize) -> Self {
        Self { memory, ..self }
    }

    fn within(room: u64, input: Box<dyn BufRead>, file: &str) -> Result<Self, ReadError> {
        let mut reader = Self {
            input,
            file: file.to_owned(),
            // Replaced below.
            header: Header::now("", "", super::AskedOptions::default()),
            line: vec![],
            number: 0,
            room,
            memory: MAX_MEMORY_BYTES,
            states: PodStates::default(),
            hash: Sha256::new(),
            torn: false,
            ended: false,
            unknown: 0,
        };
        reader.header = reader.read_header()?;
        Ok(reader)
    }

    /// The header, line 1.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// `sha256:…` of the judged lines that were read so far.
    #[must_use]
    pub fn digest(&self) -> String {
        digest_text(&self.hash.clone().finalize())
    }

    /// The signature, where one follows the judged part that was read to its end, soon.
    fn signature(&mut self) -> Option<Signature> {
        if !self.ended {
            return None;
        }
        for _ in 0..MAX_LINES_BEFORE_SIGNATURE {
            if !self.read_line().ok()? {
                return None;
            }
            // A newer version may know lines that this one does not.
            if let Ok(Observation { what: Fact::Signature(signature), .. }) =
                // Nothing of such a line is kept.
                from_line(&self.line, &mut { MAX_MEMORY_BYTES })
            {
                return Some(signature);
            }
        }
        None
    }

    /// How many observations of a newer minor version were met.
    #[must_use]
    pub const fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Known at the end: there was no `end` line, or the last line is torn.
    #[must_use]
    pub const fn torn(&self) -> bool {
        self.torn
    }

    /// The next observation; `None` after the `end` line, or where the file stops.
    ///
    /// # Errors
    /// A line that is broken, out of order or too long. Only the last line may be torn.
    #[expect(
        clippy::should_implement_trait,
        reason = "an error ends it, which an Iterator's item would not say"
    )]
    pub fn next(&mut self) -> Result<Option<Observation>, ReadError> {
        if self.torn || self.ended {
            return Ok(None);
        }
        let whole = self.read_line()?;
        if self.line.is_empty() && !whole {
            self.torn = true;
            return Ok(None);
        }
        let mut observation = match self.parse() {
            Ok(observation) => observation,
            // The writer was stopped in the middle of its last line.
            Err(ReadError::Broken { .. }) if !whole => {
                self.torn = true;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let expected = self.number - 1;
        if observation.seq != expected {
            return Err(ReadError::NotDense {
                file: self.file.clone(),
                line: self.number,
                expected,
                found: observation.seq,
            });
        }
        self.hash_line();
        earlier::upgrade(self.header.minor, &mut observation.what);
        match observation.what {
            Fact::Unknown => self.unknown += 1,
            Fact::End(_) => self.ended = true,
            _ => {}
        }
        Ok(Some(observation))
    }

    fn parse(&mut self) -> Result<Observation, ReadError> {
        let is_newer = self.header.minor > MINOR;
        let room = self.memory;
        match from_line::<Observation>(&self.line, &mut self.memory) {
            Ok(Observation { what: Fact::Unknown, .. }) if !is_newer => {
                Err(self.broken("it holds no observation that this version knows".to_owned()))
            }
            Ok(observation) => {
                self.keep_line()?;
                self.memory += self.states.replace(&observation.what, room - self.memory);
                Ok(observation)
            }
            Err(LineError::Exceeded(exceeded)) => Err(self.too_much(&exceeded)),
            // A newer minor version may also say new things of what is known.
            Err(LineError::Json(error)) => match serde_json::from_slice::<LinePosition>(&self.line)
            {
                Ok(LinePosition { seq, at }) if is_newer => {
                    Ok(Observation { seq, at, what: Fact::Unknown })
                }
                _ => Err(self.broken(words(&error))),
            },
        }
    }

    /// Takes memory for what is kept of any line.
    fn keep_line(&mut self) -> Result<(), ReadError> {
        match self.memory.checked_sub(LINE_BYTES) {
            Some(memory) => {
                self.memory = memory;
                Ok(())
            }
            None => Err(self.too_much(&Exceeded { bound: Bound::Memory, field: "seq".to_owned() })),
        }
    }

    fn broken(&self, why: String) -> ReadError {
        ReadError::Broken { file: self.file.clone(), line: self.number, why }
    }

    fn too_much(&self, Exceeded { bound, field }: &Exceeded) -> ReadError {
        let field = sanitize(field);
        match bound {
            Bound::Elements => self.broken(format!(
                "`{field}` has more than {MAX_ELEMENTS} elements, and no API server takes an \
                object of so many"
            )),
            Bound::Memory => {
                ReadError::TooLarge { file: self.file.clone(), line: self.number, field }
            }
        }
    }

    fn read_header(&mut self) -> Result<Header, ReadError> {
        let file = self.file.clone();
        let read = self.read_line();
        if self.line.contains(&0) || read.is_ok() && std::str::from_utf8(&self.line).is_err() {
            return Err(ReadError::Binary { file });
        }
        let whole = match read {
            Err(ReadError::Broken { why, .. }) => {
                return Err(ReadError::NotARecording {
                    file,
                    why: format!("its first line is not a header, {why}"),
                });
            }
            other => other?,
        };
        if self.line.is_empty() && !whole {
            return Err(ReadError::Empty { file });
        }
        let format: Format = match serde_json::from_slice(&self.line) {
            Ok(format) => format,
            Err(_) => {
                return Err(ReadError::NotARecording {
                    file,
                    why: "its first line is not a header".to_owned(),
                });
            }
        };
        if format.format != FORMAT {
            return Err(ReadError::NotARecording {
                file,
                why: format!("its format is {:?}", sanitize(&format.format)),
            });
        }
        if format.version > VERSION {
            return Err(ReadError::Newer { file, version: format.version });
        }
        let header = match from_line(&self.line, &mut self.memory) {
            Ok(header) => header,
            Err(LineError::Json(error)) => return Err(self.broken(words(&error))),
            Err(LineError::Exceeded(exceeded)) => return Err(self.too_much(&exceeded)),
        };
        self.hash_line();
        Ok(header)
    }

    /// Reads one line without its newline; false where no newline ends it, as at the end, or where the
    /// last line was cut off.
    fn read_line(&mut self) -> Result<bool, ReadError> {
        self.line.clear();
        let read = (&mut self.input).take(MAX_LINE_BYTES).read_until(b'\n', &mut self.line);
        if let Err(source) = read {
            return Err(ReadError::of_io(self.file.clone(), self.number, source));
        }
        self.number += 1;
        let length = self.line.len() as u64;
        self.room = self
            .room
            .checked_sub(length)
            .ok_or_else(|| ReadError::TooLong { file: self.file.clone(), line: self.number })?;
        let whole = self.line.last() == Some(&b'\n');
        if whole {
            self.line.pop();
        } else if length == MAX_LINE_BYTES {
            return Err(ReadError::Broken {
                file: self.file.clone(),
                line: self.number,
                why: "the line is too long".to_owned(),
            });
        }
        Ok(whole)
    }

    fn hash_line(&mut self) {
        self.line.push(b'\n');
        self.hash.update(&self.line);
    }
}

#[derive(Deserialize)]
struct Format {
    format: String,
    version: u32,
}

#[derive(Deserialize)]
struct LinePosition {
    seq: Seq,
    at: u64,
}

/// What is wrong with a line, and where; serde_json counts every line as its first.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    if error.column() == 0 {
        sanitize(what)
    } else {
        format!("{} (column {})", sanitize(what), error.column())
    }
}

#[cfg(test)]
mod tests;
