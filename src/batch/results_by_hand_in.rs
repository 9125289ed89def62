//! Finds the result of each hand-in when a run goes on, and so whose the result is.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::{
    handin::{HandIn, HandInId, Member},
    results::HandInResult,
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
    /// [`HandIn::known_as`]; an earlier version kept the key alone there.
    Own(String),
    /// The platform's key, which is all that an earlier version kept.
    Key(String),
}

fn source_of(result: &HandInResult) -> Source {
    if result.source.is_empty() {
        Source::Key(result.owner.key.clone())
    } else if result.source == result.owner.key {
        Source::Own(result.platform.known_as(&result.owner.key))
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

/// The results that change because of what this run has: whose its hand-ins are, when they were
/// handed in, and which are gone. With a roster, a result is whose its hand-in is, be that nobody.
#[must_use]
pub fn joined<'a>(
    hand_ins: &[HandIn],
    results: impl Iterator<Item = &'a HandInResult>,
    has_roster: bool,
) -> Vec<HandInResult> {
    let by_id: BTreeMap<&str, &HandIn> = hand_ins.iter().map(|it| (it.id.as_str(), it)).collect();
    let joined = |result: &HandInResult| {
        let new = match by_id.get(result.id.as_str()) {
            Some(hand_in) => with_owner_of(hand_in, result, has_roster),
            None => HandInResult { is_gone: true, ..result.clone() },
        };
        (new != *result).then_some(new)
    };
    results.filter_map(joined).collect()
}

/// The result with what is known of its hand-in now.
fn with_owner_of(hand_in: &HandIn, result: &HandInResult, has_roster: bool) -> HandInResult {
    let mut new = HandInResult {
        source: hand_in.known_as(),
        platform: hand_in.platform,
        entries: hand_in.entries.clone(),
        is_gone: false,
        ..result.clone()
    };
    // When another version was handed in says nothing of what was graded.
    if !has_changed(hand_in, result) {
        new.handed_in = hand_in.handed_in;
        new.is_late = hand_in.is_late;
    }
    if has_roster {
        let key = new.owner.key;
        new.owner = Member { key, ..hand_in.owner.clone() };
        new.shared_with.clone_from(&hand_in.shared_with);
    }
    new
}

#[cfg(test)]
mod tests {
    use super::{has_changed, take_ids};
    use crate::batch::{
        handin::{Content, HandIn, HandInId, Member},
        platform::Platform,
        results::HandInResult,
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

    /// Catches a folder whose name is a number of Canvas, and that gets the result of the student with
    /// that number; and the result of an earlier version, which kept the key alone.
    #[test]
    fn a_number_of_a_platform_is_no_folder_s_name() {
        let mut canvas = class(&["101"]).remove(0);
        canvas.platform = Platform::Canvas;
        let before = result(&canvas, true);
        let earlier =
            HandInResult { source: "101".to_owned(), platform: Platform::Canvas, ..before };
        for before in [result(&canvas, true), earlier] {
            let before = HandInResult { platform: Platform::Canvas, ..before };
            let folder = HandIn { platform: Platform::Other, ..canvas.clone() };
            let mut now = [folder, canvas.clone()];
            take_ids(&mut now, [&before].into_iter());
            assert_eq!(now[1].id.as_str(), before.id);
            assert_ne!(now[0].id.as_str(), before.id);
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

    /// Catches a student who keeps the result of a hand-in that, by a corrected roster, is of nobody,
    /// and one whose time of handing in stays as it was told first.
    #[test]
    fn a_result_is_whose_its_hand_in_is() {
        let mut hand_in = class(&["778"]).remove(0);
        hand_in.handed_in = Some(7);
        hand_in.is_late = true;
        let mut before = result(&hand_in, true);
        before.owner.student = Some("s1".to_owned());
        let joined = |hand_in: &HandIn, has_roster| {
            super::joined(std::slice::from_ref(hand_in), [&before].into_iter(), has_roster)
                .remove(0)
        };
        let after = joined(&hand_in, true);
        assert_eq!((after.owner.student, after.handed_in), (None, Some(7)));
        assert!(after.is_late);
        let after = joined(&hand_in, false);
        assert_eq!(after.owner.student.as_deref(), Some("s1"));
        let files = vec![("lab.yaml".to_owned(), b"other".to_vec())];
        let anew = HandIn { content: Content::Manifests(files), ..hand_in };
        assert_eq!(joined(&anew, true).handed_in, None, "it is not of what was graded");
    }

    /// Catches a result that counts on though nobody has handed in what it is of, and one that does
    /// not come back with its hand-in.
    #[test]
    fn a_result_whose_hand_in_is_gone_does_not_count() {
        let hand_ins = class(&["778", "779"]);
        let before: Vec<_> = hand_ins.iter().map(|it| result(it, true)).collect();
        let gone = super::joined(&hand_ins[..1], before.iter(), false);
        assert!(gone.len() == 1 && gone[0].id == before[1].id && gone[0].is_gone, "{gone:?}");
        assert!(super::joined(&hand_ins[..1], gone.iter(), false).is_empty());
        assert_eq!(super::joined(&hand_ins, gone.iter(), false), before[1..]);
    }
}
