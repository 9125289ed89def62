use crate::remedy::change::{as_in_the_file, change};

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
            "  spec:",
            "    …",
            "    template:",
            "      spec:",
            "-       one: 1",
            "+       one: 7",
            "        two: 2",
            "        three: 3",
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
        ["  spec:", "    containers:", "    …", "+   initContainers:", "+   - name: first",]
    );
}

/// Catches a line that comes behind a gap, where nobody can tell how long the gap is.
#[test]
fn the_end_of_a_gap_is_shown_where_a_line_comes_behind_it() {
    let before = "spec:\n  template:\n    volumes:\n    - name: data\n    containers:\n    - name: app\n      mountPath: /data\n";
    let after =
        before.replace("    volumes:\n    - name: data\n", "") + "  claims:\n  - name: data\n";
    assert_eq!(
        signed(before, &after),
        [
            "  spec:",
            "    template:",
            "-     volumes:",
            "-     - name: data",
            "      …",
            "        mountPath: /data",
            "+   claims:",
            "+   - name: data",
        ]
    );
}

/// Catches a line that is in no student's file, or one that loses what it holds.
#[test]
fn what_is_not_recorded_of_a_volume_is_told_so() {
    assert_eq!(as_in_the_file("    hostPath: {}"), "    hostPath:  # with all lines below it");
    assert_eq!(as_in_the_file("  - ephemeral: {}"), "  - ephemeral:  # with all lines below it");
    assert_eq!(as_in_the_file("    emptyDir: {}"), "    emptyDir: {}");
}
