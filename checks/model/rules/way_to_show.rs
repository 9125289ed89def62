//! The way by which somebody who works by hand shows what is not shown yet, from where the set
//! stands now.

use crate::model::{
    lab::LEAST_REPLICAS,
    observation::when::When,
    timeline::{
        Timeline,
        lives::{PodLife, SetLife},
        relevance::SubmissionPart,
    },
};

/// What shows a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownBy {
    /// All pods are Ready and have written their files.
    ReadyPods,
    /// All pods are created again, while there is none.
    ScaleUpFromNone,
    /// A pod is deleted, and its replacement is Ready.
    Replacement,
    /// Two more pods are created.
    ScaleUp,
    /// All pods but the first are removed.
    ScaleDown,
    /// Pods that were removed by scaling down are created again.
    Return,
}

impl Timeline {
    /// One way to show tests, from where the set stands now, a step each.
    #[must_use]
    pub fn way_to_show(&self, open: &[ShownBy]) -> Vec<String> {
        self.way(open, self.away())
    }

    /// The same once the submission is changed: what is away is of the earlier one, and shows nothing
    /// of the new one by coming back.
    #[must_use]
    pub fn way_to_show_anew(&self, open: &[ShownBy]) -> Vec<String> {
        self.way(open, vec![])
    }

    /// `away`: the numbers of pods that only have to come back.
    fn way(&self, open: &[ShownBy], away: Vec<i32>) -> Vec<String> {
        let Some(set) = self.set().filter(|set| set.deletion_requested.is_none()) else {
            return vec![
                "apply the StatefulSet again, and wait until all pods are Ready".to_owned(),
            ];
        };
        let replicas = set.spec.replicas_or_one();
        let mut way = Way { open: open.to_vec(), replicas, away, actions: vec![] };
        let top = self.replicas().max(LEAST_REPLICAS);
        if way.lacks(ShownBy::ReadyPods) {
            if way.replicas == 0 {
                way.up(top);
            }
            way.actions.push(Action::WaitForFiles);
        }
        if way.replicas >= 1 && way.lacks(ShownBy::Replacement) {
            way.delete(self.start().saturating_add(i32::from(way.replicas > 1)));
        }
        if way.replicas < LEAST_REPLICAS {
            way.up(top.max(way.replicas.saturating_add(2)));
        }
        if way.lacks(ShownBy::ScaleUpFromNone) {
            way.down(0);
            way.up(top);
        }
        if !way.lacks(ShownBy::ScaleDown) && way.lacks(ShownBy::Return) {
            way.bring_back();
        }
        if way.lacks(ShownBy::ScaleDown) || way.lacks(ShownBy::Return) {
            way.down(1);
        }
        let needs_more = way.lacks(ShownBy::ScaleUp) || way.lacks(ShownBy::Return);
        if way.replicas < top && (needs_more || way.replicas == 1) {
            way.up(top);
        }
        if way.lacks(ShownBy::ScaleUp) {
            way.up(way.replicas.saturating_add(2));
        }
        if way.lacks(ShownBy::Replacement) {
            way.delete(self.start().saturating_add(1));
        }
        way.actions.iter().map(|action| action.in_words(set)).collect()
    }

    /// The pods that are away, of the present template and policy, whose files were read and whose
    /// claims are there still, by their number: scaling up to them shows a return.
    fn away(&self) -> Vec<i32> {
        let has_claims = |pod: &PodLife| {
            let claims = pod.claims();
            let mut lives = claims.iter().map(|(_, name)| self.claim(name).last());
            lives.all(|life| life.is_some_and(|it| it.deletion_requested.or(it.deleted).is_none()))
        };
        let is_away = |pod: &PodLife| {
            let is_present = |gone: When| self.is_since(gone.by, SubmissionPart::Retention);
            pod.deleted.is_some_and(is_present)
                && self.is_current(pod)
                && self.was_read(pod)
                && has_claims(pod)
        };
        let last = self.lanes().filter_map(|(_, lane)| lane.last());
        let away = last.filter(|pod| is_away(pod));
        away.map(|pod| pod.ordinal.saturating_sub(self.start())).collect()
    }
}

/// One step of a way to show tests.
#[derive(Clone, Copy)]
enum Action {
    WaitForFiles,
    /// Of the pod of this ordinal.
    Delete(i32),
    /// To so many replicas.
    ScaleUp(i32),
    /// To so many replicas.
    ScaleDown(i32),
}

impl Action {
    /// What to do, in words.
    fn in_words(self, set: &SetLife) -> String {
        match self {
            Self::WaitForFiles => {
                "wait until all pods are Ready and have written their files".to_owned()
            }
            Self::Delete(ordinal) => {
                format!("delete pod {}, and wait until it is Ready again", set.pod_name(ordinal))
            }
            Self::ScaleUp(to) => {
                format!("scale {} to {to}, and wait until all pods are Ready", set.name)
            }
            Self::ScaleDown(0) => {
                format!("scale {} to 0, and wait until all pods are gone", set.name)
            }
            Self::ScaleDown(to) => {
                format!("scale {} to {to}, and wait until the others are gone", set.name)
            }
        }
    }
}

/// A way to show tests, as far as it is planned.
struct Way {
    /// What it does not show yet.
    open: Vec<ShownBy>,
    /// The replicas at its end.
    replicas: i32,
    /// The numbers of pods that were removed before it begins.
    away: Vec<i32>,
    actions: Vec<Action>,
}

