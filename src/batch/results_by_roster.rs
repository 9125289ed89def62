//! Gives results to the students of a roster that comes later than they.
//!
//! Where a result keeps the names of what was handed in, the rule is that of the hand-ins. An earlier
//! version did not keep them: of its results, the roster may name the file that is not known here.

use std::collections::BTreeMap;

use crate::batch::{
    handin::Member,
    input::platform_names::stem,
    match_result::{MatchResult, namesakes},
    platform::Platform,
    results::HandInResult,
    roster::Student,
    roster_match::{FoundBy, GivenOwner, KnownStudent, find_owners},
};

/// What a roster says of results.
#[derive(Debug, Default)]
pub struct Rejoined {
    /// The results that change.
    pub changed: Vec<HandInResult>,
    /// Whose results it does not tell.
    pub notes: Vec<String>,
}

/// One of those whose a result is.
struct ResultPerson {
    /// The place of the result.
    result: usize,
    /// The place among those with whom it is shared; `None` for the first.
    member: Option<usize>,
    /// `None` where it is said already that the roster does not tell.
    whose: Option<MatchResult>,
}

/// Says whose results are. What is known of the hand-ins is what the results keep: the platform's
/// keys, the students' names, and the ids that an earlier roster gave.
#[must_use]
pub fn with_students<'a>(
    results: impl Iterator<Item = &'a HandInResult>,
    students: &[Student],
) -> Rejoined {
    let before: Vec<&HandInResult> = results.filter(|it| !it.is_gone).collect();
    let mut after: Vec<HandInResult> = before.iter().map(|it| as_handed_in(it)).collect();
    let known = KnownStudent::all(students);
    let mut people = vec![];
    for (at, result) in after.iter().enumerate() {
        let members = result.shared_with.iter().enumerate();
        let all = [(None, &result.owner)].into_iter();
        for (member, it) in all.chain(members.map(|(at, it)| (Some(at), it))) {
            let given = GivenOwner {
                key: &it.key,
                platform: result.platform,
                name: &it.name,
                stems: if member.is_none() { stems(result) } else { vec![] },
                are_all_stems: are_names_kept(result),
            };
            let found = find_owners(&known, &given);
            let whose = if given.are_all_stems {
                MatchResult::of(found)
            } else {
                whose(it.student.as_deref(), found, students)
            };
            let whose = Some(whose);
            people.push(ResultPerson { result: at, member, whose });
        }
    }
    let mut notes = tell_namesakes(&mut people, &before, students);
    for person in &people {
        notes.extend(assign(&mut after[person.result], person, students));
    }
    let changed = after.into_iter().zip(before).filter(|(new, old)| new != *old);
    Rejoined { changed: changed.map(|(new, _)| new).collect(), notes }
}

/// Whether all names are known by which the roster may name it.
fn are_names_kept(result: &HandInResult) -> bool {
    !result.entries.is_empty()
}

/// The result before a roster added others to it: those have no key of a platform.
fn as_handed_in(result: &HandInResult) -> HandInResult {
    let mut result = result.clone();
    if are_names_kept(&result) {
        result.shared_with.retain(|it| !it.key.is_empty());
    }
    result
}

/// The names of what was handed in, without their endings. An earlier version kept the name of a file
/// only where that is the key.
fn stems(result: &HandInResult) -> Vec<&str> {
    if are_names_kept(result) {
        result.entries.iter().map(|it| stem(it)).collect()
    } else {
        vec![&result.owner.key]
    }
}

/// Whose a result of an earlier version is. `before`: the id that an earlier roster gave.
fn whose(
    before: Option<&str>,
    found: Option<(FoundBy, Vec<usize>)>,
    students: &[Student],
) -> MatchResult {
    let same = students.iter().position(|it| before == Some(&*it.id));
    match (&found, same) {
        (Some((FoundBy::File, _)), _) => MatchResult::of(found),
        // Found by what a result does not keep.
        (_, Some(same)) if is_told_apart(&students[same]) => MatchResult::Sure(vec![same]),
        (None, Some(same)) => MatchResult::Sure(vec![same]),
        _ => MatchResult::of(found),
    }
}

/// Whether the roster names what the student handed in.
fn is_told_apart(student: &Student) -> bool {
    student.file.is_some() || student.works_in_namespace().is_some()
}

