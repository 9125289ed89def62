//! The command line: flags as kubectl's where kubectl has them.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{
    Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
    builder::{OsStringValueParser, TypedValueParser},
    error::ErrorKind,
};

use crate::{
    batch::roster, console::sanitize::sanitize, console::terminal::Colour, exit, report::Format,
};

/// Grades the Kubernetes lab "StatefulSets Deep Dive" against a live namespace.
#[derive(Debug, Parser)]
#[command(name = "stsgrade", version, about = ABOUT, max_term_width = 99, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const ABOUT: &str = "\
Grades the Kubernetes lab \"StatefulSets Deep Dive\" against a live namespace.

It runs the ten tests of the lab's section 3 on the StatefulSet in the namespace, records what
the cluster does, judges the recording, and puts everything back as it was.";

const EXAMPLES: &str = "\
Examples:
  stsgrade grade                        grade what stands in namespace statefulset-lab
  stsgrade grade -n my-lab -f lab.yaml  apply lab.yaml to namespace my-lab first
  stsgrade judge recording.jsonl        judge a kept recording again, without a cluster
  stsgrade explain 6                    what test 6 asks, and how to pass it
";

const GRADE: &str = "\
A grade deletes one pod, and scales the set up and down. Afterwards the replicas are as they were
found, and nothing that the grade made is left. What -f applied stays, unless --cleanup is given.
Every grade keeps its recording; its path is printed.";

const BATCH: &str = "\
Every result is on disk as soon as it is counted. Run the same command again after an interruption:
it goes on where the first one stopped. Ctrl-C finishes what runs; a second one stops it at once.

Examples:
  stsgrade batch hand-ins/ -o results/
  stsgrade batch hand-ins/ -o results/ --context one --context two
  stsgrade batch --namespaces course=k8s -o results/
  stsgrade batch --clean -o results/";

/// What a report's format is called, which a file may follow.
pub const FORMAT_AND_FILE: &str = "FORMAT[=FILE]";
/// What is explained.
pub const TOPIC: &str = "CHECK|MISTAKE";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the ten tests against a namespace and report the score.
    #[command(after_help = GRADE)]
    Grade(Grade),
    /// Record what happens in a namespace, changing nothing, until stopped (Ctrl-C).
    Record(Record),
    /// Judge a recording again: no cluster is needed, and the report is the same.
    Judge(Judge),
    /// Grade a whole class: a folder of hand-ins, each in a namespace of its own.
    #[command(after_help = BATCH)]
    Batch(Box<Batch>),
    /// Print the report of the last grade again, or that of a recording.
    Show(Show),
    /// Show what a recording holds: a lane for each pod and PVC, over time.
    Timeline(Timeline),
    /// Put back what a killed grade left behind.
    Restore(Restore),
    /// List the ten checks and their points.
    List(List),
    /// Explain a check (by number or name) or a mistake that a report names.
    Explain(Explain),
    /// Print the Role that grading needs, ready for `kubectl apply -f -`.
    Rbac(Rbac),
    /// Print a Job that grades a namespace from within its cluster, ready for `kubectl apply -f -`.
    Job(Job),
    /// Print the version of the tool and of the cluster.
    Version(Version),
    /// Print the JSON Schema of what the tool writes or reads.
    Schema(Schema),
    /// Print a script by which a shell completes the command line.
    Completions(Completions),
    /// Print a man page.
    Man(Man),
}

/// Which cluster, and which namespace of it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct Target {
    /// The namespace to work in [default: statefulset-lab].
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The kubeconfig's context to use, instead of its current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig to use, instead of $KUBECONFIG or ~/.kube/config.
    #[arg(long, value_name = "FILE", value_parser = path_or_nothing())]
    pub kubeconfig: Option<PathBuf>,
}

/// What the report looks like, and what its score means to the caller.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Report")]
pub struct Reporting {
    /// The formats of the report, and where each goes.
    #[arg(short, long, help = output_help(), value_name = FORMAT_AND_FILE, value_parser = OsStringValueParser::new().try_map(output))]
    pub output: Vec<Output>,
    /// Show every criterion, with the lines of the recording that show it.
    #[arg(short, long)]
    pub verbose: bool,
    /// Score by this rubric instead of the lab's points; `stsgrade list --rubric` checks it.
    #[arg(long, value_name = "FILE")]
    pub rubric: Option<PathBuf>,
    /// Print nothing but the report and errors.
    #[arg(short, long)]
    pub quiet: bool,
    /// Exit with 0 from N points on.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub fail_under: Option<u32>,
    /// Exit with 0 whatever the score is, as long as there is one.
    #[arg(long, conflicts_with = "fail_under")]
    pub exit_zero: bool,
    /// Whether there is colour.
    #[command(flatten)]
    pub style: Style,
}

