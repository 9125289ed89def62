use std::collections::BTreeSet;

use checks::model::{
    Fact, Observation, Timeline,
    observation::{ObjectChange, object::Object},
};

use super::{ClaimView, MountWalk, choose};
use crate::cluster::exec::ExecError;

fn mounted(pod: &str) -> Vec<ClaimView> {
    let pod = serde_json::from_str(pod).unwrap();
    let timeline = Timeline::of(&[Observation {
        seq: 1,
        at: 1,
        what: Fact::Object(ObjectChange::Listed, Object::Pod(pod)),
    }]);
    timeline.unowned_pods().flat_map(ClaimView::of).collect()
}

const POD: &str = r#"{"metadata": {"name": "web-0", "uid": "1"},
    "spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}, {"name": "logs", "persistentVolumeClaim": {"claimName": "logs-web-0"}}, {"name": "tmp", "emptyDir": {}}],
        "initContainers": [{"name": "setup", "volumeMounts": [{"name": "data", "mountPath": "/d"}]},
            {"name": "shipper", "restartPolicy": "Always", "volumeMounts": [{"name": "logs", "mountPath": "/l"}]}],
        "containers": [{"name": "reader", "volumeMounts": [{"name": "data", "mountPath": "/r", "readOnly": true}]},
            {"name": "web", "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/tmp"}]}]},
    "status": {"containerStatuses": [{"name": "reader", "state": {"running": {}}}, {"name": "web", "state": {"running": {"startedAt": "x"}}}],
        "initContainerStatuses": [{"name": "setup", "state": {"terminated": {"exitCode": 0}}}, {"name": "shipper", "state": {"running": {"startedAt": "x"}}}]}}"#;

#[test]
fn writable_before_read_only_and_sidecars_too() {
    let left = mounted(POD);
    let none = BTreeSet::new();
    let (container, together) = choose(&left, &none).unwrap();
    assert_eq!(
        (container.as_str(), together.len(), together[0].path.as_str()),
        ("web", 1, "/data")
    );
    let (container, together) = choose(&left[1..], &none).unwrap();
    assert_eq!((container.as_str(), together[0].claim.as_str()), ("shipper", "logs-web-0"));
}

#[test]
fn without_a_shell_another_container_is_asked() {
    let left = mounted(POD);
    assert!(left[0].has_other(&BTreeSet::new(), "web"));
    let (container, _) = choose(&left, &BTreeSet::from(["web".to_owned()])).unwrap();
    assert_eq!(container, "reader");
    assert!(!left[1].has_other(&BTreeSet::new(), "shipper"));
}

/// Catches a container that is asked again and again, because another claim of its can be read
/// elsewhere.
#[test]
fn a_walk_ends_where_a_claim_has_no_container_with_a_shell() {
    let pod = r#"{"metadata": {"name": "web-0", "uid": "1"},
        "spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}, {"name": "logs", "persistentVolumeClaim": {"claimName": "logs-web-0"}}],
            "containers": [{"name": "app", "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "logs", "mountPath": "/logs"}]},
                {"name": "shipper", "volumeMounts": [{"name": "logs", "mountPath": "/l"}]}]},
        "status": {"containerStatuses": [{"name": "app", "state": {"running": {}}}, {"name": "shipper", "state": {"running": {}}}]}}"#;
    let mut walk = MountWalk::new(mounted(pod), false);
    let mut unread = vec![];
    let mut read = vec![];
    for _ in 0..6 {
        let Some((container, mounts)) = walk.next() else { break };
        let error = (container == "app").then_some(ExecError::NoShell);
        if walk.finish(&container, &mounts, error.as_ref()) {
            let claims = mounts.into_iter().map(|it| it.claim);
            if error.is_some() { unread.extend(claims) } else { read.extend(claims) }
        }
    }
    assert!(walk.next().is_none(), "{walk:?}");
    assert_eq!((unread, read), (vec!["data-web-0".to_owned()], vec!["logs-web-0".to_owned()]));
}

#[test]
fn the_same_view_through_other_containers() {
    let left = mounted(POD);
    let (container, together) = choose(&left, &BTreeSet::new()).unwrap();
    let others = together[0].through_other_containers(&BTreeSet::new(), &container);
    assert_eq!(
        others.iter().map(|(name, view)| (name.as_str(), view.path.as_str())).collect::<Vec<_>>(),
        [("reader", "/r")]
    );
    assert!(
        together[0]
            .through_other_containers(&BTreeSet::from(["reader".to_owned()]), &container)
            .is_empty()
    );
}

