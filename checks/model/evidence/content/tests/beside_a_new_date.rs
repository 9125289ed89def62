//! What stands beside a date that each start writes anew: kept by the app, or written by every start.

use std::collections::BTreeMap;

use super::{BASE, Files, Start, clock, date, letters, one, running, toured, usual};
use crate::model::{
    Fact, Observation,
    observation::{Given, Inquiry},
    testing::history::History,
};

/// The tour of a set that runs this script and writes these files at every start.
fn rewritten(script: &str, files: impl Fn(Start) -> Files) -> History {
    let history =
        toured(usual, files, |it, path| Some(if path == "guarded" { it.first } else { it.at }));
    running(history, script)
}

/// The same where it was asked whether the surroundings of each pod give these words.
fn asked(mut history: History, given: Given, words: impl Fn(i32) -> String) -> History {
    let mut lines: Vec<Observation> = vec![];
    for line in &history.lines {
        lines.push(line.clone());
        let Fact::Read(read) = &line.what else { continue };
        let pod = read.pod.clone();
        let words = BTreeMap::from([(words(super::ordinal_of(&pod.name)), given)]);
        let what = Inquiry::Surroundings { pod, container: "app".to_owned(), words };
        lines.push(Observation { what: Fact::Inquiry(what), ..line.clone() });
    }
    for (place, line) in lines.iter_mut().enumerate() {
        line.seq = place as u64 + 1;
    }
    history.lines = lines;
    history
}

fn inode(ordinal: i32) -> String {
    (1_311_873 + ordinal * ordinal * 37).to_string()
}

fn token(ordinal: i32) -> String {
    format!("{:x}c0ffee", 0xa81f + ordinal * 4099)
}

fn beside(it: Start, value: &str) -> Files {
    one("id", format!("{}\n{value}\nDate: {}\n", it.name(), date(it.at)))
}

/// Catches that a value which only this pod has passes for one that was kept: the inode of its
/// volume, a line of a ConfigMap.
#[test]
fn what_the_surroundings_give_is_no_original() {
    for value in [inode as fn(i32) -> String, token] {
        let it = || rewritten("", |it| beside(it, &value(it.ordinal)));
        assert_eq!(letters(&asked(it(), Given::Yes, value)), "PFF", "{}: given", value(1));
        assert_eq!(letters(&asked(it(), Given::No, value)), "PPP", "{}: not given", value(1));
    }
    // Beside a random word that each start writes anew, too.
    let noise =
        |it: Start| one("id", format!("{} {} {}", it.name(), inode(it.ordinal), it.chance()));
    assert_eq!(letters(&asked(rewritten("", noise), Given::Yes, inode)), "PFF");
    // A time that is not the old start's.
    let built = |ordinal: i32| format!("2026-10-0{}T08:30:{}7Z", ordinal + 1, ordinal);
    let times = || rewritten("", |it| beside(it, &built(it.ordinal)));
    assert_eq!(letters(&asked(times(), Given::Yes, built)), "PFF");
    assert_eq!(letters(&asked(times(), Given::No, built)), "PPP");
}

/// Catches that a value from elsewhere passes beside a new time that tells only the minute.
#[test]
fn a_new_minute_is_a_new_date() {
    fn apart(ordinal: i32, life: usize) -> i64 {
        BASE + i64::from(ordinal) * 2 + i64::try_from(life).unwrap() * 80
    }
    let line = |it: Start| {
        let minute = &clock(it.at)[..5];
        one("id", format!("{} {} 2026-11-23 {minute}\n", it.name(), token(it.ordinal)))
    };
    let it = || toured(apart, line, |it, _| Some(it.at));
    assert_eq!(letters(&asked(it(), Given::Yes, token)), "PFF");
    assert_eq!(letters(&asked(it(), Given::No, token)), "PPP");
}

/// Catches a Fail for a counter because a look at another pod came before that had written.
#[test]
fn a_start_that_has_not_written_yet_counts_nothing() {
    let is_late = |it: Start| it.ordinal == 2;
    let counted = |it: Start| beside(it, &format!("starts {}", 1 + it.life));
    let files = |it: Start| counted(if is_late(it) { it.first() } else { it });
    let history = toured(usual, files, |it, _| Some(if is_late(it) { it.first } else { it.at }));
    assert_eq!(letters(&history), "PPP");
}

/// Catches that the free space of a disk passes for something that was kept where it happens to be
/// the same again, and a Fail for a random number that is near it.
#[test]
fn a_number_like_the_free_space_is_no_original_where_all_pods_write_such() {
    let free = |ordinal: i32| (11_817_656 - ordinal * ordinal * 72).to_string();
    let same = || rewritten("", |it| beside(it, &free(it.ordinal)));
    assert_eq!(letters(&asked(same(), Given::Nearly, free)), "PFF");
    let random = |ordinal: i32| (11_817_656 - ordinal * ordinal * 640_007).to_string();
    let random_ones = || rewritten("", |it| beside(it, &random(it.ordinal)));
    assert_eq!(letters(&asked(random_ones(), Given::Nearly, random)), "PII");
}

