//! Whose something is that was handed in, as a roster says: the rules for hand-ins and for results.

use std::collections::BTreeSet;

use crate::batch::{input::names::stem, platform::Platform, roster::Student};

/// A student of the roster, and how the name may be written elsewhere.
pub(super) struct KnownStudent<'s> {
    student: &'s Student,
    /// Letters and digits only: as it is written, and with its words rotated, because
    /// platforms write the family name first, and some run the words together.
    rotations: BTreeSet<String>,
    /// Its words, sorted.
    words: Vec<String>,
}

/// What is known of somebody who handed something in.
pub(super) struct Told<'t> {
    /// What the platform knows them by.
    pub(super) key: &'t str,
    /// Whose number the key is.
    pub(super) platform: Platform,
    /// The name that the platform tells.
    pub(super) name: &'t str,
    /// The names of what they handed in, without their endings.
    pub(super) stems: Vec<&'t str>,
    /// All such names are known: who handed in another file, or works in a namespace, is somebody
    /// else.
    pub(super) are_all_stems: bool,
}

/// By what an owner was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoundBy {
    /// The file that the roster names.
    File,
    /// The id or the e-mail address.
    Id,
    /// The platform's own number alone, which is the id of somebody whose name is another: it may be
    /// of anybody.
    Number,
    /// The name.
    Name,
}

impl<'s> KnownStudent<'s> {
    /// All students of a roster, in its order.
    pub(super) fn all(students: &'s [Student]) -> Vec<Self> {
        students.iter().map(Self::of).collect()
    }

    fn of(student: &'s Student) -> Self {
        /// No name has more, and each gives a text of all of them.
        const MOST_WORDS: usize = 20;
        let mut words: Vec<&str> =
            student.name.split([' ', ',']).filter(|it| !it.is_empty()).collect();
        let mut rotations = BTreeSet::new();
        for _ in 0..words.len().min(MOST_WORDS) {
            rotations.insert(plain_letters(&words.concat()));
            words.rotate_right(1);
        }
        rotations.remove("");
        Self { student, rotations, words: sorted_words(&student.name) }
    }

    fn has_file(&self, told: &Told<'_>) -> bool {
        self.student.file.as_deref().is_some_and(|it| told.stems.contains(&stem(it)))
    }

    /// A number that Moodle has given for one assignment is no id, though it may look like one.
    fn has_id(&self, told: &Told<'_>) -> bool {
        let own = [&self.student.id, &self.student.email];
        let is_own = |it: &str| !it.is_empty() && own.iter().any(|id| id.eq_ignore_ascii_case(it));
        is_own(told.name) || (told.platform != Platform::Moodle && is_own(told.key))
    }

    /// Whether a name without blanks is the student's.
    fn has_letters(&self, name: &str) -> bool {
        self.rotations.contains(name)
    }

    /// Whether the sorted words of a name are the student's.
    fn has_words(&self, words: &[String]) -> bool {
        !words.is_empty() && self.words == words
    }

    /// Whether the longest word of the name stands in what the platform tells of it.
    fn shares_a_word(&self, told: &str) -> bool {
        let longest = self.words.iter().max_by_key(|it| it.len());
        longest.is_none_or(|it| told.contains(it.as_str()))
    }
}