impl Way {
    fn lacks(&self, what: ShownBy) -> bool {
        self.open.contains(&what)
    }

    fn delete(&mut self, ordinal: i32) {
        self.open.retain(|it| *it != ShownBy::Replacement);
        self.actions.push(Action::Delete(ordinal));
    }

    fn up(&mut self, to: i32) {
        let from = self.replicas;
        // What was never removed cannot return.
        let returns = self.actions.iter().any(|it| matches!(it, Action::ScaleDown(_)))
            || self.away.iter().any(|it| (from..to).contains(it));
        self.open.retain(|it| match it {
            ShownBy::ScaleUpFromNone => from > 0,
            ShownBy::ScaleUp => from == 0 || to.saturating_sub(from) < 2,
            ShownBy::Return => !returns,
            _ => true,
        });
        self.actions.push(Action::ScaleUp(to));
        self.replicas = to;
    }

    /// Scales up by two, where that brings back what is away.
    fn bring_back(&mut self) {
        let to = self.replicas.saturating_add(2);
        if self.away.iter().any(|it| (self.replicas..to).contains(it)) {
            self.up(to);
        }
    }

    fn down(&mut self, to: i32) {
        self.open.retain(|it| *it != ShownBy::ScaleDown);
        self.actions.push(Action::ScaleDown(to));
        self.replicas = to;
    }
}

#[cfg(test)]
mod tests {
    use super::ShownBy;
    use crate::model::{observation::ObjectChange, testing::history::History};

    fn standing() -> History {
        History::new().service().set(ObjectChange::Listed).subject().listed(0).listed(1).listed(2)
    }

    /// Catches replicas that no API server lets through, and an overflow.
    #[test]
    fn replicas_below_none_have_a_way() {
        let open = [ShownBy::ScaleUp, ShownBy::ReadyPods];
        let way = standing().scale(i32::MIN).timeline().way_to_show(&open);
        assert_eq!(way.last().unwrap(), "scale web to 3, and wait until all pods are Ready");
    }

    #[test]
    fn one_way_shows_all_that_is_undecided() {
        let way =
            |history: History, open: &[ShownBy]| history.timeline().way_to_show(open).join("; ");
        let up = "and wait until all pods are Ready";
        assert_eq!(way(standing(), &[ShownBy::ScaleUp]), format!("scale web to 5, {up}"));
        // Nothing is Ready, and no file is written, before there are pods.
        let none = standing().scale(0).down(2).down(1).down(0);
        assert_eq!(
            way(none, &[ShownBy::ReadyPods]),
            format!(
                "scale web to 3, {up}; wait until all pods are Ready and have written their files"
            )
        );
        assert_eq!(
            way(standing(), &[ShownBy::ScaleDown]),
            "scale web to 1, and wait until the others are gone; scale web to 3, and wait until \
            all pods are Ready"
        );
        assert_eq!(
            way(standing(), &[ShownBy::ScaleUp, ShownBy::ScaleDown, ShownBy::Return]),
            format!("scale web to 1, and wait until the others are gone; scale web to 3, {up}")
        );
        assert_eq!(
            way(standing(), &[ShownBy::ScaleUpFromNone, ShownBy::Return]),
            format!("scale web to 0, and wait until all pods are gone; scale web to 3, {up}")
        );
        assert_eq!(
            way(standing(), &[ShownBy::ScaleUpFromNone, ShownBy::Replacement, ShownBy::ScaleUp]),
            format!(
                "delete pod web-1, and wait until it is Ready again; scale web to 0, and wait \
                until all pods are gone; scale web to 3, {up}; scale web to 5, {up}"
            )
        );
        // Everything is scaled away: the way begins with the way up.
        let nothing = standing().scale(0).down(2).down(1).down(0);
        assert_eq!(
            way(nothing, &[ShownBy::ScaleUpFromNone, ShownBy::Replacement]),
            format!("scale web to 3, {up}; delete pod web-1, and wait until it is Ready again")
        );
    }

    /// Catches two changes of replicas too many, for somebody whose pods are away already.
    #[test]
    fn what_is_away_only_has_to_come_back() {
        let way = |history: History| history.timeline().way_to_show(&[ShownBy::Return]);
        let read = || standing().inspect().scale(5).up(3).up(4).inspect_one(3).inspect_one(4);
        let to_two = read().scale(2).down(4).down(3).down(2);
        assert_eq!(way(to_two.clone()), ["scale web to 4, and wait until all pods are Ready"]);
        let to_three = read().scale(3).down(4).down(3);
        assert_eq!(way(to_three.clone()), ["scale web to 5, and wait until all pods are Ready"]);
        // On a new PVC none comes back to what it had.
        let gone =
            |history: History, ordinal| history.claim_line(ordinal, ObjectChange::Deleted, |_| {});
        assert_eq!(way(gone(gone(to_three, 3), 4)).len(), 2);
        // Nor does one show anything that nobody read before.
        let unread = standing().scale(5).up(3).up(4).scale(3).down(4).down(3);
        assert_eq!(way(unread).len(), 2);
        // Nor does one of a submission that is changed before.
        assert_eq!(to_two.timeline().way_to_show_anew(&[ShownBy::Return]).len(), 3);
    }
}
