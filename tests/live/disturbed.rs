//! Grades whose connections to the API server are reset, stalled and slowed: points may become
//! undecided, never wrong.

use std::path::Path;

use futures::StreamExt as _;

use crate::{
    chance::{number, seed},
    lab::Lab,
    proxy::{Proxy, Roughness},
    state::{CLAIMS, STANDING},
};

/// How many are graded by default.
const GRADES: u64 = 6;
/// This many at once.
const TOGETHER: usize = 4;
/// From so many on, undecided ones must be fewer than one in ten; of fewer, chance decides, and
/// half may be.
const MANY: u64 = 50;

/// Six grades, or as many as `STSGRADE_DISTURBED` says; `STSGRADE_SEED` repeats a run.
#[tokio::test]
async fn a_rough_connection_costs_no_point_wrongly() {
    let seed = seed();
    let grades = number("STSGRADE_DISTURBED").unwrap_or(GRADES);
    assert!(grades > 0, "nothing would be graded");
    let all = (0..grades).map(|grade| {
        Lab::round(format!("live-disturbed-{grade}"), async move |lab| {
            disturbed(lab, seed + grade, grade).await
        })
    });
    let all: Vec<Result<String, String>> =
        futures::stream::iter(all).buffer_unordered(TOGETHER).collect().await;
    let wrong: Vec<&str> =
        all.iter().filter_map(|it| it.as_ref().err()).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} of {grades}:\n{}", wrong.len(), wrong.join("\n\n"));
    let letters: Vec<&String> = all.iter().flatten().collect();
    let undecided = letters.iter().filter(|it| it.contains('I')).count() as u64;
    println!("{undecided} of {grades} have undecided points: {letters:?}");
    assert!(
        undecided * if grades < MANY { 2 } else { 10 } <= grades,
        "{undecided} of {grades} have undecided points"
    );
}

/// The first two of four apply their submission themselves, the others grade what stands; every
/// second one overwrites. The letters, if none is wrong and nothing is left.
async fn disturbed(lab: &Lab, seed: u64, place: u64) -> Result<String, String> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(STANDING)).unwrap();
    let overwriting = text.replace("[ -f /data/id ] ||", "");
    assert_ne!(text, overwriting);
    let (text, letters) =
        if place.is_multiple_of(2) { (text, "PPPPPPPPPP") } else { (overwriting, "PPPPPFPPPF") };
    let submission = lab.folder.path().join("submission.yaml");
    std::fs::write(&submission, text).unwrap();
    let proxy = Proxy::start(seed, Roughness::Rough).await;
    let kubeconfig = proxy.kubeconfig(lab.folder.path());
    let mut args = vec!["--kubeconfig", kubeconfig.to_str().unwrap()];
    if place % 4 > 1 {
        lab.kubectl_apply(&submission).await.unwrap();
        lab.settled("web", 3).await;
    } else {
        args.extend(["-f", submission.to_str().unwrap()]);
    }
    let graded = lab.grade(&args).await;
    let wrong = |what: &str| Err(format!("seed {seed}, {letters}: {what}\n{}", graded.told()));
    let given = match graded.status {
        0 | 1 | 3 => lab.letters().await,
        // It could not grade: no point is lost wrongly, and none is decided.
        4 if !lab.has_lease().await => return Ok("IIIIIIIIII".to_owned()),
        4 => return wrong("a Lease is left"),
        // Also 5: all must be put back at once.
        _ => return wrong("no whole grade"),
    };
    if given.chars().zip(letters.chars()).any(|(given, right)| given != 'I' && given != right) {
        return wrong(&format!("{given} in the place of {letters}"));
    }
    lab.settled("web", 3).await;
    lab.left_nothing(&CLAIMS).await;
    Ok(given)
}
