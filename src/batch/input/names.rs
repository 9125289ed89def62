//! Whose a hand-in is, by the name under which a platform exports it.

/// Whose a file or folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// What the platform knows the student by: what files of one student have in common.
    pub(super) key: String,
    /// The student's name, as far as the export tells.
    pub(super) name: String,
    /// The platform says that it came after the due date.
    pub(super) is_late: bool,
}

impl Owner {
    fn new(key: &str, name: &str) -> Self {
        Self { key: key.to_owned(), name: name.to_owned(), is_late: false }
    }

    /// By the name of a file or folder at the top of the hand-ins.
    pub(super) fn of(entry: &str) -> Self {
        moodle(entry).or_else(|| canvas(entry)).unwrap_or_else(|| {
            let stem = stem(entry);
            Self::new(stem, stem)
        })
    }
}

/// A name without the endings of manifests and archives.
pub(super) fn stem(name: &str) -> &str {
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
    is_number(participant).then(|| Owner::new(participant, name))
}

/// `lastfirst_12345_67890_file.yaml`, with `_LATE` before the numbers where it was: Canvas,
/// "Download Submissions".
fn canvas(entry: &str) -> Option<Owner> {
    let mut parts = entry.split('_');
    let name = parts.next().filter(|it| !it.is_empty())?;
    let mut next = parts.next()?;
    let is_late = next == "LATE";
    if is_late {
        next = parts.next()?;
    }
    let (user, attempt) = (next, parts.next()?);
    // The name of the file follows.
    parts.next()?;
    let is_export = is_number(user) && is_number(attempt);
    is_export.then(|| Owner { is_late, ..Owner::new(user, name) })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit())
}

/// What the folders of GitHub Classroom begin with: all are clones of one assignment,
/// `assignment-username`.
pub(super) fn classroom_prefix(folders: &[String]) -> Option<String> {
    let first = folders.first().filter(|_| folders.len() > 1)?;
    let common = first
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|end| folders.iter().all(|it| it.starts_with(&first[..*end])))
        .last()?;
    let prefix = &first[..=first[..common].rfind('-')?];
    folders.iter().all(|it| it.len() > prefix.len()).then(|| prefix.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Owner, classroom_prefix, stem};

    /// Catches two files of one student that become two hand-ins, and a name that is taken for an
    /// export's.
    #[test]
    fn exported_names_tell_whose_they_are() {
        for (entry, key, name, is_late) in [
            ("doejane_101_5001_lab.yaml", "101", "doejane", false),
            ("doejane_LATE_101_5002_svc_2.yaml", "101", "doejane", true),
            ("Jane Doe_778_assignsubmission_file_", "778", "Jane Doe", false),
            ("Ana_Maria_9_assignsubmission_file_lab.yaml", "9", "Ana_Maria", false),
            ("jane_doe_lab.yaml", "jane_doe_lab", "jane_doe_lab", false),
            ("jane.tar.gz", "jane", "jane", false),
            ("101_5001.yaml", "101_5001", "101_5001", false),
        ] {
            let owner = Owner { key: key.to_owned(), name: name.to_owned(), is_late };
            assert_eq!(Owner::of(entry), owner, "{entry}");
        }
        assert_eq!(stem(".zip"), ".zip");
    }

    /// Catches students whose names begin alike.
    #[test]
    fn a_classroom_s_assignment_is_no_part_of_a_name() {
        let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let prefix = classroom_prefix(&names(&["lab-3-jane", "lab-3-john", "lab-3-eve"]));
        assert_eq!(prefix.as_deref(), Some("lab-3-"));
        assert_eq!(classroom_prefix(&names(&["lab-jane"])), None);
        assert_eq!(classroom_prefix(&names(&["jane", "john"])), None);
    }
}
