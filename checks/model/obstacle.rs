//! Obstacles: why the set cannot get where it was asked to go, and whose fault that is.

use serde::Serialize;

use crate::{mistakes::Mistake, model::observation::Seq};

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// The submission's: points are lost.
    Submission,
    /// Not the submission's, so it costs no points: the cluster did it, or somebody who changed
    /// something or ended the grade (Ctrl-C, `--timeout`); the set is too large to be graded; or
    /// nobody knows. Points are undecided.
    #[serde(rename = "cluster")]
    NotTheSubmission,
}

/// What an obstacle means for the steps that follow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// The set cannot get where it was asked to go. Steps with fewer pods can still be performed.
    #[default]
    Blocks,
    /// A container ends again and again, and will at each start: because of the template, or of
    /// what the cluster adds to a pod or ignores in it. Readiness that was seen for a moment does
    /// not count.
    CrashLoop,
    /// No further step of the tour can show anything.
    StopsTour,
}

/// The container that an obstacle is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StuckContainer {
    /// Its name.
    pub name: String,
    /// With what it ended, where it ends.
    pub exit_code: Option<i32>,
    /// Its log was read, and holds nothing. An [`Obstacle::log`] is empty, too, where none was read.
    pub wrote_nothing: bool,
    /// Whether it ends by its own doing is not sure: the kubelet may end it, because its liveness or
    /// startup probe fails.
    pub may_fail_a_probe: bool,
    /// Its probe that fails, where that is the matter.
    pub failing_probe: Option<ProbeKind>,
    /// How its `postStart` hook ended, where the kubelet ends it because that fails.
    pub failing_hook: Option<HookEnd>,
}

/// How a `postStart` hook ended that failed, as far as the kubelet tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookEnd {
    /// Its exit status, where its command was run.
    pub exit_code: Option<i32>,
    /// Whether it wrote something before it ended.
    pub has_words: bool,
}

impl HookEnd {
    /// Whether it may have ended in a test that is false: such a test writes nothing, and its exit
    /// status is 1.
    #[must_use]
    pub const fn may_be_of_a_test(self) -> bool {
        matches!(self, Self { exit_code: Some(1), has_words: false })
    }
}

impl StuckContainer {
    /// One of which nothing more is known.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            exit_code: None,
            wrote_nothing: false,
            may_fail_a_probe: false,
            failing_probe: None,
            failing_hook: None,
        }
    }
}

/// The probes of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    /// On whose failure the kubelet ends the container.
    Liveness,
    /// On whose failure the pod is not Ready.
    Readiness,
    /// Before whose success the others do not begin; on its failure the kubelet ends the container.
    Startup,
}

/// What a pod needs to start and does not have, as far as the node says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A ConfigMap or a Secret, or a key of one.
    Object(MissingObject),
    /// A program that the image of the container does not have.
    Program(String),
    /// The permission to execute a file that is there.
    Permission(String),
}

/// A ConfigMap or a Secret that a pod template names and that is not there, or that lacks a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingObject {
    /// `ConfigMap` or `Secret`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The key that the object lacks, where the object itself is there.
    pub key: Option<String>,
    /// The volume that is made of it, where it is one.
    pub volume: Option<String>,
}

impl Obstacle {
    /// The ConfigMap or the Secret that is not there, where that is the matter.
    #[must_use]
    pub fn missing_object(&self) -> Option<&MissingObject> {
        match self.missing.as_deref() {
            Some(Missing::Object(object)) => Some(object),
            _ => None,
        }
    }

    /// The folder that a container could not make because it is there, by its last words.
    #[must_use]
    pub fn folder_that_exists(&self) -> Option<&str> {
        self.log.iter().find_map(|line| {
            let (_, rest) = line.split_once("create directory")?;
            let (folder, rest) = rest.trim_start().split_once("File exists")?;
            let is_around = |c: char| c == ':' || c == ' ' || "'’‘`\"".contains(c);
            rest.trim().is_empty().then(|| folder.trim_matches(is_around))
        })
    }

    /// The link that a container could not make because it is there, by its last words: of `ln` of
    /// busybox, or of GNU, which quotes it.
    #[must_use]
    pub fn link_that_exists(&self) -> Option<&str> {
        self.log.iter().find_map(|line| {
            let link = line.trim().strip_prefix("ln: ")?.strip_suffix(": File exists")?;
            Some(link.rsplit(['\'', '‘', '’']).nth(1).unwrap_or(link))
        })
    }

