//! What a report says of a script that tests whether its file is there, where no fixture has it.

use crate::advice::report_on;

/// Catches a guard that is told as if it were missing, because it is not written on one line, and a
/// hook that removes the file and is not named.
#[test]
fn a_hook_is_named_in_whatever_style_the_write_is_guarded() {
    let line = r#"[ -f /data/id ] || echo \"$(hostname) $(date)\" > /data/id"#;
    for guarded in [
        r#"if [ ! -f /data/id ]; then echo \"$(hostname) $(date)\" > /data/id; fi"#,
        r#"F=/data/id; [ -f $F ] || { hostname; date; } > $F"#,
        r#"cd /data; test -e id || date | tee id"#,
    ] {
        let report =
            report_on("fail/identity_persistence/removed_by_a_pre_stop_hook", &[(line, guarded)]);
        let [cause] = &report.causes[..] else { panic!("{:?}", report.causes) };
        assert_eq!(cause.id, "wiped_at_start", "{guarded}");
        let told = format!("{:?}", cause.changes);
        assert!(told.contains("preStop"), "{guarded}: {told}");
    }
}

/// Catches a removal that is blamed though there is none, because a test of the file stands before
/// the write, and a change that leaves the file to be overwritten, or removed.
#[test]
fn a_write_behind_a_test_that_guards_nothing_is_guarded() {
    let line = r#"echo \"$(hostname) started at"#;
    for before in [
        "[ -f /data/id ] && cat /data/id; ",
        "if [ -f /data/id ]; then cat /data/id; fi; ",
        "[ -f /data/id ] || touch /data/log; ",
        "rm -f /data/id; ",
    ] {
        let words = (line, &*format!("{before}{line}"));
        let report = report_on("fail/identity_persistence/overwritten_with_the_minute", &[words]);
        let [cause] = &report.causes[..] else { panic!("{:?}", report.causes) };
        assert_eq!(cause.id, "overwritten_at_start", "{before}");
        let told = format!("{:?}", cause.changes);
        let kept = if before.starts_with("rm") { ":; " } else { before };
        let guarded = format!("{kept}[ -f /data/id ] || echo");
        assert!(told.contains(&guarded), "{before}: {told}");
    }
}
