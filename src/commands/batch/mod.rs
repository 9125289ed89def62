//! `stsgrade batch`: many hand-ins, each graded as if it were alone, on as many clusters as there
//! are.

mod gradebooks;
mod grader;
mod in_cluster;
mod input;
mod judge;
mod keeper;
mod leftovers;
mod progress_line;
mod reports;
mod run_record;
mod settings;
mod work;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use tokio::sync::OnceCell;

use crate::{
    batch::{
        engine,
        engine::{Limits, Task, Work},
        handin::HandIn,
        input::Class,
        overview,
        results::{HandInResult, ResultStore},
        roster::Student,
    },
    cli,
    cluster::{Cluster, Failure, Interrupt, Signal, grade::permissions, isolation::PodSecurity},
    commands::{
        batch::{
            grader::Grader, input::ToDo, keeper::Keeper, progress_line::ProgressLine,
            run_record::RunFolder, settings::Settings,
        },
        fail, rubric,
        run_files::is_one_place,
        session::{Early, block_on, connect, exit_of_signal, listen},
        tell,
    },
    console::{count::counted, progress::Progress, sanitize::sanitize, terminal::Colour},
    exit::Exit,
    remedy::shell_word_or,
};

/// How much longer than its grade an attempt may take: it makes and removes the namespace.
const BEYOND_THE_GRADE: Duration = Duration::from_secs(180);
/// How long no cluster may answer before the run ends with what it has.
const GIVE_UP: Duration = Duration::from_secs(600);
/// What to do after a run that did not grade all.
const RUN_AGAIN: &str = "Run the same command again: it goes on where this one stopped.";

pub(super) fn run(args: &cli::Batch) -> Exit {
    match &args.command {
        Some(cli::BatchCommand::Judge(args)) => return judge::run(args),
        Some(cli::BatchCommand::Work(args)) => return work::run(args),
        None => {}
    }
    // Before anything is made.
    if let Err(failure) = args.rubric.as_deref().map(rubric::read).transpose() {
        return fail(&failure);
    }
    if args.clean && !RunFolder::holds_run(output(args)) {
        let folder = sanitize(&output(args).display().to_string());
        return fail(&Failure::new(
            "batch_folder",
            format!("the folder {folder} holds no run"),
            "Name the folder of the run that is to be cleaned up by `-o DIR`.",
        ));
    }
    let folders = args.hand_ins.as_ref().zip(args.output.as_ref());
    if folders.is_some_and(|(hand_ins, results)| is_one_place(hand_ins, results)) {
        fail(&Failure::new(
            "batch_folder",
            "the results would lie among the hand-ins",
            "Name another folder by `-o DIR`.",
        ));
        return Exit::Usage;
    }
    let progress = Progress::to_stderr(args.quiet, Colour::Auto);
    block_on(async {
        let done = match (args.print, args.in_cluster) {
            (true, _) => in_cluster::print(args).await,
            (_, true) => in_cluster::batch(args, &progress).await,
            _ => batch(args, &progress).await,
        };
        match done {
            Ok(exit) => exit,
            Err(early) => early.exit(),
        }
    })
}

/// The folder of results, which the command line demands.
fn output(args: &cli::Batch) -> &Path {
    args.output.as_deref().unwrap_or(Path::new("."))
}

async fn batch(args: &cli::Batch, progress: &Progress) -> Result<Exit, Early> {
    let interrupt = listen()?;
    if args.dry_run {
        let clusters = match &args.namespaces {
            Some(_) => connect_all(args, &interrupt, progress).await?,
            None => vec![],
        };
        let class = input::read(args, &clusters).await?;
        return Ok(input::list(class, args.output.as_deref()));
    }
    let (folder, store) = open(args)?;
    let clusters = connect_all(args, &interrupt, progress).await?;
    if !args.clean {
        leftovers::refuse_while_a_job_stands(&clusters, &folder.record.run).await?;
    }
    leftovers::delete_and_say(&clusters, &folder.record.run, progress).await;
    if args.clean {
        let is_clean = leftovers::remove(&clusters, &folder.record.run, progress).await;
        return Ok(if is_clean { Exit::Good } else { Exit::NotRestored });
    }
    let settings = settings(args, &folder.path, &store)?;
    let keeper =
        Keeper::new(&folder.path, store, reports::formats(args), settings.rubric()?, progress);
    let class = read(args, &clusters, &keeper, progress).await?;
    check_permissions(&class, &clusters, &folder.record.run, args.probe_image.is_some()).await?;
    let all = class.hand_ins.len();
    let tasks = to_do(args, class.hand_ins, &keeper, &clusters, progress)?;
    let before = all - tasks.len();
    let grader = Grader {
        dns: clusters.iter().map(|_| OnceCell::new()).collect(),
        clusters,
        run: folder.record.run.clone(),
        budget: args.timeout,
        level: args.pod_security.into(),
        probe_image: args.probe_image.clone(),
        statefulset: args.statefulset.clone(),
        keeper,
        interrupt: Interrupt::never(),
        progress,
        namespaces: RefCell::new(BTreeMap::new()),
    };
    let line = ProgressLine::new(progress, before);
    let left = work_off(args.jobs, &grader, &grader, tasks, &interrupt, &line).await;
    progress.clear();
    let exit = end(args, &grader, left, &interrupt, progress).await?;
    finish(&settings, &folder.path, &grader.keeper, class.missing, progress)?;
    Ok(exit)
}