/// Takes a result from a student of whose name others are, too: where a platform says that these are
/// several people, or the roster names another hand-in of the student.
fn tell_namesakes(
    people: &mut [ResultPerson],
    results: &[&HandInResult],
    students: &[Student],
) -> Vec<String> {
    let (mut named, mut notes) = (BTreeMap::<usize, Vec<usize>>::new(), vec![]);
    for (at, person) in people.iter().enumerate() {
        if let Some(MatchResult::Named(student)) = person.whose {
            named.entry(student).or_default().push(at);
        }
    }
    for (student, places) in named {
        let is_sure = |it: &ResultPerson| match &it.whose {
            Some(MatchResult::Sure(owners)) => owners.contains(&student),
            _ => false,
        };
        if is_told_apart(&students[student]) && people.iter().any(is_sure) {
            places.iter().for_each(|it| people[*it].whose = Some(MatchResult::Nobody));
            continue;
        }
        let is_of_platform = |it: &&usize| results[people[**it].result].platform != Platform::Other;
        if places.iter().filter(is_of_platform).count() > 1 {
            let ids: Vec<&str> = places.iter().map(|it| &*results[people[*it].result].id).collect();
            notes.push(namesakes(&ids, &students[student]));
            places.iter().for_each(|it| people[*it].whose = None);
        }
    }
    notes
}

