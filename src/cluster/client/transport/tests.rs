use std::{sync::Arc, time::Duration};

use rustls::{
    client::danger::ServerCertVerifier as _,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Trusted, client};
use crate::cluster::{Failure, Tried, client::request_layer::RequestLayer};

/// Of `localhost` and 127.0.0.1, signed by an authority that nobody knows: made for this test
/// alone.
const LEAF: &str = "MIIBjDCCATKgAwIBAgIUSyWIMMj4I3rrmYWIlWxzJTQ7W4EwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwHhcNMjYxMTI1MTAwOTE0WhcNMjYxMTI3MTAwOTE0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARCheLoIYYSe8/x5GMK/AM0qZmQmnllw/gY3/q43TTJPp/dm3/fl6BWewAuOeAIXwAtIBd9/N5dYAnDOFpKp/s+o2kwZzAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCQYDVR0TBAIwADAdBgNVHQ4EFgQU41qMN363lfsH4SVbuXEPQh/o1Q0wHwYDVR0jBBgwFoAU+1uCrpwKa2FQJc/yLv2Ln343GykwCgYIKoZIzj0EAwIDSAAwRQIgDvxOt5lrcrtcY2NZYv3Tb/hTJwvnTK85k8RrRMWVQNsCIQDU0sZv8TvwBvTh7/g/H7bwZYtgXZy5ou+qGb3uBTu0sg==";
/// That authority.
const AUTHORITY: &str = "MIIBcDCCARWgAwIBAgIUC/mYiV/ZuZDlm378RS6tLyytUKYwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EwHhcNMjYxMTI1MTAwOTE0WhcNMjYxMTI3MTAwOTE0WjANMQswCQYDVQQDDAJjYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJshAAvKhL2k0K0zpU1NME37+/5AoPoH+2rRuVsDAPIrtJfJYbLzmi6FAGXDuZIjFanadLF6nHnMh+hEdH4gHU2jUzBRMB0GA1UdDgQWBBT7W4KunAprYVAlz/Iu/YuffjcbKTAfBgNVHSMEGDAWgBT7W4KunAprYVAlz/Iu/YuffjcbKTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQDb2XEA1c9qzKoZ42PXdTbqreYrKhsx5WfAOaa1myQhhQIhAPp3uHowSxYHD9c1mSwzubXmdMy66/Bory1YkTma5r2J";

fn der(text: &str) -> Vec<u8> {
    let k8s_openapi::ByteString(bytes) =
        serde_json::from_value(serde_json::Value::String(text.to_owned())).unwrap();
    bytes
}

/// Catches a certificate that is trusted though the kubeconfig does not hold it, or for another
/// host's.
#[test]
fn only_the_very_certificate_and_only_for_its_names() {
    let takes = |trusted: &str, shown: &str, host: &'static str| {
        let trusted = Trusted::of(&[der(trusted)]).unwrap();
        let name = ServerName::try_from(host).unwrap();
        // No certificate of an authority is checked at this time.
        trusted
            .verify_server_cert(
                &CertificateDer::from(der(shown)),
                &[],
                &name,
                &[],
                UnixTime::since_unix_epoch(std::time::Duration::ZERO),
            )
            .is_ok()
    };
    assert!(takes(LEAF, LEAF, "127.0.0.1") && takes(LEAF, LEAF, "localhost"));
    assert!(!takes(LEAF, LEAF, "other.example"));
    assert!(!takes(AUTHORITY, LEAF, "localhost") && !takes(LEAF, AUTHORITY, "localhost"));
}

/// Catches requests that an administrator cannot tell from those of other tools.
#[tokio::test]
async fn requests_say_who_asks() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let config = kube::Config::new(address.parse().unwrap());
    let layer = RequestLayer { requests: Arc::default(), credential: None };
    let client = client(&config, &layer, Duration::from_secs(10)).unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let count = stream.read(&mut head).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
        String::from_utf8(head[..count].to_vec()).unwrap()
    };
    let request = http::Request::get("/version").body(vec![]).unwrap();
    let (head, answer) = tokio::join!(server, client.request_text(request));
    assert_eq!(answer.unwrap(), "{}");
    let agent = head.lines().find_map(|it| it.strip_prefix("user-agent: ")).unwrap();
    assert!(agent.starts_with(concat!("stsgrade/", env!("CARGO_PKG_VERSION"), " (")), "{agent}");
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        assert!(agent.ends_with(" (linux/amd64)"), "{agent}");
    }
}

/// Catches a pinned name that is dropped, so that another server is trusted.
#[tokio::test]
async fn a_name_that_cannot_be_pinned_is_refused() {
    let mut config = kube::Config::new("https://127.0.0.1:1".parse().unwrap());
    config.tls_server_name = Some("not valid!".to_owned());
    let layer = RequestLayer { requests: Arc::default(), credential: None };
    let error = client(&config, &layer, Duration::from_secs(10)).err().unwrap();
    assert_eq!(Failure::of(&error, &Tried::default()).id, "bad_kubeconfig");
}
