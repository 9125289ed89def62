//! The reports, followed by somebody who knows nothing else: of a failing submission the printed
//! report is taken, its first change made in the file, and its commands run in a shell, until a
//! grade gives 100 points.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use futures::StreamExt as _;
use stsgrade::LAB_NAMESPACE;

use crate::{
    chance::{Chance, seed},
    lab::{Lab, Ran, done},
    printed::{FILE, Instructions, UNKNOWN, commands},
};

/// How many are followed at a time.
const BESIDE: usize = 10;
/// What is followed by default: a change of each kind.
const SPREAD: [&str; 7] = [
    "empty_dir",
    "host_path",
    "nothing_keeps_running",
    "no_service",
    "overwrite",
    "read_write_many",
    "wrong_service_name",
];
/// What stands for the file in commands.
const YOUR_FILE: &str = "YOUR-FILE.yaml";
/// What is mended by hand, each with a line more in its spec: what stays, what is deleted first, and
/// pods that the controller does not replace.
const BY_HAND: [(&str, &str); 8] = [
    ("deployment", ""),
    ("empty_dir", ""),
    ("no_configmap_volume", ""),
    ("not_headless", ""),
    ("overwrite", "updateStrategy: {rollingUpdate: {partition: 2}}\n  "),
    ("nothing_written", "updateStrategy: {type: OnDelete}\n  "),
    ("small", ""),
    ("two_replicas", "updateStrategy: {type: OnDelete}\n  "),
];
/// How many reports in a row a submission may need.
const MAX_REPORTS: usize = 7;

/// With `STSGRADE_FOLLOW=all` all fixtures, with a number so many by chance.
#[tokio::test]
async fn whoever_follows_the_report_gets_all_points() {
    let chosen = chosen();
    assert!(!chosen.is_empty(), "STSGRADE_FOLLOW names no fixture that fails");
    all_get_all_points(chosen.iter().map(|case| {
        in_a_namespace("followed", name(case), async move |lab| follow(lab, case).await)
    }))
    .await;
}

/// Of each remedy the commands alone, as they are printed where nobody named a file: what is applied
/// by hand is the mended manifest.
#[tokio::test]
async fn whoever_applies_by_hand_gets_all_points() {
    let cases = failing();
    all_get_all_points(BY_HAND.iter().map(|(wanted, strategy)| {
        let case = cases.iter().find(|it| name(it) == *wanted).unwrap();
        in_a_namespace("by-hand", wanted, async move |lab| {
            follow_by_hand(lab, case, strategy).await
        })
    }))
    .await;
}

/// Follows a report in a namespace that nobody has made yet; what is wrong with it.
async fn in_a_namespace(
    way: &str,
    case: &str,
    follow: impl AsyncFnOnce(&Lab) -> Result<(), String>,
) -> Option<String> {
    let namespace = format!("live-{way}-{}", case.replace('_', "-"));
    let lab = Lab::unmade(&namespace).await;
    let told = follow(&lab).await;
    lab.delete_namespace().await;
    println!("{namespace}: {}", if told.is_ok() { "100 points" } else { "NOT 100 points" });
    told.err().map(|it| format!("== {case}\n{it}"))
}

async fn all_get_all_points(
    followed: impl ExactSizeIterator<Item = impl Future<Output = Option<String>>>,
) {
    let count = followed.len();
    let wrong: Vec<String> = futures::stream::iter(followed)
        .buffer_unordered(BESIDE)
        .filter_map(async |it| it)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n\n"));
}

async fn follow_by_hand(lab: &Lab, case: &Path, strategy: &str) -> Result<(), String> {
    let ns = &lab.namespace;
    let manifest = |it: &str| {
        let text = std::fs::read_to_string(case.join(it)).unwrap();
        // kubectl takes no object of another namespace.
        let text = text.replace(LAB_NAMESPACE, ns);
        text.replace("\n  serviceName:", &format!("\n  {strategy}serviceName:"))
    };
    let file = lab.folder().join(YOUR_FILE);
    std::fs::write(&file, manifest("submission.yaml")).unwrap();
    let first = format!(
        "kubectl create namespace {ns}\nkubectl apply -n {ns} -f {YOUR_FILE}\n\
        stsgrade grade -n {ns}{}",
        flags(case)
    );
    let graded = lab.shell(&first).await;
    let told = commands(&graded.out).map_err(|why| format!("{why}\n{}", graded.told()))?;
    let waits = told.iter().any(|it| it.contains("rollout status") || it.contains("kubectl wait"));
    std::fs::write(&file, manifest("mended.yaml")).unwrap();
    let again = lab.shell(&told.join("\n")).await;
    if waits && again.out.lines().any(|it| it == "100 of 100 points") {
        return Ok(());
    }
    Err(format!("{}\n$ {}\n{}", graded.told(), told.join("\n"), again.told()))
}

