//! The files for CI systems: the commands in them are such as the tool has.

use std::{fs, path::Path};

use clap::{CommandFactory as _, ValueEnum as _};
use stsgrade::{cli::Cli, report::Format};

const FILES: [&str; 2] = [".github/actions/grade/action.yml", ".github/examples/gitlab-ci.yml"];

/// Catches an option or a format that a workflow names and the tool has not.
#[test]
fn workflows_name_only_options_and_formats_that_there_are() {
    let grade = Cli::command().find_subcommand("grade").unwrap().clone();
    let options: Vec<&str> = grade.get_arguments().filter_map(|it| it.get_long()).collect();
    for file in FILES {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let is_ours = |line: &&str| line.contains("args") || line.contains("stsgrade grade");
        let words: Vec<&str> = text
            .lines()
            .filter(is_ours)
            .flat_map(|line| line.split([' ', '(', ')', '"']))
            .filter(|word| !word.is_empty())
            .collect();
        let mut formats = 0;
        for pair in words.windows(2) {
            if let Some(option) = pair[0].strip_prefix("--") {
                assert!(options.contains(&option), "{file}: --{option}");
            }
            if pair[0] == "-o" {
                let name = pair[1].split('=').next().unwrap();
                assert!(Format::from_str(name, false).is_ok(), "{file}: -o {name}");
                formats += 1;
            }
        }
        assert!(formats > 3, "{file}: only {formats} formats were found");
    }
}
