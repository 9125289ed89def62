use super::{
    Class,
    tests::{SET, lines, put, zip},
};
use crate::batch::{handin::HandIn, roster::Student};

fn student(id: &str, name: &str) -> Student {
    Student { id: id.to_owned(), name: name.to_owned(), ..Student::default() }
}

fn class(names: &[&str], students: &[Student]) -> Class {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        put(folder.path(), name, SET.as_bytes());
    }
    Class::read(folder.path(), Some(students)).unwrap()
}

/// Each hand-in with the id of its student.
fn owners(class: &Class) -> Vec<(&str, &str)> {
    let owner = |it: &Option<String>| it.clone().map_or("-", |it| Box::leak(it.into_boxed_str()));
    class.hand_ins.iter().map(|it| (it.id.as_str(), owner(&it.owner.student))).collect()
}

/// Catches a hand-in that is given to one of several whose it may be, and one of them who is said
/// to have handed in nothing.
#[test]
fn what_may_be_of_several_is_of_nobody() {
    let found = class(&["Jane Doe.yaml"], &[student("1", "Jane Doe"), student("2", "Doe, Jane")]);
    assert_eq!(owners(&found), [("jane-doe", "-")]);
    assert!(found.missing.is_empty());
    assert_eq!(
        found.notes,
        ["Jane Doe.yaml may belong to Jane Doe (id 1) or to Doe, Jane (id 2): name its file in \
         the roster"]
    );
    let two = ["doejane_101_1_a.yaml", "doejane_102_2_a.yaml"];
    let found = class(&two, &[student("1", "Jane Doe")]);
    assert_eq!(found.hand_ins.iter().filter(|it| it.owner.student.is_some()).count(), 0);
    assert_eq!(
        found.notes,
        ["doejane_101_1_a.yaml; doejane_102_2_a.yaml may belong to Jane Doe, and each belongs to \
         somebody else: name the file of each in the roster"]
    );
    let known = Student { file: Some(two[0].to_owned()), ..student("1", "Jane Doe") };
    let found = class(&two, &[known, student("102", "Jane Doe")]);
    assert_eq!(owners(&found), [("doejane", "1"), ("doejane-960d25", "102")]);
    assert!(found.notes.is_empty(), "{:?}", found.notes);
}

/// Catches a student whose names the platform writes in another turn.
#[test]
fn names_are_known_in_any_turn() {
    let names = ["Jane Marie Doe.yaml", "Jan van der Berg.yaml", "doeevelynn_7_8_a.yaml"];
    let students = [
        student("1", "Doe, Jane Marie"),
        student("2", "van der Berg, Jan"),
        student("3", "Eve Lynn Doe"),
    ];
    let found = class(&names, &students);
    assert_eq!(
        owners(&found),
        [("jan-van-der-berg", "2"), ("jane-marie-doe", "1"), ("doeevelynn", "3")]
    );
}

/// Catches a team of which only the last one gets the points.
#[test]
fn a_file_that_several_name_is_of_all_of_them() {
    let of_team = |id: &str| Student { file: Some("team.yaml".to_owned()), ..student(id, id) };
    let found = class(&["team.yaml"], &[of_team("ada"), of_team("bob")]);
    assert_eq!(owners(&found), [("team", "ada")]);
    let others = &found.hand_ins[0].shared_with;
    assert_eq!(others.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["bob"]);
    assert_eq!(others[0].key, "", "no platform knows the school's id");
    assert!(found.missing.is_empty() && found.notes.is_empty());
}

/// Catches a roster that is not looked at where namespaces are graded, and a student whose cluster
/// it names and who is missing all the same.
#[test]
fn the_roster_says_whose_each_namespace_is() {
    let namespaces = |names: &[&str]| {
        let with_context = |it: &&str| (Some("one".to_owned()), (*it).to_owned());
        names.iter().map(with_context).collect::<Vec<_>>()
    };
    let students = [
        Student { namespace: Some("team-1".to_owned()), ..student("1", "Ada") },
        student("bob", "Bob"),
        Student { namespace: Some("team-9".to_owned()), ..student("3", "Cy") },
    ];
    let found = Class::of_namespaces(namespaces(&["bob", "other", "team-1"]), Some(&students));
    assert_eq!(owners(&found), [("bob", "bob"), ("other", "-"), ("team-1", "1")]);
    assert_eq!(found.missing.iter().map(|it| &*it.id).collect::<Vec<_>>(), ["3"]);
    assert_eq!(
        found.notes,
        [
            "namespace team-9 of Cy is not among the namespaces with that label",
            "namespace other belongs to nobody in the roster"
        ]
    );
    let own = Student { context: Some("kind-ada".to_owned()), ..student("1", "Ada") };
    let found = Class::of_roster(std::slice::from_ref(&own));
    assert_eq!(lines(&found), ["Ada: namespace statefulset-lab"]);
    assert!(found.missing.is_empty());
    let found = class(&["Ada.yaml"], &[own]);
    assert_eq!(lines(&found), ["Ada: 1 objects"], "she handed in a file, too");
    assert!(found.notes.is_empty());
}

