//! What a line of the recording holds: our own small structs with Kubernetes' field names.
//!
//! The structs are an allowlist. A field that is not here is never recorded: no value of a variable,
//! no Secret, and of annotations only those that name the provisioner of a PVC. They are read
//! straight from the API server's answers, and written to the recording as they stand, so that
//! redaction, size and a stable format are one thing. A `rename` keeps the word that recordings have
//! had from the first version on.

pub(crate) mod line;
pub mod object;
pub mod sub_path;
pub(crate) mod version;
pub mod when;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::observation::object::Object;

/// Position of a line in the recording, dense from 1 (the header has none).
pub type Seq = u64;

/// The line of an observation in the recording's file, as reports tell it: counted from 1, and the
/// header is the first.
#[must_use]
pub const fn line_of(seq: Seq) -> u64 {
    seq.saturating_add(1)
}

/// One line of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Dense number of the line.
    pub seq: Seq,
    /// Monotonic nanoseconds since the recording began.
    pub at: u64,
    /// The fact.
    pub what: Fact,
}

/// The fact that a line holds.
#[expect(clippy::large_enum_variant, reason = "one line is held at a time")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Which StatefulSet is graded, or that there is none.
    Subject(Subject),
    /// An object as a list or a watch showed it.
    Object(ObjectChange, Object),
    /// Some changes of one kind may have been missed.
    Gap(Gap),
    /// The grader begins or ends a step of its tour.
    Step(Step),
    /// Files were read from one claim of one pod.
    Read(Read),
    /// A canary was written or looked for.
    Canary(CanaryVisit),
    /// A name was asked of the cluster's DNS.
    Lookup(Lookup),
    /// What the grader asked for beside the watches.
    Inquiry(Inquiry),
    /// The judged part of the recording ends here.
    End(End),
    /// Who recorded what stands before it.
    Signature(Signature),
    /// Written by a newer minor version: skipped, and counted.
    Unknown,
}

/// Follows the judged part where the recorder holds a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Signature {
    /// HMAC-SHA256 (RFC 2104) of the judged part's digest, in hexadecimal.
    pub hmac_sha256: String,
}

/// Which StatefulSet is graded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Subject {
    /// The namespace that is graded.
    pub namespace: String,
    /// The set, or `None` where the namespace holds none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stateful_set: Option<Reference>,
    /// Other workloads that stand in the namespace (`Deployment web`), which may be what the
    /// student built instead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// The namespace itself does not exist.
    #[serde(skip_serializing_if = "is_false")]
    pub no_namespace: bool,
}

/// An object by name and UID.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Reference {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
}

/// How an object came to be seen: in a list, or by a watch event of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum ObjectChange {
    /// In a list: it exists, since when is not known.
    Listed,
    /// By the watch: it was created just now.
    Added,
    /// By the watch: it was changed just now.
    Modified,
    /// By the watch: it went away just now.
    Deleted,
}

/// The kinds that are watched, each a stream of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Kind {
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `v1` Pod.
    Pod,
    /// `v1` PersistentVolumeClaim.
    PersistentVolumeClaim,
    /// `v1` Service.
    Service,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `v1` Event.
    Event,
}

impl Kind {
    /// Every watched kind.
    pub const ALL: [Self; 6] = [
        Self::StatefulSet,
        Self::Pod,
        Self::PersistentVolumeClaim,
        Self::Service,
        Self::EndpointSlice,
        Self::Event,
    ];
}

/// A break in one kind's stream. The list that follows it is recorded as `listed` lines.
///
/// It is written after the new list was fetched and before its lines, so `vanished` is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// Whose stream broke.
    pub kind: Kind,
    /// What the API server said.
    pub reason: String,
    /// The last line of this kind that is sure to have been seen in order; absent when there was
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sure: Option<Seq>,
    /// UIDs that were known before the gap and are not in the list after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vanished: Vec<String>,
}

/// Begin or end of one step of the tour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Which step.
    pub name: StepName,
    /// Begin, or how it ended.
    pub phase: Phase,
    /// What the grader asks of the cluster in this step.
    #[serde(rename = "asked", default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<RequestedChange>,
    /// The API's answer, or what was still awaited when it ended without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Somebody else's change ended it: of the set, or of a pod or a PVC of it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub interfered: bool,
    /// What was asked in it got no answer: nobody knows whether it was carried out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unanswered: bool,
    /// At the end of `apply`: the Pod Security level that the namespace has from a grader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_security: Option<String>,
    /// At the end of `apply`: the objects of the manifests that were applied, each as `kind/name`
    /// with the kind in lower case: `pod/web-0`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<String>,
}

