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
    /// The reason that a recording gives by the words of `Read::error` or `Lookup::undecided`: it
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

/// Files of which not all could be seen, by the reason.
#[derive(Debug, Default)]
pub(crate) struct Hidden<'p> {
    /// Where those are that hold no text, below the mount.
    pub(crate) without_text: Vec<&'p str>,
    /// How many were not read to their end.
    pub(crate) cut: u64,
    /// How many were not looked at.
    pub(crate) left_out: u64,
}

impl Hidden<'_> {
    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        let unread = (self.without_text.len() as u64).saturating_add(self.cut);
        self.left_out.saturating_add(unread)
    }

    /// The reason of those that can be named, else of the others.
    pub(crate) const fn reason(&self) -> Unreadable {
        if self.without_text.is_empty() { Unreadable::LeftOut } else { Unreadable::NoText }
    }

    /// `1 file of web-1 could not be read as text: log.gz`. `pod`: whose they are, where that is
    /// not said already.
    pub(crate) fn in_words(&self, pod: Option<&str>) -> String {
        let whose = pod.map(|it| format!(" of {it}")).unwrap_or_default();
        let files =
            |count: u64| format!("{count} {}{whose}", if count == 1 { "file" } else { "files" });
        let were = |count: u64| if count == 1 { "was" } else { "were" };
        let mut all = vec![];
        if let [first, others @ ..] = &self.without_text[..] {
            let before = if others.is_empty() { ":" } else { ", such as" };
            let count = self.without_text.len() as u64;
            let first = excerpt(first);
            all.push(format!("{} could not be read as text{before} {first}", files(count)));
        }
        if self.cut > 0 {
            all.push(format!("{} {} not read to the end", files(self.cut), were(self.cut)));
        }
        if self.left_out > 0 {
            let count = self.left_out;
            all.push(format!("{} {} not looked at", files(count), were(count)));
        }
        all.join(", and ")
    }
}

#[cfg(test)]
mod tests {
    use super::Hidden;

    /// Catches "1 files", a file that nobody can find because it is not named, and files that were
    /// not looked at told as files without text.
    #[test]
    fn what_is_hidden_is_counted_and_named() {
        let words = |without_text: &[&'static str], cut, left_out, pod| {
            let hidden = Hidden { without_text: without_text.to_vec(), cut, left_out };
            hidden.in_words(pod)
        };
        for (words, expected) in [
            (
                words(&["a.gz"], 0, 0, Some("web-1")),
                "1 file of web-1 could not be read as text: a.gz",
            ),
            (
                words(&["a.gz", "b.gz"], 0, 0, None),
                "2 files could not be read as text, such as a.gz",
            ),
            (words(&[], 0, 3, Some("web-1")), "3 files of web-1 were not looked at"),
            (words(&[], 0, 1, None), "1 file was not looked at"),
            (
                words(&["were.gz"], 1, 2, None),
                "1 file could not be read as text: were.gz, and 1 file was not read to the end, \
                 and 2 files were not looked at",
            ),
        ] {
            assert_eq!(words, expected);
        }
    }
}
