//! The newest lines of a log, as many as a report has room for.

/// The most lines of a report that a log takes.
const MAX_ROWS: usize = 8;

/// The newest lines, oldest first, and how many are left out. `room`: the characters of a line of the
/// report.
///
/// Where all have room, none is left out. Else, of lines that differ in their numbers alone, such as
/// times, only the newest is told.
pub(super) fn newest(log: &[String], room: usize) -> (Vec<&str>, usize) {
    let rows = |line: &str| line.chars().count().div_ceil(room.max(1)).max(1);
    let all: usize = log.iter().map(|line| rows(line)).sum();
    if all <= MAX_ROWS {
        return (log.iter().map(String::as_str).collect(), 0);
    }
    let (mut told, mut shapes): (Vec<&str>, Vec<String>) = (vec![], vec![]);
    let mut used = 0;
    for line in log.iter().rev() {
        let shape = without_numbers(line);
        if shapes.contains(&shape) {
            continue;
        }
        shapes.push(shape);
        used += rows(line);
        if used > MAX_ROWS && !told.is_empty() {
            break;
        }
        told.push(line);
    }
    told.reverse();
    let left_out = log.len() - told.len();
    (told, left_out)
}

/// The line with each number as `0`.
fn without_numbers(line: &str) -> String {
    let mut told = String::with_capacity(line.len());
    for c in line.chars() {
        if !c.is_ascii_digit() {
            told.push(c);
        } else if !told.ends_with('0') {
            told.push('0');
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::newest;

    fn lines(log: &[&str]) -> Vec<String> {
        log.iter().map(|it| (*it).to_owned()).collect()
    }

    /// Catches a log that fills the report, and a short one of which something is left out.
    #[test]
    fn the_newest_lines_are_told_and_a_repeated_one_once() {
        let short = lines(&["at 1", "at 2", "at 3"]);
        assert_eq!(newest(&short, 60), (vec!["at 1", "at 2", "at 3"], 0));
        let probed: Vec<String> =
            (10..30).map(|it| format!("20:39:{it} {}", ["GET", "open"][it % 2])).collect();
        assert_eq!(newest(&probed, 60), (vec!["20:39:28 GET", "20:39:29 open"], 18));
        let letters: Vec<String> = ('a'..='z').map(String::from).collect();
        let (told, left_out) = newest(&letters, 60);
        assert_eq!((told.join(""), left_out), ("stuvwxyz".to_owned(), 18));
        // One line that is longer than all room is told.
        let long = "x".repeat(1_000);
        assert_eq!(newest(&lines(&["a", &long]), 10), (vec![long.as_str()], 1));
    }
}
