//! A grader that is killed, sleeps, is hung up on or loses its cluster, and a student who goes on
//! working: whatever comes after, not a byte of the student's is lost.

use std::{collections::BTreeMap, time::Duration};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;
use tokio::{
    process::Child,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    chance::{Chance, number, seed},
    lab::{Lab, Ran},
    proxy::{Proxy, Roughness},
    state::{MOMENTS, ended, send},
};

/// How many rounds there are by default: one of each disturbance.
const ROUNDS: u64 = 4;
/// This many at once.
const TOGETHER: usize = 6;
/// How long a grader sleeps, in seconds: longer than a Lease that is not renewed is trusted.
const SLEEP_SECONDS: (u64, u64) = (65, 120);
/// How long the API server is lost, in seconds: shorter and longer than that.
const LOST_SECONDS: (u64, u64) = (5, 90);

/// What happens to the grader.
#[derive(Clone, Copy, Debug)]
enum Disturbance {
    /// SIGKILL.
    Killed,
    /// SIGSTOP, as when a laptop is closed, and later SIGCONT.
    Asleep,
    /// SIGHUP, as when a terminal is closed.
    HungUp,
    /// Its connections to the API server are reset, and new ones are refused, for a while.
    Lost,
}

const DISTURBANCES: [Disturbance; 4] =
    [Disturbance::Killed, Disturbance::Asleep, Disturbance::HungUp, Disturbance::Lost];

/// What a claim is, and what it holds: its UID, and the digest of each file that is not the
/// grader's.
type Claims = BTreeMap<String, (String, BTreeMap<String, String>)>;

/// Four rounds, or as many as `STSGRADE_CHAOS` says; `STSGRADE_SEED` repeats a run.
#[tokio::test]
async fn no_byte_of_a_student_at_work_is_lost() {
    let seed = seed();
    let rounds = number("STSGRADE_CHAOS").unwrap_or(ROUNDS);
    assert!(rounds > 0, "nothing would be tried");
    let all = (0..rounds).map(|round| {
        Lab::round(format!("live-chaos-{round}"), async move |lab| {
            Round::new(lab, seed, round).await.run().await
        })
    });
    let wrong: Vec<String> = futures::stream::iter(all)
        .buffer_unordered(TOGETHER)
        .filter_map(async |it| it.err())
        .collect()
        .await;
    assert!(wrong.is_empty(), "{} of {rounds}:\n{}", wrong.len(), wrong.join("\n\n"));
}

struct Round<'a> {
    lab: &'a Lab,
    chance: Chance,
    disturbance: Disturbance,
    proxy: Proxy,
    /// What happened so far, for whoever has to understand it.
    story: Vec<String>,
}

/// What the student has when the work is done.
struct Theirs {
    claims: Claims,
    /// What the student scaled the set to, if at all.
    replicas: Option<i32>,
}

impl<'a> Round<'a> {
    async fn new(lab: &'a Lab, seed: u64, round: u64) -> Self {
        let disturbance = DISTURBANCES[usize::try_from(round).unwrap() % DISTURBANCES.len()];
        let chance = Chance::new(seed + round);
        Self {
            lab,
            chance,
            disturbance,
            proxy: Proxy::start(seed, Roughness::Smooth).await,
            story: vec![format!("seed {}", seed + round)],
        }
    }

    fn tell(&mut self, what: String) {
        self.story.push(what);
    }

    async fn run(mut self) -> Result<(), String> {
        let found = self.run_through().await;
        found.map_err(|wrong| format!("{wrong}\n  {}", self.story.join("\n  ")))
    }

