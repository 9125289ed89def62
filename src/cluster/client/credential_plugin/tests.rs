use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use kube::{
    Config,
    config::{ExecConfig, ExecInteractiveMode},
};

use crate::cluster::Failure;
use crate::cluster::client::credential_plugin::Plugin;

mod renewal;
mod under_way;

const VERSION: &str = "client.authentication.k8s.io/v1";

/// A plugin that does what the script says; `$0` is a file beside which it may write.
fn plugin(folder: &Path, script: &str) -> Config {
    let path = folder.join("plugin");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    configured(ExecConfig {
        command: Some(path.display().to_string()),
        args: Some(vec!["get".to_owned(), "--password=hunter2".to_owned()]),
        ..ExecConfig::default()
    })
}

/// A line of a script that prints a status, as JSON.
fn prints(status: &str) -> String {
    let whole =
        format!("{{\"kind\":\"ExecCredential\",\"apiVersion\":\"{VERSION}\",\"status\":{status}}}");
    format!("cat <<END\n{whole}\nEND\n")
}

fn configured(exec: ExecConfig) -> Config {
    let mut config = Config::new(http::Uri::from_static("https://127.0.0.1:1"));
    let mode = exec.interactive_mode.clone().or(Some(ExecInteractiveMode::Never));
    config.auth_info.exec =
        Some(ExecConfig { interactive_mode: mode, api_version: Some(VERSION.to_owned()), ..exec });
    config
}

async fn failure(script: &str) -> Failure {
    let folder = tempfile::tempdir().unwrap();
    let failure = Plugin::take_from(&mut plugin(folder.path(), script), None).await.err().unwrap();
    assert_eq!(failure.id, "credential_plugin");
    assert!(failure.what.contains("/plugin "), "{failure:?}");
    // Arguments hold secrets.
    assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
    failure
}

/// Catches a plugin that waits for somebody who is not there, and hangs the grade; time is not
/// waited for here, it jumps.
#[tokio::test(start_paused = true)]
async fn one_that_hangs_is_named_and_killed() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    // Time stands still until the script runs: a test that is slow to start it must not pass by
    // that. One that never starts ends the waiting, too.
    let is_over = Arc::new(AtomicBool::new(false));
    let started = tokio::task::spawn_blocking({
        let (pid, is_over) = (pid.clone(), is_over.clone());
        move || {
            while fs::read_to_string(&pid).unwrap_or_default().is_empty() {
                assert!(!is_over.load(Relaxed), "the plugin has not started");
                std::thread::yield_now();
            }
        }
    });
    let mut config =
        plugin(folder.path(), "echo open it >&2; echo $$ > \"${0%/*}/pid\"; exec sleep 1000000");
    let taken = async {
        let taken = Plugin::take_from(&mut config, None).await;
        is_over.store(true, Relaxed);
        taken
    };
    let (failure, started) = tokio::join!(taken, started);
    started.unwrap();
    let failure = failure.err().unwrap();
    assert!(failure.what.contains("has not ended within 60 s"), "{failure:?}");
    assert_eq!(failure.detail, ["open it"]);
    let pid = fs::read_to_string(pid).unwrap();
    let deleted = || {
        fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
            .map_or(true, |it| it.contains(") Z "))
    };
    while !deleted() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_that_fails_says_why() {
    let told = failure("echo 'expired \u{1b}[2Jsession' >&2; exit 3").await;
    assert!(told.what.ends_with(" failed (exit status: 3)"), "{told:?}");
    assert_eq!(told.detail, ["expired \\u{1b}[2Jsession"]);
}