/// Catches a Fail for a value of which nobody knows where it comes from.
#[test]
fn where_nobody_asked_a_number_leaves_it_undecided() {
    assert_eq!(letters(&rewritten("", |it| beside(it, &inode(it.ordinal)))), "PII");
    assert_eq!(letters(&rewritten("", |it| beside(it, &token(it.ordinal)))), "PPP");
    // A file that was not written since holds it.
    let guarded = |it: Start| {
        let mut files = beside(it, &inode(it.ordinal));
        files.push(("guarded".to_owned(), inode(it.ordinal)));
        files
    };
    assert_eq!(letters(&rewritten("", guarded)), "PPP");
    // The template's own commands hold it.
    let table = format!("case $HOSTNAME in web-1) echo {};; web-3) echo {}", token(1), token(3));
    let table = format!("{table};; web-4) echo {}", token(4));
    let by_table = || rewritten(&table, |it| beside(it, &token(it.ordinal)));
    assert_eq!(letters(&by_table()), "PFF");
    assert_eq!(letters(&asked(by_table(), Given::No, token)), "PFF");
}

/// Catches a constant time that passes for one that was kept.
#[test]
fn a_time_that_all_pods_write_is_no_original() {
    let built = "Built: 2026-10-01T08:30:17Z";
    assert_eq!(letters(&rewritten("", |it| beside(it, built))), "PFF");
}

/// Catches a count of the files in the folder that passes for a counter of starts, and a counter
/// that does not pass for one.
#[test]
fn a_count_of_files_is_no_counter_of_starts() {
    let counted = |from: usize, name: &str| {
        let name = name.to_owned();
        move |it: Start| beside(it, &format!("{name} {}", from + it.life))
    };
    for (from, script) in [
        (0, "n=$(ls /data | wc -l); echo \"found $n\""),
        (0, "echo \"found $(find /data -type f | wc -l) files\""),
        (1, "echo \"found $(ls -A /data | wc -l)\""),
    ] {
        assert_eq!(letters(&rewritten(script, counted(from, "found"))), "PFF", "{from}: {script}");
        assert_eq!(letters(&rewritten(script, counted(from, "starts"))), "PII", "{from}: {script}");
        assert_eq!(letters(&rewritten("", counted(from, "starts"))), "PPP", "{from}");
    }
    let both = "n=$((n + 1)); echo \"starts $n\"; echo $(ls /data | wc -l)";
    assert_eq!(letters(&rewritten(both, counted(1, "starts"))), "PPP");
    assert_eq!(letters(&rewritten("n=$((n + 1))", counted(1, "starts"))), "PPP");
    // More than there are files.
    let later = |it: Start| beside(it, &format!("starts {}", if it.is_first() { 1 } else { 40 }));
    assert_eq!(letters(&rewritten("ls /data | wc -l", later)), "PPP");
    // How full the disk is.
    let full = |it: Start| beside(it, &format!("used {}%", if it.is_first() { 45 } else { 46 }));
    assert_eq!(letters(&rewritten("df -h", full)), "PII");
    // It stays at the start of another pod.
    let stays =
        |it: Start| beside(it, &format!("found {}", i64::from(!it.is_first() && it.ordinal < 3)));
    assert_eq!(letters(&rewritten("", stays)), "PFF");
}

/// Catches a lost date that counts as a heartbeat because the script waits in a loop before it, and
/// a heartbeat that counts as lost because no loop names its file.
#[test]
fn a_date_behind_a_loop_is_no_heartbeat() {
    let files = |it: Start| {
        vec![("name".to_owned(), it.name()), ("date".to_owned(), format!("{}\n", date(it.at)))]
    };
    let waits = "until nslookup x; do sleep 1; done; hostname > /data/name; date > /data/date";
    for script in [
        waits,
        "date > /data/date; while true; do cat /data/update-date; sleep 5; done",
        "for i in 1 2; do while ! nslookup x; do sleep 1; done; done; date > /data/date",
    ] {
        assert_eq!(letters(&rewritten(script, files)), "PFF", "{script}");
    }
    for script in [
        "while true; do for i in 1 2; do sleep 1; done; date > /data/date; done",
        "while true; do date; sleep 5; done > /data/date",
        "sh -c 'while true; do date > /data/date; sleep 5; done' & sleep inf",
        "cat > /b <<'E'\nwhile true; do date > /data/date; sleep 5; done\nE\nsh /b",
        "echo 'while true; do date > /data/date; sleep 5; done' > /b; sh /b",
        "for i in $(seq 1 9999); do date > /data/date; sleep 5; done",
        "beat() { date > /data/date; }; while true; do beat; sleep 5; done",
        "F=/data/date; while sleep 5; do date > $F; done",
        "while true; do date > $HEARTBEAT; sleep 5; done",
        "watch -n 5 'date > /data/date'",
        "exec /scripts/loop.sh",
        // No command was recorded.
        "",
        // Nobody knows where its loops end.
        "date > /data/date; echo it's up",
    ] {
        assert_eq!(letters(&rewritten(script, files)), "PPP", "{script}");
    }
}
