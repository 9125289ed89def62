//! `stsgrade explain`: what a check asks, what a mistake is, and what to do.

use checks::{
    CHECKS, Check, mistakes,
    mistakes::{MISTAKES, Mistake, Section},
    model::{Fault, diagnosis},
};

use crate::commands::{show, tell};
use crate::{
    cli::Explain,
    cluster::client::failure_id::{REFUSED_MANIFEST, UNREADABLE_MANIFEST},
    console::{
        count::counted,
        sanitize::clip,
        terminal::{TermStyle, Tone},
    },
    exit::Exit,
    remedy::commands::{
        CommandFacts, DELETES_DATA, Mending, SeeIt, Stuck, UNKNOWN_FILE, commands_after_changes,
        dry_run, see,
    },
    report::{obstacle_title, text::change},
};

/// How alike a word must be to be suggested.
const ALIKE: f64 = 0.7;

pub(super) fn run(args: &Explain) -> Exit {
    let topic = args.topic.trim().to_ascii_lowercase().replace('-', "_");
    let page = Explanation { style: TermStyle::of_stdout(args.style.color), out: String::new() };
    if let Some(check) = find(&topic) {
        return show(page.check(check).as_bytes());
    }
    if let Some(mistake) = mistakes::find(&topic).or_else(|| mistakes::find(args.topic.trim())) {
        return show(page.mistake(mistake).as_bytes());
    }
    if let Some((id, fault, remedy)) = obstacles().find(|(id, ..)| *id == topic) {
        return show(page.obstacle(id, fault, remedy).as_bytes());
    }
    tell(&unknown(&args.topic, &topic));
    Exit::Usage
}

/// All obstacles that a report may name: id, whose fault it is, and what to do.
pub(super) fn obstacles() -> impl Iterator<Item = (&'static str, Fault, &'static str)> {
    diagnosis::obstacles().chain(OF_THE_MANIFEST)
}

/// The obstacles of a manifest, which is refused before a set stands.
const OF_THE_MANIFEST: [(&str, Fault, &str); 2] = [
    (
        UNREADABLE_MANIFEST,
        Fault::Submission,
        "The file cannot be read as objects of Kubernetes, so nothing of it is applied. Correct the \
        line that the report names: indentation, a colon without a space after it, a missing \
        `---` between two objects, a kind or a field that does not exist.",
    ),
    (
        REFUSED_MANIFEST,
        Fault::Submission,
        "The API server refuses an object of the file, so nothing of it is applied. Correct the \
        field that the report names; `kubectl explain` tells what it may hold.",
    ),
];

fn find(topic: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|it| {
        it.id == topic
            || topic.strip_prefix("test").unwrap_or(topic).trim_start_matches(['_', ' '])
                == it.test.to_string()
    })
}

fn unknown(asked: &str, topic: &str) -> String {
    let ids = CHECKS
        .iter()
        .map(|it| it.id)
        .chain(MISTAKES.iter().map(|it| it.id))
        .chain(obstacles().map(|(id, ..)| id));
    let mut near: Vec<(f64, &str)> = ids
        .map(|id| {
            let alike = strsim::jaro_winkler(topic, id);
            let part = topic.len() > 2 && id.contains(topic);
            (if part { alike.max(0.9) } else { alike }, id)
        })
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let mut out =
        format!("error: there is no check, mistake or obstacle named {:?}\n", clip(asked, 60));
    if near.is_empty() {
        out.push_str("next:  `stsgrade list` names them all.\n");
    } else {
        let names: Vec<&str> = near.iter().take(4).map(|(_, id)| *id).collect();
        out.push_str(&format!(
            "next:  did you mean {}? `stsgrade list` names them all.\n",
            names.join(", ")
        ));
    }
    out
}

/// What stands before the further lines of a part: a label's width.
const FURTHER: &str = "             ";

struct Explanation {
    style: TermStyle,
    out: String,
}

