//! Finds the students of a roster to whom a hand-in or a result belongs.

use std::{borrow::Cow, collections::BTreeSet};

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::batch::{input::platform_names::stem, platform::Platform, roster::Student};

/// A student of the roster, and how the name may be written elsewhere.
pub(super) struct KnownStudent<'s> {
    student: &'s Student,
    /// The id and the e-mail address, as far as they are known.
    ids: Vec<Cow<'s, str>>,
    /// The name of the file that the roster names, without its ending.
    file: Option<Cow<'s, str>>,
    /// As the roster writes the name.
    exact: NameForms,
    /// Without accents.
    plain: NameForms,
}

/// How a name may be written elsewhere.
struct NameForms {
    /// Letters and digits only: as it is written, and with its words rotated, because
    /// platforms write the family name first, and some run the words together.
    rotations: BTreeSet<String>,
    /// Its words, sorted.
    words: Vec<String>,
}

/// A name that is given.
struct GivenName {
    letters: String,
    words: Vec<String>,
}

/// What is known of somebody who handed something in.
pub(super) struct GivenOwner<'t> {
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

impl GivenOwner<'_> {
    /// What may be the id. A number that Moodle has given for one assignment is none, though it may
    /// look like one.
    fn ids(&self) -> Vec<Cow<'_, str>> {
        let key = Some(self.key).filter(|_| self.platform != Platform::Moodle);
        [Some(self.name), key].into_iter().flatten().map(composed).collect()
    }
}

