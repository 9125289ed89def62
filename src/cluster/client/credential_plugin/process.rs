//! A credential plugin's process: it is bounded, heard, and killed when nobody needs it any more.

use std::{
    collections::HashMap,
    env, fs,
    io::{self, BufRead as _, IsTerminal as _},
    path::{Path, PathBuf},
    pin::pin,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use futures::FutureExt as _;
use kube::config::{ExecConfig, ExecInteractiveMode};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
    sync::mpsc::Sender,
};

use crate::cluster::{
    Failure,
    client::{
        credential_plugin::{
            by_hand, failed, name,
            output::{Status, printed},
        },
        failure_id,
    },
};
use crate::console::sanitize::sanitize;
use crate::recording::mask::{mask, mask_lines};

/// How long a plugin may take that cannot ask anybody.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a plugin may take at a terminal, where somebody may have to log in.
const INTERACTIVE_TIMEOUT: Duration = Duration::from_secs(300);
/// The most that is read of what a plugin prints.
const MAX_OUTPUT_BYTES: u64 = 1 << 20;
/// How long standard error is read after a plugin has ended: a process that it has left behind may
/// hold it open.
const STDERR_TIMEOUT: Duration = Duration::from_millis(500);
/// How much is kept of the end of standard error.
const MAX_TAIL_BYTES: usize = 8 << 10;
/// How many of its last lines a failure tells.
const MAX_TAIL_LINES: usize = 10;

/// Runs it once; `listener` gets what it says on standard error, line by line.
///
/// # Errors
/// The plugin is missing, fails, gives nothing of use, or takes too long.
pub(super) async fn run(
    exec: &ExecConfig,
    listener: Option<&Sender<String>>,
) -> Result<Status, Failure> {
    let name = name(exec);
    let mut said = StandardError { listener, ..StandardError::default() };
    let given = async {
        let (status, stdout) = run_to_end(exec, asks_at_terminal(exec)?, &mut said).await?;
        if !status.success() {
            let what = format!("the credential plugin {name} failed ({status})");
            return Err(failed(what, by_hand(&name)));
        }
        printed(&stdout, exec.api_version.as_deref()).map_err(|what| {
            failed(format!("the credential plugin {name} printed {what}"), by_hand(&name))
        })
    };
    let given = given.await;
    given.map_err(|failure| said.last_lines().iter().fold(failure, Failure::because))
}

/// Whether it may ask at the terminal.
///
/// # Errors
/// It always asks, and there is no terminal.
fn asks_at_terminal(exec: &ExecConfig) -> Result<bool, Failure> {
    let is_terminal = io::stdin().is_terminal();
    if exec.interactive_mode == Some(ExecInteractiveMode::Always) && !is_terminal {
        let what = format!(
            "the credential plugin {} asks at the terminal (interactiveMode: Always), and \
            standard input is none",
            name(exec)
        );
        return Err(failed(what, "Run stsgrade at a terminal, or log in another way."));
    }
    Ok(is_terminal && exec.interactive_mode != Some(ExecInteractiveMode::Never))
}

/// Starts it, and waits until it ends: how it ended, and what it printed.
///
/// # Errors
/// It cannot be started or read, or takes too long.
async fn run_to_end(
    exec: &ExecConfig,
    asks: bool,
    said: &mut StandardError<'_>,
) -> Result<(ExitStatus, Vec<u8>), Failure> {
    let name = name(exec);
    let within = if asks { INTERACTIVE_TIMEOUT } else { TIMEOUT };
    let mut child = command(exec, asks)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| not_started(exec, &error))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = async {
        let stdout = read(stdout).await?;
        Ok::<_, io::Error>((child.wait().await?, stdout))
    };
    let ended = while_listening(tokio::time::timeout(within, ended), said.listen(stderr)).await;
    match ended {
        Ok(Ok(ended)) => Ok(ended),
        Ok(Err(error)) => {
            let what = format!("the credential plugin {name} cannot be read: {error}");
            Err(failed(what, by_hand(&name)))
        }
        Err(_) => {
            let what =
                format!("the credential plugin {name} has not ended within {} s", within.as_secs());
            Err(failed(what, format!("See what it waits for. {}", by_hand(&name))))
        }
    }
}

/// Does both at once. When the work is done, the listening has [`STDERR_TIMEOUT`] left.
async fn while_listening<T>(
    work: impl Future<Output = T>,
    listening: impl Future<Output = ()>,
) -> T {
    let (mut work, mut listening) = (pin!(work), pin!(listening.fuse()));
    let done = tokio::select! {
        done = &mut work => done,
        () = &mut listening => work.await,
    };
    // Whatever was written until now has arrived by then; what comes later is nobody's business.
    let _ = tokio::time::timeout(STDERR_TIMEOUT, listening).await;
    done
}

/// What a plugin says on standard error, all of which is read: a plugin that cannot write there is
/// ended by the system. Only the end is kept.
#[derive(Default)]
struct StandardError<'a> {
    listener: Option<&'a Sender<String>>,
    tail: Vec<u8>,
    /// Whether the tail does not begin where a line does.
    is_cut: bool,
    /// The line that has not ended yet.
    line: Vec<u8>,
}

