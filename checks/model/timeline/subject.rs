//! The subject: which StatefulSet somebody works on, where nobody named one for good.

use std::collections::BTreeSet;

use crate::model::{
    observation::{Reference, Seq, Subject},
    timeline::{Timeline, lives::SetLife},
};

/// What was done to a set while it was watched. The order is how much that tells of whether somebody
/// works on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    /// It stood before, and nothing was done but taking it down.
    Nothing,
    /// It was made, at this line, and then nothing was done but taking it down.
    Made(Seq),
    /// More was done, at this line last.
    Done(Seq),
}

impl Work {
    /// The last line at which something was done.
    const fn line(self) -> Seq {
        match self {
            Self::Nothing => 0,
            Self::Made(line) | Self::Done(line) => line,
        }
    }
}

impl Timeline {
    /// The set that the work has moved to, where it is not the subject yet. `named` is the only one
    /// that may be it.
    ///
    /// Work is on the set that something was done to last: it was made, scaled up or changed, or a
    /// pod of it was replaced. Where the subject was deleted, the work also moves back to a set that
    /// something was done to, unless more was done to the subject: who only cleans up has done all
    /// there is to judge.
    #[must_use]
    pub fn work_moves_to(&self, named: Option<&str>) -> Option<Reference> {
        let current = self.subject_name();
        if named.is_some() && named == current {
            return None;
        }
        let life = current.and_then(|name| self.sets.get(name)?.last());
        let own = life.map_or(Work::Nothing, |life| self.work_on(life));
        let deleted = life.and_then(deletion_line);
        let moved = self.other_sets(named).filter(|set| {
            if deletion_line(set).is_some() {
                return false;
            }
            let work = self.work_on(set);
            let moves_back = || match own {
                Work::Done(_) => work > own,
                Work::Nothing | Work::Made(_) => work > Work::Nothing,
            };
            match deleted {
                _ if current.is_none() => true,
                None => work.line() > own.line(),
                Some(deleted) => work.line() > deleted || moves_back(),
            }
        });
        moved.max_by_key(|set| (self.work_on(set).line(), set.added.by)).map(reference_to)
    }

    /// The set that is to be judged once nothing more will be done, where it is not the subject.
    /// `named` is the only one that may be it.
    ///
    /// A set that was made and no more takes nothing from one that more was done to, unless that was
    /// deleted before.
    #[must_use]
    pub fn work_was_on(&self, named: Option<&str>) -> Option<Reference> {
        let own = self.work_on(self.set()?);
        let is_done = |work: Work| matches!(work, Work::Done(_));
        if is_done(own) {
            return None;
        }
        let meant = self.other_sets(named).filter(|set| {
            is_done(self.work_on(set))
                && deletion_line(set).is_none_or(|deleted| deleted > own.line())
        });
        meant.max_by_key(|set| self.work_on(set)).map(reference_to)
    }

    fn subject_name(&self) -> Option<&str> {
        let (_, subject) = self.subject.as_ref()?;
        Some(subject.stateful_set.as_ref()?.name.as_str())
    }

    /// The newest life of each set that is not the subject and may be it.
    fn other_sets(&self, named: Option<&str>) -> impl Iterator<Item = &SetLife> {
        let of_name = named.and_then(|name| self.sets.get(name));
        // All others are left alone where one is named: there may be any number.
        let all = named.is_none().then(|| self.sets.values()).into_iter().flatten();
        let newest = of_name.into_iter().chain(all).filter_map(|lives| lives.last());
        newest.filter(|set| self.subject_name() != Some(set.name.as_str()))
    }

    /// What was done to a set, other than taking it down.
    fn work_on(&self, set: &SetLife) -> Work {
        let made = set.added.after.map(|_| set.added.by);
        let is_later = |line: &Seq| *line > set.added.by;
        // Each scale is later than the one before.
        let scaled_up = set.replicas_changes.iter().rfind(|scale| scale.to > scale.from);
        let lanes = self.lanes.get(&set.uid).into_iter().flat_map(|lanes| lanes.values());
        let replaced = lanes.filter_map(|lane| lane.split_first()?.1.last());
        let done = scaled_up
            .map(|scale| scale.when.by)
            .into_iter()
            .chain([set.changed.by])
            .chain(replaced.filter(|pod| pod.added.after.is_some()).map(|pod| pod.added.by));
        match (done.filter(is_later).max(), made) {
            (Some(line), _) => Work::Done(line),
            (None, Some(line)) => Work::Made(line),
            (None, None) => Work::Nothing,
        }
    }

    /// The names of all sets that were ever seen.
    pub fn known_sets(&self) -> impl Iterator<Item = &str> {
        self.sets.keys().map(String::as_str)
    }

    /// The sets that were the subject before, by name.
    #[must_use]
    pub fn earlier_subjects(&self) -> &[String] {
        &self.earlier_subjects
    }

