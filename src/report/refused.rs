//! A submission that cannot be read, or that the API server refuses for its own content: it is
//! graded, with no points and one cause.

use checks::{
    CHECKS,
    model::{Fault, Obstacle, Standing, Timeline, Verdict, obstacle::Effect},
};

use crate::{
    LAB_NAMESPACE,
    remedy::{
        change::{Change, Line, Sign},
        command_facts, commands,
        edit::{refusal, refusal::RefusedLine},
    },
    report::{
        Problem, Report, Source,
        causes::{MORE_MAY_SHOW, sentence},
    },
    submission::{Place, texts::LINES_BEFORE},
};

impl Report {
    /// The report on a manifest that is wrong in itself.
    #[must_use]
    pub fn refused(problem: &Problem, source: &Source) -> Self {
        let who = match (&problem.file, problem.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (Some(file), None) => file.clone(),
            (None, _) => "the submission".to_owned(),
        };
        let obstacle = Obstacle {
            fault: Fault::Submission,
            effect: Effect::StopsTour,
            ..Obstacle::of_no_pod(problem.id, &who, &problem.what, "", vec![])
        };
        let verdicts = CHECKS.map(|check| {
            let mut verdict = Verdict::default();
            let standing = Standing::Blocked(obstacle.clone());
            verdict.push("applied", check.lab_words, standing, []);
            verdict
        });
        let timeline = Timeline::default();
        let mut report = Self::new(source, &timeline, &verdicts);
        let own = if source.is_isolated { LAB_NAMESPACE } else { &source.namespace };
        let facts = command_facts(&timeline, own, source);
        let place = place(problem);
        for cause in &mut report.causes {
            cause.title = format!("the manifest cannot be applied ({who})");
            let why = problem.what.strip_prefix(&place).and_then(|it| it.strip_prefix(": "));
            cause.explanation = sentence(why.unwrap_or(&problem.what));
            cause.log = problem.detail.iter().filter(|it| **it != place).cloned().collect();
            let next = number_wanted(problem, source).unwrap_or_else(|| problem.next.clone());
            cause.remedy = format!("{next} {MORE_MAY_SHOW}");
            let change = change(problem, source)
                .or_else(|| retyped(problem, source))
                .or_else(|| look_at(problem, source))
                .or_else(|| refused_field(problem, source));
            cause.changes = change.into_iter().map(Change::sanitized).collect();
            let manifest = facts.manifest().unwrap_or_else(|| commands::UNKNOWN_FILE.to_owned());
            cause.commands = vec![commands::grade(&facts, &manifest)];
            cause.show(commands::dry_run(&facts, &manifest));
        }
        report
    }
}

/// Where it is, as its words name it. The title does so, too.
fn place(problem: &Problem) -> String {
    let place = Place {
        file: problem.file.clone().unwrap_or_default(),
        document: problem.document.unwrap_or_default(),
        line: problem.line.unwrap_or_default(),
    };
    place.to_string()
}

/// The lines to change, where the API server's words tell.
fn change(problem: &Problem, source: &Source) -> Option<Change> {
    let words = problem.detail.join(" ");
    refusal::change(&refusal(problem, &words)?, &source.objects)
}

/// The lines of the field that the API server names.
fn refused_field(problem: &Problem, source: &Source) -> Option<Change> {
    let words = problem.detail.join(" ");
    let field = problem.field.as_deref()?;
    refusal::to_look_at(&refusal(problem, &words)?, field, &source.objects)
}

/// What to do where a number belongs.
fn number_wanted(problem: &Problem, source: &Source) -> Option<String> {
    let words = problem.detail.join(" ");
    refusal::number_wanted(&refusal(problem, &words)?, &source.objects)
}

fn refusal<'p>(problem: &'p Problem, words: &'p str) -> Option<RefusedLine<'p>> {
    let (file, line) = (problem.file.as_deref()?, problem.line?);
    Some(RefusedLine { file, line, words })
}

/// The lines down to the one that is wrong.
fn look_at(problem: &Problem, source: &Source) -> Option<Change> {
    let text = source.objects.iter().find(|it| it.kind.is_empty())?;
    let last = problem.line.unwrap_or(text.line).max(text.line);
    let first = last.saturating_sub(LINES_BEFORE).max(text.line);
    let own = text.text.lines().skip(first - text.line).take((last - first).saturating_add(1));
    let lines = own.map(|it| Line { sign: Sign::Same, text: it.to_owned() });
    let object = match problem.field {
        Some(_) => "the last of these lines",
        None => "the last of these lines, or one before it",
    };
    Some(Change {
        file: Some(text.file.clone()),
        line: problem.line,
        ..Change::new(object.to_owned(), lines.collect())
    })
}

/// The right kind and version of an object of which one is misspelt or missing.
fn retyped(problem: &Problem, source: &Source) -> Option<Change> {
    if !matches!(problem.field.as_deref(), Some("kind" | "apiVersion")) {
        return None;
    }
    let text = source.objects.iter().find(|it| it.kind.is_empty())?;
    refusal::retyped(text)
}

#[cfg(test)]
mod tests {
    use crate::report::{Problem, Report, Source};

    /// Catches commands that name the namespace of a batch, which is gone.
    #[test]
    fn a_refused_hand_in_is_graded_again_in_the_labs_namespace() {
        let problem = Problem::new("unreadable_manifest", "no YAML", "Correct it.");
        let namespace = "stsgrade-c834a7-ida-9eba".to_owned();
        let source = Source { namespace, is_isolated: true, ..Source::default() };
        let report = Report::refused(&problem, &source);
        let commands = &report.causes[0].commands;
        assert!(commands[0].contains("-n statefulset-lab "), "{commands:?}");
    }
}
