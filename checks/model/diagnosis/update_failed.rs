//! An update of a pod that the controller cannot make.

use crate::model::{
    diagnosis::{StepTime, facts::is_update_of},
    observation::Seq,
    obstacle::{Fault, Obstacle},
    timeline::{Timeline, lives::PodLife},
};

/// The obstacle: id, whose fault it is, and what to do.
pub(super) const UPDATE_FAILED: (&str, Fault, &str) =
    ("update_failed", Fault::NotTheSubmission, REMEDY);

const REMEDY: &str = "The controller cannot make this change in a pod that exists: a pod's \
    volumes, for example, stay as they are. Delete the set's pods (`kubectl delete pod`): the \
    controller makes them anew from the template, and their PVCs stay. Then grade again.";

/// The API server's words, without the structs that it prints below them.
fn without_structs(message: &str) -> &str {
    let end = message.find(['\n', '{']).unwrap_or(message.len());
    message[..end].trim_end()
}

/// Whether a failed update of a pod fails again at each further try.
pub(super) fn is_final(message: &str) -> bool {
    const FINAL: [&str; 2] = ["may not change fields", "is invalid"];
    FINAL.iter().any(|it| message.contains(it))
}

/// The controller cannot make a pod as the template has it, though it stands and is Ready.
pub(super) fn obstacle(timeline: &Timeline, step_time: StepTime) -> Option<Obstacle> {
    let set = timeline.set()?;
    // A pod that was made since is as the template has it.
    let is_of_an_earlier_pod = |seq: Seq, message: &str| {
        let later = |it: &PodLife| it.added.after.is_some_and(|after| after >= seq);
        timeline.owned().any(|it| later(it) && is_update_of(message, it.name()))
    };
    let told = timeline.warnings(&set.uid).rfind(|(seq, it)| {
        it.reason == "FailedUpdate"
            && *seq > set.changed.by
            && !is_of_an_earlier_pod(*seq, &it.message)
    })?;
    let (seq, event) = told;
    if !step_time.is_over() && !is_final(&event.message) {
        return None;
    }
    let (id, _, remedy) = UPDATE_FAILED;
    Some(Obstacle::of_no_pod(id, &set.name, without_structs(&event.message), remedy, vec![seq]))
}
