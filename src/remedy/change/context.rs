//! Which lines of a change are shown: with those beside a changed line, a person finds where it
//! belongs.

use crate::{
    recording::mask::MASK,
    remedy::change::{Line, Sign, fields::Field},
};

/// Stands between the mark of lines that are left out and the path of the field behind them.
pub(super) const BELOW: &str = "  # below: ";
/// Lines beside a changed one that show where it belongs.
const BESIDE: usize = 1;

/// Which lines are shown: the changed ones, and those beside them. What these stand below, the paths
/// of the fields say. Of a file, the line is shown that each new one stands behind.
pub(super) fn shown_lines(lines: &[Line], is_file: bool) -> Vec<bool> {
    let mut shown = vec![false; lines.len()];
    let first = lines.iter().position(|it| it.sign != Sign::Same).unwrap_or(0);
    for place in 0..lines.len() {
        if lines[place].sign == Sign::Same {
            continue;
        }
        shown[place] = true;
        // The path above the lines leads to one value.
        if !is_file && is_new_value(lines, place) {
            continue;
        }
        for near in place.saturating_sub(BESIDE)..=(place + BESIDE).min(lines.len() - 1) {
            // A key whose lines are not shown would seem to be empty.
            let is_leaf = !lines[near].text.ends_with(':');
            let is_own = !is_masked(&lines[near]) && !lines[near].text.trim().is_empty();
            let is_deeper = indent(&lines[near]) > indent(&lines[place]);
            if near > place {
                shown[near] |= is_leaf && is_own && indent(&lines[near]) >= indent(&lines[place]);
            } else if !is_deeper || is_item(&lines[place]) {
                // It may be what this one stands below.
                shown[near] |= is_own && !speaks_for_itself(&lines[place..]);
            } else if let Some(beside) = beside(lines, place)
                && place == first
                && lines[place].sign == Sign::Added
            {
                // Behind a deeper line: the key beside this one says where that is.
                shown[beside] |= lines[beside].sign == Sign::Same;
            }
        }
    }
    if is_file {
        show_ends_of_gaps(lines, &mut shown);
    }
    shown
}

/// Whether the line gives a key another value, in a line.
fn is_new_value(lines: &[Line], place: usize) -> bool {
    let key = |line: &Line| line.text.split_once(": ").map(|(key, _)| key.to_owned());
    let pair = match lines[place].sign {
        Sign::Removed => Some((place, place + 1)),
        Sign::Added => place.checked_sub(1).map(|it| (it, place)),
        Sign::Same | Sign::LeftOut => None,
    };
    let Some((old, new)) = pair.filter(|(_, new)| *new < lines.len()) else { return false };
    let is_pair = lines[old].sign == Sign::Removed && lines[new].sign == Sign::Added;
    is_pair && key(&lines[old]).is_some() && key(&lines[old]) == key(&lines[new])
}

/// Whether so many lines go that nobody needs the line above them to find them.
fn speaks_for_itself(lines: &[Line]) -> bool {
    const MANY: usize = 3;
    lines.iter().take_while(|it| it.sign == Sign::Removed).count() >= MANY
}

/// Shows the last line of each gap that a line is added behind. The first change of all has the
/// number of its line.
fn show_ends_of_gaps(lines: &[Line], shown: &mut [bool]) {
    let Some(first) = lines.iter().position(|it| it.sign != Sign::Same) else { return };
    for place in first + 1..lines.len() {
        if lines[place].sign != Sign::Added {
            continue;
        }
        let end = (first..place).rev().find(|it| !lines[*it].text.trim().is_empty());
        if let Some(end) = end.filter(|it| !is_masked(&lines[*it])) {
            shown[end] = true;
        }
    }
}

/// The nearest line above that stands as deep as a changed one and is of its kind, a key or an item
/// of a list, with nothing less deep between them.
fn beside(lines: &[Line], place: usize) -> Option<usize> {
    let (depth, is_of_list) = (indent(&lines[place]), is_item(&lines[place]));
    let is_text = |it: &usize| !lines[*it].text.trim().is_empty();
    let is_beside = |it: usize| indent(&lines[it]) == depth && is_item(&lines[it]) == is_of_list;
    let above = (0..place).rev().filter(is_text);
    let mut ends = above.filter(|it| indent(&lines[*it]) < depth || is_beside(*it));
    ends.next().filter(|it| is_beside(*it))
}

pub(super) fn indent(line: &Line) -> usize {
    line.text.len() - line.text.trim_start().len()
}

/// Whether it does not stand in the file as it is shown.
fn is_masked(line: &Line) -> bool {
    line.text.contains(MASK)
}

fn is_item(line: &Line) -> bool {
    line.text.trim_start().starts_with("- ")
}

/// The lines that are shown, with a mark where others stand between two of them. The mark names the
/// field that changes behind it, but for the first one, to which the line's number leads.
pub(super) fn with_gaps(lines: Vec<Line>, shown: &[bool], fields: &[Field]) -> Vec<Line> {
    let changed: Vec<bool> = lines.iter().map(|it| it.sign != Sign::Same).collect();
    let (mut all, mut gap): (Vec<Line>, Option<usize>) = (vec![], None);
    for (place, (line, shown)) in lines.into_iter().zip(shown).enumerate() {
        if !shown {
            if !line.text.trim().is_empty() {
                gap.get_or_insert(indent(&line));
            }
            continue;
        }
        if let Some(depth) = gap.take().filter(|_| !all.is_empty()) {
            let next = (place..changed.len()).find(|it| changed[*it]);
            let field = fields.iter().find(|it| Some(it.first) == next);
            let named = field.filter(|it| fields.first() != Some(*it));
            let name = named.map(|it| format!("{BELOW}{}", it.path)).unwrap_or_default();
            let text = format!("{}…{name}", " ".repeat(depth));
            all.push(Line { sign: Sign::LeftOut, text });
        }
        all.push(line);
    }
    all
}
