//! What looks like a secret is not recorded.
//!
//! A container that fails may print its environment or the address that it could not reach, and its
//! last lines become part of the recording, which students hand in. A secret is recognised by its
//! form alone: one of another form is not masked.

use checks::model::{
    Fact,
    observation::{
        Inquiry,
        object::{Container, ContainerStatus, Object, PodStatus},
    },
};

/// What stands in the place of a secret.
pub const MASK: &str = "***";
/// Parts of names whose values are secret.
const NAMES: [&str; 7] =
    ["PASSWORD", "PASSWD", "PASSPHRASE", "TOKEN", "SECRET", "CREDENTIAL", "KEY"];
/// What stands before a credential, as in `Authorization: Bearer …`.
const SCHEMES: [&str; 2] = ["bearer ", "basic "];
/// A shorter word behind one of [`SCHEMES`] is no credential.
const MIN_CREDENTIAL_BYTES: usize = 8;
/// A shorter line is no line of a key in base64, but for its last one.
const MIN_KEY_LINE_BYTES: usize = 40;

/// Masks every text of an observation that somebody wrote for people to read: last lines,
/// termination messages, answers to probes, conditions, and what the API server or a tool answered.
/// The commands of a template are masked, too: they may hold a password.
///
/// Files on claims are not touched: what the pods wrote there is what is graded.
pub fn mask_observation(what: &mut Fact) {
    match what {
        Fact::Object(_, object) => mask_object(object),
        Fact::Inquiry(inquiry) => mask_inquiry(inquiry),
        Fact::Step(step) => mask_some(&mut step.answer),
        Fact::Gap(gap) => mask_one(&mut gap.reason),
        Fact::Read(read) => mask_some(&mut read.error),
        Fact::Canary(visit) => mask_some(&mut visit.error),
        Fact::Lookup(lookup) => {
            mask_some(&mut lookup.error);
            mask_some(&mut lookup.undecided);
        }
        Fact::End(end) => mask_some(&mut end.detail),
        // They hold names alone.
        Fact::Subject(_) | Fact::Signature(_) | Fact::Unknown => {}
    }
}

fn mask_object(object: &mut Object) {
    match object {
        Object::Event(event) => mask_one(&mut event.message),
        Object::Pod(pod) => mask_pod_status(&mut pod.status),
        Object::StatefulSet(set) => {
            let template = set.spec.as_mut().map(|spec| &mut spec.template.spec);
            template.into_iter().flat_map(|it| it.all_containers_mut()).for_each(mask_commands);
        }
        // They hold names, numbers and addresses alone.
        Object::PersistentVolumeClaim(_) | Object::Service(_) | Object::EndpointSlice(_) => {}
    }
}

fn mask_inquiry(inquiry: &mut Inquiry) {
    match inquiry {
        Inquiry::Logs { lines, .. } => *lines = mask_lines(lines),
        Inquiry::ManifestRefused(it) => {
            mask_one(&mut it.what);
            it.detail = mask_lines(&it.detail);
        }
        Inquiry::Unavailable { why, .. } => mask_one(why),
        // Names, and words of the files.
        Inquiry::StorageClasses { .. } | Inquiry::Surroundings { .. } => {}
    }
}

fn mask_commands(container: &mut Container) {
    let mut is_value = false;
    for word in container.command.iter_mut().chain(&mut container.args) {
        let is_flag = is_secret_flag(word);
        *word = if is_value { MASK.to_owned() } else { mask_script(word) };
        is_value = is_flag;
    }
}

fn mask_pod_status(status: &mut PodStatus) {
    mask_one(&mut status.message);
    for condition in &mut status.conditions {
        mask_one(&mut condition.message);
    }
    let containers = status.init_container_statuses.iter_mut();
    containers.chain(&mut status.container_statuses).for_each(mask_status);
}

fn mask_one(text: &mut String) {
    *text = mask(text);
}

fn mask_some(text: &mut Option<String>) {
    if let Some(text) = text {
        mask_one(text);
    }
}

/// Masks each line of a script, which stays as many lines as it was.
fn mask_script(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    mask_lines(&lines).join("\n")
}

