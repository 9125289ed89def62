use std::{
    fs,
    io::Write as _,
    os::unix,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use checks::model::observation::File;

use super::{
    INSPECT, InspectOutput, MAX_FILE_BYTES, SEARCH, epoch_nanoseconds, parse, pattern, reason,
    started,
};
use crate::cluster::exec::{GO, script};

const WORD: &str = "0123456789abcdef0123456789abcdef";
const NAME: &str = ".stsgrade-0123456789abcdef0123456789abcde0";
const SHELLS: [&[&str]; 3] = [&["sh"], &["busybox", "sh"], &["bash", "--posix"]];

fn run(
    shell: &[&str],
    path: Option<&str>,
    folder: &Path,
    canary: &str,
    first: &[&str],
) -> InspectOutput {
    run_told(shell, path, folder, canary, first, GO)
}

fn run_told(
    shell: &[&str],
    path: Option<&str>,
    folder: &Path,
    canary: &str,
    first: &[&str],
    input: &str,
) -> InspectOutput {
    let mut arguments = vec![WORD, "400", folder.to_str().unwrap(), "6", canary, "web-1/token"];
    let count = first.len().to_string();
    arguments.push(&count);
    arguments.extend(first);
    let line = script(INSPECT, arguments.into_iter().map(str::to_owned));
    let mut command = Command::new(which(shell[0]));
    command.args(&shell[1..]).args(&line[1..]);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // A script that writes nothing may have ended before.
    let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
    let output = process.wait_with_output().unwrap();
    parse(&output.stdout, WORD)
}

fn which(name: &str) -> String {
    ["/bin", "/usr/bin"]
        .iter()
        .map(|folder| format!("{folder}/{name}"))
        .find(|it| Path::new(it).exists())
        .unwrap_or_else(|| name.to_owned())
}

fn hostile() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("sub/lost+found")).unwrap();
    fs::create_dir_all(at("lost+found/x")).unwrap();
    fs::write(at("lost+found/x/y"), "not theirs").unwrap();
    fs::write(at("id"), "web-1\n").unwrap();
    fs::write(at("no newline"), "grün\\n \t*").unwrap();
    fs::write(at("two\nlines : $(id) `id` *"), "\n\na\n\n").unwrap();
    fs::write(at(".hidden"), "h").unwrap();
    fs::write(at("-n"), "-n").unwrap();
    fs::write(at("empty"), "").unwrap();
    fs::write(at("binary"), b"\0\xff\xfe").unwrap();
    fs::write(at("large"), "x".repeat(20_000)).unwrap();
    fs::write(at("sub/lost+found/deep"), "deep").unwrap();
    unix::fs::symlink("/etc/passwd", at("link")).unwrap();
    unix::fs::symlink("..", at("sub/up")).unwrap();
    assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
    folder
}

fn found<'a>(told: &'a InspectOutput, path: &str) -> &'a File {
    told.mounts[0]
        .files
        .iter()
        .find(|it| it.path == path)
        .unwrap_or_else(|| panic!("{path} is not in {told:?}"))
}

#[test]
fn every_shell_tells_the_same() {
    for shell in SHELLS {
        let folder = hostile();
        let told = run(shell, None, folder.path(), "", &["sub/lost+found/deep", "gone"]);
        assert!(told.is_complete, "{shell:?}");
        assert_eq!(told.mounts[0].files[0].path, "sub/lost+found/deep", "{shell:?}");
        let mut names: Vec<&str> = told.mounts[0].files.iter().map(|it| it.path.as_str()).collect();
        names.sort_unstable();
        let expected = [
            "-n",
            ".hidden",
            "binary",
            "empty",
            "id",
            "large",
            "no newline",
            "sub/lost+found/deep",
            "two\nlines : $(id) `id` *",
        ];
        assert_eq!(names, expected, "{shell:?}");
        assert_eq!(found(&told, "id").content.as_deref(), Some("web-1\n"));
        assert_eq!(found(&told, "no newline").content.as_deref(), Some("grün\\n \t*"));
        assert_eq!(found(&told, "two\nlines : $(id) `id` *").content.as_deref(), Some("\n\na\n\n"));
        assert_eq!(found(&told, "empty").content.as_deref(), Some(""));
        assert_eq!(found(&told, "binary").without.as_deref(), Some("binary"));
        assert!(found(&told, "id").mtime.is_some());
        let large = found(&told, "large");
        assert_eq!(
            (large.size, large.cut, large.content.as_ref().map(String::len)),
            (20_000, true, Some(MAX_FILE_BYTES))
        );
        assert_eq!(told.mounts[0].left_out, 0);
    }
}

