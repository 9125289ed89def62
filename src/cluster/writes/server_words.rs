//! What the API server says of a manifest that it refuses, in words for its author.
//!
//! The server decodes with Go's JSON package and `sigs.k8s.io/json` (strict decoding), whose
//! messages name Go's types. Its validation says for each field what is wrong (`field.Error` of
//! `k8s.io/apimachinery`).

use crate::remedy::{edit::refusal::is_of_a_quantity, fields::nearest};

/// What the server says is wrong with one field (`field.Error`), in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldError {
    /// The field, from the object's root.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) why: String,
    /// What to do, a sentence.
    pub(crate) next: String,
}

/// Reads what the server said; `None` where it is not one of the known forms.
pub(crate) fn read(message: &str) -> Option<FieldError> {
    unknown_field(message).or_else(|| wrong_type(message)).or_else(|| invalid_quantity(message))
}

/// Reads what validation said of one field; `None` where it is not one of the known forms.
pub(crate) fn read_cause(field: &str, message: &str) -> Option<FieldError> {
    let (why, next) = required(field, message)
        .or_else(|| duplicate(field, message))
        .or_else(|| unknown_name(field, message))
        .or_else(|| unsupported(field, message))
        .or_else(|| selector_mismatch(message))
        .or_else(|| invalid_label_value(field, message))
        .or_else(|| invalid_name(field, message))
        .or_else(|| invalid_address(field, message))
        .or_else(|| invalid(field, message))
        .or_else(|| forbidden(field, message))?;
    Some(FieldError { field: field.to_owned(), why, next })
}

/// `Required value`, with or without what is required.
fn required(field: &str, message: &str) -> Option<(String, String)> {
    let more = message.strip_prefix("Required value")?;
    let name = last_key(field);
    let next = match more.strip_prefix(": ") {
        _ if field.starts_with("spec.ports[") && name == "name" => {
            "Where a Service has several ports, each needs a `name:` of its own.".to_owned()
        }
        Some(more) => format!("Add it: {}.", more.trim_end_matches('.')),
        None => format!("Add a line `{name}:` there."),
    };
    Some((format!("`{field}` is missing"), next))
}

/// `Duplicate value: "data"`.
fn duplicate(field: &str, message: &str) -> Option<(String, String)> {
    let value = message.strip_prefix("Duplicate value: ")?;
    // `spec.ports[1].name` stands in the list `spec.ports`.
    let list = field.rsplit_once('[').map_or(field, |(list, _)| list);
    Some((
        format!("{value} stands twice in `{list}`"),
        "Give one of the two another name, or take it out.".to_owned(),
    ))
}

/// `Not found: "www"`, of a volume that a container mounts.
fn unknown_name(field: &str, message: &str) -> Option<(String, String)> {
    let name = message.strip_prefix("Not found: ")?;
    field.contains("volumeMounts").then(|| {
        (
            format!("no volume is called {name}"),
            "Write the name of a `volumeClaimTemplate`, or of one of the `volumes`.".to_owned(),
        )
    })
}

/// `Unsupported value: "a": supported values: "A", "B"`.
fn unsupported(field: &str, message: &str) -> Option<(String, String)> {
    let (value, all) =
        message.strip_prefix("Unsupported value: ")?.split_once(": supported values: ")?;
    let next = match all.matches('"').count() {
        2 => format!("Write {all}, or take the line out."),
        _ => format!("Write one of {all}: capital and small letters count."),
    };
    Some((format!("`{field}` cannot be {value}"), next))
}

fn selector_mismatch(message: &str) -> Option<(String, String)> {
    message.contains("`selector` does not match template `labels`").then(|| {
        (
            "the set selects other pods than its template makes".to_owned(),
            "Write the same labels below `spec.selector.matchLabels` and \
            `spec.template.metadata.labels`."
                .to_owned(),
        )
    })
}

/// `Invalid value: "my web": a valid label must be …`.
fn invalid_label_value(field: &str, message: &str) -> Option<(String, String)> {
    let (value, rule) = message.strip_prefix("Invalid value: ")?.split_once(": ")?;
    rule.starts_with("a valid label must be").then(|| {
        (
            format!("{value} cannot be a label's value (`{field}`)"),
            "Write at most 63 letters, digits, `-`, `_` and `.`, without a space, and the same \
            value wherever this label stands."
                .to_owned(),
        )
    })
}