fn mask_status(status: &mut ContainerStatus) {
    for state in [&mut status.state, &mut status.last_state] {
        if let Some(waiting) = &mut state.waiting {
            mask_one(&mut waiting.message);
        }
        if let Some(ended) = &mut state.terminated {
            mask_one(&mut ended.message);
        }
    }
}

/// Masks the lines of a log, blocks of private keys included.
#[must_use]
pub fn mask_lines(lines: &[String]) -> Vec<String> {
    let mut masked: Vec<String> = Vec::with_capacity(lines.len());
    let mut in_key = false;
    for line in lines {
        let ends = find_key_mark(line, "-----END ").is_some();
        if !in_key && find_key_mark(&mask_keys(line), "-----END ").is_some() {
            // The log begins in the middle of the key.
            mask_end_of_key(&mut masked);
        }
        let is_inside = in_key && !ends;
        in_key = is_inside || leaves_key_open(line);
        masked.push(if is_inside { MASK.to_owned() } else { mask(line) });
    }
    masked
}

/// Masks the lines of a key that end the text: the last one may be short, the others are full.
fn mask_end_of_key(lines: &mut [String]) {
    let mut backwards = lines.iter_mut().rev();
    let Some(last) = backwards.next().filter(|it| is_base64(it)) else { return };
    MASK.clone_into(last);
    for earlier in backwards.take_while(|it| is_full_key_line(it)) {
        MASK.clone_into(earlier);
    }
}

/// Masks what looks like a secret in one text.
#[must_use]
pub fn mask(text: &str) -> String {
    let text = mask_keys(text);
    let text = mask_flags(&text);
    let text = mask_values(&text);
    let text = mask_credentials(&text);
    mask_addresses(&text)
}

/// Whether the text ends within a private key that begins in it.
fn leaves_key_open(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, behind)) = find_key_mark(rest, "-----BEGIN ") {
        let Some((_, end)) = find_key_mark(&rest[behind..], "-----END ") else { return true };
        rest = &rest[behind + end..];
    }
    false
}

/// Whether a line may be one of a key but for its last one.
fn is_full_key_line(line: &str) -> bool {
    line.trim().len() >= MIN_KEY_LINE_BYTES && is_base64(line)
}

fn is_base64(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && line.bytes().all(|it| it.is_ascii_alphanumeric() || b"+/=".contains(&it))
}

/// Private keys on one line, as JSON or an environment has them: each from the mark of its begin to
/// that of its end, or to the end of the text.
fn mask_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((begin, behind)) = find_key_mark(rest, "-----BEGIN ") {
        out.push_str(&rest[..begin]);
        out.push_str(MASK);
        let end = find_key_mark(&rest[behind..], "-----END ");
        rest = end.map_or("", |(_, end)| &rest[behind + end..]);
    }
    out + rest
}

/// Where the first mark of a private key stands (`-----BEGIN RSA PRIVATE KEY-----`), and where it
/// ends; `dashes` begin it.
fn find_key_mark(text: &str, dashes: &str) -> Option<(usize, usize)> {
    text.match_indices(dashes).find_map(|(at, _)| {
        let label = at + dashes.len();
        let (name, _) = text[label..].split_once("-----")?;
        name.ends_with("PRIVATE KEY").then_some((at, label + name.len() + "-----".len()))
    })
}

/// The word behind a flag such as `--password`.
fn mask_flags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_value = false;
    for word in text.split_inclusive(char::is_whitespace) {
        let inner = word.trim_end();
        if is_value && !inner.is_empty() {
            out.push_str(MASK);
            out.push_str(&word[inner.len()..]);
            is_value = false;
        } else {
            out.push_str(word);
            is_value = is_secret_flag(inner) || is_value && inner.is_empty();
        }
    }
    out
}

/// Whether a word is a flag whose value, which is the next word, is secret.
fn is_secret_flag(word: &str) -> bool {
    let name = word.strip_prefix("--").unwrap_or_default();
    let is_name =
        !name.is_empty() && name.chars().all(|it| it.is_alphanumeric() || "-_.".contains(it));
    is_name && is_secret_name(name, "=")
}

