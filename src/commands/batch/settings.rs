//! What a run was told beside its hand-ins, kept in its folder: what is not said again holds on.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    batch::{
        late::LatePolicy,
        results::{ResultState, ResultStore},
        roster::{self, Student},
    },
    cli,
    cluster::Failure,
    commands::{batch::not_kept, rubric},
    console::sanitize::sanitize,
    remedy::shell_word_or,
    report::{Points, replace_private},
    rubric::Rubric,
};

/// The file in the folder of results with the settings.
const SETTINGS: &str = "settings.json";
/// The roster of the run, as it was given.
const ROSTER: &str = "roster.csv";
/// The assignment, unless it is named.
const ASSIGNMENT: &str = "StatefulSets Deep Dive";

/// What a run was told; `None`: nothing of that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Settings {
    assignment: Option<String>,
    due: Option<i64>,
    grace_seconds: Option<u64>,
    late_per_day: Option<u32>,
    late_floor: Option<u32>,
    /// The text of the rubric.
    pub(super) rubric: Option<String>,
}

/// Whether a due date is said now, or was said before.
///
/// # Errors
/// What was said before cannot be read.
pub(super) fn has_due_date(book: &cli::Book, folder: Option<&Path>) -> Result<bool, Failure> {
    let before = folder.map(Settings::read).transpose()?;
    Ok(book.due.is_some() || before.is_some_and(|it| it.due.is_some()))
}

impl Settings {
    /// Those of the folder's run, with what is said now instead of what was said before; keeps them.
    ///
    /// # Errors
    /// They cannot be read or written, or the rubric cannot.
    pub(super) fn of(
        folder: &Path,
        book: &cli::Book,
        rubric: Option<&Path>,
    ) -> Result<Self, Failure> {
        let before = Self::read(folder)?;
        let now = Self {
            assignment: book.assignment.clone().or(before.assignment.clone()),
            due: book.due.or(before.due),
            grace_seconds: book.grace.map(|it| it.as_secs()).or(before.grace_seconds),
            late_per_day: book.late_per_day.or(before.late_per_day),
            late_floor: book.late_floor.or(before.late_floor),
            rubric: rubric.map(rubric::text).transpose()?.or(before.rubric.clone()),
        };
        if now != before {
            let text = serde_json::to_vec(&now).map_err(io::Error::from);
            text.and_then(|it| replace_private(&folder.join(SETTINGS), &it))
                .map_err(|error| not_kept(&error))?;
        }
        Ok(now)
    }

    fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(SETTINGS);
        let read = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            bytes => bytes.and_then(|it| Ok(serde_json::from_slice(&it)?)),
        };
        read.map_err(|error| {
            let path = sanitize(&path.display().to_string());
            Failure::new(
                "batch_folder",
                format!("what the run was told cannot be read in {path}: {error}"),
                "Delete that file, and say it again: --due, --late-per-day, --assignment, --rubric.",
            )
        })
    }

    /// The rubric.
    ///
    /// # Errors
    /// The kept one is none that this version reads.
    pub(super) fn rubric(&self) -> Result<Rubric, Failure> {
        let rubric = self.rubric.as_deref().map(Rubric::parse).transpose();
        Ok(rubric
            .map_err(|error| Failure::new("rubric", error.what, "Name it anew by `--rubric`."))?
            .unwrap_or_default())
    }

    /// What lateness costs.
    pub(super) fn policy(&self) -> LatePolicy {
        LatePolicy {
            due: self.due,
            grace: Duration::from_secs(self.grace_seconds.unwrap_or_default()),
            per_day: Points::whole(self.late_per_day.unwrap_or_default()),
            floor: Points::whole(self.late_floor.unwrap_or_default()),
        }
    }

    /// The name of the assignment.
    pub(super) fn assignment(&self) -> &str {
        self.assignment.as_deref().unwrap_or(ASSIGNMENT)
    }
}

/// The students of the roster that is named, or of the one that the folder's run was given.
///
/// # Errors
/// It cannot be read or understood.
pub(super) fn students(
    named: Option<&Path>,
    folder: Option<&Path>,
) -> Result<Option<Vec<Student>>, Failure> {
    let kept = folder.map(|it| it.join(ROSTER)).filter(|it| it.is_file());
    let Some(path) = named.map(PathBuf::from).or(kept) else { return Ok(None) };
    roster::read(&path).map(Some).map_err(|error| {
        let shown = sanitize(&path.display().to_string());
        Failure::new(
            "roster",
            format!("cannot use the roster {shown}: {}", sanitize(&error.to_string())),
            "Correct it: a CSV file whose first line names the columns id, name and any of email, \
            file, namespace, context and due.",
        )
    })
}

/// Whether a rubric is named that gives points otherwise than the one of the folder's run.
///
/// # Errors
/// It cannot be read.
pub(super) fn is_another_rubric(named: Option<&Path>, folder: &Path) -> Result<bool, Failure> {
    let Some(named) = named.map(rubric::read).transpose()? else { return Ok(false) };
    // One that this version does not read is another one.
    Ok(!Settings::read(folder)?.rubric().is_ok_and(|kept| kept == named))
}

/// Refuses a rubric under which a gradebook would hold the points of two.
///
/// # Errors
/// There are results that another rubric gave their points.
pub(super) fn refuse_second_rubric(
    named: Option<&Path>,
    folder: &Path,
    store: &ResultStore,
) -> Result<(), Failure> {
    let has_points = store.results().any(|it| it.state == ResultState::Graded);
    let Some(path) = named.filter(|_| has_points) else { return Ok(()) };
    if !is_another_rubric(named, folder)? {
        return Ok(());
    }
    let of = |path: &Path, unknown: &str| shell_word_or(&path.display().to_string(), unknown);
    let (shown, file) = (of(folder, "FOLDER"), of(path, "FILE"));
    Err(Failure::new(
        "rubric",
        format!(
            "the results in {} have their points by another rubric",
            sanitize(&folder.display().to_string())
        ),
        format!(
            "Judge them by the new one: `stsgrade batch judge {shown} --rubric {file}`. Then run \
            the same command again."
        ),
    ))
}

/// Whether a roster is named, or the folder's run was given one.
pub(super) fn has_roster(named: Option<&Path>, folder: &Path) -> bool {
    named.is_some() || folder.join(ROSTER).is_file()
}

/// Keeps the roster that was named for what is done later with the folder.
///
/// # Errors
/// It cannot be read or written.
pub(super) fn keep_roster(named: Option<&Path>, folder: &Path) -> Result<(), Failure> {
    let Some(path) = named else { return Ok(()) };
    fs::read(path)
        .and_then(|it| replace_private(&folder.join(ROSTER), &it))
        .map_err(|error| not_kept(&error))
}
