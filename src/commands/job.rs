//! `stsgrade job`: prints a Job that grades a namespace from within its cluster.

use crate::{
    cli,
    cluster::grade::in_cluster::{JobOptions, job_yaml},
    commands::{fail, rubric, show},
    console::terminal::Colour,
    exit::Exit,
    report::Format,
};

/// Prints it, or what is wrong with the rubric.
pub(super) fn run(args: &cli::Job) -> Exit {
    let rubric = match args.reporting.rubric.as_deref().map(rubric::text).transpose() {
        Ok(rubric) => rubric,
        Err(failure) => return fail(&failure),
    };
    let page = job_yaml(&JobOptions {
        namespace: args.namespace.clone(),
        image: args.image.clone(),
        flags: flags(args),
        timeout: args.timeout,
        rubric,
        with_probe: args.probe_image.is_some(),
    });
    show(page.as_bytes())
}

/// The flags that `grade` has in the Job, the namespace and the rubric aside.
fn flags(args: &cli::Job) -> Vec<String> {
    let mut flags = vec![];
    let mut with = |flag: &str, value: Option<String>| {
        if let Some(value) = value {
            flags.push(format!("--{flag}={value}"));
        }
    };
    let reporting = &args.reporting;
    let format = reporting.stdout();
    with("statefulset", args.statefulset.clone());
    with("probe-image", args.probe_image.clone());
    with("timeout", args.timeout.map(|it| format!("{}s", it.as_secs())));
    with("output", Some(format).filter(|it| *it != Format::Text).map(cli::name_of));
    with("fail-under", reporting.fail_under.map(|it| it.to_string()));
    let colour = Some(reporting.style.color).filter(|it| *it != Colour::Auto);
    with("color", colour.map(cli::name_of));
    // The log of a pod is both streams in one, and a program reads only the report.
    let is_quiet = reporting.quiet || format != Format::Text;
    for (flag, is_set) in [
        ("--force", args.force),
        ("--verbose", reporting.verbose),
        ("--quiet", is_quiet),
        ("--exit-zero", reporting.exit_zero),
    ] {
        if is_set {
            flags.push(flag.to_owned());
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::flags;
    use crate::cli::{self, Command};

    fn parsed(command: &str, flags: &[String]) -> Command {
        let words = ["stsgrade", command].into_iter().map(str::to_owned);
        let words = words.chain(flags.iter().cloned());
        cli::parse(words.map(OsString::from)).unwrap().command
    }

    /// Catches a flag that the Job's grade does not get, or not with its value.
    #[test]
    fn what_is_asked_of_the_job_is_asked_of_its_grade() {
        let asked = "--image=i --statefulset=web --timeout=90m --force --probe-image=busybox:1.36 \
            -o json -v --fail-under=70 --color=always";
        let asked: Vec<String> = asked.split_whitespace().map(str::to_owned).collect();
        let Command::Job(job) = parsed("job", &asked) else { panic!() };
        let Command::Grade(grade) = parsed("grade", &flags(&job)) else { panic!() };
        let told = |target: Option<String>, it: &cli::Reporting| {
            let Some(target) = target else { panic!() };
            (target, it.stdout(), it.verbose, it.fail_under, it.exit_zero, it.style.color)
        };
        assert_eq!(
            told(job.statefulset.clone(), &job.reporting),
            told(grade.statefulset, &grade.reporting)
        );
        assert_eq!(
            (job.timeout, job.force, job.probe_image),
            (grade.timeout, grade.force, grade.probe_image)
        );
        // Both streams are in one log.
        assert!(grade.reporting.quiet && !job.reporting.quiet);
    }

    #[test]
    fn a_job_of_which_nothing_is_asked_has_no_flags() {
        let Command::Job(job) = parsed("job", &["--image=i".to_owned()]) else { panic!() };
        assert_eq!(flags(&job), Vec::<String>::new());
    }
}
