use super::{
    EditedScript, ScriptNotes, append, folder_of_the_name, guard_changing_writes,
    keep_what_is_there, make_missing_folders, remove_nothing, written_folder,
};

const DATA: &[&str] = &["/data"];

fn text(edited: Option<EditedScript>) -> Option<String> {
    edited.map(|it| it.text)
}

#[track_caller]
fn keeps(script: &str, expected: Option<&str>) {
    assert_eq!(text(keep_what_is_there(script, DATA)).as_deref(), expected, "{script}");
}

/// Catches a guard before the wrong command, one for a file that is not on the claim, and a
/// second one.
#[test]
fn what_is_there_is_kept() {
    keeps(
        "if ! hostname > /data/id; then exit 1; fi",
        Some("if ! { [ -f /data/id ] || hostname > /data/id; }; then exit 1; fi"),
    );
    keeps("cd /data; exec > >(tee log)", Some("cd /data; exec > >(tee -a log)"));
    keeps("date &>> /data/log; sleep 9", None);
    keeps("function start { date > /data/d; nginx; }; start", None);
    keeps(
        "hostname > /data/id; exec sleep 9",
        Some("[ -f /data/id ] || hostname > /data/id; exec sleep 9"),
    );
    keeps(
        "set -e\necho a >/data/x && echo b >> /data/x\nexec nginx",
        Some("set -e\n[ -f /data/x ] || echo a >/data/x && echo b >> /data/x\nexec nginx"),
    );
    keeps(
        "{ hostname; date; } > \"/data/id\"\nsleep 9",
        Some("[ -f \"/data/id\" ] || { hostname; date; } > \"/data/id\"\nsleep 9"),
    );
    keeps(
        "for i in 1 2; do echo $i; done > /data/n",
        Some("[ -f /data/n ] || for i in 1 2; do echo $i; done > /data/n"),
    );
    keeps(
        "if true; then date > /data/d; fi",
        Some("if true; then [ -f /data/d ] || date > /data/d; fi"),
    );
    keeps("hostname | tee /data/id", Some("hostname | tee -a /data/id"));
    keeps("date | sed s/a/b/ > /data/d", Some("[ -f /data/d ] || date | sed s/a/b/ > /data/d"));
    keeps("cp /etc/hostname /data/id", Some("cp -n /etc/hostname /data/id"));
    keeps("cp --no-dereference x /data/id", Some("cp -n --no-dereference x /data/id"));
    keeps("date | tee /tmp/log /data/id", Some("date | tee -a /tmp/log /data/id"));
    keeps(
        "true && date > /data/a > /data/b",
        Some("true && { [ -f /data/a ] || date > /data/a > /data/b; }"),
    );
    keeps(
        "cat > /data/x <<EOF\na\nEOF\nsleep 9",
        Some("[ -f /data/x ] || cat > /data/x <<EOF\na\nEOF\nsleep 9"),
    );
    keeps(
        "ls && cat <<EOF > /data/x\n$(date)\nEOF\n",
        Some("ls && { [ -f /data/x ] || cat <<EOF > /data/x; }\n$(date)\nEOF\n"),
    );
    keeps("cd /data && hostname > id", Some("cd /data && { [ -f id ] || hostname > id; }"));
    keeps("(cd /data && date > id)", Some("(cd /data && { [ -f id ] || date > id; })"));
    keeps("cd /data &&\n date > id", Some("cd /data &&\n { [ -f id ] || date > id; }"));
    keeps(
        "a=$(get) && date > /data/d 2>&1 || exit 1",
        Some("a=$(get) && { [ -f /data/d ] || date > /data/d 2>&1; } || exit 1"),
    );
    keeps(
        "echo \"$(date; echo ')')\" > /data/d",
        Some("[ -f /data/d ] || echo \"$(date; echo ')')\" > /data/d"),
    );
    keeps("(hostname; date) > /data/id", Some("[ -f /data/id ] || (hostname; date) > /data/id"));
    keeps(
        "(date | sed s/a/b/) >/data/d; sleep 9",
        Some("[ -f /data/d ] || (date | sed s/a/b/) >/data/d; sleep 9"),
    );
    keeps(
        "date | while read -r it; do echo $it; done > /data/d",
        Some("[ -f /data/d ] || date | while read -r it; do echo $it; done > /data/d"),
    );
    keeps(
        "start() { date > /data/d; nginx; }; start",
        Some("start() { [ -f /data/d ] || date > /data/d; nginx; }; start"),
    );
    keeps(
        "case $1 in a|b) date > /data/d;; esac",
        Some("case $1 in a|b) [ -f /data/d ] || date > /data/d;; esac"),
    );
    keeps(
        "cd \"/data\"; mkdir -p sub; (cd /tmp; ls); cd sub; date > id",
        Some("cd \"/data\"; mkdir -p sub; (cd /tmp; ls); cd sub; [ -f id ] || date > id"),
    );
    for (script, appended) in [
        (
            "while true; do date; sleep 5; done > /data/log",
            "while true; do date; sleep 5; done >> /data/log",
        ),
        ("date; exec nginx > /data/log", "date; exec nginx >> /data/log"),
        ("{ hostname; sleep 1000000; } >/data/id", "{ hostname; sleep 1000000; } >>/data/id"),
        ("my-server > /data/log 2>&1", "my-server >> /data/log 2>&1"),
        ("my-server 1> /data/log", "my-server 1>> /data/log"),
        (
            "touch /data/id; hostname > /data/id; sleep 9",
            "touch /data/id; hostname >> /data/id; sleep 9",
        ),
        (
            "date > /data/a; hostname > \"/data/a\"; sleep 9",
            "[ -f /data/a ] || date > /data/a; hostname >> \"/data/a\"; sleep 9",
        ),
    ] {
        keeps(script, Some(appended));
    }
    for script in [
        "nginx -g 'daemon off;' > /data/log 2>&1 & wait",
        "my-server > /data/log || exit 1",
        "start() { nginx -g 'daemon off;' > /data/log; }; start",
        "my-server > /data/log -p 80",
    ] {
        keeps(script, Some(&script.replacen("> /data", ">> /data", 1)));
    }
    keeps(
        "if a; then echo b > /data/r; else echo c > /data/r; fi; nginx",
        Some(
            "if a; then [ -f /data/r ] || echo b > /data/r; else [ -f /data/r ] || echo c > \
            /data/r; fi; nginx",
        ),
    );
    keeps(
        "date > /data/n; while :; do date > /data/n; sleep 5; done",
        Some(
            "[ -f /data/n ] || date > /data/n; while :; do [ -f /data/n ] || date > /data/n; sleep \
            5; done",
        ),
    );
    keeps(
        "cat <<EOF |\na\nEOF\nsed s/a/b/ > /data/x\nnginx",
        Some("[ -f /data/x ] || cat <<EOF |\na\nEOF\nsed s/a/b/ > /data/x\nnginx"),
    );
    keeps("my-setup > /data/log; nginx", Some("[ -f /data/log ] || my-setup > /data/log; nginx"));
    for nothing in [
        "date > log; cd /data",
        "cd /data; cd /tmp; date > id",
        "(cd /data; ls); date > id",
        "cp --parents -n x /data",
        "cd /data; cd ..; date > id",
        "cd /data; cd; date > id",
        "hostname >> /data/id",
        "hostname > /tmp/id",
        "hostname > /database/id",
        "ls /data 2> /data/err",
        "ls /data 2>&1",
        "echo 'a > /data/x'",
        "# date > /data/x",
        "cp -n /etc/hostname /data/id",
        "hostname | tee -a /data/id",
    ] {
        keeps(nothing, None);
    }
}

