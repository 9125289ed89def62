//! Recordings that would fill the memory, and files that end too early.

use std::io::Cursor;

use super::{by_gzip, by_zstd, error, gap, read, recording, subject};
use crate::recording::reader::{Folded, ReadError, Reader, budget::MAX_ELEMENTS, fold};
use checks::model::{Fact, observation::End};

/// More elements than a list or a map may have, in short.
fn too_many(element: &str) -> String {
    format!("{element},").repeat(MAX_ELEMENTS) + element
}

/// As many different names, each with a value.
fn too_many_names(value: &str) -> String {
    let names: Vec<String> = (0..=MAX_ELEMENTS).map(|n| format!("\"{n}\":{value}")).collect();
    names.join(",")
}

/// A recording whose second line holds this.
fn holding(what: &str) -> String {
    format!("{}{{\"seq\":1,\"at\":1,{what}}}\n", recording([]).0)
}

fn of_pod(what: &str) -> String {
    holding(&format!("\"change\":\"added\",\"object\":{{\"Pod\":{what}}}"))
}

fn of_set(what: &str) -> String {
    holding(&format!("\"change\":\"added\",\"object\":{{\"StatefulSet\":{{\"spec\":{what}}}}}"))
}

fn within(memory: usize, text: &str) -> Result<Folded, ReadError> {
    let input = Box::new(Cursor::new(text.to_owned()));
    fold(Reader::from(input, "FILE")?.with_memory(memory))
}

/// Catches a short line of which millions of structs are made, wherever the list is.
#[test]
fn a_list_or_a_map_without_end_is_refused() {
    let list = |field: &str, element: &str| format!("{{\"{field}\":[{}]}}", too_many(element));
    let spec = |field: &str, element: &str| format!("{{\"spec\":{}}}", list(field, element));
    let template = |spec: &str| of_set(&format!("{{\"template\":{{\"spec\":{spec}}}}}"));
    let container = |inner: &str| of_pod(&format!("{{\"spec\":{{\"containers\":[{inner}]}}}}"));
    let labels =
        |field: &str, value: &str| format!("{{\"{field}\":{{{}}}}}", too_many_names(value));
    for (field, text) in [
        ("containers", of_pod(&spec("containers", "{}"))),
        ("initContainers", of_pod(&spec("initContainers", "{}"))),
        ("volumes", of_pod(&spec("volumes", "{}"))),
        ("topologySpreadConstraints", of_pod(&spec("topologySpreadConstraints", "{}"))),
        ("env", container(&list("env", "{}"))),
        ("volumeMounts", container(&list("volumeMounts", "{}"))),
        ("args", container(&list("args", "\"\""))),
        ("limits", container(&format!("{{\"resources\":{}}}", labels("limits", "\"1\"")))),
        ("conditions", of_pod(&format!("{{\"status\":{}}}", list("conditions", "{}")))),
        ("podIPs", of_pod(&format!("{{\"status\":{}}}", list("podIPs", "{}")))),
        ("ownerReferences", of_pod(&format!("{{\"metadata\":{}}}", list("ownerReferences", "{}")))),
        ("labels", of_pod(&format!("{{\"metadata\":{}}}", labels("labels", "\"\"")))),
        ("volumeClaimTemplates", of_set(&list("volumeClaimTemplates", "{}"))),
        ("containers", template(&list("containers", "{}"))),
        ("files", holding(&format!("\"read\":{}", list("files", "{}")))),
        ("saw", holding(&format!("\"canary\":{}", list("saw", "{}")))),
        ("marks", holding(&format!("\"canary\":{}", labels("marks", "\"\"")))),
        ("addresses", holding(&format!("\"lookup\":{}", list("addresses", "\"\"")))),
        ("others", holding(&format!("\"subject\":{}", list("others", "\"\"")))),
        (
            "classes",
            holding(&format!("\"diagnosis\":{{\"storageClasses\":{}}}", list("classes", "{}"))),
        ),
    ] {
        let told = error(text);
        let expected = format!(
            "FILE is broken at line 2: `{field}` has more than 100000 elements, and no API server \
             takes an object of so many"
        );
        assert_eq!(told, expected);
    }
}