/// By what an owner was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoundBy {
    /// The file that the roster names.
    File,
    /// The id or the e-mail address.
    Id,
    /// The platform's own number alone, which is the id of somebody whose name is another: it may
    /// belong to anybody.
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
        let ids = [&student.id, &student.email].into_iter().filter(|it| !it.is_empty());
        Self {
            student,
            ids: ids.map(|it| composed(it)).collect(),
            file: student.file.as_deref().map(|it| composed(stem(it))),
            exact: NameForms::of(&exact(&student.name)),
            plain: NameForms::of(&plain(&student.name)),
        }
    }

    fn has_file(&self, stems: &[Cow<'_, str>]) -> bool {
        self.file.as_ref().is_some_and(|it| stems.contains(it))
    }

    fn has_id(&self, given: &[Cow<'_, str>]) -> bool {
        given.iter().any(|it| self.ids.iter().any(|id| id.eq_ignore_ascii_case(it)))
    }

    /// Whether the longest word of the name stands in what the platform tells of it.
    fn shares_a_word(&self, given: &GivenName) -> bool {
        let longest = self.plain.words.iter().max_by_key(|it| it.len());
        longest.is_none_or(|it| given.letters.contains(it.as_str()))
    }

    /// How well a name without accents agrees with the student's; less is better.
    fn distance(&self, given: &GivenName) -> u8 {
        if self.plain.is(given) { 0 } else { 2 - u8::from(self.shares_a_word(given)) }
    }
}

impl NameForms {
    fn of(name: &str) -> Self {
        /// No name has more, and each gives a text of all of them.
        const MAX_WORDS: usize = 20;
        let mut words: Vec<&str> = name.split([' ', ',']).filter(|it| !it.is_empty()).collect();
        let mut rotations = BTreeSet::new();
        for _ in 0..words.len().min(MAX_WORDS) {
            rotations.insert(letters(&words.concat()));
            words.rotate_right(1);
        }
        rotations.remove("");
        Self { rotations, words: sorted_words(name) }
    }

    /// Whether a name without blanks is the student's.
    fn has_letters(&self, given: &GivenName) -> bool {
        self.rotations.contains(&given.letters)
    }

    /// Whether the words of a name are the student's.
    fn has_words(&self, given: &GivenName) -> bool {
        !given.words.is_empty() && self.words == given.words
    }

    fn is(&self, given: &GivenName) -> bool {
        self.has_letters(given) || self.has_words(given)
    }
}

impl GivenName {
    fn of(name: &str) -> Self {
        Self { letters: letters(name), words: sorted_words(name) }
    }
}

/// Whether something belongs to a student.
type Rule<'r> = &'r dyn Fn(&KnownStudent<'_>) -> bool;

/// The places of the students to whom it may belong, by the surest rule that finds any; `None`
/// where it belongs to nobody.
pub(super) fn find_owners(
    students: &[KnownStudent<'_>],
    given: &GivenOwner<'_>,
) -> Option<(FoundBy, Vec<usize>)> {
    let (as_given, name) = (GivenName::of(&exact(given.name)), GivenName::of(&plain(given.name)));
    let stems: Vec<Cow<'_, str>> = given.stems.iter().map(|it| composed(it)).collect();
    let ids = given.ids();
    let is_free = |it: &KnownStudent<'_>| {
        !given.are_all_stems || (it.student.file.is_none() && it.student.namespace.is_none())
    };
    let rules: [(FoundBy, Rule<'_>); 6] = [
        (FoundBy::File, &|it| it.has_file(&stems)),
        (FoundBy::Id, &|it| is_free(it) && it.has_id(&ids)),
        (FoundBy::Name, &|it| is_free(it) && it.exact.has_letters(&as_given)),
        (FoundBy::Name, &|it| is_free(it) && it.exact.has_words(&as_given)),
        (FoundBy::Name, &|it| is_free(it) && it.plain.has_letters(&name)),
        (FoundBy::Name, &|it| is_free(it) && it.plain.has_words(&name)),
    ];
    for (found_by, is_own) in rules {
        let mut own = places(students, is_own);
        if own.is_empty() {
            continue;
        }
        if found_by == FoundBy::File {
            // The platform's number is of one of the team: of the one whose name it tells.
            own.sort_by_key(|it| students[*it].distance(&name));
        }
        if found_by == FoundBy::Id && given.platform == Platform::Canvas && !given.name.is_empty() {
            return Some(found_by_number(students, own, &name));
        }
        return Some((found_by, own));
    }
    None
}

/// The owners of something that Canvas gives with its own number, where these students have that
/// number as their id. A roster may hold the school's number there, which is another student's by
/// chance.
fn found_by_number(
    students: &[KnownStudent<'_>],
    own: Vec<usize>,
    name: &GivenName,
) -> (FoundBy, Vec<usize>) {
    let by_name = places(students, &|it| it.plain.is(name));
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

/// A text in which each letter with its accent is one character: some systems write file names with
/// two.
fn composed(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// A name in lowercase, as it is written.
fn exact(name: &str) -> String {
    composed(name).to_lowercase()
}

/// A name in lowercase and without accents.
fn plain(name: &str) -> String {
    deunicode::deunicode(&composed(name)).to_lowercase()
}

/// Its letters and digits.
fn letters(name: &str) -> String {
    name.chars().filter(|it| it.is_alphanumeric()).collect()
}

/// Its words, sorted.
fn sorted_words(name: &str) -> Vec<String> {
    let words = name.split(|it: char| !it.is_alphanumeric());
    let mut words: Vec<String> = words.filter(|it| !it.is_empty()).map(str::to_owned).collect();
    words.sort();
    words
}

#[cfg(test)]
mod tests {
    use super::{
        FoundBy::{File, Id, Name, Number},
        GivenOwner, KnownStudent, find_owners,
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
            find_owners(&known, &GivenOwner { key, platform, name, stems, are_all_stems })
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

    /// Catches a file that a Mac packed, which is of nobody because its accents are characters of
    /// their own, and two students who are taken for each other because of an accent.
    #[test]
    fn accents_are_compared_as_they_are_written_first() {
        let students = [
            student("1", "Anna M\u{fc}ller"),
            student("2", "Muller, Anna"),
            Student { file: Some("J\u{fc}rgen.yaml".to_owned()), ..student("3", "J") },
            student("zo\u{eb}", "Z"),
            student("5", "Jos\u{e9} Roe"),
        ];
        let known = KnownStudent::all(&students);
        let found = |name: &str| {
            let given = GivenOwner {
                key: name,
                platform: Platform::Other,
                name,
                stems: vec![name],
                are_all_stems: true,
            };
            find_owners(&known, &given)
        };
        assert_eq!(found("Ju\u{308}rgen"), Some((File, vec![2])));
        assert_eq!(found("Zoe\u{308}"), Some((Id, vec![3])));
        assert_eq!(found("Anna Muller"), Some((Name, vec![1])));
        for name in ["Anna M\u{fc}ller", "Anna Mu\u{308}ller", "M\u{fc}ller Anna"] {
            assert_eq!(found(name), Some((Name, vec![0])), "{name}");
        }
        assert_eq!(found("Jose Roe"), Some((Name, vec![4])));
        assert_eq!(found("Anna M\u{fa}ller"), Some((Name, vec![0, 1])));
    }

    /// Catches a platform's number that goes to another one of the team.
    #[test]
    fn the_one_whom_the_platform_names_is_the_first_of_a_team() {
        let of_team = |id: &str, name: &str| {
            let file = Some("loada_101_5001_lab.yaml".to_owned());
            Student { file, ..student(id, name) }
        };
        let students = [of_team("102", "Bob Mo"), of_team("S1", "Ada Lo"), of_team("S3", "Cy")];
        let known = KnownStudent::all(&students);
        let found = |name| {
            let (key, platform, stems) = ("101", Platform::Canvas, vec!["loada_101_5001_lab"]);
            find_owners(&known, &GivenOwner { key, platform, name, stems, are_all_stems: true })
        };
        assert_eq!(found("loada"), Some((File, vec![1, 0, 2])));
        assert_eq!(found("roeeve"), Some((File, vec![0, 1, 2])));
    }

    /// Catches points that go to a student whose id at the school is the number of another one on
    /// the platform.
    #[test]
    fn a_platform_s_number_is_no_id_of_the_school_s() {
        let students =
            [student("101", "John Roe"), student("7", "Jane Doe"), student("8", "Li J Wei")];
        let known = KnownStudent::all(&students);
        let found = |platform, key, name| {
            find_owners(
                &known,
                &GivenOwner { key, platform, name, stems: vec![], are_all_stems: true },
            )
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
