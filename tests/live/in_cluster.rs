//! The image of a release, built by its recipe, and what runs from it in the cluster: a Job that
//! grades a namespace, and a batch.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime},
};

use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Namespace, Pod},
    rbac::v1::{ClusterRole, ClusterRoleBinding},
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::{process::Command, sync::OnceCell};

use crate::{
    APPEND, OVERWRITE,
    lab::{Lab, Ran, ctl, done, done_within},
    proxy::{Proxy, Roughness},
    state::{read, send},
};

pub(crate) const IMAGE: &str = "registry.local/stsgrade:test";
/// For the static binary and all its dependencies, beside other tests.
const BUILD_TIMEOUT: Duration = Duration::from_secs(1200);
const TARGET: &str = "x86_64-unknown-linux-musl";

/// Builds the static binary: once for all tests.
async fn static_binary() -> &'static Path {
    static BINARY: OnceCell<PathBuf> = OnceCell::const_new();
    let build = async || {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("static");
        let built = done_within(
            BUILD_TIMEOUT,
            Command::new(env!("CARGO"))
                .args(["build", "--locked", "--quiet", "--target", TARGET, "--target-dir"])
                .arg(&target)
                .env("CARGO_PROFILE_DEV_STRIP", "symbols")
                .env("CARGO_PROFILE_DEV_DEBUG", "none"),
        )
        .await;
        assert_eq!(built.status, 0, "{}", built.told());
        target.join(TARGET).join("debug/stsgrade")
    };
    BINARY.get_or_init(build).await
}

/// Builds the image by the recipe of the release, and gives it to the cluster's registry: once for
/// all tests.
pub(crate) async fn image() {
    static IMAGE_IS_THERE: OnceCell<tempfile::TempDir> = OnceCell::const_new();
    IMAGE_IS_THERE
        .get_or_init(async || {
            // The cluster sees no other folder.
            let shared = std::env::var("STSGRADE_CLUSTER").unwrap();
            let folder = tempfile::tempdir_in(shared).unwrap();
            let binary = folder.path().join("stsgrade");
            std::fs::copy(static_binary().await, &binary).unwrap();
            let storage = folder.path().join("storage");
            let buildah = async |args: &[&str]| {
                let mut command = Command::new("buildah");
                command.arg("--root").arg(&storage).args(["--storage-driver", "vfs"]).args(args);
                let ran = done(command.current_dir(folder.path())).await;
                assert_eq!(ran.status, 0, "{}", ran.told());
            };
            let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/.github/image/Containerfile");
            let bud =
                ["build", "--no-cache", "--isolation", "chroot", "--timestamp", "0", "-f", recipe];
            let mut built = vec![];
            for layout in ["layout", "again"] {
                buildah(&[&bud[..], &["-t", IMAGE, "."]].concat()).await;
                buildah(&["push", "--quiet", IMAGE, &format!("oci:{layout}:{IMAGE}")]).await;
                built.push(OciImage::read(&folder.path().join(layout)));
                // As if it had been checked out, and built, at another time.
                let later = std::fs::File::options().write(true).open(&binary).unwrap();
                later.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30)).unwrap();
            }
            assert_eq!(built[0], built[1], "two builds of one binary differ");
            let config = &built[0].config["config"];
            assert_eq!(config["User"], "65532:65532", "{config}");
            assert_eq!(config["Entrypoint"], json!(["/stsgrade"]), "{config}");
            let name = folder.path().file_name().unwrap().to_str().unwrap();
            ctl(&["add-images", &format!("{name}/layout")]).await;
            folder
        })
        .await;
}

/// An image of an OCI layout.
#[derive(Debug, PartialEq)]
struct OciImage {
    digest: String,
    config: Value,
}

impl OciImage {
    fn read(layout: &Path) -> Self {
        let json = |path: PathBuf| -> Value {
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
        };
        let blob = |digest: &Value| {
            json(layout.join("blobs").join(digest.as_str().unwrap().replace(':', "/")))
        };
        let digest = json(layout.join("index.json"))["manifests"][0]["digest"].clone();
        let manifest = blob(&digest);
        let config = blob(&manifest["config"]["digest"]);
        Self { digest: text(&digest), config }
    }
}

/// Catches a binary that needs a dynamic linker, which an image from scratch does not have.
#[tokio::test]
async fn the_binary_of_a_release_needs_no_linker() {
    let binary = std::fs::read(static_binary().await).unwrap();
    assert!(binary.starts_with(b"\x7fELF"), "it is no Linux binary");
    let linker = b"/ld-musl-";
    assert!(!binary.windows(linker.len()).any(|it| it == linker), "it names a dynamic linker");
}