/// `NAME=value`, `name: value` and `"name": "value"`, where the name tells that the value is
/// secret.
fn mask_values(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':']) {
        let (head, tail) = rest.split_at(at);
        let (sign, behind) = tail.split_at(if tail.starts_with("=>") { 2 } else { 1 });
        out.push_str(head);
        out.push_str(sign);
        rest = behind;
        let name = name_before(head);
        if !is_secret_name(name, sign) {
            continue;
        }
        let value = behind.trim_start();
        let blanks = &behind[..behind.len() - value.len()];
        // `env` prints a name, a value and nothing else in a line.
        let begins_line = name.len() + sign.len() + behind.len() == text.trim_start().len();
        let is_assigned = sign == "=" && blanks.is_empty();
        let is_quoted = value.starts_with(['"', '\'', '\\']);
        let length = if is_assigned && begins_line {
            value.len()
        } else if is_assigned && !is_quoted && !name.contains(char::is_lowercase) {
            // As a shell reads it.
            value.find(char::is_whitespace).unwrap_or(value.len())
        } else {
            value_length(value)
        };
        if length > 0 {
            out.push_str(blanks);
            out.push_str(MASK);
            rest = &value[length..];
        }
    }
    out + rest
}

/// The name at the end of a text, without its quotes.
fn name_before(head: &str) -> &str {
    let head = head.trim_end_matches(['"', '\'', '\\', ' ']);
    let before = head.trim_end_matches(|c: char| c.is_alphanumeric() || "_-.".contains(c));
    &head[before.len()..]
}

fn is_secret_name(name: &str, sign: &str) -> bool {
    let upper = name.to_uppercase();
    // "unknown key: colour" tells no secret.
    let is_plain_word = sign == ":" && matches!(upper.as_str(), "KEY" | "TOKEN" | "SECRET");
    !is_plain_word && NAMES.iter().any(|it| upper.contains(it))
}

/// How long a value is: to the closing quote, or to what cannot belong to it.
fn value_length(value: &str) -> usize {
    // JSON within JSON has its quotes escaped.
    for quote in ["\\\"", "\"", "'"] {
        if let Some(rest) = value.strip_prefix(quote) {
            let mut ends = rest.match_indices(quote).map(|(end, _)| end);
            // In a text in quotes, `\"` is no end.
            let end = ends.find(|end| quote != "\"" || !is_escaped(&rest[..*end]));
            return end.map_or(value.len(), |end| end + 2 * quote.len());
        }
    }
    value.find(|c: char| c.is_whitespace() || ",;&\"'}])".contains(c)).unwrap_or(value.len())
}

/// Whether what follows a text is escaped by a backslash at its end.
fn is_escaped(text: &str) -> bool {
    let backslashes = text.len() - text.trim_end_matches('\\').len();
    !backslashes.is_multiple_of(2)
}

/// What stands behind `Bearer` or `Basic`, and JSON web tokens.
fn mask_credentials(text: &str) -> String {
    let mut out = text.to_owned();
    for scheme in SCHEMES {
        let mut from = 0;
        while let Some(at) = find_ignoring_case(&out[from..], scheme) {
            let start = from + at + scheme.len();
            let length = value_length(&out[start..]);
            from = start;
            if length >= MIN_CREDENTIAL_BYTES {
                out.replace_range(start..start + length, MASK);
                from = start + MASK.len();
            }
        }
    }
    let is_token = |word: &str| word.starts_with("eyJ") && word.matches('.').count() == 2;
    let tokens: Vec<String> = out
        .split(|it: char| it.is_whitespace() || "\"',;=()".contains(it))
        .filter(|it| is_token(it))
        .map(str::to_owned)
        .collect();
    tokens.iter().fold(out, |out, token| out.replace(token.as_str(), MASK))
}

fn find_ignoring_case(text: &str, word: &str) -> Option<usize> {
    text.to_ascii_lowercase().find(word)
}

/// The password of `scheme://name:password@host`.
fn mask_addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let authority = tail
            .find(|it: char| it.is_whitespace() || "/?#\"'".contains(it))
            .map_or(tail, |end| &tail[..end]);
        rest = tail;
        let Some((user, host)) = authority.rsplit_once('@') else { continue };
        let name = user.split_once(':').map_or("", |(name, _)| name);
        out.push_str(name);
        out.push_str(if user.contains(':') { ":" } else { "" });
        out.push_str(MASK);
        out.push('@');
        out.push_str(host);
        rest = &tail[authority.len()..];
    }
    out + rest
}

#[cfg(test)]
mod tests;
