use crate::model::{
    Fact,
    Outcome::{Fail, Inconclusive, Pass},
    observation::{
        File, ObjectChange,
        object::{Object, Present, Running, Volume, VolumeMount},
    },
    testing::history::{History, Writes},
};

mod removed;
mod resets;

fn replaced(writes: Writes) -> History {
    let mut history = History::new();
    history.writes = writes;
    history.create().inspect().down(1).up(1).inspect_one(1).end()
}

#[test]
fn appending_and_guarding_pass() {
    replaced(|ordinal, there, start| {
        Some(format!("{}web-{ordinal} {start}\n", there.unwrap_or_default()))
    })
    .assert("identity_persistence", Pass, &[]);
    replaced(|ordinal, there, start| {
        Some(there.map_or_else(|| format!("web-{ordinal} {start}\n"), str::to_owned))
    })
    .assert("identity_persistence", Pass, &[]);
}

#[test]
fn rewriting_the_very_same_passes() {
    replaced(|ordinal, _, _| Some(format!("web-{ordinal}\n"))).assert(
        "identity_persistence",
        Pass,
        &[],
    );
}

/// Catches a folder of the volume that the next pod does not mount, where what each start writes
/// there is the same.
#[test]
fn what_lies_in_the_folder_of_one_pod_life_is_not_there_any_more() {
    let in_folder = |field: &str| {
        let mut history = History::new().in_a_folder_of(field);
        history.writes = |ordinal, _, _| Some(format!("web-{ordinal}\n"));
        history.create().inspect().down(1).up(1).inspect_one(1).end()
    };
    in_folder("metadata.name").assert("identity_persistence", Pass, &[]);
    let lost = in_folder("metadata.uid");
    lost.assert("identity_persistence", Fail, &["folder_of_one_pod"]);
    let told = format!("{:?}", lost.verdict("identity_persistence"));
    assert!(told.contains("mounts another folder of the PVC"), "{told}");
    in_folder("status.podIP").assert("identity_persistence", Fail, &["folder_of_one_pod"]);
}

#[test]
fn a_new_date_over_the_old_one_fails() {
    // The behaviour of the lab's Section 1 manifest.
    replaced(|ordinal, _, start| Some(format!("Pod: web-{ordinal}\nDate: {start}{ordinal}\n")))
        .assert("identity_persistence", Fail, &["overwritten_at_start"]);
}

/// Each start writes anew; the container starts and the file is written at these seconds of
/// 05:36 on 2026-11-23.
fn rewritten(started: u32, written: [i64; 3]) -> History {
    rewritten_by(History::new(), started, written)
}

fn rewritten_by(mut history: History, started: u32, written: [i64; 3]) -> History {
    history.writes =
        |ordinal, _, start| Some(format!("web-{ordinal} at 04:{ordinal:02}:{start:02}\n"));
    history = history.create().inspect();
    for ordinal in [1, 2] {
        history = history.down(ordinal).claim(ordinal).add(ordinal).ready(ordinal).pod(
            ordinal,
            ObjectChange::Modified,
            |pod| {
                let state = &mut pod.status.container_statuses[0].state;
                state.running =
                    Some(Running { started_at: Some(format!("2026-11-23T05:36:{started:02}Z")) });
            },
        );
        history = history.inspect_one(ordinal);
        for line in &mut history.lines {
            if let Fact::Read(read) = &mut line.what
                && read.pod.name == format!("web-{ordinal}")
            {
                let second = written[usize::try_from(ordinal).unwrap_or(0)];
                read.files.iter_mut().for_each(|it| it.mtime = Some(1_795_412_160 + second));
            }
        }
    }
    history.end()
}

#[test]
fn what_is_written_before_the_start_was_written_at_the_stop() {
    for (written, mistake) in [
        ([0, 19, 19], "overwritten_at_stop"),
        ([0, 20, 20], "overwritten_at_start"),
        ([0, 21, 22], "overwritten_at_start"),
        // Within one second, another pod's file tells.
        ([0, 20, 19], "overwritten_at_stop"),
    ] {
        rewritten(20, written).assert("identity_persistence", Fail, &[mistake]);
    }
    // Both happen, each is told.
    rewritten(20, [0, 19, 21]).assert(
        "identity_persistence",
        Fail,
        &["overwritten_at_stop", "overwritten_at_start"],
    );
}

