//! Bytes that go through the API server: a Secret for each part, because etcd takes no large
//! objects.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{
    cluster::{Cluster, Failure, client::failure_id},
    console::sanitize::sanitize,
    recording::hexadecimal,
};

/// The bytes of one part: a Secret holds 1 MiB at most
/// (`MaxSecretSize` in Kubernetes' `pkg/apis/core/types.go`).
const PART_BYTES: usize = 768 << 10;
/// The most parts of a parcel.
const MAX_PARTS: usize = 128;
/// The label of a part that says who sends it to whom.
const KIND: &str = "stsgrade/parcel";
/// The label of a part that says what its parcel is of.
const KEY: &str = "stsgrade/key";
/// The label of a first part that says whether the parcel was received.
const STATE: &str = "stsgrade/state";
/// The annotation of a first part that says how many parts there are.
const PARTS: &str = "stsgrade/parts";
/// The annotation of a first part with the digest that the names of the other parts hold.
const DIGEST: &str = "stsgrade/digest";
/// How many bytes of the digest of a parcel a part's name holds.
const DIGEST_BYTES: usize = 8;
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
        let parts = parts(key, bytes)?;
        let digest = digest(bytes);
        for (place, part) in parts.iter().enumerate().rev() {
            let secret = secret(kind, key, &digest, place, parts.len(), part);
            match self.secrets.create(&PostParams::default(), &secret).await {
                // It was sent before, by a worker that died.
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
        let Some(first) = self.part(&first_name(kind, key)).await? else { return Ok(None) };
        let parts: Option<usize> = first.annotations().get(PARTS).and_then(|it| it.parse().ok());
        let digest = first.annotations().get(DIGEST).cloned().unwrap_or_default();
        let Some(mut bytes) = content(first) else { return Ok(None) };
        let Some(parts) = parts.filter(|it| *it <= MAX_PARTS) else {
            return Err(broken(key, "nobody sends so many parts"));
        };
        for place in 1..parts {
            let part = self.part(&later_name(kind, key, place, &digest)).await?.and_then(content);
            bytes.extend(part.ok_or_else(|| broken(key, "a part of it is missing"))?);
        }
        whole(key, bytes, &digest).map(Some)
    }

    async fn part(&self, name: &str) -> Result<Option<Secret>, Failure> {
        self.secrets.get_opt(name).await.map_err(|error| self.failure(&error, "get", name))
    }

    /// All parcels of a kind that are there whole.
    pub(super) async fn list(&self, kind: ParcelKind) -> Result<Vec<Parcel>, Failure> {
        let first = ListParams::default().labels(&format!("{KIND}={},{STATE}", kind.name()));
        let list = self.secrets.list_metadata(&first).await;
        let list = list.map_err(|error| self.failure(&error, "list", ""))?;
        let mut parcels = vec![];
        for secret in &list {
            let Some(key) = secret.labels().get(KEY).cloned() else { continue };
            let is_received = secret.labels().get(STATE).is_some_and(|state| state == "received");
            parcels.push(Parcel { key, is_received });
        }
        Ok(parcels)
    }

    /// Takes the bytes of a parcel away, and leaves its name: a worker that begins again must not
    /// grade twice.
    pub(super) async fn mark_received(&self, kind: ParcelKind, key: &str) -> Result<(), Failure> {
        let first = first_name(kind, key);
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

/// The parts in which bytes are sent.
fn parts<'a>(key: &str, bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, Failure> {
    if bytes.is_empty() {
        return Ok(vec![bytes]);
    }
    let parts: Vec<&[u8]> = bytes.chunks(PART_BYTES).collect();
    if parts.len() > MAX_PARTS {
        let (most, key) = ((MAX_PARTS * PART_BYTES) >> 20, sanitize(key));
        return Err(Failure::new(
            failure_id::PARCEL_TOO_LARGE,
            format!("what is sent as {key} is larger than {most} MiB, compressed"),
            "Share the work among more workers by `--workers N`.",
        ));
    }
    Ok(parts)
}

/// Bytes that were put together, if they are those that were sent.
fn whole(key: &str, bytes: Vec<u8>, sent: &str) -> Result<Vec<u8>, Failure> {
    if digest(&bytes) == sent { Ok(bytes) } else { Err(broken(key, "it is not what was sent")) }
}

fn broken(key: &str, why: &str) -> Failure {
    Failure::new(
        failure_id::PARCEL_BROKEN,
        format!("what was sent as {} is broken: {why}", sanitize(key)),
        "Grade it again by the same command.",
    )
}

/// The digest of a parcel, as the names of its parts hold it.
fn digest(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes)[..DIGEST_BYTES])
}

fn first_name(kind: ParcelKind, key: &str) -> String {
    format!("{}-{key}-0", kind.name())
}

/// The name of a part after the first. It holds the parcel's digest: a worker that died before it
/// sent the first part has left parts of another parcel of the same key.
fn later_name(kind: ParcelKind, key: &str, place: usize, digest: &str) -> String {
    format!("{}-{key}-{place}-{digest}", kind.name())
}

/// A part; only the first one has a state.
fn secret(
    kind: ParcelKind,
    key: &str,
    digest: &str,
    place: usize,
    parts: usize,
    bytes: &[u8],
) -> Secret {
    let mut secret = Secret {
        data: Some([(FIELD.to_owned(), ByteString(bytes.to_vec()))].into()),
        ..Secret::default()
    };
    secret.labels_mut().extend([(KIND, kind.name()), (KEY, key)].map(owned));
    if place == 0 {
        secret.metadata.name = Some(first_name(kind, key));
        secret.labels_mut().extend([(STATE, "sent")].map(owned));
        let annotations = [(PARTS, parts.to_string().as_str()), (DIGEST, digest)].map(owned);
        secret.annotations_mut().extend(annotations);
    } else {
        secret.metadata.name = Some(later_name(kind, key, place, digest));
    }
    secret
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn content(secret: Secret) -> Option<Vec<u8>> {
    secret.data?.remove(FIELD).map(|it| it.0)
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt as _;

    use super::{MAX_PARTS, PART_BYTES, ParcelKind, digest, parts, secret, whole};

    /// Catches a result that is put together of parts of two: a worker died while it sent one, and
    /// the next has graded the hand-in again.
    #[test]
    fn parts_of_two_parcels_of_one_key_are_told_apart() {
        let name = |bytes: &[u8], place| {
            secret(ParcelKind::Result, "ada", &digest(bytes), place, 2, bytes).name_any()
        };
        assert_ne!(name(b"one", 1), name(b"two", 1));
        assert_eq!(name(b"one", 1), name(b"one", 1));
        // The first part decides which parcel counts: there is one.
        assert_eq!(name(b"one", 0), name(b"two", 0));
    }

    /// Catches a parcel of which a part is left out without a word, when it is sent or when it is put
    /// together.
    #[test]
    fn a_parcel_comes_whole_or_not_at_all() {
        let most = vec![7; MAX_PARTS * PART_BYTES];
        assert_eq!(parts("0", &most).unwrap().len(), MAX_PARTS);
        assert_eq!(parts("0", &[]).unwrap(), [&[] as &[u8]]);
        let failure = parts("0", &[&*most, &[7]].concat()).unwrap_err();
        assert!(failure.what.contains("larger than 96 MiB"), "{failure}");
        let sent = digest(b"whole");
        assert_eq!(whole("0", b"whole".to_vec(), &sent).unwrap(), b"whole");
        let failure = whole("0", b"who".to_vec(), &sent).unwrap_err();
        assert!(failure.what.contains("it is not what was sent"), "{failure}");
    }
}
