//! Removing the canaries, the files that a grade writes on the claims.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use checks::model::{Fault, Obstacle, PodLife, Timeline, WaitStatus, observation::Reference};
use futures::future::join_all;

use crate::cluster::{
    Cluster, WaitResult,
    budget::StepBudget,
    exec::{
        ExecTarget,
        ephemeral::ProbeContainers,
        error::ExecError,
        exec,
        mounts::{ClaimView, MountWalk, reference},
        random_word, records, script,
    },
    restore::{EXEC_TIMEOUT, Restorer, restore_point::RestorePoint},
};
use crate::plan::EXTRA_PODS;

/// How long removing one pod's canaries is tried again.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(120);
/// For each pod to come up of a set whose pods were seen to fail: they hardly will.
const FAILED_POD_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that files are removed before the replicas are put back.
const TERMINATING_POD_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two tries.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Canaries that are left in a pod, or may be.
pub(crate) struct LeftFiles {
    /// Which, in words.
    pub(super) what: String,
    /// Why they could not be looked for.
    why: Option<ExecError>,
}

impl LeftFiles {
    const fn named(what: String) -> Self {
        Self { what, why: None }
    }

    fn perhaps(pod: &Reference, why: &ExecError) -> Self {
        Self {
            what: format!("perhaps files named .stsgrade-… in pod {}: {why}", pod.name),
            why: Some(why.clone()),
        }
    }

    /// Looking again tells nothing else. An image that was not pulled in time may be soon.
    const fn is_final(&self) -> bool {
        use ExecError::{Forbidden, NoProbe, NoShell};
        matches!(self.why, Some(NoShell | Forbidden | NoProbe(_)))
    }

    fn is_forbidden(&self) -> bool {
        self.why == Some(ExecError::Forbidden)
    }
}

