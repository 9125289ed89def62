use checks::{
    CHECKS,
    mistakes::MISTAKES,
    model::diagnosis::{self, NAME_TAKEN_BY_OWN_POD},
};

use crate::{
    console::terminal::{TermStyle, WIDTH},
    remedy::{
        commands::{
            CommandFacts, LostFile, Mending, SeeIt, Stuck, Update, commands_after_changes, dry_run,
            see, see_retention,
        },
        flags::Flags,
    },
};

fn facts() -> CommandFacts {
    CommandFacts {
        namespace: "lab".to_owned(),
        set: Some("web".to_owned()),
        service: Some("web".to_owned()),
        replicas: 3,
        claims: vec!["data-web-0".to_owned(), "data-web-1".to_owned()],
        files: vec!["lab3.yaml".to_owned()],
        ..CommandFacts::default()
    }
}

/// Catches a look into a container that ends, and a set that is deleted where one pod is enough.
#[test]
fn a_stuck_pod_is_looked_at_and_replaced_by_its_name() {
    let ends = Stuck { pod: "web-1", ends: Some("app") };
    let logs = see(6, Some(&ends), &facts());
    assert_eq!(logs.commands, ["kubectl logs web-1 -c app -n lab --previous"]);
    // As kubectl says it.
    assert!(
        logs.right.is_some_and(|it| it.contains("`previous terminated container … not found`"))
    );
    let stuck = Stuck { ends: None, ..ends };
    assert_eq!(see(6, Some(&stuck), &facts()).right, Some("`Ready` is True under Conditions"));
    let waits = Mending { id: "config_error", waiting: Some("web-0"), services: &[] };
    let by_hand = CommandFacts { files: vec![], ..facts() };
    assert_eq!(
        commands_after_changes(&[waits], &by_hand),
        [
            "kubectl apply -n lab -f YOUR-FILE.yaml",
            "kubectl delete pod web-0 -n lab",
            "kubectl rollout status sts/web -n lab --timeout=5m",
            "stsgrade grade -n lab",
        ]
    );
    assert_eq!(
        commands_after_changes(&[waits, Mending::of("parallel")], &facts()),
        [
            "kubectl delete sts web -n lab --cascade=foreground",
            "stsgrade grade -n lab -f lab3.yaml",
        ]
    );
}

/// Catches a Pod that is taken out of the file and goes on standing in the set's way, as it does not
/// go with the set; and a command that fails where it does, because the set took it over.
#[test]
fn a_pod_that_has_the_name_of_the_sets_is_deleted() {
    let own = Mending { id: NAME_TAKEN_BY_OWN_POD, waiting: Some("web-1"), services: &[] };
    assert_eq!(
        commands_after_changes(&[own, Mending::of("parallel")], &facts()),
        [
            "kubectl delete sts web -n lab --cascade=foreground",
            "kubectl delete pod web-1 -n lab --ignore-not-found",
            "stsgrade grade -n lab -f lab3.yaml",
        ]
    );
    let alone = commands_after_changes(&[own], &facts());
    assert_eq!(alone[0], "kubectl delete pod web-1 -n lab");
}

/// Catches a remedy that the API server refuses: an immutable field applied onto what stands.
#[test]
fn what_cannot_be_changed_is_deleted_first() {
    assert_eq!(
        commands_after_changes(
            &[Mending::of("no_service"), Mending::of("too_small"), Mending::of("parallel")],
            &facts()
        ),
        [
            "kubectl delete sts web -n lab --cascade=foreground",
            "kubectl delete pvc -n lab data-web-0 data-web-1",
            "stsgrade grade -n lab -f lab3.yaml",
        ]
    );
    assert_eq!(
        commands_after_changes(&[Mending::of("selector_mismatch")], &facts()),
        ["stsgrade grade -n lab -f lab3.yaml"]
    );
    let claims_go = CommandFacts {
        claims_go_with_the_set: true,
        pods: vec!["web-0".to_owned(), "web-1".to_owned()],
        ..facts()
    };
    assert_eq!(
        commands_after_changes(&[Mending::of("probe_fails")], &claims_go),
        [
            "kubectl delete sts web -n lab --cascade=orphan",
            "kubectl delete pods -n lab web-0 web-1",
            "stsgrade grade -n lab -f lab3.yaml",
        ]
    );
    let removed = CommandFacts { cleanup: true, ..facts() };
    assert_eq!(
        commands_after_changes(&[Mending::of("too_small")], &removed),
        ["stsgrade grade -n lab -f lab3.yaml --cleanup"]
    );
    assert!(see(8, None, &removed).commands.is_empty());
    let applied_by_hand = CommandFacts { files: vec![], ..facts() };
    assert_eq!(
        commands_after_changes(&[Mending::of("service_not_headless")], &applied_by_hand),
        [
            "kubectl delete service web -n lab",
            "kubectl apply -n lab -f YOUR-FILE.yaml",
            "kubectl rollout status sts/web -n lab --timeout=5m",
            "stsgrade grade -n lab",
        ]
    );
}