impl Step {
    /// The begin or end of a step of which nothing more is to be said.
    #[must_use]
    pub const fn new(name: StepName, phase: Phase) -> Self {
        Self {
            name,
            phase,
            requested: None,
            answer: None,
            interfered: false,
            unanswered: false,
            pod_security: None,
            applied: vec![],
        }
    }
}

/// The steps of the tour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum StepName {
    /// Apply the manifests (with `-f`).
    Apply,
    /// Wait until the set is settled: all replicas Ready, no pod too many.
    #[serde(rename = "observe")]
    WaitUntilSettled,
    /// Read files, ask DNS, write canaries.
    Inspect,
    /// Delete one pod and wait for its successor.
    Replace,
    /// Add pods.
    ScaleUp,
    /// Remove pods.
    ScaleDown,
    /// Bring the removed pods back.
    #[serde(rename = "restart")]
    ScaleBack,
    /// Put everything back as it was found.
    Restore,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// It begins; what is asked is about to be sent.
    Begin,
    /// What was awaited came.
    Done,
    /// An obstacle ended it: waiting on would not help.
    Stuck,
    /// Its time ran out.
    TimedOut,
    /// The API server refused what was asked, or somebody else's change ended it.
    Refused,
    /// It was interrupted.
    Interrupted,
}

/// A change that the grader asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum RequestedChange {
    /// `spec.replicas` of the graded set, through the `scale` subresource.
    Replicas(i32),
    /// Deletion of a pod, by UID.
    Delete(Reference),
}

/// The files that one pod saw on one claim at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Read {
    /// In which pod.
    pub pod: Reference,
    /// In which of its containers.
    pub container: String,
    /// The claim's name.
    pub claim: String,
    /// Where the claim is mounted in that container.
    pub mount_path: String,
    /// When the reading began, in nanoseconds since the recording began (`at` is when it ended).
    pub began: u64,
    /// Regular files below the mount, the canary among them left out.
    pub files: Vec<File>,
    /// Folders that hold nothing, relative to the mount.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<String>,
    /// Every file below the mount was searched for what names pods; what was found is in
    /// `File::holds`.
    #[serde(skip_serializing_if = "is_false")]
    pub searched: bool,
    /// How many files there were that are not in `files`, or whose content is not (bounds reached).
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// Why nothing could be read; `files` is then empty and says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How it begins what a recording says of a command that was not done in its time.
pub const NOT_DONE: &str = "not done within";
/// How many digits [`File::blocks`] holds of each digest.
pub const BLOCK_DIGITS: usize = 8;
/// Why there is no content of a file that was not read for want of room, in [`File::without`].
pub const LEFT_OUT: &str = "left out";

/// A time that a file can have; what lies more than 30,000 years away is none.
fn file_time<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    const FARTHEST_SECONDS: u64 = 1 << 40;
    let time = Option::<i64>::deserialize(from)?;
    Ok(time.filter(|it| it.unsigned_abs() <= FARTHEST_SECONDS))
}

/// One regular file on a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct File {
    /// Path relative to the mount.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Modification time in seconds since the epoch by the node's clock, where the image can tell.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "file_time")]
    pub mtime: Option<i64>,
    /// The text, up to the cap; absent for binary, unreadable and left-out files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The content goes on after what is kept.
    #[serde(skip_serializing_if = "is_false")]
    pub cut: bool,
    /// Why there is no content: `binary`, `unreadable`, `left out`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without: Option<String>,
    /// `sha256:…` of the bytes that were kept (binary ones too).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Of a binary file: eight digits of the digest of each 64 bytes that were kept.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub blocks: String,
    /// What names pods and was found in the whole file, by a search in the container.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
}

/// What was done with the grader's own file on a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct CanaryVisit {
    /// Through which pod.
    pub pod: Reference,
    /// On which claim.
    pub claim: String,
    /// The canary that was written, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrote: Option<CanaryFile>,
    /// All the canaries that were seen on the claim, when they were looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saw: Option<Vec<CanaryFile>>,
    /// By canary's file name: its inode and when that was last changed, where the image can tell. A
    /// copy has others.
    #[serde(rename = "marks", skip_serializing_if = "BTreeMap::is_empty")]
    pub inodes: BTreeMap<String, String>,
    /// Why it could not be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A canary: a file with a random name and content, which names the pod that it was written for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CanaryFile {
    /// The file's name.
    pub file: String,
    /// Its content.
    #[serde(rename = "token")]
    pub content: String,
}