/// How standard output looks.
#[derive(Clone, Copy, Debug, Args)]
pub struct Style {
    /// When to use colour: auto, always or never.
    #[arg(long, value_enum, hide_possible_values = true, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub color: Colour,
}

/// One `-o`: a format, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The format.
    pub format: Format,
    /// The file; standard output where there is none.
    pub file: Option<PathBuf>,
}

impl Reporting {
    /// The format of standard output: text, unless another was chosen.
    #[must_use]
    pub fn stdout(&self) -> Format {
        self.output.iter().find(|it| it.file.is_none()).map_or(Format::Text, |it| it.format)
    }

    /// The files to write, with their formats.
    #[must_use]
    pub fn files(&self) -> Vec<(Format, PathBuf)> {
        self.output.iter().filter_map(|it| Some((it.format, it.file.clone()?))).collect()
    }

    /// Why the outputs do not go together, if they do not.
    fn conflict(&self) -> Option<String> {
        if self.output.iter().filter(|it| it.file.is_none()).count() > 1 {
            return Some(
                "only one format goes to standard output: give the others a file, as in \
                 `-o text -o json=report.json`"
                    .to_owned(),
            );
        }
        let mut seen = vec![];
        for (_, file) in self.files() {
            if seen.contains(&file) {
                return Some(format!("two formats go to the file {}", file.display()));
            }
            seen.push(file);
        }
        None
    }
}

/// Formats of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For documents.
    Markdown,
}

/// `stsgrade grade`.
#[derive(Clone, Debug, Args)]
pub struct Grade {
    /// Manifests to apply first: a file, a folder, or - for standard input.
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// The StatefulSet to grade, where several stand.
    #[arg(long, value_name = "NAME")]
    pub statefulset: Option<String>,
    /// Keep the recording in FILE, instead of the state folder.
    #[arg(long, value_name = "FILE", value_parser = file_to_keep())]
    pub save: Option<PathBuf>,
    /// Give up in time to have restored all by then; restoring is never cut off (90s, 10m, 1h).
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Remove all that -f made in the end, PVCs included; what stood before stays.
    #[arg(long, requires = "filename")]
    pub cleanup: bool,
    /// Let -f make its namespace without the Pod Security level baseline.
    #[arg(long, requires = "filename")]
    pub trust: bool,
    /// Take over from another grader that holds the namespace.
    #[arg(long)]
    pub force: bool,
    /// Image with a shell, by which pods without one are inspected.
    #[arg(long, value_name = "IMAGE")]
    pub probe_image: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub target: Target,
    /// Which report.
    #[command(flatten)]
    pub reporting: Reporting,
}

/// `stsgrade job`.
#[derive(Clone, Debug, Args)]
pub struct Job {
    /// The namespace that is to be graded.
    #[arg(short, long, value_name = "NAME", default_value = "statefulset-lab")]
    pub namespace: String,
    /// The image of stsgrade, as the cluster's nodes pull it.
    #[arg(long, value_name = "IMAGE")]
    pub image: String,
    /// The StatefulSet to grade, where several stand.
    #[arg(long, value_name = "NAME")]
    pub statefulset: Option<String>,
    /// Give up in time to have restored all by then; restoring is never cut off (90s, 10m, 1h).
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Take over from another grader that holds the namespace.
    #[arg(long)]
    pub force: bool,
    /// Image with a shell, by which pods without one are inspected.
    #[arg(long, value_name = "IMAGE")]
    pub probe_image: Option<String>,
    /// Which report.
    #[command(flatten)]
    pub reporting: Reporting,
}

/// `stsgrade version`.
#[derive(Clone, Debug, Args)]
pub struct Version {
    /// Print the tool's own version only: no cluster is asked.
    #[arg(long)]
    pub client: bool,
    /// Print JSON.
    #[arg(short, long, value_enum, hide_possible_values = true, value_name = "json")]
    pub output: Option<VersionFormat>,
    /// Which cluster.
    #[command(flatten)]
    pub target: Target,
}

/// How versions are printed, beside as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VersionFormat {
    /// For programs.
    Json,
}

