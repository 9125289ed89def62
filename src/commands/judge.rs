//! `stsgrade judge`: a recording, judged again without a cluster.

use std::path::{Path, PathBuf};

use checks::model::line_of;

use crate::commands::{fail, outputs::Outputs, run_files::RunFiles, tell};
use crate::{
    cli::{Judge, Reporting, Show},
    cluster::{Failure, passive::never_appeared},
    console::{sanitize::sanitize, suggest::there_are},
    exit::Exit,
    recording,
    recording::{
        Folded, Header, ReadError, Reader, recordings,
        signature::{Key, Signed},
    },
    report::{Kept, Origin, Report, RunResult, Source},
};

/// So many recordings are looked at for one that came to its end.
const MAX_LOOKED_AT: usize = 20;

pub(super) fn run(args: &Judge) -> Exit {
    judge(&args.recording, args.statefulset.as_deref(), &args.reporting)
}

/// `stsgrade show`: the same of the last grade's recording, where none is named.
pub(super) fn show(args: &Show) -> Exit {
    let last = match &args.recording {
        Some(recording) => Ok(recording.clone()),
        None => last_report(args.namespace.as_deref(), args.reporting.quiet),
    };
    match last {
        Ok(recording) => judge(&recording, args.statefulset.as_deref(), &args.reporting),
        Err(failure) => fail(&failure),
    }
}

/// The newest recording of a grade that came to its end, or the newest grade of all, of those in that
/// namespace if one is named; what was recorded by hand only where there is no grade. Says which it
/// is.
fn last_report(namespace: Option<&str>, is_quiet: bool) -> Result<PathBuf, Failure> {
    let mut all = recordings().map_err(|error| {
        Failure::new(
            "no_recording",
            format!("there is no recording of an earlier grade: {error}"),
            "Grade first, or name a recording: `stsgrade show FILE`.",
        )
    })?;
    if let Some(name) = namespace {
        all = recordings_in(name, all)?;
    }
    let grades = all.iter().filter(|it| !is_by_hand(it)).take(MAX_LOOKED_AT);
    let grades: Vec<PathBuf> = grades.cloned().collect();
    let is_by_hand = grades.is_empty();
    let mut all = if is_by_hand { all } else { grades };
    // Where none came to its end, the newest one.
    let (mut place, mut begun) = (0, header(&all[0]));
    for (number, path) in all.iter().enumerate().take(MAX_LOOKED_AT) {
        let Ok(folded) = Reader::open(path).and_then(recording::fold) else { continue };
        if folded.timeline.end().is_some() {
            (place, begun) = (number, Some(folded.header));
            break;
        }
    }
    if let Some(header) = begun.filter(|_| !is_quiet) {
        let what = if is_by_hand { "no grade is kept; recorded by hand" } else { "recorded" };
        let skipped = if place > 0 { "; what was begun after it came to no report" } else { "" };
        tell(&format!(
            "note: {what} from {} on in namespace {}{skipped}\n",
            sanitize(&header.started_at),
            sanitize(&header.namespace)
        ));
    }
    Ok(all.swap_remove(place))
}

/// Whether it is no recording of a grade.
fn is_by_hand(recording: &Path) -> bool {
    header(recording).is_some_and(|it| it.asked.is_by_hand())
}

