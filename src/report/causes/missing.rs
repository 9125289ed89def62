//! What a pod needs to start and does not have, in words, and what to do about it.

use checks::model::{Missing, MissingObject};

use crate::{
    console::sanitize::{clip_middle, sanitize},
    report::causes::words::{MAX_NAME, MAX_TITLE},
};

/// What a pod lacks, and what to do about that.
pub(super) fn lacking(missing: &Missing) -> (String, String) {
    match missing {
        Missing::Object(object) => {
            (clip_middle(&lacking_object(object), MAX_TITLE), how_to_add(object))
        }
        Missing::Permission(file) => (
            format!("{} may not be executed", clip_middle(file, MAX_NAME)),
            format!(
                "The file {file} is there, but nobody may execute it. A file of a ConfigMap gets \
                that permission by `defaultMode: 0755` in the volume's `configMap` (493 is the same \
                number). Or let a shell read it: `command: [sh, {file}]`.",
                file = sanitize(file)
            ),
        ),
        Missing::Program(line) if line.trim().contains(char::is_whitespace) => (
            format!("a whole command is one word: {}", clip_middle(line, MAX_NAME)),
            "Kubernetes takes each word of `command` and `args` as it stands, and the first one for \
            the name of a program. Make the program, each flag and each argument a word of its own; \
            a script behind `sh -c` is one word."
                .to_owned(),
        ),
        Missing::Program(program) => (
            format!("the image has no program {}", clip_middle(program, MAX_NAME)),
            format!(
                "Write a `command` that the image has, or take another image: {} is not in this \
                one. Small images have `sh` as their only shell.",
                sanitize(program)
            ),
        ),
    }
}

fn lacking_object(MissingObject { kind, name, key, .. }: &MissingObject) -> String {
    match key {
        Some(key) => format!("{kind} {name} has no key {key}"),
        None => format!("{kind} {name} does not exist"),
    }
}

/// How the ConfigMap or the Secret, or its key, comes to be there, in words.
fn how_to_add(MissingObject { kind, name, key, volume }: &MissingObject) -> String {
    let name = sanitize(name);
    if let Some(key) = key {
        return format!(
            "Give {kind} {name} the key {}, or correct the key where an `env` of the pod template \
            names it.",
            sanitize(key)
        );
    }
    match volume {
        Some(volume) => format!(
            "Add {kind} {name} to your file, with the keys that the container reads (the grade asks \
            for none). Or correct the name in volume {volume} of the pod template, or take that \
            volume and its `volumeMounts` out.",
            volume = sanitize(volume)
        ),
        None => format!(
            "Add {kind} {name} to your file, with the keys that the container reads, or correct the \
            name in `env` or `envFrom` of the pod template."
        ),
    }
}

#[cfg(test)]
mod tests {
    use checks::model::Missing;

    use super::lacking;

    /// Catches a file that is there, but may not be executed, told as one that the image lacks.
    #[test]
    fn a_file_that_may_not_be_executed_is_there() {
        let (title, remedy) = lacking(&Missing::Permission("/scripts/start.sh".to_owned()));
        assert_eq!(title, "/scripts/start.sh may not be executed");
        for words in ["is there", "`defaultMode: 0755`", "`command: [sh, /scripts/start.sh]`"] {
            assert!(remedy.contains(words), "{remedy}");
        }
    }
}
