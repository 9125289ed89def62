//! `stsgrade judge`: a recording, judged again without a cluster.

use std::path::{Path, PathBuf};

use crate::commands::{fail, outputs::Outputs, run_files::RunFiles, tell};
use crate::{
    cli::{Judge, Reporting, Show},
    cluster::{Failure, passive::never_appeared},
    console::sanitize::sanitize,
    exit::Exit,
    recording,
    recording::{
        Folded, ReadError, Reader, recordings,
        signature::{Key, Signed},
    },
    report::{Origin, Report, RunResult, Source},
};

/// So many recordings are looked at for one that came to its end.
const MAX_LOOKED_AT: usize = 20;

pub(super) fn run(args: &Judge) -> Exit {
    judge(&args.recording, &args.reporting)
}

/// `stsgrade show`: the same of the last grade's recording, where none is named.
pub(super) fn show(args: &Show) -> Exit {
    let last = match &args.recording {
        Some(recording) => Ok(recording.clone()),
        None => last_report(args.reporting.quiet),
    };
    match last {
        Ok(recording) => judge(&recording, &args.reporting),
        Err(failure) => fail(&failure),
    }
}

/// The newest recording that came to its end, or the newest of all; says which it is.
fn last_report(is_quiet: bool) -> Result<PathBuf, Failure> {
    let all = recordings().map_err(|error| {
        Failure::new(
            "no_recording",
            format!("there is no recording of an earlier grade: {error}"),
            "Grade first, or name a recording: `stsgrade show FILE`.",
        )
    })?;
    let read = |path: &PathBuf| Reader::open(path).and_then(recording::fold).ok();
    let recent = all.iter().take(MAX_LOOKED_AT).enumerate();
    let ended = recent
        .filter_map(|(place, path)| Some((place, path, read(path)?)))
        .find(|(.., folded)| folded.timeline.end().is_some());
    let Some((place, path, folded)) = ended else { return Ok(all[0].clone()) };
    if !is_quiet {
        let skipped = if place > 0 { "; what was begun after it came to no report" } else { "" };
        tell(&format!(
            "note: recorded from {} on in namespace {}{skipped}\n",
            sanitize(&folded.header.started_at),
            sanitize(&folded.header.namespace)
        ));
    }
    Ok(path.clone())
}

fn judge(recording: &Path, reporting: &Reporting) -> Exit {
    let mut outputs = match Outputs::reserve(
        reporting,
        RunFiles { read: vec![recording.to_owned()], written: vec![] },
    ) {
        Ok(outputs) => outputs,
        Err(exit) => return exit,
    };
    let folded = match Reader::open(recording).and_then(recording::fold) {
        Ok(folded) => folded,
        Err(error) => return outputs.fail(&unreadable(&error)),
    };
    if let Some(failure) = unseen_subject(&folded) {
        return outputs.fail(&failure);
    }
    if !reporting.quiet {
        tell(&remarks(&folded));
    }
    let report = report(&folded).scored(&outputs.rubric);
    let pages = outputs.pages(&RunResult::Judged { report: &report, timeline: &folded.timeline });
    outputs.deliver(&report, &pages)
}

/// The report on a recording from a file.
pub(super) fn report(folded: &Folded) -> Report {
    let key = Key::from_environment();
    let signed = Signed::check(key.as_ref(), folded.signature.as_ref(), &folded.digest);
    let known = Source::of(&folded.header, folded.digest.clone());
    let source = Source { origin: Origin::File(signed), ..known };
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
    let seen: Vec<String> = folded.timeline.known_sets().map(str::to_owned).collect();
    Some(never_appeared(name, &folded.header.namespace, &seen))
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
    if let (Some(left), Some(set)) = (folded.timeline.left_subjects().last(), folded.timeline.set())
    {
        out.push_str(&format!(
            "note: the work moved from StatefulSet {} to {}, which is judged\n",
            sanitize(left),
            sanitize(&set.name)
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
