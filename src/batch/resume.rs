//! Which result is of which hand-in, and of which student, when a run goes on.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::{
    handin::{HandIn, HandInId, Member},
    results::HandInResult,
    roster::Student,
    whose::{FoundBy, KnownStudent, Told, whose},
};

/// Gives each hand-in the id of its own result, where it has one, and an id that no result has to
/// every other: what was handed in meanwhile must not get another one's result.
pub fn take_ids<'a>(
    hand_ins: &mut [HandIn],
    results: impl Iterator<Item = &'a HandInResult> + Clone,
) {
    let mut taken: BTreeSet<String> = results.clone().map(|it| it.id.clone()).collect();
    let mut known = Known::new();
    for result in results {
        known.entry(source_of(result)).or_default().push(result.id.clone());
    }
    let mut own = vec![];
    for hand_in in &*hand_ins {
        own.push(take_id_of(hand_in, &mut known));
    }
    for (hand_in, own) in hand_ins.iter_mut().zip(own) {
        hand_in.id = match own {
            Some(id) => id,
            None if taken.insert(hand_in.id.as_str().to_owned()) => continue,
            None => HandInId::unique(&hand_in.owner.name, &mut taken),
        };
    }
}

/// The ids of results by what their hand-ins are found by.
type Known = BTreeMap<Source, Vec<String>>;

/// What a hand-in is found by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// [`HandIn::known_as`].
    Own(String),
    /// The platform's key, which is all that an earlier version kept.
    Key(String),
}

fn source_of(result: &HandInResult) -> Source {
    if result.source.is_empty() {
        Source::Key(result.owner.key.clone())
    } else {
        Source::Own(result.source.clone())
    }
}

/// The id of the hand-in's result, taken out of `known`: no other gets it then.
fn take_id_of(hand_in: &HandIn, known: &mut Known) -> Option<HandInId> {
    for source in [Source::Own(hand_in.known_as()), Source::Key(hand_in.owner.key.clone())] {
        if let Some(ids) = known.get_mut(&source).filter(|it| !it.is_empty()) {
            let same = ids.iter().position(|it| it == hand_in.id.as_str()).unwrap_or(0);
            return Some(HandInId::known(ids.remove(same)));
        }
    }
    None
}

/// Whether something else was handed in since the result.
#[must_use]
pub fn has_changed(hand_in: &HandIn, result: &HandInResult) -> bool {
    !result.digest.is_empty() && result.digest != hand_in.digest()
}

/// The result with what its hand-in's name and the roster say of it now, if that is new.
#[must_use]
pub fn with_owner_of(hand_in: &HandIn, result: &HandInResult) -> Option<HandInResult> {
    let mut new = result.clone();
    new.source = hand_in.known_as();
    new.platform = hand_in.platform;
    if hand_in.owner.student.is_some() {
        let key = new.owner.key;
        new.owner = Member { key, ..hand_in.owner.clone() };
        new.shared_with.clone_from(&hand_in.shared_with);
    }
    (new != *result).then_some(new)
}

/// The results that change because the roster says whose they are. What is known of the hand-ins is
/// what the results keep: the platform's key and the student's name.
#[must_use]
pub fn with_students<'a>(
    results: impl Iterator<Item = &'a HandInResult>,
    students: &[Student],
) -> Vec<HandInResult> {
    let known = KnownStudent::all(students);
    let mut changed = vec![];
    for result in results {
        let same = students.iter().find(|it| result.owner.student.as_deref() == Some(&*it.id));
        let found = same.or_else(|| only_one_of(&known, result).map(|it| &students[it]));
        let Some(student) = found else { continue };
        let mut new = result.clone();
        new.owner.take_roster_entry(student);
        if new != *result {
            changed.push(new);
        }
    }
    changed
}

