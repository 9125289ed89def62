//! `stsgrade grade`: the tour on the cluster, its report, and then everything put back.

use std::{path::Path, time::Duration};

use checks::model::Fact;

use crate::commands::{
    delivery::Delivery,
    other_namespace::{own_namespace_note, with_hint},
    outputs::Outputs,
    put_back::put_back,
    refused,
    run_files::{RunFiles, is_stream},
    session::{
        Early, begin, block_on, check_save, connect, exit_of_signal, flags, listen,
        say_what_is_applied, say_what_is_left, tell_lost_recording, unread, whereabouts,
    },
};
use crate::{
    LAB_NAMESPACE, cli,
    cluster::{
        Cluster, Failure, Interrupt, Journal,
        budget::MAX_GRACE,
        grade::{Announcement, Grade, GradeRequest, one_set_or_named},
    },
    console::{progress::Progress, sanitize::sanitize},
    exit::Exit,
    recording::{AskedOptions, Header, ManifestText, signature::Key},
    remedy::shell_word_or,
    report::{Kept, Report, RunResult, Source},
    submission::{Submission, texts::lines_before},
};

pub(super) fn run(args: &cli::Grade) -> Exit {
    let files =
        RunFiles { read: args.filename.clone(), written: args.save.clone().into_iter().collect() };
    let mut outputs = match Outputs::reserve(&args.reporting, files) {
        Ok(outputs) => outputs,
        Err(exit) => return exit,
    };
    if let Err(failure) = check_save(args.save.as_deref()) {
        return outputs.fail(&failure);
    }
    let submission = match read(args) {
        Ok(submission) => submission,
        Err((failure, lines)) => {
            let asked = AskedOptions { objects: lines.clone(), ..asked_options(args, None) };
            refused::keep(&failure, &namespace(args), asked, args.save.as_deref());
            return outputs.fail_or_refuse(&failure, &ungraded(args, lines));
        }
    };
    let objects = submission.as_ref().map(|it| it.texts(recorded_name)).unwrap_or_default();
    block_on(async {
        match grade(args, &mut outputs, submission).await {
            Ok(exit) => exit,
            Err(Early::Failed(failure)) => {
                outputs.fail_or_refuse(&failure, &ungraded(args, objects))
            }
            Err(early) => outputs.end(early),
        }
    })
}

/// Where a manifest would have been graded.
fn namespace(args: &cli::Grade) -> String {
    args.target.namespace.as_deref().unwrap_or(LAB_NAMESPACE).to_owned()
}

/// Where the recording is found.
fn kept(args: &cli::Grade) -> Kept {
    match args.save.as_deref() {
        None => Kept::Newest,
        Some(stream) if is_stream(stream) => Kept::Nowhere,
        Some(file) => Kept::File(file.display().to_string()),
    }
}

/// What a report says of a manifest that was never graded: where it would have been, and its file.
fn ungraded(args: &cli::Grade, objects: Vec<ManifestText>) -> Source {
    Source {
        namespace: namespace(args),
        files: asked_options(args, None).files,
        cleanup: args.cleanup,
        objects,
        flags: flags(args),
        kept: kept(args),
        ..Source::default()
    }
}

/// What `-f` names: read, and refused, before any cluster is asked; with a refusal the lines that
/// cannot be read.
fn read(args: &cli::Grade) -> Result<Option<Submission>, (Box<Failure>, Vec<ManifestText>)> {
    if args.filename.is_empty() {
        return Ok(None);
    }
    let target = namespace(args);
    let files =
        Submission::read_files(&args.filename).map_err(|it| (Box::new(unread(&it)), vec![]))?;
    let submission = Submission::of_files(&files, &target).map_err(|error| {
        let lines = error.place().and_then(|place| lines_before(&files, &place, recorded_name));
        (Box::new(unread(&error)), lines.into_iter().collect())
    })?;
    one_set_or_named(&submission, args.statefulset.as_deref())
        .map_err(|it| (Box::new(it), vec![]))?;
    Ok(Some(submission))
}