impl StandardError<'_> {
    /// Reads to the end. What cannot be read is left out, because nothing depends on it.
    async fn listen(&mut self, from: Option<impl AsyncRead + Unpin>) {
        let Some(mut from) = from else { return };
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            self.take(&bytes[..count]);
        }
        self.pass_on();
    }

    fn take(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        let surplus = self.tail.len().saturating_sub(MAX_TAIL_BYTES);
        self.is_cut |= surplus > 0;
        self.tail.drain(..surplus);
        for part in bytes.split_inclusive(|it| *it == b'\n') {
            let room = MAX_TAIL_BYTES.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                self.pass_on();
            }
        }
    }

    /// Passes the line on. One for which there is no room any more is left out.
    fn pass_on(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if let Some(listener) = self.listener
            && !line.trim().is_empty()
        {
            let _ = listener.try_send(sanitize(&mask(line.trim_end())));
        }
    }

    /// The lines at its end that are whole. Of the rest of a line nobody can say whether it is a
    /// secret.
    fn whole_lines(&self) -> &[u8] {
        if !self.is_cut {
            return &self.tail;
        }
        let end = self.tail.iter().position(|it| *it == b'\n');
        end.map_or(&[], |end| &self.tail[end + 1..])
    }

    /// Its last lines, without secrets.
    fn last_lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(self.whole_lines());
        let lines: Vec<String> = text.lines().map(|it| it.trim().to_owned()).collect();
        let mut lines = mask_lines(&lines);
        lines.retain(|it| !it.is_empty());
        lines.split_off(lines.len().saturating_sub(MAX_TAIL_LINES))
    }
}

fn command(exec: &ExecConfig, asks: bool) -> Command {
    let mut command = Command::new(exec.command.as_deref().unwrap_or_default());
    command.args(exec.args.iter().flatten());
    command.envs(exec.env.iter().flatten().filter_map(|it| Some((it.get("name")?, value_of(it)))));
    let mut spec = json!({"interactive": asks});
    if let Some(cluster) = exec.cluster.as_ref().filter(|_| exec.provide_cluster_info) {
        // What was read from a kubeconfig can be written again.
        spec["cluster"] = serde_json::to_value(cluster).unwrap_or_default();
    }
    let info = json!({"kind": "ExecCredential", "apiVersion": exec.api_version, "spec": spec});
    command.env("KUBERNETES_EXEC_INFO", info.to_string());
    let (input, errors) =
        if asks { (Stdio::inherit(), Stdio::inherit()) } else { (Stdio::null(), Stdio::piped()) };
    command.stdin(input).stdout(Stdio::piped()).stderr(errors);
    command
}

fn value_of(variable: &HashMap<String, String>) -> &str {
    variable.get("value").map_or("", String::as_str)
}

/// All that is printed, up to a limit. A plugin that prints more gets a broken pipe.
async fn read(from: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    if let Some(from) = from {
        from.take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Why it cannot be started. The system says that nothing is found, too, where the plugin is there
/// and the program that runs it is not.
fn not_started(exec: &ExecConfig, error: &io::Error) -> Failure {
    let name = name(exec);
    if error.kind() != io::ErrorKind::NotFound {
        return failed(
            format!("the credential plugin {name} cannot be started: {error}"),
            "Mend or reinstall it.",
        );
    }
    if let Some(path) = installed(exec.command.as_deref().unwrap_or_default()) {
        let why = interpreter(&path).map_or_else(
            || "a part of the system that it needs is not installed".to_owned(),
            |it| format!("{}, which its first line names, is not installed", sanitize(&it)),
        );
        return failed(
            format!("the credential plugin {name} cannot be started: {why}"),
            "Install what is missing, or reinstall the plugin.",
        );
    }
    let what =
        format!("the credential plugin {name}, which the kubeconfig names, is not installed");
    let next = "Install it, and see that it is in PATH.";
    Failure::new(failure_id::NO_CREDENTIAL_PLUGIN, what, next)
        .because(exec.install_hint.as_deref().unwrap_or_default().trim())
}

/// The file of a command, where there is one: at its path, or by its bare name in PATH.
fn installed(command: &str) -> Option<PathBuf> {
    let is_path = Path::new(command).components().count() > 1 || command.contains('/');
    if is_path {
        return Some(PathBuf::from(command)).filter(|it| it.is_file());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|it| it.join(command)).find(|it| it.is_file())
}

/// The program that a script's first line names.
fn interpreter(script: &Path) -> Option<String> {
    let mut line = vec![];
    let file = fs::File::open(script).ok()?;
    let limited = io::Read::take(file, 4096);
    io::BufReader::new(limited).read_until(b'\n', &mut line).ok()?;
    let line = String::from_utf8_lossy(line.strip_prefix(b"#!")?).into_owned();
    line.split_whitespace().next().map(str::to_owned)
}