/// Catches a grade that is told before the pods can be Ready, a wait that kubectl refuses, and
/// pods that never get the change.
#[test]
fn what_is_applied_is_waited_for() {
    let by_hand = |update| CommandFacts { files: vec![], update, ..facts() };
    let [apply, grade] = ["kubectl apply -n lab -f YOUR-FILE.yaml", "stsgrade grade -n lab"];
    let rollout = "kubectl rollout status sts/web -n lab --timeout=5m";
    let same_content = [Mending::of("same_content")];
    assert_eq!(
        commands_after_changes(&same_content, &by_hand(Update::Rolling)),
        [apply, rollout, grade]
    );
    let delete = "kubectl delete sts web -n lab --cascade=foreground";
    let partitioned = by_hand(Update::Partitioned);
    assert_eq!(
        commands_after_changes(&same_content, &partitioned),
        [delete, apply, rollout, grade]
    );
    let ready = |count: i32| {
        format!(
            "kubectl wait sts/web -n lab --for=jsonpath='{{.status.readyReplicas}}'={count} \
            --timeout=5m"
        )
    };
    let on_delete = by_hand(Update::OnDelete);
    let mended = commands_after_changes(&same_content, &on_delete);
    assert_eq!(mended, [delete, apply, &ready(3), grade]);
    let one = CommandFacts { replicas: 1, ..on_delete.clone() };
    let more = commands_after_changes(&[Mending::of("too_few_replicas")], &one);
    assert_eq!(more, [apply, &ready(3), grade], "no pod has to be made anew");
    assert_eq!(see(6, None, &on_delete).commands[2], ready(3));
    assert!(see(7, None, &on_delete).commands.contains(&ready(5)));
    let no_set = CommandFacts { set: None, ..by_hand(Update::Rolling) };
    let new = commands_after_changes(&[Mending::of("no_stateful_set")], &no_set);
    let wait = "kubectl rollout status sts -n lab --timeout=5m";
    // What refused the file says why.
    assert_eq!(new, [apply, wait, "stsgrade grade -n lab -f YOUR-FILE.yaml"]);
    // `grade -f` applies, and waits itself.
    let with_file = commands_after_changes(&same_content, &facts());
    assert_eq!(with_file, ["stsgrade grade -n lab -f lab3.yaml"]);
}

/// Catches a row of the table that stands at another check's place.
#[test]
fn each_test_is_seen_by_what_it_is_about() {
    let cases = [
        (2, "creationTimestamp"),
        (3, "get pvc"),
        (4, "exec web-1"),
        (5, "nslookup"),
        (6, "delete pod web-1"),
        (7, "--replicas=5"),
        (8, "wait pod/web-2"),
        (9, "get pvc"),
        (10, "exec web-2"),
    ];
    for (test, what) in cases {
        let commands = see(test, None, &facts()).commands;
        assert!(commands.iter().any(|it| it.contains(what)), "{test}: {commands:?}");
    }
    assert_eq!(see(1, None, &facts()).commands, ["kubectl get pods -n lab"]);
}

/// Catches a student of pods that are Ready at once who waits for times that are seconds apart.
#[test]
fn times_of_pods_may_be_one_second_apart_or_none() {
    for test in [2, 7] {
        let right = see(test, None, &facts()).right.unwrap();
        assert!(right.contains("may share a second") && !right.contains("some seconds"), "{right}");
    }
}

/// Catches a look at a set that is scaled down which is the same with Parallel: one pod goes only, or
/// nobody looks while they go.
#[test]
fn that_pods_go_one_by_one_is_seen_while_two_go() {
    for (replicas, fewer) in [(1, 0), (2, 0), (3, 1), (5, 3)] {
        let SeeIt { commands, right } = see(8, None, &CommandFacts { replicas, ..facts() });
        let scale = format!("kubectl scale sts web -n lab --replicas={fewer}");
        assert_eq!(commands[0], scale);
        assert!(commands[1].ends_with(",DELETED:metadata.deletionTimestamp"), "{commands:?}");
        assert!(right.unwrap().contains("with Parallel two"));
    }
}

