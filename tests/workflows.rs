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

/// Catches a binary that a release builds and nobody can install, or one that is named and not
/// built.
#[test]
fn what_a_release_builds_is_what_krew_installs() {
    let read =
        |file: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let release = read(".github/workflows/release.yml");
    let after = |line: &str, word: &str| -> Option<String> {
        let rest = line.split_once(word)?.1;
        Some(rest.split([',', '}', ' ']).next()?.to_owned())
    };
    let mut built: Vec<String> =
        release.lines().filter_map(|line| after(line, "- {target: ")).collect();
    let krew = read(".github/krew/stsgrade.yaml");
    let mut named: Vec<String> =
        krew.lines().filter_map(|line| after(line, "sha256: SHA256_")).collect();
    built.sort();
    named.sort();
    assert!(built.len() > 4, "{built:?}");
    assert_eq!(built, named);
    for target in &named {
        let end = if target.contains("windows") { "zip" } else { "tgz" };
        assert!(krew.contains(&format!("/stsgrade-{target}.{end}\n")), "{target}");
    }
}

/// Catches an action of others that may be another one tomorrow: a tag can be moved, a commit
/// cannot. And the right to publish, in a job that runs somebody's tool.
#[test]
fn actions_of_others_are_named_by_their_commits() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github");
    let mut files = vec![root.join("actions/grade/action.yml")];
    files.extend(fs::read_dir(root.join("workflows")).unwrap().map(|it| it.unwrap().path()));
    let mut seen = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let uses = text.lines().filter_map(|line| line.trim().split_once("uses: "));
        for action in uses.map(|(_, it)| it).filter(|it| !it.starts_with("./")) {
            let (_, commit) = action.split_once('@').unwrap();
            let (commit, version) = commit.split_once(" # v").unwrap_or((commit, ""));
            let is_commit = commit.len() == 40 && commit.chars().all(|it| it.is_ascii_hexdigit());
            assert!(is_commit && !version.is_empty(), "{file:?}: {action}");
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} actions were found");
    let release = fs::read_to_string(root.join("workflows/release.yml")).unwrap();
    let publish = release.split("\n  publish:\n").nth(1).unwrap();
    let others: Vec<&str> = publish
        .lines()
        .filter(|it| it.contains("uses: ") && !it.contains("uses: actions/"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

/// Catches an installer that is told an address which is made of one that the package lacks.
#[test]
fn no_address_is_made_of_one_that_is_not_there() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let names_repository = text.lines().any(|line| line.starts_with("repository"));
    assert!(names_repository || !text.contains("{ repo }"), "Cargo.toml names no repository");
}
