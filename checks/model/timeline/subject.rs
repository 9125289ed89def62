//! The subject: which StatefulSet somebody works on, where nobody named one for good.

use crate::model::{
    observation::{Reference, Seq, Subject},
    timeline::{Timeline, lives::SetLife},
};

impl Timeline {
    /// The set that the work has moved to, where it is not the subject yet. `named` is the only one
    /// that may be it.
    ///
    /// Work moves to a set that appears after the subject was chosen. Where the subject was
    /// deleted, it also moves to one that stood before, once something is done to that: who only
    /// cleans up has done all there is to judge.
    #[must_use]
    pub fn work_moves_to(&self, named: Option<&str>) -> Option<Reference> {
        let current = self
            .subject
            .as_ref()
            .and_then(|(seq, subject)| Some((*seq, subject.stateful_set.as_ref()?.name.as_str())));
        let life = current.and_then(|(_, name)| self.sets.get(name)?.last());
        let left =
            life.and_then(|life| life.deletion_requested.or(life.deleted)).map(|when| when.by);
        let others = self.sets().filter(|set| {
            set.deletion_requested.is_none() && current.is_none_or(|(_, name)| name != set.name)
        });
        let wanted = others.filter(|set| named.is_none_or(|name| name == set.name));
        let moved = wanted.filter(|set| match (current, left) {
            (None, _) => true,
            (Some((chosen, _)), None) => set.added.by > chosen,
            (Some(_), Some(left)) => self.last_work(set) > left,
        });
        moved
            .max_by_key(|set| set.added.by)
            .map(|set| Reference { name: set.name.clone(), uid: set.uid.clone() })
    }

    /// The last line at which somebody did something with a set, other than taking it down.
    fn last_work(&self, set: &SetLife) -> Seq {
        let scaled_up =
            set.scales.iter().rfind(|scale| scale.to > scale.from).map_or(0, |scale| scale.when.by);
        let pods = self
            .lanes
            .get(&set.uid)
            .into_iter()
            .flat_map(|lanes| lanes.values())
            .filter_map(|lane| lane.last());
        let added =
            pods.filter(|pod| pod.added.after.is_some()).map(|pod| pod.added.by).max().unwrap_or(0);
        set.added.by.max(set.changed.by).max(scaled_up).max(added)
    }

    /// The names of all sets that were ever seen.
    pub fn known_sets(&self) -> impl Iterator<Item = &str> {
        self.sets.keys().map(String::as_str)
    }

    /// The sets that were the subject before, by name.
    #[must_use]
    pub fn left_subjects(&self) -> &[String] {
        &self.left_subjects
    }

    /// Another set becomes the subject.
    pub(crate) fn choose(&mut self, seq: Seq, subject: Subject) {
        let name = |subject: &Subject| subject.stateful_set.as_ref().map(|set| set.name.clone());
        let before = self.subject.as_ref().and_then(|(_, subject)| name(subject));
        if let Some(before) = before.filter(|before| name(&subject).as_ref() != Some(before)) {
            self.left_subjects.push(before);
        }
        self.subject = Some((seq, subject));
    }
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

    #[test]
    fn the_sets_that_were_left_are_known() {
        let timeline = chosen(chosen(History::new(), "wbe"), "web").timeline();
        assert_eq!(timeline.left_subjects(), ["wbe"]);
    }
}
