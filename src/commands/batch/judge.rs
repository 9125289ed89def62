//! `stsgrade batch judge`: the kept recordings of a run are judged again, without a cluster.

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    batch::{
        result_files::{COMPRESSED, RECORDING, report_name},
        results::{HandInResult, OMITTED, ResultState},
        results_by_roster,
    },
    cli,
    cluster::{
        Failure,
        client::failure_id::{UNREADABLE_MANIFEST, is_of_a_manifest},
    },
    commands::{
        batch::{
            gradebooks, not_kept, open_results, reports,
            run_record::RunFolder,
            settings::{self, Settings},
        },
        fail, judge, show, tell,
    },
    console::{
        count::counted,
        sanitize::{escape, sanitize},
    },
    exit::Exit,
    recording::{ReadError, Reader, fold},
    report::{Format, Kept, Problem, Report, RunResult, Source},
    rubric::Rubric,
    submission::texts::file_name,
};
use clap::ValueEnum as _;

/// A recording that takes more memory than this counts as large: of those, one is judged at a time.
const MAX_BYTES_BESIDE: usize = 32 << 20;

pub(super) fn run(args: &cli::BatchJudge) -> Exit {
    match judge_all(args) {
        Ok(page) => show(page.as_bytes()),
        Err(failure) => fail(&failure),
    }
}

/// What became of a hand-in's recording.
enum Judged {
    /// It was judged again.
    Again(Box<HandInResult>),
    /// It is held for a person to look at.
    NotGraded,
    /// It is not there, or cannot be read: the hand-in keeps its result.
    Kept(String),
}

fn judge_all(args: &cli::BatchJudge) -> Result<String, Failure> {
    let shown = sanitize(&args.output.display().to_string());
    if !RunFolder::holds_run(&args.output) {
        return Err(Failure::new(
            "batch_folder",
            format!("the folder {shown} holds no run"),
            "Name the folder that `stsgrade batch -o DIR` wrote.",
        ));
    }
    let folder = RunFolder::open(&args.output)?;
    let students = settings::students(args.roster.as_deref(), Some(&folder.path))?;
    let mut students = students.unwrap_or_default();
    settings::keep_roster(args.roster.as_deref(), &folder.path)?;
    let settings = Settings::of(&folder.path, &args.book, args.rubric.as_deref())?;
    let rubric = settings.rubric()?;
    let mut store = open_results(&folder)?;
    // A run with its hand-ins knows better than their results whose they are.
    if args.roster.is_some() {
        let joined = results_by_roster::with_students(store.results(), &students);
        store.replace(joined.changed).map_err(|error| not_kept(&error))?;
        joined.notes.iter().for_each(|it| tell(&format!("note: {}\n", escape(it))));
    }
    let before: Vec<HandInResult> = store.results().cloned().collect();
    let judged = in_parallel(&folder.path, &before, &rubric);
    let (mut page, mut changed, mut count, mut kept) = (String::new(), 0, 0, 0);
    for (old, judged) in before.iter().zip(judged) {
        match judged {
            Judged::NotGraded => {}
            Judged::Kept(why) => {
                kept += 1;
                let id = sanitize(&old.id);
                tell(&format!("warning: {id}: not judged again, its result stays: {why}\n"));
            }
            Judged::Again(new) => {
                count += 1;
                if let Some(line) = difference(old, &new) {
                    changed += 1;
                    page += &line;
                }
                store.add(&new).map_err(|error| not_kept(&error))?;
            }
        }
    }
    store.compact().map_err(|error| not_kept(&error))?;
    let results = store.counting();
    gradebooks::retain_missing(&mut students, &results);
    gradebooks::write(&folder.path, &settings, &results, &students)?;
    let again = counted(count, "hand-in", "hand-ins");
    page += &format!(
        "{again} judged again: the points of {changed} changed. The gradebooks in {shown} are \
        written anew.\n"
    );
    if kept > 0 {
        page += &counted(kept, "hand-in was", "hand-ins were");
        page += " not judged again, and kept what was there.\n";
    }
    Ok(page)
}

/// Judges each recording, as many at once as there are processors.
fn in_parallel(folder: &Path, results: &[HandInResult], rubric: &Rubric) -> Vec<Judged> {
    let (next, large) = (AtomicUsize::new(0), Mutex::new(()));
    let workers = thread::available_parallelism().map_or(1, usize::from).min(results.len().max(1));
    let mut judged: Vec<(usize, Judged)> = thread::scope(|scope| {
        let work = || {
            let mut done = vec![];
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(result) = results.get(at) else { return done };
                done.push((at, judge_one(&folder.join(&result.id), result, rubric, &large)));
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|it| it.join().unwrap_or_default()).collect()
    });
    judged.sort_by_key(|(at, _)| *at);
    // The results of a thread that panicked are lost: those hand-ins keep what they had.
    let mut judged = judged.into_iter().peekable();
    (0..results.len())
        .map(|at| match judged.next_if(|(place, _)| *place == at) {
            Some((_, it)) => it,
            None => Judged::Kept("stsgrade itself failed; please report this".to_owned()),
        })
        .collect()
}

