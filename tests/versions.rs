//! The versions of Kubernetes that the tool says it was tried on are those of the test cluster.

use std::{fs, path::Path};

use stsgrade::cluster::server_version::{TRIED_MINORS, minor};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// The minor version of Kubernetes that a module file builds.
fn built_by(file: &str) -> u32 {
    let text = read(file);
    let version = text.lines().find_map(|it| it.strip_prefix("\tk8s.io/kubernetes ")).unwrap();
    minor(version).unwrap()
}

/// Catches a version that is said to be tried and has no cluster, or that has one and no place in
/// the list, and a folder that builds another version than its name says.
#[test]
fn what_is_tried_is_what_the_test_cluster_can_be() {
    let mut clusters = vec![built_by("tests/cluster/go.mod")];
    for entry in fs::read_dir(root().join("tests/cluster/versions")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let built = built_by(&format!("tests/cluster/versions/{name}/go.mod"));
        assert_eq!(format!("1.{built}"), name);
        clusters.push(built);
    }
    clusters.sort_unstable();
    assert_eq!(clusters, TRIED_MINORS);
}

/// Catches a table in the README of which `.ci/run versions` was not run for all versions.
#[test]
fn the_readme_has_a_row_for_each_version() {
    let readme = read("README.md");
    let (_, rest) = readme.split_once("<!-- tried -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- end -->").unwrap();
    let rows = table.lines().skip(2).map(|row| minor(row.trim_start_matches("| ")).unwrap());
    assert_eq!(rows.collect::<Vec<_>>(), TRIED_MINORS);
}
