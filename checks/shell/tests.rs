use super::{
    MAX_SCRIPT_BYTES, Paths, Removal, commands, inner_scripts, is_within, program, removals, tokens,
};

/// The words of each command, in one string each.
fn cut(script: &str) -> Option<Vec<String>> {
    let tokens = tokens(script)?;
    let words = |it: Vec<super::ShellToken<'_>>| -> String {
        it.iter().map(|it| it.text).collect::<Vec<_>>().join(" ")
    };
    Some(commands(&tokens).filter(|it| !it.is_empty()).map(words).collect())
}

/// Catches a command that is lost or torn, and the text of a here-document taken for commands.
#[test]
fn a_script_is_cut_into_commands() {
    for (script, expected) in [
        ("a 'b; c'; d # e; f\ng", &["a 'b; c'", "d", "g"][..]),
        ("a && b || c | d & e", &["a", "b", "c", "d", "e"]),
        ("if a; then b; fi", &["a", "b", "fi"]),
        ("a > b 2>&1 <c d", &["a d"]),
        ("cat > f <<EOF; date\nrm -rf /\nEOF\nls", &["cat", "date", "ls"]),
        ("cat <<-'E F'\n\trm x\n\tE F\nls", &["cat", "ls"]),
        ("cat <<A <<B\nx\nA\ny\nB\nls", &["cat", "ls"]),
        ("cat <<< 'a b'; ls", &["cat", "ls"]),
        ("echo \"$(a \"b; $(c)\")\"; d", &["echo \"$(a \"b; $(c)\")\"", "d"]),
    ] {
        assert_eq!(cut(script).unwrap_or_default(), expected, "{script}");
    }
}

/// Catches a script that is cut although nobody knows how, and one that fills the stack or the time.
#[test]
fn what_is_not_certain_is_not_cut() {
    for script in ["echo 'a", "echo $(date", "cat <<EOF\na\n", "cat <<EOF", "function f { a; }"] {
        assert_eq!(cut(script), None, "{script}");
    }
    let deep = |depth: usize| format!("echo {}x{}", "\"$(".repeat(depth), ")\"".repeat(depth));
    assert!(cut(&deep(20)).is_some());
    assert_eq!(cut(&deep(3000)), None);
    assert_eq!(cut(&"\"$(".repeat(MAX_SCRIPT_BYTES / 3)), None);
    assert_eq!(cut(&"a;".repeat(MAX_SCRIPT_BYTES)), None);
}

#[test]
fn a_command_runs_a_program() {
    for (script, expected) in [
        ("rm -f x", "rm"),
        ("A=1 B= exec /bin/rm x", "rm"),
        ("busybox nohup rm x", "rm"),
        ("exec", "exec"),
        ("env", "env"),
        ("=x y", "=x"),
    ] {
        let tokens = tokens(script).unwrap_or_default();
        assert_eq!(program(&tokens).map(|it| it.0), Some(expected), "{script}");
    }
}

/// Catches a folder that a group's end does not bring back, and one that is only named.
#[test]
fn a_script_runs_in_the_folder_that_it_changed_to() {
    for (script, expected) in [
        ("cd /data; here", Some("/data")),
        ("cd /data; cd ./logs/; here", Some("/data/logs/")),
        ("(cd /data; ls); here", None),
        ("cd /tmp; (cd /data; here)", Some("/data")),
        ("cd /data; cd ..; here", None),
        ("cd /data; cd $DIR; here", None),
        ("cd /data; cd; here", None),
        ("cd \"/data\" && here", Some("/data")),
        ("echo cd /data; here", None),
        ("cd logs; here", None),
        ("(cd /data; case $1 in a) here;; esac)", Some("/data")),
        ("cd /tmp; (cd /data; case $1 in a|b) ls;; esac); here", Some("/tmp")),
    ] {
        let at = script.find("here").unwrap_or_default();
        let tokens = tokens(script).unwrap_or_default();
        assert_eq!(Paths::of(&tokens, None).folder_at(at), expected, "{script}");
    }
}

