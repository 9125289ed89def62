//! `stsgrade record`: watches a namespace, reads files and asks names, and changes nothing, until
//! it is stopped.

pub mod inspections;

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use checks::model::{
    Fact, Timeline,
    observation::{End, EndReason, Reference, Subject},
};

use crate::{
    cluster::{
        Cluster, Failure, Journal, Recorder,
        client::{failure_id, namespace::exists},
        passive::inspections::inspect_until,
        watch::answers,
    },
    console::sanitize::sanitize,
};

/// What a passive recording came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassiveRun {
    /// Lines written, the header not counted.
    pub lines: u64,
    /// Watch events received.
    pub watch_events: u64,
    /// How long it took.
    pub took: Duration,
    /// The API server was away when it was stopped: since how long, and what was said last. Then
    /// the recording has no end, so that nobody judges what was not seen.
    pub outage: Option<(Duration, String)>,
}

/// How long the API server may take to answer at the end. Its answer shows that the watches were
/// silent because nothing happened.
const LAST_ANSWER: Duration = Duration::from_secs(5);
/// How long the watches may take to tell what has happened until the stop.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// A passive recording that has begun: what the namespace held then is recorded.
pub struct PassiveRecording<'a> {
    cluster: &'a Cluster,
    journal: &'a Journal,
    /// The set that is to be judged later; where none is named, it is the first that stands alone in
    /// the namespace, and then whichever the work moves to.
    statefulset: Option<&'a str>,
    recorder: Recorder,
}

impl<'a> PassiveRecording<'a> {
    /// Begins to watch.
    ///
    /// # Errors
    /// The cluster cannot be reached, what has to be watched may not be, or several sets stand there
    /// and none was named.
    pub async fn start(
        cluster: &'a Cluster,
        journal: &'a Journal,
        statefulset: Option<&'a str>,
    ) -> Result<Self, Failure> {
        let recorder = Recorder::start(cluster, journal).await?;
        if statefulset.is_none() {
            one_set_at_most(journal, &cluster.namespace)?;
        }
        // An earlier recording in the file was kept for as long as this could fail.
        journal.replace_earlier();
        Ok(Self { cluster, journal, statefulset, recorder })
    }

    /// Records until `stop` resolves (a signal), and ends the recording.
    ///
    /// # Errors
    /// The set that was named never appeared. The recording is ended all the same.
    pub async fn until(self, stop: impl Future<Output = ()>) -> Result<PassiveRun, Failure> {
        let Self { cluster, journal, statefulset, recorder } = self;
        tokio::pin!(stop);
        tokio::select! {
            never = follow_subject(cluster, journal, statefulset) => match never {},
            () = inspect_until(cluster, journal, &mut stop) => {}
        }
        let outage = outage(cluster, journal).await;
        if outage.is_none() {
            // What the watches have not told by then is not recorded.
            recorder.catch_up(cluster, TOLD_WITHIN).await;
        }
        recorder.stop().await;
        if let Some(set) = journal.with(|timeline| timeline.work_was_on(statefulset)) {
            name_subject(cluster, journal, set);
        }
        let is_unnamed = journal.with(|timeline| timeline.namespace().is_empty());
        if is_unnamed {
            let is_empty = journal.with(|timeline| timeline.known_sets().next().is_none());
            let no_namespace = is_empty && outage.is_none() && is_missing(cluster).await;
            let namespace = cluster.namespace.clone();
            let nothing = Subject { namespace, no_namespace, ..Subject::default() };
            journal.push(Fact::Subject(nothing));
        }
        let took = journal.started().elapsed();
        let watch_events = cluster.watch_events();
        if outage.is_none() {
            journal.push(Fact::End(End {
                why: EndReason::Complete,
                detail: None,
                requests: cluster.requests.total(),
                watch_events,
                wall_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            }));
        }
        if let Some(name) = statefulset.filter(|_| is_unnamed) {
            return Err(journal.with(|it| never_appeared(name, &cluster.namespace, it)));
        }
        Ok(PassiveRun { lines: *journal.lines().borrow(), watch_events, took, outage })
    }
}

/// Whether the namespace does not exist, as far as that can be known.
async fn is_missing(cluster: &Cluster) -> bool {
    let answer = tokio::time::timeout(LAST_ANSWER, exists(cluster)).await;
    answer.is_ok_and(|it| it.is_err_and(|it| it.id == failure_id::NO_NAMESPACE))
}

/// Whether the API server is away now, or was until just now and the watches do not know yet what
/// happened meanwhile.
async fn outage(cluster: &Cluster, journal: &Journal) -> Option<(Duration, String)> {
    let began = Instant::now();
    let answer = answers(cluster, LAST_ANSWER).await;
    let mut outage = journal.outage();
    // Held until the watches go on, where they can.
    let within = if answer.is_ok() { LAST_ANSWER } else { Duration::ZERO };
    let over = tokio::time::timeout(within, outage.wait_for(Option::is_none)).await.is_ok();
    let known = outage.borrow().clone().filter(|_| !over);
    match (known, answer) {
        (Some(known), _) => Some((known.since.elapsed(), known.why)),
        (None, Err(outage)) => Some((began.elapsed(), outage.why)),
        (None, Ok(())) => None,
    }
}

/// Writes down which set is meant, as soon as that is known and whenever the work moves to another.
/// It never ends by itself.
async fn follow_subject(
    cluster: &Cluster,
    journal: &Journal,
    statefulset: Option<&str>,
) -> Infallible {
    let mut lines = journal.lines();
    loop {
        lines.mark_unchanged();
        if let Some(set) = journal.with(|timeline| timeline.work_moves_to(statefulset)) {
            name_subject(cluster, journal, set);
        }
        if lines.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Writes down which set is meant from here on.
fn name_subject(cluster: &Cluster, journal: &Journal, set: Reference) {
    journal.push(Fact::Subject(Subject {
        namespace: cluster.namespace.clone(),
        stateful_set: Some(set),
        ..Subject::default()
    }));
}

/// The error of a set that was named and never there; it names those that were.
#[must_use]
pub fn never_appeared(name: &str, namespace: &str, timeline: &Timeline) -> Failure {
    let seen: Vec<&str> = timeline.known_sets().collect();
    let what = format!(
        "StatefulSet {} never appeared in namespace {} while it was recorded",
        sanitize(name),
        sanitize(namespace)
    );
    let next = match &seen[..] {
        [] => "Record while you apply it, or check the namespace (`-n`).".to_owned(),
        seen => format!(
            "There were: {}. `stsgrade judge --statefulset NAME FILE` judges one of them.",
            sanitize(&seen.join(", "))
        ),
    };
    Failure::new("no_such_statefulset", what, next)
}

fn one_set_at_most(journal: &Journal, namespace: &str) -> Result<(), Failure> {
    let names: Vec<String> =
        journal.with(|timeline| timeline.sets().map(|it| it.name.clone()).collect());
    if names.len() < 2 {
        return Ok(());
    }
    Err(Failure::new(
        "several_statefulsets",
        format!(
            "namespace {} holds several StatefulSets: {}",
            sanitize(namespace),
            sanitize(&names.join(", "))
        ),
        "Say which one is meant with `--statefulset NAME`.",
    ))
}
