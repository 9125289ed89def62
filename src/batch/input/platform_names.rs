//! Reads who handed something in from the name under which a platform exports it.

use crate::batch::platform::Platform;

/// What tells who handed in what, in an export of Gradescope.
pub(super) const GRADESCOPE: &str = "submission_metadata.yml";
/// What a manifest of this lab may be named after, besides a number.
const LAB_WORDS: [&str; 16] = [
    "service",
    "services",
    "svc",
    "headless",
    "statefulset",
    "statefulsets",
    "stateful",
    "set",
    "sts",
    "namespace",
    "ns",
    "pvc",
    "pv",
    "storageclass",
    "configmap",
    "kustomization",
];

/// Whose a file or folder is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owner {
    /// What the platform knows the student by: what files of one student have in common.
    pub(super) key: String,
    /// The student's name, as far as the export tells.
    pub(super) name: String,
    /// Who exported it, as far as its name tells.
    pub(super) platform: Platform,
    /// The platform says that it came after the due date.
    pub(super) is_late: bool,
    /// It is text or an address that the student entered, and no file.
    pub(super) is_text: bool,
}

impl Owner {
    /// The platform whose number of the student the key is.
    pub(super) fn key_platform(&self) -> Platform {
        match self.platform {
            // A name in an anonymous export is nobody's number.
            Platform::Canvas | Platform::Moodle if !is_number(&self.key) => Platform::Other,
            platform => platform,
        }
    }

    /// By the name of a file or folder at the top of the hand-ins.
    pub(super) fn of(entry: &str) -> Self {
        moodle(entry).or_else(|| canvas(entry)).unwrap_or_else(|| {
            let stem = stem(entry);
            Self { key: stem.to_owned(), name: stem.to_owned(), ..Self::default() }
        })
    }
}

/// Whether a manifest is named after what is in it, and not after a student.
pub(super) fn is_of_the_lab(name: &str) -> bool {
    let stem = stem(name).to_lowercase();
    let is_lab_word = |it: &str| is_number(it) || LAB_WORDS.contains(&it);
    stem.chars().any(char::is_alphabetic) && words(&stem).all(is_lab_word)
}

/// The number before what is in a manifest that is named after that, and the words after it.
pub(super) fn leading_number(name: &str) -> Option<(String, String)> {
    let stem = stem(name).to_lowercase();
    let mut words = words(&stem);
    let number = words.next().filter(|it| is_number(it) && is_of_the_lab(name))?;
    Some((number.to_owned(), words.collect::<Vec<_>>().join(" ")))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|it| !it.is_empty())
}

/// What stands after the user's number in a name that Canvas may have given.
pub(super) fn after_user(name: &str) -> Vec<String> {
    let parts = stem(name).split('_').skip_while(|it| !is_number(it)).skip(1);
    parts.filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// A name without the endings of manifests and archives.
pub(in crate::batch) fn stem(name: &str) -> &str {
    const ENDINGS: [&str; 7] = [".yaml", ".yml", ".json", ".zip", ".tar.gz", ".tgz", ".tar"];
    let is_end = |end: &&&str| {
        name.len() > end.len()
            && name.is_char_boundary(name.len() - end.len())
            && name[name.len() - end.len()..].eq_ignore_ascii_case(end)
    };
    ENDINGS.iter().find(is_end).map_or(name, |end| &name[..name.len() - end.len()])
}

/// `Full Name_123456_assignsubmission_file_…`: Moodle, "Download all submissions".
fn moodle(entry: &str) -> Option<Owner> {
    let (front, _) = entry.split_once("_assignsubmission_")?;
    let (name, participant) = front.rsplit_once('_')?;
    let platform = Platform::Moodle;
    let (key, name) = (participant.to_owned(), name.to_owned());
    is_number(participant).then(|| Owner { key, name, platform, ..Owner::default() })
}

/// Canvas, "Download Submissions": `lastfirst_12345_67890_file.yaml`, with `_LATE` before the
/// numbers where it was; `anon_aB3dE_67890_file.yaml`, with `LATE_` before it, where the grading is
/// anonymous; `_text.html` in place of the last number and the file where text was entered.
fn canvas(entry: &str) -> Option<Owner> {
    let (mut is_late, rest) = match entry.strip_prefix("LATE_anon_") {
        Some(_) => (true, &entry["LATE_".len()..]),
        None => (false, entry),
    };
    let mut parts = rest.split('_');
    let first = parts.next().filter(|it| !it.is_empty())?;
    let mut user = parts.next()?;
    if user == "LATE" {
        is_late = true;
        user = parts.next()?;
    }
    let is_anonymous = first == "anon" && !user.is_empty();
    let third = parts.next()?;
    let is_text = matches!(third, "text.html" | "link.html" | "url.html");
    let is_file = is_number(third) && parts.next().is_some();
    let is_user = is_number(user)
        || (is_anonymous && user.len() <= 10 && user.bytes().all(|it| it.is_ascii_alphanumeric()));
    let name = if is_anonymous { format!("anon_{user}") } else { first.to_owned() };
    let platform = Platform::Canvas;
    let owner = Owner { key: user.to_owned(), name, platform, is_late, is_text };
    (is_user && (is_text || is_file)).then_some(owner)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit())
}

