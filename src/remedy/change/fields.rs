//! Which fields a change is about.

use crate::remedy::{
    change::{Line, Sign, context::indent},
    manifest::{self, Document},
};

/// A field that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// The place of its first line that goes or comes, from 0.
    pub(super) first: usize,
    /// Its path.
    pub(super) path: String,
}

/// The fields that hold the lines that change: of each part that goes or comes. One that is within
/// another is not told.
pub(super) fn fields(lines: &[Line], before: &Document, after: &Document) -> Vec<Field> {
    let mut fields: Vec<Field> = vec![];
    let (mut old, mut new) = (0, 0);
    let mut place = 0;
    while place < lines.len() {
        let count = part(&lines[place..]);
        let path = match lines[place].sign {
            Sign::Added => after.path_of(new + 1, new + count),
            Sign::Removed => before.path_of(old + 1, old + count),
            Sign::Same | Sign::LeftOut => vec![],
        };
        let path = manifest::path_in_words(&path);
        if !path.is_empty() && !fields.iter().any(|it| it.path == path) {
            fields.push(Field { first: place, path });
        }
        old += if lines[place].sign == Sign::Added { 0 } else { count };
        new += if lines[place].sign == Sign::Removed { 0 } else { count };
        place += count;
    }
    let is_within = |field: &Field, other: &Field| {
        let rest = field.path.strip_prefix(other.path.as_str());
        rest.is_some_and(|it| it.starts_with(['.', '[']))
    };
    let all = fields.clone();
    fields.retain(|it| !all.iter().any(|other| is_within(it, other)));
    fields
}

/// How many of these lines are of the first one's field: all that stand deeper, and the entries of
/// its list.
fn part(lines: &[Line]) -> usize {
    let Some(first) = lines.first().filter(|it| it.sign != Sign::Same) else { return 1 };
    let is_item = |line: &Line| line.text.trim_start().starts_with("- ");
    let is_of_it = |line: &&Line| {
        let is_beside = indent(line) == indent(first) && is_item(line);
        line.sign == first.sign
            && (line.text.trim().is_empty() || indent(line) > indent(first) || is_beside)
    };
    1 + lines[1..].iter().take_while(is_of_it).count()
}
