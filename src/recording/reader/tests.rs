mod bounds;

use std::{
    io::{Cursor, Write},
    sync::{Arc, Mutex},
};

use checks::model::{
    Fact, Observation,
    observation::{End, Gap, Kind, Subject},
};

use flate2::{Compression, write::GzEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::recording::reader::{Folded, ReadError, Reader, fold};
use crate::recording::{AskedOptions, Header, MINOR, Writer};

/// A file in memory that fails once it holds `room` bytes.
#[derive(Clone)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: usize,
}

impl Disk {
    fn new(room: usize) -> Self {
        Self { bytes: Arc::default(), room }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut held = self.bytes.lock().unwrap();
        let fits = bytes.len().min(self.room - held.len());
        if fits == 0 && !bytes.is_empty() {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        held.extend_from_slice(&bytes[..fits]);
        Ok(fits)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn header() -> Header {
    Header {
        started_at: "2026-01-02T03:04:05Z".to_owned(),
        ..Header::now(
            "v1.34.4",
            "lab",
            AskedOptions { command: "grade".to_owned(), ..AskedOptions::default() },
        )
    }
}

fn subject() -> Fact {
    Fact::Subject(Subject { namespace: "lab".to_owned(), ..Subject::default() })
}

fn gap() -> Fact {
    Fact::Gap(Gap {
        kind: Kind::Pod,
        reason: "expired".to_owned(),
        last_sure: None,
        vanished: vec![],
    })
}

/// Writes these facts; gives the file and the writer's own digest.
fn write(disk: &Disk, facts: impl IntoIterator<Item = Fact>) -> (String, Option<String>) {
    let mut writer = Writer::to(Box::new(disk.clone()), &header());
    for (seq, what) in (1..).zip(facts) {
        writer.push(&Observation { seq, at: seq * 10, what });
    }
    (writer.digest(), writer.trouble())
}

fn recording(facts: impl IntoIterator<Item = Fact>) -> (String, String) {
    let disk = Disk::new(usize::MAX);
    let (digest, _) = write(&disk, facts);
    (disk.text(), digest)
}

fn read(text: impl Into<Vec<u8>>) -> Result<Folded, ReadError> {
    fold(Reader::from(Box::new(Cursor::new(text.into())), "FILE")?)
}

fn error(text: impl Into<Vec<u8>>) -> String {
    read(text).unwrap_err().to_string()
}

/// Catches a digest that the live grade and the judge compute over different bytes.
#[test]
fn writer_and_reader_agree_on_the_digest() {
    let (text, digest) = recording([subject(), gap(), Fact::End(End::default())]);
    let folded = read(text).unwrap();
    assert_eq!(folded.digest, digest);
    assert!(!folded.torn);
    assert_eq!(folded.header, header());
}

/// Catches a digest of lines that never came to the file.
#[test]
fn a_full_disk_ends_what_the_digest_is_of() {
    let (whole, _) = recording([subject(), gap()]);
    // Without its last brace, a line says nothing.
    let disk = Disk::new(whole.len() - 2);
    let (digest, trouble) = write(&disk, [subject(), gap(), gap()]);
    let folded = read(disk.text()).unwrap();
    assert!(trouble.is_some() && folded.torn);
    assert_eq!(folded.digest, digest);
}

/// Catches a recording that others may read, because a file of that name was there.
#[cfg(unix)]
#[test]
fn a_file_that_was_there_is_readable_by_its_owner_only() {
    use std::{fs, os::unix::fs::PermissionsExt as _};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.jsonl");
    fs::write(&path, "earlier").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(Writer::create(&path, &header()).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    Writer::create(std::path::Path::new("/dev/null"), &header()).unwrap();
    assert_ne!(fs::metadata("/dev/null").unwrap().permissions().mode() & 0o777, 0o600);
}

fn by_gzip(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(vec![], Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

fn by_zstd(text: &str) -> Vec<u8> {
    compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)
}

/// Catches a compressed recording of which only the first part is read, and another digest.
#[test]
fn what_was_compressed_is_read_whole() {
    let (text, digest) = recording([subject(), gap(), Fact::End(End::default())]);
    for compress in [by_gzip, by_zstd] {
        for middle in [0, 7, text.len() / 2] {
            let (first, second) = text.split_at(middle);
            let folded = read([compress(first), compress(second)].concat()).unwrap();
            assert_eq!((folded.digest, folded.torn), (digest.clone(), false), "in two at {middle}");
        }
    }
}

/// Catches a panic, and a file that was cut off and is taken for a whole one.
#[test]
fn what_was_compressed_and_is_damaged_is_an_error_or_torn() {
    let (text, digest) = recording([subject(), gap(), Fact::End(End::default())]);
    for compress in [by_gzip, by_zstd] {
        let whole = compress(&text);
        for cut in 0..whole.len() {
            if let Ok(folded) = read(&whole[..cut]) {
                assert!(folded.torn || folded.digest == digest, "cut at {cut}");
            }
            let mut changed = whole.clone();
            changed[cut] ^= 0xff;
            // Without a checksum it may read as another recording.
            drop(read(changed));
        }
    }
    assert!(error([&by_zstd(&text)[..20], b"then something else"].concat()).contains("FILE"));
}

/// Catches restoring that changes what was judged: lines after the end count in no way, even
/// broken.
#[test]
fn what_follows_the_end_is_kept_and_not_judged() {
    let facts = || [subject(), Fact::End(End::default())];
    let (short, digest) = recording(facts());
    let (long, same) = recording(facts().into_iter().chain([gap()]));
    assert!(long.len() > short.len());
    assert_eq!(digest, same);
    let folded = read(format!("{long}{{\"seq\":4,")).unwrap();
    assert_eq!(folded.digest, digest);
    assert!(!folded.torn);
}

/// Catches a killed grade's recording being refused, or being taken for a whole one.
#[test]
fn a_recording_that_was_cut_off_is_read_and_torn() {
    let (text, _) = recording([subject(), gap(), Fact::End(End::default())]);
    let (first_two, _) = recording([subject(), gap()]);
    for cut in first_two.len()..text.len() - 1 {
        let folded = read(&text[..cut]).unwrap();
        assert_eq!(
            (folded.torn, folded.timeline.namespace()),
            (cut != text.len() - 1, "lab"),
            "cut at {cut}"
        );
    }
    // Only its newline is missing: the end is there.
    assert!(!read(&text[..text.len() - 1]).unwrap().torn);
    assert!(read(first_two).unwrap().torn);
}

#[test]
fn errors_name_the_file_and_the_line() {
    let (text, _) = recording([subject(), gap(), Fact::End(End::default())]);
    let lines: Vec<&str> = text.lines().collect();
    let with = |number: usize, line: &str| {
        let mut lines = lines.clone();
        lines[number - 1] = line;
        lines.join("\n") + "\n"
    };
    assert_eq!(error(""), "FILE is empty");
    assert_eq!(error("\n\n"), "FILE is not a recording: its first line is not a header");
    assert_eq!(error(b"\x7fELF\0\0\xff\xfe".to_vec()), "FILE is a binary file, not a recording");
    assert_eq!(
        error("apiVersion: v1\nkind: Service\n"),
        "FILE is not a recording: its first line is not a header"
    );
    assert_eq!(
        error("{\"format\":\"x\\u001b\",\"version\":1}\n"),
        "FILE is not a recording: its format is \"x\\\\u{1b}\""
    );
    assert_eq!(
        error(&lines[1..].join("\n") as &str),
        "FILE is not a recording: its first line is not a header"
    );
    assert_eq!(
        error(with(1, &lines[0].replace("\"version\":1", "\"version\":2"))),
        "FILE has version 2 of the recording format, this tool reads up to 1"
    );
    assert_eq!(
        error(with(3, "{\"seq\":2,\"at\":x}")),
        "FILE is broken at line 3: expected value (column 15)"
    );
    assert_eq!(
        error(with(3, "{\"seq\":2,\"at\":1}")),
        "FILE is broken at line 3: it holds no observation that this version knows"
    );
    assert_eq!(error(with(3, lines[1])), "FILE is broken at line 3: seq 1 where 2 belongs");
    assert_eq!(error(with(2, "")), "FILE is broken at line 2: EOF while parsing a value");
}

/// Catches a file of any size being read into memory.
#[test]
fn a_line_without_end_is_refused() {
    let header = recording([]).0;
    let endless =
        std::io::BufReader::new(std::io::Read::chain(Cursor::new(header), std::io::repeat(b'a')));
    let found = fold(Reader::from(Box::new(endless), "FILE").unwrap()).unwrap_err();
    assert_eq!(found.to_string(), "FILE is broken at line 2: the line is too long");
    let zeros =
        Reader::from(Box::new(std::io::BufReader::new(std::io::repeat(0))), "FILE").err().unwrap();
    assert_eq!(zeros.to_string(), "FILE is a binary file, not a recording");
    let text = Reader::from(Box::new(std::io::BufReader::new(std::io::repeat(b'a'))), "FILE")
        .err()
        .unwrap();
    assert_eq!(
        text.to_string(),
        "FILE is not a recording: its first line is not a header, the line is too long"
    );
}

/// Catches a recording that fills the memory line by line, and a limit that the writer does not
/// keep to.
#[test]
fn a_recording_without_end_is_refused() {
    let text = recording([subject(), gap(), gap()]).0;
    let within = |room: usize| {
        fold(Reader::within(room as u64, Box::new(Cursor::new(text.clone())), "FILE").unwrap())
    };
    assert!(within(text.len()).is_ok());
    let told = within(text.len() - 1).unwrap_err().to_string();
    assert_eq!(told, "FILE goes on after 256 MiB (line 4): no recording of a lab is so long");
    let disk = Disk::new(usize::MAX);
    let mut writer = Writer::to(Box::new(disk.clone()), &header());
    writer.room = 0;
    writer.push(&Observation { seq: 1, at: 1, what: subject() });
    assert_eq!(
        writer.trouble().as_deref(),
        Some("the recording is not complete: it has reached 256 MiB")
    );
    assert_eq!(disk.text().lines().count(), 1);
}

/// Catches a newer tool's recording being refused for what this one need not know.
#[test]
fn a_newer_minor_version_is_read_and_the_unknown_counted() {
    let (text, _) = recording([subject(), gap(), Fact::End(End::default())]);
    let newer = text
        .replace(&format!("\"minor\":{MINOR}"), &format!("\"minor\":{}", MINOR + 1))
        .replace("\"kind\":\"Pod\"", "\"kind\":\"Comet\"")
        .replace("\"subject\":", "\"theme\":");
    let folded = read(newer).unwrap();
    assert_eq!((folded.unknown, folded.torn), (2, false));
}

/// Catches a full disk that ends a grade, or goes unnoticed, or leaves what cannot be read.
#[test]
fn a_full_disk_is_remembered_and_the_rest_is_readable() {
    let whole = recording([subject(), gap(), gap(), gap()]).0;
    for room in recording([subject()]).0.len()..whole.len() {
        let disk = Disk::new(room);
        let (_, trouble) = write(&disk, [subject(), gap(), gap(), gap()]);
        assert!(trouble.unwrap().contains("is not complete"));
        assert!(read(disk.text()).unwrap().torn);
    }
}

/// Catches a recording (students' work) that others on the machine may read.
#[cfg(unix)]
#[test]
fn the_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/stsgrade/a.jsonl");
    let mut writer = Writer::create(&path, &header()).unwrap();
    writer.push(&Observation { seq: 1, at: 1, what: subject() });
    drop(writer);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fold(Reader::open(&path).unwrap()).unwrap().timeline.namespace(), "lab");
    let missing = Reader::open(&folder.path().join("none")).err().unwrap();
    assert!(missing.to_string().starts_with("cannot open "));
    assert!(Reader::open(folder.path()).err().unwrap().to_string().starts_with("cannot read "));
}