/// The place of the student whose a result is; `None` where it may be of two.
fn only_one_of(known: &[KnownStudent<'_>], result: &HandInResult) -> Option<usize> {
    let Member { key, name, .. } = &result.owner;
    // Of a file, a result keeps the name only where that is the key.
    let (platform, stems) = (result.platform, vec![key.as_str()]);
    let told = Told { key, platform, name, stems, are_all_stems: false };
    match whose(known, &told)? {
        (FoundBy::Number, _) => None,
        (_, owners) => <[usize; 1]>::try_from(owners).ok().map(|[one]| one),
    }
}

#[cfg(test)]
mod tests {
    use super::{has_changed, take_ids, with_students};
    use crate::batch::{
        handin::{Content, HandIn, HandInId, Member},
        results::HandInResult,
        roster::Student,
    };

    /// Hand-ins of two students of one name, as Moodle exports them.
    fn class(keys: &[&str]) -> Vec<HandIn> {
        let mut taken = std::collections::BTreeSet::new();
        let mut hand_in = |key: &&str| {
            let files = vec![("lab.yaml".to_owned(), key.as_bytes().to_vec())];
            let id = HandInId::unique("Jane Doe", &mut taken);
            let hand_in = HandIn::new(id, "Jane Doe", Content::Manifests(files));
            let owner = Member { key: (*key).to_owned(), ..hand_in.owner.clone() };
            HandIn { owner, ..hand_in }
        };
        keys.iter().map(&mut hand_in).collect()
    }

    fn result(hand_in: &HandIn, has_source: bool) -> HandInResult {
        HandInResult {
            id: hand_in.id.as_str().to_owned(),
            owner: hand_in.owner.clone(),
            source: if has_source { hand_in.known_as() } else { String::new() },
            digest: hand_in.digest(),
            ..HandInResult::default()
        }
    }

    /// Catches a student whose hand-in comes later, sorts before another's of the same name, gets
    /// that one's result and is never graded.
    #[test]
    fn an_id_stays_with_its_hand_in() {
        let before = class(&["778", "779"]);
        for has_source in [true, false] {
            let results: Vec<_> = before.iter().map(|it| result(it, has_source)).collect();
            let mut now = class(&["777", "778", "779"]);
            take_ids(&mut now, results.iter());
            let id_of = |hand_ins: &[HandIn], key: &str| {
                hand_ins.iter().find(|it| it.owner.key == key).unwrap().id.clone()
            };
            for key in ["778", "779"] {
                assert_eq!(id_of(&now, key), id_of(&before, key));
            }
            let new = id_of(&now, "777");
            assert!(results.iter().all(|it| it.id != new.as_str()), "{new}");
        }
    }

    /// Catches a second version of a hand-in that is never graded, and one that is graded in every
    /// run.
    #[test]
    fn what_was_handed_in_anew_is_told_from_what_was_not() {
        let hand_in = class(&["778"]).remove(0);
        let before = result(&hand_in, true);
        assert!(!has_changed(&hand_in, &before));
        let files = vec![("lab.yaml".to_owned(), b"other".to_vec())];
        let anew = HandIn { content: Content::Manifests(files), ..hand_in };
        assert!(has_changed(&anew, &before));
        assert!(!has_changed(&anew, &HandInResult { digest: String::new(), ..before }));
    }

    /// Catches a roster that comes later and says nothing, and a result of one of two of a name.
    #[test]
    fn a_later_roster_says_whose_a_result_is() {
        let student = |id: &str, name: &str, file: Option<&str>| Student {
            id: id.to_owned(),
            name: name.to_owned(),
            file: file.map(str::to_owned),
            ..Student::default()
        };
        let students = [
            student("s1", "Doe, Jane Marie", None),
            student("s2", "Zoë Ray", Some("ray.tar.gz")),
            student("s3", "Al Bo", None),
            student("s4", "Al Bo", None),
            student("eve", "Eve Roe", None),
        ];
        for (name, key, of) in [
            ("Jane Marie Doe", "778", Some("s1")),
            ("ray", "ray", Some("s2")),
            ("Al Bo", "779", None),
            ("EVE", "EVE", Some("eve")),
            ("roeeve", "780", Some("eve")),
            ("", "", None),
        ] {
            let (name, key) = (name.to_owned(), key.to_owned());
            let owner = Member { name, key, ..Member::default() };
            let result = HandInResult { owner, ..HandInResult::default() };
            let changed = with_students([&result].into_iter(), &students);
            let found = changed.first().and_then(|it| it.owner.student.as_deref());
            assert_eq!(found, of, "{}", result.owner.name);
            assert!(with_students(changed.iter(), &students).is_empty());
        }
    }
}
