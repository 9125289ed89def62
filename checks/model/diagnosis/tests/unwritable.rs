//! Containers that may not write to their volumes.

use super::*;
use crate::model::observation::File;
use crate::model::observation::object::{
    ContainerSecurityContext, PodSecurityContext, PodSpec, VolumeMount,
};

/// The first pod, whose container ends again and again with such a last line.
fn ends(with: impl FnOnce(&mut PodSpec), line: &str) -> History {
    let mut history = History::new();
    with(&mut history.spec.template.spec);
    let history = history.service().set(ObjectChange::Added).subject().claim(0).add(0);
    let history = log(ended(history, 1, exit(1)), &[line]);
    log(ended(history, 2, exit(1)), &[line])
}

fn of_group(pod: &mut PodSpec) {
    pod.security_context =
        Some(PodSecurityContext { fs_group: Some(2000), run_as_user: Some(1000) });
}

/// Mounts another volume in the container.
fn mount(pod: &mut PodSpec, name: &str, path: &str) {
    let (name, mount_path) = (name.to_owned(), path.to_owned());
    let mount = VolumeMount { name, mount_path, ..VolumeMount::default() };
    pod.containers[0].volume_mounts.push(mount);
}

const DENIED: [&str; 4] = [
    "sh: can't create /data/id: Permission denied",
    "sh: cd: line 0: can't cd to /data: Permission denied",
    "Error: EACCES: permission denied, mkdir '/data/state'",
    "java.nio.file.AccessDeniedException: /data/state",
];

#[test]
fn a_pod_without_a_group_may_not_write_to_what_belongs_to_root() {
    let by_number = |user| {
        move |pod: &mut PodSpec| {
            pod.security_context =
                Some(PodSecurityContext { run_as_user: Some(user), fs_group: None });
        }
    };
    for line in DENIED {
        stops(&ends(by_number(1000), line), "no_fs_group", Submission);
        // Nobody knows which user the image says.
        stops(&ends(|_| {}, line), "container_ends", Submission);
    }
    // A group does not help root.
    stops(&ends(by_number(0), DENIED[0]), "container_ends", Submission);
    let of_container = |pod: &mut PodSpec| {
        by_number(1000)(pod);
        pod.containers[0].security_context =
            Some(ContainerSecurityContext { run_as_user: Some(0) });
    };
    stops(&ends(of_container, DENIED[0]), "container_ends", Submission);
    // Only the container says who it is.
    let alone = |pod: &mut PodSpec| {
        pod.containers[0].security_context =
            Some(ContainerSecurityContext { run_as_user: Some(1000) });
    };
    stops(&ends(alone, DENIED[0]), "no_fs_group", Submission);
}

/// Catches a right submission that loses its points to the cluster's storage.
#[test]
fn a_storage_that_ignores_the_group_is_the_clusters() {
    for line in DENIED {
        let history = ends(of_group, line);
        stops(&history, "fs_group_ignored", NotTheSubmission);
        assert_eq!(
            words(&history),
            format!(
                "container app ends (exit status 1), started 3 times: {line}; its volumes were to \
                belong to group 2000 (fsGroup), and they do not"
            )
        );
    }
}

/// Catches a submission that is excused for what it may not read elsewhere, or for what it made
/// itself.
#[test]
fn what_is_denied_elsewhere_is_the_submissions_own() {
    for line in [
        "sh: can't create /database/id: Permission denied",
        "sh: can't create /etc/id: Permission denied",
        "sh: can't create /var/data/id: Permission denied",
        "sh: can't create id: Permission denied",
        "sh: can't create /scratch/id: No space left on device",
        "sh: can't create /etc/id: Read-only file system",
    ] {
        stops(&ends(of_group, line), "container_ends", Submission);
        stops(&ends(|_| {}, line), "container_ends", Submission);
    }
    // Another volume is mounted there.
    let of_image = |pod: &mut PodSpec| {
        of_group(pod);
        mount(pod, "scratch", "/scratch");
    };
    let line = "sh: can't create /scratch/id: Permission denied";
    stops(&ends(of_image, line), "container_ends", Submission);
}

const DISK: [&str; 6] = [
    "sh: can't create /data/id: No space left on device",
    "sh: write error: /data/id: Input/output error",
    "sh: can't create /data/id: Read-only file system",
    "Error: ENOSPC: no space left on device, mkdir '/data/state'",
    "OSError: [Errno 122] Disk quota exceeded: '/data/id'",
    "Error: EIO: i/o error, open '/data/id'",
];

