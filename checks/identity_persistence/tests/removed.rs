//! What removed a file, and what wrote over it, as the pod's own script tells.

use crate::model::testing::history::History;

/// Catches `>` being blamed where the write is guarded, in any common style, and something removes
/// the file; and a removal being blamed where a test of the file guards nothing.
#[test]
fn what_removes_the_file_is_blamed_where_the_write_is_guarded() {
    let named = |script: &str| {
        let mut history = History::new();
        history.spec.template.spec.containers[0].args = vec![script.to_owned()];
        history.writes =
            |ordinal, _, start| Some(format!("web-{ordinal} at 04:{ordinal:02}:{start:02}\n"));
        let verdict = history.create().inspect().tour().verdict("identity_persistence");
        verdict.criteria.iter().find_map(|it| it.mistake).map(|it| it.id)
    };
    let guarded = "trap 'rm -f /data/id; exit 0' TERM; [ -f /data/id ] || date > /data/id";
    assert_eq!(named(guarded), Some("wiped_at_start"));
    // By a hook, whose text nobody has.
    for script in [
        "[ -f /data/id ] || date > /data/id\ndate > /data/id.log",
        "[ -f /data/id ] || date > /data/id\ndate > /data/id~",
        "[ -f /data/id ] || hostname > /data/id\ndate >> /data/id",
        "if [ ! -f /data/id ]; then\n  date > /data/id\nfi",
        "if ! test -s \"/data/id\"; then hostname; date > \"/data/id\"; fi",
        "[ -f /data/id ] || {\n  hostname\n  date\n} > /data/id",
        "F=/data/id; [ -f $F ] || date > $F",
        "[ -f /data/id ] || date | tee /data/id",
        "cd /data; [ -f id ] || date > id",
        "[ -f /data/id ] && exec sleep 9\ndate > /data/id",
    ] {
        assert_eq!(named(script), Some("wiped_at_start"), "{script}");
    }
    for script in [
        "rm -f /tmp/lock; date > /data/id",
        "[ -f /tmp/a ] && rm -f /tmp/a; date > /data/id",
        "[ -f /data/a ] || date > /data/id",
        "[ -f /data/id ] && cat /data/id; date > /data/id",
        "if [ -f /data/id ]; then cat /data/id; fi; date > /data/id",
        "[ -e /data/id ] && OLD=$(cat /data/id); date > /data/id",
        "[ -s /data/id ] && echo found >> /data/log; date > /data/id",
        "[ -f /data/id ] || touch /data/id; date > /data/id",
        "[ -f /data/id ] || hostname > /data/id; date > /data/id",
        "[ -f /data/id ] && date > /data/id",
    ] {
        assert_eq!(named(script), Some("overwritten_at_start"), "{script}");
    }
}