/// Catches a change that guards what is written, and leaves the command that removes it.
#[test]
fn what_a_command_removes_is_not_told_as_written_over() {
    for (command, mistake) in [
        ("rm -rf DIR/*; date | tee DIR/id", "wiped_at_start"),
        ("find DIR -type f | xargs rm -f; date > DIR/id", "wiped_at_start"),
        ("find DIR -name '*.tmp' -delete; date > DIR/id", "overwritten_at_start"),
        ("(cd DIR; rm -rf *); date > DIR/id", "wiped_at_start"),
        ("cd DIR && find -delete; date > DIR/id", "wiped_at_start"),
        ("cd /tmp; rm -rf *; date > DIR/id", "overwritten_at_start"),
        ("cd DIR; rm -f /tmp/x; date > DIR/id", "overwritten_at_start"),
        ("rm -f DIR/lock; date > DIR/id", "overwritten_at_start"),
        ("[ -f DIR/id ] && rm -f DIR/id; date > DIR/id", "wiped_at_start"),
        ("[ -f DIR/id ] && rm -f DIR/i*; date > DIR/id", "wiped_at_start"),
        ("rm -f DIR/id; [ -d DIR/x ] || mkdir DIR/x; date > DIR/id", "overwritten_at_start"),
        (
            "find DIR -name '*.l' -delete; [ -e DIR/id ] && ls\ndate > DIR/id",
            "overwritten_at_start",
        ),
        ("rm -f DIR/{id,l}; [ -e DIR/id ] && ls\ndate > DIR/id", "wiped_at_start"),
        ("rm -rf DIR/*/; [ -e DIR/id ] && ls\ndate > DIR/id", "wiped_at_start"),
        ("rm -f DIR/l; [ -d DIR/x ] || mkdir DIR/x; date > DIR/id", "overwritten_at_start"),
        ("rm -f DIR/*.l; [ -e DIR/id ] && ls\ndate > DIR/id", "overwritten_at_start"),
    ] {
        let mut history = History::new();
        let container = &mut history.spec.template.spec.containers[0];
        let folder = container.volume_mounts[0].mount_path.clone();
        container.command = vec!["sh".to_owned(), "-c".to_owned(), command.replace("DIR", &folder)];
        let history = rewritten_by(history, 20, [0, 20, 20]);
        history.assert("identity_persistence", Fail, &[mistake]);
    }
}

/// Catches that what lies on a folder of the pod's own, which goes with the pod, counts as
/// removed from its claim.
#[test]
fn what_a_command_removes_elsewhere_is_not_what_was_lost() {
    let mut history = History::new();
    let pod = &mut history.spec.template.spec;
    pod.volumes.push(Volume {
        name: "scratch".to_owned(),
        empty_dir: Some(Present {}),
        ..Default::default()
    });
    pod.containers[0].volume_mounts.push(VolumeMount {
        name: "scratch".to_owned(),
        mount_path: "/tmp".to_owned(),
        ..Default::default()
    });
    pod.containers[0].args = vec!["rm -rf /tmp/*; date > /data/id".to_owned()];
    let history = rewritten_by(history, 20, [0, 20, 20]);
    history.assert("identity_persistence", Fail, &["overwritten_at_start"]);
}

