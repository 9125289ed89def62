//! `stsgrade batch --in-cluster`: the cluster works off the batch, and this command sends the
//! hand-ins and collects what came of them.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::{
    batch::{
        handin::HandIn,
        share::{self, Share, UnpackError},
    },
    cli,
    cluster::{
        Failure, Interrupt,
        client::failure_id,
        isolation,
        workers::{JobState, WorkerOptions, Workers, objects},
    },
    commands::{
        batch::{
            GIVE_UP, connect_all, exit_of, finish, input, keeper::Keeper, leftovers, open, output,
            read, reports, settings, to_do,
        },
        session::{Early, exit_of_signal, listen},
        show,
    },
    console::{count::counted, progress::Progress, sanitize::sanitize},
    exit::Exit,
    remedy::shell_word_or,
};

/// Between two looks at the cluster.
const LOOK_PAUSE: Duration = Duration::from_secs(2);
/// How long it may take until a worker starts, unless Kueue decides when.
const FIRST_START_WITHIN: Duration = Duration::from_secs(300);
/// How many hand-ins a worker gets, unless `--workers` says otherwise.
const HAND_INS_PER_WORKER: usize = 50;

/// Prints what would be created, the shares left out: they hold the students' work.
pub(super) async fn print(args: &cli::Batch) -> Result<Exit, Early> {
    let count = match &args.hand_ins {
        Some(_) => input::read(args, &[]).await?.hand_ins.len(),
        None => 1,
    };
    let page = objects::yaml(&isolation::new_run()?, &options(args, count));
    Ok(show(page.as_bytes()))
}

fn options(args: &cli::Batch, hand_ins: usize) -> WorkerOptions {
    let workers = args.workers.unwrap_or_else(|| hand_ins.div_ceil(HAND_INS_PER_WORKER));
    WorkerOptions {
        image: args.image.clone().unwrap_or_default(),
        workers: workers.min(share::most_workers(hand_ins, args.jobs)),
        queue: args.queue.clone(),
    }
}

pub(super) async fn batch(args: &cli::Batch, progress: &Progress) -> Result<Exit, Early> {
    let interrupt = listen()?;
    let (folder, store) = open(args)?;
    let clusters = connect_all(args, &interrupt, progress).await?;
    let [cluster] = clusters.as_slice() else {
        return Err(Early::Failed(Failure::new(
            "usage",
            "`--in-cluster` works on one cluster",
            "Name one `--context`.",
        )));
    };
    let workers = Workers::of(cluster, &folder.record.run);
    let has_job = workers.exist().await?;
    if has_job && settings::is_another_rubric(args.rubric.as_deref(), &folder.path)? {
        return Err(Early::Failed(Failure::new(
            "rubric",
            "the Job of this run grades by another rubric",
            "Collect its results by the same command without `--rubric`, and give the other rubric \
            after that.",
        )));
    }
    let settings = super::settings(args, &folder.path, &store)?;
    let formats = reports::formats(args);
    let keeper = Keeper::new(&folder.path, store, formats, settings.rubric()?, progress);
    let coordinator = Coordinator {
        args,
        rubric: settings.rubric.clone(),
        workers,
        keeper,
        progress,
        received: Cell::new(0),
        warnings: RefCell::default(),
    };
    if has_job {
        progress.say("the Job of this run stands already: its results are collected");
        if let Some(exit) = coordinator.collect(None, &interrupt).await? {
            return Ok(exit);
        }
    }
    // Workers that died have left namespaces, and a Job that has ended has left its own.
    leftovers::remove(&clusters, &folder.record.run, progress).await;
    let class = read(args, &clusters, &coordinator.keeper, progress).await?;
    let tasks = to_do(args, class.hand_ins, &coordinator.keeper, &clusters, progress)?;
    let hand_ins = tasks.into_iter().map(|it| it.item).collect();
    let hand_ins = coordinator.keep_what_no_worker_grades(hand_ins);
    let mut left = 0;
    if !hand_ins.is_empty() {
        left = hand_ins.len();
        coordinator.start(hand_ins).await?;
        if let Some(exit) = coordinator.collect(Some(left), &interrupt).await? {
            return Ok(exit);
        }
        left = left.saturating_sub(coordinator.received.get());
    }
    let is_clean = leftovers::remove(&clusters, &folder.record.run, progress).await;
    let exit = exit_of(&coordinator.keeper, left, is_clean, None, progress)?;
    finish(&settings, &folder.path, &coordinator.keeper, class.missing, progress)?;
    Ok(exit)
}

/// The instructor's side of a batch in the cluster.
struct Coordinator<'a> {
    args: &'a cli::Batch,
    /// The text of the rubric.
    rubric: Option<String>,
    workers: Workers,
    keeper: Keeper<'a>,
    progress: &'a Progress,
    /// How many results were received since the Job began.
    received: Cell<usize>,
    /// The warnings that were printed, each once.
    warnings: RefCell<BTreeSet<String>>,
}

