use std::{fs, path::PathBuf};

use kube::config::Kubeconfig;
use secrecy::ExposeSecret as _;

use crate::cluster::Failure;
use crate::cluster::client::kubeconfig::{
    configuration, goes_direct, has_p521_key, read_file, read_list, with_scheme,
    without_credentials,
};

/// A kubeconfig whose cluster and user hold these further lines.
fn kubeconfig(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: lab\ncontexts:\n- name: lab\n  context: {{cluster: lab, user: student}}\n\
         clusters:\n- name: lab\n  cluster:\n{cluster}users:\n- name: student\n  user:\n{user}"
    )
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

async fn connects_to(text: &str) -> Result<String, Failure> {
    let folder = folder(&[("config", text)]);
    configuration(Some(&folder.path().join("config")), None)
        .await
        .map(|(config, _)| config.cluster_url.to_string())
}

fn list(folder: &tempfile::TempDir, names: &[&str]) -> Result<Kubeconfig, Failure> {
    read_list(names.iter().map(|it| folder.path().join(it)).collect::<Vec<PathBuf>>())
}

/// Catches a list in KUBECONFIG that is not read because one of its files is missing, and a first
/// file without a context that hides the others'.
#[test]
fn files_of_a_list_may_be_missing_or_name_no_context() {
    let one = kubeconfig("    server: https://one\n", "    token: t\n");
    let folder =
        folder(&[("empty", ""), ("none", "kind: Config\ncurrent-context: \"\"\n"), ("one", &one)]);
    let merged = list(&folder, &["missing", "empty", "none", "one"]).unwrap();
    assert_eq!(merged.current_context.as_deref(), Some("lab"));
    assert_eq!(merged.clusters.len(), 1);
    let failure = list(&folder, &["missing", "gone"]).unwrap_err();
    assert_eq!(failure.id, "no_kubeconfig");
    assert!(failure.what.contains("/missing, ") && failure.what.ends_with("/gone"), "{failure:?}");
    assert_eq!(list(&folder, &["none"]).unwrap().current_context, None);
}

/// Catches an empty current context that is looked for by its empty name.
#[tokio::test]
async fn an_empty_current_context_is_none() {
    let text = kubeconfig("    server: https://one\n", "    token: t\n")
        .replace("current-context: lab", "current-context: ''");
    let failure = connects_to(&text).await.unwrap_err();
    assert_eq!(
        (failure.id, failure.what.as_str()),
        ("no_context", "the kubeconfig names no current context")
    );
}

/// Catches certificates and keys that are refused because their base64 has line breaks, and empty
/// fields that count as set.
#[test]
fn base64_may_have_line_breaks_and_empty_fields_are_unset() {
    let cluster = "    server: https://one\n    certificate-authority: ''\n    \
        certificate-authority-data: |\n      QUJD\n      REVG\n    proxy-url: ''\n";
    let user = "    client-certificate-data: >\n      QUJD\n      REVG\n    client-key-data: \
        \"QUJD\\\n      REVG\"\n    token: ''\n    client-key: ''\n";
    let folder = folder(&[
        ("config", &kubeconfig(cluster, user)),
        (
            "tagged",
            &kubeconfig(
                &cluster.replace(
                    "|\n      QUJD\n      REVG",
                    "!!binary |\n      LS0tLS1CRUdJ\n      TiAK",
                ),
                user,
            ),
        ),
    ]);
    let read = read_file(&folder.path().join("config")).unwrap();
    let cluster = read.clusters[0].cluster.as_ref().unwrap();
    assert_eq!(cluster.certificate_authority_data.as_deref(), Some("QUJDREVG"));
    assert_eq!((cluster.certificate_authority.as_ref(), cluster.proxy_url.as_ref()), (None, None));
    let user = read.auth_infos[0].auth_info.as_ref().unwrap();
    assert_eq!(user.client_certificate_data.as_deref(), Some("QUJDREVG"));
    assert_eq!(user.client_key_data.as_ref().map(|it| it.expose_secret()), Some("QUJDREVG"));
    assert!(user.token.is_none() && user.client_key.is_none());
    let tagged = read_file(&folder.path().join("tagged")).unwrap();
    assert_eq!(
        tagged.clusters[0].cluster.as_ref().unwrap().certificate_authority_data.as_deref(),
        Some("LS0tLS1CRUdJTiAK")
    );
}