/// Catches an object that is refused for what nothing is kept of, and lists of the greatest length.
#[test]
fn what_is_not_kept_is_not_counted() {
    let all = too_many("{}");
    for field in ["managedFields", "finalizers", "tolerations"] {
        let text = of_pod(&format!("{{\"metadata\":{{\"{field}\":[{all}]}}}}"));
        assert!(read(text).unwrap().torn, "{field}");
    }
    let most = &all[..all.len() - ",{}".len()];
    let text = of_pod(&format!("{{\"spec\":{{\"volumes\":[{most}]}}}}"));
    assert!(within(1 << 30, &text).is_ok());
}

/// Catches lists within lists, each of them short, and lines that fill the memory together.
#[test]
fn what_is_kept_of_a_recording_is_bounded() {
    const ROOM: usize = 1 << 20;
    let outer = |inner: &str| {
        let containers = format!("{inner},").repeat(99) + inner;
        of_pod(&format!("{{\"spec\":{{\"containers\":[{containers}]}}}}"))
    };
    let mounts = outer(&format!("{{\"volumeMounts\":[{}]}}", "{},".repeat(99) + "{}"));
    let maps = outer(&format!("{{\"resources\":{{\"limits\":{{{}}}}}}}", "\"a\":\"b\""));
    let text =
        holding(&format!("\"gap\":{{\"kind\":\"Pod\",\"reason\":\"{}\"}}", "x".repeat(2 * ROOM)));
    for (field, text) in [("volumeMounts", mounts), ("reason", text)] {
        let told = within(ROOM, &text).unwrap_err();
        let expected = format!(
            "FILE takes more than 512 MiB of memory at line 2 (field `{field}`): no recording of a \
             lab holds so much"
        );
        assert_eq!((told.to_string(), told.id()), (expected, "recording_too_long"));
        assert!(told.next().starts_with("Record the lab alone"), "{}", told.next());
        assert!(within(64 * ROOM, &text).is_ok(), "{field}");
    }
    // A node of a map has room for more than its one element.
    assert!(within(100 * 11 * 48, &maps).is_err());
    let lines = recording((0..1000).map(|_| gap())).0;
    let told = within(ROOM, &lines).unwrap_err();
    assert!(matches!(told, ReadError::TooLarge { line: 300..700, .. }), "{told}");
}

/// A recording of a line of this kind for each number: the metadata and what else it holds.
fn changes(kind: &str, object: impl Fn(u64) -> (String, String)) -> String {
    let line = |seq: u64| {
        let change = if seq == 1 { "added" } else { "modified" };
        let (metadata, more) = object(seq);
        format!(
            "{{\"seq\":{seq},\"at\":{seq},\"change\":\"{change}\",\
            \"object\":{{\"{kind}\":{{\"metadata\":{{{metadata}}}{more}}}}}}}\n"
        )
    };
    recording([]).0 + &(1..=2000).map(line).collect::<String>()
}

/// Catches a long recording of a few pods, which the writer takes, and no reader.
#[test]
fn a_later_state_of_a_pod_takes_the_place_of_the_one_before() {
    let spec = ",\"spec\":{\"containers\":[{}]}";
    let text = changes("Pod", |seq| {
        let uid = format!("\"name\":\"web-0\",\"uid\":\"{}\"", seq % 3);
        (uid, if seq <= 3 { spec.to_owned() } else { String::new() })
    });
    assert!(within(1 << 20, &text).is_ok());
}

/// Catches memory that is given back, though what took it is kept: the spec of a pod whose later
/// lines leave it out, pods without a UID or with a long one, and objects that are kept by name.
#[test]
fn what_is_kept_beside_the_newest_state_is_counted() {
    let named =
        |name: u64, uid: &str| (format!("\"name\":\"n{name}\",\"uid\":\"{uid}\""), String::new());
    let with_spec = |seq: u64| {
        let (metadata, _) = named(1, &(seq / 2).to_string());
        let spec = if seq.is_multiple_of(2) { ",\"spec\":{\"containers\":[{},{}]}" } else { "" };
        (metadata, spec.to_owned())
    };
    for (why, text) in [
        ("specs", changes("Pod", with_spec)),
        ("other UIDs", changes("Pod", |seq| named(1, &seq.to_string()))),
        ("no UID", changes("Pod", |_| named(1, ""))),
        ("a long UID", changes("Pod", |_| named(1, &"u".repeat(37)))),
        ("sets by name", changes("StatefulSet", |seq| named(seq, "one"))),
        ("sets of one name", changes("StatefulSet", |seq| named(1, &(seq % 2).to_string()))),
        ("slices", changes("EndpointSlice", |seq| named(seq, "one"))),
    ] {
        let told = within(1 << 20, &text).unwrap_err();
        assert!(matches!(told, ReadError::TooLarge { .. }), "{why}: {told}");
    }
}

