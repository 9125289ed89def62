//! Which fields a change is about.

use crate::remedy::{
    change::{Line, Sign},
    manifest::{self, Document},
};

/// The paths of the fields that hold the lines that change: of each part that goes or comes.
/// One that is within another is not told.
pub(super) fn fields(lines: &[Line], before: &Document, after: &Document) -> Vec<String> {
    let mut fields: Vec<String> = vec![];
    let (mut old, mut new) = (0, 0);
    let mut above = Sign::Same;
    for (place, line) in lines.iter().enumerate() {
        if line.sign != Sign::Same && line.sign != above {
            let count = lines[place..].iter().take_while(|it| it.sign == line.sign).count();
            let path = match line.sign {
                Sign::Added => after.path_of(new + 1, new + count),
                _ => before.path_of(old + 1, old + count),
            };
            let field = manifest::told(&path);
            if !field.is_empty() && !fields.contains(&field) {
                fields.push(field);
            }
        }
        above = line.sign;
        old += usize::from(line.sign != Sign::Added);
        new += usize::from(line.sign != Sign::Removed);
    }
    let is_within = |field: &String, other: &String| {
        field.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    let all = fields.clone();
    fields.retain(|it| !all.iter().any(|other| is_within(other, it)));
    fields
}
