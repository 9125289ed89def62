//! What goes wrong around a grade, on the real cluster: it is told, and everything is put back all
//! the same.

use std::{
    io::{self, Write},
    process::Stdio,
    sync::{Arc, Mutex},
};

use kube::config::Kubeconfig;
use serde_json::{Value, json};
use stsgrade::{
    cluster::{
        Cluster, Interrupt, Journal,
        grade::{Grade, GradeRequest},
    },
    recording::{AskedOptions, Header, Writer},
};

use crate::{
    lab::{Lab, Ran},
    state::{CLAIMS, STANDING},
};

impl Lab {
    /// A grade with the administrator's kubeconfig, changed.
    async fn grade_as(&self, change: impl Fn(&mut Value)) -> Ran {
        let mut config = serde_json::to_value(Kubeconfig::read().unwrap()).unwrap();
        change(&mut config);
        let path = self.folder.path().join("changed.json");
        std::fs::write(&path, config.to_string()).unwrap();
        self.grade(&["--kubeconfig", path.to_str().unwrap()]).await
    }
}

#[tokio::test]
async fn what_keeps_a_grade_from_beginning_is_told() {
    let lab = Lab::unmade("live-nowhere").await;
    for (verb, ran) in
        [("grade", lab.grade(&[]).await), ("restore", lab.stsgrade("restore", &[]).await)]
    {
        assert!(
            ran.status == 4 && ran.says("namespace live-nowhere does not exist"),
            "{verb}: {}",
            ran.told()
        );
    }
    let mistrusted = lab
        .grade_as(|config| {
            drop(
                config["clusters"][0]["cluster"]
                    .as_object_mut()
                    .unwrap()
                    .remove("certificate-authority-data"),
            )
        })
        .await;
    assert!(
        mistrusted.status == 4
            && mistrusted.says("no trusted connection to the API server at https://"),
        "{}",
        mistrusted.told()
    );
    let expired =
        lab.grade_as(|config| config["users"][0]["user"] = json!({"token": "expired"})).await;
    assert!(
        expired.status == 4
            && expired.says("does not accept the credentials of this context (401)"),
        "{}",
        expired.told()
    );
    let version = "client.authentication.k8s.io/v1";
    let status = json!({"token": "expired", "expirationTimestamp": "2999-01-01T00:00:00Z"});
    let prints = json!({"kind": "ExecCredential", "apiVersion": version, "status": status});
    let plugin = json!({"exec": {
        "apiVersion": version,
        "interactiveMode": "Never",
        "command": "echo",
        "args": [prints.to_string()],
    }});
    let expired = lab.grade_as(|config| config["users"][0]["user"] = plugin.clone()).await;
    assert!(
        expired.status == 4
            && expired.says("does not accept the credentials of this context (401)"),
        "{}",
        expired.told()
    );
}

/// Keeps a recording in memory, and panics at the line that has such words in it.
struct Panics {
    at: &'static str,
    kept: Arc<Mutex<Vec<u8>>>,
}

impl Write for Panics {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!String::from_utf8_lossy(bytes).contains(self.at), "as the test wants it");
        self.kept.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Catches a bug in the tour that leaves a set with five replicas, canaries and a lock.
#[tokio::test]
async fn a_panic_in_the_tour_is_put_back() {
    Lab::run("live-panic", async |lab| {
        lab.stand().await;
        let before = lab.state().await;
        let cluster = Cluster::with(lab.client.clone(), &lab.namespace);
        let kept = Arc::default();
        let out =
            Panics { at: r#""step":{"name":"scaleUp","phase":"done""#, kept: Arc::clone(&kept) };
        let journal = Journal::start(Writer::to(
            Box::new(out),
            &Header::now("", &lab.namespace, AskedOptions::default()),
        ));
        let interrupt = Interrupt::never();
        let graded =
            Grade::run(&cluster, &journal, &GradeRequest::default(), &interrupt, &|_| (), &|_| ())
                .await
                .unwrap();
        assert_eq!(lab.replicas("web").await, 5, "it got as far as that");
        let restored = graded.restore().await;
        assert!(restored.left.is_empty(), "{restored:?}");
        lab.settled("web", 3).await;
        assert_eq!(lab.state().await, before);
        let recording = String::from_utf8(kept.lock().unwrap().clone()).unwrap();
        assert!(recording.contains("please report this as a bug"), "{recording}");
    })
    .await;
}

/// Catches a grade that ends in the middle when there is no room for its recording, and one that
/// does not tell.
#[tokio::test]
async fn a_full_disk_ends_no_grade() {
    Lab::run("live-full", async |lab| {
        lab.stand().await;
        let before = lab.state().await;
        // As if the disk were full after 32 KiB; the file is bounded, where a disk of its own would
        // have to be mounted.
        let script = "trap '' XFSZ; ulimit -f 64; exec \"$@\"";
        let mut command = tokio::process::Command::new("sh");
        command
            .args([
                "-c",
                script,
                "sh",
                env!("CARGO_BIN_EXE_stsgrade"),
                "grade",
                "--quiet",
                "-n",
                &lab.namespace,
                "--save",
            ])
            .arg(lab.recording());
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = child.wait_with_output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let graded = Ran {
            status: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        assert_eq!((graded.status, graded.score()), (0, 100), "{}", graded.told());
        assert!(
            graded.says("error: the recording ") && graded.says("is not complete: File too large"),
            "{}",
            graded.told()
        );
        lab.settled("web", 3).await;
        assert_eq!(lab.state().await, before);
        let judged = lab.judge("text").await;
        assert!(judged.status == 3 && judged.says("cut off before its end"), "{}", judged.told());
    })
    .await;
    let lab = Lab::unmade("live-nowhere").await;
    let refused = lab.stsgrade("grade", &["--save", "/dev/full"]).await;
    assert!(
        refused.status == 4
            && refused.says("cannot create the recording /dev/full: No space left on device"),
        "{}",
        refused.told()
    );
}

/// Catches objects that nobody knows of, because the grade that was to remove them is dead.
#[tokio::test]
async fn what_a_killed_clean_up_leaves_is_told() {
    Lab::run("live-littered", async |lab| {
        for by_restore in [true, false] {
            lab.kill_when("scale up", &["-f", STANDING, "--cleanup"]).await;
            let told =
                if by_restore { lab.stsgrade("restore", &[]).await } else { lab.grade(&[]).await };
            assert_eq!(told.status, 0, "{}", told.told());
            let command = "kubectl delete -n live-littered service/web statefulset/web";
            assert!(
                told.says("warning: an interrupted `grade -f --cleanup` left")
                    && told.says(command),
                "{}",
                told.told()
            );
            lab.left_nothing(&CLAIMS).await;
            lab.delete_all().await;
            lab.settled("web", 0).await;
        }
    })
    .await;
}

/// Catches an exit that says that restoring must go on, where it could do no more.
#[tokio::test]
async fn a_set_that_does_not_come_up_again_is_a_warning() {
    Lab::run("live-crashes", async |lab| {
        lab.apply("fixtures/fail/container_ends/mkdir/submission.yaml").await;
        lab.settled("web", 3).await;
        let graded = lab.grade(&[]).await;
        assert_eq!(graded.status, 1, "{}", graded.told());
        assert!(
            graded.says("warning: perhaps files named .stsgrade-… on the PVCs of web-1"),
            "{}",
            graded.told()
        );
        assert_eq!(lab.replicas("web").await, 3);
        let again = lab.stsgrade("restore", &[]).await;
        assert!(
            again.status == 0 && again.says("there is nothing to put back"),
            "{}",
            again.told()
        );
    })
    .await;
}
