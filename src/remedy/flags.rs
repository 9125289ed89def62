//! The flags of a grade that its commands must have again.

use crate::{recording::AskedOptions, remedy::shell_word};

/// Flags of `grade` that choose what is graded, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--context`.
    pub context: Option<String>,
    /// `--kubeconfig`, as it was typed.
    pub kubeconfig: Option<String>,
    /// `--statefulset`.
    pub statefulset: Option<String>,
    /// `--probe-image`.
    pub probe_image: Option<String>,
}

impl Flags {
    /// Those that a recording knows. Somebody else's flags graded what stands in a batch.
    #[must_use]
    pub fn recorded(asked: &AskedOptions) -> Self {
        if asked.command != "grade" {
            return Self::default();
        }
        Self {
            statefulset: asked.statefulset.clone(),
            probe_image: asked.probe_image.clone(),
            ..Self::default()
        }
    }

    /// As a shell takes them; without what cannot be typed.
    pub(super) fn as_shell_words(&self) -> Self {
        let word = |it: &Option<String>| shell_word(it.as_deref()?);
        Self {
            context: word(&self.context),
            kubeconfig: word(&self.kubeconfig),
            statefulset: word(&self.statefulset),
            probe_image: word(&self.probe_image),
        }
    }

    /// Which cluster: behind `kubectl`, and behind the namespace of `stsgrade`.
    pub(super) fn cluster(&self) -> String {
        with_values(&[("context", &self.context), ("kubeconfig", &self.kubeconfig)])
    }

    /// What of it: at the end of `stsgrade grade`.
    pub(super) fn subject(&self) -> String {
        with_values(&[("statefulset", &self.statefulset), ("probe-image", &self.probe_image)])
    }

    /// The commands, each for the cluster that was graded.
    #[must_use]
    pub fn aimed(&self, commands: Vec<String>) -> Vec<String> {
        let cluster = self.cluster();
        let aim = |command: String| match command.strip_prefix("kubectl ") {
            Some(rest) if !cluster.is_empty() => format!("kubectl{cluster} {rest}"),
            _ => command,
        };
        commands.into_iter().map(aim).collect()
    }
}

fn with_values(flags: &[(&str, &Option<String>)]) -> String {
    let given = flags.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    given.map(|(name, value)| format!(" --{name} {value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::Flags;

    /// Catches a flag that a shell takes for more than a word, or that loses its value.
    #[test]
    fn flags_are_typed_as_a_shell_takes_them() {
        let some = |it: &str| Some(it.to_owned());
        let flags = Flags {
            context: some("my class"),
            kubeconfig: some("~/k.yaml"),
            statefulset: some("web"),
            probe_image: some("registry:5000/tools:1@sha256:ab"),
        };
        let flags = flags.as_shell_words();
        assert_eq!(flags.cluster(), " --context 'my class' --kubeconfig ~/k.yaml");
        assert_eq!(
            flags.subject(),
            " --statefulset web --probe-image registry:5000/tools:1@sha256:ab"
        );
        let commands = vec!["kubectl get pods -n lab".to_owned(), "stsgrade show".to_owned()];
        assert_eq!(
            flags.aimed(commands),
            ["kubectl --context 'my class' --kubeconfig ~/k.yaml get pods -n lab", "stsgrade show"]
        );
        let hostile = Flags { probe_image: some("a;b:1"), context: some("-x"), ..Flags::default() };
        assert_eq!(hostile.as_shell_words().subject(), " --probe-image 'a;b:1'");
        assert_eq!(hostile.as_shell_words().cluster(), "");
    }
}
