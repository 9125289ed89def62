use crate::model::{
    Fact,
    Outcome::{Fail, Inconclusive, Pass},
    Standing, Unreadable,
    observation::{
        CanaryVisit,
        object::{Container, PodSecurityContext},
    },
    testing::history::{History, Writes},
};

fn wrote(writes: Writes) -> History {
    let mut history = History::new();
    history.writes = writes;
    history.create().inspect().end()
}

#[test]
fn what_tells_the_writer() {
    let told: [Writes; 7] = [
        |ordinal, _, _| Some(format!("web-{ordinal}")),
        |ordinal, _, _| Some(format!("I am web-{ordinal}, of web-0 web-1 web-2\n")),
        |ordinal, _, _| Some(format!("server-id={}\n", ordinal + 100)),
        |ordinal, _, _| Some(format!("ordinal {ordinal} started 12:30:0{ordinal}\n")),
        |ordinal, _, _| Some(format!("10.88.1.{} is me\n", ordinal + 10)),
        |ordinal, _, _| {
            Some(if ordinal == 0 {
                "web-0 leads\n".to_owned()
            } else {
                format!("web-{ordinal} follows web-0\n")
            })
        },
        |ordinal, _, _| {
            Some(format!("Pod: web-{ordinal}\nDate: Mon Nov 23 03:54:1{ordinal} UTC 2026\n"))
        },
    ];
    for writes in told {
        wrote(writes).assert("storage_content", Pass, &[]);
    }
}

#[test]
fn what_does_not() {
    let alike: [Writes; 2] =
        [|_, _, _| Some("hello\n".to_owned()), |_, _, _| Some("web-0 web-1 web-2\n".to_owned())];
    for writes in alike {
        wrote(writes).assert("storage_content", Fail, &["same_content"]);
    }
    let untold: [Writes; 3] = [
        |ordinal, _, _| Some(format!("Mon Nov 23 03:54:1{ordinal} UTC 2026\n")),
        |ordinal, _, _| Some(format!("members web-0 web-1 web-2 at 12:30:0{ordinal}\n")),
        |ordinal, _, _| {
            Some(format!(
                "{}\n",
                ["a91f3c", "7bd2e0", "04c8aa"][usize::try_from(ordinal).unwrap_or(0)]
            ))
        },
    ];
    for writes in untold {
        wrote(writes).assert("storage_content", Fail, &["tells_no_pod"]);
    }
}

/// Catches a volume whose folders name the pods, though what lies in them does not, and an empty
/// folder, which is the kubelet's.
#[test]
fn a_folder_of_the_volume_tells_the_writer() {
    let in_folder = |field: &str, writes: Writes| {
        let mut history = History::new().in_a_folder_of(field);
        history.writes = writes;
        history.create().inspect().end()
    };
    let hello: Writes = |_, _, _| Some("hello\n".to_owned());
    for field in ["metadata.name", "metadata.uid", "status.podIP"] {
        in_folder(field, hello).assert("storage_content", Pass, &[]);
    }
    in_folder("spec.nodeName", hello).assert("storage_content", Fail, &["same_content"]);
    in_folder("metadata.name", |_, _, _| None).assert(
        "storage_content",
        Fail,
        &["nothing_written"],
    );
    let mut binary = in_folder("metadata.name", hello);
    for line in &mut binary.lines {
        if let Fact::Read(read) = &mut line.what {
            read.files
                .iter_mut()
                .for_each(|it| (it.content, it.without) = (None, Some("binary".to_owned())));
        }
    }
    binary.assert("storage_content", Pass, &[]);
}

#[test]
fn an_empty_claim_fails() {
    wrote(|_, _, _| None).assert("storage_content", Fail, &["nothing_written"]);
}