/// Catches a text in quotes that is only written, taken for a script.
#[test]
fn only_what_is_run_is_a_script() {
    let script = "trap 'rm a; exit' TERM; sh -ec \"ls b\"; echo 'rm c'; eval 'd'; rm 'e'; \
        trap -- 'f' INT; timeout 9 /bin/bash -x -c 'g'; su app -c 'h'; grep -c 'i' x";
    let tokens = tokens(script).unwrap_or_default();
    let inner = inner_scripts(&tokens);
    let found: Vec<&str> = inner.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(found, ["rm a; exit", "ls b", "d", "f", "g", "h"]);
    assert!(inner.iter().all(|it| script[it.place(0)..].starts_with(&it.text)));
}

/// Catches a script within a script within a script, and the folder that an outer one changed to.
#[test]
fn scripts_stand_within_one_another() {
    let script = "cd /data; exec su app -c \"cd a; sh -c 'rm *'; sleep 9\"";
    let tokens = tokens(script).unwrap_or_default();
    let inner = inner_scripts(&tokens);
    let found: Vec<_> = inner.iter().map(|it| (it.text.as_str(), it.folder.as_deref())).collect();
    let (outer, own) = ("cd a; sh -c 'rm *'; sleep 9", "rm *");
    assert_eq!(found, [(outer, Some("/data")), (own, Some("/data/a"))]);
    assert!(inner.iter().all(|it| script[it.place(0)..].starts_with(&it.text)));
    assert_eq!(removals("trap 'rm \"/data' TERM"), None);
}

/// Catches a quote that is escaped for an outer shell, taken for one that does not end, or for a
/// part of a word.
#[test]
fn what_is_escaped_for_an_outer_shell_is_read_as_the_inner_one_does() {
    let removed = |script: &str| {
        let all = removals(script).unwrap();
        let told = |it: &Removal| format!("{}: {}", &script[it.range.clone()], it.paths.join(" "));
        all.iter().map(told).collect::<Vec<_>>()
    };
    let script = r#"su app -c "sh -c \"rm -rf \\\"/data\\\"/* /tmp/x\"; echo é""#;
    assert_eq!(removed(script), [r#"rm -rf \\\"/data\\\"/* /tmp/x: /data/* /tmp/x"#]);
    assert_eq!(removed(r#"cd /data; rm -rf *; sh -c "echo \"it's up\"""#), ["rm -rf *: /data/*"]);
    assert_eq!(removed(r#"sh -c "rm /data/\"x\"; ls""#), [r#"rm /data/\"x\": /data/x"#]);
}

/// Catches what is removed elsewhere than it is looked for, and a search taken for a removal.
#[test]
fn what_a_script_removes_is_known() {
    let found = |script: &str| {
        let all = removals(script).unwrap_or_default();
        let told = |it: Removal| {
            let narrowed = if it.is_narrowed { " some of" } else { "" };
            format!("{}:{narrowed} {}", &script[it.range], it.paths.join(" "))
        };
        all.into_iter().map(told).collect::<Vec<_>>().join("; ")
    };
    for (script, expected) in [
        ("rm -rf \"/data\"/* /tmp/x", "rm -rf \"/data\"/* /tmp/x: /data/* /tmp/x"),
        ("cd /data; cd logs; rm -f *", "rm -f *: /data/logs/*"),
        ("(cd /data; ls); rm -rf *", "rm -rf *: *"),
        ("[ -d /data ] && exec /bin/rm /data/a", "exec /bin/rm /data/a: /data/a"),
        ("trap 'rm -f /data/id; exit 0' TERM", "rm -f /data/id: /data/id"),
        ("find /data -type f | wc -l", ""),
        ("find /data -type f -delete", "find /data -type f -delete: /data"),
        (
            "find /data -mtime +1 -exec /bin/rm {} +",
            "find /data -mtime +1 -exec /bin/rm {} +: some of /data",
        ),
        ("cd /data && find | xargs rm -f; ls", "find | xargs rm -f: /data/."),
        ("cd /data; trap 'rm -rf *; exit 0' TERM", "rm -rf *: /data/*"),
        ("D=/data; rm -rf \"$D\"/*; rm $F", "rm -rf \"$D\"/*: /data/*; rm $F: $F"),
        ("echo 'rm /data/x' >> /data/log", ""),
        ("cat > /data/readme <<EOF\nrm /data/x\nEOF\n", ""),
    ] {
        assert_eq!(found(script), expected, "{script}");
    }
}

#[test]
fn a_path_is_within_whole_folders() {
    assert!(is_within("/data", "/data/") && is_within("/data/a", "/data"));
    assert!(!is_within("/database", "/data") && !is_within("/dat", "/data"));
}
