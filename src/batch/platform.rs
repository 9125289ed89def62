//! Which platform exported a hand-in, and so whose number its key is.

use serde::{Deserialize, Serialize};

/// Where a hand-in's key comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Platform {
    /// A Canvas export: the key is the user's number in Canvas.
    Canvas,
    /// A Moodle export: the key is the participant's number in the assignment.
    Moodle,
    /// A Gradescope export: the key is the school's number or the e-mail address.
    Gradescope,
    /// Another one, or a folder of somebody's own: the key is a name or the school's number.
    #[default]
    Other,
}

impl Platform {
    /// What a hand-in of this platform with this key is known as: another platform may use the same
    /// number, and a folder may have it as its name.
    pub(super) fn known_as(self, key: &str) -> String {
        match self {
            Self::Canvas => format!("canvas/{key}"),
            Self::Moodle => format!("moodle/{key}"),
            Self::Gradescope => format!("gradescope/{key}"),
            Self::Other => key.to_owned(),
        }
    }
}
