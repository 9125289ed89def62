use crate::model::{
    Fact, Observation,
    observation::{ObjectChange, Reference, Subject},
    testing::history::History,
};

/// The seconds for which a container runs until it ends.
const SECONDS: u32 = 300;

/// The facts of a history of a set of another name, with objects of its own.
fn of_another_set(history: &History, name: &str) -> Vec<Fact> {
    let renamed = |line: &Observation| {
        let text = serde_json::to_string(line).unwrap().replace("\"set\"", "\"other-set\"");
        let text = text.replace("web", name).replace("\"pod-", "\"other-pod-");
        let text = text.replace("\"claim-", "\"other-claim-").replace("\"pv-", "\"other-pv-");
        serde_json::from_str::<Observation>(&text).unwrap().what
    };
    history.lines.iter().map(renamed).collect()
}

/// What another set's lines tell comes after what a history tells.
fn followed_by(history: History, other: &History, name: &str) -> History {
    of_another_set(other, name).into_iter().fold(history, History::push)
}

/// All is shown, and the recording goes on.
fn shown() -> History {
    let mut history = History::new();
    history.revision = "one".to_owned();
    let mut history = history.create().inspect().tour();
    history.lines.pop();
    history
}

/// The container of web-0 ends again and again.
fn in_a_loop(history: History) -> History {
    (0..5).fold(history, |history, start| {
        let since = 1000 * start;
        let running = if start == 0 { history } else { history.runs(0, start, since) };
        running.ends(0, start, since, SECONDS)
    })
}

fn chosen(history: History, name: &str, uid: &str) -> History {
    let stateful_set = Some(Reference { name: name.to_owned(), uid: uid.to_owned() });
    history.push(Fact::Subject(Subject {
        namespace: "lab".to_owned(),
        stateful_set,
        ..Subject::default()
    }))
}

/// Catches a crash loop of the set that was worked on before, held against the one that is judged:
/// no pod of that runs for as long as the container of the other did.
#[test]
fn a_crash_loop_of_the_set_before_tells_nothing_of_the_one_that_is_judged() {
    let looping = in_a_loop(shown());
    assert_eq!(looping.clone().end().letters(), "FFFFFFFFFF");
    assert_eq!(followed_by(looping.clone(), &shown(), "good").end().letters(), "PPPPPPPPPP");
    // One pod is not Ready yet.
    let begun = History::new().service().set(ObjectChange::Added).subject().up(0).up(1).add(2);
    assert_eq!(begun.clone().end().letters(), "IIIIIIIIII");
    assert_eq!(followed_by(looping, &begun, "good").end().letters(), "IIIIIIIIII");
}

/// Catches a crash loop that is held against a set after an edit mended it while another set was
/// the subject; and one that is forgotten because another set was made.
#[test]
fn a_set_that_is_mended_while_another_is_the_subject_is_not_in_a_loop() {
    let made = History::new().set(ObjectChange::Added).subject();
    let away = followed_by(in_a_loop(shown()), &made, "scratch");
    let back = chosen(away.clone(), "web", "set");
    assert_eq!(back.end().letters(), "FFFFFFFFFF", "nothing was mended");
    let mut mended = away;
    mended.spec.template.spec.containers[0].command = vec!["mended".to_owned()];
    let mended = chosen(mended.set_unobserved().observed_as("two"), "web", "set");
    let letters = mended.rolled(5).inspect().scale(3).down(4).down(3).tour().letters();
    assert!(!letters.contains(['F', 'I']), "{letters}");
}