/// Catches a short text of a file of which comparing makes many lines and words.
#[test]
fn what_files_hold_is_counted_as_it_is_compared() {
    let of =
        |content: &str| holding(&format!("\"read\":{{\"files\":[{{\"content\":\"{content}\"}}]}}"));
    for content in ["1\\n", "1 "] {
        let told = within(1 << 20, &of(&content.repeat(20_000))).unwrap_err();
        assert!(told.to_string().contains("at line 2 (field `content`)"), "{content:?}: {told}");
    }
    assert!(within(1 << 20, &of(&"x".repeat(500_000))).is_ok());
}

/// Catches a stack that overflows.
#[test]
fn what_is_nested_too_deeply_is_refused() {
    let deep = |field: &str| {
        let inner = "[".repeat(1 << 20);
        error(of_pod(&format!("{{\"{field}\":{inner}")))
    };
    for field in ["spec", "unknown"] {
        assert!(deep(field).starts_with("FILE is broken at line 2: "), "{field}: {}", deep(field));
    }
}

/// Catches a file that was not copied whole and is told as one that cannot be read.
#[test]
fn a_compressed_recording_that_ends_too_early_says_so() {
    let many = || (0..200).map(|_| gap());
    let (text, _) = recording([subject()].into_iter().chain(many()).chain([end()]));
    for compress in [by_gzip, by_zstd] {
        let whole = compress(&text);
        // Before that, not even the header is there.
        for cut in whole.len() / 2..whole.len() - 9 {
            let told = read(&whole[..cut]).map(|it| it.torn).unwrap_err();
            let words = "FILE ends too early: it was cut off in the middle of its compressed data";
            assert!(told.to_string().starts_with(words), "cut at {cut}: {told}");
            assert_eq!(told.id(), "recording_cut_off");
            assert!(told.next().starts_with("Copy it again, whole."));
        }
    }
}

fn end() -> Fact {
    Fact::End(End::default())
}

/// A frame of zstd that holds nothing of the recording.
fn skippable(kind: u8, length: u32, held: &[u8]) -> Vec<u8> {
    [&[0x50 + kind, 0x2a, 0x4d, 0x18], &length.to_le_bytes()[..], held].concat()
}

/// Catches a recording of `pzstd`, which writes a skippable frame before each other one.
#[test]
fn skippable_frames_are_skipped() {
    let (text, digest) = recording([subject(), gap(), end()]);
    let (first, second) = text.split_at(text.len() / 2);
    let small = |kind| skippable(kind, 4, &[1, 2, 3, 4]);
    let frames =
        [small(0), by_zstd(first), small(15), skippable(7, 0, &[]), by_zstd(second), small(1)];
    let folded = read(frames.concat()).unwrap();
    assert_eq!((folded.digest, folded.torn), (digest, false));

    let cut = read([by_zstd(first), skippable(3, 5, &[1])].concat()).unwrap_err();
    assert_eq!(cut.id(), "recording_cut_off");
}

/// Catches a file without end that is read for ever, because nothing comes out of it.
#[test]
fn frames_that_hold_nothing_do_not_go_on_for_ever() {
    let zeros = std::io::Read::chain(Cursor::new(skippable(0, u32::MAX, &[])), std::io::repeat(0));
    let told = Reader::from(Box::new(std::io::BufReader::new(zeros)), "FILE").err().unwrap();
    assert!(told.to_string().ends_with("it goes on after 256 MiB of compressed data"), "{told}");
}