/// Catches a pod that the level `restricted` refuses.
#[tokio::test]
async fn the_jobs_pod_passes_the_level_restricted() {
    Lab::run("live-job-level", async |lab| {
        let namespaces: Api<Namespace> = Api::all(lab.client.clone());
        let level =
            json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        let how = PatchParams::default();
        namespaces.patch(&lab.namespace, &how, &Patch::Merge(level)).await.unwrap();
        let printed = lab.stsgrade("job", &["--image", IMAGE]).await.out;
        let job = printed.split("---\n").find(|it| it.contains("kind: Job")).unwrap();
        let job: Job = serde_saphyr::from_str(job).unwrap();
        let mut spec = job.spec.unwrap().template.spec.unwrap();
        spec.service_account_name = None;
        let mut pod = Pod { spec: Some(spec), ..Pod::default() };
        pod.metadata.name = Some("tried".to_owned());
        let pods: Api<Pod> = Api::namespaced(lab.client.clone(), &lab.namespace);
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        pods.create(&dry_run, &pod).await.unwrap();
        pod.spec.as_mut().unwrap().security_context = None;
        let refused = pods.create(&dry_run, &pod).await.unwrap_err().to_string();
        assert!(refused.contains("violates PodSecurity"), "the level is not in force: {refused}");
    })
    .await;
}

/// Catches an image that does not run, a Role that lacks what a grade needs, a report or an exit
/// status that does not get out of the cluster, and a flag or a rubric that does not get in.
#[tokio::test]
async fn a_job_grades_its_namespace_from_inside() {
    image().await;
    let pass = from_inside("live-job-pass", APPEND, "web", &["-o", "json"], 0, |log| {
        // Nothing but the report is in the log.
        let report: Value = serde_json::from_str(log).unwrap();
        report["score"]["earned"] == 100
    });
    let folder = tempfile::tempdir().unwrap();
    let rubric = folder.path().join("of-the-course.toml");
    std::fs::write(&rubric, "pass_mark = 60\n[checks.pvc_reuse]\nomit = true\n").unwrap();
    let rubric = rubric.to_str().unwrap();
    let flags = ["--statefulset", "site", "--rubric", rubric, "--timeout", "10m"];
    let fail = from_inside("live-job-fail", OVERWRITE, "site", &flags, 0, |log| {
        log.contains("80 of 90 points")
    });
    let lost = from_inside("live-job-lost", OVERWRITE, "site", &[], 1, |log| {
        log.contains("80 of 100 points")
    });
    tokio::join!(pass, fail, lost);
}

async fn from_inside(
    namespace: &str,
    submission: &str,
    set: &str,
    flags: &[&str],
    status: i32,
    is_right: impl Fn(&str) -> bool,
) {
    Lab::run(namespace, async |lab| {
        let applied = lab.kubectl_apply(Path::new(submission)).await;
        assert!(applied.is_ok(), "{applied:?}");
        lab.settled(set, 3).await;
        let printed = lab.stsgrade("job", &[&["--image", IMAGE], flags].concat()).await;
        assert_eq!(printed.status, 0, "{}", printed.told());
        lab.create(&printed.out, "live").await;
        let pods: Api<Pod> = Api::namespaced(lab.client.clone(), &lab.namespace);
        let of_job = ListParams::default().labels("job-name=stsgrade");
        let ended = async || {
            let pod = pods.list(&of_job).await.unwrap().items.pop()?;
            let state = pod.status.as_ref()?.container_statuses.as_ref()?.first()?.state.clone();
            Some((pod.name_any(), state?.terminated?.exit_code))
        };
        lab.until("the Job's pod has ended", async || ended().await.is_some()).await;
        let (pod, exit) = ended().await.unwrap();
        let log = pods.logs(&pod, &LogParams::default()).await.unwrap();
        assert!(is_right(&log), "{log}");
        assert_eq!(exit, status, "{log}");
    })
    .await;
}

/// How many hand-ins and workers there are: `STSGRADE_HAND_INS` and a fourth of it, else 6 and 2.
fn size() -> (usize, usize) {
    let hand_ins = std::env::var("STSGRADE_HAND_INS").ok().map(|it| it.parse().unwrap());
    hand_ins.map_or((6, 2), |it: usize| (it, it.div_ceil(4)))
}