/// Catches a file that a variable names, which is told as if nobody knew the line that writes it, and
/// a variable that may name another file.
#[test]
fn a_variable_names_the_file() {
    for (script, expected) in [
        (
            "F=/data/id\necho a > $F\ndate >> $F\nsleep 9",
            Some("F=/data/id\n[ -f $F ] || echo a > $F\ndate >> $F\nsleep 9"),
        ),
        ("export D=\"/data\"; date > \"${D}/id\"", {
            Some("export D=\"/data\"; [ -f \"${D}/id\" ] || date > \"${D}/id\"")
        }),
        ("F=/data/id; [ -f \"$F\" ] || date > \"$F\"", None),
        ("F=/data/id\n[ -f \"$F\" ] || hostname > $F\nsleep 9", None),
        ("F=/data/id; [ -f /data/id ] || date > $F", None),
        // What the script has made before is there for each test.
        ("F=/data/id; touch /data/id; date > $F", Some("F=/data/id; touch /data/id; date >> $F")),
        (
            "F=/data/id\nhostname > /data/id\ndate > $F",
            Some("F=/data/id\n[ -f /data/id ] || hostname > /data/id\ndate >> $F"),
        ),
        ("D=/data\nD+=base\ndate > $D/id", None),
        ("F=/data/id true\ndate > $F", None),
        ("env F=/data/id sh x; date > $F", None),
        ("F=/tmp/id; date > $F", None),
        ("F=/data/$1; date > $F", None),
        ("F=/data/a; F=/tmp/b; date > $F", None),
        ("read F; F=/data/a; date > $F", None),
        ("date > $F; F=/data/id", None),
        ("F=/data/id; date > '$F'", None),
        ("F=/data/id; date > ${F%d}x", None),
    ] {
        keeps(script, expected);
    }
}

