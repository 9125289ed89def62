//! What a batch has to grade: the hand-ins without those that have a result.

use std::path::Path;

use crate::{
    batch::{
        engine::Task,
        handin::{Content, HandIn},
        input::Class,
        results::{HandInResult, ResultStore},
        results_by_hand_in,
        roster::Student,
    },
    cli,
    cli::Again,
    cluster::{Cluster, Failure, isolation},
    commands::{batch::settings, show},
    console::{
        sanitize::{escape, sanitize},
        terminal::{Colour, TermStyle},
    },
    exit::Exit,
};

/// All hand-ins, and who handed in nothing.
pub(super) async fn read(args: &cli::Batch, clusters: &[Cluster]) -> Result<Class, Failure> {
    let students = settings::students(args.roster.as_deref(), args.output.as_deref())?;
    if let Some(label) = &args.namespaces {
        let mut names = vec![];
        for cluster in clusters {
            let found = isolation::labelled(cluster, label).await?;
            names.extend(found.into_iter().map(|it| (Some(cluster.context.clone()), it)));
        }
        return Ok(Class::of_namespaces(names, students.as_deref()));
    }
    let Some(path) = &args.hand_ins else {
        return Ok(Class::of_roster(&students.unwrap_or_default()));
    };
    let class = Class::read(path, students.as_deref()).map_err(|error| {
        let shown = sanitize(&path.display().to_string());
        Failure::new(
            "hand_ins",
            format!("cannot read the hand-ins in {shown}: {}", sanitize(&error.to_string())),
            "Name the folder, or the zip or tar archive, that holds a file, a folder or an archive \
            for each student.",
        )
    })?;
    let has_due_date = |it: &Vec<Student>| it.iter().any(|it| it.due.is_some());
    let is_lateness_asked = students.as_ref().is_some_and(has_due_date)
        || settings::has_due_date(&args.book, args.output.as_deref())?;
    Ok(if is_lateness_asked { class.with_notes_on_lateness() } else { class })
}

/// Prints what would be graded, by the ids of the run in the folder of results, where there is one.
pub(super) fn list(mut class: Class, folder: Option<&Path>) -> Exit {
    // What cannot be read has no ids to take.
    let results = folder.and_then(|it| ResultStore::peek(it).ok()).unwrap_or_default();
    results_by_hand_in::take_ids(&mut class.hand_ins, results.iter());
    let style = TermStyle::of_stdout(Colour::Auto);
    let mut table = style.table(&["Id", "Name", "What is graded"]);
    for hand_in in &class.hand_ins {
        let names = hand_in.shared_with.iter().map(|it| it.name.as_str());
        let names: Vec<&str> = [hand_in.owner.name.as_str()].into_iter().chain(names).collect();
        let id = hand_in.id.as_str().to_owned();
        table.add_row([id, sanitize(&names.join(", ")), in_words(hand_in)]);
    }
    for student in &class.missing {
        table.add_row([String::new(), sanitize(&student.name), "nothing handed in".to_owned()]);
    }
    let mut page = style.lines(&table) + "\n";
    for note in &class.notes {
        page += &format!("note: {}\n", escape(note));
    }
    show(page.as_bytes())
}

fn in_words(hand_in: &HandIn) -> String {
    match &hand_in.content {
        Content::Manifests(_) => {
            let Some(submission) = hand_in.submission() else { return String::new() };
            match isolation::not_allowed(&submission) {
                None => submission.contents(),
                Some(found) => format!("held for you to look at: {}", found.what),
            }
        }
        Content::Namespace { namespace, .. } => format!("namespace {}", sanitize(namespace)),
        Content::Unreadable { problem, .. } => format!("no points: {}", problem.what),
        Content::Held(problem) => format!("held for you to look at: {}", problem.what),
    }
}

/// What is left to do.
pub(super) struct ToDo {
    pub(super) tasks: Vec<Task<HandIn>>,
    /// What is graded again though nobody asked for that.
    pub(super) notes: Vec<String>,
}

/// What is left to do.
///
/// # Errors
/// `--only` names what is not there, or a hand-in a context that is not among those of the batch.
pub(super) fn to_do(
    args: &cli::Batch,
    hand_ins: Vec<HandIn>,
    store: &ResultStore,
    clusters: &[Cluster],
) -> Result<ToDo, Failure> {
    let is_there = |id: &&String| hand_ins.iter().any(|it| it.id.as_str() == id.as_str());
    if let Some(id) = args.only.iter().find(|it| !is_there(it)) {
        return Err(Failure::new(
            "hand_ins",
            format!("there is no hand-in {}", sanitize(id)),
            "`--dry-run` lists all ids; after a first run, with its `-o DIR`.",
        ));
    }
    let mut to_do = ToDo { tasks: vec![], notes: vec![] };
    for item in hand_ins {
        if !args.only.is_empty() && !args.only.iter().any(|it| it == item.id.as_str()) {
            continue;
        }
        match store.get(item.id.as_str()) {
            Some(known) if results_by_hand_in::has_changed(&item, known) => {
                to_do.notes.push(format!(
                    "{} was handed in anew since it was graded, and is graded again",
                    sanitize(&item.owner.name)
                ))
            }
            Some(known) if !is_asked_again(args, known) => continue,
            _ => {}
        }
        let site = match &item.content {
            Content::Namespace { context: Some(context), .. } => Some(site_of(context, clusters)?),
            _ => None,
        };
        to_do.tasks.push(Task { item, site });
    }
    Ok(to_do)
}

fn site_of(context: &str, clusters: &[Cluster]) -> Result<usize, Failure> {
    clusters.iter().position(|it| it.context == context).ok_or_else(|| {
        Failure::new(
            "hand_ins",
            format!("a hand-in is in context {}, which is not named", sanitize(context)),
            format!("Add `--context {}`.", sanitize(context)),
        )
    })
}

/// Whether a hand-in that is meant, and has this result, is to be graded again. Whoever names it by
/// `--only` asks for that.
fn is_asked_again(args: &cli::Batch, known: &HandInResult) -> bool {
    match args.again {
        None => !args.only.is_empty(),
        Some(Again::All) => true,
        Some(Again::Undecided) => !known.is_decided(),
        Some(Again::Failed) => known.points + known.undecided < known.possible,
    }
}
