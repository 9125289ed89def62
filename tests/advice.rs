//! What a report says is to be done, where the fixtures' own recordings do not ask for it: each is one
//! of them with other words in it.

use std::{fs, io::BufReader, path::Path};

use checks::model::Timeline;
use serde_json::{Value, json};
use stsgrade::{
    recording::{Reader, fold},
    report::{Cause, Format, Report, Source},
    rubric::Rubric,
};

use crate::{
    cli::run,
    report::{formats, page},
};

const PARALLEL: &str = "fail/sequential_creation/parallel";
/// What of the recordings says that PVCs stay.
const RETAIN: (&str, &str) = (r#""whenScaled":"Retain""#, r#""whenScaled":"Delete""#);
/// Two mistakes: the second one is a PVC that is too small.
const SMALL: (&str, &str) = (r#""storage":"100Mi""#, r#""storage":"10Mi""#);

/// The recording of a fixture with other words in it.
fn forged(fixture: &str, words: &[(&str, &str)]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture);
    let text = fs::read_to_string(file.join("recording.jsonl")).unwrap();
    words.iter().fold(text, |text, (before, after)| {
        assert!(text.contains(before), "{fixture} has no {before}");
        text.replace(before, after)
    })
}

/// A recording of which these PVCs stood, with data, before it began.
fn with_bound_claims(recording: &str, names: &[&str]) -> String {
    let (header, lines) = recording.split_once('\n').unwrap();
    let listed = names.iter().map(|name| {
        format!(
            r#","at":0,"change":"listed","object":{{"PersistentVolumeClaim":{{"metadata":{{"name":"{name}","uid":"{name}","resourceVersion":"1"}},"spec":{{"accessModes":["ReadWriteOnce"],"volumeName":"pv-{name}","resources":{{"requests":{{"storage":"100Mi"}}}}}},"status":{{"phase":"Bound","capacity":{{"storage":"100Mi"}}}}}}}}}}"#
        )
    });
    let is_of_one = |line: &str| {
        let claim = |name| format!(r#""PersistentVolumeClaim":{{"metadata":{{"name":"{name}""#);
        names.iter().any(|name| line.contains(&claim(name)))
    };
    let others = lines.lines().filter(|it| !is_of_one(it));
    let others = others.map(|it| it[it.find(',').unwrap()..].to_owned());
    let numbered =
        listed.chain(others).enumerate().map(|(at, it)| format!("{{\"seq\":{}{it}\n", at + 1));
    format!("{header}\n{}", numbered.collect::<String>())
}

/// A recording in which the kubelet ends the container of each start because its hook fails so.
fn with_failing_hook(recording: &str, how: &str) -> String {
    let message =
        format!("Exec lifecycle hook ([x]) for Container \"app\" in Pod \"web-0\" failed - {how}");
    let (header, lines) = recording.split_once('\n').unwrap();
    let mut told: Vec<Value> = vec![];
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let status = "/object/Pod/status/containerStatuses/0";
        let ended = line.pointer(&format!("{status}/state/terminated")).cloned();
        if let Some(ended) = ended {
            let mut failed = line.clone();
            let status = failed.pointer_mut(status).unwrap();
            status["state"] =
                json!({"waiting": {"reason": "PostStartHookError", "message": message}});
            status["lastState"] = json!({"terminated": ended});
            told.push(failed);
        }
        told.push(line);
    }
    let numbered = told.into_iter().zip(1..).map(|(mut line, seq)| {
        line["seq"] = json!(seq);
        format!("{line}\n")
    });
    format!("{header}\n{}", numbered.collect::<String>())
}

/// The report on the recording of a fixture with other words in it.
pub(crate) fn report_on(fixture: &str, words: &[(&str, &str)]) -> Report {
    report_of(forged(fixture, words))
}

fn report_of(recording: String) -> Report {
    let text = recording.into_bytes();
    let reader = Reader::from(Box::new(BufReader::new(std::io::Cursor::new(text))), "r").unwrap();
    let folded = fold(reader).unwrap();
    Report::of(&Source::of(&folded.header, folded.digest), &folded.timeline)
}

fn cause<'r>(report: &'r Report, id: &str) -> &'r Cause {
    report.causes.iter().find(|it| it.id == id).unwrap()
}