    async fn run_through(&mut self) -> Result<(), String> {
        self.lab.stand().await;
        let before = self.lab.claims().await;
        assert!(
            before.len() == 3 && before.values().all(|(_, files)| !files.is_empty()),
            "nothing that could be lost: {before:?}"
        );
        let (moment, longest) = self.chance.of(&MOMENTS);
        let later = self.chance.between(0, longest - 1);
        let kubeconfig = self.proxy.kubeconfig(self.lab.folder.path());
        let (child, rest) =
            self.lab.begin(moment, &["--kubeconfig", kubeconfig.to_str().unwrap()]).await;
        sleep(Duration::from_millis(later)).await;
        self.tell(format!(
            "{:?} {later} ms after {moment:?}, at {} replicas",
            self.disturbance,
            self.lab.replicas("web").await
        ));
        let (theirs, put_back) = match self.disturbance {
            Disturbance::Killed => {
                send(&child, "KILL");
                self.has_ended(child, rest).await?;
                (self.student().await, None)
            }
            Disturbance::HungUp => {
                send(&child, "HUP");
                self.has_ended(child, rest).await?;
                (self.student().await, None)
            }
            Disturbance::Asleep => self.asleep(child, rest).await?,
            Disturbance::Lost => {
                let until = Instant::now()
                    + Duration::from_secs(self.chance.between(LOST_SECONDS.0, LOST_SECONDS.1));
                self.proxy.cut();
                let theirs = self.student().await;
                sleep_until(until).await;
                self.proxy.heal();
                self.has_ended(child, rest).await?;
                (theirs, None)
            }
        };
        // What was there from the beginning is the student's, too.
        is_all_there(&before, &theirs.claims)?;
        let put_back = match put_back {
            Some(put_back) => put_back,
            None => self.put_back().await?,
        };
        self.is_all_well(&theirs, &put_back).await
    }

    /// It sleeps until nobody trusts its Lease any more; in half of the rounds somebody else puts
    /// everything back before it wakes.
    async fn asleep(
        &mut self,
        child: Child,
        rest: tokio::task::JoinHandle<String>,
    ) -> Result<(Theirs, Option<Ran>), String> {
        let until = Instant::now()
            + Duration::from_secs(self.chance.between(SLEEP_SECONDS.0, SLEEP_SECONDS.1));
        send(&child, "STOP");
        let theirs = self.student().await;
        sleep_until(until).await;
        let successor = if self.chance.one_in(2) { Some(self.put_back().await?) } else { None };
        let before = (self.lab.replicas("web").await, self.lab.claims().await);
        send(&child, "CONT");
        self.has_ended(child, rest).await?;
        if successor.is_some()
            && (self.lab.replicas("web").await, self.lab.claims().await) != before
        {
            return Err("it went on when it woke, though its Lease was lost".to_owned());
        }
        Ok((theirs, successor))
    }

    async fn has_ended(
        &mut self,
        child: Child,
        rest: tokio::task::JoinHandle<String>,
    ) -> Result<(), String> {
        let ran = ended(child, rest).await;
        let bug = ran.says("panicked at") || ran.says("report this as a bug");
        self.tell(format!("the grader ended: {}", ran.told()));
        if bug { Err("the grader has a bug".to_owned()) } else { Ok(()) }
    }

    /// Writes to claims, most often after scaling by hand to what nobody but the student asked for.
    async fn student(&mut self) -> Theirs {
        // What the grader asked for last cannot be told from what the student asks for, if it is
        // the same number.
        let asked = self.lab.replicas("web").await;
        let mut replicas = None;
        for _ in 0..self.chance.of(&[0, 1, 1, 2]) {
            let others: Vec<i32> =
                (1..=6).filter(|it| *it != asked && Some(*it) != replicas).collect();
            let to = self.chance.of(&others);
            self.lab.scale(to).await;
            replicas = Some(to);
        }
        self.tell(format!("the student scales to {replicas:?}"));
        self.lab.stands(self.lab.replicas("web").await).await;
        let pods: Api<Pod> = Api::namespaced(self.lab.client.clone(), &self.lab.namespace);
        for pod in pods.list(&ListParams::default()).await.unwrap() {
            // A claim that only a tour caused is the student's once the student has scaled.
            let is_theirs = replicas.is_some()
                || ["web-0", "web-1", "web-2"].contains(&pod.name_any().as_str());
            if is_theirs {
                let work = self.chance.between(0, u64::MAX - 1);
                self.lab
                    .sh(&pod.name_any(), &format!("echo work {work} >> /data/work; sync"))
                    .await;
                self.tell(format!("the student writes to {}", pod.name_any()));
            }
        }
        let mut claims = self.lab.claims().await;
        claims.retain(|name, (_, files)| {
            files.contains_key("./work")
                || ["data-web-0", "data-web-1", "data-web-2"].contains(&name.as_str())
        });
        Theirs { claims, replicas }
    }