/// Asks each cluster whether it lets the class be graded, before anything is made.
async fn check_permissions(
    class: &Class,
    clusters: &[Cluster],
    run: &str,
    probes: bool,
) -> Result<(), Failure> {
    let mut kinds = BTreeSet::new();
    for hand_in in &class.hand_ins {
        if let Some(submission) = hand_in.submission() {
            kinds.extend(submission.objects.iter().map(|it| it.kind.names().2));
        }
    }
    if kinds.is_empty() {
        return Ok(());
    }
    for cluster in clusters {
        permissions::batch_permissions(cluster, run, &kinds, probes).await.map_err(|failure| {
            let context = sanitize(&cluster.context);
            Failure { what: format!("context {context}: {}", failure.what), ..failure }
        })?;
    }
    Ok(())
}

/// What the run is told, and was told before; kept from now on.
fn settings(args: &cli::Batch, folder: &Path, store: &ResultStore) -> Result<Settings, Failure> {
    settings::refuse_second_rubric(args.rubric.as_deref(), folder, store)?;
    settings::keep_roster(args.roster.as_deref(), folder)?;
    Settings::of(folder, &args.book, args.rubric.as_deref())
}

/// All hand-ins, by the ids that they have in the results; prints the notes on them.
async fn read(
    args: &cli::Batch,
    clusters: &[Cluster],
    keeper: &Keeper<'_>,
    progress: &Progress,
) -> Result<Class, Failure> {
    let mut class = input::read(args, clusters).await?;
    let has_roster = settings::has_roster(args.roster.as_deref(), output(args));
    let gone = keeper.join(&mut class.hand_ins, has_roster).map_err(|error| not_kept(&error))?;
    class.notes.extend(gone);
    class.notes.iter().for_each(|note| progress.say(&format!("note: {note}")));
    Ok(class)
}

/// The hand-ins that are left to grade; says how many have a result.
fn to_do(
    args: &cli::Batch,
    hand_ins: Vec<HandIn>,
    keeper: &Keeper<'_>,
    clusters: &[Cluster],
    progress: &Progress,
) -> Result<Vec<Task<HandIn>>, Failure> {
    let all = hand_ins.len();
    let ToDo { tasks, notes } = keeper.to_do(args, hand_ins, clusters)?;
    notes.iter().for_each(|note| progress.say(&format!("note: {note}")));
    if tasks.len() < all {
        let before = all - tasks.len();
        progress.say(&format!(
            "{before} of {all} have a result already, or are not asked for (`--again undecided` takes \
             up what is held or undecided)"
        ));
    }
    Ok(tasks)
}

/// Writes the gradebooks, and says where everything is.
fn finish(
    settings: &Settings,
    folder: &Path,
    keeper: &Keeper<'_>,
    mut missing: Vec<Student>,
    progress: &Progress,
) -> Result<(), Failure> {
    let results = keeper.results();
    gradebooks::retain_missing(&mut missing, &results);
    gradebooks::write(folder, settings, &results, &missing)?;
    progress.say(&overview::summary(&results, missing.len()));
    let index = folder.join("index.html");
    progress.say(&format!("results: {}", sanitize(&index.display().to_string())));
    Ok(())
}

/// The folder of results, and those in it.
fn open(args: &cli::Batch) -> Result<(RunFolder, ResultStore), Failure> {
    let folder = RunFolder::open(output(args))?;
    let store = open_results(&folder)?;
    Ok((folder, store))
}

/// The results in a folder; says what of them cannot be read.
fn open_results(folder: &RunFolder) -> Result<ResultStore, Failure> {
    let store = ResultStore::open(&folder.path).map_err(|error| not_kept(&error))?;
    if let Some((count, file)) = store.damaged_lines() {
        let file = sanitize(&file.display().to_string());
        let count = counted(count, "line", "lines");
        tell(&format!(
            "warning: {count} of the results could not be read, and stand in {file} now: those \
            hand-ins have no result\n"
        ));
    }
    Ok(store)
}

