//! A file that the kernel does not run: it may not be executed, or the program that its first line
//! names is not there.

use checks::{model::observation::object::Container, shell::is_within};

use crate::remedy::{
    edit::{
        Loss,
        text::{SetText, items, with},
    },
    manifest::{Edit, Path, PathStep, keys},
};

/// The permissions of a file that all may read and execute: 0755, as JSON has to write it.
const EXECUTABLE: u32 = 0o755;
/// The sources of a volume whose files get their permissions by `defaultMode`.
const SOURCES: [&str; 3] = ["configMap", "secret", "projected"];
/// How the name of a script for a shell ends.
const SCRIPT: &str = ".sh";

/// Lets the file that may not be executed have the permission for it, where a volume of the pod
/// template gives that; otherwise lets a shell run it, where its name is that of a script.
pub(super) fn permitted(loss: &Loss<'_>, set: &SetText<'_>) -> Vec<Edit> {
    let Some(file) = loss.obstacle.and_then(|it| it.forbidden_program()) else { return vec![] };
    let Some(container) = set.stuck(loss) else { return vec![] };
    if let Some(source) = volume_of(file, set, container) {
        return vec![Edit::Set(with(&source, "defaultMode"), EXECUTABLE.into())];
    }
    let command = with(container, "command");
    let words = set.document.texts(&command);
    if !file.ends_with(SCRIPT) || words.first() != Some(&file) {
        return vec![];
    }
    let words: Vec<&str> = std::iter::once("sh").chain(words).collect();
    vec![Edit::Set(command, words.into())]
}

/// The source of the volume in which a container has a file, if it is one with permissions of its
/// own.
fn volume_of(file: &str, set: &SetText<'_>, container: &Path) -> Option<Path> {
    let document = set.document;
    let innermost = items(document, &with(container, "volumeMounts"))
        .into_iter()
        .filter_map(|it| Some((document.scalar(&with(&it, "mountPath"))?, it)))
        .filter(|(folder, _)| is_within(file, folder))
        .max_by_key(|(folder, _)| folder.len())?;
    let name = document.scalar(&with(&innermost.1, "name"))?.to_owned();
    let volume = [keys("spec.template.spec.volumes"), vec![PathStep::Named(name)]].concat();
    SOURCES.iter().map(|it| with(&volume, it)).find(|it| document.has(it))
}

/// Lets a shell run the file of which the kernel does not find what its first line names, where its
/// name is that of a script for a shell. That line stands in a ConfigMap mostly, and is not recorded.
pub(super) fn run_by_a_shell(loss: &Loss<'_>, container: &mut Container) {
    let Some(file) = loss.obstacle.and_then(|it| it.not_executed()) else { return };
    if file.ends_with(SCRIPT) && container.command.first().is_some_and(|it| it == file) {
        container.command.insert(0, "sh".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use checks::model::{
        Missing, Obstacle, observation::object::Container, obstacle::StuckContainer,
    };

    use super::{permitted, run_by_a_shell};
    use crate::remedy::{
        edit::{Loss, difference::edited, text::SetText},
        manifest::Document,
    };

    fn obstacle(missing: Option<Missing>, log: &[&str]) -> Obstacle {
        Obstacle {
            container: Some(StuckContainer::named("app")),
            missing: missing.map(Box::new),
            log: log.iter().map(|it| (*it).to_owned()).collect(),
            ..Obstacle::of_no_pod("config_error", "web-0", "", "", vec![])
        }
    }

    fn loss(obstacle: &Obstacle) -> Loss<'_> {
        Loss { id: obstacle.id, obstacle: Some(obstacle), objects: &[], knows_programs: true }
    }

    /// Catches a command that is taken out because its script may not be executed, and permissions
    /// that a volume of another kind gets.
    #[test]
    fn a_script_gets_the_permission_where_a_volume_gives_it() {
        let mended = |source: &str| {
            let text = format!(
                "\
spec:
  template:
    spec:
      containers:
      - name: app
        command: [/scripts/start.sh]
        volumeMounts:
        - name: all
          mountPath: /
        - name: scripts
          mountPath: /scripts
      volumes:
      - name: scripts
        {source}:
          name: scripts
"
            );
            let obstacle = obstacle(Some(Missing::Permission("/scripts/start.sh".to_owned())), &[]);
            let document = Document::read(&text).unwrap();
            let edits = permitted(&loss(&obstacle), &SetText::of(&document));
            let after = edited(&document, &edits).unwrap();
            let new = after.text().lines().filter(|it| !text.contains(it)).map(str::trim);
            new.collect::<Vec<_>>().join("; ")
        };
        assert_eq!(mended("configMap"), "defaultMode: 493");
        assert_eq!(mended("persistentVolumeClaim"), "command: [sh, /scripts/start.sh]");
    }

    /// Catches a script that no change lets run, and one of another language that a shell would run.
    #[test]
    fn a_script_for_a_shell_that_is_missing_is_run_by_sh() {
        let command = |file: &str, said: &str| {
            let obstacle = obstacle(None, &["begin", &format!("exec {file}: {said}")]);
            let command = vec![file.to_owned()];
            let mut container = Container { command, ..Container::default() };
            run_by_a_shell(&loss(&obstacle), &mut container);
            container.command.join(" ")
        };
        let missing = "no such file or directory";
        assert_eq!(command("/scripts/start.sh", missing), "sh /scripts/start.sh");
        assert_eq!(command("/scripts/start.sh", "exec format error"), "sh /scripts/start.sh");
        assert_eq!(command("/scripts/start.py", missing), "/scripts/start.py");
        assert_eq!(command("/scripts/start.sh", "text file busy"), "/scripts/start.sh");
    }
}
