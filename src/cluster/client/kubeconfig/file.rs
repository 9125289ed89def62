//! One kubeconfig file, read as client-go reads it.
//!
//! kube's own reader differs: it reads YAML 1.2, joins the documents of a file, takes the first of
//! two entries with the same name, refuses a key that is there twice, and changes a token that is a
//! number.

use std::{
    fs, io,
    path::{self, Component, Path, PathBuf},
};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use kube::config::{AuthInfo, Cluster, Kubeconfig};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::cluster::{Failure, client::failure_id};
use crate::console::sanitize::sanitize;
use crate::submission;

/// Why there is nothing of a file.
#[derive(Debug)]
pub(super) enum FileError {
    /// There is no such file.
    Missing,
    /// It cannot be used.
    Unusable(Failure),
}

/// A list of a kubeconfig.
struct Section {
    /// Its field.
    list: &'static str,
    /// The field of an entry that holds its content.
    content: &'static str,
    /// What an entry is called.
    entry: &'static str,
}

const CONTEXTS: Section = Section { list: "contexts", content: "context", entry: "context" };
const CLUSTERS: Section = Section { list: "clusters", content: "cluster", entry: "cluster" };
const USERS: Section = Section { list: "users", content: "user", entry: "user" };

/// The fields of an entry that must hold text: a number or a boolean is refused.
const TEXTS: [&str; 18] = [
    "as",
    "as-uid",
    "certificate-authority",
    "certificate-authority-data",
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "cluster",
    "namespace",
    "password",
    "proxy-url",
    "server",
    "tls-server-name",
    "token",
    "tokenFile",
    "user",
    "username",
];

/// Reads one file. Relative paths begin at its folder, base64 is joined to one line, and what is
/// empty counts as unset.
pub(super) fn read(path: &Path) -> Result<Kubeconfig, FileError> {
    let name = sanitize(&path.display().to_string());
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(FileError::Missing),
        Err(error) => {
            let next = "Name a file that can be read by KUBECONFIG or `--kubeconfig`.";
            let what = format!("cannot read the kubeconfig {name}: {error}");
            return Err(FileError::Unusable(Failure::new(failure_id::BAD_KUBECONFIG, what, next)));
        }
    };
    // It has a folder, and there is a present one: the file was read.
    let whole = path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = whole.parent().unwrap_or(Path::new(""));
    document(&bytes).and_then(|it| of_document(it, folder)).map_err(|why| {
        FileError::Unusable(Failure::new(
            failure_id::BAD_KUBECONFIG,
            format!("the kubeconfig {name} cannot be used: {why}"),
            "Mend it there, or get a new one from whoever runs the cluster.",
        ))
    })
}

/// The first document of a file.
fn document(bytes: &[u8]) -> Result<Value, String> {
    let is_utf16 = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    let text = submission::decode(bytes)
        .filter(|it| !it.contains('\0') && (is_utf16 || std::str::from_utf8(bytes).is_ok()))
        .ok_or("it is no text in UTF-8")?;
    // YAML forbids the tabs that JSON may hold.
    if let Ok(value) = serde_json::from_str(&text) {
        return Ok(value);
    }
    let documents = submission::go_yaml::documents(&text)
        .map_err(|fault| format!("line {}: {}", fault.line, sanitize(&fault.why)))?;
    let first = documents.into_iter().next().filter(|it| it.number == 1);
    Ok(first.map_or(Value::Null, |it| it.value))
}

fn of_document(document: Value, folder: &Path) -> Result<Kubeconfig, String> {
    let mut top = match document {
        Value::Null => return Ok(Kubeconfig::default()),
        Value::Object(top) => top,
        _ => return Err("it holds no `clusters`, `users` and `contexts`".to_owned()),
    };
    for (field, only) in [("kind", "Config"), ("apiVersion", "v1")] {
        let is = text_of(&top, field)?.unwrap_or_else(|| only.to_owned());
        if is != only {
            return Err(format!("its {field} is {}, not {only}", sanitize(&is)));
        }
    }
    let mut file = Kubeconfig {
        current_context: text_of(&top, "current-context")?,
        contexts: entries(&mut top, &CONTEXTS)?,
        clusters: entries(&mut top, &CLUSTERS)?,
        auth_infos: entries(&mut top, &USERS)?,
        ..Kubeconfig::default()
    };
    for named in &mut file.clusters {
        let of = |field: &str| format!("{field} of the cluster {}", sanitize(&named.name));
        if let Some(cluster) = &mut named.cluster {
            normalise_cluster(cluster, folder, &of)?;
        }
    }
    for named in &mut file.auth_infos {
        let of = |field: &str| format!("{field} of the user {}", sanitize(&named.name));
        if let Some(user) = &mut named.auth_info {
            normalise_user(user, folder, &of)?;
        }
    }
    Ok(file)
}

/// A text that is not empty.
fn text_of(top: &Map<String, Value>, field: &str) -> Result<Option<String>, String> {
    match top.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|it| !it.is_empty())),
        Some(_) => Err(format!("its {field} is no text: put it in quotes")),
    }
}