/// Catches a team in one namespace of which only the last one gets the result, or which is graded
/// once for each.
#[test]
fn a_namespace_that_several_work_in_is_of_all_of_them() {
    let in_team = |id: &str, context: Option<&str>| Student {
        namespace: Some("team-1".to_owned()),
        context: context.map(str::to_owned),
        ..student(id, id)
    };
    let teams = [in_team("ada", None), in_team("bob", None), in_team("cy", Some("two"))];
    let shared = |it: &Class| -> Vec<Vec<String>> {
        let names = |it: &HandIn| it.shared_with.iter().map(|it| it.name.clone()).collect();
        it.hand_ins.iter().map(names).collect()
    };
    for context in [None, Some("two")] {
        let namespaces = vec![(context.map(str::to_owned), "team-1".to_owned())];
        let count = if context.is_some() { 3 } else { 2 };
        let found = Class::of_namespaces(namespaces, Some(&teams[..count]));
        assert_eq!(owners(&found), [("team-1", "ada")]);
        assert_eq!(shared(&found), [&["bob", "cy"][..count - 1]]);
        assert!(found.missing.is_empty() && found.notes.is_empty(), "{found:?}");
    }
    let found = Class::of_roster(&teams);
    assert_eq!(owners(&found), [("ada", "ada"), ("cy", "cy")]);
    assert_eq!(shared(&found), [vec!["bob".to_owned()], vec![]]);
}

/// Catches the files of two students that become one hand-in because the name of one is the
/// platform's number of the other.
#[test]
fn a_platform_s_number_is_no_folder_s_name() {
    let bob = Student { file: Some("101".to_owned()), ..student("s2", "Bob") };
    let students = [student("s1", "Jane Doe"), bob];
    let found = class(&["doejane_101_5001_lab.yaml", "101/lab.yaml"], &students);
    assert_eq!(owners(&found), [("101", "s2"), ("doejane", "s1")]);
    assert!(found.missing.is_empty() && found.notes.is_empty(), "{found:?}");
}

/// Catches files of several students that become one hand-in because they are named after what is
/// in them, besides the students' numbers.
#[test]
fn numbers_before_what_is_in_the_files_are_the_students() {
    let sets = ["1001-statefulset.yaml", "1002-statefulset.yaml", "1002-service.yaml"];
    let roster = ["1001", "1002"].map(|it| student(it, it));
    let told = "the numbers before the names of the files are taken for those of students: ";
    for (files, roster, expected, note) in [
        (&sets[..], &roster[..], &["1001", "1002"][..], "1001, 1002"),
        (&sets[..], &[], &["1001", "1002"], "1001, 1002"),
        (&sets[..1], &roster[..1], &["1001"], "1001"),
        (&["01-service.yaml", "02-statefulset.yaml"], &roster[..], &["export"], ""),
        (&["1-service.yaml", "2-service.yaml", "statefulset.yaml"], &[], &["export"], ""),
    ] {
        let files: Vec<String> = files.iter().map(|it| (*it).to_owned()).collect();
        let in_folder: Vec<String> = files.iter().map(|it| format!("lab/{it}")).collect();
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|it| put(folder.path(), &format!("export/{it}"), SET.as_bytes()));
        let all = |names: &[String]| -> Vec<u8> {
            zip(&names.iter().map(|it| (it.as_str(), SET.as_bytes())).collect::<Vec<_>>())
        };
        put(folder.path(), "a/export.zip", &all(&files));
        put(folder.path(), "b/export.zip", &all(&in_folder));
        for path in ["export", "a/export.zip", "b/export.zip"] {
            let found = Class::read(&folder.path().join(path), Some(roster)).unwrap();
            let ids: Vec<&str> = found.hand_ins.iter().map(|it| it.id.as_str()).collect();
            if note.is_empty() {
                assert_eq!(ids.len(), 1, "{path}: {files:?}");
                continue;
            }
            assert_eq!(ids, expected, "{path}: {files:?}");
            assert_eq!(found.notes[0], format!("{told}{note}"));
            assert!(found.missing.is_empty(), "{path}: {files:?}");
        }
    }
}

/// Catches files of several students that become one hand-in because their names look like those
/// that Canvas gives to one user, and the files of a user that become several hand-ins.
#[test]
fn names_that_look_like_those_of_canvas_may_be_others() {
    let files = ["lab_3_1001_jane.yaml", "lab_3_1002_john.yaml"];
    let roster = [student("1001", "Jane Doe"), student("1002", "John Roe")];
    let found = class(&files, &roster);
    assert_eq!(owners(&found), [("1001", "1001"), ("1002", "1002")]);
    assert_eq!(
        found.notes,
        [
            "the names look like those of Canvas, but all of one user whom the roster does not know, \
         so they are taken for the names of students: 1001, 1002"
        ]
    );
    let found = class(&files, &[student("7", "Eve Long")]);
    assert_eq!(owners(&found), [("lab", "-")]);
    assert_eq!(
        found.notes[0],
        "all 2 files are taken for one hand-in, lab: their names tell the user 3 of Canvas"
    );
    let hers = ["doejane_3_1001_a.yaml", "doejane_3_1002_b.yaml"];
    assert_eq!(owners(&class(&hers, &roster)), [("doejane", "1001")]);
}
