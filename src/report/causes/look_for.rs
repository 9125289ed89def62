//! What to look for in a manifest whose lines are not known: of a recording of an earlier version,
//! or of fields that no recording holds.

use checks::{
    mistakes::NAME_OF_TWO_PODS,
    model::{
        Missing, MissingObject, Obstacle, Timeline,
        diagnosis::CONTAINER_ENDS,
        obstacle::{ProbeKind, StuckContainer},
    },
};

use crate::{
    console::sanitize::{clip, sanitize},
    remedy::{
        change::Change,
        commands::CommandFacts,
        edit::{self, Loss},
        script::{ends, is_other_shell},
    },
    report::causes::{Cause, Example, Seen},
};

/// Characters of a line.
const MAX_LINE: usize = 300;
/// Stands for lines that go with the first one.
const WITH_ALL: &str = "  # with all lines indented under it";

/// Tells the lines to look for, where nothing better is known: neither a change nor the lines of the
/// student's own file.
pub(super) fn tell(cause: &mut Cause, timeline: &Timeline, loss: &Loss<'_>, facts: &CommandFacts) {
    let is_changed = !cause.changes_alone.iter().all(Change::is_to_look_at);
    if is_changed || edit::manifest_of_set(loss.objects, timeline).is_some() {
        return;
    }
    let known = if cause.id == NAME_OF_TWO_PODS.id {
        names_of_another(timeline, &cause.seen, facts.service.as_deref())
    } else {
        example(timeline, loss)
    };
    if known.is_some() {
        cause.example = known;
        cause.changes.clear();
        cause.changes_alone.clear();
    }
}

/// The lines of an obstacle; `None` where nobody can say what they look like.
fn example(timeline: &Timeline, loss: &Loss<'_>) -> Option<Example> {
    let obstacle = loss.obstacle?;
    match loss.id {
        CONTAINER_ENDS => ends(obstacle),
        "config_error" => match obstacle.missing.as_deref()? {
            Missing::Program(program) => other_program(program, obstacle.container.as_ref()?),
            Missing::Permission(file) => Some(by_a_shell(file, obstacle.container.as_ref()?)),
            Missing::Object(object) => key(object),
        },
        "init_never_ends" => {
            let name = &obstacle.container.as_ref()?.name;
            taken_out("Below `initContainers`:", &format!("- name: {name}{WITH_ALL}"))
        }
        "probe_fails" | "liveness_fails" => probe(obstacle.container.as_ref()?),
        "image_never_pulled" => {
            taken_out("Beside the `image` of the container:", "imagePullPolicy: Never")
        }
        "host_port" => {
            taken_out("Below the `ports` of the container (… is a number):", "hostPort: …")
        }
        "volume_missing" => {
            let volume = missing_volume(timeline, obstacle.ordinal?)?;
            taken_out("In the `spec` of the PVC:", &format!("volumeName: {volume}"))
        }
        "pod_refused" | "pod_security" => field_to_take_out(&obstacle.why),
        _ => None,
    }
}

/// The volume that a PVC of this ordinal was created with the name of, and did not get.
fn missing_volume(timeline: &Timeline, ordinal: i32) -> Option<&str> {
    timeline.claim_names(ordinal).iter().find_map(|name| {
        let life = timeline.claim(name).last()?;
        let spec = life.claim.spec.as_ref()?;
        (life.names_its_volume && life.bound.is_none()).then_some(spec.volume_name.as_str())
    })
}

/// The lines that give a pod of another workload the name of one of the set's: of the one whose
/// life is among the evidence.
fn names_of_another(timeline: &Timeline, seen: &[Seen], service: Option<&str>) -> Option<Example> {
    let evidence = &seen.first()?.evidence;
    let mut pods = timeline.ordinals().flat_map(|it| timeline.lane(it));
    let pod = pods.find(|it| evidence.contains(&it.added.by))?;
    let before = format!("hostname: {}\nsubdomain: {}", pod.name(), service?);
    Some(lines("In the pod template of the other workload:", &before, ""))
}

