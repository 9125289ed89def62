//! A ConfigMap or a Secret that a pod needs and that is not there, by the kubelet's words.

/// What the kubelet misses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing<'w> {
    /// `ConfigMap` or `Secret`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'w str,
    /// The key that the object lacks, where the object itself is there.
    pub key: Option<&'w str>,
    /// The volume that is made of it, where it is one.
    pub volume: Option<&'w str>,
}

impl<'w> Missing<'w> {
    /// `MountVolume.SetUp failed for volume "config" : configmap "web-config" not found`, or
    /// `couldn't find key password in Secret lab/web`.
    #[must_use]
    pub fn of(why: &'w str) -> Option<Self> {
        key(why).or_else(|| object(why))
    }

    /// What is the matter, in a few words.
    #[must_use]
    pub fn title(&self) -> String {
        match self.key {
            Some(key) => format!("{} {} has no key {key}", self.kind, self.name),
            None => format!("{} {} does not exist", self.kind, self.name),
        }
    }

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> String {
        let Self { kind, name, .. } = self;
        if let Some(key) = self.key {
            return format!(
                "Give {kind} {name} the key {key}, or correct the key where an `env` of the pod \
                template names it."
            );
        }
        let place = match self.volume {
            Some(volume) => format!("volume {volume} of the pod template"),
            None => "`env` or `envFrom` of the pod template".to_owned(),
        };
        format!(
            "Add {kind} {name} to your file, with the keys that the container reads, or correct the \
            name in {place}."
        )
    }
}

/// The program that the runtime did not find in the image: `exec: "bash": executable file not found
/// in $PATH`.
#[must_use]
pub fn program(why: &str) -> Option<&str> {
    let (_, rest) = why.split_once("exec: \"")?;
    Some(rest.split_once("\": ")?.0)
}

fn key(why: &str) -> Option<Missing<'_>> {
    let (_, rest) = why.split_once("couldn't find key ")?;
    let mut words = rest.split_whitespace();
    let key = words.next()?;
    let kind = if words.nth(1)? == "Secret" { "Secret" } else { "ConfigMap" };
    let name = words.next()?.rsplit('/').next()?;
    Some(Missing { kind, name, key: Some(key), volume: None })
}

fn object(why: &str) -> Option<Missing<'_>> {
    [("ConfigMap", "configmap \""), ("Secret", "secret \"")].into_iter().find_map(|(kind, mark)| {
        let (front, rest) = why.split_once(mark)?;
        let (name, rest) = rest.split_once('"')?;
        let volume = front.split_once("volume \"").and_then(|(_, it)| it.split('"').next());
        rest.starts_with(" not found").then_some(Missing { kind, name, key: None, volume })
    })
}

#[cfg(test)]
mod tests {
    use super::Missing;

    /// Catches a missing object that is told without its name, or by the wrong one.
    #[test]
    fn what_is_missing_is_named() {
        for (why, title) in [
            (
                "FailedMount: MountVolume.SetUp failed for volume \"config\" : configmap \
                \"web-config\" not found",
                Some("ConfigMap web-config does not exist"),
            ),
            (
                "CreateContainerConfigError: secret \"db\" not found",
                Some("Secret db does not exist"),
            ),
            (
                "CreateContainerConfigError: couldn't find key password in Secret lab/web",
                Some("Secret web has no key password"),
            ),
            ("exec: \"bash\": executable file not found in $PATH", None),
        ] {
            assert_eq!(Missing::of(why).map(|it| it.title()).as_deref(), title, "{why}");
        }
        let mounted = Missing::of("volume \"config\" : configmap \"web-config\" not found");
        assert_eq!(mounted.unwrap().volume, Some("config"));
    }
}
