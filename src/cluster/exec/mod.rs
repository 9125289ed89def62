//! Commands in containers: bounded in time and size, and their output cut into records.

pub(crate) mod ephemeral;
pub(crate) mod error;
pub(crate) mod mounts;
pub(crate) mod script_output;

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::AttachParams, core::Status};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::{
    cluster::{Cluster, client::error_chain::chain, exec::error::ExecError},
    recording::hexadecimal,
};

/// The most that is kept of the standard output. The rest is read and dropped, so that the command
/// can end.
const MAX_OUTPUT_BYTES: usize = 2 << 20;

/// The most that is kept of the standard error.
const MAX_STDERR_BYTES: usize = 4 << 10;

/// How long a container that does not run at the moment is given to run again: one that ended once
/// is started again at once.
const RETRY_FOR: Duration = Duration::from_secs(3);
/// Between two tries.
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// The line that a command waits for before it writes on a claim.
pub(crate) const GO: &str = "go\n";

/// The exit status of a command that ended by SIGKILL: 128 and the signal's number.
const KILLED: i32 = 137;

/// What a command said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    /// Standard output, exactly.
    pub(crate) stdout: Vec<u8>,
    /// The beginning of standard error.
    pub(crate) stderr: String,
    /// The exit status, where the server told it.
    pub(crate) exit: Option<i32>,
}

/// Where a command runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExecTarget<'a> {
    pub(crate) pod: &'a str,
    pub(crate) container: &'a str,
}

/// What a command is told on its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StandardInput {
    Closed,
    /// [`GO`], once the command has said something.
    Go,
}

/// Runs a command and waits for its end.
///
/// A command that was cut off is started again, so it must be safe to repeat.
///
/// # Errors
/// The command could not be run, or did not end in time.
pub(crate) async fn exec(
    cluster: &Cluster,
    target: ExecTarget<'_>,
    command: &[String],
    within: Duration,
) -> Result<Output, ExecError> {
    give_up_after(within, run_retrying(cluster, target, command, StandardInput::Closed)).await
}

/// As [`exec`], for a command that waits for [`GO`] before it writes.
///
/// A node may begin a command late, when its grade has been killed and all was put back. Such a
/// command reads the end of its standard input instead, and must then write nothing.
///
/// # Errors
/// As [`exec`].
pub(crate) async fn exec_writing(
    cluster: &Cluster,
    target: ExecTarget<'_>,
    command: &[String],
    within: Duration,
) -> Result<Output, ExecError> {
    give_up_after(within, run_retrying(cluster, target, command, StandardInput::Go)).await
}

/// Gives up a command that takes longer.
async fn give_up_after(
    within: Duration,
    command: impl Future<Output = Result<Output, ExecError>>,
) -> Result<Output, ExecError> {
    match tokio::time::timeout(within, command).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ExecError::TimedOut(within.as_secs())),
    }
}

