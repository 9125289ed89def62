//! The rows of the table.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

const TABLE: &str = include_str!("table.yaml");

/// A kubeconfig, and what comes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Row {
    pub(super) name: String,
    /// The content of the cluster, the user or the context, where it is not the usual one.
    pub(super) cluster: Option<String>,
    pub(super) user: Option<String>,
    pub(super) context: Option<String>,
    #[serde(default = "lab")]
    pub(super) current: String,
    /// Lines at the end.
    #[serde(default)]
    pub(super) more: String,
    /// All of it.
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) form: Form,
    /// Further files beside it, and files of [`Pki`] that are copied there.
    #[serde(default)]
    pub(super) files: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) copies: Vec<String>,
    /// Links beside it, and where they lead.
    #[serde(default)]
    pub(super) links: BTreeMap<String, String>,
    /// Whether it lies at `~/.kube/config`, too.
    #[serde(default)]
    pub(super) home: bool,
    #[serde(default)]
    pub(super) in_cluster: bool,
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) args: Vec<String>,
    /// Whether kubectl is to ask with the path of the server's address, which `--raw` leaves out.
    #[serde(default)]
    pub(super) path: bool,
    /// The user that the API server sees.
    pub(super) connects: Option<String>,
    /// What stsgrade says.
    pub(super) refused: Option<String>,
    pub(super) differs: Option<Differs>,
}

/// Where kubectl connects, and stsgrade does not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Differs {
    /// The user that the API server sees by kubectl.
    pub(super) kubectl: String,
    pub(super) why: String,
}

fn lab() -> String {
    "lab".to_owned()
}

/// How the file is written.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Form {
    #[default]
    Plain,
    /// Neither with `kind` nor with `apiVersion`.
    Untyped,
    Json,
    Crlf,
    Bom,
    #[serde(rename = "utf-16")]
    Utf16,
    #[serde(rename = "latin-1")]
    Latin1,
}

impl Form {
    pub(super) fn write(self, text: String) -> Vec<u8> {
        match self {
            Self::Plain => text.into_bytes(),
            Self::Untyped => text.replace("apiVersion: v1\nkind: Config\n", "").into_bytes(),
            Self::Json => {
                let value: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
                serde_json::to_vec_pretty(&value).unwrap()
            }
            Self::Crlf => text.replace('\n', "\r\n").into_bytes(),
            Self::Bom => format!("\u{feff}{text}").into_bytes(),
            Self::Utf16 => {
                format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
            }
            Self::Latin1 => [text.as_bytes(), b"# \xe9t\xe9\n"].concat(),
        }
    }
}

impl Row {
    pub(super) fn text(&self) -> String {
        if let Some(text) = &self.text {
            return text.clone();
        }
        let content = |own: &Option<String>, usual: &str| {
            own.as_deref().unwrap_or(usual).trim_end().replace('\n', "\n    ")
        };
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {}\ncontexts:\n- name: lab\n  \
            context:\n    {}\nclusters:\n- name: lab\n  cluster:\n    {}\nusers:\n\
            - name: student\n  user:\n    {}\n{}",
            self.current,
            content(&self.context, "cluster: lab\nuser: student"),
            content(&self.cluster, "server: <server>\ncertificate-authority-data: <b64 ca.pem>"),
            content(&self.user, "token: <student>"),
            self.more
        )
    }
}

pub(super) fn table() -> Vec<Row> {
    serde_saphyr::from_str(TABLE).unwrap()
}

/// Catches a row that says nothing, or the same as another.
#[test]
fn each_row_says_what_comes_of_it() {
    let rows = table();
    assert!(rows.len() >= 40, "there are {} rows", rows.len());
    let names: BTreeSet<&str> = rows.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names.len(), rows.len());
    for row in &rows {
        assert_eq!(row.connects.is_none(), row.refused.is_some(), "{}", row.name);
        if let Some(differs) = &row.differs {
            assert!(row.refused.is_some() && !differs.why.is_empty(), "{}", row.name);
        }
    }
}