/// Gives a result to its students; a note where the roster does not tell whose it is.
fn assign(
    result: &mut HandInResult,
    person: &ResultPerson,
    students: &[Student],
) -> Option<String> {
    let id = result.id.clone();
    let member = match person.member {
        None => &mut result.owner,
        Some(at) => &mut result.shared_with[at],
    };
    let owners = person.whose.as_ref().map(MatchResult::owners).unwrap_or_default();
    let Some((first, others)) = owners.split_first() else {
        let who = person.member.map(|_| format!(" ({})", member.name)).unwrap_or_default();
        member.leave_roster();
        let why = person.whose.as_ref().and_then(|it| it.why_nobody(students));
        return why.map(|it| format!("{id}{who} {it}"));
    };
    member.take_roster_entry(&students[*first]);
    for other in others.iter().map(|it| &students[*it]) {
        if !result.shared_with.iter().any(|it| it.student.as_ref() == Some(&other.id)) {
            result.shared_with.push(Member::of_roster(other));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::with_students;
    use crate::batch::{
        handin::Member, platform::Platform, results::HandInResult, roster::Student,
    };

    fn student(id: &str, name: &str, file: Option<&str>) -> Student {
        Student {
            id: id.to_owned(),
            name: name.to_owned(),
            file: file.map(str::to_owned),
            ..Student::default()
        }
    }

    fn member(key: &str, name: &str) -> Member {
        Member { key: key.to_owned(), name: name.to_owned(), ..Member::default() }
    }

    fn result(platform: Platform, key: &str, name: &str) -> HandInResult {
        HandInResult {
            id: key.to_owned(),
            owner: member(key, name),
            platform,
            ..HandInResult::default()
        }
    }

    fn student_of(member: &Member) -> Option<&str> {
        member.student.as_deref()
    }

    /// Catches a roster that comes later and says nothing, and a result of one of two of a name.
    #[test]
    fn a_later_roster_says_whose_a_result_is() {
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
            let result = result(Platform::Other, key, name);
            let joined = with_students([&result].into_iter(), &students);
            let found = joined.changed.first().and_then(|it| student_of(&it.owner));
            assert_eq!(found, of, "{name}");
            assert_eq!(joined.notes.is_empty(), of.is_some(), "{name}: {:?}", joined.notes);
            assert!(with_students(joined.changed.iter(), &students).changed.is_empty());
        }
    }

    /// Catches a school's id that is written as a platform's number, which is somebody else's there.
    #[test]
    fn a_student_who_is_added_has_no_number_of_the_platform() {
        let file = Some("loada_101_5001_lab.yaml");
        let students = [student("S1", "Ada Lo", file), student("102", "Bob Mo", file)];
        let one = result(Platform::Canvas, "loada_101_5001_lab", "Ada Lo");
        let joined = with_students([&one].into_iter(), &students);
        let [shared] = joined.changed.as_slice() else { panic!("{joined:?}") };
        let [bob] = shared.shared_with.as_slice() else { panic!("{joined:?}") };
        assert_eq!((bob.key.as_str(), student_of(bob)), ("", Some("102")));
    }

    /// Catches members of a group who get no points because only the first is looked for.
    #[test]
    fn each_of_a_group_is_found() {
        let students = [student("s1", "Ada", None), student("s2", "Bob", None)];
        let alone = result(Platform::Gradescope, "a@b", "Ada");
        let group = HandInResult { shared_with: vec![member("b@b", "Bob")], ..alone };
        let joined = with_students([&group].into_iter(), &students);
        let [group] = joined.changed.as_slice() else { panic!("{joined:?}") };
        assert_eq!(student_of(&group.owner), Some("s1"));
        assert_eq!(student_of(&group.shared_with[0]), Some("s2"));
    }

    /// Catches a student who gets the results of two people, and one who keeps what a corrected
    /// roster gives to another or to nobody.
    #[test]
    fn what_may_be_of_another_is_nobody_s() {
        let of_one = |it: HandInResult| {
            let owner = Member { student: Some("s1".to_owned()), ..it.owner };
            HandInResult { owner, ..it }
        };
        let jane = |key| of_one(result(Platform::Moodle, key, "Jane Doe"));
        let one = [student("s1", "Jane Doe", None)];
        let both = [jane("778"), jane("779")];
        let joined = with_students(both.iter(), &one);
        assert!(joined.changed.iter().all(|it| it.owner.student.is_none()), "{joined:?}");
        assert_eq!(joined.changed.len(), 2);
        assert!(
            joined.notes[0].contains("778; 779 may belong to Jane Doe, and each"),
            "{joined:?}"
        );

        let two = [student("s1", "Jane Doe", None), student("s2", "Jane Doe", None)];
        let joined = with_students([&jane("778")].into_iter(), &two);
        assert_eq!(student_of(&joined.changed[0].owner), None);
        let note = "778 may belong to Jane Doe (id s1) or to Jane Doe (id s2): name its file";
        assert!(joined.notes[0].contains(note), "{joined:?}");

        let other = [student("s1", "Al Bo", None), student("s2", "Jane Doe", None)];
        let joined = with_students([&jane("778")].into_iter(), &other);
        assert_eq!(student_of(&joined.changed[0].owner), Some("s2"));
        let joined = with_students([&jane("778")].into_iter(), &[student("s9", "Al Bo", None)]);
        assert_eq!(student_of(&joined.changed[0].owner), None);
    }

    /// Catches a result that stays with a student whose file, by a corrected roster, is another one;
    /// and others who are added to it again each time.
    #[test]
    fn a_roster_that_names_another_file_is_followed() {
        let jane = |file| student("s1", "Jane Doe", Some(file));
        let [own, other] = ["Jane Doe_778_assignsubmission_file_", "other_9_onlinetext_"];
        let before = HandInResult {
            entries: vec![own.to_owned()],
            ..result(Platform::Moodle, "778", "Jane Doe")
        };
        let team = [jane(own), student("s2", "Bob Roe", Some(own))];
        let joined = with_students([&before].into_iter(), &team);
        let [taken] = joined.changed.as_slice() else { panic!("{joined:?}") };
        assert_eq!(student_of(&taken.owner), Some("s1"));
        assert_eq!(student_of(&taken.shared_with[0]), Some("s2"));
        assert!(with_students([taken].into_iter(), &team).changed.is_empty());

        let joined = with_students([taken].into_iter(), &[jane(other)]);
        let [left] = joined.changed.as_slice() else { panic!("{joined:?}") };
        assert_eq!((student_of(&left.owner), left.shared_with.len()), (None, 0));
        assert_eq!(joined.notes, ["778 belongs to nobody in the roster"]);
    }

    /// Catches a second result for a student whose own file the roster names.
    #[test]
    fn who_has_a_file_of_their_own_gets_no_namesake_s() {
        let students = [student("s1", "Jane Doe", Some("Jane Doe_778_assignsubmission_file_"))];
        let other = result(Platform::Moodle, "779", "Jane Doe");
        let mut own = result(Platform::Moodle, "778", "Jane Doe");
        own.owner.take_roster_entry(&students[0]);
        let joined = with_students([&own, &other].into_iter(), &students);
        assert!(joined.changed.is_empty(), "{joined:?}");
        assert_eq!(joined.notes, ["779 belongs to nobody in the roster"]);
    }
}
