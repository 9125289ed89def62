//! The structure of the sources: which group may import which, what `lib.rs` promises, line lengths
//! and file lengths. `step_walls` of `.ci/run` looks for some of the same by its own means, and at
//! what the checks depend on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::visit::{self, Visit};

/// The most lines of a file that needs no reason.
const MAX_LINES: usize = 400;
/// The most columns of a line.
const MAX_COLUMNS: usize = 100;

/// Files that are longer, and why. A file that is no longer too long must leave the list.
const LONG_FILES: &[(&str, &str)] = &[
    ("src/report/drawing/lanes.rs", "from the timeline to the data of one drawing"),
    ("checks/mistakes/catalogue.rs", "one mistake after another"),
    ("checks/model/diagnosis/rows.rs", "one table"),
    ("checks/model/evidence/content/original.rs", "one algorithm, with its tests"),
    ("checks/model/evidence/content/tests.rs", "one case after another"),
    ("checks/model/evidence/content/writer.rs", "one algorithm, with its tests"),
    ("checks/model/evidence/reattachment.rs", "one rule that two checks share"),
    ("checks/model/fold.rs", "one arm for each observation"),
    ("checks/model/observation/mod.rs", "the recording's format"),
    ("checks/model/observation/object.rs", "the allowlist of fields, in one place"),
    ("checks/model/testing/history.rs", "one builder, a method for each event"),
    ("checks/model/testing/property/cluster/mod.rs", "one state machine"),
    ("checks/model/testing/property/mod.rs", "the mutations, one after another"),
    ("checks/model/testing/property/oracle.rs", "one rule for each check"),
    ("checks/model/timeline/lives.rs", "the data of all lives"),
    ("src/cli.rs", "all flags, with their help"),
    ("src/cluster/client/error.rs", "one arm for each error"),
    ("src/cluster/grade/mod.rs", "the order of one grade"),
    ("src/cluster/inspect/reading.rs", "the order of one reading"),
    ("src/cluster/restore/lease.rs", "the life of one Lease"),
    ("src/cluster/watch/tests.rs", "one case after another"),
    ("src/remedy/edit/refusal.rs", "one edit for each of the server's words, with their tests"),
    ("src/remedy/edit/spec.rs", "one edit for each mistake"),
    ("src/report/mod.rs", "the report's data"),
    ("src/report/text.rs", "one page"),
    ("src/submission/tests.rs", "one case after another"),
    ("tests/batch.rs", "one case after another"),
    ("tests/cli.rs", "one case after another"),
    ("tests/live/lab.rs", "one harness"),
    ("tests/live/state.rs", "one case after another"),
    ("tests/bench/bounded.rs", "a measurement for each thing that may grow"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder, sorted.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The name of a file from the root of the repository.
fn name(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().display().to_string()
}

fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|it| {
        it.path().is_ident("test")
            || it.path().is_ident("cfg")
                && it.parse_args::<syn::Path>().is_ok_and(|cfg| cfg.is_ident("test"))
    })
}

/// What the product's part of a file names, calls and is.
#[derive(Default)]
struct Facts {
    /// Every path, with its segments.
    paths: Vec<Vec<String>>,
    /// Every method that is called.
    methods: BTreeSet<String>,
    /// Every macro that is called.
    macros: BTreeSet<String>,
    /// Every re-exported name, with its path.
    exports: Vec<(String, Vec<String>)>,
    /// Modules that only tests have.
    test_modules: BTreeSet<String>,
    is_async: bool,
}

impl Facts {
    fn of(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap();
        let parsed = syn::parse_file(&text).unwrap_or_else(|why| panic!("{}: {why}", name(file)));
        let mut facts = Self::default();
        facts.visit_file(&parsed);
        facts
    }

