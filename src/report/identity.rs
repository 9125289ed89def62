//! Whose submission it is, as a platform's runner says by the environment.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::console::sanitize::sanitize;

/// What a platform wants back in its result: names of fields with their values.
///
/// Without a platform it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Identity(BTreeMap<&'static str, String>);

/// Fields of the result of Classroom 50, each with the variable that holds it.
const CLASSROOM50: [(&str, &str); 8] = [
    ("classroom", "CLASSROOM"),
    ("assignment", "ASSIGNMENT"),
    ("assignment_type", "ASSIGNMENT_TYPE"),
    ("owner", "OWNER"),
    ("submission", "SUBMISSION_TAG"),
    ("commit", "COMMIT_URL"),
    ("release", "RELEASE_URL"),
    ("review", "REVIEW_URL"),
];

impl Identity {
    /// Nobody's.
    pub const NONE: &'static Self = &Self(BTreeMap::new());

    /// As the environment says, which `read` asks for a variable.
    pub fn of(read: impl Fn(&str) -> Option<String>) -> Self {
        let mut fields = BTreeMap::new();
        for (field, variable) in CLASSROOM50 {
            if let Some(value) = read(variable).filter(|it| !it.is_empty()) {
                fields.insert(field, sanitize(&value));
            }
        }
        // One's own submission is known by the user's name, and looked at where it was made.
        for (field, other) in [("owner", "USERNAME"), ("review", "COMMIT_URL")] {
            let value = read(other).filter(|it| !it.is_empty());
            if let Some(value) = value.filter(|_| !fields.is_empty()) {
                fields.entry(field).or_insert_with(|| sanitize(&value));
            }
        }
        Self(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;

    fn fields(variables: &[(&str, &str)]) -> String {
        let read = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        serde_json::to_string(&Identity::of(read)).unwrap()
    }

    /// Catches a result that Classroom 50 rejects because it is another's, and the name of whoever
    /// is logged in to a machine without Classroom 50 in a report.
    #[test]
    fn the_runner_says_whose_submission_it_is() {
        assert_eq!(fields(&[("USERNAME", "me"), ("CLASSROOM", "")]), "{}");
        assert_eq!(
            fields(&[("USERNAME", "me"), ("CLASSROOM", "k8s"), ("COMMIT_URL", "u")]),
            r#"{"classroom":"k8s","commit":"u","owner":"me","review":"u"}"#
        );
    }
}
