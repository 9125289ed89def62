use super::{page, summary};
use crate::{
    batch::{
        gradebook::{Gradebook, sample},
        late::LatePolicy,
    },
    report::Points,
};

/// Catches markup of a student's that gets through, a link to a file that is not there, and a
/// hand-in without its hint.
#[test]
fn the_page_shows_each_hand_in_and_lets_nothing_through() {
    let mut results = sample();
    results[0].owner.name = "<script>alert(1)</script>".to_owned();
    results[0].likeness = "1".to_owned();
    results[1].likeness = "1".to_owned();
    let book = Gradebook {
        results: &results,
        missing: &[],
        policy: LatePolicy::default(),
        assignment: "Lab <3>",
        possible: Points::whole(100),
    };
    let html = String::from_utf8(page(&book, &|path| path == "b/report.html")).unwrap();
    assert_eq!(html, String::from_utf8(page(&book, &|path| path == "b/report.html")).unwrap());
    assert_eq!(html.matches("<script>").count(), 1, "its own alone");
    assert_eq!(html.matches(" href=").count(), 1);
    assert!(html.contains("href=\"b/report.html\""));
    assert_eq!(html.matches("alike: ").count(), 2);
    let failed_by = "<td>emptyDir instead of a PVC (1)</td>";
    assert_eq!(html.matches(failed_by).count(), 2, "tests 3 and 9");
    assert!(
        html.contains("2 hand-ins are graded; 1 of them is undecided: grade it again; 1 is held")
    );
}

/// Catches an instructor who is told to grade again what would be undecided again.
#[test]
fn what_stays_undecided_is_not_to_be_graded_again() {
    let mut results = sample();
    results[1].comes_again = true;
    let told = summary(&results, 0);
    assert!(told.contains("1 of them is undecided, and would be again: its report"), "{told}");
    assert!(!told.contains("grade it again"), "{told}");
}

/// Catches 9.5 points that stand before 9.25 because what is behind the point is sorted as a number.
#[test]
fn points_are_sorted_by_their_value() {
    let mut results = sample();
    results[0].points = Points::hundredths(950);
    results[1].points = Points::hundredths(925);
    let book = Gradebook {
        results: &results,
        missing: &[],
        policy: LatePolicy::default(),
        assignment: "Lab",
        possible: Points::whole(100),
    };
    let html = String::from_utf8(page(&book, &|_| false)).unwrap();
    assert!(html.contains("data-key=\"950\">9.5 of 100<"), "{html}");
    assert!(
        html.contains("data-key=\"925\">9.25 of 100<") && html.contains("data-key=\"950\">9.5<")
    );
}
