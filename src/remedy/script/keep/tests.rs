use std::time::{Duration, Instant};

use super::{guard_changing_writes, keep_what_is_there};

const DATA: &[&str] = &["/data"];

#[track_caller]
fn keeps(script: &str, expected: Option<&str>) {
    let edited = keep_what_is_there(script, DATA).map(|it| it.text);
    assert_eq!(edited.as_deref(), expected, "{script}");
}

/// Catches a change that leaves the write as it is, because a test of the file stands before it
/// that decides nothing about it.
#[test]
fn a_test_that_guards_nothing_keeps_nothing() {
    for before in [
        "[ -f /data/id ] && cat /data/id\n",
        "[ -f /data/id ] && cat /data/id; ",
        "[ -e /data/id ] && OLD=$(cat /data/id); ",
        "[ -s /data/id ] && echo found >> /data/log; ",
        "[ -f /data/id ] || touch /data/x; ",
        "if [ -f /data/id ]; then cat /data/id; fi; ",
        "if [ -f /data/id ]; then sleep 5; :; fi\n",
        "[ -f /data/id ] && (cat /data/id; exit); ",
        "[ -f /data/id ] || :; ",
    ] {
        let guarded = format!("{before}[ -f /data/id ] || date > /data/id");
        keeps(&format!("{before}date > /data/id"), Some(&guarded));
    }
    keeps(
        "test -e /data/id && cp /data/id /data/id.old\ndate > /data/id",
        Some(
            "test -e /data/id && cp -n /data/id /data/id.old\n[ -f /data/id ] || date > \
            /data/id",
        ),
    );
    // What was a removal of all that is there.
    let edited = guard_changing_writes("[ -f /data/id ] || :; date > /data/id", DATA);
    let expected = "[ -f /data/id ] || :; [ -f /data/id ] || date > /data/id";
    assert_eq!(edited.unwrap().text, expected);
}

/// Catches a second guard before a write that has one, in any common style.
#[test]
fn what_is_guarded_needs_no_second_guard() {
    for script in [
        "if [ ! -f /data/id ]; then\n  date > /data/id\nfi",
        "if [ -f /data/id ]; then cat /data/id; else date > /data/id; fi",
        "[ -f /data/id ] || {\n  hostname\n  date\n} > /data/id",
        "F=/data/id; [ -f $F ] || date > $F",
        "[ -f /data/id ] || date | tee /data/id",
        "cd /data; [ -f id ] || date > id",
        "cd /data; [ -f id ] || date > /data/id",
        "[ -f /data/id ] && exit 0\ndate > /data/id",
        "start() { [ -f /data/id ] && return; date > /data/id; }; start",
        "[ -f /data/id ] || exec /bin/cp /etc/hostname /data/id",
    ] {
        keeps(script, None);
    }
}

/// Catches a test of a file that the script moves away, which is never there, and a file that is
/// made by a program without a flag for that.
#[test]
fn the_file_that_stays_is_kept() {
    for (script, expected) in [
        (
            "date > /data/id.tmp; mv /data/id.tmp /data/id",
            "date > /data/id.tmp; [ -f /data/id ] || mv /data/id.tmp /data/id",
        ),
        (
            "date > /tmp/id && mv -f /tmp/id /data/id\nnginx",
            "date > /tmp/id && { [ -f /data/id ] || mv -f /tmp/id /data/id; }\nnginx",
        ),
        ("cd /data; date > id.$$; mv id.$$ id", "cd /data; date > id.$$; [ -f id ] || mv id.$$ id"),
        (
            "date | tee /tmp/id; mv /tmp/id /data/",
            "date | tee /tmp/id; [ -f /data/id ] || mv /tmp/id /data/",
        ),
        ("mv /etc/motd /data", "[ -f /data/motd ] || mv /etc/motd /data"),
        (
            "date > /data/t; cp /data/t /data/id; rm /data/t",
            "date > /data/t; cp -n /data/t /data/id; rm /data/t",
        ),
        ("date | dd of=/data/id", "[ -f /data/id ] || date | dd of=/data/id"),
        (
            "install -m 644 /etc/motd /data/id",
            "[ -f /data/id ] || install -m 644 /etc/motd /data/id",
        ),
    ] {
        keeps(script, Some(expected));
    }
    for script in [
        "date > /data/id.tmp; [ -f /data/id ] || mv /data/id.tmp /data/id",
        "date > /tmp/id; mv -n /tmp/id /data/id",
        "mv /data/a /data/b",
        "mv /tmp/a /tmp/b /data",
        // The file is never there, and why it is moved nobody knows.
        "[ -f /data/id ] && mv /data/id /data/id.old; date > /data/id",
    ] {
        keeps(script, None);
    }
    let same = "hostname > /tmp/id; mv /tmp/id /data/id";
    assert_eq!(guard_changing_writes(same, DATA), None);
}

/// Catches a removal that the change leaves, so that no test finds the file, and one of something
/// else that is taken out.
#[test]
fn a_file_that_is_kept_is_not_removed() {
    for (script, expected) in [
        ("rm -f /data/id; date > /data/id", ":; [ -f /data/id ] || date > /data/id"),
        ("F=/data/id\nrm -f \"$F\"\ndate > $F", "F=/data/id\n:\n[ -f $F ] || date > $F"),
        ("cd /data/a; rm -rf *; date > id", "cd /data/a; :; [ -f id ] || date > id"),
        (
            "trap 'rm /data/id; exit' TERM; date | tee /data/id",
            "trap ':; exit' TERM; date | tee -a /data/id",
        ),
        (
            "rm -f /data/lock; date > /data/id",
            "rm -f /data/lock; [ -f /data/id ] || date > /data/id",
        ),
    ] {
        keeps(script, Some(expected));
    }
    keeps("rm -f /data/id /data/lock; date > /data/id", None);
    let edited = keep_what_is_there("rm /data/id; date > /data/id", DATA).unwrap();
    assert!(edited.notes.has_no_op && edited.notes.has_file_test, "{edited:?}");
}

/// Catches a script that takes minutes, because each of its lines is compared with all others again
/// and again.
#[test]
fn a_long_script_is_edited_at_once() {
    let start = Instant::now();
    let edited = |script: String| keep_what_is_there(&script, DATA).unwrap().text;
    let long = edited(format!("F=/data/id\n{}", "echo a > $F\n".repeat(1300)));
    assert_eq!(long.matches(">> $F").count(), 1299);
    let long = edited(format!("cd /data\n{}", "date > a; mv a b\n".repeat(400)));
    assert_eq!(long.matches("[ -f b ] || mv").count(), 400);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}
