//! Each pod has a claim of its own, with a predictable name.

use std::collections::BTreeMap;

use crate::{
    Check,
    mistakes::{self, Section},
    model::{
        ClaimLife, PodLife, Seq, SetLife, ShownBy, Standing, Timeline, Verdict, lab, quantity,
    },
};

pub(crate) const CHECK: Check = Check {
    id: "persistent_storage",
    test: 3,
    title: "Persistent Storage",
    lab_words: "Each pod has its own PVC with a predictable name pattern. Each pod must have its \
        own persistent volume (at least 50Mi).",
    why: "Data that belongs to one member must follow that member, and no other.",
    remedy: "Add `volumeClaimTemplates` with `storage: 50Mi` or more, and mount the template's \
        volume in the container.",
    read: &[Section::PersistentStorage],
    points: 10,
    criteria: &["own_claim", "own_volume", "not_shared", "size"],
    shown_by: ShownBy::ReadyPods,
    judge,
};

/// Passes when each pod mounts a claim made for it from a template, each of these is Bound to a
/// volume of its own and shows no other pod's files, and of each pod at least one requests 50Mi or
/// more.
fn judge(timeline: &Timeline) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(set) = timeline.set().filter(|_| !timeline.ordinals().is_empty()) else {
        verdict.push(
            "own_claim",
            "each pod has its own PVC",
            timeline.blocked_or_not_shown("apply a StatefulSet with volumeClaimTemplates"),
            [],
        );
        return verdict;
    };
    let mut volumes: BTreeMap<&str, String> = BTreeMap::new();
    for ordinal in timeline.ordinals() {
        let name = set.pod_name(ordinal);
        let Some(pod) = timeline.representative(ordinal).filter(|pod| pod.ready.is_some()) else {
            verdict.push(
                "own_claim",
                format!("{name} has its own PVC"),
                timeline.blocked_or_not_shown("wait until all pods are Ready"),
                [],
            );
            continue;
        };
        let claims = own_claims(timeline, &mut verdict, set, pod);
        judge_size(timeline, &mut verdict, pod, &claims);
        for claim in &claims {
            let Some(life) = timeline.claim(claim).last() else {
                let text = format!("PVC {claim} is Bound to a volume of its own");
                verdict.push(
                    "own_volume",
                    text,
                    Standing::unseen(format!("PVC {claim} was not seen")),
                    [pod.added.by],
                );
                continue;
            };
            judge_volume(timeline, &mut verdict, pod, life, &mut volumes);
            judge_foreign_canary(timeline, &mut verdict, pod, claim, life.added.by);
        }
    }
    verdict
}

/// The claims of the pod that were made for it from the set's templates.
fn own_claims(
    timeline: &Timeline,
    verdict: &mut Verdict,
    set: &SetLife,
    pod: &PodLife,
) -> Vec<String> {
    let mounted: Vec<String> = pod.claims().into_iter().map(|(_, claim)| claim).collect();
    let own: Vec<String> = set.claim_names(pod.name()).filter(|it| mounted.contains(it)).collect();
    let expected = format!("{} mounts its own PVC from volumeClaimTemplates", pod.name());
    let is_ephemeral = mounted.first().is_some_and(|it| pod.is_ephemeral_claim(it));
    let standing = match (own.is_empty(), mounted.first()) {
        (false, _) => Standing::Met,
        (true, Some(other)) if is_ephemeral => Standing::broken(
            &expected,
            format!("it mounts PVC {other}, which is made and deleted with the pod"),
        ),
        (true, Some(other)) => Standing::broken(
            &expected,
            format!("it mounts PVC {other}, which was not made for it alone"),
        ),
        (true, None) => Standing::broken(&expected, "it mounts no PVC"),
    };
    let mistake = match mounted.first() {
        None => timeline.unclaimed_mistake(pod),
        Some(_) if is_ephemeral => &mistakes::EPHEMERAL_VOLUME,
        Some(_) => &mistakes::SHARED_CLAIM,
    };
    verdict.push("own_claim", expected.clone(), standing, [pod.added.by]).because(mistake);
    own
}