    /// The name of the set that owns a pod (by UID), where that is not the subject.
    pub(crate) fn other_set_of(&self, pod: &str) -> Option<String> {
        let owner = self.pod_index.get(pod)?.set.as_str();
        if self.set().is_some_and(|set| set.uid == owner) {
            return None;
        }
        let name = self.names.get(owner)?;
        let is_newest = self.sets.get(name)?.last()?.uid == owner;
        is_newest.then(|| name.clone())
    }

    /// Another set becomes the subject. Returned are the UIDs of its pods that ended again and
    /// again meanwhile.
    pub(crate) fn choose(&mut self, seq: Seq, subject: Subject) -> BTreeSet<String> {
        let before = self.subject_name().map(str::to_owned);
        self.subject = Some((seq, subject));
        let now = self.subject_name().map(str::to_owned);
        let is_another = now != before;
        let own = now.and_then(|now| self.in_the_way_of_others.remove(&now)).unwrap_or_default();
        match before.filter(|_| is_another) {
            // What stands in the way of one set does not in that of another.
            Some(before) => {
                let other = std::mem::replace(&mut self.in_the_way, own);
                self.in_the_way_of_others.insert(before.clone(), other);
                self.earlier_subjects.push(before);
            }
            None => self.in_the_way.to_judge.extend(own.to_judge),
        }
        std::mem::take(&mut self.in_the_way.to_judge)
    }
}

/// The line at which somebody asked for the end of a set.
fn deletion_line(set: &SetLife) -> Option<Seq> {
    set.deletion_requested.or(set.deleted).map(|when| when.by)
}

fn reference_to(set: &SetLife) -> Reference {
    Reference { name: set.name.clone(), uid: set.uid.clone() }
}

#[cfg(test)]
mod tests {
    use crate::model::{
        observation::{
            Fact, ObjectChange, Reference, Subject,
            object::{Metadata, Object, StatefulSet, StatefulSetSpec},
        },
        testing::history::History,
    };

    fn set(history: History, change: ObjectChange, name: &str, replicas: i32) -> History {
        let metadata =
            Metadata { name: name.to_owned(), uid: format!("uid-{name}"), ..Default::default() };
        let spec = Some(StatefulSetSpec { replicas: Some(replicas), ..Default::default() });
        history.push(Fact::Object(
            change,
            Object::StatefulSet(StatefulSet { metadata, spec, ..Default::default() }),
        ))
    }

    fn chosen(history: History, name: &str) -> History {
        let stateful_set = Some(Reference { name: name.to_owned(), uid: format!("uid-{name}") });
        history.push(Fact::Subject(Subject { stateful_set, ..Default::default() }))
    }

    fn moves(history: &History, named: Option<&str>) -> Option<String> {
        history.timeline().work_moves_to(named).map(|it| it.name)
    }

    #[test]
    fn the_first_set_is_the_subject_unless_another_is_named() {
        let one = set(History::new(), ObjectChange::Listed, "old", 3);
        assert_eq!(moves(&one, None).as_deref(), Some("old"));
        assert_eq!(moves(&one, Some("web")), None);
        let two = set(one, ObjectChange::Added, "web", 3);
        assert_eq!(moves(&two, Some("web")).as_deref(), Some("web"));
        assert_eq!(moves(&chosen(two, "web"), Some("web")), None);
    }

    #[test]
    fn a_set_that_appears_later_is_what_the_work_is_about() {
        let first = chosen(set(History::new(), ObjectChange::Listed, "old", 3), "old");
        assert_eq!(moves(&first, None), None);
        // Beside it, or after it was deleted with a typing error in its name.
        assert_eq!(
            moves(&set(first.clone(), ObjectChange::Added, "web", 3), None).as_deref(),
            Some("web")
        );
        let deleted = set(first, ObjectChange::Deleted, "old", 3);
        assert_eq!(moves(&deleted, None), None);
        assert_eq!(
            moves(&set(deleted, ObjectChange::Added, "web", 3), None).as_deref(),
            Some("web")
        );
    }

    #[test]
    fn cleaning_up_moves_no_work_to_a_leftover() {
        let both =
            set(set(History::new(), ObjectChange::Listed, "old", 3), ObjectChange::Added, "web", 3);
        let deleted = set(chosen(both, "web"), ObjectChange::Deleted, "web", 3);
        assert_eq!(moves(&deleted, None), None);
        assert_eq!(
            moves(&set(deleted.clone(), ObjectChange::Modified, "old", 0), None),
            None,
            "taken down"
        );
        // The second set was the mistake: the work goes on with the first.
        assert_eq!(
            moves(&set(deleted, ObjectChange::Modified, "old", 5), None).as_deref(),
            Some("old")
        );
    }

    /// What follows the work does, and then at the end.
    fn followed(mut history: History) -> (History, Option<String>) {
        while let Some(name) = moves(&history, None) {
            history = chosen(history, &name);
        }
        let set = history.timeline().work_was_on(None).map(|it| it.name);
        let set = set.or_else(|| history.timeline().set().map(|it| it.name.clone()));
        (history, set)
    }