    fn take_use(&mut self, tree: &syn::UseTree, before: &[String], is_public: bool) {
        let mut path = before.to_vec();
        match tree {
            syn::UseTree::Path(it) => {
                path.push(it.ident.to_string());
                self.take_use(&it.tree, &path, is_public);
            }
            syn::UseTree::Group(it) => {
                it.items.iter().for_each(|it| self.take_use(it, before, is_public));
            }
            syn::UseTree::Glob(_) => self.paths.push(path),
            syn::UseTree::Name(syn::UseName { ident })
            | syn::UseTree::Rename(syn::UseRename { ident, .. }) => {
                path.push(ident.to_string());
                if is_public {
                    self.exports.push((ident.to_string(), path.clone()));
                }
                self.paths.push(path);
            }
        }
    }
}

impl<'a> Visit<'a> for Facts {
    fn visit_item_mod(&mut self, it: &'a syn::ItemMod) {
        if is_test_only(&it.attrs) {
            self.test_modules.insert(it.ident.to_string());
        } else {
            visit::visit_item_mod(self, it);
        }
    }

    fn visit_item_use(&mut self, it: &'a syn::ItemUse) {
        if !is_test_only(&it.attrs) {
            self.take_use(&it.tree, &[], !matches!(it.vis, syn::Visibility::Inherited));
        }
    }

    fn visit_item_fn(&mut self, it: &'a syn::ItemFn) {
        if !is_test_only(&it.attrs) {
            visit::visit_item_fn(self, it);
        }
    }

    fn visit_signature(&mut self, it: &'a syn::Signature) {
        self.is_async |= it.asyncness.is_some();
        visit::visit_signature(self, it);
    }

    fn visit_expr_async(&mut self, it: &'a syn::ExprAsync) {
        self.is_async = true;
        visit::visit_expr_async(self, it);
    }

    fn visit_path(&mut self, it: &'a syn::Path) {
        self.paths.push(it.segments.iter().map(|it| it.ident.to_string()).collect());
        visit::visit_path(self, it);
    }

    fn visit_expr_method_call(&mut self, it: &'a syn::ExprMethodCall) {
        self.methods.insert(it.method.to_string());
        visit::visit_expr_method_call(self, it);
    }

    fn visit_macro(&mut self, it: &'a syn::Macro) {
        self.macros.extend(it.path.segments.last().map(|it| it.ident.to_string()));
        visit::visit_macro(self, it);
    }
}

/// The product's files of a folder with what they name; files that only tests have are left out.
fn product_files(folder: &Path) -> BTreeMap<PathBuf, Facts> {
    let mut files: BTreeMap<PathBuf, Facts> =
        rust_files(folder).into_iter().map(|it| (it.clone(), Facts::of(&it))).collect();
    let mut test_only: Vec<PathBuf> = vec![];
    for (file, facts) in &files {
        let is_root = file.file_stem().is_some_and(|it| it == "mod" || it == "lib");
        let inside =
            if is_root { file.parent().unwrap().to_owned() } else { file.with_extension("") };
        test_only.extend(facts.test_modules.iter().map(|it| inside.join(it)));
    }
    files.retain(|file, _| {
        !test_only.iter().any(|it| file.starts_with(it) || *file == it.with_extension("rs"))
    });
    files
}

