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
    pub(crate) changes: Vec<Change>,
    pub(crate) commands: Vec<String>,
}

/// Lines to change, as they are printed.
pub(crate) struct Change {
    /// The line of the file; none for what comes at its end.
    line: Option<usize>,
    /// Signs and lines.
    pub(crate) lines: Vec<(char, String)>,
}

impl Instructions {
    pub(crate) fn read(report: &str) -> Result<Self, String> {
        let mut told = Self { changes: vec![], commands: vec![] };
        let lines = report.lines().skip_while(|it| !it.starts_with("1. "));
        let mut label = "";
        let mut place = String::new();
        for line in lines.skip(1) {
            // The next cause comes, or none.
            if line.is_empty() && !told.commands.is_empty() {
                break;
            }
            let (front, text) = line.split_at_checked(13).unwrap_or((line, ""));
            let is_code = label == "Change" && place.ends_with(':') && line.starts_with("      ");
            if is_code {
                let sign = line.chars().nth(6).unwrap_or(' ');
                let text = line.get(8..).unwrap_or_default().to_owned();
                if text.trim() == "…" {
                    continue;
                }
                told.changes.last_mut().unwrap().lines.push((sign, text));
                continue;
            }
            if !front.trim().is_empty() {
                label = front.trim();
                place.clear();
            }
            match label {
                "Change" => {
                    place.push_str(text);
                    if let Some(place) = place.strip_suffix(':') {
                        told.changes.push(Change { line: line_of(place)?, lines: vec![] });
                    }
                }
                "Type" if text.starts_with("what stands under ") => {}
                "Type" => told.commands.push(text.to_owned()),
                _ => {}
            }
        }
        // From the end of the file: what is added or removed above moves the lines below.
        told.changes.sort_by_key(|it| std::cmp::Reverse(it.line.unwrap_or(usize::MAX)));
        if told.commands.is_empty() { Err("it says nothing to type".to_owned()) } else { Ok(told) }
    }
}

/// `lab3.yaml:12, spec.replicas`, or `lab3.yaml, at its end (Service web)`.
fn line_of(place: &str) -> Result<Option<usize>, String> {
    let behind = place.strip_prefix(FILE).ok_or_else(|| format!("no file: {place}"))?;
    if behind.starts_with(", at its end (") {
        return Ok(None);
    }
    let number = behind.strip_prefix(':').and_then(|it| it.split([',', ' ']).next()?.parse().ok());
    number.map(Some).ok_or_else(|| format!("no line: {place}"))
}

impl Change {
    /// The text with the change made, by lines that are found in it as they are printed.
    pub(crate) fn made(&self, text: &str) -> Result<String, String> {
        let mut all: Vec<String> = text.lines().map(|it| it.trim_end().to_owned()).collect();
        let Some(line) = self.line else {
            all.extend(self.lines.iter().map(|(_, it)| it.clone()));
            return Ok(all.join("\n") + "\n");
        };
        let first = self.lines.iter().position(|(sign, _)| *sign != ' ').ok_or("no sign")?;
        // Lines are numbered from 1. What is added stands behind its line.
        let mut at = if self.lines[first].0 == '-' { line - 1 } else { line };
        let mut above = at;
        for (_, context) in self.lines[..first].iter().rev() {
            above = (0..above)
                .rev()
                .find(|it| all[*it] == *context)
                .ok_or_else(|| format!("this line is not above line {line}: {context}"))?;
        }
        for (sign, printed) in &self.lines[first..] {
            if *sign == '+' {
                all.insert(at, printed.clone());
                at += 1;
                continue;
            }
            at = (at..all.len())
                .find(|it| all[*it] == *printed)
                .ok_or_else(|| format!("this line is not below line {line}: {printed}"))?;
            if *sign == '-' {
                all.remove(at);
            } else {
                at += 1;
            }
        }
        Ok(all.join("\n") + "\n")
    }
}
