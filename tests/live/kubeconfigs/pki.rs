//! Keys and certificates of many kinds: made by openssl, and signed by the cluster.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::{
    ByteString,
    api::certificates::v1::{
        CertificateSigningRequest, CertificateSigningRequestCondition,
        CertificateSigningRequestSpec, CertificateSigningRequestStatus,
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};

/// The keys' kinds: a certificate `by-KIND` is signed for each, and its user has that name.
pub(super) const KINDS: [&str; 6] = ["p256", "p384", "p521", "ed25519", "rsa", "rsa1024"];

/// Makes all that needs no cluster, in the present folder.
const SCRIPT: &str = "
set -eu
openssl ecparam -name prime256v1 -genkey -noout -out by-p256.key
openssl ecparam -name prime256v1 -out by-p256.params
openssl ecparam -name secp384r1 -genkey -noout -out by-p384.key
openssl ecparam -name secp521r1 -genkey -noout -out by-p521.key
openssl genpkey -algorithm ed25519 -out by-ed25519.key
openssl genrsa -traditional -out by-rsa.key 2048
openssl genrsa -traditional -out by-rsa1024.key 1024
openssl pkcs8 -topk8 -nocrypt -in by-p256.key -out by-p256.pkcs8
openssl pkcs8 -topk8 -nocrypt -in by-rsa.key -out by-rsa.pkcs8
openssl pkcs8 -topk8 -v2 aes256 -passout pass:hunter2 -in by-p256.key -out encrypted.pkcs8
openssl rsa -traditional -aes128 -passout pass:hunter2 -in by-rsa.key -out encrypted.rsa
for kind in $KINDS; do
  openssl req -new -key by-$kind.key -subj /CN=by-$kind -out by-$kind.csr
done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \\
  -subj /CN=nobody -keyout wrong-ca.key -out wrong-ca.pem
openssl s_client -connect $API </dev/null >s_client
openssl x509 -in s_client -out server.crt
printf -- '-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n' >broken.pem
head -n 3 ca.pem >cut.pem
";

/// Files by their names.
pub(super) struct Pki(BTreeMap<String, Vec<u8>>);

impl Pki {
    /// Makes them in a folder; what it makes in the cluster goes with its owner.
    pub(super) async fn make(
        folder: &Path,
        client: &Client,
        api: SocketAddr,
        authority: &str,
        owner: &OwnerReference,
    ) -> Self {
        fs::write(folder.join("ca.pem"), STANDARD.decode(authority).unwrap()).unwrap();
        let made = tokio::process::Command::new("sh")
            .args(["-c", SCRIPT])
            .current_dir(folder)
            .env("KINDS", KINDS.join(" "))
            .env("API", api.to_string())
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let sign = |kind| sign(folder, client, kind, owner);
        futures::future::join_all(KINDS.map(sign)).await;
        let both = ["by-p256.crt", "by-p256.key"].map(|it| fs::read(folder.join(it)).unwrap());
        fs::write(folder.join("both.pem"), both.concat()).unwrap();
        let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap());
        Self(
            files
                .map(|it| (it.file_name().into_string().unwrap(), fs::read(it.path()).unwrap()))
                .collect(),
        )
    }

    /// One file.
    pub(super) fn file(&self, name: &str) -> &[u8] {
        self.0.get(name).unwrap_or_else(|| panic!("there is no file {name}"))
    }

    /// Files one behind another.
    pub(super) fn files(&self, names: &str) -> Vec<u8> {
        names.split(' ').flat_map(|it| self.file(it)).copied().collect()
    }
}

/// Has a client certificate signed.
async fn sign(folder: &Path, client: &Client, kind: &str, owner: &OwnerReference) {
    let api: Api<CertificateSigningRequest> = Api::all(client.clone());
    let name = format!("live-kubeconfigs-{kind}");
    let request = CertificateSigningRequest {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            owner_references: Some(vec![owner.clone()]),
            ..ObjectMeta::default()
        },
        spec: CertificateSigningRequestSpec {
            request: ByteString(fs::read(folder.join(format!("by-{kind}.csr"))).unwrap()),
            signer_name: "kubernetes.io/kube-apiserver-client".to_owned(),
            usages: Some(vec!["client auth".to_owned()]),
            ..CertificateSigningRequestSpec::default()
        },
        status: None,
    };
    // One of a run that was killed may be there.
    drop(api.delete(&name, &kube::api::DeleteParams::default()).await);
    let mut request = api.create(&PostParams::default(), &request).await.unwrap();
    let approval = CertificateSigningRequestCondition {
        type_: "Approved".to_owned(),
        status: "True".to_owned(),
        reason: Some("Test".to_owned()),
        ..CertificateSigningRequestCondition::default()
    };
    request.status = Some(CertificateSigningRequestStatus {
        conditions: Some(vec![approval]),
        ..CertificateSigningRequestStatus::default()
    });
    request.metadata.managed_fields = None;
    api.patch_approval(&name, &PatchParams::default(), &Patch::Merge(&request)).await.unwrap();
    for _ in 0..600 {
        let status = api.get(&name).await.unwrap().status.unwrap_or_default();
        if let Some(ByteString(certificate)) = status.certificate {
            fs::write(folder.join(format!("by-{kind}.crt")), certificate).unwrap();
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody signs the certificate {name}");
}