impl Restorer<'_> {
    /// Removes the canaries of all pods that the set has now and that a grade can have written to:
    /// those as found and those that it adds. What is left of them.
    ///
    /// A pod that the submission itself keeps from coming up keeps its files: `not_restorable` tells,
    /// because restoring again could do no more.
    pub(super) async fn remove_all_canaries(
        &self,
        point: &RestorePoint,
        replicas: i32,
        not_restorable: &mut Vec<String>,
    ) -> Vec<String> {
        let Some(budget) =
            self.journal.with(|timeline| timeline.set().map(|set| StepBudget::of(&set.spec)))
        else {
            return vec![];
        };
        let start = self.journal.with(Timeline::start);
        // A grade has written to no more, whatever somebody has asked for since.
        let most = replicas.min(point.replicas.saturating_add(EXTRA_PODS));
        let ordinals = start..start.saturating_add(most);
        let failed = self.journal.judged(|timeline| fault_of_pods(timeline, &ordinals));
        let ours = |ordinal: &i32| {
            self.with_canaries.as_ref().is_none_or(|with_canaries| {
                with_canaries.contains(&format!("{}-{ordinal}", point.set))
            })
        };
        // They come up one after the other.
        let time_to_come_up = |count: i32| {
            if failed.is_some() {
                FAILED_POD_TIMEOUT * count.unsigned_abs()
            } else {
                budget.scale_up(count)
            }
        };
        let pods = ordinals.filter(ours).map(async |ordinal| {
            (
                ordinal,
                self.remove_canaries_of(
                    point,
                    ordinal,
                    start,
                    time_to_come_up(ordinal - start + 1),
                )
                .await,
            )
        });
        let mut left = vec![];
        for (ordinal, outcome) in join_all(pods).await {
            let absent = format!(
                "perhaps files named .stsgrade-… on the PVCs of {}-{ordinal}, which does not \
                come up",
                point.set
            );
            match outcome {
                Ok(files) => {
                    // Nobody knows whether the grade that ended could do what this account may not.
                    let is_told =
                        |it: &LeftFiles| it.is_forbidden() && self.with_canaries.is_none();
                    let (told, others): (Vec<_>, Vec<_>) = files.into_iter().partition(is_told);
                    not_restorable.extend(
                        told.into_iter()
                            .map(|it| format!("{}; the next grade removes them", it.what)),
                    );
                    left.extend(others.into_iter().map(|it| it.what));
                }
                Err(fault) if fault.or(failed) == Some(Fault::Submission) => {
                    not_restorable.push(format!("{absent}; the next grade removes them"))
                }
                Err(_) => left.push(absent),
            }
        }
        left
    }

    /// Removes our files from the claims that stay though their pods are about to go, or are gone:
    /// that can be done only while those run. What is left of them.
    pub(super) async fn remove_canaries_before_they_go(
        &self,
        point: &RestorePoint,
        caused: &[Reference],
    ) -> Vec<String> {
        let keeps_a_claim = |pod: &PodLife| {
            pod.claims().iter().any(|(_, name)| !caused.iter().any(|it| it.name == *name))
        };
        let is_written = |pod: &PodLife| {
            self.with_canaries.as_ref().is_none_or(|names| names.contains(pod.name()))
        };
        let pods: Vec<(Reference, Vec<ClaimView>)> = self.journal.with(|timeline| {
            let added = point.added_ordinals(timeline.start());
            let going = timeline.owned().filter(|pod| {
                added.contains(&pod.ordinal)
                    && pod.is_ready()
                    && is_written(pod)
                    && keeps_a_claim(pod)
            });
            going.map(|pod| (reference(pod), ClaimView::of(pod))).collect()
        });
        let removals = pods.into_iter().map(async |(pod, mounted)| {
            let removal = remove_canaries(self.cluster, self.probe, &pod, mounted);
            match tokio::time::timeout(TERMINATING_POD_TIMEOUT, removal).await {
                Ok(left) => left.into_iter().map(|it| it.what).collect(),
                Err(_) => vec![format!("perhaps files named .stsgrade-… in pod {}", pod.name)],
            }
        });
        let mut left: Vec<String> = join_all(removals).await.concat();
        left.extend(
            self.journal.with(|timeline| self.canaries_of_gone_added_pods(timeline, point)),
        );
        left
    }

    /// Our files on claims that stood before, and whose pods of the tour are gone already.
    fn canaries_of_gone_added_pods(
        &self,
        timeline: &Timeline,
        point: &RestorePoint,
    ) -> Vec<String> {
        let mut found = vec![];
        for ordinal in point.added_ordinals(timeline.start()) {
            let name = format!("{}-{ordinal}", point.set);
            let is_written = self.with_canaries.as_ref().is_some_and(|it| it.contains(&name));
            if !is_written || timeline.live(ordinal).is_some() {
                continue;
            }
            let mut claims = timeline.claim_names(ordinal);
            claims.retain(|it| point.claims.contains(it));
            found.extend(claims.iter().map(|it| {
                format!("files named .stsgrade-… on PVC {it}, which stood before the grade")
            }));
        }
        found
    }

    /// Our files on the claims of pods that somebody has scaled away. `replicas`: those that the set
    /// has now.
    pub(super) fn canaries_of_pods_scaled_away(
        &self,
        timeline: &Timeline,
        point: &RestorePoint,
        replicas: i32,
    ) -> Vec<String> {
        let start = timeline.start();
        let gone = start.saturating_add(replicas)..start.saturating_add(point.replicas);
        let is_written = |ordinal: &i32| {
            let name = format!("{}-{ordinal}", point.set);
            self.with_canaries.as_ref().is_none_or(|it| it.contains(&name))
        };
        let claims = gone.filter(is_written).flat_map(|ordinal| timeline.claim_names(ordinal));
        let standing = claims
            .filter(|name| timeline.claim(name).last().is_some_and(|it| it.deleted.is_none()));
        let told = "the next grade that gives it a pod removes them";
        standing.map(|it| format!("perhaps files named .stsgrade-… on PVC {it}: {told}")).collect()
    }

    /// Removes our files from the claims of one pod, once it is Ready; what is left of them, or
    /// whose fault it is that the pod does not come up, if anybody knows.
    async fn remove_canaries_of(
        &self,
        point: &RestorePoint,
        ordinal: i32,
        start: i32,
        budget: Duration,
    ) -> Result<Vec<LeftFiles>, Option<Fault>> {
        let ready = |timeline: &Timeline| match timeline.live(ordinal).filter(|pod| pod.is_ready())
        {
            Some(_) => WaitStatus::Done,
            None => match timeline.awaits_scale_up(ordinal - start + 1) {
                WaitStatus::Done => WaitStatus::Awaited("a pod".to_owned()),
                other => other,
            },
        };
        let began = Instant::now();
        loop {
            match self.journal.wait_quietly(budget, ready).await {
                WaitResult::Done => {}
                WaitResult::Stuck(obstacle) => return Err(Some(obstacle.fault)),
                WaitResult::TimedOut { .. } => return Err(None),
            }
            let Some((pod, mounted)) = self.journal.with(|timeline| {
                timeline.live(ordinal).map(|pod| (reference(pod), ClaimView::of(pod)))
            }) else {
                continue;
            };
            let mut left = remove_canaries(self.cluster, self.probe, &pod, mounted).await;
            // Without a shell there was none to write with either, but for a container of our own.
            left.retain(|it| point.probed || it.why != Some(ExecError::NoShell));
            // A connection that was reset, a pod that was replaced at that moment: nobody else will
            // do it.
            let is_final = left.iter().all(LeftFiles::is_final);
            if is_final || began.elapsed() >= REMOVAL_TIMEOUT || self.lease.loss().is_some() {
                return Ok(left);
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

/// Whose fault it is that a pod of these ordinals was seen not to come up, if one was: pods of a set
/// that fails will hardly come up now. Where the grade was ended, by whomever, nothing is the matter
/// with them.
fn fault_of_pods(timeline: &Timeline, ordinals: &Range<i32>) -> Option<Fault> {
    let is_of_them = |it: &&Obstacle| it.ordinal.is_some_and(|ordinal| ordinals.contains(&ordinal));
    timeline.obstacles().iter().find(is_of_them).map(|it| it.fault)
}

/// Removes our files from one pod's claims, by a container of our own where there is no shell; what
/// is left of them.
pub(crate) async fn remove_canaries(
    cluster: &Cluster,
    probe: Option<&ProbeContainers<'_>>,
    pod: &Reference,
    mounted: Vec<ClaimView>,
) -> Vec<LeftFiles> {
    let mut left = vec![];
    let mut walk = MountWalk::new(mounted, probe.is_some());
    while let Some((container, mounts)) = walk.next() {
        let removed = remove(cluster, pod, &container, &mounts).await;
        if !walk.finish(&container, &mounts, removed.as_ref().err()) {
            continue;
        }
        match removed {
            Ok(files) => left.extend(files.into_iter().map(LeftFiles::named)),
            Err(why) => left.push(LeftFiles::perhaps(pod, &why)),
        }
    }
    let closed = walk.for_ephemeral();
    let Some(probe) = probe.filter(|_| !closed.is_empty()) else { return left };
    match probe.start(pod, &closed).await {
        Ok(ephemeral) => {
            match remove(cluster, pod, ephemeral.container(), &closed).await {
                Ok(files) => left.extend(files.into_iter().map(LeftFiles::named)),
                Err(why) => left.push(LeftFiles::perhaps(pod, &why)),
            }
            probe.stop(ephemeral).await;
        }
        Err(why) => left.push(LeftFiles::perhaps(pod, &why)),
    }
    left
}

/// The canaries that would not go.
async fn remove(
    cluster: &Cluster,
    pod: &Reference,
    container: &str,
    mounts: &[ClaimView],
) -> Result<Vec<String>, ExecError> {
    let word = random_word()?;
    let paths = mounts.iter().map(|it| it.path.clone());
    let command = script(include_str!("restore.sh"), [word.clone()].into_iter().chain(paths));
    let output =
        exec(cluster, ExecTarget { pod: &pod.name, container }, &command, EXEC_TIMEOUT).await?;
    let records = records(&output.stdout, &word);
    if !records.iter().any(|(key, _)| *key == "end") {
        return Err(ExecError::Other("the answer was cut off".to_owned()));
    }
    let left = records.iter().filter(|(key, _)| *key == "left");
    Ok(left
        .map(|(_, file)| format!("{} in pod {}", String::from_utf8_lossy(file), pod.name))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use checks::model::Fault;

    use super::{LeftFiles, fault_of_pods};
    use crate::{
        cluster::exec::error::ExecError,
        recording::{Reader, fold},
    };

    /// Catches a grade that was interrupted, or ran out of time, and gives up on pods that come up a
    /// bit later, as if they were seen to fail.
    #[test]
    fn only_pods_that_were_seen_to_fail_are_given_up_soon() {
        let fault = |fixture: &str, end: &str, by: &str| {
            let path = format!("{}/fixtures/{fixture}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path + "/recording.jsonl").unwrap();
            let (end, by) =
                (format!("\"end\":{{\"why\":\"{end}\""), format!("\"end\":{{\"why\":\"{by}\""));
            assert!(text.contains(&end), "{fixture}");
            let recording = Cursor::new(text.replace(&end, &by).into_bytes());
            let reader = Reader::from(Box::new(recording), "it").unwrap();
            fault_of_pods(&fold(reader).unwrap().timeline, &(0..3))
        };
        assert_eq!(fault("pass/append", "complete", "interrupted"), None);
        assert_eq!(fault("pass/append", "complete", "timeout"), None);
        let failing = "fail/container_ends/ends_after_25_seconds";
        assert_eq!(fault(failing, "obstacle", "obstacle"), Some(Fault::Submission));
        // A policy refused the fourth pod.
        assert_eq!(fault("pass/policy_of_three_pods", "obstacle", "interrupted"), None);
    }

    /// Catches canaries that stay because the probe image was not pulled at once.
    #[test]
    fn a_pull_that_failed_is_not_the_last_try() {
        let left = |why: ExecError| LeftFiles { what: String::new(), why: Some(why) };
        assert!(!left(ExecError::NoProbeYet("ErrImagePull".to_owned())).is_final());
        assert!(left(ExecError::NoProbe("InvalidImageName".to_owned())).is_final());
        assert!(left(ExecError::Forbidden).is_final());
        assert!(!LeftFiles::named("a file".to_owned()).is_final());
    }
}
