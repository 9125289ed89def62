//! What the tool writes and reads follows the schemas that it prints.

use std::{collections::BTreeSet, fs};

use checks::model::{Standing, Timeline};
use jsonschema::Validator;
use serde_json::{Value, json};
use stsgrade::{
    console::terminal::TermStyle,
    recording::{Reader, fold},
    report::{Format, Problem, Report, RunResult, Source},
    rubric::Rubric,
};

use crate::{
    cli::run,
    fixtures::cases,
    hostile::recordings,
    report::{failed, page, sample, styled, uniform},
};

/// The schema as it is printed.
fn printed(document: &str) -> Value {
    let printed = run(&["schema", document], &[]);
    let (_, printed) = printed.split_once("---- stdout\n").unwrap();
    let (printed, _) = printed.split_once("---- stderr").unwrap();
    let schema: Value = serde_json::from_str(printed).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    schema
}

fn schema(document: &str) -> Validator {
    jsonschema::validator_for(&printed(document)).unwrap()
}

#[track_caller]
fn assert_valid(schema: &Validator, document: &Value) {
    let errors: Vec<String> =
        schema.iter_errors(document).map(|it| format!("{}: {it}", it.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}: {document:#}");
}

fn written(report: &Report) -> Value {
    serde_json::from_str(&page(Format::Json, report, &Timeline::default())).unwrap()
}

#[test]
fn every_report_follows_its_schema() {
    let schema = schema("report");
    for show in ["outcome", "reason", "remedy"] {
        let rubric =
            format!("show = '{show}'\npass_mark = 5.5\n[checks.pvc_reuse]\nrequired = true");
        let rubric = Rubric::parse(&rubric).unwrap();
        for report in [sample(), uniform(&Standing::Met), uniform(&Standing::unseen("no"))] {
            assert_valid(&schema, &written(&report.clone().scored(&rubric)));
            assert_valid(&schema, &written(&report));
        }
    }
    for problem in [failed(), Problem::not_finished(), Problem::crashed(), Problem::interrupted()] {
        let page = styled(Format::Json, RunResult::NotGraded(&problem), TermStyle::PLAIN);
        assert_valid(&schema, &serde_json::from_str(&page).unwrap());
        assert_valid(&schema, &written(&Report::refused(&problem, &Source::default())));
    }
    for file in recordings() {
        let folded = Reader::open(&file).and_then(fold).unwrap();
        let source = Source::of(&folded.header, folded.digest.clone());
        assert_valid(&schema, &written(&Report::of(&source, &folded.timeline)));
    }
}

/// Catches a schema that lets everything pass.
#[test]
fn a_report_with_other_words_is_refused() {
    let schema = schema("report");
    let report = written(&sample());
    for (place, value) in [
        ("/format", json!("other")),
        ("/version", json!(2)),
        ("/score/earned", json!("40")),
        ("/score/earned", json!(-1)),
        ("/checks/0/outcome", json!("undecided")),
        ("/checks/1/criteria/0/standing", json!("lost")),
        ("/causes/0/fault", json!("student")),
        ("/causes/0/tests", json!(["6"])),
    ] {
        let mut wrong = report.clone();
        *wrong.pointer_mut(place).unwrap() = value;
        assert!(!schema.is_valid(&wrong), "{place}");
    }
    for name in ["score", "checks", "recording", "namespace"] {
        let mut wrong = report.clone();
        wrong.as_object_mut().unwrap().remove(name);
        assert!(!schema.is_valid(&wrong), "without {name}");
    }
}

#[test]
fn a_rubric_follows_its_schema() {
    let schema = schema("rubric");
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, example) = readme.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    Rubric::parse(example).unwrap();
    assert_valid(&schema, &toml::from_str(example).unwrap());
    for wrong in [
        "pass_marc = 5",
        "show = 'all'",
        "[checks.pod_naming]\npoint = 5",
        "[checks.pod_naming]\npoints = -5",
        "[checks.pod_naming]\npoints = 'five'",
        "[checks.pod_naming.criteria]\nexact_names = { point = 5 }",
    ] {
        assert!(Rubric::parse(wrong).is_err(), "{wrong}");
        assert!(!schema.is_valid(&toml::from_str(wrong).unwrap()), "{wrong}");
    }
}

/// The schema with no field let through that it does not name.
fn strict(schema: &mut Value) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(strict),
        Value::Object(map) => {
            map.values_mut().for_each(strict);
            if !map.contains_key("properties") {
                return;
            }
            if let Some(Value::Array(forms)) = map.get_mut("anyOf") {
                // Each form holds some of the fields that stand beside it.
                for form in forms {
                    form.as_object_mut().unwrap().remove("additionalProperties");
                }
                map.insert("unevaluatedProperties".to_owned(), json!(false));
            } else {
                map.entry("additionalProperties").or_insert(json!(false));
            }
        }
        _ => {}
    }
}

/// What a line is about and which fields it has, so that lines that are alike are checked once.
fn shape(line: &Value, place: &str, out: &mut BTreeSet<String>) {
    match line {
        Value::Object(map) => {
            for (name, it) in map {
                shape(it, &format!("{place}/{name}"), out);
            }
        }
        Value::Array(list) => list.iter().for_each(|it| shape(it, place, out)),
        it => drop(out.insert(format!("{place} {}", it.is_string()))),
    }
}

/// Catches a field that the schema does not name, and one that it wrongly demands.
#[test]
fn every_line_of_every_recording_follows_its_schema() {
    let mut schema = printed("recording");
    strict(&mut schema);
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mut shapes = BTreeSet::new();
    for case in cases().0 {
        let text = fs::read_to_string(case.folder.join("recording.jsonl")).unwrap();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let mut fields = BTreeSet::new();
            shape(&line, "", &mut fields);
            if shapes.insert(fields) {
                assert_valid(&schema, &line);
            }
        }
    }
    assert!(shapes.len() > 100, "{} shapes of lines", shapes.len());
}

/// Catches a schema that lets everything pass.
#[test]
fn a_line_with_other_words_is_refused() {
    let schema = schema("recording");
    let lines = [
        json!({"seq": 1, "at": 2, "step": {"name": "scaleUp", "phase": "begin"}}),
        json!({"seq": 1, "at": 2, "change": "added", "object": {"Pod": {"metadata": {}}}}),
        json!({"seq": 1, "at": 2, "gap": {"kind": "Pod", "reason": "expired"}}),
    ];
    lines.iter().for_each(|it| assert_valid(&schema, it));
    for (line, place, value) in [
        (0, "/seq", json!("1")),
        (0, "/at", json!(-1)),
        (0, "/step/name", json!("scaleLeft")),
        (0, "/step/phase", json!("ended")),
        (1, "/change", json!("removed")),
        (1, "/object", json!({"Node": {}})),
        (1, "/object/Pod/metadata", json!({"uid": 1})),
        (2, "/gap/kind", json!("Node")),
    ] {
        let mut wrong = lines[line].clone();
        *wrong.pointer_mut(place).unwrap() = value;
        assert!(!schema.is_valid(&wrong), "{wrong}");
    }
    assert!(!schema.is_valid(&json!({"seq": 1, "at": 2})), "a line that holds nothing");
}