/// Whether something is a student's.
type Rule<'r> = &'r dyn Fn(&KnownStudent<'_>) -> bool;

/// The places of the students whose something may be, by the surest rule that finds any; `None`
/// where it is of nobody.
pub(super) fn whose(
    students: &[KnownStudent<'_>],
    told: &Told<'_>,
) -> Option<(FoundBy, Vec<usize>)> {
    let (name, words) = (plain_letters(told.name), sorted_words(told.name));
    let is_free = |it: &KnownStudent<'_>| {
        !told.are_all_stems || (it.student.file.is_none() && it.student.namespace.is_none())
    };
    let rules: [(FoundBy, Rule<'_>); 4] = [
        (FoundBy::File, &|it| it.has_file(told)),
        (FoundBy::Id, &|it| is_free(it) && it.has_id(told)),
        (FoundBy::Name, &|it| is_free(it) && it.has_letters(&name)),
        (FoundBy::Name, &|it| is_free(it) && it.has_words(&words)),
    ];
    for (found_by, is_own) in rules {
        let own = places(students, is_own);
        if own.is_empty() {
            continue;
        }
        if found_by == FoundBy::Id && told.platform == Platform::Canvas && !told.name.is_empty() {
            return Some(found_by_number(students, own, &name, &words));
        }
        return Some((found_by, own));
    }
    None
}

/// Whose something is of which Canvas tells its own number, which these students have as their id.
/// A roster may hold the school's number there, which is another student's by chance.
fn found_by_number(
    students: &[KnownStudent<'_>],
    own: Vec<usize>,
    name: &str,
    words: &[String],
) -> (FoundBy, Vec<usize>) {
    let by_name = places(students, &|it| it.has_letters(name) || it.has_words(words));
    let agrees = |it: &usize| {
        by_name.contains(it) || (by_name.is_empty() && students[*it].shares_a_word(name))
    };
    if own.iter().all(agrees) {
        return (FoundBy::Id, own);
    }
    let all: BTreeSet<usize> = own.into_iter().chain(by_name).collect();
    (FoundBy::Number, all.into_iter().collect())
}

/// The places of the students for whom a rule holds.
fn places(students: &[KnownStudent<'_>], rule: Rule<'_>) -> Vec<usize> {
    (0..students.len()).filter(|it| rule(&students[*it])).collect()
}

/// Its letters and digits, in lowercase and without accents.
fn plain_letters(name: &str) -> String {
    let plain = deunicode::deunicode(name).to_lowercase();
    plain.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Its words, in lowercase, without accents, and sorted.
fn sorted_words(name: &str) -> Vec<String> {
    let plain = deunicode::deunicode(name).to_lowercase();
    let words = plain.split(|it: char| !it.is_ascii_alphanumeric());
    let mut words: Vec<String> = words.filter(|it| !it.is_empty()).map(str::to_owned).collect();
    words.sort();
    words
}

#[cfg(test)]
mod tests {
    use super::{
        FoundBy::{File, Id, Name, Number},
        KnownStudent, Told, whose,
    };
    use crate::batch::{platform::Platform, roster::Student};

    fn student(id: &str, name: &str) -> Student {
        Student { id: id.to_owned(), name: name.to_owned(), ..Student::default() }
    }

    /// Catches a surer rule that a weaker one outvotes, and a student who is taken by the id though
    /// another file of theirs is known.
    #[test]
    fn the_surest_rule_decides() {
        let students = [
            student("55", "Anna Maria Bo"),
            Student { file: Some("55.tar.gz".to_owned()), ..student("s2", "Cy Dee") },
            student("s3", "Maria Anna Bo"),
            Student { email: "eve@school".to_owned(), ..student("s4", "Eve Lynn Roe") },
        ];
        let known = KnownStudent::all(&students);
        let found = |key, name, stems: &[&'static str], are_all_stems| {
            let (platform, stems) = (Platform::Other, stems.to_vec());
            whose(&known, &Told { key, platform, name, stems, are_all_stems })
        };
        assert_eq!(found("55", "55", &["55"], true), Some((File, vec![1])));
        assert_eq!(found("55", "55", &[], true), Some((Id, vec![0])));
        assert_eq!(found("7", "anna maria bo", &["7"], true), Some((Name, vec![0])));
        assert_eq!(found("7", "Bo, Maria Anna", &["7"], true), Some((Name, vec![2])));
        assert_eq!(found("7", "Lynn Eve Roe", &["7"], true), Some((Name, vec![3])));
        assert_eq!(found("EVE@school", "", &[], true), Some((Id, vec![3])));
        assert_eq!(found("s2", "Cy Dee", &["other"], true), None);
        assert_eq!(found("s2", "Cy Dee", &["s2"], false), Some((Id, vec![1])));
        assert_eq!(found("", "", &[""], false), None);
    }
    /// Catches points that go to a student whose id at the school is the number of another one on
    /// the platform.
    #[test]
    fn a_platform_s_number_is_no_id_of_the_school_s() {
        let students =
            [student("101", "John Roe"), student("7", "Jane Doe"), student("8", "Li J Wei")];
        let known = KnownStudent::all(&students);
        let found = |platform, key, name| {
            whose(&known, &Told { key, platform, name, stems: vec![], are_all_stems: true })
        };
        assert_eq!(found(Platform::Moodle, "101", "Jane Doe"), Some((Name, vec![1])));
        assert_eq!(found(Platform::Moodle, "101", "Eve Lynn"), None);
        assert_eq!(found(Platform::Canvas, "101", "doejane"), Some((Number, vec![0, 1])));
        assert_eq!(found(Platform::Canvas, "101", "lynneve"), Some((Number, vec![0])));
        assert_eq!(found(Platform::Canvas, "8", "olijones"), Some((Number, vec![2])));
        assert_eq!(found(Platform::Canvas, "101", "roejohn"), Some((Id, vec![0])));
        assert_eq!(found(Platform::Canvas, "101", "roejohnpaul"), Some((Id, vec![0])));
        assert_eq!(found(Platform::Canvas, "9", "doejane"), Some((Name, vec![1])));
        assert_eq!(found(Platform::Gradescope, "101", "Jane Doe"), Some((Id, vec![0])));
    }
}
