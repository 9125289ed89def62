use std::{
    fs,
    io::{Cursor, Write as _},
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use super::Class;
use crate::batch::{handin::Content, roster::Student};

pub(super) const SET: &str = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: web\n";
const ROLE: &str = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n\
    metadata: {name: a}\n";

pub(super) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in files {
        // A compressor for each of many empty files takes long.
        let method = if bytes.is_empty() {
            zip::CompressionMethod::Stored
        } else {
            zip::CompressionMethod::Deflated
        };
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

pub(super) fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let compressed = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    let mut archive = tar::Builder::new(compressed);
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, *bytes).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

pub(super) fn put(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Each hand-in in a line: its name and what becomes of it.
pub(super) fn lines(class: &Class) -> Vec<String> {
    let told = class.hand_ins.iter().map(|it| {
        let what = match &it.content {
            Content::Manifests(_) => format!("{} objects", it.submission().unwrap().objects.len()),
            Content::Unreadable { problem, .. } => format!("unreadable: {}", problem.what),
            Content::Held(_) => "held".to_owned(),
            Content::Namespace { namespace, .. } => format!("namespace {namespace}"),
        };
        format!("{}: {what}", it.owner.name)
    });
    told.collect()
}

/// Catches a panic at the entry of the folder itself, which `tar -C folder .` and some zip programs
/// write.
#[test]
fn an_archive_may_hold_its_own_folder() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("class.tar.gz", tar_gz(&[("./", b""), ("./a.yaml", SET.as_bytes()), ("b.yaml", b"x")])),
        ("class.zip", zip(&[("./", b""), ("a.yaml", SET.as_bytes()), ("b.yaml", b"x")])),
    ] {
        put(folder.path(), name, &bytes);
        let class = Class::read(&folder.path().join(name), None).unwrap();
        assert_eq!(lines(&class).len(), 2, "{name}: {:?}", lines(&class));
    }
}

/// Catches a class that becomes one hand-in because its archive begins with an entry that is no
/// file, as `git archive` and `tar --label` write them.
#[test]
fn what_a_tar_archive_says_of_itself_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("class.tar");
    let mut archive = tar::Builder::new(vec![]);
    for (kind, name, bytes) in [
        (b'g', "pax_global_header", b"16 comment=abcd\n".as_slice()),
        (b'V', "Class of 2026", b""),
        (b'0', "repo-abcd/ada.yaml", SET.as_bytes()),
        (b'0', "repo-abcd/bob.yaml", SET.as_bytes()),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, bytes).unwrap();
    }
    fs::write(&path, archive.into_inner().unwrap()).unwrap();
    let class = Class::read(&path, None).unwrap();
    assert_eq!(lines(&class), ["ada: 1 objects", "bob: 1 objects"]);
    assert!(class.notes.is_empty(), "{:?}", class.notes);
}

