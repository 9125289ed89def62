//! Where observations come from: raw lists and watches of one kind, read into our own small
//! structs.

use std::time::Duration;

use checks::model::observation::{
    Kind,
    object::{EndpointSlice, Event, Object, PersistentVolumeClaim, Pod, Service, StatefulSet},
};
use futures::{StreamExt as _, stream::BoxStream};
use kube::core::{Status, WatchEvent};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Value;

use crate::cluster::{Cluster, client::page::PAGE_OBJECTS, watch::dedup::digest};

/// How long the server may take to answer a list, or to begin a watch.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// After how many seconds the server ends a watch, for it to be resumed.
const WATCH_SECONDS: u32 = 290;

/// What a watch tells, of any kind.
pub(crate) type WatchResult = Result<WatchEvent<Object>, kube::Error>;
/// A watch that is open.
pub(crate) type Stream = BoxStream<'static, WatchResult>;

/// A whole list and the position at which a watch goes on from exactly it.
pub(crate) struct Listed {
    pub(crate) objects: Vec<Object>,
    pub(crate) position: String,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct ListPage<T> {
    metadata: PageMetadata,
    items: Option<Vec<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    resource_version: String,
    #[serde(default)]
    r#continue: String,
}

/// A kind's place in the API: the group's path and the plural.
const fn api_path(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::StatefulSet => ("apis/apps/v1", "statefulsets"),
        Kind::Pod => ("api/v1", "pods"),
        Kind::PersistentVolumeClaim => ("api/v1", "persistentvolumeclaims"),
        Kind::Service => ("api/v1", "services"),
        Kind::EndpointSlice => ("apis/discovery.k8s.io/v1", "endpointslices"),
        Kind::Event => ("api/v1", "events"),
    }
}

/// The resource as RBAC names it, with its group.
pub(crate) const fn resource(kind: Kind) -> &'static str {
    match kind {
        Kind::StatefulSet => "statefulsets.apps",
        Kind::EndpointSlice => "endpointslices.discovery.k8s.io",
        _ => api_path(kind).1,
    }
}

/// What is read of one kind, and how it is recorded.
trait Watched: Clone + DeserializeOwned + Send + 'static {
    fn recorded(self) -> Object;
}

macro_rules! recorded_as_it_stands {
    ($($kind:ident),*) => {
        $(impl Watched for $kind {
            fn recorded(self) -> Object {
                Object::$kind(self)
            }
        })*
    };
}

recorded_as_it_stands!(Pod, PersistentVolumeClaim, Service, EndpointSlice, Event);

/// Lists all objects of a kind.
pub(crate) async fn list(cluster: &Cluster, kind: Kind) -> Result<Listed, kube::Error> {
    match kind {
        Kind::StatefulSet => list_of::<DigestedStatefulSet>(cluster, kind).await,
        Kind::Pod => list_of::<Pod>(cluster, kind).await,
        Kind::PersistentVolumeClaim => list_of::<PersistentVolumeClaim>(cluster, kind).await,
        Kind::Service => list_of::<Service>(cluster, kind).await,
        Kind::EndpointSlice => list_of::<EndpointSlice>(cluster, kind).await,
        Kind::Event => list_of::<Event>(cluster, kind).await,
    }
}

/// Opens a watch of a kind that begins right after `position`.
pub(crate) async fn watch(
    cluster: &Cluster,
    kind: Kind,
    position: &str,
) -> Result<Stream, kube::Error> {
    match kind {
        Kind::StatefulSet => watch_of::<DigestedStatefulSet>(cluster, kind, position).await,
        Kind::Pod => watch_of::<Pod>(cluster, kind, position).await,
        Kind::PersistentVolumeClaim => {
            watch_of::<PersistentVolumeClaim>(cluster, kind, position).await
        }
        Kind::Service => watch_of::<Service>(cluster, kind, position).await,
        Kind::EndpointSlice => watch_of::<EndpointSlice>(cluster, kind, position).await,
        Kind::Event => watch_of::<Event>(cluster, kind, position).await,
    }
}

/// Whether the server says that a position, or a page's continuation, is too old.
pub(crate) fn is_expired(status: &Status) -> bool {
    status.code == 410 || status.reason == "Expired" || status.reason == "Gone"
}

/// A StatefulSet as the API server tells it, with a digest of its whole template: not all
/// of its fields are recorded (no value of `env`), but that they changed must be seen.
#[derive(Clone)]
struct DigestedStatefulSet {
    set: StatefulSet,
    template_digest: String,
}

impl<'de> Deserialize<'de> for DigestedStatefulSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let told = Value::deserialize(deserializer)?;
        let template = told.pointer("/spec/template").map(Value::to_string);
        let template_digest = template.map(|it| digest(&[it.as_bytes()])).unwrap_or_default();
        Ok(Self { set: StatefulSet::deserialize(told).map_err(D::Error::custom)?, template_digest })
    }
}

