//! The name in one file, and what each start writes anew in another, of which nothing tells the pod.

use super::{Files, Start, blocks, date, letters, running, toured, usual, with_binary};
use crate::model::{
    Fact, Standing, Unreadable,
    observation::{BLOCK_DIGITS, File},
    testing::history::History,
};

const SCRIPT: &str = "hostname > /data/id; date > /data/beside; sleep infinity";

fn plain(it: Start) -> Files {
    vec![("id".to_owned(), it.name()), ("beside".to_owned(), date(it.at))]
}

/// Both files are written at every start, by this script.
fn written_by(script: &str) -> History {
    running(toured(usual, plain, |it, _| Some(it.at)), script)
}

/// Catches the lab's own mistake in two files, the name in one and the date in the other; and a
/// submission that is accused of a heartbeat, or although it kept something.
#[test]
fn the_files_beside_one_that_reads_the_same_are_asked() {
    assert_eq!(letters(&written_by(SCRIPT)), "PFF");
    let times = |id: fn(Start) -> Option<i64>, beside: fn(Start) -> Option<i64>| {
        move |it: Start, path: &str| if path == "id" { id(it) } else { beside(it) }
    };
    let at_start = |it: Start| Some(it.at);
    for (why, id, beside) in [
        ("a heartbeat", at_start as fn(Start) -> _, (|it| Some(it.at + 5)) as fn(Start) -> _),
        ("the name was left alone", |it| Some(it.first), at_start),
        ("nobody knows when they were written", |_| None, |_| None),
    ] {
        let it = running(toured(usual, plain, times(id, beside)), SCRIPT);
        assert_eq!(letters(&it), "PPP", "{why}");
    }
    // A third file was kept.
    let three = |it: Start| [plain(it), vec![("kept".to_owned(), date(it.first))]].concat();
    let left = |it: Start, path: &str| Some(if path == "kept" { it.first } else { it.at });
    assert_eq!(letters(&running(toured(usual, three, left), SCRIPT)), "PPP");
}

/// Catches a change that guards what is written beside the name, and leaves the command that removes
/// it: all that is there, or that very file.
#[test]
fn what_removes_the_file_beside_is_blamed() {
    for (script, mistake) in [
        (SCRIPT.to_owned(), "overwritten_at_start"),
        (format!("rm -rf /data/*; {SCRIPT}"), "wiped_at_start"),
        (format!("[ -f /data/beside ] && rm -f /data/beside; {SCRIPT}"), "wiped_at_start"),
        (format!("rm -rf /tmp/*; {SCRIPT}"), "overwritten_at_start"),
    ] {
        let it = written_by(&script);
        assert_eq!(letters(&it), "PFF", "{script}");
        let criteria = it.verdict("identity_persistence").criteria;
        let named = criteria.iter().find_map(|it| it.mistake).map(|it| it.id);
        assert_eq!(named, Some(mistake), "{script}");
    }
}

fn file(blocks: String, written: i64) -> File {
    let digest = Some(format!("sha256:{blocks}"));
    File { digest, blocks, mtime: Some(written), ..File::default() }
}

/// Catches a file without text that excuses a text which was plainly written anew, and a Fail where
/// something of that file was kept or may have been.
#[test]
fn a_binary_file_excuses_nothing_by_being_there() {
    let one_kept = |it: Start| format!("{}{}", &blocks(it.first)[..BLOCK_DIGITS], blocks(it.at));
    let stopped = |it: Start| if it.is_first() { it.at } else { it.at - 5 };
    for (why, expected, bytes) in [
        ("new bytes", "PFF", (|it| file(blocks(it.at), it.at)) as fn(Start) -> File),
        ("the same in all pods", "PFF", |it| file(blocks(7), it.at)),
        ("left alone", "PPP", |it| file(blocks(it.first), it.first)),
        ("nobody looked into it, and it was left alone", "PPP", |it| File {
            digest: None,
            ..file(String::new(), it.first)
        }),
    ] {
        assert_eq!(letters(&with_binary(written_by(SCRIPT), bytes)), expected, "{why}");
    }
    let it = with_binary(written_by(SCRIPT), |it| file(one_kept(it), it.at));
    assert_eq!(letters(&it), "PPP", "one part was kept");
    let it = with_binary(written_by(SCRIPT), |it| file(blocks(it.first), it.at));
    assert_eq!(letters(&it), "PII", "written again, or kept");
    let it = with_binary(written_by(SCRIPT), |it| file(String::new(), it.at));
    assert_eq!(letters(&it), "PII", "nobody looked into it");
    let it = with_binary(written_by(SCRIPT), |it| file(blocks(it.at), stopped(it)));
    assert_eq!(letters(&it), "PII", "the pod before wrote it last");
}

/// Catches a Pass because there are more files than are looked at, and files that nobody looked at
/// told as files without text.
#[test]
fn files_that_were_not_looked_at_leave_it_undecided() {
    let mut history = written_by(SCRIPT);
    for line in &mut history.lines {
        if let Fact::Read(read) = &mut line.what {
            read.left_out = 3;
        }
    }
    assert_eq!(letters(&history), "PII");
    let criteria = history.verdict("identity_persistence").criteria;
    let is_told = |it: &Standing| {
        matches!(it, Standing::Unseen { why, unreadable: Some(Unreadable::LeftOut), .. }
            if why.ends_with("beside was written anew, and there are files that were not looked at"))
    };
    assert!(criteria.iter().any(|it| is_told(&it.standing)), "{criteria:?}");
}
