//! Which lines of a change are shown: with those beside a changed line, a person finds where it
//! belongs.

use crate::{
    console::secrets::MASK,
    remedy::change::{Line, Sign},
};

/// Lines beside a changed one that show where it belongs.
const BESIDE: usize = 1;

/// Which lines are shown: the changed ones, those beside them, and all that they stand below.
pub(super) fn shown(lines: &[Line]) -> Vec<bool> {
    let mut shown = vec![false; lines.len()];
    for place in 0..lines.len() {
        if lines[place].sign == Sign::Same {
            continue;
        }
        shown[place] = true;
        for near in place.saturating_sub(BESIDE)..=(place + BESIDE).min(lines.len() - 1) {
            // A key whose lines are not shown would seem to be empty.
            let is_leaf = !lines[near].text.ends_with(':');
            let is_own = !is_masked(&lines[near]) && !lines[near].text.trim().is_empty();
            if near < place && indent(&lines[near]) > indent(&lines[place]) {
                // Behind a deeper line: the key that this one stands in says where that is.
                if let Some(beside) = beside(lines, place) {
                    shown[beside] |= lines[beside].sign == Sign::Same;
                }
            } else {
                shown[near] |= is_leaf && is_own && indent(&lines[near]) >= indent(&lines[place]);
            }
        }
        show_parents(lines, place, &mut shown);
    }
    show_ends_of_gaps(lines, &mut shown);
    shown
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

/// Shows the lines that a changed one stands below, each by the one below it.
pub(super) fn show_parents(lines: &[Line], place: usize, shown: &mut [bool]) {
    let (mut depth, mut is_in_list) = (indent(&lines[place]), is_item(&lines[place]));
    for above in (0..place).rev() {
        let line = &lines[above];
        // What goes and what comes are two documents.
        let is_of_it = line.sign == Sign::Same || line.sign == lines[place].sign;
        // A list's items may stand as deep as the key that they belong to.
        let is_parent =
            indent(line) < depth || indent(line) == depth && is_in_list && !is_item(line);
        let is_note = line.text.trim().is_empty() || line.text.trim_start().starts_with('#');
        if !is_of_it || !is_parent || is_note {
            continue;
        }
        shown[above] |= line.sign == Sign::Same;
        (depth, is_in_list) = (indent(line), is_item(line));
        if depth == 0 && !is_in_list {
            break;
        }
    }
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