/// `stsgrade batch`.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Batch {
    /// What to do beside grading.
    #[command(subcommand)]
    pub command: Option<BatchCommand>,
    /// The hand-ins: a folder with a file, a folder or an archive for each student, or an archive
    /// of such a folder.
    #[arg(value_name = "HAND-INS", required_unless_present_any = ["namespaces", "clean", "roster"])]
    pub hand_ins: Option<PathBuf>,
    /// The folder for results, reports and recordings.
    #[arg(short, long, value_name = "DIR", required_unless_present = "dry_run")]
    pub output: Option<PathBuf>,
    /// The gradebooks.
    #[command(flatten)]
    pub book: Book,
    /// Grade the namespaces with this label where they stand, instead of hand-ins.
    #[arg(long, value_name = "LABEL", conflicts_with = "hand_ins")]
    pub namespaces: Option<String>,
    /// Who is in the class: a CSV file with id, name, email, and file, namespace or context.
    #[arg(long, value_name = "FILE")]
    pub roster: Option<PathBuf>,
    /// List what would be graded, and what is wrong with it.
    #[arg(long)]
    pub dry_run: bool,
    /// Only remove the namespaces that the run in DIR has left.
    #[arg(long, conflicts_with_all = ["hand_ins", "namespaces", "dry_run"])]
    pub clean: bool,
    /// Grade only these, by their ids.
    #[arg(long, value_name = "ID")]
    pub only: Vec<String>,
    /// Grade again what has a result already: undecided (held ones, too), failed or all.
    #[arg(long, value_enum, hide_possible_values = true, value_name = "WHICH")]
    pub again: Option<Again>,
    /// A format besides text and JSON in which each report is written (html, markdown, junit, …).
    #[arg(long = "report", value_enum, hide_possible_values = true, value_name = "FORMAT")]
    pub reports: Vec<Format>,
    /// Score by this rubric instead of the lab's points.
    #[arg(long, value_name = "FILE")]
    pub rubric: Option<PathBuf>,
    /// The most grades at once, on all clusters together.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = jobs)]
    pub jobs: usize,
    /// The longest that one grade may take (90s, 10m, 1h).
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration)]
    pub timeout: Duration,
    /// The StatefulSet to grade, where a hand-in has several.
    #[arg(long, value_name = "NAME")]
    pub statefulset: Option<String>,
    /// The Pod Security level of the namespaces: baseline or restricted.
    #[arg(long, value_enum, hide_possible_values = true, default_value_t = Level::Baseline, value_name = "LEVEL")]
    pub pod_security: Level,
    /// Image with a shell, by which pods without one are inspected.
    #[arg(long, value_name = "IMAGE")]
    pub probe_image: Option<String>,
    /// A kubeconfig's context to use; several share the work.
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    pub context: Vec<String>,
    /// The kubeconfig to use, instead of $KUBECONFIG or ~/.kube/config.
    #[arg(long, value_name = "FILE", value_parser = path_or_nothing(), help_heading = "Cluster")]
    pub kubeconfig: Option<PathBuf>,
    /// Print nothing but errors.
    #[arg(short, long)]
    pub quiet: bool,
    /// Let the cluster grade the hand-ins as an Indexed Job, which goes on when this command ends.
    #[arg(long, requires = "image", conflicts_with_all = ["clean", "dry_run"], help_heading = "In the cluster")]
    pub in_cluster: bool,
    /// Print what is created for that, and create nothing.
    #[arg(long, requires = "in_cluster", help_heading = "In the cluster")]
    pub print: bool,
    /// The image of stsgrade, as the cluster's nodes pull it.
    #[arg(long, requires = "in_cluster", value_name = "IMAGE", help_heading = "In the cluster")]
    pub image: Option<String>,
    /// How many workers share the hand-ins [default: one for each 50].
    #[arg(long, requires = "in_cluster", value_name = "N", value_parser = workers, help_heading = "In the cluster")]
    pub workers: Option<usize>,
    /// The ClusterQueue of Kueue that decides when the workers start.
    #[arg(long, requires = "in_cluster", value_name = "NAME", help_heading = "In the cluster")]
    pub queue: Option<String>,
}

/// What `stsgrade batch` does beside grading hand-ins.
#[derive(Clone, Debug, Subcommand)]
pub enum BatchCommand {
    /// Judge the kept recordings of a run again, and say whose points changed.
    Judge(BatchJudge),
    /// Grade one share of a batch: what the Job of `--in-cluster` runs.
    #[command(hide = true)]
    Work(BatchWork),
}

