//! A run that is under way: who waits for it, and what is told of it meanwhile.

use std::{fs, path::Path, sync::Arc, time::Duration};

use http::{Request, Response};
use kube::{Client, client::Body};
use tokio::time::{pause, resume, sleep, timeout};
use tower::{BoxError, Layer as _, service_fn};

use super::{
    plugin,
    renewal::{Counted, counting, now, runs},
};
use crate::cluster::{
    Cluster, Culprit, Tried,
    client::{
        connect::version,
        credential::Credential,
        request_layer::{RequestLayer, Requests},
    },
    watch,
};

/// All runs but the first wait until the test lets them go on.
const WAITS: &str = r#"[ $n = 1 ] || {
    echo $$ > "$0.pid"
    while [ -e "$0" ] && [ ! -e "$0.go" ]; do sleep 0.02; done
}"#;
const TOKEN: &str = r#"{"token":"token-$n"}"#;
const TEN_SECONDS: Duration = Duration::from_secs(10);

fn go_on(folder: &Path) {
    fs::write(folder.join("plugin.go"), "").unwrap();
}

/// A cluster whose API server accepts no token of the plugin.
async fn refusing(folder: &Path) -> (Cluster, Arc<Credential>) {
    let mut config = plugin(folder, &counting(WAITS, TOKEN));
    let credential = Credential::take_from(&mut config, None).await.unwrap().map(Arc::new).unwrap();
    let service = service_fn(|_: Request<Body>| async {
        let answer = Response::builder().status(401).body("Unauthorized".to_owned()).unwrap();
        Ok::<_, BoxError>(answer)
    });
    let layer = RequestLayer {
        requests: Arc::new(Requests::default()),
        credential: Some(Arc::clone(&credential)),
    };
    let cluster = Cluster::with(Client::new(layer.layer(service), "lab"), "lab");
    (Cluster { credential: Some(Arc::clone(&credential)), ..cluster }, credential)
}

/// Catches a plugin that is killed with the request that waits for it, and is started anew for each
/// request, without a pause and without end.
#[tokio::test]
async fn a_run_outlives_the_request_that_waits_for_it() {
    for (end, expected) in [("", Ok(true)), ("[ $n = 1 ] || exit 1", Err("credential_plugin"))] {
        let counted = Counted::new(&format!("{WAITS}\n{end}"), TOKEN).await;
        pause();
        for _ in 0..2 {
            let request = counted.plugin.has_other_than_at(0, now(0));
            assert!(timeout(TEN_SECONDS, request).await.is_err());
        }
        let told = counted.plugin.awaited_run().unwrap();
        assert!(told.what.ends_with("/plugin has been running for 20 s"), "{told:?}");
        resume();
        go_on(counted.folder.path());
        for _ in 0..2 {
            let next = counted.plugin.has_other_than_at(0, now(20)).await;
            assert_eq!(next.map_err(|it| it.id), expected);
        }
        assert_eq!(counted.runs(), 2);
        assert_eq!(counted.plugin.awaited_run(), None);
        let token = if expected.is_ok() { "Bearer token-2" } else { "Bearer token-1" };
        assert_eq!(counted.token(20).await.unwrap(), token);
    }
}

/// Catches a plugin that runs on when nobody needs it any more.
#[tokio::test]
async fn a_run_ends_with_the_plugin() {
    let counted = Counted::new(WAITS, TOKEN).await;
    let path = counted.folder.path().join("plugin.pid");
    let read = async || {
        while !fs::read_to_string(&path).is_ok_and(|it| it.ends_with('\n')) {
            sleep(Duration::from_millis(5)).await;
        }
        fs::read_to_string(&path).unwrap()
    };
    let pid = tokio::select! {
        pid = read() => pid,
        it = counted.plugin.has_other_than_at(0, now(0)) => panic!("{it:?}"),
    };
    drop(counted.plugin);
    let stat = format!("/proc/{}/stat", pid.trim());
    while fs::read_to_string(&stat).is_ok_and(|it| !it.contains(") Z ")) {
        sleep(Duration::from_millis(5)).await;
    }
}

/// Catches an API server that answers 401 told as one that does not answer, while the plugin takes
/// its time.
#[tokio::test]
async fn the_first_answer_s_time_does_not_run_while_the_plugin_does() {
    let folder = tempfile::tempdir().unwrap();
    let (cluster, credential) = refusing(folder.path()).await;
    let tried = Tried { server: "https://lab", ..Tried::default() };
    pause();
    let plugin = async {
        sleep(Duration::from_secs(25)).await;
        resume();
        go_on(folder.path());
    };
    let asked = version(&cluster.client, Some(&credential), &tried);
    let (version, ()) = tokio::join!(asked, plugin);
    assert_eq!(
        version.unwrap_err().what,
        "the API server at https://lab does not accept the credentials of this context (401)"
    );
    assert_eq!(runs(folder.path()), 2);
}

/// Catches an API server that is blamed for a plugin that takes its time.
#[tokio::test]
async fn a_plugin_that_takes_its_time_is_told_as_the_culprit() {
    let folder = tempfile::tempdir().unwrap();
    let (cluster, _) = refusing(folder.path()).await;
    pause();
    let outage = watch::answers(&cluster, TEN_SECONDS).await.unwrap_err();
    assert_eq!(outage.culprit, Culprit::CredentialPlugin);
    assert!(outage.why.ends_with("/plugin has been running for 10 s"), "{outage:?}");
}
