//! What is kept of a batch: the result of each hand-in, and its reports.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
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
        result_files::{self, COMPRESSED, RECORDING, compressed_recording, report_name},
        results::{HandInResult, ResultStore},
        results_by_hand_in,
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
    console::{count::counted, names::and_more, progress::Progress, sanitize::sanitize},
    recording::ManifestText,
    report::{Format, Kept, Problem, Report, RunResult, Source, replace_private},
    rubric::Rubric,
    submission::texts::file_name,
};

/// So many results whose hand-ins are gone are named.
const MAX_GONE: usize = 10;

/// Writes what is kept of a batch into the folder of results.
pub(super) struct Keeper<'a> {
    folder: PathBuf,
    formats: Vec<Format>,
    pub(super) rubric: Rubric,
    store: RefCell<ResultStore>,
    progress: &'a Progress,
    /// The files that the last attempts made, by the ids of their hand-ins.
    made: RefCell<BTreeMap<String, BTreeSet<String>>>,
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
        let (made, broken) = (RefCell::default(), Notify::new());
        Self { folder, formats, rubric, store, progress, made, broken }
    }

    /// A file of a hand-in.
    pub(super) fn file_path(&self, id: &str, file: &str) -> PathBuf {
        self.folder.join(id).join(file)
    }

    /// The folder of a hand-in.
    pub(super) fn folder_of(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    /// Gives each hand-in the id of its result, and each result what is known of its hand-in now. A
    /// note on the results whose hand-ins are gone, if there are any.
    ///
    /// # Errors
    /// The results cannot be written.
    pub(super) fn join(
        &self,
        hand_ins: &mut [HandIn],
        has_roster: bool,
    ) -> io::Result<Option<String>> {
        let mut store = self.store.borrow_mut();
        results_by_hand_in::take_ids(hand_ins, store.results().collect::<Vec<_>>().into_iter());
        let changed = results_by_hand_in::joined(hand_ins, store.results(), has_roster);
        store.replace(changed)?;
        let gone: Vec<&str> =
            store.results().filter(|it| it.is_gone).map(|it| it.id.as_str()).collect();
        let count = counted(
            gone.len(),
            "result counts for nobody, because its hand-in is gone",
            "results count for nobody, because their hand-ins are gone",
        );
        let shown = sanitize(&and_more(&gone[..gone.len().min(MAX_GONE)], gone.len()));
        Ok((!gone.is_empty()).then(|| format!("{count}: {shown}")))
    }

    /// What is left to do; see [`input::to_do`].
    pub(super) fn to_do(
        &self,
        args: &cli::Batch,
        hand_ins: Vec<HandIn>,
        clusters: &[Cluster],
    ) -> Result<ToDo, Failure> {
        input::to_do(args, hand_ins, &self.store.borrow(), clusters)
    }

    /// The results that count so far.
    pub(super) fn results(&self) -> Vec<HandInResult> {
        self.store.borrow().counting()
    }

    /// Begins another attempt: what the one before it made is of no result.
    pub(super) fn begin(&self, id: &str) {
        self.made.borrow_mut().remove(id);
    }

    /// Notes that a file of a hand-in is made for its next result.
    pub(super) fn has_made(&self, id: &str, file: &str) {
        self.made.borrow_mut().entry(id.to_owned()).or_default().insert(file.to_owned());
    }

    /// As [`Keeper::keep`], of a hand-in that this process graded: what an earlier result of it left
    /// in its folder is deleted before.
    pub(super) fn keep_graded(&self, result: &HandInResult) -> bool {
        let id = result.id.as_str();
        self.compress_recording(id);
        let made = self.made.borrow_mut().remove(id).unwrap_or_default();
        if let Err(error) = result_files::delete_earlier(&self.folder_of(id), &made) {
            return self.was_kept(result, Err(error));
        }
        self.keep(result)
    }

    /// Prints a result and writes it to the disk before it returns; whether it could be kept.
    pub(super) fn keep(&self, result: &HandInResult) -> bool {
        self.progress.say(&format!("{}: {}", sanitize(&result.owner.name), result.in_words()));
        let kept = self.store.borrow_mut().add(result);
        self.was_kept(result, kept)
    }

    /// Says where a result could not be kept, after which nothing more is begun.
    fn was_kept(&self, result: &HandInResult, kept: io::Result<()>) -> bool {
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

    /// Compresses the recording of a hand-in, to which nothing is written any more, if this process
    /// made it.
    fn compress_recording(&self, id: &str) {
        let is_made = |it: &BTreeSet<String>| it.contains(RECORDING);
        if !self.made.borrow().get(id).is_some_and(is_made) {
            return;
        }
        match compress(&self.file_path(id, RECORDING)) {
            Ok(()) => self.has_made(id, &compressed_recording()),
            Err(error) => {
                let id = sanitize(id);
                let what = format!("warning: {id}: the recording stays as it is: {error}");
                self.progress.error(&what);
            }
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
        let source = Source {
            namespace: LAB_NAMESPACE.to_owned(),
            files,
            objects,
            kept: Kept::Nowhere,
            ..Source::default()
        };
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
        for format in &self.formats {
            self.has_made(hand_in.id.as_str(), &report_name(*format));
        }
        HandInResult::graded(hand_in, report)
    }
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
    replace_private(&path.with_added_extension(COMPRESSED[0]), &encoder.finish()?)?;
    fs::remove_file(path)
}
