//! `stsgrade judge`: a recording, judged again without a cluster.

use std::path::Path;

use crate::commands::{fail, outputs::Outputs, tell};
use crate::{
    cli::{Judge, Reporting, Show},
    cluster::{Failure, passive::never_appeared},
    console::sanitize::sanitize,
    exit::Exit,
    recording,
    recording::{
        Folded, ReadError, Reader, last_recording,
        signature::{Key, Signed},
    },
    report::{Origin, Report, RunResult, Source},
};

pub(super) fn run(args: &Judge) -> Exit {
    judge(&args.recording, &args.reporting)
}

/// `stsgrade show`: the same of the last grade's recording, where none is named.
pub(super) fn show(args: &Show) -> Exit {
    let last = match &args.recording {
        Some(recording) => Ok(recording.clone()),
        None => last_recording().map_err(|error| {
            Failure::new(
                "no_recording",
                format!("there is no recording of an earlier grade: {error}"),
                "Grade first, or name a recording: `stsgrade show FILE`.",
            )
        }),
    };
    match last {
        Ok(recording) => judge(&recording, &args.reporting),
        Err(failure) => fail(&failure),
    }
}

fn judge(recording: &Path, reporting: &Reporting) -> Exit {
    let mut outputs = match Outputs::reserve(reporting) {
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
