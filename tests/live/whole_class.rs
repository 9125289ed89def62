//! A whole class in one run: all fixtures that need nothing but their manifest, as files, folders
//! and archives, beside hand-ins that are broken, hostile, held or missing.

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::{
    batch::{ADMIN, Class, NODE_PORT, letters},
    lab::Lab,
    state::read,
};

/// Hand-ins that ask for what belongs to the cluster, or for more than a hand-in may have: a person
/// looks at them.
const HELD: [&str; 2] = ["claim-of-another-cluster", "too-large-request"];
/// What makes a case more than its manifest.
const MORE_THAN_A_MANIFEST: [&str; 3] = ["recipe", "before.yaml", "later.yaml"];
/// Who handed nothing in.
const MISSING: &str = "nobody";
/// How long it may take: what the cluster cannot do is tried again later.
const AT_MOST: Duration = Duration::from_secs(2400);
/// The longest id of a hand-in, in characters.
const MAX_ID: usize = 40;
/// How many hand-ins make a class, at least.
const LEAST_HAND_INS: usize = 100;

/// How a student packs what they hand in.
#[derive(Clone, Copy)]
enum Packing {
    File,
    Folder,
    Zip,
    TarGz,
}

const PACKINGS: [Packing; 4] = [Packing::File, Packing::Folder, Packing::Zip, Packing::TarGz];

impl Packing {
    fn hand_in(self, class: &Class<'_>, id: &str, text: &str) {
        match self {
            Self::File => class.hand_in(&format!("{id}.yaml"), text.as_bytes()),
            Self::Folder => class.hand_in(&format!("{id}/k8s/all.yaml"), text.as_bytes()),
            Self::Zip => class.hand_in(&format!("{id}.zip"), &zip("lab/all.yaml", text)),
            Self::TarGz => class.hand_in(&format!("{id}.tar.gz"), &tar_gz("./all.yaml", text)),
        }
    }
}

fn zip(name: &str, text: &str) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(vec![]));
    archive.start_file(name, SimpleFileOptions::default()).unwrap();
    archive.write_all(text.as_bytes()).unwrap();
    archive.finish().unwrap().into_inner()
}

fn tar_gz(name: &str, text: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(vec![], Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, text.as_bytes()).unwrap();
    archive.into_inner().unwrap().finish().unwrap()
}

/// The fixtures that are no more than a manifest, by the id of who hands them in.
fn manifests() -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::from("fixtures")];
    while let Some(folder) = folders.pop() {
        let submission = folder.join("submission.yaml");
        if submission.exists() && !MORE_THAN_A_MANIFEST.iter().any(|it| folder.join(it).exists()) {
            let name = folder.file_name().unwrap().to_str().unwrap().replace('_', "-");
            let id = name.get(..MAX_ID).unwrap_or(&name).trim_end_matches('-').to_owned();
            assert!(
                found.insert(id, submission).is_none(),
                "two cases have the name of {folder:?}"
            );
        }
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// By id what the gradebook says: the state, and the points of what is graded whole.
fn gradebook(output: &Path) -> BTreeMap<String, (String, String)> {
    let text = fs::read_to_string(output.join("gradebook.csv")).unwrap();
    let mut rows = text.lines().map(|it| it.split(',').collect::<Vec<_>>());
    let head = rows.next().unwrap();
    let place = |name: &str| head.iter().position(|it| *it == name).unwrap();
    let [id, state, points] = ["id", "state", "raw"].map(place);
    rows.map(|row| (row[id].to_owned(), (row[state].to_owned(), row[points].to_owned()))).collect()
}

/// What the gradebook must say of these letters: the lab's points, and nothing of what a person
/// decides.
fn points(expected: &BTreeMap<String, String>) -> BTreeMap<String, (String, String)> {
    let of_it = |it: &String| match it.as_str() {
        "held" => ("held".to_owned(), String::new()),
        letters => {
            let state = if letters.contains('I') { "undecided" } else { "graded" };
            let passed = letters.chars().filter(|it| *it == 'P').count() * 10;
            (state.to_owned(), passed.to_string())
        }
    };
    let mut all: BTreeMap<_, _> = expected.iter().map(|(id, it)| (id.clone(), of_it(it))).collect();
    all.insert(MISSING.to_owned(), ("missing".to_owned(), String::new()));
    all
}

/// Catches a hand-in that gets other letters among many than alone, by how it is packed, by what the
/// class does to the cluster, or by another hand-in; one without a result; and what stays.
#[tokio::test]
#[ignore = "for .ci/run class"]
async fn each_of_a_whole_class_gets_what_it_gets_alone() {
    Lab::run("live-whole-class", async |lab| {
        let class = Class { lab };
        let mut expected = BTreeMap::new();
        for ((id, path), packing) in manifests().into_iter().zip(PACKINGS.into_iter().cycle()) {
            let path = path.to_str().unwrap();
            packing.hand_in(&class, &id, &read(path));
            let of_it = if HELD.contains(&&*id) { "held".to_owned() } else { letters(path) };
            expected.insert(id, of_it);
        }
        for (name, id, bytes, of_it) in [
            ("broken.yaml", "broken", b"a: [b".to_vec(), "FFFFFFFFFF"),
            ("refused.yaml", "refused", read("tests/live/refused.yaml").into(), "FFFFFFFFFF"),
            ("admin.yaml", "admin", ADMIN.into(), "held"),
            ("nodeport.yaml", "nodeport", NODE_PORT.into(), "held"),
            ("half.zip", "half", zip("all.yaml", ADMIN)[..40].to_vec(), "FFFFFFFFFF"),
            ("escapes.zip", "escapes", zip("../../outside.yaml", ADMIN), "FFFFFFFFFF"),
        ] {
            class.hand_in(name, &bytes);
            expected.insert(id.to_owned(), of_it.to_owned());
        }
        assert!(expected.len() >= LEAST_HAND_INS, "a class of {}", expected.len());
        let roster = lab.folder.path().join("roster.csv");
        let rows: String = expected.keys().map(|id| format!("{id},{id}\n")).collect();
        fs::write(&roster, format!("id,name\n{rows}{MISSING},Nobody\n")).unwrap();
        let graded = class.grade_within(AT_MOST, &["--roster", roster.to_str().unwrap()]).await;
        assert_eq!(class.results(), expected, "{}", graded.told());
        assert_eq!(class.lines().len(), expected.len(), "{}", graded.told());
        assert_eq!(graded.status, 3, "{}", graded.told());
        assert!(class.namespaces().await.is_empty(), "{}", graded.told());
        assert_eq!(gradebook(&class.output()), points(&expected), "{}", graded.told());
        assert!(!lab.folder.path().join("outside.yaml").exists());
    })
    .await;
}