fn of_mounts(main: &str, other: &str) -> Vec<ClaimView> {
    mounted(&format!(
        r#"{{"metadata": {{"name": "web-0", "uid": "1"}},
        "spec": {{"volumes": [{{"name": "data", "persistentVolumeClaim": {{"claimName": "data-web-0"}}}}],
            "initContainers": [{{"name": "setup", "volumeMounts": [{other}]}}],
            "containers": [{{"name": "web", "volumeMounts": [{main}]}}]}},
        "status": {{"containerStatuses": [{{"name": "web", "state": {{"running": {{"startedAt": "x"}}}}}}]}}}}"#
    ))
}

/// Catches a canary in a folder that nothing mounts any more when the pod is gone, and none where the
/// chosen container mounts the whole claim.
#[test]
fn a_folder_that_the_next_pod_may_not_mount_is_known() {
    let views = |source: &str, other: &str| {
        mounted(&format!(
            r#"{{"metadata": {{"name": "web-0", "uid": "1"}},
            "spec": {{"volumes": [{{"name": "data", "persistentVolumeClaim": {{"claimName": "data-web-0"}}}}],
                "containers": [{{"name": "web", "env": [{{"name": "POD"{source}}}],
                    "volumeMounts": [{{"name": "data", "mountPath": "/d", "subPathExpr": "$(POD)"}}]}},
                    {{"name": "all", "volumeMounts": [{other}]}}]}},
            "status": {{"containerStatuses": [{{"name": "web", "state": {{"running": {{}}}}}}, {{"name": "all", "state": {{"running": {{}}}}}}]}}}}"#
        ))
    };
    let none = BTreeSet::new();
    let may_be_left = |source: &str, other: &str, without_shell: &BTreeSet<String>| {
        let (_, together) = choose(&views(source, other), without_shell).unwrap();
        together[0].may_be_left
    };
    let field = |path| format!(r#", "valueFrom": {{"fieldRef": {{"fieldPath": "{path}"}}}}"#);
    assert!(may_be_left(&field("metadata.uid"), "", &none));
    assert!(may_be_left(&field("status.podIP"), "", &none));
    assert!(may_be_left("", "", &none), "made of another variable");
    assert!(!may_be_left(&field("metadata.name"), "", &none));
    let whole = r#"{"name": "data", "mountPath": "/all"}"#;
    assert!(!may_be_left(&field("metadata.uid"), whole, &none));
    let all = BTreeSet::from(["all".to_owned()]);
    assert!(may_be_left(&field("metadata.uid"), whole, &all), "it has no shell");
}

#[test]
fn each_folder_of_a_claim_is_a_view() {
    let two = r#"{"name": "data", "mountPath": "/html", "subPath": "html"}, {"name": "data", "mountPath": "/log", "subPathExpr": "$(POD)/log"}"#;
    let left = of_mounts(two, "");
    let (_, together) = choose(&left, &BTreeSet::new()).unwrap();
    let seen: Vec<_> =
        together.iter().map(|it| (it.path.as_str(), it.is_first, it.is_partial)).collect();
    assert_eq!(seen, [("/html", true, false), ("/log", false, false)], "nobody knows `$(POD)`");
    assert!(!left[0].is_same(&left[1]));
    let read_only = r#"{"name": "data", "mountPath": "/conf", "subPath": "conf", "readOnly": true}, {"name": "data", "mountPath": "/html", "subPath": "html"}"#;
    let (_, together) = choose(&of_mounts(read_only, ""), &BTreeSet::new()).unwrap();
    let first = together.iter().find(|it| it.is_first).map(|it| it.path.as_str());
    assert_eq!(first, Some("/html"), "the canary goes where it can be written");
    let whole = format!(r#"{two}, {{"name": "data", "mountPath": "/all", "readOnly": true}}"#);
    let (_, together) = choose(&of_mounts(&whole, ""), &BTreeSet::new()).unwrap();
    assert_eq!(together.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(), ["/all"]);
}

#[test]
fn what_only_an_ended_container_mounted_is_not_seen() {
    let left = of_mounts(
        r#"{"name": "data", "mountPath": "/html", "subPath": "html"}"#,
        r#"{"name": "data", "mountPath": "/data"}"#,
    );
    assert!(left[0].is_partial);
}