/// Catches a second container that writes over the file while the pod runs, told as one that
/// writes when it is told to stop; and a hook that writes over it at the stop, told as one that
/// removes it, because the start writes only what is not there.
#[test]
fn what_is_written_before_the_stop_was_not_written_because_of_it() {
    let stopped_at = |written: i64, script: &str| {
        let mut history = History::new();
        history.spec.template.spec.containers[0].args = vec![script.to_owned()];
        let mut history = rewritten_by(history, 20, [0, written, written]);
        for line in &mut history.lines {
            let Fact::Object(change, Object::Pod(pod)) = &mut line.what else { continue };
            // Asked to at 05:36:18.
            let is_last = *change == ObjectChange::Deleted;
            if let Some(stamp) = &mut pod.metadata.deletion_timestamp {
                let end = if is_last { "2026-11-23T05:36:18Z" } else { "2026-11-23T05:36:48Z" };
                end.clone_into(stamp);
                pod.metadata.deletion_grace_period_seconds = Some(if is_last { 0 } else { 30 });
            }
            for status in &mut pod.status.container_statuses {
                let running = status.state.running.get_or_insert_default();
                running.started_at.get_or_insert("2026-11-23T05:36:10Z".to_owned());
            }
        }
        history
    };
    for script in ["date > /data/id", "[ -f /data/id ] || date > /data/id"] {
        let stopped = stopped_at(19, script);
        stopped.assert("identity_persistence", Fail, &["overwritten_at_stop"]);
    }
    let ran = stopped_at(15, "date > /data/id");
    ran.assert("identity_persistence", Fail, &["overwritten_at_start"]);
    let told = format!("{:?}", ran.verdict("identity_persistence"));
    assert!(told.contains("(written 5 s after the container's start in the pod before)"), "{told}");
}

/// Catches a file that tells nobody, written until the old pod's stop, by which the start's
/// overwriting of the other is taken for one at the stop.
#[test]
fn only_the_file_that_was_lost_tells_when_it_was_written_over() {
    let mut history = rewritten(20, [0, 21, 22]);
    for (beat, line) in history.lines.iter_mut().enumerate() {
        if let Fact::Read(read) = &mut line.what {
            read.files.push(File {
                path: "heartbeat".to_owned(),
                content: Some(format!("beat {beat}\n")),
                size: 20,
                mtime: Some(1_795_412_160 + 15),
                ..File::default()
            });
        }
    }
    history.assert("identity_persistence", Fail, &["overwritten_at_start"]);
}

#[test]
fn after_another_start_nobody_knows_which_one_wrote() {
    let mut history = rewritten(20, [0, 19, 19]);
    history.lines.pop();
    for ordinal in [1, 2] {
        history = history.pod(ordinal, ObjectChange::Modified, |pod| {
            pod.status.container_statuses[0].restart_count = 1
        });
    }
    history.end().assert("identity_persistence", Fail, &["overwritten_at_start"]);
}

#[test]
fn a_line_of_its_own_that_survives_a_rewrite_passes() {
    replaced(|ordinal, there, start| {
        let first = there.and_then(|it| it.lines().next()).map_or_else(
            || {
                format!(
                    "web-{ordinal} token {}",
                    [831, 422, 977][usize::try_from(ordinal).unwrap_or(0)]
                )
            },
            str::to_owned,
        );
        Some(format!("{first}\nstarts: {start}\n"))
    })
    .assert("identity_persistence", Pass, &[]);
}

#[test]
fn no_identity_is_judged_by_the_canary_alone() {
    replaced(|_, _, _| None).assert("identity_persistence", Pass, &[]);
}

#[test]
fn a_missing_canary_fails_only_where_nothing_else_proves_the_content() {
    let mut history = History::new();
    history.writes = |_, _, _| None;
    let mut wiped = history.create().inspect().down(1).up(1).inspect_one(1).end();
    for line in wiped.lines.iter_mut().rev().take(5) {
        if let crate::model::Fact::Canary(canary) = &mut line.what {
            canary.saw.iter_mut().for_each(Vec::clear);
        }
    }
    wiped.assert("identity_persistence", Fail, &["wiped_at_start"]);
}

#[test]
fn a_replacement_that_nobody_could_read_is_unseen() {
    let unread = History::new().create().down(1).up(1).end();
    unread.assert("identity_persistence", Inconclusive, &[]);
}

#[test]
fn every_replacement_that_stays_must_be_ready() {
    let one = History::created().down(1).up(1).inspect_one(1).down(2).add(2);
    one.clone().end().assert("identity_persistence", Inconclusive, &[]);
    one.down(2).end().assert("identity_persistence", Pass, &[]);
}

