//! What recordings of earlier minor versions say only in words, as the fields that say it now.

use checks::model::{
    Fact,
    observation::{Step, StepName},
};

/// The first minor version in which a step tells who ended it, and whose Pod Security level it is.
const TELLS_IN_FIELDS: u32 = 2;

/// Fills in the fields that a recording of this minor version lacks.
pub(super) fn upgrade(minor: u32, what: &mut Fact) {
    if let Fact::Step(step) = what
        && minor < TELLS_IN_FIELDS
    {
        upgrade_step(step);
    }
}

fn upgrade_step(step: &mut Step) {
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
            assert_eq!(upgraded(minor, StepName::Observe, changed), (true, None));
            assert_eq!(
                upgraded(minor, StepName::Apply, made),
                (false, Some("baseline".to_owned()))
            );
            assert_eq!(upgraded(minor, StepName::Apply, "service/web created"), (false, None));
        }
        assert_eq!(
            upgraded(2, StepName::Observe, changed),
            (false, None),
            "a webhook may use these words"
        );
        assert_eq!(upgraded(2, StepName::Apply, made), (false, None));
    }
}