async fn grade(
    args: &cli::Grade,
    outputs: &mut Outputs<'_>,
    submission: Option<Submission>,
) -> Result<Exit, Early> {
    let interrupt = listen()?;
    let progress = Progress::to_stderr(args.reporting.quiet, args.reporting.style.color);
    let cluster = connect(&args.target, &interrupt, &progress).await?;
    progress.say(&whereabouts(&cluster));
    let (header, journal, path) =
        begin(&cluster, args.save.as_deref(), asked_options(args, submission.as_ref()))?;
    progress.say(&format!("recording to {}", sanitize(&path.display().to_string())));
    if let Some(submission) = &submission {
        say_what_is_applied(submission, &cluster.namespace, args.cleanup, &progress);
    }
    let request = GradeRequest {
        statefulset: args.statefulset.clone(),
        timeout: args.timeout,
        submission,
        cleanup: args.cleanup,
        trust: args.trust,
        probe_image: args.probe_image.clone(),
        force: args.force,
    };
    let graded = run_until_judged(&cluster, &journal, &request, &interrupt, &progress).await;
    let Some(graded) = graded else {
        progress.clear();
        outputs.interrupted();
        progress.error("error: stopped at once; what was changed may not be put back");
        progress.error(&format!("next:  stsgrade restore -n {}", sanitize(&cluster.namespace)));
        return Ok(Exit::NotRestored);
    };
    progress.clear();
    let graded = match (graded, interrupt.signal()) {
        (Err(failure), Some(signal)) => {
            say_what_is_left(&failure, &journal, &progress);
            if !failure.leaves_something {
                return Err(Early::Stopped(signal));
            }
            outputs.interrupted();
            return Ok(Exit::NotRestored);
        }
        (Err(failure), None) if journal.with(|it| it.refusal().is_some()) => {
            say_what_is_left(&failure, &journal, &progress);
            let delivery = report(args, outputs, &cluster, &header, &journal, &progress).await;
            return Ok(delivery.end(&interrupt).await);
        }
        (Err(failure), None) => {
            return Err(with_hint(failure, &args.target, &cluster, "grade").await.into());
        }
        (Ok(graded), _) => graded,
    };
    if let Some(signal) = interrupt.signal() {
        let exit = exit_of_signal(signal);
        let delivery = outputs.begin_interrupted(exit).await;
        let whole = end_early(args, &cluster, graded, &journal, &progress, &path).await;
        // What could not be written is told; there was no report to lose.
        let _ = delivery.end(&interrupt).await;
        return Ok(if whole { exit } else { Exit::NotRestored });
    }
    let delivery = report(args, outputs, &cluster, &header, &journal, &progress).await;
    if graded.made_namespace() && !args.trust {
        progress.say(&format!(
            "note: namespace {} was made with Pod Security level baseline; \
            `--trust` leaves that out",
            sanitize(&cluster.namespace)
        ));
    }
    tell_lost_recording(&journal, &progress);
    let whole = put_back(args, &cluster, graded, &journal, &progress).await;
    let exit = delivery.end(&interrupt).await;
    Ok(if whole { exit } else { Exit::NotRestored })
}

/// Runs the grade until it can be judged; `None` where a second interrupt stopped it at once.
async fn run_until_judged<'a>(
    cluster: &'a Cluster,
    journal: &'a Journal,
    request: &GradeRequest,
    interrupt: &'a Interrupt,
    progress: &Progress,
) -> Option<Result<Grade<'a>, Failure>> {
    let say = |line: &str| progress.say(line);
    let announce =
        |it: &Announcement| announcement(it, request.timeout).iter().for_each(|it| say(it));
    tokio::select! {
        graded = Grade::run(cluster, journal, request, interrupt, &announce, &say) => Some(graded),
        () = progress.follow(journal) => {
            Some(Err(Failure::new("progress", "the journal ended", "Report this as a bug.")))
        }
        () = interrupt.second() => None,
    }
}

/// Begins to print the report as soon as it can be judged: restoring goes on after it, whether it is
/// read or not.
async fn report(
    args: &cli::Grade,
    outputs: &mut Outputs<'_>,
    cluster: &Cluster,
    header: &Header,
    journal: &Journal,
    progress: &Progress,
) -> Delivery {
    if let Some(key) = Key::from_environment() {
        journal.push(Fact::Signature(key.sign(&journal.digest())));
    }
    journal.flush();
    let known = Source::of(header, journal.digest());
    let source = Source { flags: flags(args), kept: kept(args), ..known };
    let (report, pages) = journal.judged(|timeline| {
        let report = Report::of(&source, timeline).scored(&outputs.rubric);
        let pages = outputs.pages(&RunResult::Judged { report: &report, timeline });
        (report, pages)
    });
    let delivery = outputs.begin_delivery(&report, pages).await;
    if report.stateful_set.is_none()
        && args.target.namespace.is_none()
        && let Some(note) = own_namespace_note(cluster, "grade").await
    {
        progress.say(&note);
    }
    delivery
}