#[test]
fn a_shell_alone_is_enough() {
    let nothing = tempfile::tempdir().unwrap();
    for shell in [&["dash"][..], &["bash", "--posix"]] {
        let folder = hostile();
        let told = run(shell, nothing.path().to_str(), folder.path(), NAME, &["id"]);
        assert!(told.is_complete, "{shell:?}");
        assert_eq!(found(&told, "no newline").content.as_deref(), Some("grün\\n \t*"));
        assert_eq!(found(&told, "two\nlines : $(id) `id` *").content.as_deref(), Some("\n\na\n\n"));
        assert_eq!(
            found(&told, "large").content.as_ref().map(String::len),
            Some(MAX_FILE_BYTES),
            "{shell:?}"
        );
        assert_eq!(told.mounts[0].files.len(), 9);
        assert_eq!(told.mounts[0].written, Some(Ok(NAME.to_owned())));
    }
}

/// Catches a command that a node begins after its grade was killed, and that writes when all has
/// been put back.
#[test]
fn nothing_is_written_without_the_word_to_go() {
    for shell in SHELLS {
        let folder = tempfile::tempdir().unwrap();
        for input in ["", "g", "stop\n"] {
            let told = run_told(shell, None, folder.path(), NAME, &[], input);
            assert!(told.mounts[0].written.is_none() && !told.is_complete, "{shell:?}: {input:?}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{shell:?}");
            let looked = run_told(shell, None, folder.path(), "", &[], input);
            assert!(looked.is_complete, "{shell:?}: looking alone needs no word");
        }
    }
}

#[test]
fn canaries_are_written_and_found() {
    for shell in SHELLS {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".stsgrade-notes"), "a student's").unwrap();
        assert_eq!(
            run(shell, None, folder.path(), NAME, &[]).mounts[0].written,
            Some(Ok(NAME.to_owned()))
        );
        let again = run(shell, None, folder.path(), "", &[]);
        let seen: Vec<_> = again.mounts[0]
            .canaries
            .iter()
            .map(|it| (it.file.as_str(), it.content.as_str()))
            .collect();
        assert_eq!(seen, [(NAME, "web-1/token")], "{shell:?}");
        assert_eq!(
            again.mounts[0].files.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(),
            [".stsgrade-notes"]
        );
    }
}

#[test]
fn the_containers_clocks_are_told() {
    for shell in SHELLS {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("id"), "web-1\n").unwrap();
        let told = run(shell, None, folder.path(), NAME, &[]);
        let (mount, age) = (&told.mounts[0], i64::try_from(told.age.unwrap().as_nanos()).unwrap());
        let (path, written) = mount.times.first().unwrap();
        // The first process here is this machine's.
        let after = written - mount.started.unwrap();
        assert!(
            path == "id" && (age - after).abs() < 10_000_000_000,
            "{shell:?}: {after} of {age}"
        );
        assert_eq!(
            run(shell, None, folder.path(), "", &[]).mounts[0].started,
            None,
            "without a canary nobody knows the claim's clock"
        );
    }
}

#[test]
fn times_are_read_exactly() {
    assert_eq!(epoch_nanoseconds(1_700_000_000, "943810896"), Some(1_700_000_000_943_810_896));
    assert_eq!(epoch_nanoseconds(1, "5"), Some(1_500_000_000));
    for bad in ["", "x", "-1", "1 2"] {
        assert_eq!(epoch_nanoseconds(1, bad), None, "{bad:?}");
    }
    let hostile =
        "7 (a) S (b c) R 1 7 7 0 -1 4194560 803 66 0 0 0 0 0 0 20 0 1 0 1408444 2322432 384";
    assert_eq!(started(hostile), Some(Duration::from_millis(14_084_440)));
    assert_eq!(started("7 (a) S 1"), None);
}

