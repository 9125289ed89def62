//! Bytes that go through the API server: a Secret for each part, because etcd takes no large
//! objects.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::cluster::{Cluster, Failure};

/// The bytes of one part: a Secret holds 1 MiB at most
/// (`MaxSecretSize` in Kubernetes' `pkg/apis/core/types.go`).
const PART_BYTES: usize = 768 << 10;
/// So many parts are read at most.
const MAX_PARTS: usize = 128;
const KIND: &str = "stsgrade/parcel";
const KEY: &str = "stsgrade/key";
const STATE: &str = "stsgrade/state";
/// How many parts there are: an annotation of the first one.
const PARTS: &str = "stsgrade/parts";
/// The field of a Secret that holds a part.
const FIELD: &str = "part";

/// Who sends a parcel to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParcelKind {
    /// What a worker has to grade.
    Share,
    /// What came of a hand-in.
    Result,
}

impl ParcelKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Result => "result",
        }
    }
}

/// A parcel that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// What it is of.
    pub key: String,
    /// Whether it was received: then only its name is left.
    pub is_received: bool,
}

/// The parcels of a run.
pub(super) struct Parcels<'a> {
    cluster: &'a Cluster,
    secrets: Api<Secret>,
}

impl<'a> Parcels<'a> {
    /// Those in the cluster's namespace.
    pub(super) fn of(cluster: &'a Cluster) -> Self {
        let secrets = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        Self { cluster, secrets }
    }

    /// Sends bytes, unless a parcel of that key was sent already. It is there once its first part
    /// is, which is sent last.
    pub(super) async fn send(
        &self,
        kind: ParcelKind,
        key: &str,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let parts: Vec<&[u8]> =
            if bytes.is_empty() { vec![bytes] } else { bytes.chunks(PART_BYTES).collect() };
        for (place, part) in parts.iter().enumerate().rev() {
            let secret = secret(kind, key, place, parts.len(), part);
            match self.secrets.create(&PostParams::default(), &secret).await {
                // Sent by a worker that died before it knew.
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(self.failure(&error, "create", &secret.name_any())),
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// The bytes of a parcel; `None` where there is none, or it was received already.
    pub(super) async fn read(
        &self,
        kind: ParcelKind,
        key: &str,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let Some(first) = self.part(kind, key, 0).await? else { return Ok(None) };
        let parts = first.annotations().get(PARTS).and_then(|it| it.parse().ok()).unwrap_or(1);
        let Some(mut bytes) = content(first) else { return Ok(None) };
        for place in 1..usize::min(parts, MAX_PARTS) {
            let part = self.part(kind, key, place).await?.and_then(content);
            let Some(part) = part else { return Ok(None) };
            bytes.extend(part);
        }
        Ok(Some(bytes))
    }

    async fn part(
        &self,
        kind: ParcelKind,
        key: &str,
        place: usize,
    ) -> Result<Option<Secret>, Failure> {
        let name = name(kind, key, place);
        self.secrets.get_opt(&name).await.map_err(|error| self.failure(&error, "get", &name))
    }

    /// All parcels of a kind that are there whole.
    pub(super) async fn list(&self, kind: ParcelKind) -> Result<Vec<Parcel>, Failure> {
        let first = ListParams::default().labels(&format!("{KIND}={},{STATE}", kind.name()));
        let list = self.secrets.list_metadata(&first).await;
        let list = list.map_err(|error| self.failure(&error, "list", ""))?;
        let parcel = |labels: &std::collections::BTreeMap<String, String>| {
            let is_received = labels.get(STATE).is_some_and(|it| it == "received");
            Some(Parcel { key: labels.get(KEY)?.clone(), is_received })
        };
        Ok(list.iter().filter_map(|it| parcel(it.labels())).collect())
    }

    /// Takes the bytes of a parcel away, and leaves its name: a worker that begins again must not
    /// grade twice.
    pub(super) async fn mark_received(&self, kind: ParcelKind, key: &str) -> Result<(), Failure> {
        let first = name(kind, key, 0);
        let empty = json!({"metadata": {"labels": {STATE: "received"}}, "data": null});
        let patched =
            self.secrets.patch(&first, &PatchParams::default(), &Patch::Merge(&empty)).await;
        patched.map_err(|error| self.failure(&error, "patch", &first))?;
        let others =
            ListParams::default().labels(&format!("{KIND}={},{KEY}={key},!{STATE}", kind.name()));
        let deleted = self.secrets.delete_collection(&DeleteParams::default(), &others).await;
        deleted.map(|_| ()).map_err(|error| self.failure(&error, "delete", &first))
    }

    fn failure(&self, error: &kube::Error, verb: &str, name: &str) -> Failure {
        self.cluster.failure(error, verb, "secrets", name)
    }
}

fn name(kind: ParcelKind, key: &str, place: usize) -> String {
    format!("{}-{key}-{place}", kind.name())
}

/// A part; only the first one has a state.
fn secret(kind: ParcelKind, key: &str, place: usize, parts: usize, bytes: &[u8]) -> Secret {
    let mut secret = Secret {
        data: Some([(FIELD.to_owned(), ByteString(bytes.to_vec()))].into()),
        ..Secret::default()
    };
    secret.metadata.name = Some(name(kind, key, place));
    secret.labels_mut().extend([(KIND, kind.name()), (KEY, key)].map(owned));
    if place == 0 {
        secret.labels_mut().extend([(STATE, "sent")].map(owned));
        secret.annotations_mut().insert(PARTS.to_owned(), parts.to_string());
    }
    secret
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn content(secret: Secret) -> Option<Vec<u8>> {
    secret.data?.remove(FIELD).map(|it| it.0)
}