/// Catches a server without a scheme, by which kube panics.
#[tokio::test]
async fn a_server_without_a_scheme_gets_kubectl_s() {
    let plain = |server: &str| kubeconfig(&format!("    server: \"{server}\"\n"), "    token: t\n");
    assert_eq!(connects_to(&plain("127.0.0.1:1")).await.unwrap(), "http://127.0.0.1:1/");
    assert_eq!(connects_to(&plain("cluster.example")).await.unwrap(), "http://cluster.example/");
    assert_eq!(connects_to(&plain("[::1]:6443")).await.unwrap(), "http://[::1]:6443/");
    assert_eq!(
        connects_to(&plain("https://one/k8s/clusters/c-1")).await.unwrap(),
        "https://one/k8s/clusters/c-1"
    );
    let insecure =
        kubeconfig("    server: one:6443\n    insecure-skip-tls-verify: true\n", "    token: t\n");
    assert_eq!(connects_to(&insecure).await.unwrap(), "https://one:6443/");
    for server in
        ["tcp://one:6443", "https://", "https://one two", "/var/run/sock", "unix:///var/run/sock"]
    {
        let failure = connects_to(&plain(server)).await.unwrap_err();
        assert_eq!(
            (failure.id, failure.next.as_str()),
            ("bad_kubeconfig", "Write it as `server: https://HOST:PORT`."),
            "{server}"
        );
        assert!(
            failure.what.starts_with("the kubeconfig's cluster lab has no usable server: "),
            "{failure:?}"
        );
    }
    let failure = connects_to(&plain("")).await.unwrap_err();
    assert_eq!(failure.id, "bad_kubeconfig");
}

/// Catches a password that is printed with the server's address.
#[test]
fn an_address_is_shown_without_its_credentials() {
    assert_eq!(without_credentials("https://me:secret@one:6443/path@x"), "https://one:6443/path@x");
    assert_eq!(without_credentials("me:secret@one"), "one");
    assert_eq!(without_credentials("https://one:6443"), "https://one:6443");
}

/// Catches a cluster on this machine that is asked through a company's proxy.
#[test]
fn what_needs_no_proxy_is_asked_without_one() {
    for (host, exceptions) in [
        ("127.0.0.1", ""),
        ("localhost", ""),
        ("[::1]", ""),
        ("192.168.49.2", "localhost, 192.168.0.0/16"),
        ("192.168.49.2", "192.168.49.2"),
        ("api.lab.example", ".example"),
        ("api.lab.example", "lab.example"),
        ("api.lab.example", "*.lab.example"),
        ("10.0.0.1", "*"),
    ] {
        assert!(goes_direct(host, exceptions), "{host} {exceptions}");
    }
    for (host, exceptions) in [
        ("10.0.0.1", "192.168.0.0/16"),
        ("notlab.example", "lab.example"),
        ("10.0.0.1", "0.1,.1"),
        ("10.0.0.1", "10.0.0.0/99"),
    ] {
        assert!(!goes_direct(host, exceptions), "{host} {exceptions}");
    }
    assert_eq!(with_scheme("proxy:3128".parse().unwrap()).to_string(), "http://proxy:3128/");
    assert_eq!(
        with_scheme("socks5://proxy:1080".parse().unwrap()).to_string(),
        "socks5://proxy:1080/"
    );
}

/// Catches a P-521 key of which only the TLS library's own words are told.
#[tokio::test]
async fn a_key_on_p521_is_known_as_one() {
    // `openssl ecparam -name secp521r1 -genkey -noout`, and the same with prime256v1: made for this
    // test alone.
    const P521: &str = "-----BEGIN EC PRIVATE KEY-----\n\
        MIHcAgEBBEIBY0P3cGs9JHTs6tw9t+ZZpO8xQUlsacbJpYtaLD80m6RURXG2grNl\n\
        T7LuT47m90yF4e3Bx7Sj/8CtUAeBh3teGuKgBwYFK4EEACOhgYkDgYYABAHkVAut\n\
        dK7cTF2zV4IbFJ1QYgCzUWtAiTQRtH/ke0Fyu8bc/3x0z8xyytPh/G9lvJwLBsgB\n\
        Yrlwz6xjguYEtBUP3gE52pMBgvGc9pYG18GYotZZytxIjxyYttky3ZBJOGje7YmU\n\
        T/4x2RiCzPm4r7QdlHoXekKEJREES+AhkRH06VwRjA==\n\
        -----END EC PRIVATE KEY-----";
    const P256: &str = "-----BEGIN EC PRIVATE KEY-----\n\
        MHcCAQEEIPIOTFei1LTkyUxIJLRdygLUmFNvUH3Q2MQYTbheyZUvoAoGCCqGSM49\n\
        AwEHoUQDQgAE83O+ND+EG4jdQ5kmIjVPQW/NL02Dfg97d5MbMud1ZIKeyGIx12dW\n\
        y2yYPCU3UFQ5dCaInJh4aaQX03jdgMMeeg==\n\
        -----END EC PRIVATE KEY-----";
    for (key, is_p521) in [(P521, true), (P256, false)] {
        let text = kubeconfig(
            "    server: https://one\n",
            "    client-key: key.pem\n    client-certificate: cert.pem\n",
        );
        let folder = folder(&[("config", &text), ("key.pem", key), ("cert.pem", "")]);
        let (config, _) = configuration(Some(&folder.path().join("config")), None).await.unwrap();
        assert_eq!(has_p521_key(&config), is_p521);
    }
}