#[test]
fn what_was_replaced_before_anybody_looked_shows_nothing() {
    let early = History::new().create().down(1).up(1);
    early.clone().inspect().end().assert("identity_persistence", Inconclusive, &[]);
    early.inspect().down(2).up(2).inspect_one(2).end().assert("identity_persistence", Pass, &[]);
}

#[test]
fn what_could_not_be_read_as_text_is_unseen() {
    let binary = |read: &mut crate::model::observation::Read| {
        read.files
            .iter_mut()
            .for_each(|it| (it.content, it.without) = (None, Some("binary".to_owned())));
    };
    let mut after = replaced(|ordinal, there, _| {
        Some(there.map_or_else(|| format!("web-{ordinal}"), str::to_owned))
    });
    let last = after
        .lines
        .iter_mut()
        .rev()
        .find_map(|it| if let Fact::Read(read) = &mut it.what { Some(read) } else { None });
    last.into_iter().for_each(binary);
    after.assert("identity_persistence", Inconclusive, &[]);
    // The canary tells, where there is one.
    let mut before = replaced(|ordinal, _, _| Some(format!("web-{ordinal}")));
    for line in &mut before.lines {
        if let Fact::Read(read) = &mut line.what {
            binary(read);
        }
    }
    before.assert("identity_persistence", Pass, &[]);
    before
        .lines
        .iter_mut()
        .filter(|it| matches!(it.what, Fact::Canary(_)))
        .for_each(|it| it.what = Fact::Unknown);
    before.assert("identity_persistence", Inconclusive, &[]);
}

/// Catches a second deletion, by somebody impatient, that leaves the test undecided for ever, and
/// hides what a start writes over.
#[test]
fn a_pod_that_nobody_read_is_passed_over() {
    let hasty = |writes: Writes| {
        let mut history = History::new();
        history.writes = writes;
        history.create().inspect().down(1).up(1).down(1).up(1).inspect_one(1)
    };
    let appends: Writes = |ordinal, there, start| {
        Some(format!("{}web-{ordinal} {start:02}:04:05\n", there.unwrap_or_default()))
    };
    let overwrites: Writes = |ordinal, _, start| Some(format!("web-{ordinal} {start:02}:04:05\n"));
    hasty(appends).end().assert("identity_persistence", Pass, &[]);
    hasty(overwrites).end().assert("identity_persistence", Fail, &["overwritten_at_start"]);
    // Where another pod shows it, one that nobody read takes nothing from that.
    let unread = || History::created().down(2).up(2).down(2);
    let other = unread().up(2).down(1).up(1).inspect_one(1);
    other.end().assert("identity_persistence", Inconclusive, &[]);
    let scaled_away = History::created().down(2).up(2).scale(2).down(2);
    let other = scaled_away.down(1).up(1).inspect_one(1);
    other.end().assert("identity_persistence", Pass, &[]);
}

/// Catches a claim that is lost with a pod whose successor had to go before anybody read it.
#[test]
fn a_claim_that_is_lost_is_lost_whoever_read_the_pod() {
    let mut history = History::new();
    history.spec.template.spec.volumes.clear();
    history.spec.volume_claim_templates.clear();
    let lost = history.create().down(1).up(1).scale(1).down(2).down(1);
    lost.end().assert("identity_persistence", Fail, &["no_volume"]);
}

/// Catches "no pod was deleted and came back", said to somebody who deleted one that came back.
#[test]
fn a_pod_that_came_back_for_a_moment_is_not_denied() {
    let moment = History::created().down(1).add(1).pod(1, ObjectChange::Modified, |pod| {
        pod.metadata.deletion_timestamp = Some("2026-11-23T05:00:30Z".to_owned());
        pod.status.conditions.push(crate::model::observation::object::Condition {
            r#type: "Ready".to_owned(),
            status: "True".to_owned(),
            ..Default::default()
        });
    });
    let gone = moment.deleted(1);
    let told = format!("{:?}", gone.clone().end().verdict("identity_persistence"));
    assert!(!told.contains("no pod was deleted and came back"), "{told}");
    gone.up(1).inspect_one(1).end().assert("identity_persistence", Pass, &[]);
}
