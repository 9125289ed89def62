//! Files that a grader cannot read, or that hold no text: what is said of them.

use crate::model::{
    evidence::reattachment::excerpt,
    observation::object::Container,
    timeline::lives::PodLife,
    verdict::{Standing, Unreadable},
};

/// What a recording says of a container whose image has no shell.
pub const NO_SHELL: &str = "there is no shell in the image";
/// What a recording says of a user who may not run commands in pods.
pub const NO_PERMISSION: &str = "no permission to run commands in pods";

impl Unreadable {
    /// The reason that a recording gives by the words of `Read::error` or `Lookup::unasked`: it
    /// keeps no more than words.
    #[must_use]
    pub fn recorded(error: &str) -> Option<Self> {
        let known = [(NO_SHELL, Self::NoShell), (NO_PERMISSION, Self::NoPermission)];
        known.into_iter().find(|(words, _)| error.contains(words)).map(|(_, it)| it)
    }
}

/// What to do where no container that keeps running mounts a claim.
const MOUNT_IT: &str = "Give a container of `containers` the same `volumeMounts` as the init container \
    has: what is on the PVC is read there. Then grade again.";

/// How a criterion about files stands of a pod whose claims are mounted in init containers alone,
/// which end: nobody can look there. The words are the same for each pod of a template.
pub(crate) fn out_of_reach(pod: &PodLife) -> Option<Standing> {
    let volumes: Vec<String> = pod.claims().into_iter().map(|(volume, _)| volume).collect();
    let mount_of = |it: &'_ Container| {
        let mut mounts = it.volume_mounts.iter();
        mounts.find(|mount| volumes.contains(&mount.name)).cloned()
    };
    let (lasting, ending): (Vec<_>, Vec<_>) = pod
        .spec()
        .all_containers()
        .filter_map(|it| Some((it, mount_of(it)?)))
        .partition(|(it, _)| pod.is_long_running(&it.name));
    let (container, mount) = ending.first().filter(|_| lasting.is_empty())?;
    let why = format!(
        "only init container {} mounts the PVC (volume {}, mountPath {}), and that has ended: nobody \
        can read it",
        container.name, mount.name, mount.mount_path
    );
    Some(Standing::unseen_with(why, MOUNT_IT))
}

/// `1 file of web-1 could not be read as text: log.gz`. `paths`: where those are that have one, below
/// the mount. `pod`: whose they are, where that is not said already.
pub(crate) fn unreadable<'p>(
    count: u64,
    mut paths: impl Iterator<Item = &'p str>,
    pod: Option<&str>,
) -> String {
    let noun = if count == 1 { "file" } else { "files" };
    let whose = pod.map(|it| format!(" of {it}")).unwrap_or_default();
    let which = match paths.next() {
        Some(path) if count == 1 => format!(": {}", excerpt(path)),
        Some(path) => format!(", such as {}", excerpt(path)),
        None => String::new(),
    };
    format!("{count} {noun}{whose} could not be read as text{which}")
}

#[cfg(test)]
mod tests {
    use super::unreadable;

    /// Catches "1 files", and a file that nobody can find because it is not named.
    #[test]
    fn what_is_no_text_is_counted_and_named() {
        let two = ["a.gz", "b.gz"];
        assert_eq!(
            unreadable(1, two.into_iter(), Some("web-1")),
            "1 file of web-1 could not be read as text: a.gz"
        );
        assert_eq!(
            unreadable(2, two.into_iter(), None),
            "2 files could not be read as text, such as a.gz"
        );
        assert_eq!(unreadable(3, [].into_iter(), None), "3 files could not be read as text");
    }
}