/// Catches a hand-in that stops the others, an archive that leads out of itself or is read without
/// end, a link that is followed, and a folder that is left out because nothing lies in it.
#[test]
fn each_student_s_hand_in_is_read_or_its_problem_told() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    let set = SET.as_bytes();
    put(top, "a.yaml", set);
    put(top, "b/lab/deep/set.yaml", set);
    put(top, "b/README.md", b"hello");
    put(top, "c.zip", &zip(&[("lab/set.yml", set), ("__MACOSX/lab/._set.yml", b"x")]));
    put(
        top,
        "d.tar.gz",
        &tar_gz(&[("set.json", br#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"}}"#)]),
    );
    put(top, "e.yaml", ROLE.as_bytes());
    put(top, "f.zip", b"PK is no archive");
    put(top, "g.zip", &zip(&[("../../etc/set.yaml", set)]));
    put(top, "h.zip", &zip(&[("big.yaml", &vec![b'#'; 9 << 20])]));
    put(top, "i.zip", &zip(&[("inner.zip", &zip(&[("set.yaml", set)]))]));
    put(top, "j.docx", b"words");
    fs::create_dir(top.join("k")).unwrap();
    put(top, ".DS_Store", b"x");
    put(top, "results/run.json", br#"{"format":"stsgrade-batch","version":1,"run":"abc123"}"#);
    put(top, "results/a/report.json", b"{}");
    std::os::unix::fs::symlink("/etc", top.join("l")).unwrap();
    let class = Class::read(top, None).unwrap();
    let told = lines(&class);
    for (line, expected) in told.iter().zip([
        "a: 1 objects",
        "b: 1 objects",
        "c: 1 objects",
        "d: 1 objects",
        "e: held",
        "f: unreadable: cannot read f.zip: ",
        "g: unreadable: the path \"../../etc/set.yaml\" leads out of its archive",
        "h: unreadable: h.zip/big.yaml is larger than 8 MiB",
        "i: unreadable: i.zip holds an archive in an archive",
        "j.docx: unreadable: there is no file named *.yaml, *.yml or *.json in j.docx",
        "k: unreadable: there is no file named *.yaml, *.yml or *.json in k",
    ]) {
        assert!(line.starts_with(expected), "{line}\nnot {expected}");
    }
    assert_eq!(told.len(), 11);
    assert_eq!(
        class.notes,
        ["l is a link, and is left out", "results holds the results of a batch, and is left out"]
    );
}

/// Catches a class that one student's file stops, in a folder or in a zip of all.
#[test]
fn what_one_hands_in_stops_nobody_else() {
    let set = SET.as_bytes();
    let big = vec![b'#'; 9 << 20];
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("in");
    put(&top, "big.yaml", &big);
    put(&top, "good.yaml", set);
    put(&top, &format!("deep/{}set.yaml", "a/".repeat(20)), set);
    let class = lines(&Class::read(&top, None).unwrap());
    assert!(class[0].starts_with("big: unreadable: big.yaml is larger than 8 MiB"), "{class:?}");
    assert!(class[1].contains("what lies deeper than 12 folders is left out"), "{class:?}");
    assert_eq!(class[2], "good: 1 objects");
    let path = folder.path().join("all.zip");
    fs::write(&path, zip(&[("a/big.yaml", &big), ("../b.yaml", set), ("c.yaml", set)])).unwrap();
    let class = lines(&Class::read(&path, None).unwrap());
    assert!(class[0].starts_with("a: unreadable: a/big.yaml is larger"), "{class:?}");
    assert!(class[1].starts_with("b: unreadable: the path \"../b.yaml\" leads out"), "{class:?}");
    assert_eq!(class[2], "c: 1 objects");
}

/// Catches an export that is read as one student, and a student with two hand-ins.
#[test]
fn exports_of_platforms_are_understood() {
    let set = SET.as_bytes();
    let pod = b"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n".as_slice();
    let metadata = b"submission_7:\n  :submitters:\n  - :name: Eve Roe\n    :sid: '55'\n";
    for (files, expected) in [
        (
            &[("doejane_1_2_set.yaml", set), ("doejane_1_3_pod.yaml", pod)][..],
            &["doejane: 2 objects"][..],
        ),
        (&[("x/Jane Doe_9_assignsubmission_file_/set.yaml", set)], &["Jane Doe: 1 objects"]),
        (
            &[("e/submission_7/set.yaml", set), ("e/submission_metadata.yml", metadata)],
            &["Eve Roe: 1 objects"],
        ),
        (
            &[("lab-jane/set.yaml", set), ("lab-eve/set.yaml", set), ("lab-eve/.git/HEAD", b"")],
            &["eve: 1 objects", "jane: 1 objects"],
        ),
        (
            &[("anna-jane/set.yaml", set), ("anna-eve/set.yaml", set)],
            &["anna-eve: 1 objects", "anna-jane: 1 objects"],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.zip");
        fs::write(&path, zip(files)).unwrap();
        assert_eq!(lines(&Class::read(&path, None).unwrap()), expected, "{:?}", files[0].0);
    }
}

/// Catches ids of a roster that begin alike, taken for clones of one assignment, clones without
/// their Git folders that nobody knows, and an assignment that takes a part of the ids.
#[test]
fn folders_that_begin_alike_are_what_the_roster_knows() {
    let set = SET.as_bytes();
    let student = |id: &str| Student { id: id.to_owned(), ..Student::default() };
    for (folders, ids) in [
        (["student-01", "student-02"], ["student-01", "student-02"]),
        (["lab-3-jane", "lab-3-eve"], ["jane", "eve"]),
        (["lab3-cs101-jane", "lab3-cs101-john"], ["cs101-jane", "cs101-john"]),
    ] {
        let home = tempfile::tempdir().unwrap();
        folders.iter().for_each(|it| put(home.path(), &format!("{it}/set.yaml"), set));
        let class = Class::read(home.path(), Some(&ids.map(student))).unwrap();
        let mut found: Vec<_> =
            class.hand_ins.iter().map(|it| it.owner.student.clone().unwrap_or_default()).collect();
        found.sort();
        let mut ids = ids;
        ids.sort_unstable();
        assert_eq!(found, ids, "{:?}", class.notes);
        assert!(class.missing.is_empty(), "{folders:?}");
    }
}

/// Catches points that lateness costs because of a file that is no hand-in.
#[test]
fn only_what_is_graded_tells_when_it_was_handed_in() {
    let home = tempfile::tempdir().unwrap();
    put(home.path(), "ada/lab.yaml", SET.as_bytes());
    put(home.path(), "ada/Thumbs.db", b"x");
    let time = |file: &str, seconds| {
        let file = fs::File::options().append(true).open(home.path().join(file)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    };
    time("ada/lab.yaml", 1_000_000);
    time("ada/Thumbs.db", 2_000_000);
    let class = Class::read(home.path(), None).unwrap();
    assert_eq!(class.hand_ins[0].handed_in, Some(1_000_000));
}

/// Catches a student who is missing, unknown or there twice without a word, and one who gets
/// another's name.
#[test]
fn the_roster_says_whose_each_hand_in_is() {
    let folder = tempfile::tempdir().unwrap();
    let set = SET.as_bytes();
    for name in ["doejane_1_2_a.yaml", "stranger.yaml", "55.yaml", "Eve Roe.zip", "hers.yaml"] {
        put(folder.path(), name, set);
    }
    let student = |id: &str, name: &str| Student {
        id: id.to_owned(),
        name: name.to_owned(),
        ..Student::default()
    };
    let students = [
        student("s1", "Jane Doe"),
        student("55", "Eve Roe"),
        student("s3", "Absent"),
        Student { file: Some("hers.yaml".to_owned()), ..student("s4", "Ann") },
        Student { namespace: Some("team-5".to_owned()), ..student("s5", "Bob") },
    ];
    let class = Class::read(folder.path(), Some(&students)).unwrap();
    let owner = |name: &str| {
        let found = class.hand_ins.iter().find(|it| it.owner.key == name).unwrap();
        found.owner.student.clone().unwrap_or_default()
    };
    assert_eq!(owner("1"), "s1");
    assert_eq!(owner("55"), "55");
    assert_eq!(owner("hers"), "s4");
    assert!(lines(&class).contains(&"Bob: namespace team-5".to_owned()));
    assert_eq!(class.missing.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["s3"]);
    assert_eq!(
        class.notes,
        [
            "Eve Roe handed in 2 times: 55.yaml; Eve Roe.zip",
            "stranger.yaml belongs to nobody in the roster"
        ]
    );
}
