//! How a cause is mended: the lines to change, what to do, and how to see it.

use checks::{
    CHECKS,
    mistakes::{
        self, Renewal, SERVICE_NOT_HEADLESS, TOO_SMALL, WHEN_SCALED_DELETE, WRONG_SERVICE_NAME,
    },
    model::{
        Effect, Fault, Seq, Timeline,
        diagnosis::{self, CONTAINER_ENDS, NAME_TAKEN_BY_OWN_POD},
    },
};

use crate::{
    remedy::{
        change::{Change, Sign},
        commands::{self, CommandFacts, DELETES_DATA, SeeIt, Stuck, Update},
        edit::{self, Edited, Loss},
        harmless,
        script::ScriptNotes,
    },
    report::causes::{Cause, Example, MORE_MAY_SHOW, container_ends, content, look_for, obstacles},
};

/// What to do where the line that names the pod stands in an init container.
const IN_AN_INIT_CONTAINER: &str =
    "Write the host name by an init container, as in the lines below.";
/// Why a container that ends costs the tests, too, that saw its pods Ready.
const NOTHING_STAYS_UP: &str = " Its pods are Ready only for a while, so no test can pass.";
/// What to do where a container writes its name beside its claim.
const WHERE_IT_WRITES: &str = "Mount the PVC where the container writes.";
/// What to do about PVCs that are smaller than those that the set asks for.
const CLAIMS_ARE_EARLIER: &str = "Your file needs no change: its volumeClaimTemplate asks for \
    enough. These PVCs are of an earlier version, and a PVC keeps its size: delete them with the \
    set, and apply it again.";
/// What a remedy ends in that deletes a set whose pods are stuck.
const SET_IS_REPLACED: &str =
    "Pods that are stuck keep the old template: the set is deleted first.";
/// What a remedy ends in that deletes a set whose pods would not follow the change.
const KEEPS_PODS: &str = "By the set's `updateStrategy` (OnDelete, or a `partition`) pods that stand \
    keep the old template: the set is deleted first.";
/// What to do where only pods of an earlier template make the mistake.
const PARTITION_KEEPS: &str = "The pods that show it are of an earlier template, at which the set's \
    `partition` keeps them: take `partition` out of the file, or set it to 0.";
/// The same under `OnDelete`.
const ON_DELETE_KEEPS: &str = "The pods that show it are of an earlier template, at which the set's \
    `updateStrategy` (OnDelete) keeps them until somebody deletes them.";
/// What a remedy ends in that names a Service where none was named.
const SERVICE_NAME_STAYS: &str =
    "`serviceName` cannot be changed in place: the set is deleted first.";
/// What a remedy ends in that makes a Service headless besides.
const SERVICE_IS_REPLACED: &str =
    "`clusterIP` cannot be changed in place: the Service is deleted first.";
/// What the command says that takes the place of another.
const NOTHING_IS_DONE: &str = "`:` does nothing.";
/// What a change says that keeps files by a test, besides what it is made for.
const TESTS_FILE: &str = "`[ -f FILE ] ||` in the lines below keeps a file that is there, which \
    tests 6 and 10 ask for.";
/// What a change says that keeps them by a flag of `tee`.
const TEE_APPENDS: &str = "`tee -a` in the lines below appends to a file that is there, which keeps \
    what tests 6 and 10 ask for.";
/// What a change says that keeps them by a flag of `cp`.
const CP_KEEPS: &str = "`cp -n` in the lines below keeps a file that is there, which tests 6 and 10 \
    ask for.";

/// What a change says that keeps them by appending.
const APPENDS: &str = "`>>` in the lines below appends to a file that is there, which keeps what \
    tests 6 and 10 ask for.";

/// A loss, and what decides how it is mended.
pub(super) struct LossWriter<'l> {
    pub(super) timeline: &'l Timeline,
    /// The pod that the loss is about, where it is about one.
    pub(super) who: Option<&'l str>,
    pub(super) facts: &'l CommandFacts,
    pub(super) loss: Loss<'l>,
}