/// Judges one; holds `large` while a large recording is in memory.
fn judge_one(folder: &Path, result: &HandInResult, rubric: &Rubric, large: &Mutex<()>) -> Judged {
    if result.state == ResultState::Held {
        return Judged::NotGraded;
    }
    let Some(recording) = recording(folder) else { return unrecorded(folder, result, rubric) };
    let mut _one_large = None;
    let beside = Reader::open(&recording).map(|it| it.with_memory(MAX_BYTES_BESIDE));
    let folded = match beside.and_then(fold) {
        Err(ReadError::TooLarge { .. }) => {
            _one_large = Some(large.lock().unwrap_or_else(PoisonError::into_inner));
            Reader::open(&recording).and_then(fold)
        }
        other => other,
    };
    let folded = match folded {
        Ok(folded) => folded,
        Err(error) => return Judged::Kept(sanitize(&error.to_string())),
    };
    let report = judge::report(&folded, kept_in(&recording)).scored(rubric);
    let written: Vec<Format> = Format::value_variants()
        .iter()
        .copied()
        .filter(|it| folder.join(report_name(*it)).is_file())
        .collect();
    let shown = RunResult::Judged { report: &report, timeline: &folded.timeline };
    if let Some(trouble) = reports::write_all(folder, &written, &shown).first() {
        return Judged::Kept(trouble.clone());
    }
    Judged::Again(Box::new(result.clone().with_report(&report)))
}

/// A hand-in without a recording. One that was refused before anything was recorded gets no points
/// under any rubric, but the rubric may change of how many; any other keeps what it has.
fn unrecorded(folder: &Path, result: &HandInResult, rubric: &Rubric) -> Judged {
    if !was_refused(result) {
        let folder = sanitize(&folder.display().to_string());
        return Judged::Kept(format!("there is no recording in {folder}"));
    }
    let problem = Problem::new(UNREADABLE_MANIFEST, result.why(), "");
    let report = Report::refused(&problem, &Source::default()).scored(rubric);
    let causes = result.causes.clone();
    Judged::Again(Box::new(HandInResult { causes, ..result.clone().with_report(&report) }))
}

/// Whether its manifests were the only reason why it got no points. A result of an earlier version
/// does not say so, but its causes do.
fn was_refused(result: &HandInResult) -> bool {
    if result.is_refused {
        return true;
    }
    let has_none = !result.causes.is_empty() && result.letters.chars().all(|it| it == 'F');
    has_none && result.causes.iter().all(|it| is_of_a_manifest(&it.id))
}

/// The recording of a hand-in: a compressed one is that of its result. A run that was killed may have
/// left a later one that is not whole.
fn recording(folder: &Path) -> Option<PathBuf> {
    let plain = folder.join(RECORDING);
    let compressed = COMPRESSED.map(|it| plain.with_added_extension(it));
    compressed.into_iter().chain([plain]).find(|it| it.is_file())
}

/// Where who reads a report finds its recording: in the same folder.
fn kept_in(recording: &Path) -> Kept {
    file_name(recording).map_or(Kept::Nowhere, Kept::File)
}

/// The outcome that a letter stands for.
const fn outcome(letter: char) -> &'static str {
    match letter {
        'P' => "passed",
        'F' => "failed",
        OMITTED => "left out",
        _ => "undecided",
    }
}

/// A line on how the result of a hand-in changed, and why; `None` if it did not.
fn difference(old: &HandInResult, new: &HandInResult) -> Option<String> {
    if old.letters == new.letters && old.points == new.points && old.possible == new.possible {
        return None;
    }
    let why = if old.letters == new.letters {
        "the rubric gives other points".to_owned()
    } else {
        let tests = old.letters.chars().zip(new.letters.chars()).enumerate();
        let tests: Vec<String> = tests
            .filter(|(_, (old, new))| old != new)
            .map(|(at, (old, new))| {
                format!("test {}: {} before, {} now", at + 1, outcome(old), outcome(new))
            })
            .collect();
        tests.join(", ")
    };
    let (name, old, new) = (sanitize(&old.owner.name), old.in_words(), new.in_words());
    Some(format!("{name}: {old} -> {new} ({why})\n"))
}
