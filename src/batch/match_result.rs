//! What the search in a roster came to, and what is said where nobody was found.

use crate::batch::{roster::Student, roster_match::FoundBy};

/// To whom a hand-in, or a part of its result, belongs: by the places of students in a roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MatchResult {
    /// To these, as their ids or the roster's files say.
    Sure(Vec<usize>),
    /// To this one, as the name says.
    Named(usize),
    /// To one of these: nobody can say to whom.
    OneOf(Vec<usize>),
    Nobody,
}

impl MatchResult {
    /// What follows from what was found.
    pub(super) fn of(found: Option<(FoundBy, Vec<usize>)>) -> Self {
        let Some((found_by, owners)) = found else { return Self::Nobody };
        match (found_by, owners.as_slice()) {
            (FoundBy::File, _) => Self::Sure(owners),
            (FoundBy::Name, [one]) => Self::Named(*one),
            (FoundBy::Id, [_]) => Self::Sure(owners),
            _ => Self::OneOf(owners),
        }
    }

    /// The students whose it is.
    pub(super) fn owners(&self) -> &[usize] {
        match self {
            Self::Sure(owners) => owners,
            Self::Named(owner) => std::slice::from_ref(owner),
            Self::OneOf(_) | Self::Nobody => &[],
        }
    }

    /// The students whose it may be.
    pub(super) fn candidates(&self) -> &[usize] {
        match self {
            Self::OneOf(owners) => owners,
            _ => self.owners(),
        }
    }

    /// Why nobody gets it, in words that follow on what it is; `None` where somebody does.
    pub(super) fn why_nobody(&self, students: &[Student]) -> Option<String> {
        match self {
            Self::Sure(_) | Self::Named(_) => None,
            Self::OneOf(owners) => {
                let owners = owners.iter().map(|it| &students[*it]);
                let owners: Vec<String> =
                    owners.map(|it| format!("{} (id {})", it.name, it.id)).collect();
                let owners = owners.join(" or to ");
                Some(format!("may belong to {owners}: name its file in the roster"))
            }
            Self::Nobody => Some("belongs to nobody in the roster".to_owned()),
        }
    }
}

/// That several people have the name of one student, in words.
pub(super) fn namesakes(shown: &[impl AsRef<str>], student: &Student) -> String {
    let shown: Vec<&str> = shown.iter().map(AsRef::as_ref).collect();
    format!(
        "{} may belong to {}, and each belongs to somebody else: name the file of each in the \
        roster",
        shown.join("; "),
        student.name
    )
}