#[test]
fn many_files_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..550 {
        fs::write(folder.path().join(format!("{i:03}")), "x").unwrap();
    }
    let told = run(&["sh"], None, folder.path(), "", &["549"]);
    assert_eq!(told.mounts[0].files.len(), 500);
    assert_eq!(told.mounts[0].files.iter().filter(|it| it.content.is_some()).count(), 400);
    assert_eq!(told.mounts[0].files[0].content.as_deref(), Some("x"));
    assert_eq!(told.mounts[0].left_out, 50 + 100);
}

fn search(shell: &[&str], folder: &Path, words: &[&str]) -> InspectOutput {
    let words: Vec<String> = words.iter().map(|it| (*it).to_owned()).collect();
    let arguments = [WORD.to_owned(), pattern(&words), folder.to_str().unwrap().to_owned()];
    let line = script(SEARCH, arguments);
    let mut command = Command::new(which(shell[0]));
    let output = command.args(&shell[1..]).args(&line[1..]).output().unwrap();
    parse(&output.stdout, WORD)
}

#[test]
fn a_search_finds_what_no_bound_lets_be_read() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..550 {
        fs::write(folder.path().join(format!("{i:03}")), format!("web-1{i} or my web-2")).unwrap();
    }
    fs::write(folder.path().join("zz newest"), "written by web-1\n").unwrap();
    let noise: Vec<u8> = (0..600_u32).map(|it| u8::try_from(it * 7919 % 256).unwrap()).collect();
    let bytes = [&noise[..300], b"\0web-1\n", &noise[300..]].concat();
    fs::write(folder.path().join("zz binary"), &bytes).unwrap();
    unix::fs::symlink("zz binary", folder.path().join("zz link")).unwrap();
    fs::write(folder.path().join(NAME), "web-1 token").unwrap();
    for shell in SHELLS {
        let mut told = run(shell, None, folder.path(), "", &[]);
        assert!(told.mounts[0].hides_something() && !told.mounts[0].names(&["web-1 ".to_owned()]));
        let mut found = search(shell, folder.path(), &["web-1"]);
        assert!(found.is_complete && found.mounts[0].searched, "{shell:?}");
        told.mounts[0].add_found(found.mounts.remove(0), &["web-1".to_owned()]);
        let files: Vec<_> = told.mounts[0].files.iter().filter(|it| !it.holds.is_empty()).collect();
        let held: Vec<_> = files.iter().map(|it| (it.path.as_str(), it.size)).collect();
        assert_eq!(held, [("zz binary", 607), ("zz newest", 17)], "{shell:?}");
        assert_eq!((files[0].blocks.len(), files[0].without.as_deref()), (10 * 8, Some("binary")));
        assert_eq!(files[1].content.as_deref(), Some("written by web-1\n"));
        // What was found is read first at the next look.
        assert_eq!(told.mounts[0].files[0].path, "zz binary");
    }
}

#[test]
fn a_search_leaves_alone_what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Command::new("mkfifo").arg(folder.path().join("fifo")).status().unwrap().success());
    for shell in SHELLS {
        let found = search(shell, folder.path(), &["web-1", "d2ViLTE+/=", "10.0.0.1"]);
        assert!(found.is_complete && found.mounts[0].searched, "{shell:?}");
        assert!(found.mounts[0].files.is_empty(), "{shell:?}");
    }
}

#[test]
fn folders_that_hold_nothing_are_told() {
    for shell in SHELLS {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("web-1")).unwrap();
        fs::create_dir_all(folder.path().join("a/b c")).unwrap();
        fs::create_dir_all(folder.path().join("full")).unwrap();
        fs::write(folder.path().join("full/x"), "x").unwrap();
        let told = run(shell, None, folder.path(), NAME, &[]);
        assert_eq!(told.mounts[0].folders, ["a/b c", "web-1"], "{shell:?}");
    }
}