impl Explanation {
    fn check(mut self, check: &Check) -> String {
        let heading = format!("Test {}: {}", check.test, check.title);
        self.line(&format!(
            "{} ({}), {}",
            self.style.paint(Tone::Strong, &heading),
            check.id,
            counted(check.points, "point", "points")
        ));
        self.part("Asked", check.lab_words);
        self.part("Why", check.why);
        self.part("To pass", check.remedy);
        self.see_it(&see(check.test, None, &CommandFacts::placeholders()));
        self.read_again(check.read);
        self.part("Rule", &format!("checks/{}.rs", check.id));
        self.out
    }

    fn mistake(mut self, mistake: &Mistake) -> String {
        self.line(&format!("{} ({})", self.style.paint(Tone::Strong, mistake.title), mistake.id));
        self.part("Why", mistake.explanation);
        self.part("The lab", mistake.lab.unwrap_or_default());
        self.remedy(mistake.id, mistake.remedy);
        if mistake.has_lines() {
            self.line("  Change");
            for line in change(mistake.before, mistake.after, self.style) {
                self.line(&line);
            }
        }
        self.commands(
            "Type",
            &commands_after_changes(&[Mending::of(mistake.id)], &CommandFacts::placeholders()),
        );
        self.read_again(mistake.read);
        self.out
    }

    fn obstacle(mut self, id: &str, fault: Fault, remedy: &str) -> String {
        let title = obstacle_title(id).unwrap_or("the manifest cannot be applied");
        self.line(&format!("{} ({id})", self.style.paint(Tone::Strong, title)));
        let whose = match fault {
            Fault::Submission => {
                "It comes from the submission, and stands in the way: tests that cannot be run \
                because of it are lost."
            }
            Fault::NotTheSubmission => {
                "It does not come from the submission, and stands in the way: tests that cannot be \
                run because of it are undecided."
            }
        };
        self.part("What", whose);
        let facts = CommandFacts::placeholders();
        let mending = Mending::of(id);
        if fault == Fault::Submission {
            self.remedy(id, remedy);
            self.part("Lines", "The report of a grade with `-f` shows those of your own file.");
            self.commands("Type", &commands_after_changes(&[mending], &facts));
        } else if let Some(words) =
            mending.for_a_change(&facts).filter(|_| diagnosis::may_be_changed(id))
        {
            self.part("To do", &format!("{remedy} {words}"));
            self.commands("Type", &commands_after_changes(&[mending], &facts));
        } else {
            self.part("To do", remedy);
        }
        if OF_THE_MANIFEST.iter().any(|it| it.0 == id) {
            self.see_it(&dry_run(&facts, UNKNOWN_FILE));
            return self.out;
        }
        // A hook's words are in no log.
        let has_log = diagnosis::is_crash_loop(id) && id != diagnosis::POST_START_FAILS;
        let ends = has_log.then_some("CONTAINER");
        let stuck = Stuck { pod: "POD", ends };
        self.see_it(&see(CHECKS[0].test, Some(&stuck), &facts));
        self.out
    }

    /// What to do, and what is lost by the commands for it.
    fn remedy(&mut self, id: &str, remedy: &str) {
        if Mending::of(id).deletes_claims(&CommandFacts::placeholders()) {
            self.part("To do", &format!("{remedy} {DELETES_DATA}"));
        } else {
            self.part("To do", remedy);
        }
    }

    /// Which sections of the lab tell of it.
    fn read_again(&mut self, sections: &[Section]) {
        for (place, section) in sections.iter().enumerate() {
            let label = if place == 0 { "In the lab" } else { "" };
            self.part(label, section.title());
        }
    }

    fn see_it(&mut self, see_it: &SeeIt) {
        self.commands("See it", &see_it.commands);
        self.part("Right is", see_it.right.unwrap_or_default());
    }

    /// Commands to paste.
    fn commands(&mut self, label: &str, commands: &[String]) {
        for (place, command) in commands.iter().enumerate() {
            let label = if place == 0 { label } else { "" };
            for line in self.style.command(&format!("  {label:<10} "), command, FURTHER) {
                self.line(&line);
            }
        }
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn part(&mut self, label: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let first = format!("  {label:<10} ");
        for line in self.style.wrap(&first, text, FURTHER) {
            self.line(&line);
        }
    }
}