/// Restores, without a report: whoever stopped it will run it again. False when something is left.
async fn end_early(
    args: &cli::Grade,
    cluster: &Cluster,
    graded: Grade<'_>,
    journal: &Journal,
    progress: &Progress,
    path: &Path,
) -> bool {
    progress.say("interrupted: putting everything back (Ctrl-C again stops at once)");
    let whole = put_back(args, cluster, graded, journal, progress).await;
    if !is_stream(path) {
        progress.say(&format!(
            "what was recorded until then: stsgrade judge {}",
            shell_word_or(&path.display().to_string(), "FILE")
        ));
    }
    whole
}

fn asked_options(args: &cli::Grade, submission: Option<&Submission>) -> AskedOptions {
    AskedOptions {
        command: "grade".to_owned(),
        statefulset: args.statefulset.clone(),
        filename: submission.is_some(),
        files: args.filename.iter().filter_map(|it| recorded_name(it)).collect(),
        manifests: submission.map(|it| it.digest.clone()),
        objects: submission.map(|it| it.texts(recorded_name)).unwrap_or_default(),
        probe_image: args.probe_image.clone(),
        timeout_seconds: args.timeout.map(|it| it.as_secs()),
        cleanup: args.cleanup,
    }
}

/// How a manifest is named in a recording, so that the name works where it was typed: from the
/// current folder, or from `~`. Any other absolute path stays, unless it names the user. None where
/// it has no name.
fn recorded_name(file: &Path) -> Option<String> {
    let here = std::env::current_dir().ok();
    let home = std::env::home_dir().filter(|it| it.parent().is_some());
    named_from(file, here.as_deref(), home.as_deref())
}

fn named_from(file: &Path, here: Option<&Path>, home: Option<&Path>) -> Option<String> {
    if file.is_relative() {
        return Some(file.display().to_string()).filter(|it| it != "-");
    }
    if let Some(inside) = here.and_then(|it| file.strip_prefix(it).ok()) {
        return Some(inside.display().to_string()).filter(|it| !it.is_empty());
    }
    if let Some(inside) = home.and_then(|it| file.strip_prefix(it).ok()) {
        return Some(format!("~/{}", inside.display()));
    }
    let user = home.and_then(Path::file_name);
    let names_user = user.is_some_and(|user| file.iter().any(|it| it == user));
    let name = if names_user { Path::new(file.file_name()?) } else { file };
    Some(name.display().to_string())
}

fn announcement(it: &Announcement, timeout: Option<Duration>) -> Vec<String> {
    let mut lines = vec![];
    if let Some(leftovers) = &it.earlier_leftovers {
        lines.push(
            "an earlier grade was interrupted; what it had left has been put back first".to_owned(),
        );
        lines.extend(leftovers.iter().map(|it| format!("warning: {}", sanitize(it))));
    }
    lines.push(format!(
        "grading StatefulSet {}, which takes at most about {} once it is settled, more on a busy \
            cluster:",
        sanitize(&it.set),
        minutes(it.worst)
    ));
    lines.extend(it.changes.iter().map(|it| format!("  - {}", sanitize(it))));
    if let Some(long) = it.long_grace {
        lines.push(format!(
            "warning: each pod may take {} to stop (terminationGracePeriodSeconds); one that takes \
            more than {} ends the grade, and leaves points undecided. Let the container end at \
            SIGTERM, or allow the time: --timeout {}m",
            minutes(long.grace),
            minutes(timeout.map_or(MAX_GRACE, |it| it.max(MAX_GRACE))),
            long.total.as_secs().div_ceil(60)
        ));
    }
    if let Some(timeout) = timeout.filter(|timeout| *timeout < it.worst) {
        lines.push(format!(
            "warning: --timeout {} is shorter than that: what is not seen by then is undecided",
            minutes(timeout)
        ));
    }
    lines
}

/// `90 s`, or `4 min`.
fn minutes(time: Duration) -> String {
    if time.as_secs() < 120 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} min", time.as_secs().div_ceil(60))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::named_from;

    /// Catches a name that cannot be typed again, and one that tells who the user is.
    #[test]
    fn a_manifest_is_named_as_it_can_be_typed_again() {
        let named = |file| {
            let (here, home) = (Path::new("/home/ann/lab"), Path::new("/home/ann"));
            named_from(Path::new(file), Some(here), Some(home))
        };
        for (file, expected) in [
            ("lab3.yaml", Some("lab3.yaml")),
            ("../lab3.yaml", Some("../lab3.yaml")),
            ("/home/ann/lab/3/all.yaml", Some("3/all.yaml")),
            ("/home/ann/all.yaml", Some("~/all.yaml")),
            ("/srv/lab/all.yaml", Some("/srv/lab/all.yaml")),
            ("/srv/ann/all.yaml", Some("all.yaml")),
            ("-", None),
        ] {
            assert_eq!(named(file).as_deref(), expected, "{file}");
        }
    }
}
