use std::fs;

use super::{
    Class,
    raw_zip::RawZip,
    tests::{SET, lines, put, tar_gz, zip},
};
use crate::batch::{handin::HandIn, roster::Student};

fn student(id: &str, name: &str) -> Student {
    Student { id: id.to_owned(), name: name.to_owned(), ..Student::default() }
}

/// What is in an archive, or in one under construction, as a class.
fn class(archive: &[u8], roster: Option<&[Student]>) -> Class {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.zip");
    fs::write(&path, archive).unwrap();
    Class::read(&path, roster).unwrap()
}

fn owners(hand_in: &HandIn) -> Vec<&str> {
    let others = hand_in.shared_with.iter().map(|it| &it.student);
    let all = [&hand_in.owner.student].into_iter().chain(others);
    all.map(|it| it.as_deref().unwrap_or("-")).collect()
}

/// Catches two students whose names no decoder reads and who become one.
#[test]
fn names_in_any_encoding_stay_distinct() {
    let set = SET.as_bytes();
    for (names, expected) in [
        ([&b"M\x81ller.yaml"[..], b"M\x94ller.yaml"], ["Möller", "Müller"]),
        ([b"M\xfcller.yaml", b"M\xf6ller.yaml"], ["M÷ller", "Mⁿller"]),
        (["Müller.yaml".as_bytes(), "Möller.yaml".as_bytes()], ["Möller", "Müller"]),
    ] {
        let archive = RawZip::default().add(names[0], set, 0, &[]).add(names[1], set, 0, &[]);
        let found = class(&archive.bytes(), None);
        let found: Vec<&str> = found.hand_ins.iter().map(|it| it.owner.name.as_str()).collect();
        assert_eq!(found, expected);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut tar = tar::Builder::new(vec![]);
    for name in [&b"M\xfcller.yaml"[..], b"M\xf6ller.yaml"] {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.set_size(set.len() as u64);
        header.set_cksum();
        tar.append(&header, set).unwrap();
    }
    let path = folder.path().join("class.tar");
    fs::write(&path, tar.into_inner().unwrap()).unwrap();
    let told = lines(&Class::read(&path, None).unwrap());
    assert_eq!(told, ["M%F6ller: 1 objects", "M%FCller: 1 objects"]);
}

/// Catches the archive of one student whose files become students.
#[test]
fn the_archive_of_one_student_is_one_hand_in() {
    let set = SET.as_bytes();
    let files = |names: &[&'static str]| {
        let files: Vec<(&str, &[u8])> = names.iter().map(|it| (*it, set)).collect();
        zip(&files)
    };
    for (names, expected) in [
        (
            &[
                "Jane Doe_778_assignsubmission_file/a.yaml",
                "Jane Doe_778_assignsubmission_file/b.yaml",
            ][..],
            &["Jane Doe: 2 objects"][..],
        ),
        (&["jane/01-service.yaml", "jane/statefulset.yaml"], &["jane: 2 objects"]),
        (&["headless.yaml", "statefulset.yaml"], &["export: 2 objects"]),
        (&["all/jane.yaml", "all/service.yaml"], &["jane: 1 objects", "service: 1 objects"]),
    ] {
        assert_eq!(lines(&class(&files(names), None)), expected);
    }
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "ada/service.yaml", set);
    put(folder.path(), "ada/sts.yaml", set);
    let alone = Class::read(&folder.path().join("ada"), None).unwrap();
    assert_eq!(lines(&alone), ["ada: 2 objects"]);
    assert!(alone.notes[0].starts_with("all is taken for one hand-in, ada: "));
}

/// Catches a student of Canvas who is not known because the grading is anonymous or because text
/// was typed in, and one who loses points to the time of the export.
#[test]
fn what_canvas_exports_is_understood() {
    let set = SET.as_bytes();
    let archive = zip(&[
        ("LATE_anon_Qx9Zk_5003_a.yaml", set),
        ("anon_aB3dE_5001_svc.yaml", set),
        ("anon_aB3dE_5002_set.yaml", set),
        ("doejane_101_text.html", b"<p>"),
    ]);
    let mut class = class(&archive, Some(&[student("s1", "Jane Doe")]));
    assert_eq!(
        lines(&class),
        [
            "anon_Qx9Zk: 1 objects",
            "anon_aB3dE: 2 objects",
            "Jane Doe: unreadable: doejane_101_text.html is what was typed into Canvas, and no file",
        ]
    );
    let late = class.hand_ins.iter().map(|it| (it.is_late, it.handed_in));
    assert_eq!(late.collect::<Vec<_>>(), [(true, None), (false, None), (false, None)]);
    class.notes.clear();
    assert_eq!(
        class.with_notes_on_lateness().notes,
        ["Canvas tells that it is late but not how late: it counts as one day, or not where the \
            roster has a due date for the student: LATE_anon_Qx9Zk_5003_a.yaml"]
    );
}

