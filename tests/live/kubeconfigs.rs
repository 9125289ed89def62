//! kubectl and stsgrade take the same kubeconfigs, and refuse the same: a table of them
//! (kubeconfigs/table.yaml) is tried with both against the real API server.
//!
//! Nobody in the table may do anything. So a connection that comes about ends with the API server's
//! refusal, which names the user who was seen: whoever the credentials are of, not only whether
//! there is an answer.

mod pki;
mod renewal;
mod row;
mod servers;

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Stdio,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::StreamExt as _;
use k8s_openapi::{
    api::{
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::{Namespace, ServiceAccount},
        rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject},
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Api, Resource as _,
    api::{ObjectMeta, PostParams},
    config::Kubeconfig,
};
use tokio::process::Command;

use crate::{
    kubeconfigs::{
        pki::Pki,
        row::{Row, table},
        servers::Servers,
    },
    lab::{Lab, Ran, done},
};

const NAMESPACE: &str = "live-kubeconfigs";
/// Both tools wait for the server most of the time.
const AT_ONCE: usize = 4;
/// What stands in plugins' arguments, passwords and keys, and must never be shown.
const SECRETS: [&str; 3] = ["hunter2", "12345678", "PRIVATE KEY"];
/// Runs a command where a service account is mounted, as in a pod; the mounts go with it.
const IN_POD: &str = "mount --make-rprivate / && mount -t tmpfs tmpfs /run \
    && mkdir -p /run/secrets/kubernetes.io \
    && cp -r account /run/secrets/kubernetes.io/serviceaccount && exec \"$@\"";

/// What both tools are given.
struct Setup {
    kubectl: PathBuf,
    folder: tempfile::TempDir,
    api: SocketAddr,
    pki: Pki,
    servers: Servers,
    /// Tokens of two service accounts.
    student: String,
    other: String,
}

impl Setup {
    async fn new(lab: &Lab) -> Self {
        let mut admin = Kubeconfig::read().unwrap();
        let cluster = admin.clusters.remove(0).cluster.unwrap();
        let server: http::Uri = cluster.server.unwrap().parse().unwrap();
        let api = server.authority().unwrap().as_str().parse().unwrap();
        let authority = cluster.certificate_authority_data.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let owner = owner(lab).await;
        let pki = folder.path().join("pki");
        fs::create_dir(&pki).unwrap();
        let (pki, kubectl, student, other, ()) = tokio::join!(
            Pki::make(&pki, &lab.client, api, &authority, &owner),
            kubectl(),
            token(lab, "student"),
            token(lab, "other"),
            let_impersonate(lab, &owner),
        );
        Self { kubectl, folder, api, pki, servers: Servers::start(api).await, student, other }
    }

    /// What stands in angle brackets.
    fn word(&self, word: &str, dir: &Path) -> Option<String> {
        let base64 = |names| STANDARD.encode(self.pki.files(names));
        let text = |names| String::from_utf8(self.pki.files(names)).unwrap();
        let port = match word.strip_prefix("port ") {
            None => self.api.port(),
            Some("v6") => self.servers.v6.unwrap(),
            Some("http") => self.servers.http,
            Some("proxy") => self.servers.proxy,
            Some("proxy account") => self.servers.proxy_account,
            Some("socks") => self.servers.socks,
            Some("socks account") => self.servers.socks_account,
            Some(other) => panic!("no port {other}"),
        };
        let (verb, names) = word.split_once(' ').unwrap_or((word, ""));
        Some(match verb {
            "dir" => dir.display().to_string(),
            "pki" => self.folder.path().join("pki").display().to_string(),
            "server" => format!("https://{}", self.api),
            "host" => self.api.ip().to_string(),
            "port" => port.to_string(),
            "student" => self.student.clone(),
            "other" => self.other.clone(),
            "b64" => base64(names),
            "lines" => lines(&base64(names)),
            "pem" => text(names),
            "escaped" => text(names).replace('\n', "\\n"),
            _ => return None,
        })
    }

