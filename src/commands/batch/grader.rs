//! Grading one hand-in, as the engine of a batch asks for it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    fs,
    path::Path,
    time::Duration,
};

use checks::model::{Fact, PodLife, diagnosis::lacks_room};
use tokio::sync::OnceCell;

use crate::{
    batch::{
        engine::{Attempt, BrokenOff, Gauge, SiteSignal, Work},
        handin::{Content, HandIn},
        result_files::{RECORDING, compressed_recording},
        results::{ClusterTrouble, HandInResult},
    },
    cluster::{
        Cluster, Failure, Interrupt, Journal,
        client::failure_id,
        grade::{Grade, GradeRequest},
        isolation,
        isolation::{DnsRule, IsolatedNamespace, PodSecurity},
    },
    commands::{batch::keeper::Keeper, outputs},
    console::{progress::Progress, sanitize::sanitize},
    recording::{AskedOptions, Header, Writer, signature::Key},
    report::{Kept, Report, Source},
    submission::{Submission, texts::file_name},
};

/// What all grades of a batch have in common.
pub(super) struct Grader<'a> {
    /// The clusters.
    pub(super) clusters: Vec<Cluster>,
    /// Where the DNS of each is, once it is asked for.
    pub(super) dns: Vec<OnceCell<DnsRule>>,
    /// The id of the run.
    pub(super) run: String,
    /// The time for one grade.
    pub(super) budget: Duration,
    pub(super) level: PodSecurity,
    pub(super) probe_image: Option<String>,
    pub(super) statefulset: Option<String>,
    /// Where the results go.
    pub(super) keeper: Keeper<'a>,
    /// Stops all grades.
    pub(super) interrupt: Interrupt,
    pub(super) progress: &'a Progress,
    /// By hand-in: the namespace in which it is being graded.
    pub(super) namespaces: RefCell<BTreeMap<String, IsolatedNamespace>>,
}

impl Work for Grader<'_> {
    type Item = HandIn;
    type Output = HandInResult;

    async fn run(&self, site: usize, hand_in: &HandIn, gauge: &Gauge<'_>) -> Attempt<HandInResult> {
        self.keeper.begin(hand_in.id.as_str());
        if let Some(result) = self.keeper.without_cluster(hand_in) {
            return Attempt::Done(result);
        }
        let cluster = &self.clusters[site];
        match &hand_in.content {
            Content::Manifests(_) => match hand_in.submission() {
                Some(submission) => self.grade_isolated(site, hand_in, &submission, gauge).await,
                None => self.failed(hand_in, &other_version()),
            },
            Content::Namespace { namespace, .. } => {
                let inside = cluster.beside_others(namespace);
                let attempt = self.grade(&inside, hand_in, None, gauge).await;
                inside.end_beside_others();
                attempt
            }
            // These need no cluster.
            Content::Unreadable { problem, .. } | Content::Held(problem) => {
                Attempt::Done(HandInResult::held(hand_in, problem))
            }
        }
    }

    async fn broken_off(
        &self,
        site: usize,
        hand_in: &HandIn,
        why: BrokenOff,
    ) -> Attempt<HandInResult> {
        self.remove(&self.clusters[site], hand_in).await;
        let failure = match why {
            BrokenOff::OutOfTime => Failure::new(
                failure_id::TIMEOUT,
                "the grade used up its time",
                "Grade it again with a longer `--timeout`.",
            ),
            BrokenOff::Panic(words) => Failure::new(
                "crashed",
                format!("stsgrade itself failed: {}", sanitize(&words)),
                "Report this as a bug.",
            ),
        };
        self.failed(hand_in, &failure)
    }

    fn keep(&self, _: &HandIn, result: HandInResult) {
        self.keeper.keep_graded(&result);
    }

    async fn answers(&self, site: usize) -> bool {
        isolation::answers(&self.clusters[site]).await
    }
}