/// `stsgrade batch work`.
#[derive(Clone, Debug, Args)]
pub struct BatchWork {
    /// The run.
    #[arg(long, value_name = "ID")]
    pub run: String,
    /// The index of the share.
    #[arg(long, value_name = "INDEX")]
    pub share: usize,
    /// The name of the worker's own pod.
    #[arg(long, value_name = "NAME")]
    pub pod: String,
    /// The UID of the worker's own pod.
    #[arg(long, value_name = "UID")]
    pub pod_uid: String,
}

/// `stsgrade batch judge`.
#[derive(Clone, Debug, Args)]
pub struct BatchJudge {
    /// The folder of the run.
    #[arg(value_name = "DIR")]
    pub output: PathBuf,
    /// Score by this rubric instead of the lab's points.
    #[arg(long, value_name = "FILE")]
    pub rubric: Option<PathBuf>,
    /// Who is in the class: a CSV file, as for the run.
    #[arg(long, value_name = "FILE")]
    pub roster: Option<PathBuf>,
    /// The gradebooks.
    #[command(flatten)]
    pub book: Book,
}

/// What the gradebooks of a class hold.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Gradebooks")]
pub struct Book {
    /// The assignment's name, as the learning platform knows it; Canvas wants its number, too:
    /// "Lab (123)" [default: that of the run, or "StatefulSets Deep Dive"].
    #[arg(long, value_name = "NAME")]
    pub assignment: Option<String>,
    /// Until when to hand in: 2026-11-30T23:59:00+01:00.
    #[arg(long, value_name = "MOMENT", value_parser = roster::moment)]
    pub due: Option<i64>,
    /// How long after the due date a hand-in is not late yet (15m, 1h).
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub grace: Option<Duration>,
    /// The points that each day costs that has begun since the due date.
    #[arg(long, value_name = "N")]
    pub late_per_day: Option<u32>,
    /// Lateness takes nothing below so many points.
    #[arg(long, value_name = "N")]
    pub late_floor: Option<u32>,
}

/// What a batch grades again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Again {
    /// What was not decided, or not graded.
    Undecided,
    /// What lost points.
    Failed,
    /// Everything.
    All,
}

/// A Pod Security level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Nothing that reaches the node.
    Baseline,
    /// Besides, no user root and no capabilities.
    Restricted,
}

/// A number of workers.
fn workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(workers) if (1..=1_000).contains(&workers) => Ok(workers),
        _ => Err("a number from 1 to 1000 is expected".to_owned()),
    }
}

/// A number of grades at once.
fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs) if (1..=10_000).contains(&jobs) => Ok(jobs),
        _ => Err("a number from 1 to 10000 is expected".to_owned()),
    }
}

/// `stsgrade record`.
#[derive(Clone, Debug, Args)]
pub struct Record {
    /// The StatefulSet to record, where several stand.
    #[arg(long, value_name = "NAME")]
    pub statefulset: Option<String>,
    /// Where to keep the recording, instead of the state folder.
    #[arg(long, value_name = "FILE", value_parser = file_to_keep())]
    pub save: Option<PathBuf>,
    /// Stop after this time (90s, 10m, 1h).
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Which cluster.
    #[command(flatten)]
    pub target: Target,
}

/// `stsgrade judge`.
#[derive(Clone, Debug, Args)]
pub struct Judge {
    /// The recording, or - for standard input; also one that gzip or zstd compressed.
    pub recording: PathBuf,
    /// The StatefulSet to judge, where a recording that `record` made shows several.
    #[arg(long, value_name = "NAME")]
    pub statefulset: Option<String>,
    /// Which report.
    #[command(flatten)]
    pub reporting: Reporting,
}

/// `stsgrade show`.
#[derive(Clone, Debug, Args)]
pub struct Show {
    /// The recording, also one that gzip or zstd compressed [default: that of the last grade].
    #[arg(conflicts_with = "last")]
    pub recording: Option<PathBuf>,
    /// The last grade's recording, which is the default.
    #[arg(long)]
    pub last: bool,
    /// That of the last grade in this namespace.
    #[arg(short, long, value_name = "NAME", conflicts_with = "recording")]
    pub namespace: Option<String>,
    /// The StatefulSet to judge, where a recording that `record` made shows several.
    #[arg(long, value_name = "NAME")]
    pub statefulset: Option<String>,
    /// Which report.
    #[command(flatten)]
    pub reporting: Reporting,
}

