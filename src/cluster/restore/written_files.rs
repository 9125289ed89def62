//! The files that stand on a pod's claims, and when they were written.

use checks::model::observation::Reference;

use crate::cluster::{
    Cluster,
    exec::{
        ExecTarget,
        error::ExecError,
        exec,
        mounts::{ClaimView, MountWalk},
        random_word, records, script,
    },
    restore::EXEC_TIMEOUT,
};

/// The files on these mounts, canaries left out: when each was last written or changed, in seconds
/// since the epoch by its node's clock, and its path with each number in it as `#`.
pub(super) async fn list_files(
    cluster: &Cluster,
    pod: &Reference,
    mounted: Vec<ClaimView>,
) -> Result<Vec<(i64, String)>, ExecError> {
    let mut walk = MountWalk::new(mounted, false);
    let mut files = vec![];
    while let Some((container, mounts)) = walk.next() {
        let listed = list_through(cluster, pod, &container, &mounts).await;
        if walk.finish(&container, &mounts, listed.as_ref().err()) {
            files.extend(listed?);
        }
    }
    Ok(files)
}

/// The same, of what one container mounts.
async fn list_through(
    cluster: &Cluster,
    pod: &Reference,
    container: &str,
    mounts: &[ClaimView],
) -> Result<Vec<(i64, String)>, ExecError> {
    let word = random_word()?;
    let paths = mounts.iter().map(|it| it.path.clone());
    let command =
        script(include_str!("../inspect/written.sh"), [word.clone()].into_iter().chain(paths));
    let output =
        exec(cluster, ExecTarget { pod: &pod.name, container }, &command, EXEC_TIMEOUT).await?;
    let records = records(&output.stdout, &word);
    if !records.iter().any(|(key, value)| *key == "end" && *value == b"0") {
        return Err(ExecError::Other("its files could not be listed".to_owned()));
    }
    let mut files = vec![];
    for (_, list) in records.iter().filter(|(key, _)| *key == "files") {
        for line in String::from_utf8_lossy(list).lines() {
            // Another line is of a name with a line break: nobody's start writes such a file.
            let (written, name) = listed(line).unwrap_or((i64::MAX, line));
            files.push((written, without_numbers(name)));
        }
    }
    Ok(files)
}

/// When a file was last written or changed, and its path. What is unpacked or copied may keep an old
/// time of writing; when it came there, its status changed.
fn listed(line: &str) -> Option<(i64, &str)> {
    let mut parts = line.splitn(3, ' ');
    let (written, changed) = (parts.next()?.parse::<i64>().ok()?, parts.next()?.parse().ok()?);
    Some((written.max(changed), parts.next()?))
}

/// `web-3.log` and `web-10.log` are both `web-#.log`.
fn without_numbers(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            c if !c.is_ascii_digit() => plain.push(c),
            _ if plain.ends_with('#') => {}
            _ => plain.push('#'),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::{listed, without_numbers};

    /// Catches a student's file that counts as written at the start, because `tar x` or `cp -p`
    /// kept its old time.
    #[test]
    fn a_file_with_an_old_time_came_when_it_changed() {
        assert_eq!(listed("100 250 ./old notes.txt"), Some((250, "./old notes.txt")));
        assert_eq!(listed("300 250 ./log"), Some((300, "./log")));
        assert_eq!(listed("the rest of a name"), None);
    }

    #[test]
    fn names_that_follow_the_ordinal_are_alike() {
        assert_eq!(without_numbers("./web-3/a.10.log"), without_numbers("./web-12/a.7.log"));
        assert_ne!(without_numbers("./work"), without_numbers("./id"));
    }
}
