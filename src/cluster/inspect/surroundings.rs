//! Whether what a pod's files still hold, although a start wrote them anew, comes from the pod's
//! surroundings: then each start can write it, and it proves nothing.

use std::{collections::BTreeMap, time::Duration};

use checks::model::{
    Fact,
    observation::{Given, Inquiry},
};

use crate::cluster::{
    exec::{ExecTarget, exec, mounts::ClaimView, random_word, records, script},
    inspect::{Inspector, PodToRead},
};

/// The script that looks for words outside of claims.
const SURROUNDINGS: &str = include_str!("surroundings.sh");
/// How long it may take.
const TIMEOUT: Duration = Duration::from_secs(6);
/// How many words are looked for, each of no more than so many bytes.
const MAX_WORDS: usize = 40;
const MAX_WORD_BYTES: usize = 200;

impl Inspector<'_> {
    /// Where a pod's files were written anew and still hold values of its life before, looks for
    /// them in the container that told of the files.
    pub(super) async fn search_surroundings(
        &self,
        to_read: &PodToRead,
        container: &str,
        mounts: &[ClaimView],
    ) {
        let mut words: Vec<String> =
            self.journal.with(|it| it.words_in_doubt(&to_read.pod.uid)).into_iter().collect();
        words.retain(|it| it.len() <= MAX_WORD_BYTES && !it.contains(char::is_whitespace));
        words.truncate(MAX_WORDS);
        if words.is_empty() {
            return;
        }
        let Ok(word) = random_word() else { return };
        let paths: Vec<&str> = mounts.iter().map(|it| it.path.as_str()).collect();
        let command = script(SURROUNDINGS, arguments(&word, &words, &paths));
        let target = ExecTarget { pod: &to_read.pod.name, container };
        // What is not told in time stays unknown.
        let Ok(output) = exec(self.cluster, target, &command, TIMEOUT).await else { return };
        let Some(words) = found(&output.stdout, &word, &words) else { return };
        self.journal.push(Fact::Inquiry(Inquiry::Surroundings {
            pod: to_read.pod.clone(),
            container: container.to_owned(),
            words,
        }));
    }
}

fn arguments(word: &str, words: &[String], paths: &[&str]) -> Vec<String> {
    let mut arguments = vec![word.to_owned(), words.len().to_string()];
    arguments.extend(words.iter().cloned());
    arguments.extend(paths.iter().map(|it| (*it).to_owned()));
    arguments
}

/// By word whether it was found, by the script's output. `None` where the script did not come to
/// its end.
fn found(output: &[u8], word: &str, words: &[String]) -> Option<BTreeMap<String, Given>> {
    let told: Vec<(&str, &[u8])> = records(output, word);
    let has = |key: &str, word: &str| told.contains(&(key, word.as_bytes()));
    if !has("end", "") {
        return None;
    }
    let mut found = BTreeMap::new();
    for word in words {
        let given = match () {
            () if has("found", word) => Given::Yes,
            () if has("near", word) => Given::Nearly,
            () => Given::No,
        };
        found.insert(word.clone(), given);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        fs,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
        process::Command,
    };

    use checks::model::observation::Given;

    use super::{SURROUNDINGS, arguments, found};
    use crate::cluster::exec::script;

    const WORD: &str = "0123456789abcdef0123456789abcdef";

    fn run(shell: &[&str], words: &[String], folder: &str) -> Option<BTreeMap<String, Given>> {
        let line = script(SURROUNDINGS, arguments(WORD, words, &[folder]));
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .args(&line[1..])
            .env("CLUSTER_TOKEN", "a81f9c03d2,4711 * 8088")
            .output()
            .unwrap();
        found(&output.stdout, WORD, words)
    }

    /// Catches a word that is not found where each start can read it, and one that is found in the
    /// files of the claim, or within another word.
    #[test]
    fn words_are_found_outside_of_the_claim_only() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("id"), "web-1 key 77c2e4019b\n").unwrap();
        let inode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().ino().to_string();
        let given = ["a81f9c03d2".to_owned(), "4711".to_owned(), inode(""), inode("id")];
        let kept = ["77c2e4019b", "81f9c03d2", "a81f9c"].map(str::to_owned);
        let words: Vec<String> = given.iter().chain(&kept).cloned().collect();
        for shell in [&["sh"][..], &["busybox", "sh"], &["bash", "--posix"]] {
            let found = run(shell, &words, folder.path().to_str().unwrap()).unwrap();
            for word in &given {
                assert_eq!(found.get(word), Some(&Given::Yes), "{shell:?}: {word}");
            }
            for word in &kept {
                assert_eq!(found.get(word), Some(&Given::No), "{shell:?}: {word}");
            }
        }
    }

    /// Catches a number that counts as kept because the disk has filled up a little since.
    #[test]
    fn a_number_near_that_of_a_disk_is_told() {
        let home = tempfile::tempdir().unwrap();
        let df = home.path().join("df");
        fs::write(&df, "#!/bin/sh\necho /dev/sda 61234567 31234567 51%\n").unwrap();
        fs::set_permissions(&df, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", home.path().display(), std::env::var("PATH").unwrap());
        let words = ["31234567", "31234599", "41234567"].map(str::to_owned);
        for shell in ["sh", "bash"] {
            let line = script(SURROUNDINGS, arguments(WORD, &words, &["/nowhere"]));
            let mut command = Command::new(shell);
            let output = command.args(&line[1..]).env("PATH", &path).output().unwrap();
            let found = found(&output.stdout, WORD, &words).unwrap();
            let given = words.each_ref().map(|it| found[it]);
            assert_eq!(given, [Given::Yes, Given::Nearly, Given::No], "{shell}");
        }
    }

    /// Catches an answer that is read otherwise than it was meant, or that was cut off.
    #[test]
    fn a_number_near_one_that_changes_is_left_open() {
        let told = |keys: &str| keys.replace('W', WORD);
        let words = ["31234567".to_owned(), "b".to_owned()];
        let output = told("W:near:31234567W:near:31234567W:end:");
        let expected = [("31234567".to_owned(), Given::Nearly), ("b".to_owned(), Given::No)];
        assert_eq!(found(output.as_bytes(), WORD, &words), Some(BTreeMap::from(expected)));
        assert_eq!(found(told("W:found:b").as_bytes(), WORD, &words), None, "it was cut off");
    }
}
