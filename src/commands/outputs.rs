//! Where a run's report goes: standard output and files, in every format that was asked for.

use checks::model::Timeline;

use crate::{
    cli::Reporting,
    cluster::Failure,
    commands::{
        delivery::{Delivery, Documents},
        fail, rubric,
        run_files::RunFiles,
        session::{Early, exit_of_signal},
        tell,
    },
    console::{sanitize::sanitize, terminal::TermStyle},
    exit::Exit,
    report::{
        Format, Identity, Points, Problem, Report, ReportFiles, RunResult, Source, View,
        WriteError, render,
    },
    rubric::Rubric,
};

/// The outputs of one run.
pub(super) struct Outputs<'a> {
    reporting: &'a Reporting,
    identity: Identity,
    files: ReportFiles,
    /// By which points are given.
    pub(super) rubric: Rubric,
}

/// What goes to standard output and to each file.
#[derive(Default)]
pub(super) struct Pages {
    pub(super) stdout: Vec<u8>,
    pub(super) files: Vec<Vec<u8>>,
}

impl<'a> Outputs<'a> {
    /// Opens the files before the work begins, and says in them that there is no report yet; reads
    /// the rubric.
    ///
    /// `others`: the files that the run reads and writes beside.
    ///
    /// Why this cannot be done is told already, by the exit code that is returned.
    pub(super) fn reserve(reporting: &'a Reporting, mut others: RunFiles) -> Result<Self, Exit> {
        others.read.extend(reporting.rubric.clone());
        others.written.extend(reporting.files().into_iter().map(|(_, file)| file));
        if let Err(failure) = others.check() {
            fail(&failure);
            return Err(Exit::Usage);
        }
        let identity = Identity::of(|name| std::env::var(name).ok());
        let files = ReportFiles::reserve(reporting.files(), identity.clone())
            .map_err(|it| fail(&unwritable(&it)))?;
        let mut outputs = Self { reporting, identity, files, rubric: Rubric::default() };
        match reporting.rubric.as_deref().map(rubric::read) {
            Some(Ok(rubric)) => outputs.rubric = rubric,
            Some(Err(failure)) => return Err(outputs.fail(&failure)),
            None => {}
        }
        Ok(outputs)
    }

    /// The documents for that result.
    pub(super) fn pages(&self, result: &RunResult<'_>) -> Pages {
        let view = View {
            result: *result,
            style: TermStyle::of_stdout(self.reporting.style.color),
            verbose: self.reporting.verbose,
            identity: &self.identity,
        };
        let format = self.reporting.stdout();
        // Standard error tells a person why nothing was graded.
        let is_told = format == Format::Text && matches!(result, RunResult::NotGraded(_));
        Pages {
            stdout: if is_told { vec![] } else { render(format, &view) },
            files: self.files.pages(result),
        }
    }

    /// Writes the report, and says what it means to the caller.
    pub(super) fn deliver(&mut self, report: &Report, pages: Pages) -> Exit {
        match self.documents(pages).write() {
            Ok(()) => self.meaning(report),
            Err(failure) => fail(&failure),
        }
    }

    /// Begins to write the report beside what else is to be done. Nothing is written to these
    /// outputs after it.
    pub(super) async fn begin_delivery(&mut self, report: &Report, pages: Pages) -> Delivery {
        let meaning = self.meaning(report);
        Delivery::begin(self.documents(pages), meaning).await
    }

    /// The exit code of a report that is written.
    fn meaning(&self, report: &Report) -> Exit {
        let mark = self.reporting.fail_under.map(Points::whole);
        Exit::of(report.passes(&self.rubric, mark), self.reporting.exit_zero)
    }

    /// What is written in the end.
    fn documents(&mut self, pages: Pages) -> Documents {
        Documents { files: std::mem::take(&mut self.files), pages }
    }

    /// Says why nothing could be graded, in every output.
    pub(super) fn fail(&mut self, failure: &Failure) -> Exit {
        self.not_graded(&problem(failure));
        fail(failure)
    }

    /// Gives 0 points to a manifest that is wrong in itself; of anything else it says why nothing was
    /// graded.
    pub(super) fn fail_or_refuse(&mut self, failure: &Failure, source: &Source) -> Exit {
        if !failure.is_in_the_manifest() {
            return self.fail(failure);
        }
        let report = Report::refused(&problem(failure), source).scored(&self.rubric);
        let timeline = Timeline::default();
        let pages = self.pages(&RunResult::Judged { report: &report, timeline: &timeline });
        self.deliver(&report, pages)
    }

    /// Says in every output that a signal came before the report.
    pub(super) fn interrupted(&mut self) {
        self.not_graded(&Problem::interrupted());
    }

    /// Ends a run that came to no report.
    pub(super) fn end(&mut self, early: Early) -> Exit {
        match early {
            Early::Failed(failure) => self.fail(&failure),
            Early::Stopped(signal) => {
                tell("interrupted\n");
                self.interrupted();
                exit_of_signal(signal)
            }
        }
    }

    /// As [`Outputs::interrupted`], beside what else is to be done; `exit`: what that means to the
    /// caller.
    pub(super) async fn begin_interrupted(&mut self, exit: Exit) -> Delivery {
        let pages = self.pages(&RunResult::NotGraded(&Problem::interrupted()));
        Delivery::begin(self.documents(pages), exit).await
    }

    fn not_graded(&mut self, problem: &Problem) {
        let pages = self.pages(&RunResult::NotGraded(problem));
        if let Err(failure) = self.documents(pages).write() {
            fail(&failure);
        }
    }
}

/// The failure as every format shows it.
pub(super) fn problem(failure: &Failure) -> Problem {
    Problem::of(failure.id, failure.refusal())
}

pub(super) fn unwritable(error: &WriteError) -> Failure {
    let path = sanitize(&error.path.display().to_string());
    Failure::new(
        "report_file",
        format!("failed to write the report to {path}: {}", error.source),
        "Name a file that can be written with `-o FORMAT=FILE`.",
    )
}