/// `Invalid value: "Web": a lowercase RFC 1123 label must consist of …`.
fn invalid_name(field: &str, message: &str) -> Option<(String, String)> {
    let (value, rule) = message.strip_prefix("Invalid value: ")?.split_once(": ")?;
    (rule.contains("RFC 1123") || rule.contains("RFC 1035")).then(|| {
        (
            format!("`{field}` cannot be {value}"),
            "Write a name of lowercase letters, digits and `-`, with a letter at its beginning."
                .to_owned(),
        )
    })
}

/// `Invalid value: "none": must be a valid IP address`, of a Service.
fn invalid_address(field: &str, message: &str) -> Option<(String, String)> {
    let is_it = field.starts_with("spec.clusterIP") && message.contains("valid IP address");
    is_it.then(|| {
        (
            "`clusterIP` is no address".to_owned(),
            "Write `clusterIP: None`, with a capital N, for a headless Service.".to_owned(),
        )
    })
}

/// `Invalid value: -1: must be greater than or equal to 0`.
fn invalid(field: &str, message: &str) -> Option<(String, String)> {
    let (value, rule) = message.strip_prefix("Invalid value: ")?.split_once(": ")?;
    // A whole object is shown by its line.
    let value = if value.starts_with(['{', '[']) { "what it is" } else { value };
    Some((
        format!("`{field}` cannot be {value}: it {}", rule.trim_start_matches("it ")),
        "Correct the value.".to_owned(),
    ))
    .filter(|_| rule.starts_with("must ") || rule.starts_with("may not "))
}

/// `Forbidden: may not be used …`.
fn forbidden(field: &str, message: &str) -> Option<(String, String)> {
    let rule = message.strip_prefix("Forbidden: ")?;
    Some((
        format!("`{field}` is not allowed there: {rule}"),
        "Take it out, with all lines indented under it.".to_owned(),
    ))
}

/// `quantities must match the regular expression …`: the server does not say which.
fn invalid_quantity(message: &str) -> Option<FieldError> {
    is_of_a_quantity(message).then(|| FieldError {
        field: String::new(),
        why: "an amount of storage, memory or CPU cannot be read".to_owned(),
        next: "Write a number and its unit without a space: `100Mi`, `1Gi`, and `500m` for half a \
            CPU."
            .to_owned(),
    })
}

/// `name`, of `spec.ports[0].name`.
fn last_key(field: &str) -> &str {
    let last = field.rsplit('.').next().unwrap_or(field);
    last.split('[').next().unwrap_or(last)
}

/// `strict decoding error: unknown field "spec.servicename"`.
fn unknown_field(message: &str) -> Option<FieldError> {
    let field = message.split_once("unknown field \"")?.1.split('"').next()?;
    let name = field.rsplit('.').next()?;
    let near = nearest(name);
    let next = match near {
        Some(near) if near == name => {
            format!(
                "`{near}` belongs somewhere else: move it there, with all lines indented under it."
            )
        }
        Some(near) if near.eq_ignore_ascii_case(name) => {
            format!("Write `{near}`: capital and small letters count.")
        }
        Some(near) => format!("Write `{near}` if that is meant, at the same place."),
        None => "Take the line out, or move it to where it belongs (`kubectl explain`).".to_owned(),
    };
    Some(FieldError { field: field.to_owned(), why: format!("there is no field `{field}`"), next })
}

/// `json: cannot unmarshal string into Go struct field StatefulSetSpec.spec.replicas of type int32`.
fn wrong_type(message: &str) -> Option<FieldError> {
    let rest = message.split_once("cannot unmarshal ")?.1;
    let (found, rest) = rest.split_once(" into Go struct field ")?;
    let (path, rest) = rest.split_once(" of type ")?;
    let wanted = rest.split_whitespace().next()?;
    // The first part is the name of a Go type.
    let field = path.split_once('.').map_or(path, |(_, field)| field);
    let (found, wanted) = (json_word(found), go_word(wanted));
    let next = match (found, wanted) {
        ("a text", "a whole number" | "true or false") => {
            "Take the quotation marks off the value.".to_owned()
        }
        ("a number" | "true or false", "a text") => "Put the value in quotation marks.".to_owned(),
        ("a text", "a list") if [".command", ".args"].iter().any(|it| field.ends_with(it)) => {
            "Write it as a list of words: `[\"sh\", \"-c\", \"…\"]`, or a line with `- ` for each."
                .to_owned()
        }
        (_, "a list") => "Begin each of its entries with `- `, a line each.".to_owned(),
        (_, "a mapping") => {
            "Write `key: value` lines below it, each two spaces further in.".to_owned()
        }
        _ => format!("Write {wanted} there."),
    };
    Some(FieldError {
        field: field.to_owned(),
        why: format!("`{field}` is {found}, and must be {wanted}"),
        next,
    })
}

