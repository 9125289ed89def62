//! What is kept of a batch: a line of `results.jsonl` for each hand-in.
//!
//! A line is on disk before it counts. A process that is killed while it writes leaves half a line
//! at most, which is left out when the file is read again.

mod store;

use std::{fs::File, io::Read as _, path::Path};

use checks::{
    CHECKS, Check,
    model::{Fault, diagnosis},
};
use serde::{Deserialize, Serialize};

use crate::{
    batch::{
        handin::{HandIn, Member},
        platform::Platform,
    },
    cluster::client::failure_id::is_of_a_manifest,
    report::{Cause, Points, Problem, Report},
};

pub use crate::batch::results::store::ResultStore;

/// The file in the folder of results that says which run it belongs to.
pub const RUN: &str = "run.json";
/// What [`RUN`] says that it is.
pub const RUN_FORMAT: &str = "stsgrade-batch";
/// [`RUN`] is not longer, in bytes.
const MAX_RUN_BYTES: u64 = 1 << 10;

/// Whether a folder holds the results of a batch.
#[must_use]
pub fn holds_results(folder: &Path) -> bool {
    let mut text = String::new();
    let file = File::open(folder.join(RUN)).map(|it| it.take(MAX_RUN_BYTES));
    file.and_then(|mut it| it.read_to_string(&mut text)).is_ok() && text.contains(RUN_FORMAT)
}

/// What a hand-in came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ResultState {
    /// It has points; some may be undecided.
    Graded,
    /// A person has to look at it.
    #[default]
    Held,
}

/// The trouble of the cluster that a report tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterTrouble {
    /// There was none.
    None,
    /// Another grade may not meet some of it.
    MayPass,
    /// Another grade in the same way would meet all of it.
    ComesAgain,
}

impl ClusterTrouble {
    /// What a report tells of.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let trouble = report.faults().filter(|(_, fault)| *fault == Some(Fault::NotTheSubmission));
        Self::of_causes(trouble.map(|(id, _)| id))
    }

    /// By the ids of the causes of which the cluster is at fault.
    fn of_causes(ids: impl Iterator<Item = &'static str>) -> Self {
        let mut ids = ids.peekable();
        if ids.peek().is_none() {
            Self::None
        } else if ids.all(diagnosis::comes_again) {
            Self::ComesAgain
        } else {
            Self::MayPass
        }
    }
}

/// Whether the manifests are the only reason why a report gives no points.
fn is_refused(report: &Report) -> bool {
    let mut faults = report.faults().peekable();
    faults.peek().is_some() && faults.all(|(id, _)| is_of_a_manifest(id))
}

/// The letter of a test that the rubric leaves out.
pub const OMITTED: char = '-';

/// One hand-in and what it came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandInResult {
    /// Its id.
    pub id: String,
    /// Whose it is.
    #[serde(flatten)]
    pub owner: Member,
    /// What it came to.
    pub state: ResultState,
    /// A letter for each test: P, F, or I for undecided; [`OMITTED`] for one that the rubric leaves
    /// out. Empty where nothing was graded.
    pub letters: String,
    /// Points won, of all possible ones, and those that are undecided.
    pub points: Points,
    /// All points.
    pub possible: Points,
    /// Neither won nor lost.
    pub undecided: Points,
    /// Why points are missing.
    pub causes: Vec<ResultCause>,
    /// Another grade in the same way would meet all trouble of the cluster again.
    #[serde(default)]
    pub comes_again: bool,
    /// Why it was not graded; empty where it was.
    #[serde(default)]
    pub reason: String,
    /// The points of each test; none of one that the rubric leaves out.
    #[serde(default)]
    pub tests: Vec<Option<Points>>,
    /// Its manifests were the only reason why it got no points.
    #[serde(default)]
    pub is_refused: bool,
    /// Which platform exported it.
    #[serde(default)]
    pub platform: Platform,
    /// The names at the top of its files ([`HandIn::entries`]); none where an earlier version wrote
    /// it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<String>,
    /// When it was handed in, in seconds since the epoch.
    #[serde(default)]
    pub handed_in: Option<i64>,
    /// The platform says that it came after the due date.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_late: bool,
    /// The others who handed it in together with this student, and get the same points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<Member>,
    /// A digest of what was handed in, names left out: equal ones are alike.
    #[serde(default)]
    pub likeness: String,
    /// Which of the hand-ins it is of ([`HandIn::known_as`]); empty where an earlier version wrote it.
    #[serde(default)]
    pub source: String,
    /// A digest of what was graded ([`HandIn::digest`]); empty where that is not known.
    #[serde(default)]
    pub digest: String,
    /// No hand-in of the last run has it: it counts for nobody until it is handed in again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_gone: bool,
}

