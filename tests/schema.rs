//! What the tool writes and reads follows the schemas that it prints.

use std::fs;

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
    hostile::recordings,
    report::{failed, page, sample, styled, uniform},
};

/// The schema as it is printed.
fn schema(document: &str) -> Validator {
    let printed = run(&["schema", document], &[]);
    let (_, printed) = printed.split_once("---- stdout\n").unwrap();
    let (printed, _) = printed.split_once("---- stderr").unwrap();
    let schema: Value = serde_json::from_str(printed).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
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