/// Catches a command that somebody must look up.
#[test]
fn what_was_brought_in_is_noted() {
    let notes = |script: &str| keep_what_is_there(script, DATA).map(|it| it.notes);
    let none = ScriptNotes::NONE;
    for (script, expected) in [
        ("date > /data/id", ScriptNotes { has_file_test: true, ..none }),
        ("[ -f /x ] || date | tee /data/id", ScriptNotes { has_tee_flag: true, ..none }),
        ("cp /x /data/id", ScriptNotes { has_cp_flag: true, ..none }),
        ("exec nginx > /data/id", ScriptNotes { has_append: true, ..none }),
    ] {
        assert_eq!(notes(script), Some(expected), "{script}");
    }
}

/// Catches an edit of what is not understood.
#[test]
fn what_cannot_be_cut_for_certain_is_left_alone() {
    for script in ["echo 'a > /data/x", "cat > /data/x <<EOF\na\n", "echo $(date > /data/x"] {
        keeps(script, None);
    }
}

/// Catches a script that still overwrites after the change that takes out what removes files, and
/// a guard that nothing needs.
#[test]
fn what_differs_at_each_start_is_kept() {
    let keeps = |script: &str| text(guard_changing_writes(script, DATA));
    assert_eq!(
        keeps(":\ndate > /data/started\n").as_deref(),
        Some(":\n[ -f /data/started ] || date > /data/started\n")
    );
    assert_eq!(
        keeps("echo \"$(hostname) since $(date)\" > /data/id").as_deref(),
        Some("[ -f /data/id ] || echo \"$(hostname) since $(date)\" > /data/id")
    );
    assert_eq!(
        keeps("if [ -f /data/id ]; then sleep 5; :; fi\ndate > /data/id").as_deref(),
        Some("if [ -f /data/id ]; then sleep 5; :; fi\n[ -f /data/id ] || date > /data/id")
    );
    assert_eq!(keeps("if [ -f /data/id ]; then exec sleep 9; fi\ndate > /data/id"), None);
    assert_eq!(
        keeps("hostname -i > /data/ip").as_deref(),
        Some("[ -f /data/ip ] || hostname -i > /data/ip")
    );
    assert_eq!(
        keeps("echo /tmp/* > /data/l").as_deref(),
        Some("[ -f /data/l ] || echo /tmp/* > /data/l")
    );
    assert_eq!(keeps("date | tee /data/id").as_deref(), Some("date | tee -a /data/id"));
    assert_eq!(keeps("cp /etc/x /data/id").as_deref(), Some("cp -n /etc/x /data/id"));
    for same in [
        "hostname > /data/id",
        "echo \"Pod: $HOSTNAME\" > /data/id; nginx",
        "ls; hostname | tee /data/id",
    ] {
        assert_eq!(keeps(same), None, "{same}");
    }
}

/// Catches a volume that is mounted where nothing is written, and one over what programs need.
#[test]
fn a_volume_belongs_where_the_script_writes() {
    let folder = |script: &str| written_folder(script, &["/cache"]);
    let lab = "echo \"Pod: $HOSTNAME\" > /usr/share/nginx/html/index.html; nginx >/dev/null";
    assert_eq!(folder(lab).as_deref(), Some("/usr/share/nginx/html"));
    assert_eq!(folder("date >> '/srv/a b/x'").as_deref(), Some("/srv/a b"));
    assert_eq!(folder("date 1>> /srv/x").as_deref(), Some("/srv"));
    assert_eq!(folder("date 2>> /srv/x"), None);
    assert_eq!(folder("date > /cache/x; date > /data/x").as_deref(), Some("/data"));
    let named = |script: &str| folder_of_the_name(script, &["/cache"]);
    assert_eq!(named("echo ok > /tmp/h; echo \"$HOSTNAME\" > /srv/id").as_deref(), Some("/srv"));
    assert_eq!(named("echo \"$HOSTNAME\"; echo ok > /tmp/h"), None);
    for nothing in ["date > /x", "echo a > /etc/hosts", "ls > $DIR/x", "sleep 9"] {
        assert_eq!(folder(nothing), None, "{nothing}");
    }
}