/// A cause of a report, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultCause {
    /// The id of a mistake, an obstacle or a check.
    pub id: String,
    /// What happened, in a few words.
    pub title: String,
    /// The tests that it fails or leaves undecided.
    pub tests: Vec<u8>,
}

impl ResultCause {
    fn of(cause: &Cause) -> Self {
        let (id, title) = (cause.id.to_owned(), cause.title.clone());
        Self { id, title, tests: cause.tests.clone() }
    }
}

impl HandInResult {
    /// Of a report.
    #[must_use]
    pub fn graded(hand_in: &HandIn, report: &Report) -> Self {
        Self::of(hand_in).with_report(report)
    }

    /// What is known of a hand-in before it is graded.
    fn of(hand_in: &HandIn) -> Self {
        Self {
            id: hand_in.id.as_str().to_owned(),
            owner: hand_in.owner.clone(),
            platform: hand_in.platform,
            entries: hand_in.entries.clone(),
            handed_in: hand_in.handed_in,
            is_late: hand_in.is_late,
            shared_with: hand_in.shared_with.clone(),
            likeness: hand_in.likeness(),
            source: hand_in.known_as(),
            digest: hand_in.digest(),
            ..Self::default()
        }
    }

    /// The result once for each student whose it is.
    #[must_use]
    pub fn of_each_student(&self) -> Vec<Self> {
        let first = Self { shared_with: vec![], ..self.clone() };
        let mut all = vec![first.clone()];
        for other in &self.shared_with {
            all.push(Self { owner: other.clone(), ..first.clone() });
        }
        all
    }

    /// The same hand-in, with what a report says of it.
    #[must_use]
    pub fn with_report(self, report: &Report) -> Self {
        let row = |check: &Check| report.checks.iter().find(|it| it.id == check.id);
        let rows = || CHECKS.iter().map(row);
        Self {
            state: ResultState::Graded,
            letters: rows().map(|it| it.map_or(OMITTED, |it| it.outcome.letter())).collect(),
            points: report.score.earned,
            possible: report.score.possible,
            undecided: report.score.undecided,
            causes: report.causes.iter().map(ResultCause::of).collect(),
            comes_again: ClusterTrouble::of(report) == ClusterTrouble::ComesAgain,
            tests: rows().map(|it| it.map(|it| it.points)).collect(),
            is_refused: is_refused(report),
            ..self
        }
    }

    /// For a person to look at.
    #[must_use]
    pub fn held(hand_in: &HandIn, problem: &Problem) -> Self {
        let reason = format!("{}. {}", problem.what, problem.next);
        Self { reason: reason.trim_end().to_owned(), ..Self::of(hand_in) }
    }

