//! When a plugin is run again, by the number of its runs.

use std::{
    fs,
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::future::join_all;
use http::{Method, Request, Response, header::AUTHORIZATION};
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use tempfile::TempDir;
use tokio::time::Instant;
use tower::{BoxError, Layer as _, Service as _, service_fn};

use super::{plugin, prints};
use crate::cluster::{
    Failure,
    client::{
        credential::Credential,
        credential_plugin::{Numbered, Plugin, held::Now},
        request_layer::{RequestLayer, Requests},
    },
};

/// A plugin whose runs are counted, at a time that the test sets.
pub(super) struct Counted {
    pub(super) folder: TempDir,
    pub(super) plugin: Plugin,
}

impl Counted {
    /// `$n` is the number of the run in the script and in what it prints.
    pub(super) async fn new(script: &str, status: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = plugin(folder.path(), &counting(script, status));
        let plugin = Plugin::take_from_at(&mut config, None, now(0)).await.unwrap().unwrap();
        Self { folder, plugin }
    }

    pub(super) fn runs(&self) -> u64 {
        runs(self.folder.path())
    }

    /// The token for a request in this second.
    pub(super) async fn token(&self, second: u32) -> Result<String, Failure> {
        let Numbered { token, .. } = self.plugin.credential_at(now(second)).await?;
        Ok(token.unwrap().to_str().unwrap().to_owned())
    }

    /// Waits for what runs beside the requests.
    async fn renewals_end(&self) {
        let mut renewals = std::mem::take(&mut *self.plugin.renewals.lock().unwrap());
        while renewals.join_next().await.is_some() {}
    }
}

pub(super) fn counting(script: &str, status: &str) -> String {
    let count = r#"n=$(cat "$0.n" 2>/dev/null); n=$((n+1)); echo $n > "$0.n""#;
    format!("{count}\n{script}\n{}", prints(status))
}

pub(super) fn runs(folder: &Path) -> u64 {
    fs::read_to_string(folder.join("plugin.n")).unwrap().trim().parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    "2100-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

pub(super) fn now(second: u32) -> Now {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let steady = *BEGAN + Duration::from_secs(second.into());
    Now { wall: at(second.into()), steady }
}

/// A status whose token has this word, until the second.
fn status(token: &str, until: i64) -> String {
    format!(r#"{{"token":"{token}","expirationTimestamp":"{}"}}"#, at(until))
}

/// Sends these requests at once to a server that accepts only this token: the answers, and how
/// many requests came there.
async fn asked(folder: &Path, script: &str, accepts: &'static str) -> (Vec<u16>, u64) {
    let credential = Credential::take_from(&mut plugin(folder, script), None).await.unwrap();
    let came = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&came);
    let service = service_fn(move |request: Request<Body>| {
        counter.fetch_add(1, Relaxed);
        let code = if request.headers()[AUTHORIZATION] == accepts { 200 } else { 401 };
        async move {
            // The others are sent before the first answer comes.
            tokio::task::yield_now().await;
            Ok::<_, BoxError>(Response::builder().status(code).body(String::new()).unwrap())
        }
    });
    let requests = Arc::new(Requests::default());
    let layer = RequestLayer { requests, credential: credential.map(Arc::new) };
    let mut service = layer.layer(service);
    let scale = "/apis/apps/v1/namespaces/a/statefulsets/s/scale";
    let answers = [Method::GET, Method::PATCH, Method::POST, Method::DELETE].map(|method| {
        let request = Request::builder().method(method).uri(scale);
        let request = request.body(Body::from(b"{}".to_vec())).unwrap();
        let answer = service.call(request);
        async move { answer.await.unwrap().status().as_u16() }
    });
    let answers = join_all(answers).await;
    (answers, came.load(Relaxed))
}

/// Catches a grade that ends because its token was revoked, although the plugin gives another one;
/// and a plugin that is run for each of the requests that were under way.
#[tokio::test]
async fn a_credential_that_is_refused_is_renewed_once_for_all_requests() {
    for status in [r#"{"token":"token-$n"}"#.to_owned(), status("token-$n", 1000)] {
        let folder = tempfile::tempdir().unwrap();
        let script = counting("", &status);
        let (answers, came) = asked(folder.path(), &script, "Bearer token-2").await;
        assert_eq!(answers, [200, 200, 200, 200]);
        assert_eq!((runs(folder.path()), came), (2, 8));
    }
}

/// Catches a plugin that is run again and again for a server that accepts nothing, and a request
/// that is sent again with what was refused.
#[tokio::test]
async fn a_plugin_that_does_not_help_is_not_run_at_once_again() {
    let same = counting("", r#"{"token":"token"}"#);
    let folder = tempfile::tempdir().unwrap();
    let (answers, came) = asked(folder.path(), &same, "Bearer other").await;
    assert_eq!((answers.as_slice(), came), ([401; 4].as_slice(), 4));
    assert_eq!(runs(folder.path()), 2);

    let counted = Counted::new("", r#"{"token":"token-$n"}"#).await;
    let mut number = 0;
    for second in 0..100 {
        if counted.plugin.has_other_than_at(number, now(second)).await.unwrap() {
            number += 1;
        }
    }
    assert_eq!(counted.runs(), 1 + number);
    assert!((5..=12).contains(&counted.runs()), "{}", counted.runs());
}

/// Catches a plugin that is not run for an hour, because the clock was set back by so much.
#[tokio::test]
async fn a_clock_that_is_set_back_prolongs_no_pause() {
    let counted = Counted::new("", r#"{"token":"token-$n"}"#).await;
    assert!(counted.plugin.has_other_than_at(0, now(0)).await.unwrap());
    assert!(!counted.plugin.has_other_than_at(1, now(0)).await.unwrap());
    let set_back = Now { wall: at(-3600), ..now(30) };
    assert!(counted.plugin.has_other_than_at(1, set_back).await.unwrap());
    assert_eq!(counted.runs(), 3);
}

/// Catches a plugin that is run for each request near the end of a token, and a token of less than
/// a minute that is renewed all the time.
#[tokio::test]
async fn a_token_is_renewed_ahead_of_time_once() {
    for (lifetime, not_before) in [(1000, 939_u32), (50, 44)] {
        let choose = format!("until={}; [ $n = 1 ] || until={}", at(lifetime), at(9000));
        let status = r#"{"token":"token-$n","expirationTimestamp":"$until"}"#;
        let counted = Counted::new(&choose, status).await;
        for second in 0..=not_before {
            assert_eq!(counted.token(second).await.unwrap(), "Bearer token-1");
        }
        assert_eq!(counted.runs(), 1);
        for _ in 0..5 {
            // The requests do not wait for the plugin.
            assert_eq!(counted.token(not_before + 1).await.unwrap(), "Bearer token-1");
        }
        counted.renewals_end().await;
        assert_eq!(counted.token(not_before + 1).await.unwrap(), "Bearer token-2");
        assert_eq!(counted.runs(), 2);
    }
}

/// Catches a renewal that gives what is held already, and is tried again until that expires.
#[tokio::test]
async fn the_same_token_is_not_asked_for_again_before_it_expires() {
    let counted = Counted::new("", &status("token", 1000)).await;
    for second in 950..1000 {
        assert_eq!(counted.token(second).await.unwrap(), "Bearer token");
        counted.renewals_end().await;
    }
    assert_eq!(counted.runs(), 2);
    // It is still the newest there is: what it is worth, the API server says.
    assert_eq!(counted.token(1001).await.unwrap(), "Bearer token");
    assert_eq!(counted.runs(), 3);
}

/// Catches a grade that ends although its token is still valid, because the plugin fails, and a
/// plugin whose failures lock an account.
#[tokio::test]
async fn a_renewal_that_fails_costs_nothing_until_the_token_expires() {
    let counted =
        Counted::new("[ $n = 1 ] || { echo sso down >&2; exit 1; }", &status("token-$n", 1000))
            .await;
    for second in 950..1000 {
        assert_eq!(counted.token(second).await.unwrap(), "Bearer token-1");
        counted.renewals_end().await;
    }
    assert_eq!(counted.runs(), 2);
    for second in 1000..1120 {
        for _ in 0..4 {
            let failure = counted.token(second).await.unwrap_err();
            assert_eq!(
                (failure.id, failure.detail),
                ("credential_plugin", vec!["sso down".to_owned()])
            );
        }
    }
    assert!((6..=14).contains(&counted.runs()), "{}", counted.runs());
}

/// Catches a grade that outlives its token, and a plugin that is run for each request.
#[tokio::test]
async fn a_token_that_has_expired_already_is_renewed() {
    let choose = format!("until={}; [ $n = 1 ] || until={}", at(-10), at(9000));
    let counted =
        Counted::new(&choose, r#"{"token":"token-$n","expirationTimestamp":"$until"}"#).await;
    for _ in 0..3 {
        assert_eq!(counted.token(0).await.unwrap(), "Bearer token-2");
    }
    assert_eq!(counted.runs(), 2);
}