/// Catches "see it" commands that leave the set at another number of replicas.
#[test]
fn what_is_scaled_is_scaled_back() {
    for test in CHECKS.map(|it| it.test) {
        let scaled: Vec<String> = see(test, None, &facts())
            .commands
            .into_iter()
            .filter(|it| it.starts_with("kubectl scale"))
            .collect();
        assert!(scaled.last().is_none_or(|it| it.ends_with("--replicas=3")), "{test}: {scaled:?}");
    }
}

/// Catches a look at a set that deletes its claims which loses data, at whatever test.
#[test]
fn what_is_scaled_keeps_the_data() {
    let facts = CommandFacts { claims_go_when_scaled: true, ..facts() };
    for test in CHECKS.map(|it| it.test) {
        let commands = see(test, None, &facts).commands;
        let fewer = ["=0", "=1", "=2"];
        assert!(!commands.iter().any(|it| fewer.iter().any(|few| it.ends_with(few))), "{test}");
        let is_scaled = [2, 7, 8].contains(&test);
        assert_eq!(commands.iter().any(|it| it.ends_with("--replicas=5")), is_scaled, "{test}");
        // PVCs that are made for it go again.
        let right = see(test, None, &facts).right.unwrap();
        assert_eq!(right.contains("are deleted with them"), is_scaled, "{right}");
    }
    for test in [9, 10] {
        assert_eq!(see(test, None, &facts), see_retention(&facts));
    }
}

/// Catches a look that adds two pods to PVCs with data, and deletes these with the pods.
#[test]
fn what_is_scaled_keeps_the_data_that_stood_before() {
    let stands = CommandFacts { claims_stand_for_more: true, ..facts() };
    assert_eq!(see(7, None, &stands), see(7, None, &facts()));
    let facts = CommandFacts { claims_go_when_scaled: true, ..stands };
    for test in [2, 7, 8] {
        assert_eq!(see(test, None, &facts), see_retention(&facts), "{test}");
    }
}

/// Catches a look that leaves PVCs behind, and does not say so.
#[test]
fn pvcs_that_stay_are_told() {
    let right = |facts: &CommandFacts| see(7, None, facts).right.unwrap();
    assert!(right(&facts()).ends_with("The PVCs of the two pods that were added stay"));
    assert!(!right(&CommandFacts { claims: vec![], ..facts() }).contains("PVCs"));
}

/// Catches a look at the field that says whether claims go which scales the set.
#[test]
fn a_set_that_deletes_claims_is_not_scaled_to_be_seen() {
    let get = "kubectl get sts web -n lab -o \
        jsonpath='{.spec.persistentVolumeClaimRetentionPolicy}'";
    assert_eq!(see_retention(&facts()).commands, [get]);
    let removed = CommandFacts { cleanup: true, ..facts() };
    assert!(see_retention(&removed).commands.is_empty());
}

/// Catches a wait for a pod that stays.
#[test]
fn a_pod_that_must_go_is_waited_for() {
    for test in [6, 8, 9, 10] {
        let one = see(test, None, &CommandFacts { replicas: 1, ..facts() }).commands;
        assert!(!one.iter().any(|it| it.contains("web-1")), "{one:?}");
        let waits = one.iter().position(|it| it.starts_with("kubectl wait pod/web-0"));
        let fewer = one.iter().position(|it| it.ends_with("--replicas=0"));
        assert!(test == 6 || fewer.is_some() && fewer < waits, "{one:?}");
    }
}

/// Catches a command that runs in another container than the one that has the files, and a name that
/// is asked for by a program that the image lacks.
#[test]
fn commands_run_where_they_can() {
    let container = Some("app".to_owned());
    let file = Some("/data/id".to_owned());
    let mount_path = Some("/data/".to_owned());
    let has_other_containers = true;
    let content = file.clone();
    let own = CommandFacts { container, has_other_containers, content, mount_path, ..facts() };
    let all = ["kubectl exec web-1 -c app -n lab -- grep -r web- /data/"];
    assert_eq!(see(4, None, &own).commands, all);
    // What is no text stays out of a terminal.
    let random = CommandFacts { content: None, written: file, ..own.clone() };
    let names = ["kubectl exec web-1 -c app -n lab -- grep -rl web-1 /data/"];
    assert_eq!(see(4, None, &random).commands, names);
    let name = "nslookup web-1.web.lab.svc.cluster.local";
    assert_eq!(
        see(5, None, &own).commands,
        [format!(
            "kubectl run dns-test -n lab --image=busybox:1.36 --rm -it --restart=Never -- {name}"
        )]
    );
    let busybox = CommandFacts { has_nslookup: true, ..own };
    let own_pod = [format!("kubectl exec web-0 -c app -n lab -- {name}")];
    assert_eq!(see(5, None, &busybox).commands, own_pod);
}

