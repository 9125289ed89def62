use crate::report::causes::{Cause, Grouped, Key, only_reason};

/// Catches a reason that only some of the tests have, told of all.
#[test]
fn a_reason_is_told_where_all_have_it() {
    assert_eq!(only_reason(&["nobody did", "nobody did"]), Some("nobody did"));
    assert_eq!(only_reason(&["nobody did", "it was changed"]), None);
    assert_eq!(only_reason(&[]), None);
}

/// Catches two sentences without a full stop between them, and one that is told twice.
#[test]
fn what_another_pod_has_is_a_sentence_of_its_own() {
    for explanation in ["web-1: a probe fails", "web-1: a probe fails."] {
        let cause = Cause { explanation: explanation.to_owned(), ..Cause::of("id", None) };
        let (key, others, whys) = (Key::NotDone, vec![], vec![]);
        let mut grouped = Grouped { key, cause, obstacle: None, others, whys };
        grouped.add_who("web-2");
        grouped.add_who("web-2");
        let told = "web-1: a probe fails. The same holds for web-2.";
        assert_eq!(grouped.cause.explanation, told);
    }
}
