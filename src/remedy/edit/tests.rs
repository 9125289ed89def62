use checks::model::{
    Fact, Observation, Obstacle, Timeline,
    observation::{ObjectChange, object::Object},
    obstacle::{HookEnd, StuckContainer},
};
use serde_json::{Value, json};

use super::{Edited, Loss};
use crate::{
    recording::ManifestText,
    remedy::change::{Change, Sign},
};

/// A set that was listed with this spec.
fn timeline(spec: &Value) -> Timeline {
    let set = json!({"metadata": {"name": "web", "uid": "1"}, "spec": spec});
    let set = Object::StatefulSet(serde_json::from_value(set).unwrap());
    let what = Fact::Object(ObjectChange::Listed, set);
    Timeline::of(&[Observation { seq: 1, at: 1, what }])
}

/// The manifest of the graded set.
fn manifest_of_web(text: &str) -> ManifestText {
    ManifestText {
        kind: "StatefulSet".to_owned(),
        name: "web".to_owned(),
        file: "lab.yaml".to_owned(),
        line: 1,
        text: text.to_owned(),
    }
}

fn loss<'l>(id: &'l str, objects: &'l [ManifestText]) -> Loss<'l> {
    Loss { id, obstacle: None, objects, knows_programs: true }
}

fn mended(id: &str, spec: &Value, objects: &[ManifestText]) -> Vec<Change> {
    let timeline = timeline(spec);
    Edited::nothing(objects, &timeline).mend(&loss(id, objects), &timeline)
}

/// The lines that come, or go, without the blanks before them.
fn lines(changes: &[Change], sign: Sign) -> Vec<&str> {
    let all = changes.iter().flat_map(|it| &it.lines).filter(|it| it.sign == sign);
    all.map(|it| it.text.trim()).collect()
}