fn judge_size(timeline: &Timeline, verdict: &mut Verdict, pod: &PodLife, claims: &[String]) {
    let lives = || claims.iter().filter_map(|it| timeline.claim(it).last());
    let requests: Vec<&str> = lives().filter_map(ClaimLife::requested_storage).collect();
    if requests.is_empty() {
        return;
    }
    let is_enough =
        |it: &str| quantity::bytes(it).is_some_and(|bytes| bytes >= lab::LEAST_STORAGE_BYTES);
    let enough = requests.iter().any(|it| is_enough(it));
    let least = lab::LEAST_STORAGE;
    let unseen = claims.iter().find(|it| timeline.claim(it).is_empty());
    let text = format!("{}'s PVC requests at least {least}", pod.name());
    let standing = match unseen {
        _ if enough => Standing::Met,
        Some(claim) => Standing::unseen(format!("PVC {claim} was not seen")),
        None => Standing::broken(&text, sizes(&requests)),
    };
    let evidence = lives().map(|it| it.added.by);
    verdict.push("size", text, standing, evidence).because(&mistakes::TOO_SMALL);
}

/// The requested sizes, with the one thing that is easily overlooked: `M` counts in thousands, `Mi`
/// in 1024s.
fn sizes(requests: &[&str]) -> String {
    let mut text = requests.join(", ");
    for request in requests {
        let is_decimal = request.ends_with('M');
        if is_decimal && quantity::bytes(request).is_some_and(|bytes| bytes >= 50_000_000) {
            text += ", which is less: Mi is 1,048,576 bytes, M only 1,000,000";
            break;
        }
    }
    text
}

/// The claim is Bound, to a volume that no other pod uses.
fn judge_volume<'t>(
    timeline: &Timeline,
    verdict: &mut Verdict,
    pod: &PodLife,
    life: &'t ClaimLife,
    volumes: &mut BTreeMap<&'t str, String>,
) {
    let (claim, volume) = (life.name(), life.volume());
    let standing = if volume.is_empty() || life.bound.is_none() {
        timeline.blocked_or_not_shown("wait until the PVC is Bound")
    } else if let Some(other) = volumes.get(volume) {
        Standing::broken(
            format!("PVC {claim} is Bound to a volume of its own"),
            format!("volume {volume} is {other}'s too"),
        )
    } else {
        volumes.insert(volume, pod.name().to_owned());
        Standing::Met
    };
    verdict.push(
        "own_volume",
        format!("PVC {claim} is Bound to a volume of its own"),
        standing,
        [life.added.by],
    );
}

/// No other pod's canary may be visible on the claim.
fn judge_foreign_canary(
    timeline: &Timeline,
    verdict: &mut Verdict,
    pod: &PodLife,
    claim: &str,
    added: Seq,
) {
    let Some(foreign) = timeline.foreign_canary(pod.name(), claim) else { return };
    let stranger = foreign.pod;
    let standing = if foreign.is_surely_one_file {
        Standing::broken(
            format!("PVC {claim} shows no other pod's files"),
            format!("what {stranger} wrote on its own PVC is there too"),
        )
    } else {
        Standing::unseen(format!(
            "the grader's own file on {stranger}'s PVC is on {claim} too: the storage is shared, \
            or the app copies files between its pods"
        ))
    };
    verdict
        .push(
            "not_shared",
            format!("PVC {claim} shows no other pod's files"),
            standing,
            [added, foreign.seq],
        )
        .because(&mistakes::SHARED_STORAGE);
}

#[cfg(test)]
mod tests {
    use crate::model::{
        Outcome::{Fail, Inconclusive, Pass},
        observation::{
            CanaryFile, CanaryVisit, Fact, ObjectChange,
            object::{ClaimSource, Object, Present, Volume},
        },
        testing::history::History,
    };

    fn with_volume(volume: Volume) -> History {
        let mut history = History::new();
        history.spec.volume_claim_templates.clear();
        history.spec.template.spec.volumes = vec![Volume { name: "data".to_owned(), ..volume }];
        history.create().end()
    }

    #[test]
    fn a_claim_of_its_own_passes() {
        History::created().end().assert("persistent_storage", Pass, &[]);
    }