fn entries<T: DeserializeOwned>(
    top: &mut Map<String, Value>,
    section: &Section,
) -> Result<Vec<T>, String> {
    let Section { list, content, entry } = section;
    let items = match top.remove(*list) {
        None | Some(Value::Null) => return Ok(vec![]),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(format!("its `{list}` are no list")),
    };
    let mut names: Vec<String> = vec![];
    let mut entries = vec![];
    for item in items.into_iter().filter(|it| !it.is_null()) {
        let Value::Object(mut item) = without_nulls(item) else {
            return Err(format!("an entry of its `{list}` has no `name` and no `{content}`"));
        };
        let name = text_of(&item, "name")?.unwrap_or_default();
        let shown = sanitize(&name);
        if names.contains(&name) {
            return Err(format!("there are two entries with the name {shown} in its `{list}`"));
        }
        item.insert("name".to_owned(), name.clone().into());
        names.push(name);
        if let Some(Value::Object(content)) = item.get_mut(*content) {
            normalise_content(content).map_err(|why| format!("{why} (of the {entry} {shown})"))?;
            if *entry == CONTEXTS.entry {
                // kube reads no context without one.
                content.entry("cluster").or_insert_with(|| "".into());
            }
        }
        entries.push(
            serde_json::from_value(Value::Object(item))
                .map_err(|error| format!("the {entry} {shown}: {}", without_value(&error)))?,
        );
    }
    Ok(entries)
}

/// A field with the value null counts as unset.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let set = map.into_iter().filter(|(_, it)| !it.is_null());
            Value::Object(set.map(|(key, it)| (key, without_nulls(it))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// Removes empty texts, which count as unset, and extensions that kube could not read.
fn normalise_content(content: &mut Map<String, Value>) -> Result<(), String> {
    for field in TEXTS {
        match content.get(field) {
            None => {}
            Some(Value::String(text)) if text.is_empty() => drop(content.remove(field)),
            Some(Value::String(_)) => {}
            Some(_) => return Err(format!("`{field}` is no text: put it in quotes")),
        }
    }
    if let Some(exec) = content.get_mut("exec").and_then(Value::as_object_mut)
        && exec.get("interactiveMode").is_some_and(|mode| mode == "")
    {
        exec.remove("interactiveMode");
    }
    if let Some(Value::Array(extensions)) = content.get_mut("extensions") {
        let has_name = |extension: &Value| extension.get("name").is_some_and(Value::is_string);
        extensions.retain(|extension| has_name(extension) && extension.get("extension").is_some());
    }
    Ok(())
}

/// What serde says of a value that does not fit, without the value: it may be a secret.
fn without_value(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let Some((before, rest)) = words.split_once(['`', '"']) else { return sanitize(&words) };
    match (before.starts_with("invalid"), rest.rsplit_once(", expected ")) {
        (true, Some((_, expected))) => {
            format!("{}, expected {}", before.trim_end(), sanitize(expected))
        }
        (true, None) => before.trim_end().to_owned(),
        (false, _) => sanitize(&words),
    }
}

fn normalise_cluster(
    cluster: &mut Cluster,
    folder: &Path,
    of: &impl Fn(&str) -> String,
) -> Result<(), String> {
    let data = &mut cluster.certificate_authority_data;
    *data = decoded(data.as_deref(), || of("certificate-authority-data"))?;
    resolve(&mut cluster.certificate_authority, folder);
    Ok(())
}

fn normalise_user(
    user: &mut AuthInfo,
    folder: &Path,
    of: &impl Fn(&str) -> String,
) -> Result<(), String> {
    let data = &mut user.client_certificate_data;
    *data = decoded(data.as_deref(), || of("client-certificate-data"))?;
    let key = user.client_key_data.as_ref().map(|it| it.expose_secret());
    user.client_key_data = decoded(key, || of("client-key-data"))?.map(SecretString::from);
    for path in [&mut user.client_certificate, &mut user.client_key, &mut user.token_file] {
        resolve(path, folder);
    }
    // A bare name is looked for in PATH.
    if let Some(exec) = &mut user.exec
        && exec.command.as_ref().is_some_and(|it| it.contains(path::MAIN_SEPARATOR))
    {
        resolve(&mut exec.command, folder);
    }
    Ok(())
}

/// A relative path of a kubeconfig begins at the folder of its file.
fn resolve(path: &mut Option<String>, folder: &Path) {
    if let Some(path) = path.as_mut().filter(|it| Path::new(it.as_str()).is_relative()) {
        *path = clean_path(&folder.join(&path)).display().to_string();
    }
}

/// The path without `.` and `..`, by its text alone, as Go's `filepath.Clean` makes it: `..` behind
/// a link is the folder in which the link stands, not the one where its target does.
fn clean_path(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match (component, clean.components().next_back()) {
            (Component::CurDir, _)
            | (Component::ParentDir, Some(Component::RootDir | Component::Prefix(_))) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                clean.pop();
            }
            _ => clean.push(component),
        }
    }
    clean
}

/// Base64 as Go reads it, in one line: line breaks are left out, blanks are a mistake, and padding
/// must be there.
fn decoded(data: Option<&str>, what: impl Fn() -> String) -> Result<Option<String>, String> {
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let Some(data) = data else { return Ok(None) };
    if data.contains("-----BEGIN ") {
        return Err(format!("{} is a certificate or key itself: write it in base64", what()));
    }
    let line = data.replace(['\r', '\n'], "");
    match GeneralPurpose::new(&alphabet::STANDARD, CONFIG).decode(line) {
        Ok(bytes) => Ok(Some(STANDARD.encode(bytes)).filter(|it| !it.is_empty())),
        Err(_) => Err(format!("{} is not base64", what())),
    }
}
