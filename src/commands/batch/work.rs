//! `stsgrade batch work`: one worker of a batch that runs in the cluster.

use std::{cell::RefCell, collections::BTreeMap, io, path::Path, time::Duration};

use tokio::sync::{OnceCell, mpsc};

use crate::{
    batch::{
        engine::{Attempt, BrokenOff, Gauge, Task, Work},
        handin::HandIn,
        results::{HandInResult, ResultStore},
        share::{self, Share},
    },
    cli,
    cluster::{
        Cluster, Failure, Interrupt,
        client::failure_id,
        isolation,
        isolation::PodSecurity,
        workers::{WorkerPod, Workers},
    },
    commands::{
        batch::{grader::Grader, keeper::Keeper, not_kept, progress_line::ProgressLine, work_off},
        session::{Early, block_on, connect, exit_of_signal, listen},
    },
    console::{progress::Progress, terminal::Colour},
    exit::Exit,
    recording::state_folder,
    rubric::Rubric,
};

/// Between two tries to send a result to an API server that does not answer.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// How often a result is sent to an API server that does not answer: for ten minutes.
const MAX_TRIES: u32 = 120;

pub(super) fn run(args: &cli::BatchWork) -> Exit {
    let progress = Progress::to_stderr(false, Colour::Auto);
    block_on(async {
        match work(args, &progress).await {
            Ok(exit) => exit,
            Err(early) => early.exit(),
        }
    })
}

async fn work(args: &cli::BatchWork, progress: &Progress) -> Result<Exit, Early> {
    let interrupt = listen()?;
    let target = cli::Target { namespace: None, context: None, kubeconfig: None };
    let cluster = connect(&target, &interrupt, progress).await?;
    let workers = Workers::of(&cluster, &args.run);
    let mut share = read(&workers, args.share).await?;
    let sent = workers.results().await?;
    share.hand_ins.retain(|it| !sent.iter().any(|parcel| parcel.key == it.id.as_str()));
    let ids: Vec<&str> = share.hand_ins.iter().map(|it| it.id.as_str()).collect();
    isolation::delete_hand_ins(&cluster, &args.run, &ids).await?;
    let folder = state_folder().map_err(|error| not_kept(&error))?.join("batch");
    std::fs::create_dir_all(&folder).map_err(|error| not_kept(&error))?;
    let grader = grader(cluster, &share, &args.run, &folder, progress)?;
    let (sender, kept) = mpsc::unbounded_channel();
    let sending = Sending { grader: &grader, sender };
    let tasks = share.hand_ins.into_iter().map(|item| Task { item, site: None }).collect();
    let line = ProgressLine::new(progress, sent.len());
    let pod = WorkerPod { name: args.pod.clone(), uid: args.pod_uid.clone() };
    let to = ResultSender { workers: &workers, pod };
    let work = async {
        let left = work_off(share.jobs, &sending, &grader, tasks, &interrupt, &line).await;
        drop(sending);
        left
    };
    let (left, unsent) = tokio::join!(work, send_all(&to, &folder, kept, progress));
    progress.clear();
    if let Some(signal) = interrupt.signal() {
        return Ok(exit_of_signal(signal));
    }
    Ok(if left == Some(0) && unsent == 0 { Exit::Good } else { Exit::CouldNot })
}

async fn read(workers: &Workers, index: usize) -> Result<Share, Failure> {
    Share::decode(&workers.share(index).await?).map_err(|error| {
        let next = "Use an image of the same version as the command that made the Job.";
        Failure::new("batch_share", format!("share {index} cannot be read: {error}"), next)
    })
}

/// The grader of a share.
fn grader<'a>(
    cluster: Cluster,
    share: &Share,
    run: &str,
    folder: &Path,
    progress: &'a Progress,
) -> Result<Grader<'a>, Failure> {
    let store = ResultStore::open(folder).map_err(|error| not_kept(&error))?;
    let rubric = share.rubric.as_deref().map(Rubric::parse).transpose();
    let rubric = rubric
        .map_err(|error| Failure::new("rubric", error.what, "Correct the rubric."))?
        .unwrap_or_default();
    Ok(Grader {
        clusters: vec![cluster],
        dns: vec![OnceCell::new()],
        run: run.to_owned(),
        budget: Duration::from_secs(share.budget_seconds),
        level: if share.restricted { PodSecurity::Restricted } else { PodSecurity::Baseline },
        probe_image: share.probe_image.clone(),
        statefulset: share.statefulset.clone(),
        keeper: Keeper::new(folder, store, share.formats.clone(), rubric, progress),
        interrupt: Interrupt::never(),
        progress,
        namespaces: RefCell::new(BTreeMap::new()),
    })
}

/// A grader of which each result is sent as soon as it counts.
struct Sending<'a> {
    grader: &'a Grader<'a>,
    sender: mpsc::UnboundedSender<HandInResult>,
}

impl Work for Sending<'_> {
    type Item = HandIn;
    type Output = HandInResult;

    async fn run(&self, site: usize, hand_in: &HandIn, gauge: &Gauge<'_>) -> Attempt<HandInResult> {
        self.grader.run(site, hand_in, gauge).await
    }

    async fn broken_off(
        &self,
        site: usize,
        hand_in: &HandIn,
        why: BrokenOff,
    ) -> Attempt<HandInResult> {
        self.grader.broken_off(site, hand_in, why).await
    }

    fn keep(&self, hand_in: &HandIn, result: HandInResult) {
        self.grader.keep(hand_in, result.clone());
        // `send_all` receives until this sender is dropped.
        let _ = self.sender.send(result);
    }

    async fn answers(&self, site: usize) -> bool {
        self.grader.answers(site).await
    }
}

/// Sends results from the pod of this worker.
struct ResultSender<'a> {
    workers: &'a Workers,
    pod: WorkerPod,
}

/// Sends every result until no more come; how many could not be sent.
async fn send_all(
    to: &ResultSender<'_>,
    folder: &Path,
    mut kept: mpsc::UnboundedReceiver<HandInResult>,
    progress: &Progress,
) -> usize {
    let mut unsent = 0;
    while let Some(result) = kept.recv().await {
        if let Err(failure) = send(to, folder, &result).await {
            unsent += 1;
            progress.error(&format!("error: {}: {failure}", result.id));
        }
    }
    unsent
}

/// Sends a result with its files; without them, where they are too many for the API server.
async fn send(to: &ResultSender<'_>, folder: &Path, result: &HandInResult) -> Result<(), Failure> {
    let files = folder.join(&result.id);
    let sent = send_parcel(to, &result.id, share::pack(Some(&files), result)).await;
    match sent {
        Err(failure) if failure.id == failure_id::PARCEL_TOO_LARGE => {
            send_parcel(to, &result.id, share::pack(None, result)).await
        }
        sent => sent,
    }
}

async fn send_parcel(
    to: &ResultSender<'_>,
    id: &str,
    parcel: io::Result<Vec<u8>>,
) -> Result<(), Failure> {
    let parcel = parcel.map_err(|error| not_kept(&error))?;
    for _ in 1..MAX_TRIES {
        match to.workers.send(&to.pod, id, &parcel).await {
            Err(failure) if failure.may_pass() => tokio::time::sleep(RETRY_PAUSE).await,
            sent => return sent,
        }
    }
    to.workers.send(&to.pod, id, &parcel).await
}
