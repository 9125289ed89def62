//! Gives hand-ins to the students of a roster.

use std::collections::{BTreeMap, BTreeSet};

use super::Class;
use crate::batch::{
    handin::{Content, HandIn, Member},
    input::platform_names::stem,
    match_result::{MatchResult, namesakes},
    platform::Platform,
    roster::Student,
    roster_match::{self, GivenOwner, KnownStudent},
};

/// One of those who handed something in.
struct HandInPerson {
    hand_in: usize,
    /// The place among those with whom it is shared; `None` for the first.
    member: Option<usize>,
    key: String,
    /// Whose number the key is.
    platform: Platform,
    name: String,
}

/// How many of these names belong to somebody in a roster.
pub(super) fn count_known(names: &[String], students: &[Student]) -> usize {
    let known = KnownStudent::all(students);
    names.iter().filter(|it| is_known(it, &known)).count()
}

/// The first of each of these names that belongs to somebody in a roster; `None` where none of one
/// does.
pub(super) fn first_known(names: &[Vec<String>], students: &[Student]) -> Option<Vec<String>> {
    let known = KnownStudent::all(students);
    let first = |names: &Vec<String>| names.iter().find(|it| is_known(it, &known)).cloned();
    names.iter().map(first).collect()
}

fn is_known(name: &str, students: &[KnownStudent<'_>]) -> bool {
    let (key, platform, stems) = (name, Platform::Other, vec![name]);
    roster_match::find_owners(
        students,
        &GivenOwner { key, platform, name, stems, are_all_stems: true },
    )
    .is_some()
}

/// Says whose each hand-in is. `are_told_apart`: of each, whether a platform tells its owners apart.
pub(super) fn join(class: &mut Class, students: &[Student], are_told_apart: &[bool]) {
    let people = people(&class.hand_ins);
    let known = KnownStudent::all(students);
    let whose: Vec<MatchResult> =
        people.iter().map(|it| whose(it, &known, &class.hand_ins[it.hand_in])).collect();
    let mut handed_in: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (person, whose) in whose.iter().enumerate() {
        for student in whose.candidates() {
            handed_in.entry(*student).or_default().push(person);
        }
    }
    let mut is_told = BTreeSet::new();
    for (at, student) in students.iter().enumerate() {
        let Some(found) = handed_in.get(&at) else {
            if student.works_in_namespace().is_none() {
                class.missing.push(student.clone());
            }
            continue;
        };
        let shown: Vec<String> =
            found.iter().map(|it| joined_entries(class, &people[*it])).collect();
        let is_named = |it: &&usize| matches!(whose[**it], MatchResult::Named(_));
        let named: Vec<usize> = found.iter().filter(is_named).copied().collect();
        let of_platform = named.iter().filter(|it| are_told_apart[people[**it].hand_in]);
        if of_platform.count() > 1 {
            // The platform says that these are of several people.
            is_told.extend(named);
            class.note(&namesakes(&shown, student));
        } else if found.iter().all(|it| !matches!(whose[*it], MatchResult::OneOf(_)))
            && found.len() > 1
        {
            let count = found.len();
            class.note(&format!("{} handed in {count} times: {}", student.name, shown.join("; ")));
        }
    }
    for (at, (person, whose)) in people.iter().zip(whose).enumerate() {
        if is_told.contains(&at) {
            continue;
        }
        match whose.why_nobody(students) {
            None => belongs(class, person, whose.owners(), students),
            Some(why) => {
                let shown = joined_entries(class, person);
                let member = person.member.filter(|_| matches!(whose, MatchResult::Nobody));
                let who = member.map(|_| format!(" ({})", person.name)).unwrap_or_default();
                class.note(&format!("{shown}{who} {why}"));
            }
        }
    }
}

/// The names at the top of the files that somebody handed in.
fn joined_entries(class: &Class, person: &HandInPerson) -> String {
    class.hand_ins[person.hand_in].entries.join(", ")
}

fn people(hand_ins: &[HandIn]) -> Vec<HandInPerson> {
    let mut people = vec![];
    for (hand_in, it) in hand_ins.iter().enumerate() {
        let platform = it.platform;
        let (key, name) = (it.owner.key.clone(), it.owner.name.clone());
        people.push(HandInPerson { hand_in, member: None, key, platform, name });
        for (member, it) in it.shared_with.iter().enumerate() {
            let (key, name) = (it.key.clone(), it.name.clone());
            people.push(HandInPerson { hand_in, member: Some(member), key, platform, name });
        }
    }
    people
}

fn whose(person: &HandInPerson, students: &[KnownStudent<'_>], hand_in: &HandIn) -> MatchResult {
    // The files are of the first one, in whose name they were handed in.
    let is_first = person.member.is_none();
    let names = hand_in.entries.iter().filter(|_| is_first);
    let given = GivenOwner {
        key: &person.key,
        platform: person.platform,
        name: &person.name,
        stems: names.map(|it| stem(it)).collect(),
        are_all_stems: true,
    };
    MatchResult::of(roster_match::find_owners(students, &given))
}

/// Gives a hand-in to these students; where they are several, all of them get its result.
fn belongs(class: &mut Class, person: &HandInPerson, owners: &[usize], students: &[Student]) {
    let hand_in = &mut class.hand_ins[person.hand_in];
    let Some((first, others)) = owners.split_first() else { return };
    match person.member {
        None => hand_in.owner.take_roster_entry(&students[*first]),
        Some(member) => hand_in.shared_with[member].take_roster_entry(&students[*first]),
    }
    for other in others {
        hand_in.shared_with.push(Member::of_roster(&students[*other]));
    }
}

/// Says whose each of the namespaces of a class is. One that several name is of all of them.
pub(super) fn join_namespaces(class: &mut Class, students: &[Student]) {
    for student in students {
        let is_own = |it: &&mut HandIn| match &it.content {
            Content::Namespace { context, namespace } => {
                let is_there = student.context.is_none() || student.context == *context;
                let named = student.namespace.as_ref().unwrap_or(&student.id);
                is_there && named.eq_ignore_ascii_case(namespace)
            }
            _ => false,
        };
        let mut own: Vec<&mut HandIn> = class.hand_ins.iter_mut().filter(is_own).collect();
        if own.is_empty() {
            class.missing.push(student.clone());
            if let Some(namespace) = &student.namespace {
                let name = &student.name;
                class.note(&format!(
                    "namespace {namespace} of {name} is not among the namespaces with that label"
                ));
            }
            continue;
        }
        for hand_in in &mut own {
            if hand_in.owner.student.is_none() {
                hand_in.owner.take_roster_entry(student);
            } else {
                hand_in.shared_with.push(Member::of_roster(student));
            }
        }
        if own.len() > 1 {
            let text = format!("{} has {} namespaces of this name", student.name, own.len());
            class.note(&text);
        }
    }
    let strangers: Vec<String> = class
        .hand_ins
        .iter()
        .filter(|it| it.owner.student.is_none())
        .map(|it| format!("namespace {} belongs to nobody in the roster", it.owner.name))
        .collect();
    strangers.iter().for_each(|it| class.note(it));
}