/// Tries again for a while where the container, or the way to it, was not there.
async fn run_retrying(
    cluster: &Cluster,
    target: ExecTarget<'_>,
    command: &[String],
    input: StandardInput,
) -> Result<Output, ExecError> {
    let since = Instant::now();
    let mut was_begun = false;
    loop {
        let error = match attempt(cluster, target, command, input).await {
            Ok(output) => return Ok(output),
            // A command that was begun before may have done its work then.
            Err(AttemptError::Final(_)) if was_begun => return Err(ExecError::CutOff),
            Err(AttemptError::Final(error)) => return Err(error),
            Err(AttemptError::NotStarted(words)) => ExecError::Other(words),
            Err(AttemptError::CutOff) => {
                was_begun = true;
                ExecError::CutOff
            }
        };
        if since.elapsed() >= RETRY_FOR {
            return Err(if was_begun { ExecError::CutOff } else { error });
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// A shell script's command line: comments and indentation are not worth sending.
pub(crate) fn script(text: &str, arguments: impl IntoIterator<Item = String>) -> Vec<String> {
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    ["sh".to_owned(), "-c".to_owned(), lines.join("\n"), "stsgrade".to_owned()]
        .into_iter()
        .chain(arguments)
        .collect()
}

/// 128 random bits in hexadecimal: a word that no file or answer contains by chance.
///
/// # Errors
/// The system gives no random numbers.
pub(crate) fn random_word() -> Result<String, ExecError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| ExecError::Other(format!("no random numbers: {error}")))?;
    Ok(hexadecimal(&bytes))
}

/// Cuts an output into its records `WORD:key:value`. Values are exact bytes.
pub(crate) fn records<'a>(output: &'a [u8], word: &str) -> Vec<(&'a str, &'a [u8])> {
    let word = word.as_bytes();
    let mut marks: Vec<usize> = vec![];
    let mut at = 0;
    while let Some(found) =
        output.get(at..).and_then(|rest| rest.windows(word.len()).position(|it| it == word))
    {
        marks.push(at + found);
        at += found + word.len();
    }
    let ends = marks.iter().skip(1).copied().chain([output.len()]);
    marks
        .iter()
        .zip(ends)
        .filter_map(|(mark, end)| {
            let rest = output.get(mark + word.len()..end)?.strip_prefix(b":")?;
            let colon = rest.iter().position(|it| *it == b':')?;
            Some((std::str::from_utf8(rest.get(..colon)?).ok()?, rest.get(colon + 1..)?))
        })
        .collect()
}

/// Why one attempt to run a command failed.
enum AttemptError {
    /// It was not begun, because the container does not run: one that has just become Ready is
    /// often not found for a moment, one that has just ended is still told as running.
    NotStarted(String),
    /// It may have been begun, and was cut off.
    CutOff,
    /// Another attempt would fail in the same way.
    Final(ExecError),
}

async fn attempt(
    cluster: &Cluster,
    target: ExecTarget<'_>,
    command: &[String],
    input: StandardInput,
) -> Result<Output, AttemptError> {
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let how = AttachParams {
        max_stdout_buf_size: Some(64 << 10),
        ..AttachParams::default().container(target.container).stdin(input == StandardInput::Go)
    };
    let mut process =
        api.exec(target.pod, command.to_vec(), &how).await.map_err(|error| error_of(&error))?;
    let (Some(stdout), Some(stderr), Some(status)) =
        (process.stdout(), process.stderr(), process.take_status())
    else {
        return Err(AttemptError::Final(ExecError::Other(
            "the connection has no streams".to_owned(),
        )));
    };
    let stdin = process.stdin();
    // Both at once: a stream that nobody reads stalls the other.
    let (stdout, stderr, status) = tokio::join!(
        drain(stdout, MAX_OUTPUT_BYTES, stdin),
        drain(stderr, MAX_STDERR_BYTES, None::<tokio::io::Sink>),
        status
    );
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    let Some(status) = status else { return Err(AttemptError::CutOff) };
    match status.status.as_deref() {
        Some("Success") => Ok(Output { stdout, stderr, exit: Some(0) }),
        _ if status.reason.as_deref() == Some("NonZeroExitCode") => {
            let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
            let exit = causes
                .iter()
                .find(|cause| cause.reason.as_deref() == Some("ExitCode"))
                .and_then(|cause| cause.message.as_deref()?.parse().ok());
            // It was killed with its container.
            if exit == Some(KILLED) {
                Err(AttemptError::CutOff)
            } else {
                Ok(Output { stdout, stderr, exit })
            }
        }
        _ => {
            Err(error_of_message(status.message.as_deref().unwrap_or("the server gave no reason")))
        }
    }
}