    #[test]
    fn other_volumes_fail() {
        with_volume(Volume { empty_dir: Some(Present {}), ..Default::default() }).assert(
            "persistent_storage",
            Fail,
            &["empty_dir"],
        );
        with_volume(Volume { host_path: Some(Present {}), ..Default::default() }).assert(
            "persistent_storage",
            Fail,
            &["host_path"],
        );
        let shared = ClaimSource { claim_name: "data".to_owned(), read_only: false };
        with_volume(Volume { persistent_volume_claim: Some(shared), ..Default::default() }).assert(
            "persistent_storage",
            Fail,
            &["shared_claim"],
        );
    }

    #[test]
    fn a_small_claim_fails() {
        let mut history = History::created();
        for ordinal in 0..3 {
            history = history.claim_line(ordinal, ObjectChange::Modified, |claim| {
                if let Some(spec) = &mut claim.spec {
                    spec.resources.requests.insert("storage".to_owned(), "50M".to_owned());
                }
            });
        }
        let history = history.end();
        history.assert("persistent_storage", Fail, &["too_small"]);
    }

    /// Catches a PVC that was made for a certain volume, which is not there, and counts as Bound.
    #[test]
    fn a_claim_that_waits_for_its_volume_is_not_bound() {
        let mut history = History::created().end();
        for line in &mut history.lines {
            if let Fact::Object(_, Object::PersistentVolumeClaim(claim)) = &mut line.what {
                claim.status.phase = "Pending".to_owned();
            }
        }
        history.assert("persistent_storage", Inconclusive, &[]);
    }

    /// Catches "50M is less" of 10Mi.
    #[test]
    fn only_what_stands_there_is_spoken_of() {
        assert_eq!(super::sizes(&["10Mi"]), "10Mi");
        assert_eq!(
            super::sizes(&["50M"]),
            "50M, which is less: Mi is 1,048,576 bytes, M only 1,000,000"
        );
    }

    #[test]
    fn one_storage_behind_two_claims_fails() {
        let history = History::created();
        let foreign = history.lines.iter().find_map(|it| match &it.what {
            Fact::Canary(CanaryVisit { wrote: Some(canary), .. }) => Some(canary.clone()),
            _ => None,
        });
        let saw: Vec<CanaryFile> = foreign.into_iter().collect();
        let mark = |file: &str, mark: &str| {
            std::collections::BTreeMap::from([(file.to_owned(), mark.to_owned())])
        };
        let seen = |own: &str, other: &str| {
            let file = saw[0].file.as_str();
            let looked = |claim: &str, it: &str| {
                let inodes =
                    if it.is_empty() { std::collections::BTreeMap::new() } else { mark(file, it) };
                Fact::Canary(CanaryVisit {
                    claim: claim.to_owned(),
                    saw: Some(saw.clone()),
                    inodes,
                    ..Default::default()
                })
            };
            history.clone().push(looked("data-web-0", own)).push(looked("data-web-1", other)).end()
        };
        seen("12 10:00:00.1", "12 10:00:00.1").assert(
            "persistent_storage",
            Fail,
            &["shared_storage"],
        );
        // An app may copy what it finds to its peers: another inode is another file.
        seen("12 10:00:00.1", "13 10:00:00.4").assert("persistent_storage", Pass, &[]);
        // Two new file systems count their inodes alike.
        seen("12 10:00:00.1", "12 10:00:00.4").assert("persistent_storage", Inconclusive, &[]);
        seen("", "").assert("persistent_storage", Inconclusive, &[]);
    }

    #[test]
    fn a_template_that_nobody_mounts_fails() {
        let mut history = History::new();
        history.spec.template.spec.containers[0].volume_mounts.clear();
        history.create().end().assert("persistent_storage", Fail, &["not_mounted"]);
    }

    #[test]
    fn a_claim_that_is_not_bound_is_undecided() {
        let unbound = History::created().claim_line(1, ObjectChange::Modified, |claim| {
            claim.spec.iter_mut().for_each(|it| it.volume_name.clear())
        });
        unbound.end().assert("persistent_storage", Inconclusive, &[]);
    }

    #[test]
    fn one_volume_behind_two_claims_fails() {
        let volume = |history: History, ordinal| {
            history.claim_line(ordinal, ObjectChange::Modified, |claim| {
                claim.spec.iter_mut().for_each(|it| it.volume_name = "pv".to_owned())
            })
        };
        volume(volume(History::created(), 1), 2).end().assert("persistent_storage", Fail, &[]);
    }
}