fn has(commands: &[String], words: &str) -> bool {
    commands.iter().any(|it| it.contains(words))
}

/// Catches a look for a hook's words in the log of its container, which has none of them, and a hook
/// whose program is missing told as one whose test is false.
#[test]
fn a_hook_that_fails_is_looked_at_where_its_words_are() {
    let recording = forged("fail/container_ends/exits_at_start", &[]);
    let how = "error: command 'x' exited with 127: sh: jq: not found";
    let report = report_of(with_failing_hook(&recording, how));
    let failed = cause(&report, "post_start_fails");
    assert!(has(&failed.see, "kubectl describe pod web-0"), "{:?}", failed.see);
    assert!(!has(&failed.see, "kubectl logs"), "{:?}", failed.see);
    assert!(failed.remedy.contains("Let the hook end with exit status 0"), "{}", failed.remedy);
    let told = run(&["explain", "post_start_fails"], &[]);
    assert!(told.contains("kubectl describe pod POD") && !told.contains("--previous"), "{told}");
}

/// Catches a mistake that is known and told as a finding of an obstacle, so that whoever does what
/// is said of that loses the test at the next grade.
#[test]
fn a_mistake_beside_an_obstacle_is_a_cause_of_its_own() {
    let two = (r#""spec":{"replicas":3"#, r#""spec":{"replicas":2"#);
    let report = report_on("fail/probe_fails/probe_never_succeeds", &[two]);
    let told: Vec<_> = report.causes.iter().map(|it| (it.id, it.tests.as_slice())).collect();
    let rest = [2, 3, 4, 5, 6, 7, 8, 9, 10];
    assert_eq!(told, [("probe_fails", &rest[..]), ("too_few_replicas", &[1])]);
    assert!(cause(&report, "probe_fails").seen.is_empty(), "{:?}", report.causes);
    // What else stands in its way is told where the test is, and not by its cause.
    assert_eq!(report.checks[0].decisive().map(|it| it.id), Some("three_replicas"));
}

/// Catches a look at one mistake that deletes PVCs because of another one.
#[test]
fn a_set_that_deletes_its_pvcs_is_not_scaled_down() {
    let report = report_on(PARALLEL, &[RETAIN]);
    for cause in &report.causes {
        for few in ["--replicas=0", "--replicas=1", "--replicas=2"] {
            assert!(!has(&cause.see, few), "{}: {:?}", cause.id, cause.see);
        }
    }
    assert!(has(&cause(&report, "parallel").see, "--replicas=5"));
}

/// Catches a look that adds pods to PVCs which stood before, and deletes these with the pods.
#[test]
fn pvcs_that_stood_before_are_not_deleted_for_a_look() {
    let stand = ["data-web-3", "data-web-4"];
    for claims in [&stand[..], &stand[..1], &stand[1..]] {
        let report = report_of(with_bound_claims(&forged(PARALLEL, &[RETAIN]), claims));
        let see = &cause(&report, "parallel").see;
        assert!(!has(see, "kubectl scale") && has(see, "jsonpath="), "{see:?}");
    }
}

/// Catches PVCs with data on them that are deleted unsaid, because no pod got Ready in this grade.
#[test]
fn data_of_an_earlier_set_is_not_deleted_unsaid() {
    let recording = forged("fail/class_missing/no_such_class", &[]);
    let told = "Deleting the PVCs deletes what is on them.";
    let kept = report_of(with_bound_claims(&recording, &["data-web-1", "data-web-2"]));
    let [cause] = &kept.causes[..] else { panic!("{:?}", kept.causes) };
    assert!(has(&cause.commands, " data-web-0 data-web-1 data-web-2"), "{:?}", cause.commands);
    assert!(cause.remedy.contains(told), "{}", cause.remedy);
    // What is Pending has no volume.
    let empty = report_of(recording);
    let [cause] = &empty.causes[..] else { panic!("{:?}", empty.causes) };
    assert!(has(&cause.commands, "kubectl delete pvc "), "{:?}", cause.commands);
    assert!(!cause.remedy.contains(told), "{}", cause.remedy);
}

/// Catches a remedy that keeps the PVCs beside a command that deletes them, and a command that
/// deletes them for a cause that is not told.
#[test]
fn pvcs_stay_where_no_told_cause_deletes_them() {
    let report = report_on(PARALLEL, &[SMALL]);
    for cause in &report.causes {
        assert!(!cause.remedy.contains("PVCs stay"), "{}", cause.remedy);
        assert!(has(&cause.commands, "kubectl delete pvc"), "{:?}", cause.commands);
    }
    let told = &cause(&report, "too_small").remedy;
    assert!(told.contains("Deleting the PVCs deletes what is on them."), "{told}");
    let rubric = Rubric::parse("[checks.persistent_storage]\nomit = true").unwrap();
    let scored = report.scored(&rubric);
    let [parallel] = &scored.causes[..] else { panic!("{:?}", scored.causes) };
    assert!(!has(&parallel.commands, "delete pvc"), "{:?}", parallel.commands);
    assert!(parallel.remedy.ends_with("must be deleted first. The PVCs stay."), "{parallel:?}");
}

/// Catches a Service that is changed in a field that cannot change, and one whose deletion is not
/// told.
#[test]
fn a_service_that_becomes_headless_is_deleted_first() {
    let none = (r#""serviceName":"web""#, r#""serviceName":"""#);
    let report = report_on("fail/dns_resolution/not_headless", &[none]);
    let cause = cause(&report, "no_service");
    assert!(has(&cause.commands, "kubectl delete service web "), "{:?}", cause.commands);
    assert!(has(&cause.commands, "kubectl delete sts web "), "{:?}", cause.commands);
    for words in ["the set is deleted first", "the Service is deleted first"] {
        assert!(cause.remedy.contains(words), "{}", cause.remedy);
    }
}

/// Catches a change of lines that are right already, where only the PVCs are too small, which an
/// earlier set has left.
#[test]
fn a_right_file_is_not_changed_for_claims_of_an_earlier_set() {
    let text = forged(PARALLEL, &[]);
    let is_of_claim = |line: &&str| line.contains(r#""PersistentVolumeClaim":{"metadata""#);
    assert!(text.lines().any(|it| is_of_claim(&it)));
    let lines = text.lines().map(|it| match is_of_claim(&it) {
        true => it.replace(SMALL.0, SMALL.1) + "\n",
        false => it.to_owned() + "\n",
    });
    let report = report_of(lines.collect());
    let small = cause(&report, "too_small");
    assert!(small.changes.is_empty() && small.example.is_none(), "{small:?}");
    assert!(small.remedy.starts_with("Your file needs no change: "), "{}", small.remedy);
    assert!(small.remedy.ends_with("deletes what is on them."), "{}", small.remedy);
    assert!(has(&small.commands, "kubectl delete pvc "), "{:?}", small.commands);
    let report = report_on(PARALLEL, &[SMALL]);
    let both = cause(&report, "too_small");
    assert!(!both.changes.is_empty() && both.remedy.starts_with("Request "), "{both:?}");
}

/// Catches a set that is deleted, and nothing says why.
#[test]
fn that_pods_do_not_follow_the_template_is_told() {
    let rolling = r#""updateStrategy":{"type":"RollingUpdate","rollingUpdate":{}}"#;
    let on_delete = (rolling, r#""updateStrategy":{"type":"OnDelete"}"#);
    let fixture = "fail/identity_persistence/overwrite";
    let [changed, as_it_was] = [report_on(fixture, &[on_delete]), report_on(fixture, &[])];
    let [changed, as_it_was] = [&changed, &as_it_was].map(|it| cause(it, "overwritten_at_start"));
    assert!(has(&changed.commands, "kubectl delete sts site "), "{:?}", changed.commands);
    assert!(changed.remedy.contains("`updateStrategy` (OnDelete"), "{}", changed.remedy);
    assert!(changed.remedy.ends_with("the set is deleted first. The PVCs stay."));
    assert!(!as_it_was.remedy.contains("deleted first"), "{}", as_it_was.remedy);
}

/// Catches commands about objects that `--cleanup` has removed, where the manifest has no name.
#[test]
fn what_is_removed_is_graded_again_with_a_manifest() {
    let manifest = r#""manifests":"sha256:"#;
    let cleanup = (manifest, r#""cleanup":true,"manifests":"sha256:"#);
    let report = report_on(PARALLEL, &[cleanup]);
    let again = "stsgrade grade -n fixture-parallel -f YOUR-FILE.yaml --cleanup";
    for cause in &report.causes {
        assert_eq!(cause.commands, [again]);
        assert!(cause.see.is_empty(), "{:?}", cause.see);
    }
    assert_eq!(report.grade_again.as_deref(), Some(again));
}

/// Catches a remedy for which nothing is typed, and a PVC with data that is deleted for it.
#[test]
fn what_an_undecided_cause_says_is_typed() {
    let differs = report_on("inconclusive/claim_differs/claim_of_an_earlier_template", &[]);
    let [cause] = &differs.causes[..] else { panic!("{:?}", differs.causes) };
    let [pvc, pod, again] = &cause.commands[..] else { panic!("{:?}", cause.commands) };
    assert!(pvc.starts_with("kubectl delete pvc ") && pvc.ends_with("-0 --wait=false"), "{pvc}");
    assert!(pod.starts_with("kubectl delete pod ") && pod.ends_with("-0"), "{pod}");
    assert!(again.starts_with("stsgrade grade "), "{again}");
    assert!(cause.remedy.contains("nothing is lost with it"), "{}", cause.remedy);
    // That of a pod that the grade adds.
    let added = ("web-0", "web-3");
    let differs = report_on("inconclusive/claim_differs/claim_of_an_earlier_template", &[added]);
    let [cause] = &differs.causes[..] else { panic!("{:?}", differs.causes) };
    let [pvc, pod, _] = &cause.commands[..] else { panic!("{:?}", cause.commands) };
    assert!(pvc.ends_with(" data-web-3 --wait=false"), "{pvc}");
    assert!(pod.ends_with(" web-3"), "{pod}");

    let update = report_on("inconclusive/update_failed/template_added", &[]);
    let [cause] = &update.causes[..] else { panic!("{:?}", update.causes) };
    assert!(cause.commands[0].starts_with("kubectl delete pod -n "), "{:?}", cause.commands);
    assert!(cause.commands[0].ends_with(" web-0 web-1 web-2"), "{:?}", cause.commands);
    // Catches the server's structs in the words of a report.
    assert!(cause.explanation.contains("may not change fields"), "{}", cause.explanation);
    assert!(!cause.explanation.contains("null"), "{}", cause.explanation);
}

/// Catches a change of fields that cannot be changed in place, and commands that do not bring it.
#[test]
fn a_change_that_is_one_way_to_mend_it_has_its_commands() {
    for (fixture, pvcs) in [
        ("inconclusive/no_default_class/no_class_named", true),
        ("inconclusive/fs_group_ignored/storage_ignores_the_group", true),
        ("inconclusive/level_restricted/plain_pod", false),
        ("inconclusive/volume_not_mounted/removed_folder", false),
    ] {
        let report = report_on(fixture, &[]);
        let cause = &report.causes[0];
        assert!(cause.commands[0].starts_with("kubectl delete sts "), "{:?}", cause.commands);
        assert_eq!(has(&cause.commands, "kubectl delete pvc "), pvcs, "{:?}", cause.commands);
        assert_eq!(cause.remedy.contains("and what is on these"), pvcs, "{}", cause.remedy);
        let ends = "Where nothing is changed, the last one is enough.";
        assert!(cause.remedy.ends_with(ends), "{}", cause.remedy);
    }
}

/// Catches a page of the catalogue that deletes PVCs, and does not say what goes with them.
#[test]
fn explain_says_what_is_deleted() {
    let mut pages = 0;
    for (id, _, _) in checks::model::diagnosis::obstacles() {
        pages += usize::from(is_told(id));
    }
    for mistake in checks::mistakes::MISTAKES {
        pages += usize::from(is_told(mistake.id));
    }
    assert!(pages > 5, "{pages}");
}

/// Whether `explain` deletes PVCs for it, where it says so.
fn is_told(id: &str) -> bool {
    let told = run(&["explain", id], &[]);
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_told = told.contains("deletes what is on them") || told.contains("and what is on these");
    let deletes = told.contains("kubectl delete pvc");
    assert!(is_told || !deletes, "{told}");
    deletes
}

/// The formats that have no place for more than the tests and their points, and the picture.
const SAYS_NOT_WHAT_IS_SLOW: [Format; 5] =
    [Format::Classroom50, Format::Autolab, Format::Check50, Format::Csv, Format::Svg];

/// Catches a format that keeps to itself what costs time.
#[test]
fn each_format_for_people_says_what_is_slow() {
    let mut report = report_on(PARALLEL, &[]);
    report.slow = Some("web-0 ignores `SIGTERM`".to_owned());
    for (name, format) in formats() {
        let page = page(format, &report, &Timeline::default());
        let is_told = page.contains("web-0 ignores");
        assert_eq!(is_told, !SAYS_NOT_WHAT_IS_SLOW.contains(&format), "{name}: {page}");
    }
}

/// Catches an example that is to be pasted, and of whose signs the report says nothing.
#[test]
fn the_signs_of_an_example_are_explained_too() {
    let mut report = report_on("fail/identity_persistence/overwrite", &[]);
    report.causes.iter_mut().for_each(|it| it.changes.clear());
    assert!(report.causes[0].example.is_some(), "{:?}", report.causes);
    let told = |report: &Report| {
        let text = page(Format::Text, report, &Timeline::default());
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").contains("paste the `+` lines without the `+ `.")
    };
    assert!(told(&report));
    report.causes.iter_mut().for_each(|it| it.example = None);
    assert!(!told(&report));
}

/// Catches lines without the words above them in JSON, and backquotes in the page.
#[test]
fn what_stands_above_lines_is_told_in_each_format() {
    let mut report = report_on("fail/identity_persistence/overwrite", &[]);
    let example = report.causes[0].example.as_mut().unwrap();
    example.told = "Below `initContainers`:".to_owned();
    let json = page(Format::Json, &report, &Timeline::default());
    assert!(json.contains(r#""told": "Below `initContainers`:""#), "{json}");
    let html = page(Format::Html, &report, &Timeline::default());
    assert!(html.contains("Below <code>initContainers</code>:"), "{html}");
}

/// Catches a Service that is named as if it were something else, and a name that is empty and is
/// said to name something.
#[test]
fn the_headless_service_is_told_as_one() {
    let fixture = "fail/dns_resolution/wrong_service_name";
    let none = (r#""serviceName":"web-headless""#, r#""serviceName":"""#);
    for (words, seen) in [
        (&[][..], r#"there is no Service "web-headless"; the headless Service is web"#),
        (&[none], "serviceName is empty; the headless Service is web"),
    ] {
        let report = report_on(fixture, words);
        let cause = cause(&report, "wrong_service_name");
        assert_eq!(cause.seen[0].actual, seen);
        assert!(cause.explanation.contains("does not name it"), "{}", cause.explanation);
    }
}

/// Catches a line to change that is in no file any more, told to somebody whose pods only stand at an
/// earlier template.
#[test]
fn a_mistake_that_only_pods_of_an_earlier_template_make_asks_for_no_line() {
    let fixture = "fail/identity_persistence/overwrite";
    let rolling = (r#""rollingUpdate":{}"#, r#""rollingUpdate":{"partition":9}"#);
    let newer = (r#""updateRevision":"site-"#, r#""updateRevision":"new-"#);
    let told = |words: &[_]| {
        let report = report_on(fixture, words);
        let lost = cause(&report, "overwritten_at_start");
        (lost.remedy.clone(), lost.example.is_some() || !lost.changes.is_empty())
    };
    let (remedy, has_lines) = told(&[rolling, newer]);
    let words = "The pods that show it are of an earlier template, at which the set's `partition` \
        keeps them: take `partition` out of the file, or set it to 0.";
    assert!(remedy.starts_with(words) && !has_lines, "{remedy}");
    // Pods of the present template make it, too.
    let (remedy, has_lines) = told(&[rolling]);
    assert!(!remedy.contains("earlier template, at which") && has_lines, "{remedy}");
}
