//! The commands, and what they all do alike: streams and exit codes.

mod explain;
mod grade;
mod judge;
mod list;
mod record;
mod restore;
mod session;

use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    path::Path,
};

use crate::{
    cli,
    cli::{Command, Format, Reporting},
    cluster::{Failure, grade::preflight::rbac_yaml},
    console::terminal::TermStyle,
    exit::Exit,
    report::{Report, json, text},
};

/// Does what the command line asks for.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match cli::parse(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to tell when even this cannot be printed.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Good };
        }
    };
    match cli.command {
        Command::List(args) => list::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Judge(args) => judge::run(&args),
        Command::Grade(args) => grade::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Rbac(args) => show(
            rbac_yaml(&args.namespace, args.filename.is_some(), args.probe_image.is_some())
                .as_bytes(),
        ),
    }
}

/// Prints the report, in the file too where one is wanted, and says what it means to the caller.
fn deliver(report: &Report, reporting: &Reporting) -> Exit {
    let mut page = vec![];
    if let Some(path) = &reporting.report {
        let mut file = vec![];
        let kept = render(report, reporting.output, TermStyle::PLAIN, &mut file)
            .and_then(|()| replace(path, &file));
        if let Err(error) = kept {
            return fail(&unwritable(path, &error), reporting.output);
        }
    }
    match render(report, reporting.output, TermStyle::of_stdout(), &mut page)
        .and_then(|()| print(&page))
    {
        Ok(()) => Exit::of(report.score, reporting.fail_under, reporting.exit_zero),
        Err(error) => fail(
            &Failure::new(
                "stdout",
                format!("failed to write the report: {error}"),
                "Make room where standard output goes, and run it again.",
            ),
            Format::Text,
        ),
    }
}

/// Opens the report's file before the work begins, and says in it that there is no report yet.
fn reserve(reporting: &Reporting) -> Result<(), Failure> {
    let Some(path) = &reporting.report else { return Ok(()) };
    let mut page = b"not finished\n".to_vec();
    if reporting.output == Format::Json {
        page.clear();
        let problem = json::Problem {
            id: "not_finished",
            what: "there is no report yet",
            next: "Wait for it; if stsgrade does not run any more, run it again.",
            ..json::Problem::default()
        };
        json::write_error(&problem, &mut page).map_err(|error| unwritable(path, &error))?;
    }
    replace(path, &page).map_err(|error| unwritable(path, &error))
}

fn render(report: &Report, format: Format, look: TermStyle, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => text::write(report, look, out),
        Format::Json => json::write(report, out),
    }
}

/// Says why nothing could be graded, and what to do next.
fn fail(failure: &Failure, format: Format) -> Exit {
    let mut told = format!("error: {}\n", failure.what);
    for line in &failure.detail {
        told.push_str(&format!("{}\n", crate::console::sanitize::line(&format!("  {line}"))));
    }
    told.push_str(&format!("next:  {}\n", failure.next));
    tell(&told);
    if format == Format::Json {
        let mut page = vec![];
        let mut problem = json::Problem {
            id: failure.id,
            what: &failure.what,
            next: &failure.next,
            detail: &failure.detail,
            ..json::Problem::default()
        };
        if let Some((place, field)) = failure.at.as_deref() {
            let known = |number: usize| Some(number).filter(|it| *it > 0);
            (problem.file, problem.document, problem.line) =
                (Some(place.file.as_str()), known(place.document), known(place.line));
            problem.field = Some(field.as_str()).filter(|it| !it.is_empty());
        }
        if json::write_error(&problem, &mut page).and_then(|()| print(&page)).is_err() {
            return Exit::CouldNot;
        }
    }
    Exit::CouldNot
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let path = crate::console::sanitize::sanitize(&path.display().to_string());
    Failure::new(
        "report_file",
        format!("failed to write the report to {path}: {error}"),
        "Name a file that can be written with `--report`.",
    )
}

/// Writes the file beside its place and moves it there, so that nobody reads half a report.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    // A device or a pipe is written to, never replaced; a link is followed.
    let path = match path.metadata() {
        Ok(it) if !it.is_file() => return fs::write(path, content),
        Ok(_) => path.canonicalize()?,
        Err(_) => path.to_owned(),
    };
    let folder =
        path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(".stsgrade-report-").tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Writes to standard output. That its reader has left (`| head`) is no error.
fn print(page: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(page).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes to standard error, where nothing can be done if that fails.
fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Prints a page that is no report.
fn show(page: &[u8]) -> Exit {
    match print(page) {
        Ok(()) => Exit::Good,
        Err(error) => {
            tell(&format!("error: failed to write to standard output: {error}\n"));
            Exit::CouldNot
        }
    }
}
