use super::{Gradebook, sample};
use crate::{
    batch::{
        handin::Member, late::LatePolicy, platform::Platform, results::HandInResult,
        roster::Student,
    },
    report::Points,
};

fn rows(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    reader.records().map(|it| it.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Catches a platform's word that counts for nothing, or against a due date that it does not know,
/// a student of a group who gets another's lateness or no points, and one whom a platform takes for
/// somebody else because the school's id stands where its own number belongs.
#[test]
fn each_student_of_a_group_gets_the_points() {
    let mut result = sample().remove(0);
    result.is_late = true;
    let member = Member { student: Some("7".to_owned()), ..Member::default() };
    result.shared_with = vec![Member { due: Some(2000), ..member }];
    let results = result.of_each_student();
    let policy = LatePolicy { per_day: Points::whole(5), ..LatePolicy::default() };
    let possible = Points::whole(100);
    let book = Gradebook { results: &results, missing: &[], policy, assignment: "Lab", possible };
    let of_each: Vec<_> = rows(&book.general()).into_iter().skip(1).collect();
    let told = |row: &Vec<String>| [&row[0], &row[3], &row[9], &row[10]].map(String::clone);
    assert_eq!(told(&of_each[0]), ["1001", "a", "1", "75"]);
    assert_eq!(told(&of_each[1]), ["7", "a", "0", "80"]);
    assert_eq!(of_each.len(), 2);
    for (platform, canvas, moodle) in [
        (Platform::Canvas, [["101", "1001"], ["", "7"]], ["", ""]),
        (Platform::Moodle, [["", "1001"], ["", "7"]], ["Participant 101", ""]),
    ] {
        let results = HandInResult { platform, ..result.clone() }.of_each_student();
        let book = Gradebook { results: &results, ..book };
        let ids: Vec<_> =
            rows(&book.canvas())[2..].iter().map(|it| [it[1].clone(), it[2].clone()]).collect();
        assert_eq!(ids, canvas, "nobody gets another's number");
        let ids: Vec<_> = rows(&book.moodle())[1..].iter().map(|it| it[0].clone()).collect();
        assert_eq!(ids, moodle);
    }
    result.handed_in = Some(900);
    assert_eq!(book.days_late(&result), 0, "a time that is known counts");
}

/// Catches lateness that is not taken off, an open result that a platform would take for final, a
/// name that a spreadsheet would run, and a column that moved.
#[test]
fn each_platform_gets_its_own_table() {
    let mut results = sample();
    results[0].owner.name = "=cmd|'/C calc'!A0".to_owned();
    results[0].handed_in = Some(1001);
    let missing = [Student { id: "77".to_owned(), name: "Eve".to_owned(), ..Student::default() }];
    let book = Gradebook {
        results: &results,
        missing: &missing,
        policy: LatePolicy {
            due: Some(1000),
            per_day: Points::hundredths(550),
            ..LatePolicy::default()
        },
        assignment: "Lab (12)",
        possible: Points::whole(100),
    };
    assert_eq!(rows(&book.canvas())[2][1], "", "a number that no Canvas gave");
    assert_eq!(rows(&book.moodle())[1][0], "", "a number that no Moodle gave");
    let mut results = results.clone();
    results[0].platform = Platform::Canvas;
    results[2].reason = "its name is on a list".to_owned();
    let book = Gradebook { results: &results, ..book };
    let general = rows(&book.general());
    assert_eq!(general[0][..5], ["id", "name", "email", "handIn", "state"]);
    assert_eq!(
        general[1][..11],
        [
            "1001",
            "'=cmd|'/C calc'!A0",
            "a@b.example",
            "a",
            "graded",
            "80",
            "80",
            "100",
            "0",
            "1",
            "74.5"
        ]
    );
    assert_eq!(general[2][4..11], ["undecided", "90", "90", "100", "10", "0", ""]);
    assert_eq!(general[3][4..11], ["held", "", "", "", "", "0", ""]);
    assert_eq!(general[4][..5], ["77", "Eve", "", "", "missing"]);
    assert_eq!(
        rows(&book.canvas()),
        [
            ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Lab (12)"],
            ["    Points Possible", "", "", "", "", "100"],
            ["'=cmd|'/C calc'!A0", "101", "1001", "a", "", "74.5"],
            ["b", "", "", "", "", ""],
            ["c", "", "", "", "", ""],
        ]
    );
    let mut results = results.clone();
    results[0].platform = Platform::Moodle;
    let moodle = rows(&Gradebook { results: &results, ..book }.moodle());
    assert_eq!(
        moodle[1],
        [
            "Participant 101",
            "'=cmd|'/C calc'!A0",
            "a@b.example",
            "Submitted for grading",
            "74.5",
            "100",
            "Yes",
            "-",
            "-",
            "emptyDir instead of a PVC"
        ]
    );
    assert_eq!((moodle[2][4].as_str(), moodle[3][4].as_str()), ("", ""));
    assert_eq!(moodle[3][9], "", "a student reads it");
}

/// Catches an assignment of no points, or of the lab's own points under another rubric, in a class of
/// which everything is held.
#[test]
fn what_is_held_does_not_say_how_many_points_there_are() {
    let mut held = sample().remove(2);
    held.possible = Points::ZERO;
    let results = [held];
    let book = Gradebook {
        results: &results,
        missing: &[],
        policy: LatePolicy::default(),
        assignment: "Lab",
        possible: Points::whole(40),
    };
    assert_eq!(rows(&book.canvas())[1][5], "40");
}