/// A group is a file or a folder that stands directly in the folder.
fn group(folder: &Path, file: &Path) -> String {
    let first = file.strip_prefix(folder).unwrap().iter().next().unwrap();
    first.to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// Which group imports which, by the files that do. Names that `mod.rs` exports count for the group
/// that they come from.
fn imports(folder: &str, module: &[&str]) -> BTreeMap<(String, String), String> {
    let folder = root().join(folder);
    let files = product_files(&folder);
    let exports: BTreeMap<&str, &str> = files[&folder.join("mod.rs")]
        .exports
        .iter()
        .filter_map(|(name, path)| Some((name.as_str(), path.get(module.len())?.as_str())))
        .collect();
    let groups: BTreeSet<String> = files.keys().map(|it| group(&folder, it)).collect();
    let mut found = BTreeMap::new();
    for (file, facts) in &files {
        let from = group(&folder, file);
        for path in facts.paths.iter().filter(|it| it.starts_with(&segments(module))) {
            let Some(first) = path.get(module.len()) else { continue };
            let to = exports.get(first.as_str()).copied().unwrap_or(first);
            if from != "mod" && from != to && groups.contains(to) {
                found.insert((from.clone(), to.to_owned()), name(file));
            }
        }
    }
    found
}

/// A path's segments.
fn segments(path: &[&str]) -> Vec<String> {
    path.iter().map(|it| (*it).to_owned()).collect()
}

/// A circle of groups, if there is one.
fn circle(imports: &BTreeMap<(String, String), String>) -> Option<String> {
    let mut left: BTreeSet<&(String, String)> = imports.keys().collect();
    loop {
        // A group that imports nothing that is left is in no circle.
        let importing: BTreeSet<&String> = left.iter().map(|(from, _)| from).collect();
        let before = left.len();
        left.retain(|(_, to)| importing.contains(to));
        if left.is_empty() {
            return None;
        }
        if left.len() == before {
            let edges = left.iter().map(|it| format!("{} → {} ({})", it.0, it.1, imports[*it]));
            return Some(edges.collect::<Vec<_>>().join(", "));
        }
    }
}

/// Catches two groups that can only be understood together.
#[test]
fn no_group_imports_itself_through_others() {
    for (folder, module, known) in [
        ("checks/model", ["crate", "model"], ("diagnosis", "timeline")),
        ("src/cluster", ["crate", "cluster"], ("grade", "restore")),
    ] {
        let imports = imports(folder, &module);
        // What is known to be there must be found, or the search finds nothing.
        assert!(imports.contains_key(&(known.0.to_owned(), known.1.to_owned())), "{imports:?}");
        assert_eq!(circle(&imports), None, "a circle in {folder}");
    }
}

/// Catches a test above that finds no circle where there is one.
#[test]
fn a_circle_is_found() {
    let edge = |from: &str, to: &str| ((from.to_owned(), to.to_owned()), String::new());
    let line = BTreeMap::from([edge("a", "b"), edge("b", "c"), edge("a", "c")]);
    assert_eq!(circle(&line), None);
    let round = BTreeMap::from([edge("a", "b"), edge("b", "c"), edge("c", "a")]);
    assert!(circle(&round).is_some());
}

fn names_any(facts: &Facts, crates: &[&str]) -> bool {
    facts.paths.iter().any(|it| it.first().is_some_and(|it| crates.contains(&it.as_str())))
}

/// What `src/lib.rs` states.
#[test]
fn the_shell_keeps_its_invariants() {
    let src = root().join("src");
    let files = product_files(&src);
    let in_cluster = |file: &Path| file.starts_with(src.join("cluster"));
    assert!(
        files.iter().any(|(file, facts)| in_cluster(file) && names_any(facts, &["kube"])),
        "the search for kube does not find it in src/cluster"
    );
    for (file, facts) in &files {
        let file_name = name(file);
        let is_exit = |it: &Vec<String>| {
            it.ends_with(&segments(&["process", "exit"]))
                || it.ends_with(&segments(&["process", "abort"]))
        };
        assert!(!facts.paths.iter().any(is_exit), "{file_name} ends the process");
        if in_cluster(file) {
            continue;
        }
        assert!(!names_any(facts, &["kube", "k8s_openapi"]), "{file_name} knows kube");
        let is_beside = ASYNC_BESIDE.iter().any(|it| file.starts_with(src.join(it)));
        let may_wait = file.starts_with(src.join("commands")) || is_beside;
        assert!(may_wait || !facts.is_async, "{file_name} is async");
        let renders = |it: &Vec<String>| {
            it.len() == 4
                && it.starts_with(&segments(&["crate", "report"]))
                && it.last().is_some_and(|it| it == "page")
        };
        let is_report = file.starts_with(src.join("report"));
        assert!(is_report || !facts.paths.iter().any(renders), "{file_name} writes a report");
    }
}

/// What waits beside `cluster` and the commands: one shows what goes on, one until somebody reads
/// that, and one works off a queue and knows no cluster.
const ASYNC_BESIDE: [&str; 3] = ["console/progress.rs", "console/stderr.rs", "batch/engine"];

/// What `checks/lib.rs` states.
#[test]
fn the_checks_keep_their_invariants() {
    const MODULES: [&str; 8] = ["env", "fs", "io", "net", "os", "process", "thread", "time"];
    const MACROS: [&str; 8] =
        ["panic", "todo", "unimplemented", "unreachable", "print", "println", "eprint", "eprintln"];
    for (file, facts) in product_files(&root().join("checks")) {
        let file = name(&file);
        for path in &facts.paths {
            let is_std = path.first().is_some_and(|it| it == "std");
            let is_impure = path.get(1).is_some_and(|it| MODULES.contains(&it.as_str()));
            assert!(!(is_std && is_impure), "{file} uses {}", path.join("::"));
        }
        for method in ["unwrap", "expect"] {
            assert!(!facts.methods.contains(method), "{file} calls {method}");
        }
        for called in MACROS {
            assert!(!facts.macros.contains(called), "{file} calls {called}!");
        }
        assert!(!facts.is_async, "{file} is async");
    }
}

#[test]
fn lines_and_files_are_short() {
    let (mut lines, mut long_lines) = (0_usize, 0_usize);
    let mut wrong = vec![];
    let mut known: BTreeSet<&str> = LONG_FILES.iter().map(|(file, _)| *file).collect();
    for file in ["checks", "src", "tests"].iter().flat_map(|it| rust_files(&root().join(it))) {
        let text = fs::read_to_string(&file).unwrap();
        lines += text.lines().count();
        long_lines += text.lines().filter(|it| it.chars().count() > MAX_COLUMNS).count();
        let is_long = text.lines().count() > MAX_LINES;
        match (is_long, known.remove(name(&file).as_str())) {
            (true, false) => {
                wrong.push(format!("{} is longer than {MAX_LINES} lines", name(&file)))
            }
            (false, true) => wrong.push(format!("{} is short enough by now", name(&file))),
            _ => {}
        }
    }
    wrong.extend(known.iter().map(|it| format!("{it} does not exist")));
    assert!(wrong.is_empty(), "see LONG_FILES in tests/tidy.rs: {wrong:#?}");
    assert!(
        long_lines * 100 < lines,
        "{long_lines} of {lines} lines are longer than {MAX_COLUMNS} columns"
    );
}

/// The ids that the tests of the diagnosis assert, by its helpers `stops` and `waits`.
#[derive(Default)]
struct AssertedRows(BTreeSet<String>);

impl<'a> Visit<'a> for AssertedRows {
    fn visit_expr_call(&mut self, it: &'a syn::ExprCall) {
        let is_helper = matches!(&*it.func, syn::Expr::Path(path)
            if path.path.is_ident("stops") || path.path.is_ident("waits"));
        if is_helper
            && let Some(syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(id), .. })) =
                it.args.iter().nth(1)
        {
            self.0.insert(id.value());
        }
        visit::visit_expr_call(self, it);
    }
}

/// Catches an obstacle of which nobody has seen a case.
#[test]
fn every_row_of_the_diagnosis_has_a_case() {
    let mut asserted = AssertedRows::default();
    for file in rust_files(&root().join("checks/model/diagnosis/tests")) {
        asserted.visit_file(&syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap());
    }
    let rows = checks::model::diagnosis::rows().map(|(id, ..)| id);
    let missing: Vec<&str> = rows.filter(|id| !asserted.0.contains(*id)).collect();
    assert!(missing.is_empty(), "no case in checks/model/diagnosis/tests for {missing:?}");
}