#[test]
fn writes_at_the_end_are_appended() {
    assert_eq!(
        append("trap 'hostname > /data/id; exit 0' TERM\nsleep 9", DATA).as_deref(),
        Some("trap 'hostname >> /data/id; exit 0' TERM\nsleep 9")
    );
    assert_eq!(append("sleep 9", DATA), None);
    // It overwrites nothing.
    assert_eq!(append("[ -f /data/id ] || date > /data/id", DATA), None);
    // One half of it would stay as it is.
    let cut_off = "trap 'hostname > /data/id' TERM; trap 'echo it\"s > /data/id' INT";
    assert_eq!(append(cut_off, DATA), None);
    assert_eq!(
        append("cd /data; trap 'hostname 1> id' TERM; date >| x", DATA).as_deref(),
        Some("cd /data; trap 'hostname 1>> id' TERM; date >| x")
    );
}

#[test]
fn nothing_is_removed() {
    assert_eq!(
        remove_nothing("rm -rf /data/* && hostname > /data/id", DATA).as_deref(),
        Some(": && hostname > /data/id")
    );
    assert_eq!(remove_nothing("rm -rf /tmp/x", DATA), None);
    assert_eq!(
        remove_nothing("trap 'rm -f /data/id; exit 0' TERM; sleep 9", DATA).as_deref(),
        Some("trap ':; exit 0' TERM; sleep 9")
    );
    for (script, mended) in [
        ("find /data -type f | wc -l; sleep 9", None),
        ("find /data -type f -delete; sleep 9", Some(":; sleep 9")),
        ("find /data -type f -exec /bin/rm {} +; sleep 9", Some(":; sleep 9")),
        ("find /data -type f | xargs rm -f; sleep 9", Some(":; sleep 9")),
        ("(cd /tmp; rm -rf /data/*); exec nginx", Some("(cd /tmp; :); exec nginx")),
        ("cd /data; rm -rf *; sleep 9", Some("cd /data; :; sleep 9")),
        ("cd /data; rm -rf /tmp/x; sleep 9", None),
        ("cd /data; find -delete; sleep 9", Some("cd /data; :; sleep 9")),
        ("cd /data && find | xargs rm -f", Some("cd /data && :")),
        ("cd /tmp && find | xargs rm -f", None),
        ("cd /data; cd logs; rm -f *; date > id", Some("cd /data; cd logs; :; date > id")),
        ("echo \"rm -rf /data/old\" >> /data/log", None),
        ("sh -c 'rm -rf /data/*'; sleep 9", Some("sh -c ':'; sleep 9")),
        // One that runs another one.
        ("find /data -exec sh -c 'rm -f /data/l' \\; -delete; sleep 9", Some(":; sleep 9")),
        ("su app -c \"sh -c 'rm -rf /data/*'\"; ls", Some("su app -c \"sh -c ':'\"; ls")),
        ("cat <<EOF\nrm /data/x\nEOF\nrm /data/y", Some("cat <<EOF\nrm /data/x\nEOF\n:")),
    ] {
        assert_eq!(remove_nothing(script, DATA).as_deref(), mended, "{script}");
    }
}

/// Catches a panic at a word of which only a part is quoted, and a command within another.
#[test]
fn quotes_within_words_and_commands() {
    assert_eq!(remove_nothing("echo 'a'\u{e9} > /data/id", DATA), None);
    assert_eq!(append("echo '\u{e9} x; \"", DATA), None);
    assert_eq!(remove_nothing("rm 'rm /data/x' /data/y", DATA).as_deref(), Some(":"));
}

/// Catches a second guard before a command that has one.
#[test]
fn what_is_guarded_is_left() {
    for script in [
        "[ -f /data/id ] || hostname > /data/id",
        "if [ ! -e /data/id ]; then hostname > /data/id; fi",
        "test -s /data/id || hostname > /data/id",
        "[ -f /data/id ] || cp /etc/hostname /data/id",
        "if [ ! -e /data/id ]; then hostname | tee /data/id; fi",
    ] {
        assert_eq!(keep_what_is_there(script, DATA), None, "{script}");
    }
    assert_eq!(
        text(keep_what_is_there("[ -f /data/a ] || hostname > /data/id", DATA)).as_deref(),
        Some("[ -f /data/a ] || [ -f /data/id ] || hostname > /data/id")
    );
}

#[test]
fn folders_are_made_where_they_are_missing() {
    assert_eq!(
        make_missing_folders("mkdir /data/a; mkdir -p /data/b").as_deref(),
        Some("mkdir -p /data/a; mkdir -p /data/b")
    );
}

/// Catches a test of a file that no start has written before, because its name tells the time.
#[test]
fn a_file_of_each_start_s_own_needs_no_test() {
    for name in ["$(date +%s)", "`date +%s`"] {
        let script = format!("hostname > /data/id-{name}; sleep 1000000");
        assert_eq!(keep_what_is_there(&script, &["/data"]), None, "{script}");
    }
}