/// One question to the cluster's DNS server and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Lookup {
    /// The full name, with its trailing dot.
    pub name: String,
    /// The pod whose name was asked; absent for the Service's own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<Reference>,
    /// The Service whose records are asked for.
    pub service: String,
    /// From which pod it was asked.
    pub from: Reference,
    /// Which server was asked; absent where only the pod's own resolver could be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// By what means: `nslookup`, `getent`, …
    pub by: String,
    /// When the asking began, in nanoseconds since the recording began.
    pub began: u64,
    /// The addresses in the answer, sorted.
    pub addresses: Vec<String>,
    /// The server's refusal (`NXDOMAIN`); the name does not resolve now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why the lookup says nothing about the name: it was not asked, not answered, or not answered
    /// with addresses.
    #[serde(rename = "unasked", skip_serializing_if = "Option::is_none")]
    pub undecided: Option<String>,
    /// Where it could not be asked: the NetworkPolicies of the namespace, by name, that let the
    /// asking pod reach no DNS server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied_by: Vec<String>,
}

/// Nanoseconds in a second: the recording's times are nanoseconds since it began.
pub(crate) const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// What a server answers about a name that does not exist, in [`Lookup::error`].
pub const NO_SUCH_NAME: &str = "NXDOMAIN";
/// What is recorded where a server knows the name and gives no address, in [`Lookup::error`].
pub const NO_ADDRESS: &str = "no address";

/// What [`Lookup::error`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// The server answered that there is no such name.
    NoSuchName,
    /// The server answered, and the name has no address.
    NoAddress,
    /// The server did not really answer, or the tool did not really ask: it says nothing about the
    /// name.
    Trouble,
}

impl Lookup {
    /// What its error says, if it has one.
    #[must_use]
    pub fn failure(&self) -> Option<LookupError> {
        let error = self.error.as_deref()?;
        Some(if error.contains(NO_SUCH_NAME) {
            LookupError::NoSuchName
        } else if error.contains(NO_ADDRESS) {
            LookupError::NoAddress
        } else {
            LookupError::Trouble
        })
    }
}

/// What the grader asked for beside the watches, such as why something is stuck, and what it could
/// not ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Inquiry {
    /// The last lines that a container wrote.
    #[serde(rename_all = "camelCase")]
    Logs {
        /// Whose.
        pod: Reference,
        /// Of which container.
        container: String,
        /// From the container's previous start (it has ended), not the one that runs.
        previous: bool,
        /// At most 20 lines, each cut at 300 characters.
        lines: Vec<String>,
    },
    /// The StorageClasses of the cluster, where they may be read.
    #[serde(rename_all = "camelCase")]
    StorageClasses {
        /// Each class's name, and whether it is the default one.
        classes: Vec<StorageClass>,
    },
    /// Where words come from that a pod's files still hold, although they were written anew.
    #[serde(rename_all = "camelCase")]
    Surroundings {
        /// Whose.
        pod: Reference,
        /// In which container it was looked for.
        container: String,
        /// By word: whether it is there outside of the pod's claims as well, so that each start can
        /// write it again: in the environment, in a file of a ConfigMap, in what `ls -i` and `df`
        /// say.
        words: BTreeMap<String, Given>,
    },
    /// The API server refused a manifest for its own content: nothing else is judged.
    ManifestRefused(Refusal),
    /// Something could not be asked, and why.
    #[serde(rename_all = "camelCase")]
    Unavailable {
        /// What was asked for.
        what: String,
        /// Why it is not known.
        why: String,
    },
}

/// Whether the surroundings of a pod give a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Given {
    /// They do.
    Yes,
    /// They give a number near it, of those that change all the time: the free space of a disk.
    Nearly,
    /// They do not.
    No,
}

/// What is wrong in a manifest, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Refusal {
    /// What failed and why, in one line, without a full stop.
    pub what: String,
    /// What to do next, a sentence.
    pub next: String,
    /// More on why, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// The file of the submission in which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The document of that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<usize>,
    /// The line of that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The field of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// A StorageClass, as far as it explains a Pending claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct StorageClass {
    /// `metadata.name`.
    pub name: String,
    /// Marked as the default class.
    pub is_default: bool,
}

/// Why the judged part ends, and what it cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct End {
    /// Why.
    pub why: EndReason,
    /// More on it, for the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// API requests made so far, watches included.
    pub requests: u64,
    /// Watch events received so far.
    pub watch_events: u64,
    /// Milliseconds since the recording began.
    pub wall_ms: u64,
}

/// Why a recording ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum EndReason {
    /// All that was planned was done.
    #[default]
    Complete,
    /// Somebody stopped it.
    Interrupted,
    /// The whole time ran out.
    Timeout,
    /// An obstacle stood in the way.
    Obstacle,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(b: &bool) -> bool {
    !*b
}