impl Watched for DigestedStatefulSet {
    fn recorded(mut self) -> Object {
        if let Some(spec) = &mut self.set.spec {
            spec.template_digest = self.template_digest;
        }
        Object::StatefulSet(self.set)
    }
}

/// All pages of a list: they have one resourceVersion.
async fn list_of<T: Watched>(cluster: &Cluster, kind: Kind) -> Result<Listed, kube::Error> {
    let mut objects = vec![];
    let mut rest = String::new();
    loop {
        let query = if rest.is_empty() {
            format!("limit={PAGE_OBJECTS}")
        } else {
            format!("limit={PAGE_OBJECTS}&continue={}", encoded(&rest))
        };
        let request = request(cluster, kind, &query)?;
        let page = cluster.client.request::<ListPage<T>>(request);
        let page = cluster.in_time(ANSWER_TIMEOUT, page).await?;
        objects.extend(page.items.into_iter().flatten().map(T::recorded));
        rest = page.metadata.r#continue;
        if rest.is_empty() {
            return Ok(Listed { objects, position: page.metadata.resource_version });
        }
    }
}

async fn watch_of<T: Watched>(
    cluster: &Cluster,
    kind: Kind,
    position: &str,
) -> Result<Stream, kube::Error> {
    let query = format!(
        "watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={}",
        encoded(position)
    );
    let events = cluster.client.request_events::<T>(request(cluster, kind, &query)?);
    let events = cluster.in_time(ANSWER_TIMEOUT, events).await?;
    Ok(events.map(|it| it.map(recorded::<T>)).boxed())
}

fn recorded<T: Watched>(event: WatchEvent<T>) -> WatchEvent<Object> {
    match event {
        WatchEvent::Added(it) => WatchEvent::Added(it.recorded()),
        WatchEvent::Modified(it) => WatchEvent::Modified(it.recorded()),
        WatchEvent::Deleted(it) => WatchEvent::Deleted(it.recorded()),
        WatchEvent::Bookmark(it) => WatchEvent::Bookmark(it),
        WatchEvent::Error(it) => WatchEvent::Error(it),
    }
}

fn request(
    cluster: &Cluster,
    kind: Kind,
    query: &str,
) -> Result<http::Request<Vec<u8>>, kube::Error> {
    let (group, plural) = api_path(kind);
    let uri = format!("/{group}/namespaces/{}/{plural}?{query}", cluster.namespace);
    http::Request::get(uri).body(vec![]).map_err(kube::Error::HttpError)
}

/// A value of a query, with everything but letters, digits and `-._~` percent-encoded.
fn encoded(value: &str) -> String {
    use std::fmt::Write as _;
    value.bytes().fold(String::with_capacity(value.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use checks::model::{
        observation::ObjectChange,
        observation::object::{Object, StatefulSet},
    };
    use serde_json::json;

    use super::{super::dedup::LastSeen, DigestedStatefulSet, Watched as _};

    fn recorded(known: &mut LastSeen, env: &str) -> StatefulSet {
        let env = json!([
            {"name": "PASSWORD", "value": env},
            {"name": "POD", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "k"}}},
            {"name": "UNUSED", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        ]);
        let mounts = json!([{"name": "data", "mountPath": "/d", "subPathExpr": "$(POD)/$(KEY)/$(PASSWORD)"}]);
        let container = json!({"name": "app", "image": "busybox", "command": ["sleep"], "env": env, "volumeMounts": mounts});
        let template =
            json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}});
        let told = json!({"metadata": {"name": "web", "uid": "u"}, "spec": {"replicas": 3, "template": template}});
        let whole: DigestedStatefulSet = serde_json::from_value(told).unwrap();
        match known.what_is_new(ObjectChange::Listed, whole.recorded()) {
            Some(Object::StatefulSet(set)) => set,
            other => panic!("{other:?}"),
        }
    }

    /// Catches a change of command or environment that leaves no trace, and one whose value could
    /// be found out.
    #[test]
    fn a_template_leaves_a_digest_and_no_value_of_its_environment() {
        let (mut known, mut another) = (LastSeen::default(), LastSeen::default());
        let digest = |set: StatefulSet| set.spec.unwrap().template_digest;
        let first = digest(recorded(&mut known, "hunter2"));
        assert_eq!(first.len(), 64);
        assert_eq!(
            digest(recorded(&mut known, "hunter2")),
            first,
            "the same template, the same digest"
        );
        assert_ne!(digest(recorded(&mut known, "hunter3")), first);
        assert_ne!(
            digest(recorded(&mut another, "hunter2")),
            first,
            "of no use outside its recording"
        );
        let line = serde_json::to_string(&recorded(&mut known, "hunter2")).unwrap();
        assert!(!line.contains("hunter2") && !line.contains("hidden"), "{line}");
        // Only what a folder of the volume is named after.
        let env =
            r#""env":[{"name":"POD","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]"#;
        assert!(line.contains(env) && line.matches(r#""env""#).count() == 1, "{line}");
    }
}