    /// The file that the kernel could not run for a container, by its last words: `exec /start.sh: no
    /// such file or directory` (runc). The file may be there, and the program that its first line
    /// names not.
    #[must_use]
    pub fn not_executed(&self) -> Option<&str> {
        const ERRORS: [&str; 2] = [": no such file or directory", ": exec format error"];
        let rest = self.log.last()?.trim().strip_prefix("exec ")?;
        let path = ERRORS.iter().find_map(|it| rest.strip_suffix(it))?;
        Some(path).filter(|it| it.starts_with('/'))
    }

    /// The file that may not be executed, where that is the matter.
    #[must_use]
    pub fn forbidden_program(&self) -> Option<&str> {
        match self.missing.as_deref() {
            Some(Missing::Permission(file)) => Some(file),
            _ => None,
        }
    }

    /// An obstacle that no row of the table and no pod decides: the cluster's fault, unless the
    /// caller says otherwise.
    #[must_use]
    pub fn of_no_pod(
        id: &'static str,
        who: impl Into<String>,
        why: impl Into<String>,
        remedy: &'static str,
        evidence: Vec<Seq>,
    ) -> Self {
        Self {
            id,
            who: who.into(),
            ordinal: None,
            fault: Fault::NotTheSubmission,
            why: why.into(),
            effect: Effect::Blocks,
            mistake: None,
            container: None,
            missing: None,
            log: vec![],
            remedy,
            evidence,
        }
    }
}

/// What stands in the way. Found once, in the timeline; every check that cannot be reached names
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The row of the table, or `no_stateful_set` and the like.
    pub id: &'static str,
    /// The object that is stuck.
    pub who: String,
    /// Where a pod is stuck, or missing, the ordinal that it has.
    pub ordinal: Option<i32>,
    /// Whose fault.
    pub fault: Fault,
    /// Why, in words: the cluster's own where it said any.
    pub why: String,
    /// What it means for the steps that follow.
    pub effect: Effect,
    /// The mistake of the catalogue that it is, where there is one.
    pub mistake: Option<&'static Mistake>,
    /// The container that it is about, where it is about one.
    pub container: Option<StuckContainer>,
    /// What the pod needs and does not have, where that is the matter.
    pub missing: Option<Box<Missing>>,
    /// The last lines of the container's log, where it has one.
    pub log: Vec<String>,
    /// What to do about it.
    pub remedy: &'static str,
    /// The lines of the recording that show it.
    pub evidence: Vec<Seq>,
}

#[cfg(test)]
mod tests {
    use super::Obstacle;

    fn says(lines: &[&str]) -> Obstacle {
        let log = lines.iter().map(|it| (*it).to_owned()).collect();
        Obstacle { log, ..Obstacle::of_no_pod("container_ends", "web-0", "", "", vec![]) }
    }

    /// Catches a link that is told with the words around it, by busybox or by GNU.
    #[test]
    fn a_link_that_is_there_is_named() {
        for said in [
            "ln: /data/now: File exists",
            "ln: failed to create symbolic link '/data/now': File exists",
            "ln: failed to create symbolic link ‘/data/now’: File exists",
        ] {
            assert_eq!(says(&["begin", said]).link_that_exists(), Some("/data/now"), "{said}");
        }
        assert_eq!(
            says(&["mkdir: can't create directory '/a': File exists"]).link_that_exists(),
            None
        );
        assert_eq!(says(&["ln: /data/now: Permission denied"]).link_that_exists(), None);
    }

    /// Catches a script whose interpreter is missing that is not known, and what a program says of a
    /// file taken for that.
    #[test]
    fn a_file_that_the_kernel_cannot_run_is_named() {
        let missing = "exec /scripts/start.sh: no such file or directory";
        assert_eq!(says(&[missing]).not_executed(), Some("/scripts/start.sh"));
        let no_line = "exec /scripts/start.sh: exec format error";
        assert_eq!(says(&[no_line]).not_executed(), Some("/scripts/start.sh"));
        assert_eq!(says(&[missing, "later"]).not_executed(), None);
        assert_eq!(says(&["sh: exec: line 1: x: not found"]).not_executed(), None);
        assert_eq!(says(&["exec x: no such file or directory"]).not_executed(), None);
    }
}
