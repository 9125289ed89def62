use super::Guards;
use crate::shell::{MAX_SCRIPT_BYTES, Paths, tokens};

/// Whether the commands `here` of a script run only where `/data/id` is missing.
#[track_caller]
fn are_guarded(script: &str) -> Option<bool> {
    let tokens = tokens(script).unwrap();
    let paths = Paths::of(&tokens, None);
    let guards = Guards::of(&paths)?;
    let places = script.match_indices("here").map(|it| it.0);
    let held: Vec<bool> = places.map(|it| guards.hold(it, "/data/id")).collect();
    assert!(!held.is_empty() && held.iter().all(|it| *it == held[0]), "{script}: {held:?}");
    Some(held[0])
}

/// Catches a guard in any common style that is not recognised.
#[test]
fn what_runs_only_where_the_file_is_missing_is_guarded() {
    for script in [
        "[ -f /data/id ] || here",
        "test -e /data/id || here",
        "! [ -f /data/id ] && here",
        "[ ! -s \"/data/id\" ] && here | here",
        "[[ ! -f '/data/id' ]] &&\n  here",
        "[ ! -f /data/id -a -d /data ] && here",
        "[ -f /data/id -o -f /data/new ] || here",
        "[ -f /data/id ] || { a; here; } > here",
        "[ -f /data/id ] || {\n  here\n  here\n} > here",
        "[ -f /data/id ] || (a; here) > here",
        "if [ ! -f /data/id ]; then\n  here\nfi",
        "[ ! ! -f /data/id ] || here",
        "if ! test -f /data/id; then a; here | here; fi",
        "if [ -f /data/id ]; then cat /data/id; else here; fi",
        "if a; then b; elif [ -f /data/id ]; then c; elif d; then here; else here; fi",
        "if a && [ ! -f /data/id ]; then while b; do here; done; fi",
        "if a; [ ! -f /data/id ]; then here; fi",
        "while [ ! -f /data/id ]; do here; done",
        "until [ -f /data/id ]; do here; done",
        "while a; do [ -f /data/id ] && break; here; done",
        "for i in 1 2; do [ -f /data/id ] && continue\n here; done",
        "if [ -f /data/id ]; then a; exec sleep 9; fi; here",
        "[ -f /data/id ] && exit 0; a; here",
        "[ -f /data/id ] && { cat /data/id; exit; }\nhere",
        "if a; then [ -f /data/id ] && exit; else exit 1; fi; here",
        "start() { [ -f /data/id ] && return; here; }; start",
        "case $1 in a|b) [ -f /data/id ] || here;; (*) a;; esac; [ -f /data/id ] || here",
        "F=/data/id; [ -f $F ] || here",
        "export D=/data\n[ -f \"${D}/id\" ] || here",
        "cd /data; [ -f id ] || here",
        "cd /data/; [ -f ./id ] || here",
        "D=/data/; [ -f $D/id ] || here",
        "exec > >(tee log); [ -f /data/id ] || here",
        "for ((i = 0; i < 3; i++)); do a; done; [ -f /data/id ] || here",
        "A=(1 2); [ -f /data/id ] || here",
        "{ (a) } > >(tee log); { [ -f /data/id ] || (here) }",
    ] {
        assert_eq!(are_guarded(script), Some(true), "{script}");
    }
}

/// Catches a test that decides nothing about what stands behind it, taken for its guard.
#[test]
fn a_test_guards_nothing_else() {
    for script in [
        "[ -f /data/id ] && cat /data/id; here",
        "[ -f /data/id ] && cat /data/id\nhere",
        "if [ -f /data/id ]; then cat /data/id; fi; here",
        "if [ ! -f /data/id ]; then a; fi; here",
        "if [ -f /data/id ]; then a; fi > here",
        "[ -e /data/id ] && OLD=$(cat /data/id); here",
        "[ -s /data/id ] && echo found >> /data/log; here",
        "[ -f /data/id ] || touch /data/id; here",
        "[ -f /data/id ] || a & here",
        "[ -f /data/id ] || rm -rf /data/*; here",
        "test -e /data/id && cp /data/id /data/id.old\nhere",
        "[ -f /data/id ] && here",
        "[ ! -f /data/id ] || here",
        "if [ -f /data/id ]; then here; fi",
        "if [ ! -f /data/id ]; then a; else here; fi",
        "[ -f /data/id ] && (cat /data/id; exit); here",
        "([ -f /data/id ] && exit; a); here",
        "(if [ -f /data/id ]; then exit; fi; a); here",
        "! [[ -f /data/id && -f /data/x ]] && here",
        "[ -f /data/id ] && exec > /data/log; here",
        "[ -f /data/id ] && cat /data/id | exit; here",
        "if [ -f /data/id ]; then if a; then exit; fi; fi; here",
        "while a; do [ -f /data/id ] && break; b; done; here",
        "start() { [ -f /data/id ] && return; a; }; start; here",
        "case $1 in a) [ -f /data/id ] && exit;; esac; here",
        "{ [ -f /data/id ] || a; } > here",
        "[ -f /data/id ] || [ -f /data/x ] && here",
        "[ -f /data/id -a -f /data/x ] || here",
        "[ ! -f /data/id -o ! -f /data/x ] && here",
        "[ -f /data/a ] || here",
        "[ -d /data/id ] || here",
        "[ -L /data/id ] || here",
        "[ /data/id -nt /data/x ] || here",
        "cd $D; [ -f id ] || here",
        "cd /tmp; [ -f id ] || here",
        "echo [ -f /data/id ] || here",
    ] {
        assert_eq!(are_guarded(script), Some(false), "{script}");
    }
}

/// Catches parts that are told though nobody knows where they end, and a script that fills the
/// stack or the time.
#[test]
fn what_is_no_script_has_no_guards() {
    for script in ["[ -f /data/id ] || here; fi", "if a; here", "{ here", "case a in here"] {
        assert_eq!(are_guarded(script), None, "{script}");
    }
    let deep = |depth: usize| format!("{}here;{}", "{ ".repeat(depth), " }".repeat(depth));
    assert_eq!(are_guarded(&deep(20)), Some(false));
    assert_eq!(are_guarded(&deep(3000)), None);
    assert_eq!(are_guarded(&format!("{}here", "a()".repeat(4000))), None);
    let nots = format!("[ {}-f /data/id ] && here", "! ".repeat(8001));
    assert_eq!(are_guarded(&nots), Some(true));
    let chain = format!("if a; then b; {}here; fi", "elif a; then b; ".repeat(900));
    assert_eq!(are_guarded(&chain), None);
    let tests: String = (0..900).map(|it| format!("[ -f /x{it} ] || ")).collect();
    let script = format!("{tests}[ -f /data/id ] || here");
    assert!(script.len() < MAX_SCRIPT_BYTES, "{}", script.len());
    assert!(are_guarded(&script).is_some());
}