/// `stsgrade timeline`.
#[derive(Clone, Debug, Args)]
pub struct Timeline {
    /// The recording, or - for standard input; also one that gzip or zstd compressed.
    pub recording: PathBuf,
    /// The StatefulSet to judge, where a recording that `record` made shows several.
    #[arg(long, value_name = "NAME")]
    pub statefulset: Option<String>,
    /// Whether there is colour.
    #[command(flatten)]
    pub style: Style,
}

/// `stsgrade restore`.
#[derive(Clone, Debug, Args)]
pub struct Restore {
    /// Restore even if the grader that left it may still be at work.
    #[arg(long)]
    pub force: bool,
    /// Image with a shell, as the grade had it: where the pods have none.
    #[arg(long, value_name = "IMAGE")]
    pub probe_image: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub target: Target,
}

/// `stsgrade list`.
#[derive(Clone, Debug, Args)]
pub struct List {
    /// The list's format: text, json or markdown.
    #[arg(short, long, value_enum, hide_possible_values = true, default_value_t = ListFormat::Text, value_name = "FORMAT")]
    pub output: ListFormat,
    /// Whether there is colour.
    #[command(flatten)]
    pub style: Style,
    /// List what this rubric makes of the checks.
    #[arg(long, value_name = "FILE")]
    pub rubric: Option<PathBuf>,
}

/// `stsgrade explain`.
#[derive(Clone, Debug, Args)]
pub struct Explain {
    /// A test's number, a check's name, or a mistake's (`stsgrade list` names them all).
    #[arg(value_name = TOPIC)]
    pub topic: String,
    /// Whether there is colour.
    #[command(flatten)]
    pub style: Style,
}

/// `stsgrade rbac`.
#[derive(Clone, Debug, Args)]
pub struct Rbac {
    /// The namespace that is to be graded.
    #[arg(short, long, value_name = "NAME", default_value = "statefulset-lab")]
    pub namespace: String,
    /// Include what `grade -f` needs.
    #[arg(short, long, value_name = "FILE", num_args = 0..=1)]
    pub filename: Option<Option<PathBuf>>,
    /// Only what `record` needs, which changes nothing.
    #[arg(long, conflicts_with_all = ["filename", "probe_image"])]
    pub record: bool,
    /// Include what `grade --probe-image` needs.
    #[arg(long, value_name = "IMAGE", num_args = 0..=1)]
    pub probe_image: Option<Option<String>>,
}

/// `stsgrade schema`.
#[derive(Clone, Debug, Args)]
pub struct Schema {
    /// What of: the JSON report, a line of a recording, or a rubric (which is TOML).
    #[arg(value_enum)]
    pub document: Document,
}

const COMPLETIONS: &str = "\
Examples:
  source <(stsgrade completions bash)
  stsgrade completions zsh > ~/.zfunc/_stsgrade
  stsgrade completions fish > ~/.config/fish/completions/stsgrade.fish
  ln -s stsgrade kubectl_complete-stsgrade  # beside it on the PATH: completes kubectl stsgrade
";

/// `stsgrade completions`.
#[derive(Clone, Debug, Args)]
#[command(after_help = COMPLETIONS)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `stsgrade man`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: stsgrade man grade | man -l -")]
pub struct Man {
    /// The command that the page is about, instead of all of stsgrade.
    #[arg(value_name = "COMMAND")]
    pub words: Vec<String>,
}

/// What there is a schema of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// What `-o json` writes.
    Report,
    /// Each line of what is recorded.
    Recording,
    /// What `--rubric` reads.
    Rubric,
}

/// The command line as it is described.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command().after_help(format!("{EXAMPLES}\n{}", exit::HELP))
}

/// Reads the command line.
///
/// # Errors
/// Wrong usage, or a wish for help or the version: all to be printed as they are.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut command = command();
    if is_plugin(args.first()) {
        command = command.name("kubectl-stsgrade").bin_name("kubectl stsgrade");
    }
    let cli = Cli::from_arg_matches(&command.try_get_matches_from_mut(args)?)?;
    let reporting = match &cli.command {
        Command::Grade(args) => Some(&args.reporting),
        Command::Judge(args) => Some(&args.reporting),
        Command::Job(args) => Some(&args.reporting),
        _ => None,
    };
    let of_job = match &cli.command {
        Command::Job(args) if !args.reporting.files().is_empty() => Some(IN_THE_LOG.to_owned()),
        _ => None,
    };
    match of_job.or_else(|| reporting.and_then(Reporting::conflict)) {
        Some(why) => Err(command.error(ErrorKind::ArgumentConflict, sanitize(&why))),
        None => Ok(cli),
    }
}