/// Reads files of these sizes, in bytes, on the first claim.
fn read_of(history: History, sizes: &[u64], left_out: u64) -> History {
    let file = |size: &u64| File { path: "id".to_owned(), size: *size, ..File::default() };
    history.push(Fact::Read(Read {
        pod: Reference { name: "web-0".to_owned(), uid: "pod-2".to_owned() },
        container: "app".to_owned(),
        claim: "data-web-0".to_owned(),
        mount_path: "/data".to_owned(),
        files: sizes.iter().map(file).collect(),
        left_out,
        ..Read::default()
    }))
}

/// Catches a right submission that loses its points to a disk that is full or broken.
#[test]
fn a_disk_that_is_full_or_broken_is_the_clusters() {
    for line in DISK {
        stops(&ends(|_| {}, line), "disk_fails", NotTheSubmission);
        stops(&read_of(ends(of_group, line), &[6, 30], 0), "disk_fails", NotTheSubmission);
        assert_eq!(
            words(&ends(|_| {}, line)),
            format!("container app ends (exit status 1), started 3 times: {line}")
        );
    }
}

/// Catches a submission that is excused for a disk that it fills itself.
#[test]
fn a_disk_that_the_container_fills_is_the_submissions_own() {
    const MIB: u64 = 1 << 20;
    let full = || ends(|_| {}, DISK[0]);
    stops(&read_of(full(), &[6 * MIB, 5 * MIB], 0), "container_ends", Submission);
    stops(&read_of(full(), &[6, 4 * MIB], 0), "disk_fails", NotTheSubmission);
    stops(&read_of(full(), &[6], 1), "container_ends", Submission);
    // The claim asks for little.
    let little = full().claim_line(0, ObjectChange::Modified, |claim| {
        let requests = &mut claim.spec.as_mut().unwrap().resources.requests;
        requests.insert("storage".to_owned(), "4Mi".to_owned());
    });
    stops(&read_of(little, &[6, 3 * MIB], 0), "container_ends", Submission);
    // No file makes a disk fail.
    let broken = ends(|_| {}, DISK[1]);
    stops(&read_of(broken, &[11 * MIB], 1), "disk_fails", NotTheSubmission);
}

/// Catches a submission that is excused for a disk where its words speak of something else, and one
/// that makes large files before anybody reads them.
#[test]
fn what_only_sounds_like_a_broken_disk_is_the_submissions_own() {
    for line in [
        "Error: I/O error: No such file or directory (os error 2): /data/config.toml",
        // The last path is the one that is written, and the image is its own.
        "EROFS: read-only file system, copyfile '/data/id' -> '/etc/id'",
    ] {
        stops(&ends(|_| {}, line), "container_ends", Submission);
    }
    for line in ["write /data/id: i/o error", "EIO: i/o error, write '/data/id'"] {
        stops(&ends(|_| {}, line), "disk_fails", NotTheSubmission);
    }
    let fills = |pod: &mut PodSpec| {
        pod.containers[0].args = vec!["dd if=/dev/zero of=/data/big bs=1M".to_owned()];
    };
    stops(&ends(fills, DISK[0]), "container_ends", Submission);
}

/// Catches a denial that is not of the claim because the line names a volume within it, too.
#[test]
fn of_two_paths_one_may_be_on_the_claim() {
    let inside = |pod: &mut PodSpec| {
        of_group(pod);
        mount(pod, "seed", "/data/seed");
    };
    let line = "EACCES: permission denied, copyfile '/data/seed/a' -> '/data/a'";
    stops(&ends(inside, line), "fs_group_ignored", NotTheSubmission);
}

/// Catches a submission that is excused for a volume that it has itself mounted read-only, or for
/// another volume in the claim's folder.
#[test]
fn what_is_mounted_read_only_is_the_submissions_own() {
    let read_only = |pod: &mut PodSpec| pod.containers[0].volume_mounts[0].read_only = true;
    stops(&ends(read_only, DISK[2]), "container_ends", Submission);
    stops(&ends(read_only, DISK[0]), "disk_fails", NotTheSubmission);
    let inside = |pod: &mut PodSpec| {
        mount(pod, "config", "/data/config");
    };
    let line = "sh: can't create /data/config/id: Read-only file system";
    stops(&ends(inside, line), "container_ends", Submission);
    stops(&ends(inside, DISK[2]), "disk_fails", NotTheSubmission);
}
