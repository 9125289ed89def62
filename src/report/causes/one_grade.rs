//! What causes have in common: each change is told once, and one grade comes after all of them.

use checks::model::Fault;

use crate::{
    remedy::commands::{self, CommandFacts, Mending},
    report::causes::Cause,
};

/// What a remedy ends in that deletes the set, where no remedy deletes its PVCs.
const CLAIMS_STAY: &str = " The PVCs stay.";

/// One grade comes after all changes: each change is told once, and what they need is typed once.
pub(super) fn plan_one_grade(causes: &mut [Cause], facts: &CommandFacts) {
    tell_once(causes);
    let is_own = |it: &Cause| it.fault == Some(Fault::Submission);
    let own = causes.iter().filter(|it| is_own(it));
    let mending: Vec<Mending<'_>> = own.map(Cause::mending).collect();
    let commands = commands::commands_after_changes(&mending, facts);
    let claims_stay =
        !facts.claims.is_empty() && !mending.iter().any(|it| it.deletes_claims(facts));
    for cause in causes.iter_mut().filter(|it| is_own(it)) {
        cause.commands.clone_from(&commands);
        cause.remedy.clone_from(&cause.remedy_alone);
        if claims_stay && cause.mending().deletes_set_alone(facts) {
            cause.remedy.push_str(CLAIMS_STAY);
        }
    }
}

/// Tells each change as one of the manifest as it was handed in, and what these need: some of the
/// causes that were told before it are not told any more, or later.
pub(in crate::report) fn plan_one_grade_again(causes: &mut [Cause], facts: &CommandFacts) {
    for cause in causes.iter_mut() {
        cause.changes.clone_from(&cause.changes_alone);
    }
    plan_one_grade(causes, facts);
}

/// Each change is told once.
fn tell_once(causes: &mut [Cause]) {
    for place in 1..causes.len() {
        let (earlier, [cause, ..]) = causes.split_at_mut(place) else { continue };
        cause.changes.retain(|it| !earlier.iter().any(|known| known.changes.contains(it)));
    }
}