    /// A set on which somebody has worked.
    fn worked_on(name: &str) -> History {
        let (made, _) = followed(set(History::new(), ObjectChange::Added, name, 3));
        let (shown, _) = followed(set(made, ObjectChange::Modified, name, 5));
        shown
    }

    /// Catches a set that is made beside the one that all was shown with, and takes its points,
    /// whether it is deleted again or not.
    #[test]
    fn a_set_that_was_only_made_takes_nothing_from_one_that_was_worked_on() {
        let (beside, judged) = followed(set(worked_on("web"), ObjectChange::Added, "scratch", 1));
        assert_eq!(judged.as_deref(), Some("web"), "it stays");
        assert_eq!(beside.timeline().set().unwrap().name, "scratch", "its pods are looked at");
        let (deleted, judged) = followed(set(beside.clone(), ObjectChange::Deleted, "scratch", 1));
        assert_eq!(judged.as_deref(), Some("web"), "it is deleted again");
        assert_eq!(deleted.timeline().set().unwrap().name, "web", "at once");
        // Cleaning up, in any order.
        let (_, judged) = followed(set(beside.clone(), ObjectChange::Deleted, "web", 5));
        assert_eq!(judged.as_deref(), Some("web"));
        let (_, judged) = followed(set(deleted, ObjectChange::Deleted, "web", 5));
        assert_eq!(judged.as_deref(), Some("web"));
        // Work goes on with the one, or with the other.
        let (_, judged) = followed(set(beside.clone(), ObjectChange::Modified, "web", 6));
        assert_eq!(judged.as_deref(), Some("web"));
        let (on, judged) = followed(set(beside, ObjectChange::Modified, "scratch", 3));
        assert_eq!(judged.as_deref(), Some("scratch"));
        let (back, judged) = followed(set(on, ObjectChange::Modified, "web", 6));
        assert_eq!(judged.as_deref(), Some("web"));
        assert_eq!(back.timeline().earlier_subjects(), ["web", "scratch"]);
    }

    #[test]
    fn what_is_made_after_the_end_of_another_is_meant() {
        let (gone, judged) = followed(set(worked_on("wbe"), ObjectChange::Deleted, "wbe", 5));
        assert_eq!(judged.as_deref(), Some("wbe"));
        let (_, judged) = followed(set(gone, ObjectChange::Added, "web", 3));
        assert_eq!(judged.as_deref(), Some("web"));
    }

    /// A set that was made and deleted again is not judged while another one that was made stands.
    #[test]
    fn the_work_goes_back_to_what_stands() {
        let (one, _) = followed(set(History::new(), ObjectChange::Added, "web", 3));
        let (two, judged) = followed(set(one, ObjectChange::Added, "scratch", 1));
        assert_eq!(judged.as_deref(), Some("scratch"));
        let (_, judged) = followed(set(two, ObjectChange::Deleted, "scratch", 1));
        assert_eq!(judged.as_deref(), Some("web"));
    }

    /// Catches that pods which come up of themselves are taken for work.
    #[test]
    fn only_a_pod_that_was_replaced_is_work() {
        let made = set(History::created(), ObjectChange::Added, "scratch", 1);
        assert_eq!(moves(&chosen(made.clone().up(3), "scratch"), None), None);
        let replaced = chosen(made, "scratch").down(1).up(1);
        assert_eq!(moves(&replaced, None).as_deref(), Some("web"));
    }

    /// Catches a crash loop of the set that the work was on meanwhile, held against the other; and
    /// one that is forgotten because another set was looked at.
    #[test]
    fn a_crash_loop_is_an_obstacle_of_its_own_set_alone() {
        let looping = [1, 2, 3, 4]
            .into_iter()
            .fold(History::created().down(1).add(1), |it, ends| it.crashed(1, ends));
        let obstacles = |history: &History| history.timeline().obstacles().len();
        assert_eq!(obstacles(&looping), 1);
        let beside = chosen(set(looping, ObjectChange::Added, "scratch", 1), "scratch");
        assert_eq!(obstacles(&beside), 0);
        assert_eq!(obstacles(&chosen(beside, "web")), 1);
    }

    /// Catches a crash loop that began while another set was the subject, and that only the pod's
    /// next line would tell.
    #[test]
    fn a_crash_loop_that_began_meanwhile_is_an_obstacle() {
        let beside = chosen(set(History::created(), ObjectChange::Added, "scratch", 1), "scratch");
        let looping =
            [1, 2, 3, 4].into_iter().fold(beside.down(1).add(1), |it, ends| it.crashed(1, ends));
        let obstacles = |history: &History| history.timeline().obstacles().len();
        assert_eq!(obstacles(&looping), 0);
        assert_eq!(obstacles(&chosen(looping, "web")), 1);
    }

    #[test]
    fn the_earlier_subjects_are_known() {
        let timeline = chosen(chosen(History::new(), "wbe"), "web").timeline();
        assert_eq!(timeline.earlier_subjects(), ["wbe"]);
    }
}
