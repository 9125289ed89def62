//! The way by which somebody who works by hand shows what is not shown yet, from where the set
//! stands now.

use crate::model::{
    lab::LEAST_REPLICAS,
    timeline::{Timeline, lives::SetLife},
};

impl Timeline {
    /// One way to show these tests (by their numbers in the lab), from where the set stands now, a
    /// step each.
    #[must_use]
    pub fn way_to_show(&self, tests: &[u8]) -> Vec<String> {
        let Some(set) = self.set().filter(|set| set.deletion_requested.is_none()) else {
            return vec![
                "apply the StatefulSet again, and wait until all pods are Ready".to_owned(),
            ];
        };
        let mut way =
            Way { tests: tests.to_vec(), now: set.spec.replicas.unwrap_or(1), actions: vec![] };
        let top = self.replicas().max(LEAST_REPLICAS);
        if way.wants(&[1, 3, 4, 5]) {
            way.actions.push(Action::WaitForFiles);
        }
        if way.now >= 1 && way.wants(&[6]) {
            way.actions.push(Action::Delete(self.start() + i32::from(way.now > 1)));
        }
        if way.now < LEAST_REPLICAS {
            way.up(top.max(way.now + 2));
        }
        if way.wants(&[2]) {
            way.down(0);
            way.up(top);
        }
        if way.wants(&[8, 9, 10]) {
            way.down(1);
        }
        if way.now < top && (way.wants(&[7, 10]) || way.now == 1) {
            way.up(top);
        }
        if way.wants(&[7]) {
            way.up(way.now + 2);
        }
        if tests.contains(&6) && !way.actions.iter().any(|it| matches!(it, Action::Delete(_))) {
            way.actions.push(Action::Delete(self.start() + 1));
        }
        way.actions.iter().map(|it| it.told(set)).collect()
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
    fn told(self, set: &SetLife) -> String {
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
    /// What is still to be shown, by its number in the lab.
    tests: Vec<u8>,
    /// The replicas at its end.
    now: i32,
    actions: Vec<Action>,
}

impl Way {
    fn wants(&self, tests: &[u8]) -> bool {
        self.tests.iter().any(|test| tests.contains(test))
    }

    fn up(&mut self, to: i32) {
        let shown: &[u8] = if self.now == 0 {
            &[2, 10]
        } else if to - self.now >= 2 {
            &[7, 10]
        } else {
            &[10]
        };
        // What was never away cannot come back.
        let is_return = self.actions.iter().any(|it| matches!(it, Action::ScaleDown(_)));
        self.tests.retain(|test| !shown.contains(test) || *test == 10 && !is_return);
        self.actions.push(Action::ScaleUp(to));
        self.now = to;
    }

    fn down(&mut self, to: i32) {
        self.tests.retain(|test| !matches!(test, 8 | 9));
        self.actions.push(Action::ScaleDown(to));
        self.now = to;
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{observation::Change, testing::history::History};

    fn standing() -> History {
        History::new().service().set(Change::Listed).subject().listed(0).listed(1).listed(2)
    }

    #[test]
    fn one_way_shows_all_that_is_open() {
        let way = |history: History, tests: &[u8]| history.timeline().way_to_show(tests).join("; ");
        let up = "and wait until all pods are Ready";
        assert_eq!(way(standing(), &[7]), format!("scale web to 5, {up}"));
        assert_eq!(
            way(standing(), &[8, 9]),
            "scale web to 1, and wait until the others are gone; scale web to 3, and wait until \
            all pods are Ready"
        );
        assert_eq!(
            way(standing(), &[7, 8, 9, 10]),
            format!("scale web to 1, and wait until the others are gone; scale web to 3, {up}")
        );
        assert_eq!(
            way(standing(), &[2, 10]),
            format!("scale web to 0, and wait until all pods are gone; scale web to 3, {up}")
        );
        assert_eq!(
            way(standing(), &[2, 6, 7]),
            format!(
                "delete pod web-1, and wait until it is Ready again; scale web to 0, and wait \
                until all pods are gone; scale web to 3, {up}; scale web to 5, {up}"
            )
        );
        // Everything is scaled away: the way begins with the way up.
        let nothing = standing().scale(0).down(2).down(1).down(0);
        assert_eq!(
            way(nothing, &[2, 6]),
            format!("scale web to 3, {up}; delete pod web-1, and wait until it is Ready again")
        );
    }
}