/// Why a Job writes no file.
const IN_THE_LOG: &str = "a Job's files go with its pod: give `-o` one format without a file, and \
    read it in the log";

/// A value as it is typed.
pub(crate) fn name_of(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |it| it.get_name().to_owned())
}

/// Reads `FORMAT` or `FORMAT=FILE`; the file `-` is standard output.
fn output(text: OsString) -> Result<Output, String> {
    let bytes = text.as_encoded_bytes();
    let end = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
    let name = String::from_utf8_lossy(&bytes[..end]);
    let format = Format::from_str(&name, true).map_err(|_| unknown_format(&name))?;
    if end == bytes.len() {
        return Ok(Output { format, file: None });
    }
    let file = after(&text, end + 1).ok_or("the file's name is not UTF-8")?;
    if file.as_os_str().is_empty() {
        return Err("a file is expected after the equals sign".to_owned());
    }
    Ok(Output { format, file: Some(file).filter(|it| it.as_os_str() != "-") })
}

/// Reads where a recording is kept. Elsewhere `-` is standard output, where reports go.
fn file_to_keep() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|text| match text.to_str() {
        Some("-") => Err("a file is expected; `./-` is one, and /dev/stdout is standard output"),
        _ => Ok(PathBuf::from(text)),
    })
}

/// Reads a path that may be empty: to kubectl, `--kubeconfig ""` is none.
fn path_or_nothing() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// The path that begins at that byte.
fn after(text: &OsStr, start: usize) -> Option<PathBuf> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        Some(PathBuf::from(OsStr::from_bytes(&text.as_bytes()[start..])))
    }
    #[cfg(not(unix))]
    text.to_str().map(|it| PathBuf::from(&it[start..]))
}

fn format_names() -> Vec<String> {
    let values = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    values.map(|it| it.get_name().to_owned()).collect()
}

fn output_help() -> String {
    let names = format_names().join(", ");
    format!(
        "A format of the report, and the file to write it to; may be given again: {names} [default: text]"
    )
}

fn unknown_format(name: &str) -> String {
    let names = format_names();
    let nearest = names
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let near = nearest.filter(|it| strsim::jaro_winkler(it, name) > 0.7);
    let hint = near.map(|it| format!("did you mean {it}? ")).unwrap_or_default();
    format!("{hint}expected one of {}", names.join(", "))
}

/// Whether kubectl called us as its plugin.
fn is_plugin(program: Option<&OsString>) -> bool {
    let name = program.and_then(|program| Path::new(program).file_stem());
    name.is_some_and(|name| name.to_string_lossy().starts_with("kubectl-"))
}

/// A time as kubectl writes it: `90s`, `10m`, `1h`, `1m30s`; a bare number means seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time such as 90s, 10m or 1h30m".to_owned();
    let mut seconds: u64 = 0;
    let mut number = String::new();
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return Err(wrong()),
        };
        let count: u64 = number.parse().map_err(|_| wrong())?;
        seconds =
            count.checked_mul(unit).and_then(|it| it.checked_add(seconds)).ok_or_else(wrong)?;
        number.clear();
    }
    if !number.is_empty() {
        seconds = number.parse::<u64>().ok().filter(|_| seconds == 0).ok_or_else(wrong)?;
    }
    if seconds == 0 || seconds > 7 * 24 * 3600 {
        Err(wrong())
    } else {
        Ok(Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::{Cli, duration, parse};
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read_as_kubectl_writes_them() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1h30m", 5400), ("45", 45)] {
            assert_eq!(duration(text).map(|it| it.as_secs()), Ok(seconds), "{text}");
        }
        for text in ["", "0", "m", "5x", "1m30", "-1s", "99999999999999999999h", "9000h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn as_a_plugin_it_calls_itself_so() {
        let help = parse(["/usr/bin/kubectl-stsgrade", "judge", "--help"].map(Into::into))
            .unwrap_err()
            .to_string();
        assert!(help.contains("Usage: kubectl stsgrade judge"), "{help}");
    }
}
