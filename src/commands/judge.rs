//! `stsgrade judge`: a recording, judged again without a cluster.

use crate::commands::{outputs::Outputs, tell};
use crate::{
    cli::Judge,
    cluster::{Failure, passive::never_appeared},
    console::sanitize::sanitize,
    exit::Exit,
    recording,
    recording::{Folded, ReadError, Reader},
    report::{Report, RunResult, Source},
};

pub(super) fn run(args: &Judge) -> Exit {
    let mut outputs = match Outputs::reserve(&args.reporting) {
        Ok(outputs) => outputs,
        Err(exit) => return exit,
    };
    let folded = match Reader::open(&args.recording).and_then(recording::fold) {
        Ok(folded) => folded,
        Err(error) => return outputs.fail(&unreadable(&error)),
    };
    if let Some(failure) = unseen_subject(&folded) {
        return outputs.fail(&failure);
    }
    if !args.reporting.quiet {
        tell(&remarks(&folded));
    }
    let report = report(&folded).scored(&outputs.rubric);
    let pages = outputs.pages(&RunResult::Judged { report: &report, timeline: &folded.timeline });
    outputs.deliver(&report, &pages)
}

/// The report on a recording: the live grade and the judge make it alike.
pub(super) fn report(folded: &Folded) -> Report {
    let header = &folded.header;
    let source = Source::of(header, folded.digest.clone());
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