/// What the folders of GitHub Classroom may begin with, the shortest first: all are clones of one
/// assignment, `assignment-username`, and both may hold hyphens.
pub(super) fn classroom_prefixes(folders: &[String]) -> Vec<String> {
    let Some(first) = folders.first().filter(|_| folders.len() > 1) else { return vec![] };
    let prefixes = first.match_indices('-').map(|(at, _)| &first[..=at]);
    let are_all =
        |prefix: &&str| folders.iter().all(|it| it.len() > prefix.len() && it.starts_with(*prefix));
    prefixes.take_while(are_all).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        Owner, Platform, after_user, classroom_prefixes, is_of_the_lab, leading_number, stem,
    };

    /// Catches two files of one student that become two hand-ins, and a name that is taken for an
    /// export's.
    #[test]
    fn exported_names_tell_whose_they_are() {
        for (entry, key, name, of_platform, is_late, is_text) in [
            ("doejane_101_5001_lab.yaml", "101", "doejane", true, false, false),
            ("doejane_LATE_101_5002_svc_2.yaml", "101", "doejane", true, true, false),
            ("doejane_101_text.html", "101", "doejane", true, false, true),
            ("anon_aB3dE_5001_a.yaml", "aB3dE", "anon_aB3dE", true, false, false),
            ("LATE_anon_Qx9Zk_5003_a.yaml", "Qx9Zk", "anon_Qx9Zk", true, true, false),
            ("Jane Doe_778_assignsubmission_file_", "778", "Jane Doe", true, false, false),
            ("Ana_Maria_9_assignsubmission_file_a.yaml", "9", "Ana_Maria", true, false, false),
            ("jane_doe_lab.yaml", "jane_doe_lab", "jane_doe_lab", false, false, false),
            ("jane.tar.gz", "jane", "jane", false, false, false),
            ("101_5001.yaml", "101_5001", "101_5001", false, false, false),
        ] {
            let owner = Owner::of(entry);
            let found = (&*owner.key, &*owner.name, owner.platform != Platform::Other);
            assert_eq!(found, (key, name, of_platform), "{entry}");
            assert_eq!((owner.is_late, owner.is_text), (is_late, is_text), "{entry}");
        }
        for (name, expected) in
            [("01-headless-svc.yaml", true), ("1234.yaml", false), ("jane-service.yaml", false)]
        {
            assert_eq!(is_of_the_lab(name), expected, "{name}");
        }
        assert_eq!(stem(".zip"), ".zip");
        let number = |name: &str| leading_number(name);
        let of = |number: &str, words: &str| Some((number.to_owned(), words.to_owned()));
        assert_eq!(number("1001-Headless_svc.yaml"), of("1001", "headless svc"));
        for name in ["svc-2.yaml", "1001.yaml", "1001-jane-svc.yaml"] {
            assert_eq!(number(name), None, "{name}");
        }
        assert_eq!(after_user("lab_3_1001_jane.yaml"), ["1001", "jane"]);
    }

    /// Catches students whose names begin alike.
    #[test]
    fn a_classroom_s_assignment_is_no_part_of_a_name() {
        let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        for (folders, prefixes) in [
            (&["lab-3-jane", "lab-3-john", "lab-3-eve"][..], &["lab-", "lab-3-"][..]),
            (&["lab-3-", "lab-3-john"], &["lab-"]),
            (&["lab-jane"], &[]),
            (&["jane", "john"], &[]),
        ] {
            assert_eq!(classroom_prefixes(&names(folders)), prefixes);
        }
    }
}