impl Grader<'_> {
    /// Grades manifests in a namespace that is made for them and deleted after it.
    async fn grade_isolated(
        &self,
        site: usize,
        hand_in: &HandIn,
        submission: &Submission,
        gauge: &Gauge<'_>,
    ) -> Attempt<HandInResult> {
        let (cluster, id) = (&self.clusters[site], hand_in.id.as_str());
        let dns = self.dns[site].get_or_init(|| isolation::dns_rule(cluster)).await;
        let made =
            IsolatedNamespace::create(cluster, &self.run, id, self.level, submission, dns).await;
        let (namespace, isolated) = match made {
            Ok(made) => made,
            Err(failure) => return self.failed(hand_in, &failure),
        };
        let inside = cluster.beside_others(&namespace.name);
        self.namespaces.borrow_mut().insert(id.to_owned(), namespace);
        let attempt = self.grade(&inside, hand_in, Some(isolated), gauge).await;
        inside.end_beside_others();
        self.remove(cluster, hand_in).await;
        attempt
    }

    /// Deletes the namespace in which a hand-in was graded. What cannot be deleted now is found by
    /// its label in the end.
    async fn remove(&self, cluster: &Cluster, hand_in: &HandIn) {
        let namespace = self.namespaces.borrow_mut().remove(hand_in.id.as_str());
        if let Some(namespace) = namespace {
            let _ = namespace.delete(cluster).await;
        }
    }

    async fn grade(
        &self,
        cluster: &Cluster,
        hand_in: &HandIn,
        submission: Option<Submission>,
        gauge: &Gauge<'_>,
    ) -> Attempt<HandInResult> {
        let is_isolated = submission.is_some();
        let asked = self.asked_options(submission.as_ref());
        let header = Header::now(cluster.version_text(), &cluster.namespace, asked);
        let path = self.keeper.file_path(hand_in.id.as_str(), RECORDING);
        // An attempt that was broken off may hold the file for a moment longer: it keeps its own.
        let _ = fs::remove_file(&path);
        let writer = match Writer::create(&path, &header) {
            Ok(writer) => writer,
            Err(error) => return self.unrecorded(hand_in, &error),
        };
        self.keeper.has_made(hand_in.id.as_str(), RECORDING);
        let journal = Journal::start(writer);
        let request = GradeRequest {
            statefulset: self.statefulset.clone(),
            timeout: Some(self.budget),
            submission,
            probe_image: self.probe_image.clone(),
            ..GradeRequest::default()
        };
        let graded = tokio::select! {
            graded = Grade::run(cluster, &journal, &request, &self.interrupt, &|_| (), &|_| ()) => graded,
            never = signals(cluster, &journal, gauge) => match never {},
        };
        if self.interrupt.signal().is_some() {
            if let Ok(grade) = graded {
                self.end(grade, is_isolated, hand_in).await;
            }
            return Attempt::Stopped;
        }
        match graded {
            Err(failure) if failure.is_in_the_manifest() => {
                if journal.with(|it| it.refusal().is_some()) {
                    return self.judged(hand_in, &header, &journal);
                }
                let objects = header.asked.objects.clone();
                Attempt::Done(self.keeper.refused(hand_in, &outputs::problem(&failure), objects))
            }
            Err(failure) => self.failed(hand_in, &failure),
            Ok(grade) => {
                let result = self.judged(hand_in, &header, &journal);
                self.end(grade, is_isolated, hand_in).await;
                result
            }
        }
    }

    /// No recording can be written, so nothing more is begun.
    fn unrecorded(&self, hand_in: &HandIn, error: &dyn Display) -> Attempt<HandInResult> {
        self.keeper.stop_keeping();
        let next = "Make room where `-o` is, and run it again.";
        self.failed(hand_in, &Failure::new("recording_file", sanitize(&error.to_string()), next))
    }

    /// Puts back what was changed, unless the namespace is deleted anyway.
    async fn end(&self, grade: Grade<'_>, is_isolated: bool, hand_in: &HandIn) {
        if is_isolated {
            grade.end_without_restoring().await;
            return;
        }
        let restored = grade.restore().await;
        for left in &restored.left {
            let name = sanitize(&hand_in.owner.name);
            self.progress.error(&format!("warning: {name}: left: {}", sanitize(left)));
        }
        for told in restored.not_restorable.iter().chain(&restored.notes) {
            let name = sanitize(&hand_in.owner.name);
            self.progress.say(&format!("note: {name}: {}", sanitize(told)));
        }
    }

    fn judged(
        &self,
        hand_in: &HandIn,
        header: &Header,
        journal: &Journal,
    ) -> Attempt<HandInResult> {
        if let Some(key) = Key::from_environment() {
            journal.push(Fact::Signature(key.sign(&journal.digest())));
        }
        journal.flush();
        // Its text is read beside the recording, which is compressed by then.
        let kept = Kept::File(compressed_recording());
        let source = Source { kept, ..Source::of(header, journal.digest()) };
        journal.judged(|timeline| {
            let report = Report::of(&source, timeline).scored(&self.keeper.rubric);
            let result = self.keeper.reported(hand_in, &report, timeline);
            match ClusterTrouble::of(&report) {
                ClusterTrouble::None => {}
                ClusterTrouble::MayPass => return Attempt::Retry(result),
                ClusterTrouble::ComesAgain => return Attempt::UndecidedForGood(result),
            }
            if timeline.refusal().is_some() {
                return Attempt::Done(result);
            }
            Attempt::Done(held_where_misplaced(hand_in, &header.namespace, result))
        })
    }

    /// What a failure means for a hand-in: the cluster is away, or has trouble, or it is for a
    /// person to look at.
    fn failed(&self, hand_in: &HandIn, failure: &Failure) -> Attempt<HandInResult> {
        let result = HandInResult::held(hand_in, &outputs::problem(failure));
        match failure.id {
            failure_id::NO_SERVER
            | failure_id::NO_ANSWER
            | failure_id::CONNECTION
            | failure_id::CONNECTION_LOST => Attempt::SiteDown(result),
            failure_id::QUOTA
            | failure_id::CONFLICT
            | failure_id::NAMESPACE_TERMINATING
            // Somebody deletes what was made for it.
            | failure_id::NOT_FOUND
            | failure_id::NO_NAMESPACE => Attempt::Retry(result),
            _ if failure.may_pass() => Attempt::Retry(result),
            _ => Attempt::Done(result),
        }
    }

    fn asked_options(&self, submission: Option<&Submission>) -> AskedOptions {
        AskedOptions {
            command: AskedOptions::BATCH.to_owned(),
            statefulset: self.statefulset.clone(),
            filename: submission.is_some(),
            files: submission.map(files).unwrap_or_default(),
            manifests: submission.map(|it| it.digest.clone()),
            objects: submission.map(|it| it.texts(file_name)).unwrap_or_default(),
            probe_image: self.probe_image.clone(),
            timeout_seconds: Some(self.budget.as_secs()),
            ..AskedOptions::default()
        }
    }
}

