//! What the commands that work on a cluster share: a runtime, the connection, signals, the
//! recording's file.

use std::{
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use tokio::sync::mpsc;

use crate::commands::{fail, tell};
use crate::{
    cli::{self, Target},
    cluster::{
        Cluster, Failure, Interrupt, Journal, Options, Signal, client::failure_id, isolation,
        restore::Restored,
    },
    console::{count::counted, progress::Progress, sanitize::sanitize, stderr},
    exit::Exit,
    recording::{AskedOptions, CreateError, Header, Writer, may_replace, state_file},
    remedy::flags::Flags,
    submission::{Submission, SubmissionError},
};

/// The flags that the commands of the report have again.
pub(super) fn flags(args: &cli::Grade) -> Flags {
    Flags {
        context: args.target.context.clone(),
        kubeconfig: args.target.kubeconfig.as_ref().map(|it| it.display().to_string()),
        statefulset: args.statefulset.clone(),
        probe_image: args.probe_image.clone(),
    }
}

/// Why a command ends before its work is done.
pub(super) enum Early {
    /// It cannot be done.
    Failed(Failure),
    /// It was told to stop.
    Stopped(Signal),
}

impl From<Failure> for Early {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Early {
    /// Says so.
    pub(super) fn exit(self) -> Exit {
        match self {
            Self::Failed(failure) => fail(&failure),
            Self::Stopped(signal) => {
                tell("interrupted\n");
                exit_of_signal(signal)
            }
        }
    }
}

/// The exit code of a command that a signal ended.
pub(super) const fn exit_of_signal(signal: Signal) -> Exit {
    Exit::Stopped(signal.number())
}

/// Runs asynchronous work to its end, on this thread. What it says on standard error, another one
/// writes; all of it is read by the end, unless a signal comes.
pub(super) fn block_on(work: impl Future<Output = Exit>) -> Exit {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(async {
            stderr::use_thread();
            let exit = work.await;
            match listen() {
                Ok(interrupt) => tokio::select! {
                    () = stderr::finish() => (),
                    () = interrupt.next() => (),
                },
                Err(_) => stderr::finish().await,
            }
            exit
        }),
        Err(error) => fail(&Failure::new(
            "system",
            format!("failed to start: {error}"),
            "Make room for more processes or files, and run it again.",
        )),
    }
}

/// Listens for the signals that end a program.
pub(super) fn listen() -> Result<Interrupt, Failure> {
    Interrupt::by_signals().map_err(|error| {
        Failure::new("system", format!("failed to listen for signals: {error}"), "Run it again.")
    })
}

/// Does one thing that changes nothing, unless a signal comes first.
pub(super) async fn unless_stopped<T>(
    interrupt: &Interrupt,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Early> {
    tokio::select! {
        done = work => Ok(done?),
        () = interrupt.first() => Err(Early::Stopped(interrupt.signal().unwrap_or(Signal::INTERRUPT))),
    }
}

/// A credential plugin that takes longer may wait for somebody to log in, and says where.
const PLUGIN_TIME: Duration = Duration::from_secs(2);
/// How many lines of it are kept until then.
const MAX_PLUGIN_LINES: usize = 64;
/// Longer than a cluster takes to answer: then somebody wonders what is waited for.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Connects; says so where it takes long, and what a credential plugin says.
pub(super) async fn connect(
    target: &Target,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Cluster, Early> {
    let (listener, mut said) = mpsc::channel(MAX_PLUGIN_LINES);
    let options = Options {
        kubeconfig: target.kubeconfig.clone(),
        context: target.context.clone(),
        namespace: target.namespace.clone(),
        plugin_listener: Some(listener),
    };
    let mut connecting = pin!(unless_stopped(interrupt, Cluster::connect(&options)));
    let mut wait = pin!(tokio::time::sleep(CONNECT_TIME));
    tokio::select! {
        connected = &mut connecting => return connected,
        () = tokio::time::sleep(PLUGIN_TIME) => {}
    }
    let mut is_waited_for = true;
    loop {
        tokio::select! {
            connected = &mut connecting => return connected,
            Some(line) = said.recv() => progress.error(&format!("credential plugin: {line}")),
            () = &mut wait, if is_waited_for => {
                is_waited_for = false;
                progress.say("still connecting: the API server, or the kubeconfig's credential \
                    plugin, has not answered yet");
            }
        }
    }
}

/// Where we are, before anything is done.
pub(super) fn whereabouts(cluster: &Cluster) -> String {
    format!(
        "context {}, cluster {} ({})\nnamespace {}",
        sanitize(&cluster.context),
        sanitize(&cluster.server),
        sanitize(cluster.version_text()),
        sanitize(&cluster.namespace)
    )
}

/// Begins the recording, and tells where it is kept.
pub(super) fn begin(
    cluster: &Cluster,
    save: Option<&Path>,
    asked: AskedOptions,
) -> Result<(Header, Journal, PathBuf), Failure> {
    let header = Header::now(cluster.version_text(), &cluster.namespace, asked);
    let path = match save {
        Some(path) => path.to_owned(),
        None => state_file(&header).map_err(|error| {
            Failure::new(
                "recording_file",
                format!("there is no place for the recording: {error}"),
                "Name a file that can be written with `--save FILE`.",
            )
        })?,
    };
    let writer = Writer::create_over_earlier(&path, &header).map_err(|it| unsaved(&it))?;
    Ok((header, Journal::start(writer), path))
}

/// Whether a recording may be written where `--save` says, as far as that is known before anything
/// else is done.
pub(super) fn check_save(save: Option<&Path>) -> Result<(), Failure> {
    save.map_or(Ok(()), |path| may_replace(path).map_err(|it| unsaved(&it)))
}

fn unsaved(error: &CreateError) -> Failure {
    Failure::new("recording_file", sanitize(&error.to_string()), error.next())
}

/// What a submission that cannot be read is told as.
pub(super) fn unread(error: &SubmissionError) -> Failure {
    let id =
        if error.is_in_the_manifest() { failure_id::UNREADABLE_MANIFEST } else { "submission" };
    let failure = Failure::new(id, error.to_string(), error.next());
    match error.place() {
        Some(place) => failure.at(place, error.field().unwrap_or_default()),
        None => failure,
    }
}

/// What a refused or interrupted grade left in the cluster is not in its recording.
pub(super) fn say_what_is_left(failure: &Failure, journal: &Journal, progress: &Progress) {
    let recorded = journal.with(|it| it.refusal().map_or(0, |refusal| refusal.detail.len()));
    for line in failure.detail.iter().skip(recorded) {
        progress.error(&format!("warning: {}", sanitize(line)));
    }
}

/// Says what will be applied, and where that is not what the files say.
pub(super) fn say_what_is_applied(
    submission: &Submission,
    namespace: &str,
    cleanup: bool,
    to: &Progress,
) {
    let then = if cleanup { ", and to remove in the end what did not stand before" } else { "" };
    let (what, ns) = (submission.contents(), sanitize(namespace));
    to.say(&format!("about to apply {what} to namespace {ns}{then}"));
    if let Some(other) = submission.left_namespace() {
        to.say(&format!(
            "note: the file names namespace {}; a grade applies it to {ns} (`kubectl apply -n \
            {ns}` refuses that)",
            sanitize(other)
        ));
    }
    if let Some(other) = isolation::named_namespace(submission, namespace) {
        to.say(&format!(
            "note: a pod's template names the namespace {} in a DNS name; it is graded in {ns}",
            sanitize(&other)
        ));
    }
}

/// Tells that the recording is not whole, even where only errors are told: nobody can judge it
/// again.
pub(super) fn tell_lost_recording(journal: &Journal, progress: &Progress) {
    let Some(trouble) = journal.trouble() else { return };
    progress.clear();
    tell(&format!(
        "error: the recording {}\nnext:  The report stands, but what it was judged from is not \
         whole. To keep it, make room, or choose another place with `--save`, and grade again.\n",
        sanitize(&trouble)
    ));
}

/// What is said of a set that stands as before.
pub(super) const REPLICAS_ARE_BACK: &str = "the replicas are as they were found;";

/// Says what is left and how to finish; true when nothing is that restoring again could mend.
/// `found`: what is said of the set where nothing is left.
pub(super) fn tell_restored(
    restored: &Restored,
    found: &str,
    cluster: &Cluster,
    progress: &Progress,
) -> bool {
    restored
        .not_restorable
        .iter()
        .for_each(|it| progress.say(&format!("warning: {}", sanitize(it))));
    restored.notes.iter().for_each(|it| progress.say(&format!("note: {}", sanitize(it))));
    if !restored.left.is_empty() {
        progress.error("error: not everything could be put back:");
        restored.left.iter().for_each(|it| progress.error(&format!("  {}", sanitize(it))));
        progress.error(&format!("next:  stsgrade restore -n {}", sanitize(&cluster.namespace)));
    } else if restored.not_restorable.is_empty() {
        progress.say(&format!(
            "{found} the grade's own files, PVCs and Lease are removed ({})",
            counted(cluster.requests.total(), "API request", "API requests")
        ));
    }
    restored.left.is_empty()
}
