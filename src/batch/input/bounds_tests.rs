use std::{
    cell::Cell,
    fs,
    io::{self, Cursor, Read, Seek, SeekFrom, Write as _},
};

use super::{
    Class, archive,
    archive::Nested,
    files::Collected,
    group::Group,
    platform_names::Owner,
    raw_zip::{ENCRYPTED, RawZip},
    tests::{SET, lines, put, tar_gz, zip},
};

/// Counts what is read of it.
struct Counted<'c, R> {
    input: R,
    read: &'c Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(to)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

impl<R: Seek> Seek for Counted<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.input.seek(to)
    }
}

/// Catches a bomb of files that lie upon each other, which is decompressed again and again because
/// a file that is not taken counts for nothing, or because each for itself is small enough.
#[test]
fn a_hand_in_is_not_decompressed_beyond_its_bounds() {
    for (size, why) in
        [((8 << 20) + 1, "x0.yaml is larger than 8 MiB"), (8 << 20, "larger than 16 MiB")]
    {
        let bomb = RawZip::default().again(1000, &vec![b'#'; size]).bytes();
        let (length, read) = (bomb.len() as u64, Cell::new(0));
        let mut group = Group::new(Owner::of("ada.zip"));
        group.take_zip(&["ada.zip".to_owned()], Counted { input: Cursor::new(bomb), read: &read });
        assert!(group.trouble.as_ref().unwrap().ends_with(why), "{:?}", group.trouble);
        assert!(read.get() < 4 * length, "{size}: {} of {length}", read.get());
        assert_eq!(group.kept, 0, "what was read is let go");
    }
}

/// Catches a name in a tar archive that takes all memory.
#[test]
fn the_name_of_a_file_has_a_bound() {
    let mut header = tar::Header::new_gnu();
    header.set_path("././@LongLink").unwrap();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(64 << 20);
    header.set_cksum();
    let read = Cell::new(0);
    let name = io::repeat(b'a').take(64 << 20);
    let input = header.as_bytes().chain(name).chain(io::repeat(0).take(1024));
    let mut group = Group::new(Owner::of("ada.tar"));
    let path = ["ada.tar".to_owned()];
    let mut nested = Nested { group: &mut group, path: &path };
    let read_all =
        archive::tar("ada.tar", &mut Counted { input, read: &read }, &mut nested).unwrap_err();
    assert!(read_all.to_string().contains("longer names"), "{read_all}");
    assert!(read.get() < 2 << 20, "{}", read.get());
}

/// Catches a film that is decompressed without end, though nobody looks at it.
#[test]
fn what_is_skipped_counts() {
    let mut header = tar::Header::new_gnu();
    header.set_path("film.mp4").unwrap();
    header.set_size(4 << 20);
    header.set_cksum();
    let film = || header.as_bytes().chain(io::repeat(0).take((4 << 20) + 1024));
    let mut group = Group::new(Owner::of("ada.tar"));
    let path = ["ada.tar".to_owned()];
    group.take(&path, &mut film());
    assert_eq!(group.trouble, None);
    group.count_work(group.room() - (2 << 20));
    group.take(&path, &mut film());
    assert!(group.trouble.unwrap().contains("it holds more"));
    let mut group = Group::new(Owner::of("ada"));
    let entries = (0..2 << 20).take_while(|_| group.count_entry()).count();
    assert_eq!(entries, 1 << 20);
}

/// Catches a class that does not fit, and of which nobody says why.
#[test]
fn a_class_that_is_too_large_names_the_largest_hand_in() {
    let mut class = Collected::default();
    class.place(vec!["ada.yaml".to_owned()]).unwrap().0.kept = 1 << 30;
    assert!(class.check_size().is_ok());
    class.place(vec!["bob.yaml".to_owned()]).unwrap().0.kept = 1;
    let error = class.check_size().unwrap_err().to_string();
    assert!(error.contains("larger than 1024 MiB") && error.contains("ada.yaml"), "{error}");
}

/// Catches a path whose components fill the memory before anybody looks at how many there are.
#[test]
fn the_path_of_a_file_has_a_bound() {
    let set = SET.as_bytes();
    let long = format!("{}set.yaml", "a/".repeat(5000));
    let deep = format!("{}set.yaml", "a/".repeat(20));
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "ada.zip", &zip(&[(&long, set)]));
    put(folder.path(), "bob.zip", &zip(&[(&deep, set), ("set.yaml", set)]));
    let class = Class::read(folder.path(), None).unwrap();
    assert_eq!(
        lines(&class),
        ["ada: unreadable: it holds a path of more than 4096 bytes", "bob: 1 objects"]
    );
    assert_eq!(class.notes, ["bob.zip: what lies deeper than 12 folders is left out"]);
}

/// Catches a class that ends because of one hand-in, and a hand-in that gets nothing because of
/// files that nobody reads.
#[test]
fn the_bounds_are_those_of_one_hand_in() {
    let set = SET.as_bytes();
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    put(top, "good.yaml", set);
    let big = vec![b'#'; 8 << 20];
    for number in 0..3 {
        put(top, &format!("heavy/{number}.json"), &big);
    }
    let packages: Vec<String> = (0..10_001).map(|it| format!("node_modules/{it}.yaml")).collect();
    let pictures: Vec<String> = (0..10_001).map(|it| format!("{it}.png")).collect();
    let all = packages.iter().chain(&pictures).map(|it| (it.as_str(), &b""[..]));
    let all: Vec<(&str, &[u8])> = all.chain([("set.yaml", set)]).collect();
    put(top, "modules.zip", &zip(&all));
    let many: Vec<String> = (0..10_001).map(|it| format!("{it}.yaml")).collect();
    let all: Vec<(&str, &[u8])> = many.iter().map(|it| (it.as_str(), &b""[..])).collect();
    put(top, "xmany.zip", &zip(&all));
    put(top, "shot.zip", &zip(&[("set.yaml", set), ("screen.png", &noise(7 << 20))]));
    for number in 0..40 {
        fs::hard_link(top.join("shot.zip"), top.join(format!("shot{number}.zip"))).unwrap();
    }
    let class = lines(&Class::read(top, None).unwrap());
    assert_eq!(class[0], "good: 1 objects");
    assert_eq!(class[1], "heavy: unreadable: its manifests are larger than 16 MiB");
    assert_eq!(class[2], "modules: 1 objects");
    assert_eq!(class[3..44].iter().filter(|it| it.ends_with(": 1 objects")).count(), 41);
    assert_eq!(class[44], "xmany: unreadable: it holds more than 10000 manifests and archives");
}