    /// By `restore`, or by the next grade.
    async fn put_back(&mut self) -> Result<Ran, String> {
        let by_restore = self.chance.one_in(2);
        let ran = if by_restore {
            self.lab.stsgrade("restore", &[]).await
        } else {
            self.lab.stsgrade("grade", &[]).await
        };
        self.tell(format!(
            "put back by {}: {}",
            if by_restore { "restore" } else { "the next grade" },
            ran.told()
        ));
        // The student's set may have fewer than three pods, which costs a grade points.
        let is_well = ran.status == 0 || !by_restore && matches!(ran.status, 1 | 3);
        if is_well { Ok(ran) } else { Err(format!("it is not put back: exit {}", ran.status)) }
    }

    async fn is_all_well(&self, theirs: &Theirs, put_back: &Ran) -> Result<(), String> {
        let replicas = self.lab.replicas("web").await;
        let expected = theirs.replicas.unwrap_or(3);
        if replicas != expected {
            return Err(format!("{replicas} replicas are asked for in the place of {expected}"));
        }
        self.lab.stands(expected).await;
        is_all_there(&theirs.claims, &self.lab.claims().await)?;
        if self.lab.has_lease().await {
            return Err(format!("a Lease is left: exit {}", put_back.status));
        }
        Ok(())
    }
}

/// Every claim with all that it held.
fn is_all_there(before: &Claims, after: &Claims) -> Result<(), String> {
    for (claim, (uid, files)) in before {
        let Some((uid_after, files_after)) = after.get(claim) else {
            return Err(format!("claim {claim} is LOST with {files:?}"));
        };
        if uid != uid_after {
            return Err(format!("claim {claim} is LOST: another one has its name"));
        }
        for (file, digest) in files {
            if files_after.get(file) != Some(digest) {
                return Err(format!(
                    "file {file} of claim {claim} is LOST or changed: {files:?}, {files_after:?}"
                ));
            }
        }
    }
    Ok(())
}

impl Lab {
    /// All claims that are not being deleted, read by a pod of the test's own: also those that no
    /// pod of the set mounts.
    async fn claims(&self) -> Claims {
        let all: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut claims = Claims::new();
        for claim in all.list(&ListParams::default()).await.unwrap() {
            if claim.metadata.deletion_timestamp.is_none() {
                claims.insert(claim.name_any(), (claim.uid().unwrap(), BTreeMap::new()));
            }
        }
        let volumes: Vec<_> = claims.keys().map(|it| json!({"name": it, "persistentVolumeClaim": {"claimName": it, "readOnly": true}})).collect();
        let mounts: Vec<_> = claims
            .keys()
            .map(|it| json!({"name": it, "mountPath": format!("/claims/{it}")}))
            .collect();
        let container = json!({"name": "reader", "image": "busybox:1.36", "command": ["sleep", "1000000"], "volumeMounts": mounts});
        let reader = json!({"metadata": {"name": "reader"}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], "volumes": volumes}});
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        pods.create(&PostParams::default(), &serde_json::from_value(reader).unwrap())
            .await
            .unwrap();
        let is_running = async || {
            pods.get("reader")
                .await
                .unwrap()
                .status
                .is_some_and(|it| it.phase.as_deref() == Some("Running"))
        };
        self.until("the reader runs", is_running).await;
        let list = "cd /claims && for claim in *; do cd $claim && find . -type f ! -name '.stsgrade-*' | while read -r file; do \
                    echo \"$claim $file $(sha256sum <\"$file\" | cut -c 1-64)\"; done; cd ..; done";
        for line in self.sh("reader", list).await.lines() {
            let [claim, file, digest] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            claims.get_mut(claim).unwrap().1.insert(file.to_owned(), digest.to_owned());
        }
        pods.delete("reader", &DeleteParams::default().grace_period(0)).await.unwrap();
        self.until("the reader is gone", async || pods.get_opt("reader").await.unwrap().is_none())
            .await;
        claims
    }
}