#[test]
fn a_copy_of_a_canary_has_another_mark() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for shell in SHELLS {
        let inode = |folder: &Path, canary| {
            run(shell, None, folder, canary, &[]).mounts[0].inodes[NAME].clone()
        };
        let own = inode(one.path(), NAME);
        assert_eq!(inode(one.path(), ""), own, "{shell:?}");
        fs::copy(one.path().join(NAME), other.path().join(NAME)).unwrap();
        assert_ne!(inode(other.path(), ""), own, "{shell:?}");
    }
}

#[test]
fn the_oldest_and_the_smallest_files_are_read_first() {
    for shell in SHELLS {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, size: usize, age: u64| {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_len(0).unwrap();
            fs::write(folder.path().join(name), "x".repeat(size)).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_secs(age)).unwrap();
        };
        for i in 1..10 {
            write(&format!("access-{i}.log"), 65_536, 100);
        }
        write("zy oldest", 65_536, 200);
        write("zz smallest and newest", 7, 0);
        let told = run(shell, None, folder.path(), "", &[]);
        for name in ["zy oldest", "zz smallest and newest"] {
            assert!(found(&told, name).content.is_some(), "{shell:?} {name}");
        }
        assert_eq!((told.mounts[0].files.len(), told.mounts[0].left_out), (11, 2), "{shell:?}");
    }
    // Without any tool, the shell itself tells which is older.
    let nothing = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("zz"), "web-1").unwrap();
    let past = std::time::SystemTime::now() - Duration::from_secs(100);
    fs::File::options()
        .append(true)
        .open(folder.path().join("zz"))
        .unwrap()
        .set_modified(past)
        .unwrap();
    for i in 1..10 {
        fs::write(folder.path().join(format!("access-{i}.log")), "x".repeat(65_536)).unwrap();
    }
    for shell in [&["dash"][..], &["bash", "--posix"]] {
        let told = run(shell, nothing.path().to_str(), folder.path(), "", &[]);
        assert_eq!(
            told.mounts[0].files.first().map(|it| it.path.as_str()),
            Some("zz"),
            "{shell:?}"
        );
        assert_eq!(found(&told, "zz").content.as_deref(), Some("web-1"), "{shell:?}");
    }
}

#[test]
fn what_one_container_may_not_look_at_another_may() {
    let mount = |records: &str| {
        let output = records.replace('@', WORD).into_bytes();
        parse(&output, WORD).mounts.remove(0)
    };
    let mut told = mount(
        "@:mount:0@:file:log@:size:2@:body:hi@:closed:private@:unwritten:Permission \
        denied@:listed:1",
    );
    assert!(told.has_closed_parts() && told.left_out == 1);
    told.add(mount(&format!(
        "@:mount:0@:wrote:{NAME}@:file:log@:without:unreadable@:file:private/id@:size:5@:body:web-1@:canary:{NAME}@:token:t@:listed:2"
    )));
    let files: Vec<_> =
        told.files.iter().map(|it| (it.path.as_str(), it.content.as_deref())).collect();
    assert_eq!(files, [("log", Some("hi")), ("private/id", Some("web-1"))]);
    assert!(!told.has_closed_parts() && told.left_out == 0);
    assert_eq!((told.written, told.canaries.len()), (Some(Ok(NAME.to_owned())), 1));
    // Nothing at all from the first, and nothing more from the second.
    let mut closed = mount("@:mount:0@:error:the folder may not be read");
    closed.add(mount("@:mount:0@:error:the folder may not be read"));
    assert!(closed.has_closed_parts());
    closed.add(mount("@:mount:0@:file:id@:size:5@:body:web-1@:listed:1"));
    assert_eq!((closed.has_closed_parts(), closed.files.len()), (false, 1));
}

#[test]
fn what_cannot_be_read_is_said() {
    let told = run(&["sh"], None, Path::new("/nowhere"), NAME, &[]);
    assert_eq!(told.mounts[0].error.as_deref(), Some("the mount is not a folder"));
    assert!(matches!(&told.mounts[0].written, Some(Err(_))));
    assert_eq!(
        reason("sh: 3: cannot create /data/x: Read-only file system"),
        "read-only file system"
    );
}

#[test]
fn an_output_that_was_cut_is_not_whole() {
    assert!(!parse(b"0123456789abcdef0123456789abcdef:mount:0", WORD).is_complete);
}
