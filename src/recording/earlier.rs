//! What recordings of earlier minor versions say only in words, as the fields that say it now.

use checks::model::{
    Fact,
    observation::{Phase, Step, StepName},
};

/// The first minor version in which a step tells who ended it, and whose Pod Security level it is.
const TELLS_IN_FIELDS: u32 = 2;
/// The first minor version in which a step tells the objects that were applied, and that somebody
/// who deletes a PVC ended it.
const LISTS_APPLIED: u32 = 3;

/// Fills in the fields that a recording of this minor version lacks.
pub(super) fn upgrade(minor: u32, what: &mut Fact) {
    let Fact::Step(step) = what else { return };
    if minor < TELLS_IN_FIELDS {
        add_who_ended_it(step);
    }
    if minor < LISTS_APPLIED {
        let answer = step.answer.as_deref().unwrap_or_default();
        step.interfered |=
            step.phase == Phase::Refused && answer.contains(" is being deleted by somebody");
        if step.name == StepName::Apply && step.phase == Phase::Done {
            add_applied(step);
        }
    }
}

/// The objects in words such as `service/web created, pod/web-0 configured`.
fn add_applied(step: &mut Step) {
    let answer = step.answer.as_deref().unwrap_or_default();
    let objects = answer.split(", ").filter_map(|it| it.split(' ').next());
    step.applied = objects.map(str::to_owned).collect();
}

fn add_who_ended_it(step: &mut Step) {
    let Some(answer) = step.answer.as_deref() else { return };
    step.interfered |= answer.contains("somebody else");
    // The namespace came first in what was applied.
    let level = answer
        .strip_prefix("namespace/")
        .and_then(|it| it.split_once(" with Pod Security level "))
        .map(|(_, level)| level.split([' ', ',', ';']).next().unwrap_or_default().to_owned());
    if step.name == StepName::Apply && step.pod_security.is_none() {
        step.pod_security = level;
    }
}

#[cfg(test)]
mod tests {
    use checks::model::{
        Fact,
        observation::{Phase, Step, StepName},
    };

    use super::upgrade;

    fn upgraded(minor: u32, name: StepName, answer: &str) -> (bool, Option<String>) {
        let step = Step { answer: Some(answer.to_owned()), ..Step::new(name, Phase::Refused) };
        let mut what = Fact::Step(step);
        upgrade(minor, &mut what);
        match what {
            Fact::Step(step) => (step.interfered, step.pod_security),
            _ => (false, None),
        }
    }

    /// Catches a kept recording that gets another report than when it was made.
    #[test]
    fn what_earlier_versions_said_in_words_still_counts() {
        let changed = "somebody else changed web while it was graded";
        let made = "namespace/lab with Pod Security level baseline, service/web created";
        for minor in [0, 1] {
            assert_eq!(upgraded(minor, StepName::WaitUntilSettled, changed), (true, None));
            assert_eq!(
                upgraded(minor, StepName::Apply, made),
                (false, Some("baseline".to_owned()))
            );
            assert_eq!(upgraded(minor, StepName::Apply, "service/web created"), (false, None));
        }
        assert_eq!(
            upgraded(2, StepName::WaitUntilSettled, changed),
            (false, None),
            "a webhook may use these words"
        );
        assert_eq!(upgraded(2, StepName::Apply, made), (false, None));
        let deleted = "PVC data-web-1 is being deleted by somebody: it would go";
        assert_eq!(upgraded(2, StepName::Replace, deleted), (true, None));
        assert_eq!(upgraded(3, StepName::Replace, deleted), (false, None));
    }

    /// Catches a Pod of the submission that is told as somebody else's, because an earlier version
    /// said only in words that it was applied.
    #[test]
    fn what_was_applied_is_known_of_earlier_recordings() {
        let applied = |minor, name, phase| {
            let answer = "namespace/lab with Pod Security level baseline, service/web created, \
                pod/web-0 configured";
            let mut what =
                Fact::Step(Step { answer: Some(answer.to_owned()), ..Step::new(name, phase) });
            upgrade(minor, &mut what);
            let Fact::Step(step) = what else { return String::new() };
            step.applied.join(" ")
        };
        for minor in [0, 1, 2] {
            let known = applied(minor, StepName::Apply, Phase::Done);
            assert_eq!(known, "namespace/lab service/web pod/web-0");
            assert_eq!(applied(minor, StepName::Apply, Phase::Refused), "", "not all is applied");
            assert_eq!(applied(minor, StepName::WaitUntilSettled, Phase::Done), "");
        }
        assert_eq!(applied(3, StepName::Apply, Phase::Done), "", "it says so by itself");
    }
}
