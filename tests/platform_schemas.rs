//! The platforms' own documents, as schemas: what each platform reads, and nothing that it refuses.
//!
//! Written from their documentation: Gradescope's `specs.md`, Classroom 50's
//! `Advanced-Autograding.md`, PrairieLearn's `externalGrading.md`, and check50's JSON specification.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};
use stsgrade::report::Format;

/// Fails where the platform of a format would not read the document.
#[track_caller]
pub(crate) fn assert_follows_its_platform(format: Format, page: &str) {
    let schema = match format {
        Format::Gradescope => &GRADESCOPE,
        Format::Classroom50 => &CLASSROOM50,
        Format::Prairielearn => &PRAIRIELEARN,
        Format::Check50 => &CHECK50,
        _ => return,
    };
    let page: Value = serde_json::from_str(page).unwrap();
    let errors: Vec<String> =
        schema.iter_errors(&page).map(|it| format!("{}: {it}", it.instance_path())).collect();
    assert!(errors.is_empty(), "{format:?}: {errors:?} in {page:#}");
}

fn validator(schema: &Value) -> Validator {
    jsonschema::meta::validate(schema).unwrap();
    jsonschema::validator_for(schema).unwrap()
}

static GRADESCOPE: LazyLock<Validator> = LazyLock::new(|| {
    let text_format = json!({"enum": ["text", "html", "simple_format", "md", "ansi"]});
    let visibility = json!({"enum": ["hidden", "after_due_date", "after_published", "visible"]});
    let test = json!({
        "type": "object",
        "properties": {
            "score": {"type": "number"},
            "max_score": {"type": "number"},
            "status": {"enum": ["passed", "failed"]},
            "name": {"type": "string"},
            "name_format": text_format,
            "number": {"type": "string"},
            "output": {"type": "string"},
            "output_format": text_format,
            "tags": {"type": "array", "items": {"type": "string"}},
            "visibility": visibility,
            "extra_data": {"type": "object"},
        },
        "additionalProperties": false,
    });
    validator(&json!({
        "type": "object",
        "properties": {
            "score": {"type": "number"},
            "execution_time": {"type": "number"},
            "output": {"type": "string"},
            "output_format": text_format,
            "test_output_format": text_format,
            "test_name_format": text_format,
            "visibility": visibility,
            "stdout_visibility": visibility,
            "extra_data": {"type": "object"},
            "tests": {"type": "array", "items": test},
            "leaderboard": {"type": "array"},
        },
        // One of them must be there, or the platform shows an error of the autograder.
        "anyOf": [
            {"required": ["score"]},
            {"required": ["tests"]},
        ],
        "additionalProperties": false,
    }))
});

/// More fields are kept.
static CLASSROOM50: LazyLock<Validator> = LazyLock::new(|| {
    validator(&json!({
        "type": "object",
        "required": ["schema", "datetime", "score", "max-score", "tests"],
        "properties": {
            "schema": {"const": "classroom50/result/v1"},
            "assignment_type": {"enum": ["individual", "group"]},
            "datetime": {"type": "string", "pattern": "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$"},
            "score": {"type": "integer", "minimum": 0},
            "max-score": {"type": "integer", "minimum": 0},
            "tests": {"type": "array", "items": {
                "type": "object",
                "required": ["test-name", "passed", "score", "max-score"],
                "properties": {
                    "test-name": {"type": "string", "minLength": 1},
                    "passed": {"type": "boolean"},
                    "score": {"type": "integer", "minimum": 0},
                    "max-score": {"type": "integer", "minimum": 0},
                },
            }},
        },
    }))
});

static PRAIRIELEARN: LazyLock<Validator> = LazyLock::new(|| {
    let images = json!({"type": "array", "items": {
        "type": "object",
        "required": ["url"],
        "properties": {
            "label": {"type": "string"},
            "url": {"type": "string", "pattern": "^data:image/"},
        },
        "additionalProperties": false,
    }});
    validator(&json!({
        "type": "object",
        "required": ["gradable"],
        "properties": {
            "gradable": {"type": "boolean"},
            "score": {"type": "number", "minimum": 0, "maximum": 1},
            "message": {"type": "string"},
            "output": {"type": "string"},
            "format_errors": {"type": "array", "items": {"type": "string"}},
            "images": images,
            "tests": {"type": "array", "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "description": {"type": "string"},
                    "points": {"type": "number", "minimum": 0},
                    "max_points": {"type": "number", "minimum": 0},
                    "message": {"type": "string"},
                    "output": {"type": "string"},
                    "images": images,
                },
                "additionalProperties": false,
            }},
        },
        "additionalProperties": false,
        "if": {"properties": {"gradable": {"const": true}}},
        "then": {"required": ["score"], "properties": {"format_errors": false}},
        "else": {"required": ["format_errors"], "properties": {"score": false}},
    }))
});

static CHECK50: LazyLock<Validator> = LazyLock::new(|| {
    let cause = json!({
        "type": ["object", "null"],
        "required": ["rationale"],
        "properties": {
            "rationale": {"type": "string"},
            "help": {"type": ["string", "null"]},
        },
    });
    let check = json!({
        "type": "object",
        "required": ["name", "description", "passed", "log", "cause", "data", "dependency"],
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z_]+$"},
            "description": {"type": "string"},
            "passed": {"type": ["boolean", "null"]},
            "log": {"type": "array", "items": {"type": "string"}},
            "cause": cause,
            "data": {"type": "object"},
            "dependency": {"type": ["string", "null"]},
        },
        "additionalProperties": false,
    });
    let error = json!({
        "type": "object",
        "required": ["type", "value", "traceback", "actions", "data"],
        "properties": {
            "type": {"type": "string"},
            "value": {"type": "string"},
            "traceback": {"type": "array", "items": {"type": "string"}},
            "actions": {
                "type": "object",
                "required": ["show_traceback", "message"],
                "properties": {
                    "show_traceback": {"type": "boolean"},
                    "message": {"type": "string"},
                },
            },
            "data": {"type": "object"},
        },
    });
    validator(&json!({
        "type": "object",
        "required": ["slug", "version"],
        "properties": {
            "slug": {"type": "string"},
            "version": {"type": "string"},
            "results": {"type": "array", "items": check},
            "error": error,
        },
        "oneOf": [{"required": ["results"]}, {"required": ["error"]}],
    }))
});

/// Catches a schema that lets everything pass.
#[test]
fn what_a_platform_does_not_read_is_refused() {
    for (schema, wrong) in [
        (&GRADESCOPE, json!({"tests": [{"status": "undecided"}]})),
        (&GRADESCOPE, json!({"tests": [], "output_format": "rst"})),
        (&CLASSROOM50, json!({"schema": "classroom50/result/v1", "score": 1.5})),
        (&PRAIRIELEARN, json!({"gradable": true})),
        (&PRAIRIELEARN, json!({"gradable": true, "score": 70})),
        (&PRAIRIELEARN, json!({"gradable": false, "score": 0.7, "format_errors": []})),
        (&CHECK50, json!({"slug": "a", "version": "1", "results": [{"name": "a"}]})),
        (&CHECK50, json!({"slug": "a", "version": "1"})),
    ] {
        assert!(!schema.is_valid(&wrong), "{wrong}");
    }
}
