use std::{fs, path::PathBuf};

use kube::config::Kubeconfig;
use secrecy::ExposeSecret as _;

use crate::cluster::Failure;
use crate::cluster::client::client_certificate::RenewableCertificate;
use crate::cluster::client::kubeconfig::{
    configuration,
    file::{self, FileError},
    files_in, has_p521_key, read_list, without_credentials,
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

fn connects_to(text: &str) -> Result<String, Failure> {
    let folder = folder(&[("config", text)]);
    configuration(Some(&folder.path().join("config")), None)
        .map(|(config, _)| config.cluster_url.to_string())
}

/// Why a file is not used.
fn refusal(text: &str) -> Failure {
    let folder = folder(&[("config", text)]);
    match file::read(&folder.path().join("config")) {
        Err(FileError::Unusable(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

fn list(folder: &tempfile::TempDir, names: &[&str]) -> Result<Kubeconfig, Failure> {
    read_list(&names.iter().map(|it| folder.path().join(it)).collect::<Vec<PathBuf>>())
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
    assert_eq!(files_in(":".into()), Vec::<PathBuf>::new());
    assert!(files_in("".into())[0].ends_with(".kube/config"));
    let failure = read_list(&[]).unwrap_err();
    assert_eq!(failure.what, "there is no kubeconfig: KUBECONFIG names no file");
}

/// Catches an empty current context that is looked for by its empty name.
#[test]
fn an_empty_current_context_is_none() {
    let text = kubeconfig("    server: https://one\n", "    token: t\n")
        .replace("current-context: lab", "current-context: ''");
    let failure = connects_to(&text).unwrap_err();
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
    let user = "    client-certificate-data: \"QUJD\\nREVG\"\n    client-key-data: \
        \"QUJD\\\n      REVG\"\n    token: ''\n    client-key: ''\n";
    let folder = folder(&[("config", &kubeconfig(cluster, user))]);
    let read = file::read(&folder.path().join("config")).unwrap();
    let cluster = read.clusters[0].cluster.as_ref().unwrap();
    assert_eq!(cluster.certificate_authority_data.as_deref(), Some("QUJDREVG"));
    assert_eq!((cluster.certificate_authority.as_ref(), cluster.proxy_url.as_ref()), (None, None));
    let user = read.auth_infos[0].auth_info.as_ref().unwrap();
    assert_eq!(user.client_certificate_data.as_deref(), Some("QUJDREVG"));
    assert_eq!(user.client_key_data.as_ref().map(|it| it.expose_secret()), Some("QUJDREVG"));
    assert!(user.token.is_none() && user.client_key.is_none());
}

/// Catches a value that is printed though it is a secret, and a mistake that is not named.
#[test]
fn a_mistake_is_named_without_the_value() {
    for (user, why) in [
        ("    token: 12345678\n", "`token` is no text: put it in quotes (of the user student)"),
        ("    exec: {args: [1, 12345678]}\n", "the user student: invalid type: integer, expected "),
        ("    exec: 12345678\n", "the user student: invalid type: integer, expected "),
        ("    client-key-data: '%12345678'\n", "client-key-data of the user student is not base64"),
        (
            "    client-key-data: -----BEGIN 12345678\n",
            "client-key-data of the user student is a certificate or key itself: write it in",
        ),
    ] {
        let failure = refusal(&kubeconfig("    server: https://one\n", user));
        assert_eq!(failure.id, "bad_kubeconfig");
        assert!(failure.what.contains(&format!(" cannot be used: {why}")), "{failure:?}");
        assert!(!format!("{failure:?}").contains("12345678"), "{failure:?}");
    }
    for text in [
        "hello",
        "[]",
        "kind: Pod",
        "apiVersion: v2",
        "users: 1",
        "{",
        "users: [{name: a}, {name: a}]",
    ] {
        assert_eq!(refusal(text).id, "bad_kubeconfig", "{text}");
    }
}

/// Catches a server without a scheme, by which kube panics.
#[test]
fn a_server_without_a_scheme_gets_kubectl_s() {
    let plain = |server: &str| kubeconfig(&format!("    server: \"{server}\"\n"), "    token: t\n");
    assert_eq!(connects_to(&plain("127.0.0.1:1")).unwrap(), "http://127.0.0.1:1/");
    assert_eq!(connects_to(&plain("cluster.example")).unwrap(), "http://cluster.example/");
    assert_eq!(connects_to(&plain("[::1]:6443")).unwrap(), "http://[::1]:6443/");
    assert_eq!(
        connects_to(&plain("https://one/k8s/clusters/c-1")).unwrap(),
        "https://one/k8s/clusters/c-1"
    );
    for server in [
        "tcp://one:6443",
        "https://",
        "https://one two",
        "https://one:99999",
        "/var/run/sock",
        "one:6443/path",
        "unix:///var/run/sock",
    ] {
        let failure = connects_to(&plain(server)).unwrap_err();
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
    let failure = connects_to(&plain("")).unwrap_err();
    assert_eq!(failure.id, "bad_kubeconfig");
}

/// Catches a password that is printed with the server's address.
#[test]
fn an_address_is_shown_without_its_credentials() {
    assert_eq!(without_credentials("https://me:secret@one:6443/path@x"), "https://one:6443/path@x");
    assert_eq!(without_credentials("me:secret@one"), "one");
    assert_eq!(without_credentials("https://one:6443"), "https://one:6443");
}

/// Catches a name and password in the server's address that are not sent, though kubectl sends them;
/// and ones that are sent in place of the user's own token.
#[test]
fn an_account_in_the_address_is_sent_where_the_user_has_none() {
    for (server, user, expected) in [
        ("https://me:p%40ss@one/k8s", "    token: t\n", None),
        ("https://me:p%40ss@one/k8s", "    username: own\n    password: o\n", Some(("own", "o"))),
        ("http://me:p%40ss@one/k8s", "    token: t\n", Some(("me", "p@ss"))),
        ("http://one/k8s", "    token: t\n", None),
    ] {
        let text = kubeconfig(&format!("    server: {server}\n"), user);
        let folder = folder(&[("config", &text)]);
        let (config, _) = configuration(Some(&folder.path().join("config")), None).unwrap();
        let user = &config.auth_info;
        let password = user.password.as_ref().map(|it| it.expose_secret());
        assert_eq!(user.username.as_deref().zip(password), expected, "{server}");
        let address = format!("{}://one/k8s", config.cluster_url.scheme_str().unwrap());
        assert_eq!(config.cluster_url.to_string(), address);
    }
}

/// Catches a P-521 key of which only the TLS library's own words are told.
#[test]
fn a_key_on_p521_is_known_as_one() {
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
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (key, is_p521) in [(P521, true), (P256, false)] {
        let text = kubeconfig(
            "    server: https://one\n",
            "    client-key: key.pem\n    client-certificate: cert.pem\n",
        );
        let folder = folder(&[("config", &text), ("key.pem", key), ("cert.pem", CERTIFICATE)]);
        let (config, _) = configuration(Some(&folder.path().join("config")), None).unwrap();
        assert_eq!(has_p521_key(&config), is_p521);
        // As a credential plugin gives it.
        let why = RenewableCertificate::default().renew(CERTIFICATE, key).unwrap_err();
        assert_eq!(why.starts_with("a key on the curve P-521, which this tool cannot"), is_p521);
    }
}

/// Catches a pinned name that is dropped, so that another server is trusted than kubectl trusts.
#[test]
fn a_server_s_name_must_be_one() {
    let named = |name: &str| {
        kubeconfig(
            &format!("    server: https://one\n    tls-server-name: '{name}'\n"),
            "    token: t\n",
        )
    };
    for name in ["https://other", "not valid!", "other:6443"] {
        let failure = connects_to(&named(name)).unwrap_err();
        let what = format!("the tls-server-name {name} of the kubeconfig is no name of a host");
        assert_eq!((failure.id, failure.what), ("bad_kubeconfig", what));
    }
    for name in ["", "other", "other.example", "10.0.0.1", "fd00::1"] {
        assert_eq!(connects_to(&named(name)).unwrap(), "https://one/", "{name}");
    }
}

/// Catches an address that kubectl can use and that fails later, as a name that nobody has.
#[test]
fn an_ipv6_address_with_a_zone_is_refused() {
    let of = |server: &str| kubeconfig(&format!("    server: \"{server}\"\n"), "    token: t\n");
    for server in ["https://[fe80::1%25lo]:6443", "[fe80::1%lo]"] {
        let failure = connects_to(&of(server)).unwrap_err();
        assert_eq!(failure.id, "bad_kubeconfig");
        let why =
            "is an IPv6 address with a zone, which this tool cannot use, though kubectl can: ";
        assert!(failure.what.ends_with(&format!("{why}{server}")), "{failure:?}");
    }
    assert_eq!(connects_to(&of("https://[fe80::1]:6443")).unwrap(), "https://[fe80::1]:6443/");
}
