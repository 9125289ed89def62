//! What a report prints, as somebody reads it who only copies lines.

/// The file's name, as somebody would name it.
pub(crate) const FILE: &str = "lab3.yaml";

/// Reports that cannot name the change, and why.
pub(crate) const UNKNOWN: [(&str, &str); 4] = [
    ("empty_namespace", "nothing was handed in that could be changed"),
    ("filled_by_an_earlier_version", "the manifest is right: what stood before it is not"),
    ("out_of_memory", "the program takes all the memory that it gets"),
    ("shared_storage", "two volumes of the cluster are one folder: they are not in the manifest"),
];

/// What a report says is to be done: the changes of its causes, down to the first commands.
pub(crate) struct Instructions {
    pub(crate) changes: Vec<PrintedChange>,
}

/// Lines to change, as they are printed.
#[derive(Clone)]
pub(crate) struct PrintedChange {
    place: Place,
    /// Signs and lines, as far as they are printed.
    pub(crate) lines: Vec<(char, String)>,
}

/// Where the first line that is taken out or put in belongs in the file. Lines count from 1.
#[derive(Clone, Copy)]
enum Place {
    At(usize),
    After(usize),
    Before(usize),
    End,
}

/// The sign of lines that stay and are not printed.
pub(crate) const LEFT_OUT: char = '…';

impl Instructions {
    pub(crate) fn read(report: &str) -> Result<Self, String> {
        let mut changes: Vec<PrintedChange> = vec![];
        let commands = commands(report)?;
        let lines = report.lines().skip_while(|it| !it.starts_with("1. "));
        let mut label = "";
        let mut place = String::new();
        for line in lines.skip(1) {
            let (front, text) = line.split_at_checked(13).unwrap_or((line, ""));
            let is_code = label == "Change" && place.ends_with(':') && line.starts_with("      ");
            if is_code {
                let sign = line.chars().nth(6).unwrap_or(' ');
                let text = line.get(8..).unwrap_or_default().to_owned();
                let is_left_out = sign == ' ' && text.trim_start().starts_with(LEFT_OUT);
                let sign = if is_left_out { LEFT_OUT } else { sign };
                changes.last_mut().unwrap().lines.push((sign, text));
                continue;
            }
            if !front.trim().is_empty() {
                label = front.trim();
                place.clear();
            }
            if label == "Change" {
                place.push_str(text);
                if let Some(place) = place.strip_suffix(':') {
                    changes.push(PrintedChange { place: read_place(place)?, lines: vec![] });
                }
            }
            // What is typed then is for all changes down to here.
            if label == "Type" && text == commands[0] {
                break;
            }
        }
        Ok(Self { changes })
    }
}

/// What a report says is to be typed, down to the first grade.
pub(crate) fn commands(report: &str) -> Result<Vec<String>, String> {
    let mut commands = vec![];
    let mut label = "";
    for line in report.lines().skip_while(|it| !it.starts_with("1. ")).skip(1) {
        if line.is_empty() && !commands.is_empty() {
            break;
        }
        let (front, text) = line.split_at_checked(13).unwrap_or((line, ""));
        if !front.trim().is_empty() {
            label = front.trim();
        }
        if label == "Type" && !text.starts_with("what stands under ") {
            commands.push(text.to_owned());
        }
    }
    if commands.is_empty() { Err("it says nothing to type".to_owned()) } else { Ok(commands) }
}

/// `lab3.yaml:12, spec.replicas`, with `after ` or `before ` where a line comes first, or `lab3.yaml,
/// at its end (Service web)`.
fn read_place(told: &str) -> Result<Place, String> {
    type PlaceAt = fn(usize) -> Place;
    let sides: [(&str, PlaceAt); 3] =
        [("after ", Place::After), ("before ", Place::Before), ("", Place::At)];
    let (place, side) = sides
        .iter()
        .find_map(|(side, it)| Some((told.strip_prefix(side)?, it)))
        .ok_or("no side")?;
    let behind = place.strip_prefix(FILE).ok_or_else(|| format!("no file: {told}"))?;
    if behind.starts_with(", at its end (") {
        return Ok(Place::End);
    }
    let number = behind.strip_prefix(':').and_then(|it| it.split([',', ' ']).next()?.parse().ok());
    number.map(side).ok_or_else(|| format!("no line: {told}"))
}

/// At which of these places the file has a printed line: at the first that is not empty, or at any
/// where lines are left out before it.
fn place_of(
    printed: &str,
    all: &[String],
    mut places: impl Iterator<Item = usize>,
    is_left_out: bool,
) -> Option<usize> {
    if is_left_out {
        return places.find(|it| all[*it] == printed);
    }
    places.find(|it| !all[*it].is_empty()).filter(|it| all[*it] == printed)
}

impl PrintedChange {
    /// Whether something is to be changed, and not only looked at.
    pub(crate) fn is_made(&self) -> bool {
        self.lines.iter().any(|(sign, _)| matches!(sign, '-' | '+'))
    }

    /// The text with the change made, by lines that are found in it as they are printed: one below
    /// the other, but for empty ones, and anywhere further below behind a `…`.
    pub(crate) fn made(&self, text: &str) -> Result<String, String> {
        let mut all: Vec<String> = text.lines().map(|it| it.trim_end().to_owned()).collect();
        let is_changed = |(sign, _): &(char, String)| matches!(sign, '-' | '+');
        let first = self.lines.iter().position(is_changed).ok_or("no sign")?;
        let (line, mut at) = match (self.place, self.lines[first].0) {
            (Place::End, _) => {
                all.extend(self.lines.iter().map(|(_, it)| it.clone()));
                return Ok(all.join("\n") + "\n");
            }
            (Place::At(line), '-') | (Place::Before(line), '+') => (line, line - 1),
            (Place::After(line), '+') => (line, line),
            (_, sign) => return Err(format!("`{sign}` does not come where the place says")),
        };
        if at > all.len() {
            return Err(format!("there is no line {line}"));
        }
        let (mut above, mut is_left_out) = (at, false);
        for (sign, printed) in self.lines[..first].iter().rev() {
            if *sign == LEFT_OUT {
                is_left_out = true;
                continue;
            }
            above = place_of(printed, &all, (0..above).rev(), is_left_out)
                .ok_or_else(|| format!("this line is not just above line {line}: {printed}"))?;
            is_left_out = false;
        }
        is_left_out = false;
        for (sign, printed) in &self.lines[first..] {
            match sign {
                &LEFT_OUT => is_left_out = true,
                '+' if is_left_out => return Err(format!("behind which line? {printed}")),
                '+' => {
                    all.insert(at, printed.clone());
                    at += 1;
                }
                _ => {
                    let found = place_of(printed, &all, at..all.len(), is_left_out);
                    at = found.ok_or_else(|| {
                        format!("this line is not next, from line {} on: {printed}", at + 1)
                    })?;
                    is_left_out = false;
                    if *sign == '-' {
                        all.remove(at);
                    } else {
                        at += 1;
                    }
                }
            }
        }
        Ok(all.join("\n") + "\n")
    }
}
