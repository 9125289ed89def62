//! The files for CI systems: the commands in them are such as the tool has.

use std::{fs, path::Path};

use clap::{CommandFactory as _, ValueEnum as _};
use serde_json::Value;
use stsgrade::{cli::Cli, report::Format};

const RELEASE: &str = ".github/workflows/release.yml";
const FILES: [&str; 2] = [".github/actions/grade/action.yml", ".github/examples/gitlab-ci.yml"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// Catches an option or a format that a workflow names and the tool has not.
#[test]
fn workflows_name_only_options_and_formats_that_there_are() {
    let grade = Cli::command().find_subcommand("grade").unwrap().clone();
    let options: Vec<&str> = grade.get_arguments().filter_map(|it| it.get_long()).collect();
    for file in FILES {
        let text = read(file);
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

/// Catches an action of others that may be another one tomorrow: a tag can be moved, a commit
/// cannot. And the right to publish, in a job that runs somebody's tool.
#[test]
fn actions_of_others_are_named_by_their_commits() {
    let folder = root().join(".github");
    let mut files = vec![folder.join("actions/grade/action.yml")];
    files.extend(fs::read_dir(folder.join("workflows")).unwrap().map(|it| it.unwrap().path()));
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
    let release = read(RELEASE);
    let publish = release.split("\n  publish:\n").nth(1).unwrap();
    let others: Vec<&str> = publish
        .lines()
        .filter(|it| it.contains("uses: ") && !it.contains("uses: actions/"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

/// Catches a binary that a release builds and nobody can install, one that is named and not built,
/// an archive that krew or `cargo binstall` looks for under another name than that which a release
/// gives it, a binary that is not where they look in it, another digest, and a manifest without the
/// repository.
#[cfg_attr(not(target_os = "linux"), ignore = "the workflow runs these lines on Linux")]
#[test]
fn what_a_release_packs_is_where_installers_look() {
    let dir = tempfile::tempdir().unwrap();
    let targets = make_release(dir.path());
    assert!(targets.len() > 4, "{targets:?}");
    let dist = dir.path().join("dist");
    let read = |file: &str| fs::read_to_string(dist.join(file)).unwrap();
    let (krew, sums) = (read("stsgrade.yaml"), read("SHA256SUMS"));
    let binstall: toml::Value = toml::from_str(&read("stsgrade.toml")).unwrap();
    let package = &binstall["package"];
    assert_eq!(package["repository"].as_str(), Some("https://github.com/some/where"));
    let metadata = &package["metadata"]["binstall"];
    for target in targets {
        let (format, exe) = if target.contains("windows") { ("zip", ".exe") } else { ("tgz", "") };
        let archive = format!("stsgrade-{target}.{format}");
        let address = format!("https://github.com/some/where/releases/download/v0.0.7/{archive}");
        let binary = format!("stsgrade-{target}/stsgrade{exe}");

        let of_target = metadata["overrides"].get(&target).unwrap_or(metadata);
        assert_eq!(of_target["pkg-fmt"].as_str(), Some(format), "{target}");
        let filled = |key: &str| {
            metadata[key]
                .as_str()
                .unwrap()
                .replace("{ repo }", "https://github.com/some/where")
                .replace("{ version }", "0.0.7")
                .replace("{ target }", &target)
                .replace("{ archive-suffix }", &format!(".{format}"))
                .replace("{ bin }", "stsgrade")
                .replace("{ binary-ext }", exe)
        };
        assert_eq!(filled("pkg-url"), address);
        assert_eq!(filled("bin-dir"), binary);

        let sum = sums.lines().find_map(|it| it.strip_suffix(&format!("  {archive}"))).unwrap();
        let of_krew = format!("uri: {address}\n    sha256: {sum}\n    bin: {binary}\n");
        assert!(krew.contains(&of_krew), "{of_krew} is not in:\n{krew}");
        let packed = run(&format!("tar tzf {archive}"), &dist, &[]);
        assert!(packed.lines().any(|it| it == binary), "{binary} is not in {archive}:\n{packed}");
    }
}

/// Runs the lines of the workflow that pack each binary, with a file in place of it, and those that
/// write the manifests and checksums, as for a tag `v0.0.7`; says which targets there are.
fn make_release(dir: &Path) -> Vec<String> {
    fs::create_dir_all(dir.join(".github/krew")).unwrap();
    fs::create_dir(dir.join("dist")).unwrap();
    let others = ["README.md", "LICENSE-APACHE", "LICENSE-MIT"];
    for file in ["Cargo.toml", ".github/krew/stsgrade.yaml"].iter().chain(&others) {
        fs::copy(root().join(file), dir.join(file)).unwrap();
    }
    let release: Value = serde_saphyr::from_str(&read(RELEASE)).unwrap();
    // What 7z would pack is packed by tar, too: only the names are read.
    let seven_zip = "7z() { tar czf \"$2\" \"$3\"; }\n";
    let pack = seven_zip.to_owned() + &lines_of(&release, "build", "Pack");
    let targets = release["jobs"]["build"]["strategy"]["matrix"]["include"].as_array().unwrap();
    let targets: Vec<String> =
        targets.iter().map(|it| it["target"].as_str().unwrap().to_owned()).collect();
    for target in &targets {
        let exe = if target.contains("windows") { ".exe" } else { "" };
        let built = dir.join("target").join(target).join("release");
        fs::create_dir_all(&built).unwrap();
        fs::write(built.join(format!("stsgrade{exe}")), target).unwrap();
        run(&pack, dir, &[("TARGET", target)]);
    }
    run("mv stsgrade-*.tgz stsgrade-*.zip dist", dir, &[]);
    let manifests = "The manifests for krew and cargo binstall, and checksums of all";
    let publish = lines_of(&release, "publish", manifests);
    run(&publish, dir, &[("TAG", "v0.0.7"), ("REPOSITORY", "some/where")]);
    targets
}

/// The shell's lines of a step.
fn lines_of(workflow: &Value, job: &str, step: &str) -> String {
    let steps = workflow["jobs"][job]["steps"].as_array().unwrap();
    let step = steps.iter().find(|it| it["name"] == step).unwrap();
    step["run"].as_str().unwrap().to_owned()
}

/// What lines print that are run as a step is run.
fn run(lines: &str, dir: &Path, variables: &[(&str, &str)]) -> String {
    let output = std::process::Command::new("bash")
        .args(["-eo", "pipefail", "-c", lines])
        .current_dir(dir)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{lines}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Catches a `cargo binstall` that finds no archive and then installs what somebody else has put on
/// crates.io under our name, or was built of that: the package is not published there.
#[test]
fn nothing_of_our_name_on_crates_io_is_installed() {
    let manifest: toml::Value = toml::from_str(&read("Cargo.toml")).unwrap();
    let package = &manifest["package"];
    assert_eq!(package["publish"].as_bool(), Some(false));
    let disabled = package["metadata"]["binstall"]["disabled-strategies"].as_array().unwrap();
    let disabled: Vec<&str> = disabled.iter().filter_map(|it| it.as_str()).collect();
    assert_eq!(disabled, ["quick-install", "compile"]);
}
