//! `stsgrade record`: what happens in a namespace, without changing anything.

use std::{convert::Infallible, path::Path, time::Duration};

use checks::model::Timeline;

use crate::commands::{
    other_namespace::{near_namespace, own_namespace_note, with_hint},
    run_files::is_stream,
    session::{Early, begin, block_on, check_save, connect, listen, unless_stopped, whereabouts},
};
use crate::{
    cli::Record,
    cluster::{
        Cluster, Failure, Interrupt, Journal,
        client::namespace::exists,
        grade::permissions::unseen_by_a_recording,
        passive::{PassiveRecording, PassiveRun},
    },
    console::{count::counted, progress::Progress, sanitize::sanitize, terminal::Colour},
    exit::Exit,
    recording::AskedOptions,
    remedy::shell_word_or,
};

pub(super) fn run(args: &Record) -> Exit {
    block_on(async { work(args).await.unwrap_or_else(|early| early.exit()) })
}

async fn work(args: &Record) -> Result<Exit, Early> {
    check_save(args.save.as_deref())?;
    let interrupt = listen()?;
    let progress = Progress::to_stderr(false, Colour::Auto);
    let cluster = connect(&args.target, &interrupt, &progress).await?;
    progress.say(&whereabouts(&cluster));
    let asked = AskedOptions {
        command: AskedOptions::RECORD.to_owned(),
        statefulset: args.statefulset.clone(),
        timeout_seconds: args.timeout.map(|it| it.as_secs()),
        ..AskedOptions::default()
    };
    let (_, journal, path) = begin(&cluster, args.save.as_deref(), asked)?;
    let missing = async { Ok(note_if_missing(args, &cluster).await) };
    if let Some(note) = unless_stopped(&interrupt, missing).await? {
        progress.say(&note);
    }
    let start = PassiveRecording::start(&cluster, &journal, args.statefulset.as_deref());
    let recording = match unless_stopped(&interrupt, start).await {
        Err(Early::Failed(failure)) => {
            return Err(with_hint(failure, &args.target, &cluster, "record").await.into());
        }
        other => other?,
    };
    progress.say(&format!(
        "recording to {}; nothing is changed; Ctrl-C ends it",
        sanitize(&path.display().to_string())
    ));
    let recorded = tokio::select! {
        recorded = recording.until(stopped(args.timeout, &interrupt)) => recorded,
        // A recording has no other purpose.
        trouble = journal.failed() => Err(incomplete(&trouble)),
        never = say_what_may_be_wrong(args, &cluster, &journal, &progress) => match never {},
        () = progress.follow(&journal) => {
            Err(Failure::new("progress", "the journal ended", "Report this as a bug."))
        }
    };
    progress.clear();
    journal.flush();
    let recorded = recorded?;
    if let Some(trouble) = journal.trouble() {
        return Err(incomplete(&trouble).into());
    }
    say_what_is_recorded(&recorded, &journal, &path, &progress);
    Ok(Exit::Good)
}

/// What to say where the namespace is not there yet.
async fn note_if_missing(args: &Record, cluster: &Cluster) -> Option<String> {
    let failure = exists(cluster).await.err()?;
    let near = near_namespace(&failure, &args.target, cluster).await;
    let hint = near.map(|it| format!(". Did you mean {it}?")).unwrap_or_default();
    Some(format!("note: {failure}; what will be made there is recorded{hint}"))
}

/// Until somebody stops it, or its time is over.
async fn stopped(timeout: Option<Duration>, interrupt: &Interrupt) {
    match timeout {
        Some(timeout) => tokio::select! {
            () = interrupt.first() => {}
            () = tokio::time::sleep(timeout) => {}
        },
        None => interrupt.first().await,
    }
}

fn incomplete(trouble: &str) -> Failure {
    Failure::new(
        "recording_file",
        format!("the recording {}", sanitize(trouble)),
        "Make room, or name another file with `--save FILE`, and record again.",
    )
}

/// Says what is likely to be a mistake on the command line, as soon as the watches show it: then
/// there is time to begin again. It never ends by itself.
async fn say_what_may_be_wrong(
    args: &Record,
    cluster: &Cluster,
    journal: &Journal,
    progress: &Progress,
) -> Infallible {
    let unseen = unseen_by_a_recording(cluster).await;
    if !unseen.is_empty() {
        let namespace = sanitize(&cluster.namespace);
        progress.say(&format!(
            "note: this account may not {}: what only that shows stays undecided. \
            `stsgrade rbac -n {namespace} --record` prints the Role that a recording needs",
            sanitize(&unseen.join("; "))
        ));
    }
    if args.target.namespace.is_none()
        && journal.with(is_without_sets)
        && let Some(note) = own_namespace_note(cluster, "record").await
    {
        progress.say(&note);
    }
    let mut lines = journal.lines();
    let mut told = String::new();
    while let Some(name) = args.statefulset.as_deref() {
        lines.mark_unchanged();
        let Some(others) = journal.with(|timeline| sets_instead_of(timeline, name)) else { break };
        if !others.is_empty() && others != told {
            let name = sanitize(name);
            progress.say(&format!("note: there is no StatefulSet {name} yet; there is {others}"));
            told = others;
        }
        if lines.changed().await.is_err() {
            break;
        }
    }
    std::future::pending().await
}

/// The sets that exist, with commas between; `None` as soon as that set was seen.
fn sets_instead_of(timeline: &Timeline, name: &str) -> Option<String> {
    if timeline.known_sets().any(|it| it == name) {
        return None;
    }
    let others: Vec<String> = timeline.sets().map(|it| sanitize(&it.name)).collect();
    Some(others.join(", "))
}

fn is_without_sets(timeline: &Timeline) -> bool {
    timeline.known_sets().next().is_none()
}

fn say_what_is_recorded(
    recorded: &PassiveRun,
    journal: &Journal,
    path: &Path,
    progress: &Progress,
) {
    if let Some((since, why)) = &recorded.outage {
        progress.say(&format!(
            "warning: the API server has not answered for {} s ({}): what happened since is not \
            recorded, and the recording has no end",
            since.as_secs(),
            sanitize(why)
        ));
    }
    if journal.with(is_without_sets) {
        progress.say("warning: no StatefulSet was there while it was recorded");
    }
    let next = if is_stream(path) {
        String::new()
    } else {
        let path = path.display().to_string();
        format!("; next: stsgrade judge {}", shell_word_or(&path, "FILE"))
    };
    let lines = counted(recorded.lines, "line", "lines");
    progress.say(&format!("{lines} in {} s{next}", recorded.took.as_secs()));
}