/// Catches a change of other words than those that are to be written, and a cause that is told
/// later and takes it for made.
#[test]
fn what_cannot_be_shown_is_not_changed() {
    let spec = json!({
        "template": {"spec": {"containers": [
            {"name": "app", "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        ]}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
    });
    let mended = |end: &str| {
        let text = format!(
            "\
kind: StatefulSet
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: app
        command:
        - sh
        - -c
        - |
          date > /data/id{end}
          sleep 1000000
"
        );
        let objects = [manifest_of_web(&text)];
        let timeline = timeline(&spec);
        let before = Edited::nothing(&objects, &timeline);
        let mut edited = before.clone();
        let changes = edited.mend(&loss("overwritten_at_start", &objects), &timeline);
        let is_as_before = edited.objects == before.objects && edited.spec == before.spec;
        (changes.len(), is_as_before)
    };
    assert_eq!(mended(""), (1, false));
    assert_eq!(mended(" # \u{1f468}\u{200d}\u{1f469}"), (0, true));
    assert_eq!(mended(&format!(" # {}", "x".repeat(500))), (0, true));
}

/// Catches two volumes of one name, or in one folder, which the API server refuses.
#[test]
fn a_new_claim_has_a_name_and_a_folder_of_its_own() {
    let spec = |templates: Value| {
        json!({
            "template": {"spec": {
                "containers": [{
                    "name": "app",
                    "volumeMounts": [
                        {"name": "data", "mountPath": "/data/"},
                        {"name": "data-2", "mountPath": "/data-2"},
                    ],
                }],
                "volumes": [{"name": "data"}, {"name": "data-2"}],
            }},
            "volumeClaimTemplates": templates,
        })
    };
    let changes = mended("no_volume", &spec(json!([])), &[]);
    let added = lines(&changes, Sign::Added);
    assert_eq!(added[..2], ["- name: data-3", "mountPath: /data-3"], "{added:?}");
    assert!(added.contains(&"name: data-3"), "{added:?}");
    let changes = mended("not_mounted", &spec(json!([{"metadata": {"name": "own"}}])), &[]);
    assert_eq!(lines(&changes, Sign::Added), ["- name: own", "mountPath: /data-3"]);
}

/// Catches memory, or a folder for what may be lost, that becomes a claim.
#[test]
fn only_an_empty_dir_for_data_becomes_a_claim() {
    let gone = |mounts: &[(&str, &str)], text: &str| {
        let volume_mounts: Vec<Value> =
            mounts.iter().map(|(name, path)| json!({"name": name, "mountPath": path})).collect();
        let volumes: Vec<Value> =
            mounts.iter().map(|(name, _)| json!({"name": name, "emptyDir": {}})).collect();
        let spec = json!({"template": {"spec": {
            "containers": [{"name": "app", "volumeMounts": volume_mounts}],
            "volumes": volumes,
        }}});
        let set = ManifestText {
            kind: "StatefulSet".to_owned(),
            name: "other".to_owned(),
            text: text.to_owned(),
            ..ManifestText::default()
        };
        let changes = mended("empty_dir", &spec, &[set]);
        let names = lines(&changes, Sign::Removed).into_iter();
        names.filter_map(|it| Some(it.strip_prefix("- name: ")?.to_owned())).collect::<Vec<_>>()
    };
    let data = ("data", "/data");
    let both = [data, ("shm", "/dev/shm")];
    assert_eq!(gone(&both, ""), ["data"]);
    assert_eq!(gone(&both[1..], ""), ["shm"]);
    assert_eq!(gone(&[data, ("html", "/tmpl")], ""), ["data", "html"]);
    let in_memory = "spec:\n  template:\n    spec:\n      volumes:\n      - name: cache\n        \
                     emptyDir: {medium: Memory}\n";
    assert_eq!(gone(&[data, ("cache", "/cache")], in_memory), ["data"]);
}

/// Catches a claim of something else that is made larger, or loses its volume or its class.
#[test]
fn only_claims_of_the_set_are_changed() {
    let claim = |name: &str, line| ManifestText {
        kind: "PersistentVolumeClaim".to_owned(),
        name: name.to_owned(),
        file: "lab.yaml".to_owned(),
        line,
        text: format!(
            "kind: PersistentVolumeClaim\nmetadata:\n  name: {name}\nspec:\n  volumeName: x\n  \
             storageClassName: \"\"\n  resources:\n    requests:\n      storage: 5Mi\n"
        ),
    };
    let objects = [claim("data-web-0", 1), claim("cache", 12), claim("named", 24)];
    let spec = json!({
        "replicas": 3,
        "template": {"spec": {
            "containers": [{"name": "app"}],
            "volumes": [{"name": "own", "persistentVolumeClaim": {"claimName": "named"}}],
        }},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
    });
    let changed = |id: &str| -> Vec<String> {
        let changes = mended(id, &spec, &objects);
        changes.into_iter().filter(|it| it.file.is_some()).map(|it| it.object).collect()
    };
    let own = ["PersistentVolumeClaim data-web-0", "PersistentVolumeClaim named"];
    assert_eq!(changed("too_small"), own[..1]);
    assert_eq!(changed("volume_missing"), own);
    assert_eq!(changed("class_none"), own);
}

/// Catches lines to look at that are those of the shell, and not of the script that it runs, or of
/// the container's command where its hook fails.
#[test]
fn the_lines_to_look_at_are_those_of_what_fails() {
    let text = "\
kind: StatefulSet
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: app
        command: [sh, -c]
        args: [my-program]
        lifecycle:
          postStart:
            exec:
              command: [my-hook]
";
    let objects = [manifest_of_web(text)];
    let timeline = timeline(&json!({"template": {"spec": {"containers": [{"name": "app"}]}}}));
    let shown = |id: &'static str, has_failing_hook: bool| {
        let failing_hook = has_failing_hook.then(HookEnd::default);
        let stuck =
            StuckContainer { exit_code: Some(2), failing_hook, ..StuckContainer::named("app") };
        let obstacle =
            Obstacle { container: Some(stuck), ..Obstacle::of_no_pod(id, "web-0", "", "", vec![]) };
        let loss = Loss { obstacle: Some(&obstacle), ..loss(id, &objects) };
        let changes = Edited::nothing(&objects, &timeline).mend(&loss, &timeline);
        assert!(changes.iter().all(Change::is_to_look_at));
        lines(&changes, Sign::Same).join("; ")
    };
    assert_eq!(shown("container_ends", false), "args: [my-program]");
    assert_eq!(shown("post_start_fails", true), "postStart:; exec:; command: [my-hook]");
}

/// Catches a hook that failed otherwise, and whose test is told to be false: it goes on failing.
#[test]
fn a_hook_s_test_is_changed_only_where_it_may_be_false() {
    let text = "\
kind: StatefulSet
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: app
        lifecycle:
          postStart:
            exec:
              command: [sh, -c, '[ ! -f /data/id ] && jq . > /data/id']
";
    let objects = [manifest_of_web(text)];
    let timeline = timeline(&json!({"template": {"spec": {"containers": [{"name": "app"}]}}}));
    let is_edited = |exit_code, has_words| {
        let failing_hook = Some(HookEnd { exit_code, has_words });
        let stuck = StuckContainer { failing_hook, ..StuckContainer::named("app") };
        let id = "post_start_fails";
        let obstacle =
            Obstacle { container: Some(stuck), ..Obstacle::of_no_pod(id, "web-0", "", "", vec![]) };
        let loss = Loss { obstacle: Some(&obstacle), ..loss(id, &objects) };
        let changes = Edited::nothing(&objects, &timeline).mend(&loss, &timeline);
        assert_eq!(changes.len(), 1);
        let added = lines(&changes, Sign::Added).join("");
        assert!(added.is_empty() || added.contains("[ -f /data/id ] || jq"), "{added}");
        !added.is_empty()
    };
    assert!(is_edited(Some(1), false));
    assert!(!is_edited(Some(127), true) && !is_edited(Some(1), true) && !is_edited(None, false));
}

/// Catches a hook that writes over the file at the stop, and a change of the start's line in its
/// place, which overwrites nothing.
#[test]
fn what_a_hook_writes_at_the_stop_is_appended() {
    let text = "\
kind: StatefulSet
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: app
        args: ['[ -f /data/id ] || date > /data/id']
        lifecycle:
          preStop:
            exec:
              command: [sh, -c, 'date > /data/id; date > /tmp/x']
        volumeMounts:
        - name: data
          mountPath: /data
";
    let objects = [manifest_of_web(text)];
    let timeline = timeline(&json!({"template": {"spec": {"containers": [{"name": "app",
        "args": ["[ -f /data/id ] || date > /data/id"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}}}));
    let loss = loss("overwritten_at_stop", &objects);
    let changes = Edited::nothing(&objects, &timeline).mend(&loss, &timeline);
    assert_eq!(
        lines(&changes, Sign::Added).join("; "),
        "command: [sh, -c, 'date >> /data/id; date > /tmp/x']"
    );
}