    /// A text with its words filled in; lines of one keep its indentation.
    fn fill(&self, text: &str, dir: &Path) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            filled.push_str(before);
            let word = after.split_once('>').and_then(|it| Some((self.word(it.0, dir)?, it.1)));
            match word {
                Some((value, behind)) => {
                    let line = filled.rsplit('\n').next().unwrap_or_default();
                    let indent: String = line.chars().take_while(|it| *it == ' ').collect();
                    let value = value.trim_end().replace('\n', &format!("\n{indent}"));
                    filled.push_str(&value);
                    rest = behind;
                }
                None => {
                    filled.push('<');
                    rest = after;
                }
            }
        }
        filled + rest
    }

    /// Writes a row's files into a folder of its own.
    fn write(&self, row: &Row, dir: &Path) {
        fs::create_dir_all(dir.join("home/.kube")).unwrap();
        let config = row.form.write(self.fill(&row.text(), dir));
        fs::write(dir.join("config"), &config).unwrap();
        if row.home {
            fs::write(dir.join("home/.kube/config"), &config).unwrap();
        }
        for (name, text) in &row.files {
            let path = dir.join(name);
            fs::write(&path, self.fill(text, dir)).unwrap();
            if text.starts_with("#!") {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        for (name, target) in &row.links {
            symlink(target, dir.join(name)).unwrap();
        }
        for name in &row.copies {
            fs::write(dir.join(name), self.pki.file(name)).unwrap();
        }
        if row.in_cluster {
            let account = dir.join("account");
            fs::create_dir(&account).unwrap();
            fs::write(account.join("token"), &self.student).unwrap();
            fs::write(account.join("ca.crt"), self.pki.file("ca.pem")).unwrap();
            fs::write(account.join("namespace"), NAMESPACE).unwrap();
        }
    }

    /// Runs one of the two with a row's files and environment, and nothing else.
    async fn run(&self, row: &Row, dir: &Path, tool: &Path, verb: &[&str]) -> Ran {
        let mut command = if row.in_cluster {
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", IN_POD, "sh"]).arg(tool);
            command
        } else {
            Command::new(tool)
        };
        command.args(verb).args(row.args.iter().map(|it| self.fill(it, dir)));
        command.current_dir(dir).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", dir.join("home")).env("KUBECONFIG", dir.join("config"));
        if row.in_cluster {
            command.env("KUBERNETES_SERVICE_HOST", self.api.ip().to_string());
            command.env("KUBERNETES_SERVICE_PORT", self.api.port().to_string());
        }
        done(command.envs(row.env.iter().map(|(name, value)| (name, self.fill(value, dir))))).await
    }

    /// What is wrong with a row.
    async fn check(&self, number: usize, row: &Row) -> Result<(), String> {
        let dir = self.folder.path().join(format!("row-{number}"));
        self.write(row, &dir);
        let raw = format!("/api/v1/namespaces/{NAMESPACE}/pods");
        let stsgrade = Path::new(env!("CARGO_BIN_EXE_stsgrade"));
        let get: &[&str] =
            if row.path { &["auth", "can-i", "get", "/version"] } else { &["get", "--raw", &raw] };
        let restore = ["restore", "-n", NAMESPACE];
        let (kubectl, stsgrade) = tokio::join!(
            self.run(row, &dir, &self.kubectl, get),
            self.run(row, &dir, stsgrade, &restore),
        );
        println!("{}\n  kubectl: {}\n{}", row.name, kubectl.err.trim(), stsgrade.err);
        let told = |what: &str| {
            Err(format!(
                "{}: {what}\nkubectl: {}\nstsgrade: {}",
                row.name,
                kubectl.told(),
                stsgrade.told()
            ))
        };
        let wanted = row.differs.as_ref().map(|it| &it.kubectl).or(row.connects.as_ref());
        if user(&kubectl).as_ref() != wanted {
            return told(&format!("kubectl is seen as {:?}", user(&kubectl)));
        }
        if user(&stsgrade) != row.connects {
            return told(&format!("stsgrade is seen as {:?}", user(&stsgrade)));
        }
        let secrets = SECRETS.into_iter().chain([self.student.as_str(), self.other.as_str()]);
        if let Some(shown) = secrets.into_iter().find(|it| stsgrade.says(it)) {
            return told(&format!("the secret {shown} is shown"));
        }
        let refused = row.refused.as_ref().map(|it| self.fill(it, &dir));
        match refused {
            Some(words) if !is_refusal(&stsgrade, &words) => told(&format!("it is not: {words}")),
            _ => Ok(()),
        }
    }
}

/// Base64 in lines, as the command `base64` writes it.
fn lines(text: &str) -> String {
    let lines = text.as_bytes().chunks(76).map(|it| std::str::from_utf8(it).unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// The user that the API server refuses.
fn user(ran: &Ran) -> Option<String> {
    let (_, after) = ran.err.split_once("User \"")?;
    let (name, _) = after.split_once('"')?;
    let account = format!("system:serviceaccount:{NAMESPACE}:");
    Some(name.strip_prefix(&account).unwrap_or(name).to_owned())
}

/// Whether it says what failed, why, and what to do, in such words.
fn is_refusal(ran: &Ran, words: &str) -> bool {
    let mut lines = ran.err.lines();
    let what = lines.next().unwrap_or_default();
    let next = lines.next_back().unwrap_or_default();
    ran.status == 4
        && what.starts_with("error: ")
        && lines.all(|it| it.starts_with("  "))
        && next.starts_with("next:  ")
        && next.ends_with('.')
        && !ran.says("panicked")
        && ran.err.contains(words)
}

/// kubectl as upstream builds it; the path of another one by `STSGRADE_KUBECTL`.
async fn kubectl() -> PathBuf {
    if let Some(path) = std::env::var_os("STSGRADE_KUBECTL") {
        return path.into();
    }
    let built =
        done(Command::new("tests/cluster/kubectl/build").current_dir(env!("CARGO_MANIFEST_DIR")))
            .await;
    assert_eq!(built.status, 0, "{}", built.told());
    built.out.trim().into()
}

/// The namespace, with which everything goes that it owns.
async fn owner(lab: &Lab) -> OwnerReference {
    let namespaces: Api<Namespace> = Api::all(lab.client.clone());
    namespaces.get(NAMESPACE).await.unwrap().owner_ref(&()).unwrap()
}

/// A token of a new service account.
async fn token(lab: &Lab, name: &str) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(lab.client.clone(), NAMESPACE);
    let account = ServiceAccount {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        ..ServiceAccount::default()
    };
    accounts.create(&PostParams::default(), &account).await.unwrap();
    let request =
        TokenRequest { spec: Some(TokenRequestSpec::default()), ..TokenRequest::default() };
    let made = accounts.create_token_request(name, &PostParams::default(), &request).await.unwrap();
    made.status.unwrap().token.unwrap()
}

/// Lets the user `by-ed25519` be anybody.
async fn let_impersonate(lab: &Lab, owner: &OwnerReference) {
    let metadata = ObjectMeta {
        name: Some(NAMESPACE.to_owned()),
        owner_references: Some(vec![owner.clone()]),
        ..ObjectMeta::default()
    };
    let rule = PolicyRule {
        api_groups: Some(vec!["*".to_owned()]),
        resources: Some(vec!["*".to_owned()]),
        verbs: vec!["impersonate".to_owned()],
        ..PolicyRule::default()
    };
    let role = ClusterRole {
        metadata: metadata.clone(),
        rules: Some(vec![rule]),
        ..ClusterRole::default()
    };
    let group = "rbac.authorization.k8s.io".to_owned();
    let binding = ClusterRoleBinding {
        metadata,
        role_ref: RoleRef {
            api_group: Some(group.clone()),
            kind: "ClusterRole".to_owned(),
            name: NAMESPACE.to_owned(),
        },
        subjects: Some(vec![Subject {
            api_group: Some(group),
            kind: "User".to_owned(),
            name: "by-ed25519".to_owned(),
            namespace: None,
        }]),
    };
    let roles: Api<ClusterRole> = Api::all(lab.client.clone());
    let bindings: Api<ClusterRoleBinding> = Api::all(lab.client.clone());
    roles.create(&PostParams::default(), &role).await.unwrap();
    bindings.create(&PostParams::default(), &binding).await.unwrap();
}

/// Catches a kubeconfig that kubectl takes and stsgrade does not, or the other way round, and one
/// by which stsgrade is another user; a refusal that does not say what to do; a secret that is
/// shown.
#[tokio::test]
async fn kubectl_and_stsgrade_take_the_same_kubeconfigs() {
    Lab::run(NAMESPACE, async |lab| {
        let setup = Setup::new(lab).await;
        let mut rows = table();
        if setup.servers.v6.is_none() {
            println!("this machine has no IPv6");
            rows.retain(|it| it.name != "IPv6");
        }
        let of_rows = futures::stream::iter(rows.iter().enumerate())
            .map(|(number, row)| setup.check(number, row))
            .buffer_unordered(AT_ONCE)
            .filter_map(async |it| it.err())
            .collect();
        let (mut wrong, renewed): (Vec<String>, _) =
            tokio::join!(of_rows, renewal::a_certificate_is_renewed(&setup));
        wrong.extend(renewed.err());
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    })
    .await;
}