/// Catches a group of Gradescope of which only one gets the points, a student who is not found by
/// the e-mail address, and the export's time taken for that of handing in.
#[test]
fn what_gradescope_exports_is_understood() {
    let metadata = b"submission_7:\n  :submitters:\n  - :name: Eve Roe\n    :sid: '55'\n  \
        - :name: Fay Poe\n    :sid: '56'\n  :created_at: 2026-11-01 10:00:00.000000000 Z\n\
        submission_8:\n  :submitters:\n  - :name: Gus\n    :email: GUS@x.example\n";
    let set = SET.as_bytes();
    let archive = zip(&[
        ("x/submission_metadata.yml", metadata),
        ("x/submission_7/set.yaml", set),
        ("x/submission_8/set.yaml", set),
    ]);
    let gus = Student { email: "gus@x.example".to_owned(), ..student("57", "Gustav Long") };
    let students = [student("55", "Eve Roe"), student("56", "Fay Poe"), gus];
    let found = class(&archive, Some(&students));
    assert_eq!(owners(&found.hand_ins[0]), ["55", "56"]);
    assert_eq!(found.hand_ins[0].handed_in, Some(1_793_527_200));
    assert_eq!(owners(&found.hand_ins[1]), ["57"]);
    assert_eq!(found.hand_ins[1].handed_in, None);
    assert!(found.missing.is_empty() && found.notes.is_empty(), "{found:?}");
    let bad = zip(&[("x/submission_metadata.yml", b"a: [b"), ("x/submission_7/set.yaml", set)]);
    let notes = class(&bad, None).notes;
    let told = "submission_metadata.yml cannot be read, so nobody is known by name: ";
    assert!(notes[0].starts_with(told), "{notes:?}");
}

/// Catches late points for a time that nobody told.
#[test]
fn the_time_of_handing_in_is_only_what_is_sure() {
    let set = SET.as_bytes();
    let known = [b"UT\x05\0\x01".as_slice(), &1_796_079_540_u32.to_le_bytes()].concat();
    let archive = RawZip::default().add(b"ada.yaml", set, 0, &known).add(b"bob.yaml", set, 0, &[]);
    let mut found = class(&archive.bytes(), None);
    let times: Vec<_> = found.hand_ins.iter().map(|it| it.handed_in).collect();
    assert_eq!(times, [Some(1_796_079_540), None]);
    let local = "no late points, because the zip archive tells no time with its offset";
    assert_eq!(found.untimed.remove(local), Some(vec!["bob.yaml".to_owned()]));
    let moodle = [("Jane Doe_9_assignsubmission_file_/a.yaml", set)];
    for (files, known) in [
        (&moodle[..], false),
        (&[("lab-ada/a.yaml", set), ("lab-bob/a.yaml", set)], true),
        (&[("lab-ada/a.yaml", set), ("lab-ada/.git/HEAD", b""), ("lab-bob/.git/HEAD", b"")], false),
        (&[("ada/a.yaml", set), ("bob/a.yaml", set)], true),
        (&[("ada/a.yaml", set), ("ada/.git/config", b""), ("x.yaml", set)], false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            put(folder.path(), name, bytes);
        }
        let found = Class::read(folder.path(), None).unwrap();
        assert_eq!(found.hand_ins[0].handed_in.is_some(), known, "{}", files[0].0);
        assert_eq!(found.untimed.is_empty(), known, "{}", files[0].0);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("class.tar.gz");
    fs::write(&path, tar_gz(&[("ada.yaml", set)])).unwrap();
    assert_eq!(Class::read(&path, None).unwrap().hand_ins[0].handed_in, Some(0));
}

/// Catches files of a desktop and the instructor's own that become students, and two hand-ins of
/// one name that become one without a word, or that move the cursor of a terminal.
#[test]
fn what_is_no_hand_in_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let set = SET.as_bytes();
    for name in ["Thumbs.db", "desktop.ini", ".DS_Store", "__MACOSX/a.yaml", "roster.csv"] {
        put(folder.path(), name, b"");
    }
    for name in ["bob/a.yaml", "bob.yaml", "e\u{1b}[31m.yaml"] {
        put(folder.path(), name, set);
    }
    std::os::unix::fs::symlink("/etc", folder.path().join("l\u{1b}]0;x\u{7}")).unwrap();
    let class = Class::read(folder.path(), Some(&[student("1", "Bob")])).unwrap();
    let names: Vec<&str> = class.hand_ins.iter().map(|it| it.owner.name.as_str()).collect();
    assert_eq!(names, ["Bob", "Bob", "e\u{1b}[31m"]);
    assert_eq!(
        class.notes,
        [
            "l\\u{1b}]0;x\\u{7} is a link, and is left out",
            "roster.csv is no hand-in, and is left out",
            "bob is there twice: bob and bob.yaml",
            "Bob handed in 2 times: bob; bob.yaml",
            "e\\u{1b}[31m.yaml belongs to nobody in the roster",
        ]
    );
}