/// Which fixtures are followed.
fn chosen() -> Vec<PathBuf> {
    let known = |case: &PathBuf| UNKNOWN.iter().all(|(it, _)| *it != name(case));
    let (mut others, mut chosen): (Vec<_>, Vec<_>) =
        failing().into_iter().filter(known).partition(|it| !SPREAD.contains(&name(it)));
    assert_eq!(chosen.len(), SPREAD.len(), "{SPREAD:?}");
    let count = match std::env::var("STSGRADE_FOLLOW").as_deref() {
        Ok("all") => others.len(),
        Ok(number) if number.parse::<usize>().is_ok() => number.parse().unwrap(),
        Ok(one) => return others.into_iter().chain(chosen).filter(|it| name(it) == one).collect(),
        Err(_) => return chosen,
    };
    let mut chance = Chance::new(seed());
    for _ in 0..count.min(others.len()) {
        let last = u64::try_from(others.len() - 1).unwrap();
        chosen.push(others.swap_remove(usize::try_from(chance.between(0, last)).unwrap()));
    }
    chosen
}

/// Every `fixtures/fail/<group>/<case>`, but those before which something stands.
fn failing() -> Vec<PathBuf> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(path).unwrap().map(|it| it.unwrap().path()).collect()
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fail");
    let mut found: Vec<PathBuf> = folders(&root).iter().flat_map(|it| folders(it)).collect();
    found.retain(|it| !it.join("before.yaml").exists());
    found.sort();
    assert!(found.len() > 20, "{found:?}");
    found
}

fn name(case: &Path) -> &str {
    case.file_name().unwrap().to_str().unwrap()
}

async fn follow(lab: &Lab, case: &Path) -> Result<(), String> {
    let file = lab.folder().join(FILE);
    std::fs::copy(case.join("submission.yaml"), &file).unwrap();
    let first = format!("stsgrade grade -n {} -f {FILE}{}", lab.namespace, flags(case));
    let mut graded = lab.shell(&first).await;
    let mut story = format!("$ {first}\n{}", graded.told());
    for _ in 0..MAX_REPORTS {
        // The commands before the grade say something, too.
        if graded.out.lines().any(|it| it == "100 of 100 points") {
            return Ok(());
        }
        let told = Instructions::read(&graded.out).map_err(|why| format!("{why}\n{story}"))?;
        let mut text = std::fs::read_to_string(&file).unwrap();
        for change in told.changes.iter().filter(|it| it.is_made()) {
            text = change.made(&text).map_err(|why| format!("{why}\n{story}"))?;
        }
        std::fs::write(&file, &text).unwrap();
        let commands = commands(&graded.out)?.join("\n");
        graded = lab.shell(&commands).await;
        let _ = write!(story, "\n-- the file is then\n{text}\n$ {commands}\n{}", graded.told());
    }
    Err(format!("not 100 points after {MAX_REPORTS} reports\n{story}"))
}

/// The flags that a fixture is recorded with: they save the time that its fault takes.
fn flags(case: &Path) -> String {
    let recipe = std::fs::read_to_string(case.join("recipe")).unwrap_or_default();
    let flags = recipe.lines().find_map(|it| it.strip_prefix("FLAGS='")?.strip_suffix('\''));
    flags.map(|it| format!(" {it}")).unwrap_or_default()
}

impl Lab {
    /// Runs lines in a shell that stops at the first one that fails, where the manifest is.
    async fn shell(&self, lines: &str) -> Ran {
        let binary = Path::new(env!("CARGO_BIN_EXE_stsgrade")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let mut shell = tokio::process::Command::new("sh");
        done(shell.args(["-e", "-c", lines]).current_dir(self.folder()).env("PATH", path)).await
    }
}
