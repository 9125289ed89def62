//! The remedies: what is left of each failing fixture when its mistake is mended by hand scores 100.

use std::path::{Path, PathBuf};

use futures::StreamExt as _;

use crate::lab::Lab;

/// How many are graded at a time.
const BESIDE: usize = 14;

#[tokio::test]
async fn every_remedy_brings_all_points() {
    let cases = mended();
    assert!(cases.len() > 20, "{cases:?}");
    let grades = cases.iter().map(|path| async move {
        let name = path.parent().and_then(Path::file_name).unwrap().to_string_lossy().replace('_', "-");
        let mut wrong = None;
        Lab::run(&format!("live-mended-{name}"), async |lab| {
            let graded = lab.grade(&["-f", path.to_str().unwrap()]).await;
            wrong = (graded.status != 0).then(|| format!("{}\n{}", path.display(), graded.told()));
        })
        .await;
        wrong
    });
    let wrong: Vec<String> = futures::stream::iter(grades).buffer_unordered(BESIDE).filter_map(async |it| it).collect().await;
    assert!(wrong.is_empty(), "{} of {} do not score 100:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

/// Every `fixtures/fail/<check>/<case>/mended.yaml`.
fn mended() -> Vec<PathBuf> {
    let folders = |path: &Path| -> Vec<PathBuf> { std::fs::read_dir(path).unwrap().map(|it| it.unwrap().path()).collect() };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fail");
    let mut found: Vec<PathBuf> = folders(&root).iter().flat_map(|it| folders(it)).map(|it| it.join("mended.yaml")).filter(|it| it.exists()).collect();
    found.sort();
    found
}