/// Catches a right submission that loses the test to a storage that ignores `fsGroup`, and a
/// volume of root's that is told as a command that writes nothing.
#[test]
fn a_claim_that_may_not_be_written_to() {
    let refused = |context: Option<PodSecurityContext>| {
        let mut history = History::new();
        history.writes = |_, _, _| None;
        history.spec.template.spec.security_context = context;
        let mut history = history.create().inspect().end();
        for line in &mut history.lines {
            if let Fact::Canary(canary) = &mut line.what {
                canary.wrote = None;
                canary.error = Some("Permission denied".to_owned());
            }
        }
        history
    };
    let user = |group| PodSecurityContext { run_as_user: Some(1000), fs_group: group };
    refused(Some(user(Some(2000)))).assert("storage_content", Inconclusive, &[]);
    refused(Some(user(None))).assert("storage_content", Fail, &["no_fs_group"]);
    // Nobody knows which user the image says.
    refused(None).assert("storage_content", Fail, &["nothing_written"]);
    let root = PodSecurityContext { run_as_user: Some(0), fs_group: None };
    refused(Some(root)).assert("storage_content", Fail, &["nothing_written"]);
}

#[test]
fn unread_files_are_unseen() {
    History::new().create().end().assert("storage_content", Inconclusive, &[]);
}

/// Catches advice to grade again about files that no grade can read, because the container that
/// mounts the claim has ended.
#[test]
fn files_that_no_running_container_mounts_are_out_of_reach() {
    let mut history = History::new();
    let pod = &mut history.spec.template.spec;
    let writer = Container { name: "init".to_owned(), ..pod.containers[0].clone() };
    pod.containers[0].volume_mounts.clear();
    pod.init_containers = vec![writer];
    let verdict = history.create().end().verdict("storage_content");
    assert_eq!(verdict.outcome(), Inconclusive);
    let Some(Standing::Unseen { why, remedy, .. }) = verdict.decisive().map(|it| &it.standing)
    else {
        panic!("{verdict:?}")
    };
    assert_eq!(
        why,
        "only init container init mounts the PVC (volume data, mountPath /data), and that has ended: \
        nobody can read it"
    );
    assert!(remedy.contains("`volumeMounts`"), "{remedy}");
}

#[test]
fn what_is_no_text_is_unseen() {
    let mut history = wrote(|_, _, _| Some("hello".to_owned()));
    for line in &mut history.lines {
        if let Fact::Read(read) = &mut line.what {
            read.files
                .iter_mut()
                .for_each(|it| (it.content, it.without) = (None, Some("binary".to_owned())));
        }
    }
    history.assert("storage_content", Inconclusive, &[]);
}

#[test]
fn names_on_one_storage_are_everywhere() {
    let mut history = wrote(|_, _, _| Some("web-0 web-1 web-2\n".to_owned()));
    history.lines.pop();
    let wrote = history.lines.iter().find_map(|it| {
        if let Fact::Canary(canary) = &it.what { canary.wrote.clone() } else { None }
    });
    let seen = CanaryVisit {
        claim: "data-web-1".to_owned(),
        saw: wrote.map(|it| vec![it]),
        ..Default::default()
    };
    history.push(Fact::Canary(seen)).end().assert(
        "storage_content",
        Fail,
        &["same_content", "shared_storage", "same_content"],
    );
}

/// Catches files that were not looked at, because there are too many, told as files without text.
#[test]
fn files_that_were_not_looked_at_are_told_as_that() {
    let mut history = wrote(|_, _, _| Some("hello\n".to_owned()));
    for line in &mut history.lines {
        if let Fact::Read(read) = &mut line.what {
            (read.left_out, read.searched) = (3, false);
        }
    }
    history.assert("storage_content", Inconclusive, &[]);
    let criteria = history.verdict("storage_content").criteria;
    let is_told = |it: &Standing| {
        matches!(it, Standing::Unseen { why, unreadable: Some(Unreadable::LeftOut), .. }
            if why == "no text tells who wrote it, and 3 files were not looked at")
    };
    assert!(criteria.iter().all(|it| is_told(&it.standing)), "{criteria:?}");
}
