//! A credential plugin's certificate that expires while the tool runs.

use std::time::Duration;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, api::PostParams};
use stsgrade::cluster::{Cluster, Options};

use crate::kubeconfigs::{Setup, row::Row};

/// The plugin's certificates last half a minute, so that the next one is asked for soon: the same
/// one until the file `plugin.renewed` is there, and then that of another user.
const ROW: &str = r#"
name: a certificate that expires meanwhile
user: |
  exec: {command: ./plugin, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}
files:
  plugin: |
    #!/bin/sh
    if [ ! -e "$0.renewed" ]; then
      until=$(date -u -d '+30 seconds' +%FT%TZ) crt='<escaped by-p256.crt>' key='<escaped by-p256.key>'
    else
      until=2999-01-01T00:00:00Z crt='<escaped by-p384.crt>' key='<escaped by-p384.key>'
    fi
    printf '%s' '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{'
    printf '"expirationTimestamp":"%s",' "$until"
    printf '"clientCertificateData":"%s","clientKeyData":"%s"}}' "$crt" "$key"
connects: by-p384
"#;
/// The longest that it may take.
const WITHIN: Duration = Duration::from_secs(60);

/// Catches a grade that outlives its certificate, and one that goes on by a connection which began
/// with the old one.
pub(super) async fn a_certificate_is_renewed(setup: &Setup) -> Result<(), String> {
    let row: Row = serde_saphyr::from_str(ROW).unwrap();
    let dir = setup.folder.path().join("renewal");
    setup.write(&row, &dir);
    let options = Options { kubeconfig: Some(dir.join("config")), ..Options::default() };
    let cluster = Cluster::connect(&options).await.map_err(|it| format!("{it:?}"))?;
    let who = async || {
        let reviews: Api<SelfSubjectReview> = Api::all(cluster.client.clone());
        let asked = SelfSubjectReview::default();
        let told = reviews.create(&PostParams::default(), &asked).await.unwrap();
        told.status.and_then(|it| it.user_info?.username).unwrap_or_default()
    };
    let first = who().await;
    if first != "by-p256" {
        return Err(format!("the first certificate is that of {first}"));
    }
    std::fs::write(dir.join("plugin.renewed"), "").unwrap();
    let renewed = async {
        while who().await == first {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let renewed = tokio::time::timeout(WITHIN, renewed).await;
    match (renewed, who().await.as_str()) {
        (Ok(()), "by-p384") => Ok(()),
        (_, other) => Err(format!("although there is another certificate, it is {other}")),
    }
}