/// Catches a hand-in that a worker's death, a stopped command or a cluster out of reach loses or that
/// is graded twice, a result that differs from that of a batch in one process, and anything that
/// stays in the cluster.
#[tokio::test]
async fn the_cluster_works_off_a_class_although_a_worker_dies() {
    image().await;
    let (hand_ins, workers) = size();
    Lab::run("live-in-cluster", async |lab| {
        let (folder, results) = (lab.folder.path().join("in"), lab.folder.path().join("out"));
        std::fs::create_dir(&folder).unwrap();
        let mut expected = BTreeMap::new();
        for place in 0..hand_ins {
            let (file, letters) =
                if place % 2 == 0 { (APPEND, "PPPPPPPPPP") } else { (OVERWRITE, "PPPPPFPPPF") };
            std::fs::write(folder.join(format!("s{place}.yaml")), read(file)).unwrap();
            expected.insert(format!("s{place}"), letters.to_owned());
        }
        std::fs::write(folder.join("broken.yaml"), "a: [b").unwrap();
        expected.insert("broken".to_owned(), "FFFFFFFFFF".to_owned());
        let workers = workers.to_string();
        let mut batch = Command::new(env!("CARGO_BIN_EXE_stsgrade"));
        batch.args(["batch", "--in-cluster", "--image", IMAGE, "--workers", &workers, "-o"]);
        batch.arg(&results).arg(&folder);
        // Somebody stops the command, and collects later what the Job does meanwhile.
        let stopped = batch.stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        kill_a_worker(lab, &results).await;
        send(&stopped, "INT");
        let stopped = stopped.wait_with_output().await.unwrap();
        let told = String::from_utf8(stopped.stderr).unwrap();
        assert_eq!(stopped.status.code(), Some(130), "{told}");
        assert!(told.contains("the Job goes on in namespace stsgrade-"), "{told}");
        let proxy = Proxy::start(0, Roughness::Smooth).await;
        batch.env("KUBECONFIG", proxy.kubeconfig(lab.folder.path()));
        let (ran, ()) = tokio::join!(done(&mut batch), cut_off(lab, &proxy, &results));
        let lines = lines(&results);
        assert_eq!(lines.len(), expected.len(), "{}", ran.told());
        let letters = |it: &Value| (text(&it["id"]), text(&it["letters"]));
        assert_eq!(
            lines.iter().map(letters).collect::<BTreeMap<_, _>>(),
            expected,
            "{}",
            ran.told()
        );
        assert_eq!(ran.status, 0, "{}", ran.told());
        for id in ["s0", "s1"] {
            for file in ["report.json", "recording.jsonl.gz"] {
                assert!(results.join(id).join(file).is_file(), "{id}/{file}");
            }
        }
        left_nothing(lab, &results, &ran).await;
    })
    .await;
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

pub(crate) fn lines(results: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(results.join("results.jsonl")).unwrap_or_default();
    text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// The namespace of the run's own.
pub(crate) fn own_namespace(results: &Path) -> Option<String> {
    let run = std::fs::read(results.join("run.json")).ok()?;
    let run: Value = serde_json::from_slice(&run).ok()?;
    Some(format!("stsgrade-{}-workers", run["run"].as_str()?))
}

/// Keeps the cluster out of reach from the next result on until the Job has ended.
async fn cut_off(lab: &Lab, proxy: &Proxy, results: &Path) {
    let before = lines(results).len();
    lab.until("the next result is collected", async || lines(results).len() > before).await;
    proxy.cut();
    let own = own_namespace(results).unwrap();
    let jobs: Api<Job> = Api::namespaced(lab.client.clone(), &own);
    lab.until("the Job has ended", async || {
        let Some(job) = jobs.get_opt("stsgrade").await.unwrap() else { return true };
        let conditions = job.status.and_then(|it| it.conditions).unwrap_or_default();
        conditions.iter().any(|it| it.type_ == "Complete" && it.status == "True")
    })
    .await;
    proxy.heal();
}

/// Kills a worker that has grades under way, as a node that is lost would.
async fn kill_a_worker(lab: &Lab, results: &Path) {
    lab.until("the run has its id", async || own_namespace(results).is_some()).await;
    let own = own_namespace(results).unwrap();
    let pods: Api<Pod> = Api::namespaced(lab.client.clone(), &own);
    let of_first = ListParams::default().labels("batch.kubernetes.io/job-completion-index=0");
    let all: Api<Namespace> = Api::all(lab.client.clone());
    let run = own.trim_start_matches("stsgrade-").trim_end_matches("-workers").to_owned();
    let hand_ins = ListParams::default().labels(&format!("stsgrade/run={run},stsgrade/hand-in=s0"));
    lab.until("the first worker grades", async || {
        let Some(namespace) = all.list(&hand_ins).await.unwrap().items.pop() else { return false };
        let inside: Api<Pod> = Api::namespaced(lab.client.clone(), &namespace.name_any());
        !inside.list(&ListParams::default()).await.unwrap().items.is_empty()
    })
    .await;
    let worker = pods.list(&of_first).await.unwrap().items.remove(0);
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    pods.delete(&worker.name_any(), &at_once).await.unwrap();
    let jobs: Api<Job> = Api::namespaced(lab.client.clone(), &own);
    assert!(jobs.get_opt("stsgrade").await.unwrap().is_some());
}

pub(crate) async fn left_nothing(lab: &Lab, results: &Path, ran: &Ran) {
    let own = own_namespace(results).unwrap();
    let run = own.trim_end_matches("workers");
    let namespaces: Api<Namespace> = Api::all(lab.client.clone());
    let left = namespaces.list(&ListParams::default()).await.unwrap();
    let left: Vec<String> =
        left.iter().map(|it| it.name_any()).filter(|it| it.starts_with(run)).collect();
    assert!(left.is_empty(), "{left:?}: {}", ran.told());
    // They go with the namespace that owns them.
    let roles: Api<ClusterRole> = Api::all(lab.client.clone());
    let bindings: Api<ClusterRoleBinding> = Api::all(lab.client.clone());
    lab.until("the workers may do nothing any more", async || {
        roles.get_opt(&own).await.unwrap().is_none()
            && bindings.get_opt(&own).await.unwrap().is_none()
    })
    .await;
}
