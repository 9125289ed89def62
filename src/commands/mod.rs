//! The commands, and what they all do alike: streams and exit codes.

mod batch;
mod completions;
mod delivery;
mod explain;
mod grade;
mod job;
mod judge;
mod list;
mod other_namespace;
mod outputs;
mod put_back;
mod record;
mod refused;
mod restore;
mod rubric;
mod run_files;
mod session;
mod timeline;
mod version;

use std::{
    ffi::OsString,
    io::{self, Write},
};

use crate::{
    cli,
    cli::{Command, Document},
    cluster::{
        Failure,
        grade::rbac::{rbac_yaml, record_yaml},
    },
    console::{sanitize, stderr},
    exit::Exit,
    report,
};

/// Does what the command line asks for.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    if completions::is_asked_by_kubectl(args.first()) {
        return completions::for_kubectl(args);
    }
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
        Command::Show(args) => judge::show(&args),
        Command::Timeline(args) => timeline::run(&args),
        Command::Grade(args) => grade::run(&args),
        Command::Batch(args) => batch::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Job(args) => job::run(&args),
        Command::Version(args) => version::run(&args),
        Command::Completions(args) => completions::run(args.shell),
        Command::Man(args) => completions::man(&args.words),
        Command::Schema(args) => show(&schema(args.document)),
        Command::Rbac(args) if args.record => show(record_yaml(&args.namespace).as_bytes()),
        Command::Rbac(args) => show(
            rbac_yaml(&args.namespace, args.filename.is_some(), args.probe_image.is_some())
                .as_bytes(),
        ),
    }
}

/// The JSON Schema of a document.
fn schema(document: Document) -> Vec<u8> {
    let schema = match document {
        Document::Report => report::schema::of_report(),
        Document::Recording => crate::recording::schema::of_line(),
        Document::Rubric => crate::rubric::schema(),
    };
    format!("{schema:#}\n").into_bytes()
}

/// Says on standard error what failed, and what to do next.
fn fail(failure: &Failure) -> Exit {
    let mut told = format!("error: {}\n", failure.what);
    for line in &failure.detail {
        told.push_str(&format!("{}\n", sanitize::line(&format!("  {line}"))));
    }
    told.push_str(&format!("next:  {}\n", failure.next));
    tell(&told);
    Exit::CouldNot
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
    stderr::write(text);
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