/// Grades all hand-ins, or until somebody stops it; how many got no result, or `None` if it was
/// stopped at once.
///
/// `work` is the grader, or one around it.
async fn work_off<W: Work<Item = HandIn, Output = HandInResult>>(
    jobs: usize,
    work: &W,
    grader: &Grader<'_>,
    tasks: Vec<Task<HandIn>>,
    interrupt: &Interrupt,
    line: &ProgressLine<'_>,
) -> Option<usize> {
    let progress = grader.progress;
    let limits = Limits { jobs, budget: grader.budget + BEYOND_THE_GRADE, give_up: GIVE_UP };
    let stop = async {
        tokio::select! {
            () = interrupt.first() => progress.say(
                "interrupted: what runs is finished (once more: it is broken off)",
            ),
            () = grader.keeper.cannot_keep() => (),
        }
    };
    let break_off = async {
        interrupt.second().await;
        progress.say("interrupted again: what runs is broken off (once more: at once)");
        grader.interrupt.raise(interrupt.signal().unwrap_or(Signal::INTERRUPT));
        interrupt.third().await;
    };
    let update = |status: &engine::Status| line.update(status);
    let sites = grader.clusters.len();
    tokio::select! {
        left = engine::run(work, tasks, sites, &limits, stop, &update) => Some(left),
        never = line.tick() => match never {},
        () = break_off => None,
    }
}

/// Removes what is left in the clusters, and says how the run ended; `left`: how many hand-ins have
/// no result, `None` if it was stopped at once.
async fn end(
    args: &cli::Batch,
    grader: &Grader<'_>,
    left: Option<usize>,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Exit, Early> {
    let folder = shell_word_or(&output(args).display().to_string(), "FOLDER");
    let Some(left) = left else {
        progress.error("error: stopped at once; namespaces of the run may be left");
        progress.error(&format!("next:  {RUN_AGAIN} Or: stsgrade batch --clean -o {folder}"));
        return Ok(Exit::NotRestored);
    };
    let is_clean = leftovers::remove(&grader.clusters, &grader.run, progress).await;
    Ok(exit_of(&grader.keeper, left, is_clean, interrupt.signal(), progress)?)
}

/// Says how the run ended, and gives its exit status; `is_clean`: nothing is left in the clusters.
fn exit_of(
    keeper: &Keeper<'_>,
    left: usize,
    is_clean: bool,
    stopped_by: Option<Signal>,
    progress: &Progress,
) -> Result<Exit, Failure> {
    keeper.compact().map_err(|error| not_kept(&error))?;
    if let Some(signal) = stopped_by {
        progress.say(&format!("{}. {RUN_AGAIN}", not_graded(left)));
        return Ok(if is_clean { exit_of_signal(signal) } else { Exit::NotRestored });
    }
    if left > 0 {
        progress.error(&format!("error: {}", not_graded(left)));
        progress.error(&format!("next:  {RUN_AGAIN}"));
        return Ok(Exit::CouldNot);
    }
    Ok(if !is_clean {
        Exit::NotRestored
    } else if keeper.results().iter().all(HandInResult::is_decided) {
        Exit::Good
    } else {
        Exit::Undecided
    })
}

fn not_graded(count: usize) -> String {
    counted(count, "hand-in is not graded", "hand-ins are not graded")
}

/// Connects to every cluster.
async fn connect_all(
    args: &cli::Batch,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Vec<Cluster>, Early> {
    let mut clusters = vec![];
    let contexts: Vec<Option<String>> = match args.context.as_slice() {
        [] => vec![None],
        named => named.iter().cloned().map(Some).collect(),
    };
    for context in contexts {
        let target = cli::Target { namespace: None, context, kubeconfig: args.kubeconfig.clone() };
        let cluster = connect(&target, interrupt, progress).await?;
        progress.say(&format!(
            "context {}, cluster {} ({})",
            sanitize(&cluster.context),
            sanitize(&cluster.server),
            sanitize(cluster.version_text())
        ));
        clusters.push(cluster);
    }
    Ok(clusters)
}

/// The results cannot be kept.
fn not_kept(error: &std::io::Error) -> Failure {
    Failure::new(
        "batch_folder",
        format!("the results cannot be kept: {error}"),
        "Make room where `-o` is, and run it again.",
    )
}

impl From<cli::Level> for PodSecurity {
    fn from(level: cli::Level) -> Self {
        match level {
            cli::Level::Baseline => Self::Baseline,
            cli::Level::Restricted => Self::Restricted,
        }
    }
}