impl Coordinator<'_> {
    /// Keeps the results of hand-ins that need no cluster, and gives the others.
    fn keep_what_no_worker_grades(&self, mut hand_ins: Vec<HandIn>) -> Vec<HandIn> {
        hand_ins.retain(|hand_in| {
            let result = self.keeper.without_cluster(hand_in);
            if let Some(result) = &result {
                self.keeper.keep_graded(result);
            }
            result.is_none()
        });
        hand_ins
    }

    /// Sends the hand-ins, and starts the Job.
    async fn start(&self, hand_ins: Vec<HandIn>) -> Result<(), Failure> {
        let args = self.args;
        let all = hand_ins.len();
        let options = options(args, all);
        let share = Share {
            hand_ins,
            jobs: args.jobs,
            budget_seconds: args.timeout.as_secs(),
            restricted: args.pod_security == cli::Level::Restricted,
            probe_image: args.probe_image.clone(),
            statefulset: args.statefulset.clone(),
            formats: reports::formats(args),
            rubric: self.rubric.clone(),
        };
        let encoded: Result<Vec<_>, _> =
            share.split(options.workers).iter().map(Share::encode).collect();
        let shares = encoded.map_err(|error| {
            Failure::new("batch_share", error.to_string(), "Report this as a bug.")
        })?;
        self.workers.create(&options, &shares).await?;
        self.received.set(0);
        self.progress.say(&format!(
            "namespace {}: {} {}",
            self.workers.namespace(),
            counted(options.workers, "worker grades", "workers grade"),
            counted(all, "hand-in", "hand-ins")
        ));
        Ok(())
    }

    /// Collects results until the Job has ended; how this command ends, where somebody stopped it
    /// before.
    async fn collect(
        &self,
        all: Option<usize>,
        interrupt: &Interrupt,
    ) -> Result<Option<Exit>, Failure> {
        let began = Instant::now();
        let (mut answered, mut has_started) = (Instant::now(), false);
        loop {
            let looked = tokio::select! {
                looked = self.look() => looked,
                () = interrupt.first() => return Ok(Some(self.leave(interrupt))),
                () = self.keeper.cannot_keep() => return Ok(Some(Exit::CouldNot)),
            };
            match looked {
                Ok((state, waiting)) => {
                    answered = Instant::now();
                    has_started |= state.succeeded > 0 || self.received.get() > 0;
                    has_started |= state.running > 0 && state.troubles.is_empty();
                    self.show_state(&state, all);
                    if state.has_ended && waiting == 0 {
                        self.progress.clear();
                        return Ok(None);
                    }
                    if !has_started && !state.is_suspended && began.elapsed() > FIRST_START_WITHIN {
                        return Err(self.never_started(&state));
                    }
                }
                // After a longer time nobody knows whether the workers go on.
                Err(failure) if failure.may_pass() && answered.elapsed() < GIVE_UP => {
                    self.progress.status(&format!("{failure}; asked again"));
                }
                Err(failure) => return Err(failure),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_PAUSE) => (),
                () = interrupt.first() => return Ok(Some(self.leave(interrupt))),
            }
        }
    }

    /// Collects the results that are there; how far the Job is, and how many results could not be
    /// collected yet.
    ///
    /// The state is asked for first: a Job that has ended leaves no more results.
    async fn look(&self) -> Result<(JobState, usize), Failure> {
        let state = self.workers.state().await?;
        let mut waiting = 0;
        for parcel in self.workers.results().await? {
            if !parcel.is_received && !self.receive(&parcel.key).await? {
                waiting += 1;
            }
        }
        Ok((state, waiting))
    }

    /// Collects one result; false if it must be collected again.
    async fn receive(&self, id: &str) -> Result<bool, Failure> {
        let bytes = match self.workers.result(id).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(true),
            // It will not become whole: the next run grades that hand-in again.
            Err(failure) if failure.id == failure_id::PARCEL_BROKEN => {
                self.progress.error(&format!("error: {failure}"));
                self.workers.mark_received(id).await?;
                return Ok(true);
            }
            Err(failure) => return Err(failure),
        };
        let folder = self.keeper.folder_of(id);
        match share::unpack(&bytes, id, &folder) {
            Ok(result) if self.keeper.keep(&result) => self.received.update(|it| it + 1),
            Ok(_) => return Ok(false),
            // It is collected by the next run: the cluster has the only copy.
            Err(UnpackError::NotWritten(error)) => {
                self.keeper.stop_keeping();
                let id = sanitize(id);
                self.progress.error(&format!("error: what came of {id} cannot be kept: {error}"));
                return Ok(false);
            }
            Err(UnpackError::Invalid(error)) => {
                let id = sanitize(id);
                self.progress.error(&format!("error: what came of {id} is unreadable: {error}"));
            }
        }
        self.workers.mark_received(id).await?;
        Ok(true)
    }

    fn show_state(&self, state: &JobState, all: Option<usize>) {
        for trouble in &state.troubles {
            if self.warnings.borrow_mut().insert(trouble.clone()) {
                self.progress.say(&format!("warning: {trouble}"));
            }
        }
        let of = all.map(|it| format!("/{it}")).unwrap_or_default();
        let waits = if state.is_suspended { ", waiting to be admitted" } else { "" };
        let running = counted(state.running, "worker runs", "workers run");
        let received = self.received.get();
        self.progress.status(&format!("{received}{of} collected, {running}{waits}"));
    }

    /// Says that the Job goes on without this command.
    fn leave(&self, interrupt: &Interrupt) -> Exit {
        self.progress.clear();
        let folder = shell_word_or(&output(self.args).display().to_string(), "FOLDER");
        self.progress.say(&format!(
            "interrupted: the Job goes on in namespace {}. Run the same command again to collect \
            its results, or end it by: stsgrade batch --clean -o {folder}",
            self.workers.namespace()
        ));
        interrupt.signal().map_or(Exit::CouldNot, exit_of_signal)
    }

    fn never_started(&self, state: &JobState) -> Failure {
        let folder = shell_word_or(&output(self.args).display().to_string(), "FOLDER");
        let mut failure = Failure::new(
            "workers",
            format!("no worker has started for {} s", FIRST_START_WITHIN.as_secs()),
            format!(
                "Correct what it says (`--image`, the cluster's room), remove the Job by \
                `stsgrade batch --clean -o {folder}`, and run the same command again."
            ),
        );
        failure.detail.clone_from(&state.troubles);
        failure
    }
}