fn lines(told: &str, before: &str, after: &str) -> Example {
    let shown =
        |text: &str| text.lines().map(|it| clip(it, MAX_LINE)).collect::<Vec<_>>().join("\n");
    Example { before: shown(before), after: shown(after), told: told.to_owned() }
}

fn taken_out(told: &str, line: &str) -> Option<Example> {
    Some(lines(told, line, ""))
}

/// The line that lets a container end.
fn ends(obstacle: &Obstacle) -> Option<Example> {
    let container = obstacle.container.as_ref()?;
    let name = sanitize(&container.name);
    if let Some(folder) = obstacle.folder_that_exists().map(sanitize) {
        let told = format!("The line that makes the folder, in the command of container {name}:");
        return Some(lines(&told, &format!("mkdir {folder}"), &format!("mkdir -p {folder}")));
    }
    match container.exit_code? {
        0 => {
            let told = format!(
                "The end of the command of container {name} (… is your last line, without `exec`):"
            );
            Some(lines(&told, "…", &format!("…\n{}", ends::idle())))
        }
        // A shell gives other numbers a meaning of its own.
        code @ 1..=125 => {
            let told = format!(
                "Where the command of container {name} says `exit`, if it does (`:` does nothing):"
            );
            Some(lines(&told, &format!("… exit {code} …"), "… : …"))
        }
        _ => None,
    }
}

/// A shell that the image has in place of one that it lacks.
fn other_program(program: &str, container: &StuckContainer) -> Option<Example> {
    let name = program.rsplit('/').next()?;
    let told = format!("The first word of the command of container {}:", sanitize(&container.name));
    is_other_shell(name).then(|| lines(&told, &format!("[{program}, …]"), "[sh, …]"))
}

/// A file that a shell can read, though nobody may execute it.
fn by_a_shell(file: &str, container: &StuckContainer) -> Example {
    let told = format!("The command of container {}:", sanitize(&container.name));
    lines(&told, &format!("[{file}, …]"), &format!("[sh, {file}, …]"))
}

/// A key that an object lacks.
fn key(MissingObject { kind, name, key, .. }: &MissingObject) -> Option<Example> {
    let field = if *kind == "Secret" { "stringData" } else { "data" };
    let told = format!("In {kind} {} (… is the value that the container needs):", sanitize(name));
    Some(lines(&told, "", &format!("{field}:\n  {}: …", key.as_deref()?)))
}

fn probe(container: &StuckContainer) -> Option<Example> {
    let field = match container.failing_probe? {
        ProbeKind::Liveness => "livenessProbe",
        ProbeKind::Readiness => "readinessProbe",
        ProbeKind::Startup => "startupProbe",
    };
    let told = format!("In container {}:", sanitize(&container.name));
    taken_out(&told, &format!("{field}:{WITH_ALL}"))
}

/// `(container "app" must not set securityContext.privileged=true)`.
fn field_to_take_out(why: &str) -> Option<Example> {
    let (_, rest) = why.split_once(" must not set securityContext.")?;
    let (field, value) = rest.split([')', ',', ' ']).next()?.split_once('=')?;
    taken_out("Below a `securityContext` of the pod template:", &format!("{field}: {value}"))
}

#[cfg(test)]
mod tests {
    use super::field_to_take_out;

    /// Catches a field that the server forbids and that nobody is told to look for.
    #[test]
    fn what_is_forbidden_is_told_as_a_line() {
        let why = "violates PodSecurity \"baseline:latest\": privileged (container \"app\" must not \
            set securityContext.privileged=true)";
        assert_eq!(field_to_take_out(why).unwrap().before, "privileged: true");
        assert_eq!(field_to_take_out("host namespaces (hostNetwork=true)"), None);
    }
}