fn json_word(found: &str) -> &'static str {
    match found.split_whitespace().next().unwrap_or_default() {
        "string" => "a text",
        "number" => "a number",
        "bool" => "true or false",
        "array" => "a list",
        _ => "a mapping",
    }
}

fn go_word(wanted: &str) -> &'static str {
    match wanted.trim_start_matches('*') {
        "string" => "a text",
        "bool" => "true or false",
        it if it.starts_with("int") || it.starts_with("uint") => "a whole number",
        it if it.starts_with("[]") => "a list",
        _ => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use super::{read, read_cause};

    #[track_caller]
    fn check(message: &str, field: &str, why: &str, next: &str) {
        let told = read(message).unwrap();
        assert_eq!((told.field.as_str(), told.why.as_str()), (field, why));
        assert!(told.next.contains(next), "{told:?}");
    }

    /// As Kubernetes 1.37 says it. Catches words that are the server's alone.
    #[test]
    fn what_validation_says_is_translated() {
        for (field, message, why, next) in [
            ("spec.selector", "Required value", "`spec.selector` is missing", "`selector:`"),
            ("spec.ports[1].name", "Required value", "is missing", "several ports"),
            (
                "spec.ports[1].name",
                "Duplicate value: \"web\"",
                "\"web\" stands twice in `spec.ports`",
                "another name",
            ),
            (
                "spec.template.spec.containers[0].volumeMounts[0].name",
                "Not found: \"www\"",
                "no volume is called \"www\"",
                "volumeClaimTemplate",
            ),
            (
                "spec.template.spec.restartPolicy",
                "Unsupported value: \"OnFailure\": supported values: \"Always\"",
                "cannot be \"OnFailure\"",
                "Write \"Always\", or",
            ),
            (
                "spec.podManagementPolicy",
                "Unsupported value: \"parallel\": supported values: \"OrderedReady\", \"Parallel\"",
                "cannot be \"parallel\"",
                "one of \"OrderedReady\", \"Parallel\"",
            ),
            (
                "spec.template.metadata.labels",
                "Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`",
                "selects other pods",
                "the same labels",
            ),
            (
                "spec.template.labels",
                "Invalid value: \"front end\": a valid label must be an empty string or consist of",
                "\"front end\" cannot be a label's value",
                "without a space",
            ),
            (
                "metadata.name",
                "Invalid value: \"Web\": a lowercase RFC 1123 subdomain must consist of lower case",
                "`metadata.name` cannot be \"Web\"",
                "lowercase letters",
            ),
            (
                "spec.clusterIPs[0]",
                "Invalid value: \"none\": must be a valid IP address, (e.g. 10.9.8.7)",
                "no address",
                "capital N",
            ),
            (
                "spec.replicas",
                "Invalid value: -1: must be greater than or equal to 0",
                "`spec.replicas` cannot be -1: it must be greater",
                "Correct",
            ),
            ("spec.x", "Forbidden: may not be used", "not allowed there", "Take it out"),
        ] {
            let told = read_cause(field, message).unwrap();
            assert!(told.why.contains(why) && told.next.contains(next), "{told:?}");
        }
        assert_eq!(read_cause("spec", "denied by a policy"), None);
        let amount = read("quantities must match the regular expression '^([+-]?[0-9.]+)$'");
        assert!(amount.unwrap().next.contains("100Mi"));
    }

    /// As Kubernetes 1.34 says it.
    #[test]
    fn the_words_of_go_are_translated() {
        check(
            "StatefulSet in version \"v1\" cannot be handled as a StatefulSet: json: cannot \
             unmarshal string into Go struct field StatefulSetSpec.spec.replicas of type int32",
            "spec.replicas",
            "`spec.replicas` is a text, and must be a whole number",
            "quotation marks off",
        );
        check(
            "StatefulSet in version \"v1\" cannot be handled as a StatefulSet: strict decoding \
             error: unknown field \"spec.servicename\"",
            "spec.servicename",
            "there is no field `spec.servicename`",
            "`serviceName`",
        );
        check(
            "strict decoding error: unknown field \"spec.template.spec.containers[0].comand\"",
            "spec.template.spec.containers[0].comand",
            "there is no field `spec.template.spec.containers[0].comand`",
            "`command`",
        );
        check(
            "strict decoding error: unknown field \"spec.template.spec.volumeClaimTemplates\"",
            "spec.template.spec.volumeClaimTemplates",
            "there is no field `spec.template.spec.volumeClaimTemplates`",
            "belongs somewhere else",
        );
        assert_eq!(read("admission webhook denied the request"), None);
    }
}