/// Bytes that cannot be compressed.
fn noise(count: usize) -> Vec<u8> {
    let mut seed = 1_u32;
    let next = |_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_be_bytes()[0]
    };
    (0..count).map(next).collect()
}

/// Catches a class in one archive that ends at one student's film.
#[test]
fn what_no_manifest_can_be_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("class.tar");
    let mut class = tar::Builder::new(fs::File::create(&path).unwrap());
    let header = |size: usize| {
        let mut header = tar::Header::new_gnu();
        header.set_size(size as u64);
        header
    };
    class.append_data(&mut header(SET.len()), "ada/set.yaml", SET.as_bytes()).unwrap();
    let mut film = header(300 << 20);
    film.set_path("ada/film.mp4").unwrap();
    film.set_cksum();
    class.get_mut().write_all(film.as_bytes()).unwrap();
    // A hole takes no room on the disk.
    class.get_mut().seek(SeekFrom::Current(300 << 20)).unwrap();
    class.append_data(&mut header(SET.len()), "bob/set.yaml", SET.as_bytes()).unwrap();
    class.finish().unwrap();
    let class = lines(&Class::read(&path, None).unwrap());
    assert_eq!(class, ["ada: 1 objects", "bob: 1 objects"]);
}

/// Catches a folder that cannot be read and ends the class.
#[test]
fn a_folder_that_cannot_be_read_is_one_hand_in_s_trouble() {
    let home = tempfile::tempdir().unwrap();
    // Whoever may read everything cannot read a path that is too long, either.
    let part = "p".repeat(250);
    let inner: Vec<&str> = vec![&part; 10];
    put(home.path(), &format!("ada/{}/set.yaml", inner.join("/")), SET.as_bytes());
    let top = home.path().join([&*part; 7].join("/"));
    fs::create_dir_all(&top).unwrap();
    fs::rename(home.path().join("ada"), top.join("ada")).unwrap();
    put(&top, "bob.yaml", SET.as_bytes());
    let class = lines(&Class::read(&top, None).unwrap());
    assert!(class[0].starts_with("ada: unreadable: cannot read ada/ppp"), "{class:?}");
    assert_eq!(class[1], "bob: 1 objects");
}

/// Catches a good manifest that gets nothing because of a note beside it, and an encrypted one
/// without a word.
#[test]
fn a_file_is_opened_only_if_it_may_be_a_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let archive = |other: &str| {
        let archive = RawZip::default().add(b"set.yaml", SET.as_bytes(), 0, &[]);
        archive.add(other.as_bytes(), b"secret", ENCRYPTED, &[]).bytes()
    };
    put(folder.path(), "ada.zip", &archive("notes.txt"));
    put(folder.path(), "bob.zip", &archive("service.yaml"));
    let class = lines(&Class::read(folder.path(), None).unwrap());
    assert_eq!(class, ["ada: 1 objects", "bob: unreadable: bob.zip/service.yaml is encrypted"]);
}

/// Catches an archive of several parts of which only the first is read.
#[test]
fn a_compressed_archive_of_several_parts_is_read_whole() {
    let whole = tar_gz(&[("set.yaml", SET.as_bytes()), ("two.yaml", SET.as_bytes())]);
    let mut plain = vec![];
    flate2::read::GzDecoder::new(&*whole).read_to_end(&mut plain).unwrap();
    let mut parts = vec![];
    for part in plain.chunks(1024) {
        let encoder = flate2::read::GzEncoder::new(part, flate2::Compression::fast());
        encoder.chain(io::empty()).read_to_end(&mut parts).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "ada.tar.gz", &parts);
    let class = lines(&Class::read(folder.path(), None).unwrap());
    assert_eq!(class, ["ada: 2 objects"]);
}

/// Catches a link that is left out without a word.
#[test]
fn links_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = zip::ZipWriter::new(Cursor::new(vec![]));
    let options = zip::write::SimpleFileOptions::default();
    archive.add_symlink("service.yaml", "../service.yaml", options).unwrap();
    put(folder.path(), "ada.zip", &archive.finish().unwrap().into_inner());
    let mut archive = tar::Builder::new(vec![]);
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Link);
    header.set_size(0);
    archive.append_link(&mut header, "service.yaml", "other.yaml").unwrap();
    put(folder.path(), "bob.tar", &archive.into_inner().unwrap());
    put(folder.path(), "cy/set.yaml", SET.as_bytes());
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("cy/service.yaml")).unwrap();
    let class = Class::read(folder.path(), None).unwrap();
    assert_eq!(
        class.notes,
        [
            "ada.zip: links are left out: ada.zip/service.yaml",
            "bob.tar: links are left out: bob.tar/service.yaml",
            "cy: links are left out: cy/service.yaml",
        ]
    );
    assert!(lines(&class)[0].ends_with("(links are left out: ada.zip/service.yaml)"));
}
