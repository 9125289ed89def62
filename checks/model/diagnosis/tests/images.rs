//! Images that a node does not get.

use super::*;

#[test]
fn images_that_do_not_exist() {
    let deleted = "failed to pull and unpack image \"docker.io/library/busybocks:1.36\": failed \
        to resolve reference \"docker.io/library/busybocks:1.36\": \
        docker.io/library/busybocks:1.36: not found";
    stops(&waiting(first_pod(), "ErrImagePull", deleted), "image_missing", Submission);
    stops(
        &waiting(
            first_pod(),
            "ErrImageNeverPull",
            "Container image \"busybocks:1.36\" is not present with pull policy of Never",
        ),
        "image_never_pulled",
        Submission,
    );
    let invalid = "Failed to apply default image tag \"BusyBox:1.36\": couldn't parse image name \
        \"BusyBox:1.36\": invalid reference format: repository name (library/BusyBox) must be \
        lowercase";
    stops(&waiting(first_pod(), "InvalidImageName", invalid), "image_name_invalid", Submission);
    let backing_off = warned(
        waiting(first_pod(), "ImagePullBackOff", "Back-off pulling image"),
        "Failed",
        &format!("Failed to pull image: {deleted}"),
    );
    stops(&backing_off, "image_missing", Submission);
}

#[test]
fn an_image_s_own_name_is_no_trouble_of_the_registry() {
    let history = first_pod_of(|it| it.image = "lab/refused-timeout:429".to_owned());
    stops(
        &waiting(history, "ErrImagePull", "docker.io/lab/refused-timeout:429: not found"),
        "image_missing",
        Submission,
    );
}

/// Catches a part of an image's name that is taken for what the registry says.
#[test]
fn no_part_of_an_image_s_name_is_trouble_of_the_registry() {
    let hex = format!("{}429{}", "ab".repeat(20), "c".repeat(21));
    let by_digest = format!("registry.example:5000/lab/app@sha256:{hex}");
    for (image, said) in [
        (
            "geoffrey/app:1",
            "Error response from daemon: pull access denied for geoffrey/app, repository does not \
            exist or may require 'docker login': denied: requested access to the resource is denied"
                .to_owned(),
        ),
        (
            by_digest.as_str(),
            format!("https://registry.example:5000/v2/lab/app/manifests/sha256:{hex}: not found"),
        ),
        (by_digest.as_str(), format!("manifest {hex}: manifest unknown")),
        (
            "lab/app:429",
            "pulling from host registry-1.docker.io failed with status code [manifests 429]: \
            manifests/429: not found"
                .to_owned(),
        ),
        (
            "registry.example/lab/timeout",
            "GET https://auth.example/token?scope=repository%3Alab%2Ftimeout%3Apull: denied"
                .to_owned(),
        ),
        ("timeout.example/app", "lookup of timeout.example/app: manifest unknown".to_owned()),
    ] {
        let history = first_pod_of(|it| image.clone_into(&mut it.image));
        stops(&waiting(history, "ErrImagePull", &said), "image_missing", Submission);
    }
    // What the registry says is not taken for a part of the name.
    let history = first_pod_of(|it| "lab/app:4".clone_into(&mut it.image));
    let said = "docker.io/lab/app:4: 429 Too Many Requests: not found";
    waits(&waiting(history, "ErrImagePull", said), "image_unreachable", NotTheSubmission);
}

/// Catches a registry's refusal that leaves the points undecided, and one that a proxy, or the store
/// behind the registry, says.
#[test]
fn a_registry_that_forbids_the_pull_says_that_the_image_is_not_there_to_pull() {
    let token = "failed to resolve reference \"ghcr.io/foo/bar:1\": failed to authorize: failed to \
        fetch anonymous token: unexpected status from GET request to \
        https://ghcr.io/token?scope=repository%3Afoo%2Fbar%3Apull&service=ghcr.io: 403 Forbidden";
    stops(&waiting(first_pod(), "ErrImagePull", token), "image_missing", Submission);
    let hub = "failed to authorize: failed to fetch anonymous token: unexpected status from GET \
        request to https://auth.docker.io/token?service=registry.docker.io: 403 Forbidden";
    waits(&waiting(first_pod(), "ErrImagePull", hub), "never_ready", NotTheSubmission);
    let mirror = "unexpected status from HEAD request to https://mirror.example/v2/app/manifests/1: \
        403 Forbidden";
    waits(&waiting(first_pod(), "ErrImagePull", mirror), "never_ready", NotTheSubmission);
    let proxy = "failed to do request: Head \"https://ghcr.io/v2/foo/bar/manifests/1\": Forbidden";
    waits(&waiting(first_pod(), "ErrImagePull", proxy), "never_ready", NotTheSubmission);
    let part = "failed to copy: httpReadSeeker: failed open: unexpected status code \
        https://store.example/blobs/sha256/8d: 403 Forbidden";
    waits(&waiting(first_pod(), "ErrImagePull", part), "image_unreachable", NotTheSubmission);
}

#[test]
fn registries_that_do_not_answer() {
    for said in [
        "failed to resolve reference \"docker.io/limited/busybox:1.36\": pulling from host \
        127.0.0.1:5000 failed with status code [manifests 1.36]: 429 Too Many Requests",
        "failed to do request: Head \"http://127.0.0.1:1/v2/down/busybox/manifests/1.36\": dial \
        tcp 127.0.0.1:1: connect: connection refused",
        "failed to do request: Head \"https://registry.example/v2/\": dial tcp: lookup \
        registry.example: no such host",
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "unexpected status from HEAD request to https://registry.example/v2/app/manifests/1: 503 \
        Service Unavailable",
    ] {
        waits(&waiting(first_pod(), "ErrImagePull", said), "image_unreachable", NotTheSubmission);
    }
    let mounting = "MountVolume.SetUp failed for volume \"kube-api-access-k6nfx\" : failed to \
        sync configmap cache: timed out waiting for the condition";
    let silent = warned(waiting(first_pod(), "ContainerCreating", ""), "FailedMount", mounting);
    waits(&silent, "volume_not_mounted", NotTheSubmission);
    let silent =
        event(silent, "Pod", "pod-2", "Normal", "Pulling", "Pulling image \"silent/busybox:1.36\"");
    waits(&silent, "image_unreachable", NotTheSubmission);
}
