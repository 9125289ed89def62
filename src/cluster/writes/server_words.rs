//! What the API server says of a manifest that it refuses, in words for its author.
//!
//! The server decodes with Go's JSON package and `sigs.k8s.io/json` (strict decoding), whose
//! messages name Go's types. Their forms were seen on Kubernetes 1.30 to 1.37.

use crate::remedy::fields::nearest;

/// A refusal in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The field, from the object's root.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) why: String,
    /// What to do, a sentence.
    pub(crate) next: String,
}

/// Reads what the server said; `None` where it is not one of the known forms.
pub(crate) fn read(message: &str) -> Option<Refusal> {
    unknown_field(message).or_else(|| wrong_type(message))
}

/// `strict decoding error: unknown field "spec.servicename"`.
fn unknown_field(message: &str) -> Option<Refusal> {
    let field = message.split_once("unknown field \"")?.1.split('"').next()?;
    let name = field.rsplit('.').next()?;
    let near = nearest(name);
    let next = match near {
        Some(near) if near == name => {
            format!("`{near}` belongs somewhere else: move it there, with all lines below it.")
        }
        Some(near) if near.eq_ignore_ascii_case(name) => {
            format!("Write `{near}`: capital and small letters count.")
        }
        Some(near) => format!("Write `{near}` if that is meant, at the same place."),
        None => "Take the line out, or move it to where it belongs (`kubectl explain`).".to_owned(),
    };
    Some(Refusal { field: field.to_owned(), why: format!("there is no field `{field}`"), next })
}

/// `json: cannot unmarshal string into Go struct field StatefulSetSpec.spec.replicas of type int32`.
fn wrong_type(message: &str) -> Option<Refusal> {
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
        (_, "a list") => "Begin each of its entries with `- `, a line each.".to_owned(),
        (_, "a mapping") => {
            "Write `key: value` lines below it, each two blanks further in.".to_owned()
        }
        _ => format!("Write {wanted} there."),
    };
    Some(Refusal {
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
    use super::read;

    #[track_caller]
    fn check(message: &str, field: &str, why: &str, next: &str) {
        let told = read(message).unwrap();
        assert_eq!((told.field.as_str(), told.why.as_str()), (field, why));
        assert!(told.next.contains(next), "{told:?}");
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