/// The names of a submission's files, without their folders, which are the instructor's.
fn files(submission: &Submission) -> Vec<String> {
    let mut names = vec![];
    for manifest in &submission.objects {
        let name = file_name(Path::new(&manifest.place.file)).unwrap_or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Tells the engine what a grade sees of its cluster, for as long as it is polled.
async fn signals(
    cluster: &Cluster,
    journal: &Journal,
    gauge: &Gauge<'_>,
) -> std::convert::Infallible {
    let mut lines = journal.lines();
    let (mut ready, mut has_lacked_room) = (BTreeSet::new(), false);
    let mut throttled = cluster.requests.throttled();
    loop {
        journal.with(|timeline| {
            for pod in timeline.pods() {
                let Some(since) = pod.ready else { continue };
                if ready.insert(pod.uid().to_owned()) {
                    let took =
                        timeline.known_at(since).saturating_sub(timeline.known_at(pod.added));
                    gauge.signal(SiteSignal::Ready(Duration::from_nanos(took)));
                }
            }
            let is_waiting = |pod: &PodLife| pod.deleted.is_none() && lacks_room(pod);
            if !has_lacked_room && timeline.pods().any(is_waiting) {
                has_lacked_room = true;
                gauge.signal(SiteSignal::Unschedulable);
            }
        });
        let now = cluster.requests.throttled();
        if now > throttled {
            throttled = now;
            gauge.signal(SiteSignal::TooManyRequests);
        }
        gauge.signal(SiteSignal::Latency(cluster.requests.latency()));
        if lines.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A worker cannot read what was read when the batch began.
fn other_version() -> Failure {
    Failure::new(
        failure_id::UNREADABLE_MANIFEST,
        "this version of stsgrade does not read the manifests as the one did that began the batch",
        "Give all workers an image of the same version.",
    )
}

/// The result of a hand-in; one that loses points, and names another namespace than the one in
/// which it was graded, is for a person to look at.
fn held_where_misplaced(hand_in: &HandIn, own: &str, result: HandInResult) -> HandInResult {
    if result.points >= result.possible {
        return result;
    }
    let Some(submission) = hand_in.submission() else { return result };
    let Some(namespace) = isolation::named_namespace(&submission, own) else { return result };
    HandInResult::held(hand_in, &outputs::problem(&isolation::names_a_namespace(&namespace)))
}
