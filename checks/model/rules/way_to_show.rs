//! The way by which somebody who works by hand shows what is not shown yet, from where the set
//! stands now.

use crate::model::{
    lab::LEAST_REPLICAS,
    timeline::{Timeline, lives::SetLife},
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
        let Some(set) = self.set().filter(|set| set.deletion_requested.is_none()) else {
            return vec![
                "apply the StatefulSet again, and wait until all pods are Ready".to_owned(),
            ];
        };
        let replicas = set.spec.replicas_or_one();
        let mut way = Way { open: open.to_vec(), replicas, actions: vec![] };
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
        // What was never removed cannot return.
        let has_scaled_down = self.actions.iter().any(|it| matches!(it, Action::ScaleDown(_)));
        let from = self.replicas;
        self.open.retain(|it| match it {
            ShownBy::ScaleUpFromNone => from > 0,
            ShownBy::ScaleUp => from == 0 || to.saturating_sub(from) < 2,
            ShownBy::Return => !has_scaled_down,
            _ => true,
        });
        self.actions.push(Action::ScaleUp(to));
        self.replicas = to;
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
}
