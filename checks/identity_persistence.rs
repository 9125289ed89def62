//! A replaced pod is the same pod again: name, claim and content.

use crate::{
    Check,
    model::{Standing, Timeline, Verdict},
};

pub(crate) const CHECK: Check = Check {
    id: "identity_persistence",
    test: 6,
    title: "Identity Persistence",
    asked: "When you delete a pod, the replacement pod gets the same name, reattaches to the same PVC, and the persistent volume contains the original content (not new content).",
    why: "A member of a distributed system that comes back must be the one that went.",
    remedy: "Keep the data on a claim from `volumeClaimTemplates`, and write the identity only where it is not there yet.",
    see: "kubectl exec SET-1 -n NS -- cat /data/id    # your file\nkubectl delete pod SET-1 -n NS\nkubectl exec SET-1 -n NS -- cat /data/id    # the same?",
    points: 10,
    judge,
};

/// Passes when a replaced pod came back under its name, on the same claims, with the original content.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    let mut replacements = timeline.replacements();
    // Where some replacements were looked into, those that happened before anybody could look prove nothing.
    if replacements.iter().any(|(old, _)| timeline.portrait(old).is_some()) {
        replacements.retain(|(old, _)| timeline.portrait(old).is_some());
    }
    for (old, new) in replacements {
        let Some(standing) = timeline.coming_back(new, "wait until the new pod is Ready") else { continue };
        let is_back = standing == Standing::Met;
        verdict.push("came_back", format!("{} came back under its name", old.name()), standing, [old.added.by, new.added.by]);
        if is_back {
            timeline.judge_return(&mut verdict, old, new);
        }
    }
    if verdict.criteria.is_empty() {
        verdict.push("came_back", "a deleted pod comes back", timeline.missing("delete one pod while stsgrade watches"), []);
    }
    verdict
}

#[cfg(test)]
mod tests {
    use crate::model::{
        Outcome::{Fail, Inconclusive, Pass},
        history::{History, Writes},
        observation::Change,
    };

    fn replaced(writes: Writes) -> History {
        let mut history = History::new();
        history.writes = writes;
        history.service().set(Change::Added).subject().up(0).up(1).up(2).inspect().down(1).up(1).inspect_one(1).end()
    }

    #[test]
    fn appending_and_guarding_pass() {
        replaced(|ordinal, there, start| Some(format!("{}web-{ordinal} {start}\n", there.unwrap_or_default()))).assert("identity_persistence", Pass, &[]);
        replaced(|ordinal, there, start| Some(there.map_or_else(|| format!("web-{ordinal} {start}\n"), str::to_owned))).assert(
            "identity_persistence",
            Pass,
            &[],
        );
    }

    #[test]
    fn rewriting_the_very_same_passes() {
        replaced(|ordinal, _, _| Some(format!("web-{ordinal}\n"))).assert("identity_persistence", Pass, &[]);
    }

    #[test]
    fn a_new_date_over_the_old_one_fails() {
        // The behaviour of the lab's Section 1 manifest.
        replaced(|ordinal, _, start| Some(format!("Pod: web-{ordinal}\nDate: {start}{ordinal}\n"))).assert(
            "identity_persistence",
            Fail,
            &["overwritten_at_start"],
        );
    }

    #[test]
    fn a_line_of_its_own_that_survives_a_rewrite_passes() {
        replaced(|ordinal, there, start| {
            let first = there
                .and_then(|it| it.lines().next())
                .map_or_else(|| format!("web-{ordinal} token {}", [831, 422, 977][usize::try_from(ordinal).unwrap_or(0)]), str::to_owned);
            Some(format!("{first}\nstarts: {start}\n"))
        })
        .assert("identity_persistence", Pass, &[]);
    }

    #[test]
    fn no_identity_is_judged_by_the_canary_alone() {
        replaced(|_, _, _| None).assert("identity_persistence", Pass, &[]);
    }

    #[test]
    fn a_missing_canary_fails_only_where_nothing_else_proves_the_content() {
        let mut history = History::new();
        history.writes = |_, _, _| None;
        let mut wiped = history.service().set(Change::Added).subject().up(0).up(1).up(2).inspect().down(1).up(1).inspect_one(1).end();
        for line in wiped.lines.iter_mut().rev().take(5) {
            if let crate::model::What::Canary(canary) = &mut line.what {
                canary.saw.iter_mut().for_each(Vec::clear);
            }
        }
        wiped.assert("identity_persistence", Fail, &["wiped_at_start"]);
    }

    #[test]
    fn a_replacement_that_nobody_could_read_is_unseen() {
        let unread = History::new().service().set(Change::Added).subject().up(0).up(1).up(2).down(1).up(1).end();
        unread.assert("identity_persistence", Inconclusive, &[]);
    }
}
