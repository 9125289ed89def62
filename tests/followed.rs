//! The changes that reports print: each can be made in the file that was handed in, by lines that
//! are found in it.

use std::{fs, path::Path};

use serde_json::json;
use stsgrade::{
    console::terminal::TermStyle,
    recording::{self, Folded, Reader},
    report::{Format, Report, RunResult, Source},
    submission::Submission,
};

use crate::{
    fixtures::{Case, Kind, cases},
    printed::{FILE, Instructions, LEFT_OUT, UNKNOWN, commands},
    report::styled,
};

/// Catches a report without a change, and one whose lines are in no file.
#[test]
fn the_first_change_of_each_report_can_be_made() {
    let (cases, _) = cases();
    let failing: Vec<Case> =
        cases.into_iter().filter(|it| matches!(it.kind, Kind::Fail(_))).collect();
    assert!(failing.len() > 50, "{}", failing.len());
    let wrong: Vec<String> = failing
        .iter()
        .filter_map(|case| Some(format!("== {}\n{}", case.name, changed(case).err()?)))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), failing.len(), wrong.join("\n"));
}

fn changed(case: &Case) -> Result<(), String> {
    let path = case.folder.join("submission.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let told = printed(case);
    let name = case.folder.file_name().unwrap().to_str().unwrap();
    if UNKNOWN.iter().any(|(it, _)| *it == name) {
        return Ok(());
    }
    let read = Instructions::read(&told).map_err(|why| format!("{why}\n{told}"))?;
    let mut new = text.clone();
    for change in read.changes.iter().filter(|it| it.is_made()) {
        new = change.made(&new).map_err(|why| format!("{why}\n{told}"))?;
    }
    if new == text {
        return Err(format!("nothing changes\n{told}"));
    }
    Submission::of_files(&[(FILE.to_owned(), new.clone().into())], "lab")
        .map(drop)
        .map_err(|error| format!("{error}\n{told}\n{new}"))
}

/// Catches a change that breaks what was handed in in another form, or has no line of it.
#[test]
fn what_is_handed_in_in_another_form_is_changed_in_it() {
    let (mut wrong, mut changed) = (vec![], [0; 3]);
    for case in cases().0.iter().filter(|it| matches!(it.kind, Kind::Fail(_))) {
        let yaml = fs::read_to_string(case.folder.join("submission.yaml")).unwrap();
        let read = Submission::of_files(&[(FILE.to_owned(), yaml.clone().into())], "lab");
        let Ok(submission) = read else { continue };
        let objects: Vec<_> = submission.objects.iter().map(|it| &it.value).collect();
        let json: String = objects.iter().map(|it| format!("{it:#}\n---\n")).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let forms = [json, format!("{list:#}\n---\n"), as_list(&yaml)];
        for (text, changed) in forms.iter().zip(&mut changed) {
            match made_in(case, text) {
                Ok(count) => *changed += count,
                Err(why) => wrong.push(format!("== {}\n{why}", case.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(changed.iter().all(|it| *it > 80), "{changed:?}");
}

/// How many changes a report tells where that text was handed in. All of them are made.
fn made_in(case: &Case, text: &str) -> Result<usize, String> {
    let told = printed_of(folded(case), text);
    let Ok(read) = Instructions::read(&told) else { return Ok(0) };
    let (mut new, mut count) = (text.to_owned(), 0);
    for change in read.changes.iter().filter(|it| it.is_made()) {
        new = change.made(&new).map_err(|why| format!("{why}\n{told}"))?;
        count += 1;
    }
    Submission::of_files(&[(FILE.to_owned(), new.clone().into())], "lab")
        .map_err(|why| format!("{why}\n{told}"))?;
    // What is put at the end is YAML.
    let mut parts = new.split("---\n").filter(|it| it.starts_with('{'));
    if !parts.all(|it| serde_json::from_str::<serde_json::Value>(it).is_ok()) {
        return Err(format!("no JSON\n{told}\n{new}"));
    }
    Ok(count)
}

/// The documents of a YAML text as items of a list.
fn as_list(yaml: &str) -> String {
    let mut list = "apiVersion: v1\nkind: List\nitems:\n".to_owned();
    let mut front = "- ";
    for line in yaml.lines() {
        if line.starts_with("---") {
            front = "- ";
            continue;
        }
        let is_blank = line.is_empty() || line.starts_with('#');
        list += &format!("{}{line}\n", if is_blank { "  " } else { front });
        if !is_blank {
            front = "  ";
        }
    }
    list
}

/// Catches a grade that is told right behind `kubectl apply`, while pods are still replaced, and a
/// wait without an end.
#[test]
fn what_is_applied_by_hand_is_waited_for() {
    let mut applied = 0;
    for case in cases().0.iter().filter(|it| matches!(it.kind, Kind::Fail(_))) {
        let folded = folded(case);
        let source = Source { files: vec![], ..Source::of(&folded.header, folded.digest) };
        let report = Report::of(&source, &folded.timeline);
        let result = RunResult::Judged { report: &report, timeline: &folded.timeline };
        let page = styled(Format::Text, result, TermStyle::PLAIN);
        let told = commands(&page).unwrap_or_else(|why| panic!("{why}\n{page}"));
        let told = told.join("\n").replace(" \\\n ", "");
        let told: Vec<&str> = told.lines().collect();
        let [.., wait, grade] = &told[..] else { panic!("{page}") };
        let is_wait = wait.starts_with("kubectl rollout status sts") && wait.contains("--timeout=");
        assert!(is_wait && grade.starts_with("stsgrade grade "), "{page}");
        applied += usize::from(told.iter().any(|it| it.contains("kubectl apply ")));
        let (names_none, is_told) =
            (page.contains("YOUR-FILE.yaml"), page.contains("YOUR-FILE.yaml is your manifest"));
        assert_eq!(names_none, is_told, "{page}");
        let is_torn = page.lines().any(|it| it.contains(": costs ") && it.ends_with(" to"));
        assert!(!is_torn, "{page}");
        let has_no_set = page.contains("1. there is no StatefulSet:");
        let words: Vec<&str> = page.split_whitespace().collect();
        let tells_why = words.join(" ").contains("`kubectl apply` refused your file");
        assert_eq!(has_no_set, tells_why, "{page}");
    }
    assert!(applied > 50, "{applied}");
}

/// Catches a look at what is all right before the change, and words of a program that wrote none.
#[test]
fn what_is_told_is_so() {
    let (mut silent, mut services) = (0, 0);
    for case in cases().0.iter().filter(|it| matches!(it.kind, Kind::Fail(_))) {
        let page = printed(case);
        if page.contains("1. the Service is not headless") {
            assert!(page.contains("kubectl get services,endpointslices "), "{page}");
            services += 1;
        }
        if page.contains(": the container ends:") && !page.contains("Its words") {
            assert!(!page.contains("wrote last"), "{page}");
            silent += 1;
        }
    }
    assert!(silent > 0 && services > 0, "{silent} and {services}");
}

/// Catches a look at a file that stays as it is, where another one is lost, and a file on a terminal
/// that is no text.
#[test]
fn what_is_seen_is_the_file_that_was_lost() {
    for (name, command) in [
        ("/date_in_a_file_of_its_own", "kubectl exec born-1 -n {} -- cat /data/born"),
        ("/name_among_new_random_bytes", "kubectl exec shaker-1 -n {} -- ls -l /data/blob"),
    ] {
        let report = report_on(name);
        let [cause] = &report.causes[..] else { panic!("{name}: {:?}", report.causes) };
        let command = command.replace("{}", &report.namespace);
        let [before, _, _, after] = &cause.see[..] else { panic!("{name}: {:?}", cause.see) };
        assert_eq!([before, after], [&command; 2], "{name}");
    }
}

/// Catches a reader that finds a line wherever it stands: then a report whose `…` is missing would
/// pass. Of each printed change, whichever `…` is taken out, the lines are not found any more.
#[test]
fn lines_that_are_left_out_must_be_marked() {
    let mut tried = 0;
    for case in cases().0.iter().filter(|it| matches!(it.kind, Kind::Fail(_))) {
        let text = fs::read_to_string(case.folder.join("submission.yaml")).unwrap();
        let Ok(read) = Instructions::read(&printed(case)) else { continue };
        let Some(change) = read.changes.into_iter().find(|it| it.is_made()) else { continue };
        let marks = (0..change.lines.len()).filter(|it| change.lines[*it].0 == LEFT_OUT);
        for mark in marks.collect::<Vec<_>>() {
            let mut without = change.clone();
            without.lines.remove(mark);
            assert!(without.made(&text).is_err(), "{}: {:?}", case.name, without.lines);
            tried += 1;
        }
    }
    assert!(tried > 5, "{tried}");
}

/// Catches a line that is taken for another, a change at another line than the one that is told, and
/// a new line of which nobody knows where it belongs.
#[test]
fn a_change_is_made_where_its_lines_stand() {
    const TEXT: &str = "a: 1\nb: 2\n\nc: 3\nd: 4\na: 1\ne: 5\n";
    let made = |place: &str, lines: &[&str]| {
        let lines: String = lines.iter().map(|it| format!("      {it}\n")).collect();
        let report = format!(
            "1. one: costs 10 points (test 1)\n   Change    {place}:\n{lines}   \
            Type      stsgrade grade\n"
        );
        Instructions::read(&report).unwrap().changes[0].made(TEXT)
    };
    let whole = |lines: &str| Ok(format!("{lines}\n"));
    let below = ["  a: 1", "- b: 2", "+ b: 7", "  c: 3", "  …", "- e: 5"];
    assert_eq!(made("lab3.yaml:2, b", &below), whole("a: 1\nb: 7\n\nc: 3\nd: 4\na: 1"));
    let named = ["  a: 1", "- b: 2", "+ b: 7", "  …  # below: e", "- e: 5"];
    assert_eq!(made("lab3.yaml:2, b", &named), whole("a: 1\nb: 7\n\nc: 3\nd: 4\na: 1"));
    let above = ["  a: 1", "  …", "+ x: 0"];
    assert_eq!(
        made("after lab3.yaml:5, x", &above),
        whole("a: 1\nb: 2\n\nc: 3\nd: 4\nx: 0\na: 1\ne: 5")
    );
    let first = ["+ x: 0", "  a: 1"];
    let at_the_top = whole("x: 0\na: 1\nb: 2\n\nc: 3\nd: 4\na: 1\ne: 5");
    assert_eq!(made("before lab3.yaml:1, x", &first), at_the_top);
    for (place, lines) in [
        ("lab3.yaml:2, b", &["- b: 2", "- d: 4"][..]),
        ("lab3.yaml:3, c", &["- b: 2"]),
        ("lab3.yaml:4, c", &["  a: 1", "- c: 3"]),
        ("lab3.yaml:2, b", &["- b: 2", "  …", "+ x: 0"]),
        ("lab3.yaml:2, b", &["- b: 2", "  …", "  a: 1", "  d: 4"]),
        ("lab3.yaml:9, x", &["- x: 0"]),
        ("lab3.yaml:1, x", &["  a: 1", "+ x: 0"]),
        ("after lab3.yaml:1, b", &["- b: 2"]),
    ] {
        assert!(made(place, lines).is_err(), "{lines:?}");
    }
}

/// Catches a second change of a line that shows the line as it was before the first, and one that
/// leaves what the next grade loses points by.
#[test]
fn two_changes_of_one_line_are_made_one_after_the_other() {
    let (cases, _) = cases();
    let case = cases.iter().find(|it| it.name.ends_with("/wiped_at_start")).unwrap();
    let text = fs::read_to_string(case.folder.join("submission.yaml")).unwrap();
    let (above, rest) = text.split_once("        command:\n").unwrap();
    let (_, below) = rest.split_once("        volumeMounts:\n").unwrap();
    let command = "command: [sh, -c, \"rm -rf /data/*; date > /data/started; exec sleep 99999\"]";
    let text = format!("{above}        {command}\n        volumeMounts:\n{below}");
    let read = Instructions::read(&printed_of(folded(case), &text)).unwrap();
    assert_eq!(read.changes.len(), 2);
    let made = read.changes.iter().fold(text, |text, it| it.made(&text).unwrap());
    let expected = "command: [sh, -c, \"[ -f /data/owner ] || hostname > /data/owner; :; \
        [ -f /data/started ] || date > /data/started; exec sleep 99999\"]";
    assert!(made.contains(expected), "{made}");
}

/// Catches a volume that is mounted elsewhere than the script writes.
#[test]
fn a_volume_is_mounted_where_the_script_writes() {
    let (cases, _) = cases();
    for name in ["/not_mounted", "/no_volume"] {
        let case = cases.iter().find(|it| it.name.ends_with(name)).unwrap();
        let text = fs::read_to_string(case.folder.join("submission.yaml")).unwrap();
        let written = "echo \"$(date) started as $(hostname)\" >> /data/starts.log";
        let text = text.replace(written, "date > /usr/share/nginx/html/index.html");
        let told = printed_of(folded(case), &text);
        assert!(told.contains("+           mountPath: /usr/share/nginx/html"), "{told}");
        assert!(told.contains("[ -f /usr/share/nginx/html/index.html ] || date"), "{told}");
    }
}

/// The report on a fixture, as `grade -f` prints it.
fn printed(case: &Case) -> String {
    let text = fs::read_to_string(case.folder.join("submission.yaml")).unwrap();
    printed_of(folded(case), &text)
}

/// The report on a recording, where that text was handed in.
pub(crate) fn printed_of(folded: Folded, text: &str) -> String {
    let objects = Submission::of_files(&[(FILE.to_owned(), text.into())], "lab")
        .map(|it| it.texts(|file: &Path| Some(file.display().to_string())))
        .unwrap_or_default();
    let known = Source::of(&folded.header, folded.digest);
    let source = Source { files: vec![FILE.to_owned()], objects, ..known };
    let report = Report::of(&source, &folded.timeline);
    let result = RunResult::Judged { report: &report, timeline: &folded.timeline };
    styled(Format::Text, result, TermStyle::PLAIN)
}

fn folded(case: &Case) -> Folded {
    Reader::open(&case.folder.join("recording.jsonl")).and_then(recording::fold).unwrap()
}

/// The report on the recording of a fixture.
fn report_on(name: &str) -> Report {
    let (cases, _) = cases();
    let case = cases.iter().find(|it| it.name.ends_with(name)).unwrap();
    let folded = folded(case);
    Report::of(&Source::of(&folded.header, folded.digest), &folded.timeline)
}

/// Catches one reason that is told for each test anew, with a remedy that cannot help, and undecided
/// points without anything to type.
#[test]
fn undecided_points_have_one_cause_and_what_decides_them() {
    for (name, test) in [
        ("/no_shell", "--probe-image busybox:1.36"),
        ("/no_exec", "stsgrade rbac -n fixture-reader"),
        ("/broken_pod_of_an_earlier_template", "kubectl delete pod web-0 -n fixture-broken-pod"),
        ("/label_gone", "kubectl delete pod web-1"),
        ("/node_full", "stsgrade grade -n"),
    ] {
        let report = report_on(name);
        let [cause] = &report.causes[..] else { panic!("{name}: {:?}", report.causes) };
        assert!(cause.commands.iter().any(|it| it.contains(test)), "{name}: {:?}", cause.commands);
    }
}

/// Catches a recording that does not hold the line to change, whose report only says where it is, or
/// gives a container that has a command another one beside it.
#[test]
fn where_the_own_line_is_not_known_it_is_said_what_to_look_for() {
    for (name, before, after) in [
        ("/ends_after_25_seconds", "…", "…\ntrap 'exit 0' TERM; sleep 1000000 & wait"),
        ("/exits_at_start", "… exit 1 …", "… : …"),
        ("/container_ends/mkdir", "mkdir /data/app", "mkdir -p /data/app"),
        ("/no_such_command", "[bash, …]", "[sh, …]"),
        ("/no_secret_key", "", "stringData:\n  password: …"),
        ("/waits_for_ever", "- name: wait  # with all lines indented under it", ""),
        ("/probe_never_succeeds", "readinessProbe:  # with all lines indented under it", ""),
        ("/never_pulls", "imagePullPolicy: Never", ""),
        ("/claim_of_another_cluster", "volumeName: pvc-0b1f0a52-5d3a-4a57-9a0e-6a1c5e0d7b11", ""),
        ("host_port/host_port", "hostPort: …", ""),
        ("/privileged", "privileged: true", ""),
        ("/impostor_hostname", "hostname: web-1\nsubdomain: web-peers", ""),
        ("/squatter_on_the_name_of_pod_one", "hostname: ring-1\nsubdomain: ring", ""),
        (
            "/name_among_new_random_bytes",
            "… > /data/blob",
            "[ -f /data/blob ] || { …; …; } > /data/blob",
        ),
    ] {
        let report = report_on(name);
        let [cause] = &report.causes[..] else { panic!("{name}: {:?}", report.causes) };
        let told = cause.example.as_ref().map(|it| (it.before.as_str(), it.after.as_str()));
        assert_eq!(told, Some((before, after)), "{name}");
        assert!(cause.changes.is_empty(), "{name}: {:?}", cause.changes);
    }
}

/// Catches one mistake that is told once for each pod that has it.
#[test]
fn what_several_pods_have_is_told_once() {
    let report = report_on("/second_container_ends_after_ten_seconds");
    let [cause] = &report.causes[..] else { panic!("{:?}", report.causes) };
    assert!(cause.explanation.contains(" The same holds for web-1. "), "{}", cause.explanation);
}

/// Catches words that ask for something else than the lines below them.
#[test]
fn what_to_do_is_what_the_lines_below_do() {
    let (cases, _) = cases();
    for (name, words) in [
        ("fail/probe_fails/", "take the probe out"),
        ("fail/init_never_ends/", "take it out"),
        ("fail/placement_impossible/too_large_request", "take out what it asks of a node"),
    ] {
        let case = cases.iter().find(|it| it.name.contains(name)).unwrap();
        let told = printed(case);
        assert!(told.split_whitespace().collect::<Vec<_>>().join(" ").contains(words), "{told}");
    }
}