/// Catches a plugin whose flood of output fills the memory, or blocks it and us for ever.
#[tokio::test]
async fn one_that_prints_no_credential_is_told() {
    for script in [
        "",
        "echo hello",
        "echo '{\"status\":{\"token\":\"t\"}}'",
        &prints("{}"),
        &prints("{\"token\":\"\"}"),
        &prints("[\"t\"]"),
    ] {
        let told = failure(script).await;
        assert!(told.what.ends_with(" printed no credential"), "{script}: {told:?}");
    }
    failure("exec cat /dev/zero").await;
    for (status, why) in [
        (r#"{"token":"a","expirationTimestamp":"soon"}"#, "printed no time of expiry: soon"),
        (r#"{"token":"a\nb"}"#, "printed a token that cannot be sent"),
        (r#"{"clientKeyData":"a"}"#, "printed a key without its certificate"),
        (r#"{"clientCertificateData":"a"}"#, "printed a certificate without its key"),
    ] {
        let told = failure(&prints(status)).await;
        assert!(told.what.ends_with(why), "{told:?}");
    }
    let older = prints(r#"{"token":"a"}"#).replace("/v1", "/v1beta1");
    let told = failure(&older).await;
    assert!(told.what.ends_with(&format!(" apiVersion {VERSION}beta1, not {VERSION}")), "{told:?}");
}

/// Catches a plugin that waits for an answer that nobody can give.
#[tokio::test]
async fn one_that_must_ask_needs_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = plugin(folder.path(), &prints(r#"{"token":"a"}"#));
    config.auth_info.exec.as_mut().unwrap().interactive_mode = Some(ExecInteractiveMode::Always);
    let told = Plugin::take_from(&mut config, None).await.err().unwrap();
    assert!(told.what.ends_with("(interactiveMode: Always), and standard input is none"));
}

#[tokio::test]
async fn one_that_is_missing_is_named_with_how_to_get_it() {
    let exec = ExecConfig {
        command: Some("no-such-plugin".to_owned()),
        install_hint: Some("brew install it".to_owned()),
        ..ExecConfig::default()
    };
    let told = Plugin::take_from(&mut configured(exec), None).await.err().unwrap();
    assert_eq!(
        (told.id, told.what.as_str()),
        (
            "no_credential_plugin",
            "the credential plugin no-such-plugin, which the kubeconfig names, is not installed"
        )
    );
    assert_eq!(told.detail, ["brew install it"]);
}

/// Catches a plugin that is not told what it is asked for.
#[tokio::test]
async fn it_is_told_what_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let status = prints(r#"{"token":"t"}"#);
    let script = format!("echo \"$KUBERNETES_EXEC_INFO\" > \"$0.info\"\n{status}");
    let mut config = plugin(folder.path(), &script);
    let held = Plugin::take_from(&mut config, None).await.unwrap().unwrap();
    assert_eq!(held.credential().await.unwrap().token.unwrap(), "Bearer t");
    assert!(config.auth_info.exec.is_none());
    let info = fs::read_to_string(folder.path().join("plugin.info")).unwrap();
    assert!(
        info.contains("\"kind\":\"ExecCredential\"") && info.contains("\"interactive\":false"),
        "{info}"
    );
}

/// Catches a plugin that is waited for although only a process that it left behind still runs.
#[tokio::test]
async fn what_a_plugin_leaves_behind_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let script = "sleep 1000 </dev/null >/dev/null & echo $! > \"$0.pid\"";
    let script = format!("{script}\n{}", prints(r#"{"token":"t"}"#));
    let taken = Plugin::take_from(&mut plugin(folder.path(), &script), None).await;
    let pid = fs::read_to_string(folder.path().join("plugin.pid")).unwrap();
    let kill = std::process::Command::new("kill").arg(pid.trim()).status().unwrap();
    assert!(kill.success());
    assert!(taken.unwrap().is_some());
}

/// Catches a plugin that is ended by the system because nobody reads what it says, and one whose
/// last words are lost.
#[tokio::test]
async fn all_that_it_says_is_read_and_the_end_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let flood = "head -c 3000000 /dev/zero >&2";
    let script = format!("{flood}\n{}", prints(r#"{"token":"t"}"#));
    let taken = Plugin::take_from(&mut plugin(folder.path(), &script), None).await;
    assert!(taken.unwrap().is_some());
    let told = failure(&format!("{flood}; echo >&2; echo the end >&2; exit 3")).await;
    assert!(told.what.ends_with(" failed (exit status: 3)"), "{told:?}");
    assert_eq!(told.detail.last().unwrap(), "the end");
}

/// Catches somebody who is not told where to log in, or why there is no credential, and a secret
/// that is told.
#[tokio::test]
async fn what_it_says_is_passed_on_without_secrets() {
    let told = failure("echo 'session expired: log in again' >&2").await;
    assert!(told.what.ends_with(" printed no credential"), "{told:?}");
    assert_eq!(told.detail, ["session expired: log in again"]);

    let folder = tempfile::tempdir().unwrap();
    let script = "printf 'To sign in, \\033[2Jopen x\\n\\nAPI_TOKEN=hunter2\\nlast' >&2";
    let script = format!("{script}\n{}", prints(r#"{"token":"t"}"#));
    let (listener, mut said) = tokio::sync::mpsc::channel(8);
    let mut config = plugin(folder.path(), &script);
    Plugin::take_from(&mut config, Some(&listener)).await.unwrap().unwrap();
    for line in ["To sign in, \\u{1b}[2Jopen x", "API_TOKEN=***", "last"] {
        assert_eq!(said.try_recv().unwrap(), line);
    }
}

/// Catches the end of a secret that is told, because the name before it is not kept.
#[tokio::test]
async fn the_rest_of_a_line_is_not_told() {
    for (end, told) in [("\\nlast\\n", vec!["last"]), ("", vec![])] {
        let failure = failure(&format!("printf 'API_TOKEN=%09000d{end}' 7 >&2; exit 3")).await;
        assert_eq!(failure.detail, told);
    }
}

/// Catches a plugin that is there and is told not to be installed.
#[tokio::test]
async fn one_whose_interpreter_is_missing_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = plugin(folder.path(), "");
    let path = folder.path().join("plugin");
    fs::write(&path, "#!/no/such/python3 -u\n").unwrap();
    let told = Plugin::take_from(&mut config, None).await.err().unwrap();
    assert_eq!(told.id, "credential_plugin");
    let why = "cannot be started: /no/such/python3, which its first line names, is not installed";
    assert!(told.what.ends_with(why), "{told:?}");
}

/// Catches a plugin that is run although the kubeconfig holds a token beside it.
#[tokio::test]
async fn what_stands_in_the_kubeconfig_goes_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = plugin(folder.path(), "exit 1");
    config.auth_info.token = Some("t".to_owned().into());
    assert!(Plugin::take_from(&mut config, None).await.unwrap().is_none());
}