    /// Whether nothing about it is left open.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        self.state == ResultState::Graded && self.undecided == Points::ZERO
    }

    /// Whether points are undecided, and another grade in the same way would not decide them.
    #[must_use]
    pub fn is_undecidable(&self) -> bool {
        let is_open = self.state == ResultState::Graded && self.undecided > Points::ZERO;
        is_open && self.comes_again
    }

    /// Why points are missing, or why it was not graded, in a few words each.
    #[must_use]
    pub fn why(&self) -> String {
        if self.state == ResultState::Held {
            return self.reason.clone();
        }
        let titles: Vec<&str> = self.causes.iter().map(|it| it.title.as_str()).collect();
        titles.join("; ")
    }

    /// `PPPPPFPPPF 80 of 100: the file is overwritten at every start`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self.state {
            ResultState::Held => format!("for you to look at: {}", self.reason),
            ResultState::Graded => {
                let open = if self.undecided > Points::ZERO {
                    format!(", {} undecided", self.undecided)
                } else {
                    String::new()
                };
                let why = self.why();
                let why = if why.is_empty() { why } else { format!(": {why}") };
                format!("{} {} of {}{open}{why}", self.letters, self.points, self.possible)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use checks::model::Fault;

    use super::{ClusterTrouble, HandInResult, ResultCause, ResultState};
    use crate::{
        batch::handin::Member,
        cluster::client::failure_id::UNREADABLE_MANIFEST,
        report::{Points, Problem, Report, Source},
        rubric::Rubric,
    };

    /// Catches a field of `results.jsonl` that moved, and a line of an earlier version, which knew
    /// only names, that is lost.
    #[test]
    fn whose_it_is_stands_in_the_line_itself() {
        let name = "Ada".to_owned();
        let owner = Member {
            name: name.clone(),
            key: "7".to_owned(),
            student: Some("s1".to_owned()),
            email: "a@b.example".to_owned(),
            due: Some(9),
        };
        let result = HandInResult { owner, ..HandInResult::default() };
        let mut line = serde_json::to_value(&result).unwrap();
        let fields = [("name", "Ada"), ("key", "7"), ("student", "s1"), ("email", "a@b.example")];
        for (field, value) in fields {
            assert_eq!(line[field], value);
        }
        assert_eq!(line["due"], 9);
        assert_eq!(serde_json::from_value::<HandInResult>(line.clone()).unwrap(), result);
        for field in ["key", "student", "email", "due"] {
            line.as_object_mut().unwrap().remove(field).unwrap();
        }
        let read: HandInResult = serde_json::from_value(line).unwrap();
        assert_eq!(read.owner, Member { name, ..Member::default() });
    }

    /// Catches letters and points that move to another test where the rubric leaves one out, trouble
    /// of the cluster that ends a hand-in because the rubric shows no causes, and manifests that are
    /// not known to have been refused for the same reason.
    #[test]
    fn what_a_rubric_leaves_out_or_hides_moves_nothing() {
        let problem = Problem::new(UNREADABLE_MANIFEST, "unreadable", "");
        let of = |rubric: &str| {
            let rubric = Rubric::parse(rubric).unwrap();
            let report = Report::refused(&problem, &Source::default()).scored(&rubric);
            (HandInResult::default().with_report(&report), ClusterTrouble::of(&report))
        };
        let (without, _) = of("checks.storage_content.omit = true");
        assert_eq!(without.letters, "FFF-FFFFFF");
        let zero = Some(Points::ZERO);
        assert_eq!((without.tests[2], without.tests[3], without.tests[4]), (zero, None, zero));
        let (hidden, trouble) = of("show = 'outcome'");
        assert!(hidden.causes.is_empty() && hidden.is_refused);
        assert_eq!(trouble, ClusterTrouble::None);

        let mut report = Report::refused(&problem, &Source::default());
        report.causes[0].fault = Some(Fault::NotTheSubmission);
        let rubric = Rubric::parse("show = 'outcome'").unwrap();
        assert_eq!(ClusterTrouble::of(&report.scored(&rubric)), ClusterTrouble::MayPass);
    }

    /// Catches lost points whose cause only the report tells.
    #[test]
    fn lost_points_are_told_with_their_cause() {
        let title = "the file is overwritten at every start".to_owned();
        let causes = vec![ResultCause { title, ..ResultCause::default() }];
        let lost = HandInResult {
            state: ResultState::Graded,
            letters: "PPPPPPPPPF".to_owned(),
            points: Points::whole(80),
            ..HandInResult::default()
        };
        let lost = HandInResult { causes, possible: Points::whole(100), ..lost };
        let told = "PPPPPPPPPF 80 of 100: the file is overwritten at every start";
        assert_eq!(lost.in_words(), told);
    }

    /// Catches a hand-in that is not graded again though one of its troubles may pass, and one that is
    /// though none does.
    #[test]
    fn it_is_not_graded_again_when_all_trouble_comes_again() {
        let of = |ids: &[&'static str]| ClusterTrouble::of_causes(ids.iter().copied());
        assert_eq!(of(&[]), ClusterTrouble::None);
        assert_eq!(of(&["level_restricted"]), ClusterTrouble::ComesAgain);
        assert_eq!(of(&["level_restricted", "no_answer"]), ClusterTrouble::MayPass);
    }
}
