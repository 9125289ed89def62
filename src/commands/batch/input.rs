//! What a batch has to do: the hand-ins, without those that are done.

use std::io::Write as _;

use crate::{
    batch::{
        engine::Task,
        handin,
        handin::{HandIn, Subject},
        results::{HandInResult, ResultStore},
    },
    cli,
    cli::Again,
    cluster::{Cluster, Failure, isolation},
    commands::{batch::unkept, show},
    console::sanitize::sanitize,
    exit::Exit,
};

/// All hand-ins.
pub(super) async fn read(args: &cli::Batch, sites: &[Cluster]) -> Result<Vec<HandIn>, Failure> {
    if let Some(label) = &args.namespaces {
        let mut names = vec![];
        for site in sites {
            let found = isolation::labelled(site, label).await?;
            names.extend(found.into_iter().map(|it| (Some(site.context.clone()), it)));
        }
        return Ok(handin::namespaces(names));
    }
    let Some(folder) = &args.hand_ins else { return Ok(vec![]) };
    handin::read(folder).map_err(|error| {
        let shown = sanitize(&folder.display().to_string());
        Failure::new(
            "hand_ins",
            format!("cannot read the hand-ins in {shown}: {error}"),
            "Name the folder that holds a file or a folder for each student.",
        )
    })
}

/// Prints what would be graded.
pub(super) fn list(hand_ins: &[HandIn]) -> Exit {
    let mut page = vec![];
    for hand_in in hand_ins {
        let what = match &hand_in.subject {
            Subject::Manifests(submission) => match isolation::not_allowed(submission) {
                None => format!("{} objects", submission.objects.len()),
                Some(found) => format!("for you to look at: {}", found.what),
            },
            Subject::Namespace { namespace, .. } => format!("namespace {}", sanitize(namespace)),
            Subject::Unreadable(problem) => format!("no points: {}", problem.what),
            Subject::Held(problem) => format!("for you to look at: {}", problem.what),
        };
        // Writing to memory cannot fail.
        let _ = writeln!(page, "{}  {}  {what}", hand_in.id, sanitize(&hand_in.name));
    }
    show(&page)
}

/// What is left to do.
///
/// # Errors
/// `--only` names what is not there, or a hand-in a context that is not among those of the batch.
pub(super) fn tasks(
    args: &cli::Batch,
    hand_ins: Vec<HandIn>,
    store: &ResultStore,
    sites: &[Cluster],
) -> Result<Vec<Task<HandIn>>, Failure> {
    let is_there = |id: &&String| hand_ins.iter().any(|it| it.id.as_str() == id.as_str());
    if let Some(id) = args.only.iter().find(|it| !is_there(it)) {
        return Err(Failure::new(
            "hand_ins",
            format!("there is no hand-in {}", sanitize(id)),
            "`--dry-run` lists all ids.",
        ));
    }
    let mut tasks = vec![];
    for item in hand_ins {
        let is_asked_for =
            args.only.is_empty() || args.only.iter().any(|it| it == item.id.as_str());
        let known = store.get(item.id.as_str());
        if !is_asked_for || known.is_some_and(|it| !is_again(args.again, it)) {
            continue;
        }
        let site = match &item.subject {
            Subject::Namespace { context: Some(context), .. } => Some(site_of(context, sites)?),
            _ => None,
        };
        tasks.push(Task { item, site });
    }
    Ok(tasks)
}

fn site_of(context: &str, sites: &[Cluster]) -> Result<usize, Failure> {
    sites.iter().position(|it| it.context == context).ok_or_else(|| {
        Failure::new(
            "hand_ins",
            format!("a hand-in is in context {}, which is not named", sanitize(context)),
            format!("Add `--context {}`.", sanitize(context)),
        )
    })
}

/// Whether what counts already is to be graded again.
fn is_again(again: Option<Again>, known: &HandInResult) -> bool {
    match again {
        None => false,
        Some(Again::All) => true,
        Some(Again::Undecided) => !known.is_decided(),
        Some(Again::Failed) => known.points + known.undecided < known.possible,
    }
}

/// Says why results cannot be kept.
pub(super) fn store(folder: &std::path::Path) -> Result<ResultStore, Failure> {
    ResultStore::open(folder).map_err(|error| unkept(&error))
}
