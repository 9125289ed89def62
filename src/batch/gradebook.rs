//! Gradebooks: the results as learning platforms import them.
//!
//! What is not decided is held back: its cell is empty, which no platform takes for nothing. Nobody
//! loses a point to the cluster's own trouble.

use checks::CHECKS;

use crate::{
    batch::{
        late::LatePolicy,
        platform::Platform,
        results::{HandInResult, ResultState},
        roster::Student,
    },
    console::sanitize::spreadsheet_field,
    report::Points,
};

/// The columns of the general gradebook before those of the tests.
const HEAD: [&str; 11] = [
    "id",
    "name",
    "email",
    "handIn",
    "state",
    "raw",
    "weighted",
    "possible",
    "undecided",
    "daysLate",
    "final",
];

/// What all gradebooks are made from.
#[derive(Clone, Copy, Debug)]
pub struct Gradebook<'a> {
    /// The results, in the order of their ids.
    pub results: &'a [HandInResult],
    /// The students of whom there is no hand-in.
    pub missing: &'a [Student],
    /// What lateness costs.
    pub policy: LatePolicy,
    /// The name of the assignment, as the platform knows it.
    pub assignment: &'a str,
    /// The points of all checks, where no result tells how many it could have had.
    pub possible: Points,
}

impl Gradebook<'_> {
    /// For any spreadsheet: a line for each student, with a column for each test.
    #[must_use]
    pub fn general(&self) -> Vec<u8> {
        let mut header: Vec<String> = HEAD.iter().map(|it| (*it).to_owned()).collect();
        header.extend(CHECKS.iter().map(|it| it.id.to_owned()));
        header.push("causes".to_owned());
        let mut rows = vec![header];
        for result in self.results {
            rows.push(self.general_row(result));
        }
        for student in self.missing {
            let mut row = vec![student.id.clone(), student.name.clone(), student.email.clone()];
            row.extend([String::new(), "missing".to_owned()]);
            row.resize(rows[0].len(), String::new());
            rows.push(row);
        }
        table(&rows)
    }

    fn general_row(&self, result: &HandInResult) -> Vec<String> {
        let is_graded = result.state == ResultState::Graded;
        let number = |value: String| if is_graded { value } else { String::new() };
        let lab: u32 = result
            .letters
            .chars()
            .zip(&CHECKS)
            .filter(|(letter, _)| *letter == 'P')
            .map(|(_, check)| check.points)
            .sum();
        let mut row = vec![
            result.owner.student.clone().unwrap_or_default(),
            result.owner.name.clone(),
            result.owner.email.clone(),
            result.id.clone(),
            state(result).to_owned(),
            number(lab.to_string()),
            number(result.points.to_string()),
            number(result.possible.to_string()),
            number(result.undecided.to_string()),
            self.days_late(result).to_string(),
            self.final_points(result).map(|it| it.to_string()).unwrap_or_default(),
        ];
        for at in 0..CHECKS.len() {
            let points = result.tests.get(at).copied().flatten().map(|it| it.to_string());
            row.push(number(points.unwrap_or_default()));
        }
        row.push(result.why());
        row
    }

    /// For Canvas: "Import" of its gradebook. Students are found by Canvas' own id, which its export
    /// of hand-ins holds, or by the id of the roster, which is the school's.
    #[must_use]
    pub fn canvas(&self) -> Vec<u8> {
        let text = |row: &[&str]| row.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        // Nothing is possible in what is held: nobody has counted it yet.
        let possible = self.results.iter().map(|it| it.possible).filter(|it| *it > Points::ZERO);
        let possible = possible.max().unwrap_or(self.possible);
        let mut rows = vec![
            text(&["Student", "ID", "SIS User ID", "SIS Login ID", "Section", self.assignment]),
            text(&["    Points Possible", "", "", "", "", &possible.to_string()]),
        ];
        for result in self.results {
            let id = number_of(Platform::Canvas, result).unwrap_or_default();
            let sis = result.owner.student.as_deref().unwrap_or_default();
            let sis = if sis == id { "" } else { sis };
            let login = result.owner.email.split('@').next().unwrap_or_default();
            let points = self.final_points(result).map(|it| it.to_string()).unwrap_or_default();
            rows.push(text(&[&result.owner.name, id, sis, login, "", &points]));
        }
        table(&rows)
    }

    /// For Moodle: "Upload grading worksheet" of an assignment. Participants are found by the
    /// number that its export of hand-ins holds. Students read the feedback, so it says nothing of
    /// what is held for the instructor.
    #[must_use]
    pub fn moodle(&self) -> Vec<u8> {
        let text = |row: &[&str]| row.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let mut rows = vec![text(&[
            "Identifier",
            "Full name",
            "Email address",
            "Status",
            "Grade",
            "Maximum Grade",
            "Grade can be changed",
            "Last modified (submission)",
            "Last modified (grade)",
            "Feedback comments",
        ])];
        for result in self.results {
            let participant = number_of(Platform::Moodle, result);
            let participant = participant.map(|it| format!("Participant {it}"));
            let is_graded = result.state == ResultState::Graded;
            let feedback = if is_graded { result.why() } else { String::new() };
            let points = self.final_points(result).map(|it| it.to_string()).unwrap_or_default();
            let possible = result.possible.to_string();
            let possible = if is_graded { possible } else { String::new() };
            rows.push(text(&[
                &participant.unwrap_or_default(),
                &result.owner.name,
                &result.owner.email,
                "Submitted for grading",
                &points,
                &possible,
                "Yes",
                "-",
                "-",
                &feedback,
            ]));
        }
        table(&rows)
    }

    /// The days that a hand-in is late. Where the platform only says that it is, that is one,
    /// unless the student has a due date of which the platform does not know.
    #[must_use]
    pub fn days_late(&self, result: &HandInResult) -> u32 {
        let is_told = result.is_late && result.handed_in.is_none() && result.owner.due.is_none();
        self.policy.days_late(result.handed_in, result.owner.due).max(u32::from(is_told))
    }

    /// The points that count; `None` while something is open that may still bring points.
    #[must_use]
    pub fn final_points(&self, result: &HandInResult) -> Option<Points> {
        let days = self.days_late(result);
        result.is_decided().then(|| self.policy.after(result.points, days))
    }
}

