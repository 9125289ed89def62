//! What a pod does not have, by the words of the kubelet and of the container runtime.

use crate::model::obstacle::{Missing, MissingObject};

/// A ConfigMap or a Secret: `MountVolume.SetUp failed for volume "config" : configmap "web-config"
/// not found`, or `couldn't find key password in Secret lab/web`.
pub(super) fn object(message: &str) -> Option<Missing> {
    key(message).or_else(|| whole_object(message)).map(Missing::Object)
}

/// A program that the runtime did not find in the image: `exec: "bash": executable file not found in
/// $PATH`; or one that it may not execute: `exec: "/start.sh": permission denied`.
pub(super) fn program(message: &str) -> Option<Missing> {
    let (_, rest) = message.split_once("exec: \"")?;
    let (program, rest) = unquoted(rest)?;
    let why = rest.strip_prefix(": ")?;
    // What `stat` may not do is about a folder above it.
    let is_forbidden = why.starts_with("permission denied");
    Some(if is_forbidden { Missing::Permission(program) } else { Missing::Program(program) })
}

/// A text in double quotes as Go writes it (`strconv.Quote`), from behind the first one on, and what
/// is behind the last.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut inner = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((inner, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => inner.push('\n'),
                't' => inner.push('\t'),
                it @ ('"' | '\\') => inner.push(it),
                // Of what cannot be seen, such as `\u00ad`.
                it => inner.extend(['\\', it]),
            },
            _ => inner.push(c),
        }
    }
    None
}

fn key(message: &str) -> Option<MissingObject> {
    let (_, rest) = message.split_once("couldn't find key ")?;
    let mut words = rest.split_whitespace();
    let key = words.next()?.to_owned();
    let kind = if words.nth(1)? == "Secret" { "Secret" } else { "ConfigMap" };
    let name = words.next()?.rsplit('/').next()?.to_owned();
    Some(MissingObject { kind, name, key: Some(key), volume: None })
}

fn whole_object(message: &str) -> Option<MissingObject> {
    [("ConfigMap", "configmap \""), ("Secret", "secret \"")].into_iter().find_map(|(kind, mark)| {
        let (front, rest) = message.split_once(mark)?;
        let (name, rest) = rest.split_once('"')?;
        let volume = front.split_once("volume \"").and_then(|(_, it)| it.split('"').next());
        rest.starts_with(" not found").then(|| MissingObject {
            kind,
            name: name.to_owned(),
            key: None,
            volume: volume.map(str::to_owned),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{object, program};
    use crate::model::obstacle::{Missing, MissingObject};

    fn named(kind: &'static str, name: &str, key: Option<&str>, volume: Option<&str>) -> Missing {
        Missing::Object(MissingObject {
            kind,
            name: name.to_owned(),
            key: key.map(str::to_owned),
            volume: volume.map(str::to_owned),
        })
    }

    /// Catches a missing object that is told without its name, or by the wrong one.
    #[test]
    fn what_is_missing_is_named() {
        for (message, missing) in [
            (
                "MountVolume.SetUp failed for volume \"config\" : configmap \"web-config\" not found",
                Some(named("ConfigMap", "web-config", None, Some("config"))),
            ),
            ("secret \"db\" not found", Some(named("Secret", "db", None, None))),
            (
                "couldn't find key password in Secret lab/web",
                Some(named("Secret", "web", Some("password"), None)),
            ),
            ("exec: \"bash\": executable file not found in $PATH", None),
        ] {
            assert_eq!(object(message), missing, "{message}");
        }
    }

    /// Catches a program that is told with the words around it.
    #[test]
    fn a_missing_program_is_named() {
        let message = "exec: \"bash\": executable file not found in $PATH: unknown";
        assert_eq!(program(message), Some(Missing::Program("bash".to_owned())));
        assert_eq!(program("exec format error"), None);
        let line = r#"exec: "sh -c \"echo \\\"a\\\": b\"\n": stat sh -c: no such file"#;
        let whole = "sh -c \"echo \\\"a\\\": b\"\n".to_owned();
        assert_eq!(program(line), Some(Missing::Program(whole)));
    }

    /// Catches a file that is there and may not be executed, told as one that is missing.
    #[test]
    fn a_file_without_the_permission_is_not_missing() {
        let message = "unable to start container process: exec: \"/scripts/start.sh\": permission \
            denied: unknown";
        let file = "/scripts/start.sh".to_owned();
        assert_eq!(program(message), Some(Missing::Permission(file)));
    }
}
