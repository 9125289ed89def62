use crate::{
    recording::ManifestText,
    remedy::{
        change::{as_in_the_file, change, of_text},
        manifest::Document,
    },
};

/// The lines of a change, each behind its sign.
fn signed(before: &str, after: &str) -> Vec<String> {
    let change = change("A a".to_owned(), before, after).unwrap();
    change.signed().into_iter().map(|(_, line)| line).collect()
}

/// Catches lines that seem to follow each other, and a mark where nothing is left out.
#[test]
fn lines_that_are_left_out_are_marked() {
    let before = "kind: A\n\nspec:\n  replicas: 3\n  template:\n\n    spec:\n      one: 1\n      two: 2\n      three: 3\n      four: 4\n";
    let after = before.replace("one: 1", "one: 7").replace("four: 4", "four: 8");
    assert_eq!(
        signed(before, &after),
        [
            "-       one: 1",
            "+       one: 7",
            "        …  # below: spec.template.spec.four",
            "-       four: 4",
            "+       four: 8",
        ]
    );
}

/// Catches a new key that seems to belong below the last line of the one before it.
#[test]
fn a_key_that_comes_stands_beside_the_one_before_it() {
    let before = "spec:\n  containers:\n  - name: app\n    volumeMounts:\n    - name: data\n      mountPath: /data\n";
    let after = format!("{before}  initContainers:\n  - name: first\n");
    assert_eq!(
        signed(before, &after),
        ["    containers:", "    …", "+   initContainers:", "+   - name: first"]
    );
}

/// Catches a line that comes behind a gap of a file, where nobody can tell how long the gap is, and
/// a part of which the path is not told.
#[test]
fn the_end_of_a_gap_is_shown_where_a_line_comes_behind_it() {
    let before = "spec:\n  template:\n    volumes:\n    - name: data\n    containers:\n    - name: app\n      mountPath: /data\n";
    let after =
        before.replace("    volumes:\n    - name: data\n", "") + "  claims:\n  - name: data\n";
    let text = ManifestText { file: "a.yaml".to_owned(), line: 10, ..ManifestText::default() };
    let read = |text: &str| Document::read(text).unwrap();
    let change = of_text(&text, &read(before), &read(&after)).unwrap();
    assert_eq!(
        change.signed().into_iter().map(|(_, line)| line).collect::<Vec<_>>(),
        [
            "    template:",
            "-     volumes:",
            "-     - name: data",
            "      …  # below: spec.claims",
            "        mountPath: /data",
            "+   claims:",
            "+   - name: data",
        ]
    );
    assert_eq!(change.place(), "a.yaml:12, spec.template.volumes");
}

/// Catches a second change at the line that the first one comes before, told as if it had not moved.
#[test]
fn what_comes_before_a_line_moves_it() {
    let text = ManifestText { file: "a.yaml".to_owned(), line: 5, ..ManifestText::default() };
    let read = |text: &str| Document::read(text).unwrap();
    let of = |before: &str, after: &str| of_text(&text, &read(before), &read(after)).unwrap();
    let first = of("kind: A\n", "version: 1\nkind: A\n");
    assert_eq!(first.place(), "before a.yaml:5, version");
    let mut second = of("kind: A\n", "kind: B\n");
    second.move_below(&first);
    assert_eq!(second.place(), "a.yaml:6, kind");
}

/// Catches the path of a field that leads to another one.
#[test]
fn a_change_says_in_which_field_it_is() {
    let before = "spec:\n  labels:\n    a.b/c: x\n  list:\n  - name: one\n    command:\n    - sh\n    - |\n      a\n      b\n  - {name: two, at: [1, 2]}\n";
    for (from, to, field) in [
        ("a.b/c: x", "a.b/c: y", "spec.labels[a.b/c]"),
        ("      a\n", "      c\n", "spec.list[0].command"),
        ("    - sh\n", "    - ash\n", "spec.list[0].command"),
        ("- name: one", "- name: three", "spec.list[0].name"),
        ("at: [1, 2]", "at: [1, 3]", "spec.list[1]"),
        ("  list:", "  more: 1\n  list:", "spec.more"),
    ] {
        let change = change("A a".to_owned(), before, &before.replace(from, to)).unwrap();
        assert_eq!(change.fields, [field], "{from}");
    }
}

/// Catches a part that stands where no path tells: two fields that are told by what holds both, and
/// a third one of which nothing is said.
#[test]
fn each_part_of_a_change_is_told_where_it_is() {
    let before = "kind: A\nspec:\n  one: 1\n  two: 2\n  list:\n  - name: app\n    image: i\n  # end\n  three: 3\n  four: 4\n";
    let added = "    mounts:\n    - name: data\n  claims:\n  - name: data\n";
    let two = before.replace("    image: i\n", &format!("    image: i\n{added}"));
    let change_of = |after: &str| change("A a".to_owned(), before, after).unwrap();
    let told = change_of(&two);
    assert_eq!(told.fields, ["spec.list[0].mounts", "spec.claims"]);
    assert_eq!(told.place(), "A a, spec.list[0].mounts and spec.claims");
    let three = two.replace("kind: A", "kind: B").replace("four: 4", "four: 5");
    let told = change_of(&three);
    assert_eq!(told.place(), "A a, kind and spec.claims");
    let marks: Vec<&str> =
        told.lines.iter().map(|it| it.text.trim()).filter(|it| it.starts_with('…')).collect();
    assert_eq!(marks, ["…  # below: spec.list[0].mounts", "…  # below: spec.four"]);
}

/// Catches a line of the cluster's order that a student looks for in vain.
#[test]
fn a_new_value_is_told_by_its_path() {
    let before = "spec:\n  replicas: 1\n  serviceName: web\n";
    assert_eq!(signed(before, &before.replace('1', "3")), ["-   replicas: 1", "+   replicas: 3"]);
    let read = |text: &str| Document::read(text).unwrap();
    let text = ManifestText { file: "a.yaml".to_owned(), line: 10, ..ManifestText::default() };
    let own = of_text(&text, &read(before), &read(&before.replace('1', "3"))).unwrap();
    assert_eq!(own.lines.len(), 4, "{own:?}");
}

/// Catches a line that is in no student's file, or one that loses what it holds.
#[test]
fn what_is_not_recorded_of_a_volume_is_told_so() {
    assert_eq!(
        as_in_the_file("    hostPath: {}"),
        "    hostPath:  # with all lines indented under it"
    );
    assert_eq!(
        as_in_the_file("  - ephemeral: {}"),
        "  - ephemeral:  # with all lines indented under it"
    );
    assert_eq!(as_in_the_file("    emptyDir: {}"), "    emptyDir: {}");
}