impl LossWriter<'_> {
    /// Completes a cause: what to change, what to do, and how to see it.
    ///
    /// What the template says about it is told of every cause, the rest where it is the
    /// submission's. `edited`: the manifest after the changes of earlier causes.
    pub(super) fn complete(&self, cause: &mut Cause, edited: &mut Edited) {
        cause.lab = mistakes::find(cause.id).and_then(|it| it.lab);
        let write = self.explain_content(cause);
        if cause.id == CONTAINER_ENDS && cause.tests.len() == CHECKS.len() {
            cause.explanation.push_str(NOTHING_STAYS_UP);
        }
        if cause.fault == Some(Fault::Submission) {
            self.mend(cause, edited);
        }
        if let Some(write) = write {
            cause.remedy = format!("{write} {}", cause.remedy).trim_end().to_owned();
        }
        cause.remedy_alone.clone_from(&cause.remedy);
    }

    fn mend(&self, cause: &mut Cause, edited: &mut Edited) {
        self.change(cause, edited);
        self.tell_of_earlier_template(cause);
        let stuck = self.stuck_pod();
        // A Pod that is only taken out of the file stays in the cluster.
        if self.is_only_missing(cause) || cause.id == NAME_TAKEN_BY_OWN_POD {
            cause.waiting.clone_from(&stuck);
        }
        cause.services = self.services_to_be_headless(cause);
        cause.remedy = self.remedy(cause);
        cause.show(self.see_it(cause, stuck.as_deref()));
    }

    /// Tells that the mistake is one of pods which the update strategy keeps at an earlier template,
    /// where the file that was handed in has no line of it: there is nothing to change in it.
    fn tell_of_earlier_template(&self, cause: &mut Cause) {
        let lines: Vec<Seq> = cause.seen.iter().flat_map(|it| it.evidence.clone()).collect();
        if changes_lines(cause) || !self.timeline.are_of_earlier_template(&lines) {
            return;
        }
        let kept = match self.facts.update {
            Update::OnDelete => ON_DELETE_KEEPS,
            Update::Partitioned | Update::Rolling => PARTITION_KEEPS,
        };
        let is_known = edit::manifest_of_set(self.loss.objects, self.timeline).is_some();
        cause.remedy = if is_known {
            kept.to_owned()
        } else {
            format!("{kept} Where the present template does it, too: {}", cause.remedy)
        };
        cause.example = None;
    }

    /// Tells what in the template explains what was written, and gives what to write instead.
    fn explain_content(&self, cause: &mut Cause) -> Option<String> {
        let Loss { objects, .. } = self.loss;
        let written = edit::written_spec(objects, self.timeline)?;
        let manifest = edit::manifest_of_set(objects, self.timeline);
        let reason = content::reason(cause.id, &written, manifest)?;
        cause.explanation = format!("{} {}", reason.seen, cause.explanation);
        reason.write
    }

    /// The student's own lines, or else lines such as those to look for.
    fn change(&self, cause: &mut Cause, edited: &mut Edited) {
        let Self { timeline, facts, loss, .. } = self;
        let sanitized = |changes: Vec<Change>| changes.into_iter().map(Change::sanitized).collect();
        let alone = Edited::nothing(loss.objects, timeline).mend(loss, timeline);
        cause.changes_alone = sanitized(alone);
        cause.changes = sanitized(edited.mend(loss, timeline));
        if changes_lines(cause) || are_claims_earlier(cause, timeline) {
            cause.example = None;
        } else if let Some(file) = facts.lost_or_written()
            && let Some(mistake) = mistakes::find(cause.id)
        {
            cause.example = Example::of_own_file(mistake, &file).or(cause.example.take());
        }
        look_for::tell(cause, timeline, loss, facts);
    }

    fn remedy(&self, cause: &Cause) -> String {
        let Loss { objects, obstacle, .. } = self.loss;
        let with_change = obstacles::with_change(cause.id).filter(|_| changes_lines(cause));
        let notes = cause.changes.iter().map(|it| it.script_notes);
        let brought_in = notes.fold(ScriptNotes::NONE, ScriptNotes::and);
        let mut remedy = if are_claims_earlier(cause, self.timeline) {
            CLAIMS_ARE_EARLIER.to_owned()
        } else if let Some(words) = with_change {
            format!("{words} {MORE_MAY_SHOW}")
        } else if edit::moved_mount(cause.id, objects, self.timeline).is_some() {
            WHERE_IT_WRITES.to_owned()
        } else if edit::adds_an_init_container(cause.id, objects, self.timeline) {
            IN_AN_INIT_CONTAINER.to_owned()
        } else if let Some(obstacle) = obstacle {
            let written = edit::written_spec(objects, self.timeline);
            let env = self.loss.env_of_stuck();
            let ends =
                container_ends::remedy(obstacle, written.as_ref(), env.as_deref(), brought_in);
            format!("{} {MORE_MAY_SHOW}", ends.as_ref().unwrap_or(&cause.remedy))
        } else {
            cause.remedy.clone()
        };
        let set_goes = self.why_set_goes(cause);
        let notes = [
            (self.deletes_data(cause), DELETES_DATA),
            (set_goes.is_some(), set_goes.unwrap_or_default()),
            (self.is_a_service_replaced(cause), SERVICE_IS_REPLACED),
            (brought_in.has_no_op, NOTHING_IS_DONE),
            (brought_in.has_file_test, TESTS_FILE),
            (brought_in.has_tee_flag, TEE_APPENDS),
            (brought_in.has_cp_flag, CP_KEEPS),
            (brought_in.has_append, APPENDS),
        ];
        for (_, note) in notes.iter().filter(|(is_told, _)| *is_told) {
            remedy = format!("{remedy} {note}");
        }
        if cause.id == diagnosis::NO_STATEFUL_SET && self.facts.files.is_empty() {
            // Not every format prints the commands.
            let grade = commands::grade(self.facts, commands::UNKNOWN_FILE);
            remedy = format!("{remedy} If `kubectl apply` refused your file, `{grade}` says why.");
        }
        remedy
    }

    /// Why the set must be deleted, where the words of a mistake do not say it.
    fn why_set_goes(&self, cause: &Cause) -> Option<&'static str> {
        let mending = cause.mending();
        if !mending.deletes_set_alone(self.facts) {
            None
        } else if mending.keeps_pods(self.facts) {
            Some(KEEPS_PODS)
        } else if commands::lacks_service_name(cause.id, self.facts) {
            Some(SERVICE_NAME_STAYS)
        } else {
            self.loss.obstacle.map(|_| SET_IS_REPLACED)
        }
    }

    /// Whether a Service must be deleted though the mistake is another one.
    fn is_a_service_replaced(&self, cause: &Cause) -> bool {
        !cause.services.is_empty()
            && !self.facts.is_removed()
            && diagnosis::renewal(cause.id) != Renewal::RecreateService
    }

    /// The Services that stand with an address, and have none after the changes.
    fn services_to_be_headless(&self, cause: &Cause) -> Vec<String> {
        let is_made_headless = |it: &&Change| {
            let mut added = it.lines.iter().filter(|line| line.sign == Sign::Added);
            !it.is_new_document()
                && added.any(|line| line.text.contains("clusterIP") && line.text.contains("None"))
        };
        let named = |it: &Change| harmless(it.object.strip_prefix("Service ")?);
        let stands = |name: &String| {
            self.timeline.service(name).is_some_and(|service| !service.is_headless())
        };
        let changes = cause.changes_alone.iter().filter(is_made_headless);
        changes.filter_map(named).filter(stands).collect()
    }

    /// Whether claims must be deleted that may have data on them. One that is Pending has no volume.
    fn deletes_data(&self, cause: &Cause) -> bool {
        let has_volume = |name: &String| {
            let life = self.timeline.claim(name).last();
            life.is_some_and(|it| it.claim.status.phase != "Pending")
        };
        cause.mending().deletes_claims(self.facts) && self.facts.claims.iter().any(has_volume)
    }

    /// The pod that is stuck. One that ends again and again does so in every pod that is made again,
    /// and is one of them though its name may be another's by now.
    fn stuck_pod(&self) -> Option<String> {
        let pod = harmless(&self.loss.obstacle?.who)?;
        (self.who.is_some() || self.ending_container().is_some()).then_some(pod)
    }

    /// The container that ends again and again.
    fn ending_container(&self) -> Option<String> {
        let obstacle = self.loss.obstacle.filter(|it| it.effect == Effect::CrashLoop)?;
        harmless(&obstacle.container.as_ref()?.name)
    }

    /// Whether the container ends because its hook fails, whose words are in no log.
    fn has_failing_hook(&self) -> bool {
        let stuck = self.loss.obstacle.and_then(|it| it.container.as_ref());
        stuck.is_some_and(|it| it.failing_hook.is_some())
    }

    /// Whether a pod only waits for a ConfigMap or a Secret: to create it, or to correct a name that
    /// cannot be known, needs no other set.
    fn is_only_missing(&self, cause: &Cause) -> bool {
        self.loss.obstacle.is_some_and(|it| it.missing_object().is_some())
            && cause.changes.iter().all(|it| it.is_to_look_at() || it.is_new_document())
    }

    fn see_it(&self, cause: &Cause, stuck: Option<&str>) -> SeeIt {
        if cause.id == WHEN_SCALED_DELETE.id {
            // To scale it down would delete the student's data.
            return commands::see_retention(self.facts);
        }
        let first = cause.tests.first().copied().unwrap_or_default();
        // Of one that is misnamed no name answers, before the change or after it; of one that is not
        // headless the pods' names do.
        let is_other = [WRONG_SERVICE_NAME.id, SERVICE_NOT_HEADLESS.id].contains(&cause.id);
        let service = self.facts.service.clone().filter(|_| !is_other);
        let gets_another = edit::adds_an_init_container(cause.id, self.loss.objects, self.timeline);
        let has_other_containers = self.facts.has_other_containers || gets_another;
        let mount_path = edit::moved_mount(cause.id, self.loss.objects, self.timeline)
            .and_then(|it| harmless(&it))
            .or_else(|| self.facts.mount_path.clone());
        let facts =
            CommandFacts { service, has_other_containers, mount_path, ..self.facts.clone() };
        let ends = self.ending_container().filter(|_| !self.has_failing_hook());
        let stuck = stuck.map(|pod| Stuck { pod, ends: ends.as_deref() });
        commands::see(first, stuck.as_ref(), &facts)
    }
}

/// Whether lines of the manifest change.
fn changes_lines(cause: &Cause) -> bool {
    cause.changes_alone.iter().any(|it| !it.is_to_look_at())
}

/// Whether PVCs are too small that are none of the set's as it is now: nothing in it is to change.
fn are_claims_earlier(cause: &Cause, timeline: &Timeline) -> bool {
    cause.id == TOO_SMALL.id && !changes_lines(cause) && edit::asks_for_enough(timeline)
}