/// Reads to the end and keeps the beginning. The command hears [`GO`] once it has said something.
async fn drain(
    mut from: impl AsyncRead + Unpin,
    keep: usize,
    mut answer: Option<impl AsyncWrite + Unpin>,
) -> Vec<u8> {
    let mut kept = vec![];
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if let Some(mut to) = answer.take() {
            // Without it, the command writes nothing and its answer is incomplete.
            let _ = to.write_all(GO.as_bytes()).await;
        }
        let room = keep.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
    }
    kept
}

fn error_of(error: &kube::Error) -> AttemptError {
    match error {
        kube::Error::Api(status) => error_of_status(status),
        other => AttemptError::Final(ExecError::Other(chain(other))),
    }
}

fn error_of_status(status: &Status) -> AttemptError {
    match status.code {
        403 => AttemptError::Final(ExecError::Forbidden),
        404 => AttemptError::Final(ExecError::Gone),
        _ => error_of_message(&status.message),
    }
}

fn error_of_message(message: &str) -> AttemptError {
    // For a container that does not run: of the kubelet (pkg/kubelet/kubelet_pods.go, GetExec:
    // "container not found"), of the API server on the way to it (k8s.io/apimachinery,
    // pkg/util/proxy/upgradeaware.go, dial: "error dialing backend"), of containerd and of
    // runc.
    const NOT_RUNNING: [&str; 8] = [
        "container not found",
        "error dialing backend",
        "not running",
        "no running task",
        "in a stopped container",
        "in a stopped state",
        "setns",
        "task: not found",
    ];
    // Those of runc for a file that cannot be run.
    const NO_SHELL: [&str; 3] = [
        "executable file not found",
        "no such file or directory",
        "starting container process caused",
    ];
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let words = || message.chars().take(300).collect();
    if has(&NOT_RUNNING) {
        return AttemptError::NotStarted(words());
    }
    if has(&NO_SHELL) {
        return AttemptError::Final(ExecError::NoShell);
    }
    AttemptError::Final(ExecError::Other(words()))
}

#[cfg(test)]
mod tests {
    use super::{AttemptError, ExecError, error_of_message, random_word, records, script};

    #[test]
    fn records_are_exact() {
        let output = b"noise@@:mount:0@@:file:a:b\n\nc@@:body:\xff\0x\n@@:end:";
        let expected: Vec<(&str, &[u8])> =
            vec![("mount", b"0"), ("file", b"a:b\n\nc"), ("body", b"\xff\0x\n"), ("end", b"")];
        assert_eq!(records(output, "@@"), expected);
        assert!(records(b"", "@@").is_empty());
        assert!(records(b"@@", "@@").is_empty());
    }

    #[test]
    fn words_differ() {
        assert_eq!(random_word().map(|it| it.len()), Ok(32));
        assert_ne!(random_word(), random_word());
    }

    #[test]
    fn comments_are_not_sent() {
        assert_eq!(
            script("# why\necho\n\n#x\necho $1 # y\n", ["a".to_owned()]),
            ["sh", "-c", "echo\necho $1 # y", "stsgrade", "a"]
        );
    }

    #[test]
    fn refusals_in_plain_words() {
        let no_shell = r#"Internal error occurred: error executing command in container: failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: exec: "sh": executable file not found in $PATH: unknown"#;
        assert!(matches!(error_of_message(no_shell), AttemptError::Final(ExecError::NoShell)));
        for ended in [
            r#"container not found ("web")"#,
            "error executing command in container: failed to exec in container: failed to load \
            task: no running task found: task c471 not found",
            r#"failed to start exec "667f": OCI runtime exec failed: exec failed: cannot exec in a stopped container: unknown"#,
            "failed to exec in container: failed to create exec \"7356\": cannot exec in a stopped \
            state: unknown",
            "OCI runtime exec failed: exec failed: unable to start container process: error \
            executing setns process: open /proc/7/ns/ipc: no such file or directory",
        ] {
            assert!(matches!(error_of_message(ended), AttemptError::NotStarted(_)), "{ended}");
        }
    }
}
