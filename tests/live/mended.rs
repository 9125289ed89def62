//! The remedies: what is left of each failing fixture when its mistake is mended by hand scores
//! 100, in a fresh namespace and where the failed submission stands.

use std::{
    future::Future,
    path::{Path, PathBuf},
};

use futures::StreamExt as _;

use crate::{
    chance::number,
    lab::{Lab, Ran},
};

/// How many are graded at a time.
const BESIDE: usize = 14;
/// What is mended where it stands by default, each in the next way.
const SPREAD: [&str; 16] = [
    "id_line_beside_a_new_date",
    "impostor_hostname",
    "late_rewrite_six_seconds_after_start",
    "late_uid_overwritten",
    "name_among_new_random_bytes",
    "no_service",
    "not_headless",
    "ordinary_service_beside_a_headless_one",
    "overwrite",
    "overwritten_at_sigterm",
    "stale_lock_directory",
    "wrong_selector",
    "wrong_service_name",
    "no_such_node",
    "no_configmap_volume",
    "same_content",
];
/// How often the tool may ask for something to be deleted before all is well.
const DELETIONS: usize = 3;

/// How a standing submission is mended, and graded.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// `kubectl apply` of both, then a grade of what stands.
    Applied,
    /// `kubectl apply` of the failed one, then `grade -f` of the mended one.
    AppliedThenFile,
    /// `grade -f` of both.
    Files,
}

/// Cases whose mistake stays in the namespace when the manifest is mended: what the claims hold,
/// what they request, or a pod that no manifest names any more. A person removes the set, its
/// claims and its pods first, and what makes them.
const LEAVES_SOMETHING: [&str; 8] = [
    "claim_of_another_cluster",
    "configmap_page_50m",
    "late_uid_overwritten",
    "link_to_etc_hostname",
    "random_and_date_overwritten",
    "small",
    "small_claim_made_before_primary_dns",
    "squatter_on_the_name_of_pod_one",
];

const WAYS: [Way; 3] = [Way::Applied, Way::AppliedThenFile, Way::Files];

/// One of each fault that is not mended where the failed one stands; with `STSGRADE_MENDED=all` all
/// of them.
#[tokio::test]
async fn every_remedy_brings_all_points() {
    let mut cases = mended();
    if std::env::var("STSGRADE_MENDED").as_deref() != Ok("all") {
        cases.retain(|it| spread_place(it).is_none());
        cases.dedup_by_key(|it| fault(it).to_owned());
    }
    let grades = cases.iter().map(|path| {
        Lab::round(format!("live-mended-{}", name(path)), async move |lab| {
            let graded = lab.grade(&["-f", path.to_str().unwrap()]).await;
            if graded.status == 0 {
                Ok(())
            } else {
                Err(format!("{}\n{}", path.display(), graded.told()))
            }
        })
    });
    all_are_well(grades, cases.len()).await;
}

/// A spread of the fixtures, each in another way; with `STSGRADE_ONTO=N` all of them in every way,
/// N times.
#[tokio::test]
async fn every_remedy_brings_all_points_where_the_failed_one_stands() {
    let cases = mended();
    let rounds = number("STSGRADE_ONTO");
    let there: Vec<_> = cases.iter().filter_map(|it| spread_place(it)).collect();
    assert_eq!(there.len(), SPREAD.len(), "no fixtures for some of {SPREAD:?}: {there:?}");
    let all = (0..rounds.unwrap_or(1)).flat_map(|round| {
        cases
            .iter()
            .enumerate()
            .flat_map(move |(place, path)| WAYS.map(|way| (round, place, path, way)))
    });
    let is_chosen = |place: usize, way: Way| {
        rounds.is_some()
            || spread_place(&cases[place]).is_some_and(|at| way as usize == at % WAYS.len())
    };
    let chosen: Vec<_> = all.filter(|(_, place, _, way)| is_chosen(*place, *way)).collect();
    let grades = chosen.iter().map(|(round, _, path, way)| {
        let namespace = format!("live-onto-{}-{round}-{}", *way as usize, name(path));
        Lab::round(namespace, async move |lab| {
            mended_where_it_stands(lab, path, *way).await.map_err(|told| format!("{way:?}\n{told}"))
        })
    });
    all_are_well(grades, chosen.len()).await;
}

/// What the tool asks to be deleted is deleted, as it says; in the end there are 100 points.
async fn mended_where_it_stands(lab: &Lab, mended: &Path, way: Way) -> Result<(), String> {
    let failed = mended.with_file_name("submission.yaml");
    // An empty namespace is a failing submission, too.
    if std::fs::read_to_string(&failed).unwrap().contains("\nkind: ") {
        match way {
            Way::Files => {
                drop(lab.grade(&["-f", failed.to_str().unwrap(), "--timeout", "60s"]).await)
            }
            Way::Applied | Way::AppliedThenFile => {
                lab.kubectl_apply(&failed)
                    .await
                    .map_err(|status| format!("the failed one: {status:?}"))?;
                lab.stands_as_far_as_it_can().await;
            }
        }
    }
    let case = mended.parent().and_then(Path::file_name).unwrap().to_string_lossy();
    if LEAVES_SOMETHING.contains(&&*case) {
        lab.remove_workloads_and_claims().await;
    }
    let file = ["-f", mended.to_str().unwrap()];
    let mut told: Vec<Ran> = vec![];
    for _ in 0..=DELETIONS {
        let is_refused = match way {
            Way::Applied => match lab.kubectl_apply(mended).await {
                Ok(()) => false,
                Err(status) if status.code == 422 => true,
                Err(status) => return Err(format!("the mended one: {status:?}")),
            },
            Way::AppliedThenFile | Way::Files => true,
        };
        // Of what cannot be changed in place, `grade -f` tells the command.
        let graded = if is_refused { lab.grade(&file).await } else { lab.grade(&[]).await };
        let is_well = graded.status == 0;
        let deleted = if is_well { 0 } else { lab.obey(&graded).await };
        told.push(graded);
        if is_well {
            return Ok(());
        }
        if deleted == 0 {
            break;
        }
    }
    Err(told.iter().map(Ran::told).collect::<Vec<_>>().join("\n-- then\n"))
}

async fn all_are_well(
    grades: impl Iterator<Item = impl Future<Output = Result<(), String>>>,
    many: usize,
) {
    assert!(many > 10, "only {many} are graded");
    let wrong: Vec<String> = futures::stream::iter(grades)
        .buffer_unordered(BESIDE)
        .filter_map(async |it| it.err())
        .collect()
        .await;
    assert!(
        wrong.is_empty(),
        "{} of {many} do not score 100:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// The folder of all cases of one fault.
fn fault(mended: &Path) -> &Path {
    mended.ancestors().nth(2).unwrap()
}

/// Which of [`SPREAD`] it is.
fn spread_place(mended: &Path) -> Option<usize> {
    SPREAD.iter().position(|it| name(mended) == it.replace('_', "-"))
}

/// The case's name, as a part of a namespace's.
fn name(mended: &Path) -> String {
    mended.parent().and_then(Path::file_name).unwrap().to_string_lossy().replace('_', "-")
}

/// Every `fixtures/fail/<group>/<case>/mended.yaml`.
fn mended() -> Vec<PathBuf> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(path).unwrap().map(|it| it.unwrap().path()).collect()
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fail");
    let mut found: Vec<PathBuf> = folders(&root)
        .iter()
        .flat_map(|it| folders(it))
        .map(|it| it.join("mended.yaml"))
        .filter(|it| it.exists())
        .collect();
    found.sort();
    assert!(found.len() > 20, "{found:?}");
    found
}
