//! What is kept of a batch: the result of each hand-in, and its reports.

use std::{
    cell::RefCell,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use checks::model::Timeline;
use flate2::{Compression, write::GzEncoder};
use tokio::sync::Notify;

use crate::{
    LAB_NAMESPACE,
    batch::{
        handin::{Content, HandIn},
        results::{HandInResult, ResultStore},
        resume,
    },
    cli,
    cluster::{Cluster, Failure, isolation},
    commands::{
        batch::{
            input::{self, ToDo},
            reports,
        },
        outputs,
    },
    console::{progress::Progress, sanitize::sanitize},
    recording::ManifestText,
    report::{Format, Problem, Report, RunResult, Source, replace_private},
    rubric::Rubric,
    submission::texts::file_name,
};

/// The recording of a hand-in, in its folder, until it is compressed.
pub(super) const RECORDING: &str = "recording.jsonl";

/// Writes what is kept of a batch into the folder of results.
pub(super) struct Keeper<'a> {
    folder: PathBuf,
    formats: Vec<Format>,
    pub(super) rubric: Rubric,
    store: RefCell<ResultStore>,
    progress: &'a Progress,
    /// A result could not be kept: nothing more is begun.
    broken: Notify,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(
        folder: &Path,
        store: ResultStore,
        formats: Vec<Format>,
        rubric: Rubric,
        progress: &'a Progress,
    ) -> Self {
        let (folder, store) = (folder.to_owned(), RefCell::new(store));
        Self { folder, formats, rubric, store, progress, broken: Notify::new() }
    }

    /// A file of a hand-in.
    pub(super) fn file_path(&self, id: &str, file: &str) -> PathBuf {
        self.folder.join(id).join(file)
    }

    /// The folder of a hand-in.
    pub(super) fn folder_of(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    /// Gives each hand-in the id of its result, and each result the student that the roster says.
    ///
    /// # Errors
    /// The results cannot be written.
    pub(super) fn join(&self, hand_ins: &mut [HandIn]) -> io::Result<()> {
        let mut store = self.store.borrow_mut();
        resume::take_ids(hand_ins, store.results().collect::<Vec<_>>().into_iter());
        let known = hand_ins.iter().filter_map(|it| Some((it, store.get(it.id.as_str())?)));
        let changed = known.filter_map(|(it, result)| resume::with_owner_of(it, result));
        let changed = changed.collect();
        store.replace(changed)
    }

    /// What is left to do; see [`input::to_do`].
    pub(super) fn to_do(
        &self,
        args: &cli::Batch,
        hand_ins: Vec<HandIn>,
        sites: &[Cluster],
    ) -> Result<ToDo, Failure> {
        input::to_do(args, hand_ins, &self.store.borrow(), sites)
    }

    /// All results so far.
    pub(super) fn results(&self) -> Vec<HandInResult> {
        self.store.borrow().results().cloned().collect()
    }

    /// Prints a result and writes it to the disk before it returns; whether it could be kept.
    pub(super) fn keep(&self, result: &HandInResult) -> bool {
        self.progress.say(&format!("{}: {}", sanitize(&result.owner.name), result.in_words()));
        let kept = self.store.borrow_mut().add(result);
        if let Err(error) = &kept {
            self.broken.notify_one();
            let id = sanitize(&result.id);
            self.progress.error(&format!("error: the result of {id} cannot be kept: {error}"));
        }
        kept.is_ok()
    }

    /// Notes that nothing can be kept any more.
    pub(super) fn stop_keeping(&self) {
        self.broken.notify_one();
    }

    /// Waits until a result cannot be kept.
    pub(super) async fn cannot_keep(&self) {
        self.broken.notified().await;
    }

    /// Rewrites the file of results with one line for each hand-in: the newest result.
    ///
    /// # Errors
    /// The results cannot be written.
    pub(super) fn compact(&self) -> std::io::Result<()> {
        self.store.borrow_mut().compact()
    }

    /// Compresses the recording of a hand-in, to which nothing is written any more.
    pub(super) fn compress_recording(&self, id: &str) {
        if let Err(error) = compress(&self.file_path(id, RECORDING)) {
            let id = sanitize(id);
            self.progress.error(&format!("warning: {id}: the recording stays as it is: {error}"));
        }
    }

    /// The result of a hand-in that is graded 0 for this problem. `objects`: its lines, as far as
    /// they are known.
    pub(super) fn refused(
        &self,
        hand_in: &HandIn,
        problem: &Problem,
        objects: Vec<ManifestText>,
    ) -> HandInResult {
        let name = problem.file.as_deref().and_then(|it| file_name(Path::new(it)));
        let files = name.into_iter().collect();
        let source =
            Source { namespace: LAB_NAMESPACE.to_owned(), files, objects, ..Source::default() };
        let report = Report::refused(problem, &source).scored(&self.rubric);
        self.reported(hand_in, &report, &Timeline::default())
    }

    /// What comes of a hand-in that no cluster needs to see: it cannot be read, or it is for a
    /// person to look at. `None`: it must be graded.
    pub(super) fn without_cluster(&self, hand_in: &HandIn) -> Option<HandInResult> {
        match &hand_in.content {
            Content::Unreadable { problem, lines } => {
                Some(self.refused(hand_in, problem, lines.iter().cloned().collect()))
            }
            Content::Held(problem) => Some(HandInResult::held(hand_in, problem)),
            Content::Manifests(_) => {
                let failure =
                    isolation::asks_too_much(isolation::not_allowed(&hand_in.submission()?)?);
                Some(HandInResult::held(hand_in, &outputs::problem(&failure)))
            }
            Content::Namespace { .. } => None,
        }
    }

    /// Writes the report in all formats, and gives the result.
    pub(super) fn reported(
        &self,
        hand_in: &HandIn,
        report: &Report,
        timeline: &Timeline,
    ) -> HandInResult {
        let result = RunResult::Judged { report, timeline };
        let folder = self.folder_of(hand_in.id.as_str());
        for trouble in reports::write_all(&folder, &self.formats, &result) {
            self.progress.error(&format!("warning: {trouble}"));
        }
        HandInResult::graded(hand_in, report)
    }
}

/// The path of a recording once it is compressed.
fn compressed_path(recording: &Path) -> PathBuf {
    recording.with_added_extension("gz")
}

/// Replaces a file by a compressed one. Until that is whole, the file stays.
fn compress(path: &Path) -> io::Result<()> {
    let mut plain = match File::open(path) {
        // No recording was written.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        plain => plain?,
    };
    let mut encoder = GzEncoder::new(vec![], Compression::default());
    io::copy(&mut plain, &mut encoder)?;
    replace_private(&compressed_path(path), &encoder.finish()?)?;
    fs::remove_file(path)
}
