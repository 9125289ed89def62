//! Folders of a volume that `subPathExpr` names.

use super::{Files, Start, date, filled, letters, usual};
use crate::model::{
    Outcome::{Inconclusive, Pass},
    observation::{
        Fact, File, ObjectChange,
        object::{EnvVar, EnvVarSource, ObjectFieldSelector, Pod, PodIp, VolumeMount},
    },
    testing::history::History,
};

/// The name, the same at each start.
fn id(start: Start) -> (String, String) {
    ("id".to_owned(), format!("{}\n", start.name()))
}

/// Catches a heartbeat whose old value is to be kept, because the folder that it lies in is named
/// after the pod, although another file tells the pod by itself.
#[test]
fn a_heartbeat_in_the_folder_of_the_pod_is_no_content_to_be_kept() {
    const AFTER_START: i64 = 20;
    let files = |start: Start| -> Files {
        vec![id(start), ("beat".to_owned(), date(start.at + AFTER_START))]
    };
    let mtime =
        |start: Start, path: &str| Some(start.at + if path == "beat" { AFTER_START } else { 0 });
    let toured =
        |history: History| letters(&filled(history.create().inspect().tour(), usual, files, mtime));
    assert_eq!(toured(History::new()), "PPP", "in no folder");
    assert_eq!(toured(History::new().in_a_folder_of("metadata.name")), "PPP", "in the pod's");
}

/// Catches logs in a folder of one pod life that count as lost content, where what tells the pod lies
/// beside it and stays: the example of Kubernetes, "Volumes", "Using subPath with expanded
/// environment variables".
#[test]
fn logs_of_one_pod_life_beside_what_stays() {
    let mut history = History::new();
    let container = &mut history.spec.template.spec.containers[0];
    let field_ref = Some(ObjectFieldSelector { field_path: "metadata.uid".to_owned() });
    container.env =
        vec![EnvVar { name: "POD".to_owned(), value_from: Some(EnvVarSource { field_ref }) }];
    container.volume_mounts.push(VolumeMount {
        name: "data".to_owned(),
        mount_path: "/logs".to_owned(),
        sub_path_expr: "$(POD)".to_owned(),
        ..VolumeMount::default()
    });
    let mut history = filled(
        history.create().inspect().tour(),
        usual,
        |start| vec![id(start)],
        |start, _| Some(start.at),
    );
    let mut lines = vec![];
    for line in std::mem::take(&mut history.lines) {
        lines.push(line.clone());
        let mut logs = line;
        if let Fact::Read(read) = &mut logs.what {
            "/logs".clone_into(&mut read.mount_path);
            let content = Some("served a page\n".to_owned());
            read.files =
                vec![File { path: "log".to_owned(), size: 14, content, ..File::default() }];
            lines.push(logs);
        }
    }
    for (place, line) in lines.iter_mut().enumerate() {
        line.seq = place as u64 + 1;
    }
    history.lines = lines;
    assert_eq!(letters(&history), "PPP");
}

/// Catches a folder that is named after the address, and passes for another one though the pod kept
/// its address.
#[test]
fn a_pod_that_keeps_its_address_keeps_the_folder_of_it() {
    let mut history = History::new().in_a_folder_of("status.podIP");
    history.writes = |ordinal, there, start| {
        Some(there.map_or_else(|| format!("web-{ordinal} start {start}\n"), str::to_owned))
    };
    let keep = |pod: &mut Pod| {
        pod.status.pod_ip = "10.88.0.7".to_owned();
        pod.status.pod_ips = vec![PodIp { ip: "10.88.0.7".to_owned() }];
    };
    let up = history.create().inspect().pod(1, ObjectChange::Modified, keep);
    let back = up.down(1).up(1).pod(1, ObjectChange::Modified, keep).inspect_one(1).end();
    back.assert("identity_persistence", Pass, &[]);
}

/// Catches a folder that may be named after the pod, and passes for one that tells nobody.
#[test]
fn a_folder_of_a_variable_that_is_not_known_may_tell_the_pod() {
    let mut history = History::new().in_a_folder_of("");
    history.writes = |_, _, _| Some("hello\n".to_owned());
    history.create().inspect().end().assert("storage_content", Inconclusive, &[]);
}

/// Catches an undecided test that says that the grader's own file could not be written, where it
/// wrote none because the next pod may mount another folder.
#[test]
fn nothing_is_written_where_the_next_pod_may_not_look() {
    let told = |field: &str| {
        let mut history = History::new().in_a_folder_of(field);
        history.writes = |_, _, _| None;
        let mut replaced = history.create().inspect().down(1).up(1).inspect_one(1).end();
        replaced.lines.retain(|it| !matches!(it.what, Fact::Canary(_)));
        replaced.assert("identity_persistence", Inconclusive, &[]);
        format!("{:?}", replaced.verdict("identity_persistence"))
    };
    for field in ["metadata.uid", "status.podIP", ""] {
        assert!(told(field).contains("writes no file of its own to a folder"), "{field}");
    }
    assert!(told("metadata.name").contains("own file could not be written"));
}