/// Catches commands for another cluster than the one that was graded, and a grade that asks which
/// set is meant.
#[test]
fn commands_have_the_flags_of_the_grade() {
    let flags = Flags {
        context: Some("two".to_owned()),
        statefulset: Some("web".to_owned()),
        probe_image: Some("tools:1".to_owned()),
        ..Flags::default()
    };
    let facts = CommandFacts { flags, ..facts() };
    assert_eq!(
        commands_after_changes(&[Mending::of("parallel")], &facts),
        [
            "kubectl --context two delete sts web -n lab --cascade=foreground",
            "stsgrade grade -n lab --context two -f lab3.yaml --statefulset web --probe-image tools:1",
        ]
    );
    assert_eq!(see(1, None, &facts).commands, ["kubectl --context two get pods -n lab"]);
    let dry_run = dry_run(&facts, "a.yaml").commands;
    assert!(dry_run.iter().all(|it| it.starts_with("kubectl --context two apply ")), "{dry_run:?}");
    // Catches a namespace that is made only to look at a manifest, and stays.
    assert!(dry_run.iter().all(|it| it.contains(" --dry-run=server ")), "{dry_run:?}");
}

/// Catches a folder, or a part of a word, that is taken for the pod's name.
#[test]
fn a_lost_file_is_told_by_the_name_of_the_pod_that_is_replaced() {
    let told = |pod: &str, folder: &str, file: &str| {
        let lost = LostFile {
            pod: pod.to_owned(),
            folder: folder.to_owned(),
            file: file.to_owned(),
            is_text: true,
            ..LostFile::default()
        };
        let set = pod.strip_suffix("-0").unwrap().to_owned();
        let facts = CommandFacts { set: Some(set), lost: Some(lost), ..facts() };
        see(6, None, &facts).commands[0].rsplit_once("cat ").unwrap().1.to_owned()
    };
    assert_eq!(told("a-0", "/data-0", "id"), "/data-0/id");
    assert_eq!(told("a-0", "/a-0/", "data-0/a-0.txt"), "/a-0/data-0/a-1.txt");
    assert_eq!(told("a-0", "/data", "a-01/log_a-0"), "/data/a-01/log_a-1");
}

/// Catches a command that is longer than a terminal's line, of whatever names it is made.
#[test]
fn commands_of_long_names_are_broken_where_a_shell_goes_on() {
    const LONG: &str = "a-name-of-forty-characters-in-total-here";
    let long = CommandFacts {
        namespace: LONG.to_owned(),
        set: Some(LONG.to_owned()),
        service: Some(LONG.to_owned()),
        claims: (0..3).map(|it| format!("data-{LONG}-{it}")).collect(),
        content: Some("/usr/share/nginx/html/index.html".to_owned()),
        container: Some(LONG.to_owned()),
        has_other_containers: true,
        ..facts()
    };
    let by_hand = CommandFacts { files: vec![], ..long.clone() };
    let ids = MISTAKES.iter().map(|it| it.id).chain(diagnosis::obstacles().map(|(id, ..)| id));
    let mut commands: Vec<String> =
        ids.flat_map(|id| commands_after_changes(&[Mending::of(id)], &by_hand)).collect();
    commands.extend(CHECKS.iter().flat_map(|it| see(it.test, None, &long).commands));
    let margin = " ".repeat(13);
    let mut broken = 0;
    for command in &commands {
        let lines = TermStyle::PLAIN.command(&margin, command, &margin);
        for line in &lines {
            let words = line.trim_end_matches(" \\").trim_start();
            let fits = line.chars().count() <= WIDTH || !words.contains(' ');
            assert!(fits, "{line}");
        }
        let whole: Vec<&str> = lines.iter().map(|it| it.trim_end_matches('\\').trim()).collect();
        assert_eq!(whole.join(" "), *command);
        broken += usize::from(lines.len() > 1);
    }
    assert!(broken > 20, "{broken} of {}", commands.len());
}