/// The number by which a platform knows a student, as far as its export tells. It does not tell
/// those whom only the roster adds to a hand-in.
fn number_of(platform: Platform, result: &HandInResult) -> Option<&str> {
    let is_told = result.platform == platform && !result.owner.key.is_empty();
    is_told.then_some(result.owner.key.as_str())
}

/// How a result stands, in a word.
pub(super) fn state(result: &HandInResult) -> &'static str {
    match result.state {
        ResultState::Held => "held",
        ResultState::Graded if result.is_decided() => "graded",
        ResultState::Graded => "undecided",
    }
}

fn table(rows: &[Vec<String>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(vec![]);
    for row in rows {
        // Writing to a vector cannot fail, and all rows have as many fields.
        let _ = writer.write_record(row.iter().map(|it| spreadsheet_field(it)));
    }
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests;

/// One of each state.
#[cfg(test)]
pub(super) fn sample() -> Vec<HandInResult> {
    use crate::batch::{handin::Member, results::ResultCause};

    let result = |id: &str, letters: &str, points, undecided| HandInResult {
        id: id.to_owned(),
        owner: Member { name: id.to_owned(), key: id.to_owned(), ..Member::default() },
        state: ResultState::Graded,
        letters: letters.to_owned(),
        points: Points::whole(points),
        possible: Points::whole(100),
        undecided: Points::whole(undecided),
        tests: vec![Some(Points::whole(10)); 10],
        ..HandInResult::default()
    };
    let first = HandInResult {
        owner: Member {
            name: "a".to_owned(),
            key: "101".to_owned(),
            student: Some("1001".to_owned()),
            email: "a@b.example".to_owned(),
            due: None,
        },
        causes: vec![ResultCause {
            id: "empty_dir".to_owned(),
            title: "emptyDir instead of a PVC".to_owned(),
            tests: vec![3, 9],
        }],
        ..result("a", "PPPPPFPPPF", 80, 0)
    };
    let held = HandInResult { state: ResultState::Held, ..result("c", "", 0, 0) };
    vec![first, result("b", "PPPPPPPPPI", 90, 10), held]
}