/// Those of some recordings that are of this namespace.
fn recordings_in(namespace: &str, all: Vec<PathBuf>) -> Result<Vec<PathBuf>, Failure> {
    let (mut found, mut others) = (vec![], vec![]);
    for path in all {
        let Some(header) = header(&path) else { continue };
        if header.namespace == namespace {
            found.push(path);
        } else if !others.contains(&header.namespace) {
            others.push(header.namespace);
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let what = format!("no recording of namespace {} is kept", sanitize(namespace));
    let next = if others.is_empty() {
        "Grade it first: `stsgrade grade -n NAMESPACE`.".to_owned()
    } else {
        there_are(namespace, &others)
    };
    Err(Failure::new("no_recording", what, next))
}

/// The first line of a recording; `None` where it has none.
fn header(recording: &Path) -> Option<Header> {
    Some(Reader::open(recording).ok()?.header().clone())
}

fn judge(recording: &Path, statefulset: Option<&str>, reporting: &Reporting) -> Exit {
    let mut outputs = match Outputs::reserve(
        reporting,
        RunFiles { read: vec![recording.to_owned()], written: vec![] },
    ) {
        Ok(outputs) => outputs,
        Err(exit) => return exit,
    };
    let folded = match read(recording, statefulset) {
        Ok(folded) => folded,
        Err(failure) => return outputs.fail(&failure),
    };
    if let Some(failure) = unseen_subject(&folded) {
        return outputs.fail(&failure);
    }
    if !reporting.quiet {
        tell(&remarks(&folded));
    }
    let report = report(&folded, Kept::Named).scored(&outputs.rubric);
    let pages = outputs.pages(&RunResult::Judged { report: &report, timeline: &folded.timeline });
    outputs.deliver(&report, pages)
}

/// Reads a recording, for the set that is named.
pub(super) fn read(recording: &Path, statefulset: Option<&str>) -> Result<Folded, Failure> {
    let folded = Reader::open(recording)
        .and_then(|reader| recording::fold_for(reader, statefulset))
        .map_err(|it| unreadable(&it))?;
    let graded = folded.timeline.set().map(|it| it.name.as_str());
    match (statefulset, graded) {
        (Some(name), None) => Err(never_appeared(name, &folded.header.namespace, &folded.timeline)),
        (Some(name), Some(graded)) if name != graded => Err(Failure::new(
            "no_such_statefulset",
            format!(
                "StatefulSet {} was not graded: the recording is of a grade of {}",
                sanitize(name),
                sanitize(graded)
            ),
            "Leave `--statefulset` away: it chooses in what `stsgrade record` made.",
        )),
        _ => Ok(folded),
    }
}

/// The report on a recording from a file.
pub(super) fn report(folded: &Folded, kept: Kept) -> Report {
    let key = Key::from_environment();
    let signed = Signed::check(key.as_ref(), folded.signature.as_ref(), &folded.digest);
    let known = Source::of(&folded.header, folded.digest.clone());
    let source = Source { origin: Origin::File(signed), kept, ..known };
    Report::of(&source, &folded.timeline)
}

/// Why the recording cannot be read.
pub(super) fn unreadable(error: &ReadError) -> Failure {
    Failure::new(error.id(), error.to_string(), error.next())
}

/// Why there is nothing to judge, where a set was named that is nowhere in the recording.
fn unseen_subject(folded: &Folded) -> Option<Failure> {
    let name = folded.header.asked.statefulset.as_ref()?;
    if folded.timeline.known_sets().any(|set| set == name) {
        return None;
    }
    Some(never_appeared(name, &folded.header.namespace, &folded.timeline))
}

/// What a reader of the report should know of the recording.
fn remarks(folded: &Folded) -> String {
    let mut out = String::new();
    if folded.torn {
        out.push_str(
            "note: the recording was cut off before its end; what it shows until there is \
            judged\n",
        );
    }
    if let (Some(left), Some(set)) =
        (folded.timeline.earlier_subjects().last(), folded.timeline.set())
    {
        out.push_str(&format!(
            "note: the work moved from StatefulSet {} to {}, which is judged\n",
            sanitize(left),
            sanitize(&set.name)
        ));
    }
    if let (Some(seq), Some(set)) = (folded.timeline.made_anew(), folded.timeline.set()) {
        out.push_str(&format!(
            "note: StatefulSet {} was deleted and made anew (line {}): what was done to the one \
            before it does not count\n",
            sanitize(&set.name),
            line_of(seq)
        ));
    }
    if folded.unknown > 0 {
        out.push_str(&format!(
            "note: {} observations of a newer version were skipped\n",
            folded.unknown
        ));
    }
    out
}
