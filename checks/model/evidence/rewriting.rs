//! Why a file that told its pod is not the original any more: what wrote over it, and when.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    mistakes::{self, Mistake},
    model::{
        evidence::content::{Contents, Fate, LostFile, MAX_PAIRS, Text},
        observation::{File, Read},
        timeline::{Timeline, lives::PodLife},
        verdict::Standing,
    },
    shell::{self, Removal, ShellToken, WrittenPath, is_within},
};

/// A start has written its files within so many seconds.
pub(crate) const AT_ONCE_SECONDS: i64 = 2;

impl Timeline {
    /// The first file whose content was lost when its pod was replaced or came back: the pod that
    /// had it, a reading of that pod, and the file in it.
    #[must_use]
    pub fn lost_file(&self) -> Option<(&PodLife, &Read, &File)> {
        let contents = Contents::of(self);
        for (old, new) in self.replacements().into_iter().chain(self.returns()) {
            // Then the pair is judged as one that kept its content.
            if contents.fates(old, new).contains(&Fate::Kept) {
                continue;
            }
            for LostFile { path: lost, .. } in contents.lost_files(old, new) {
                let mut reads = self.reads_of(old.uid()).map(|it| &it.what);
                let found = reads.find_map(|read| {
                    let file = read.files.iter().find(|it| it.path == lost)?;
                    Some((old, read, file))
                });
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }
}

/// What is asked about files that were written over.
pub(crate) struct Rewriting<'c, 't> {
    pub(crate) timeline: &'t Timeline,
    pub(crate) contents: &'c Contents<'t>,
}

impl<'t> Rewriting<'_, 't> {
    /// Says when the file was written, where that was not at once: whoever looks for a start-up
    /// command does not find it then.
    pub(crate) fn with_lateness(
        &self,
        standing: Standing,
        old: &'t PodLife,
        new: &'t PodLife,
    ) -> Standing {
        let late = self.first_overwriting(old, new).filter(|it| it.seconds > AT_ONCE_SECONDS);
        match (standing, late) {
            (Standing::Broken { expected, actual }, Some(late)) => Standing::Broken {
                expected,
                actual: format!("{actual} (written {})", late.in_words()),
            },
            (standing, _) => standing,
        }
    }

    /// Whether the template's own commands remove all that is on a claim of a pod, or files that were
    /// lost and that they write only where nothing is: then it is the removing that lost the content.
    fn commands_remove_it(&self, old: &'t PodLife, new: &'t PodLife) -> bool {
        let folders = claim_mounts(old);
        let scripts = || self.timeline.scripts();
        let removals: Vec<Removal> = scripts().flat_map(removals).collect();
        // All that is on the volume.
        let is_all = |path: &String| {
            folders.iter().any(|it| {
                path.strip_prefix(it).is_some_and(|it| matches!(it, "" | "/" | "/*" | "/."))
            })
        };
        if removals.iter().any(|it| !it.is_narrowed && it.paths.iter().any(is_all)) {
            return true;
        }
        let lost = self.lost_paths(old, new);
        let is_lost = |path: &str| lost.iter().any(|file| may_mean(path, file));
        let removes_it =
            |it: &Removal| !it.is_narrowed && it.paths.iter().any(|path| is_lost(path));
        removals.iter().any(removes_it) && scripts().any(|it| tests_a_file(it, &is_lost))
    }

    /// The files of which nothing was kept, by each whole path that they may have in the container.
    fn lost_paths(&self, old: &'t PodLife, new: &'t PodLife) -> Vec<String> {
        let mounts = claim_mounts(old);
        let mut found = vec![];
        for LostFile { path, .. } in self.contents.lost_files(old, new) {
            found.extend(mounts.iter().map(|mount| format!("{mount}/{path}")));
        }
        found
    }

    /// Whether the template's own commands write a file only where it is not there, and it was written
    /// anew all the same: something else has removed it, such as a hook.
    fn writes_only_what_is_missing(&self, old: &'t PodLife, new: &'t PodLife) -> bool {
        let mounts = claim_mounts(old);
        let mut written: BTreeMap<String, Vec<WrittenPath>> = BTreeMap::new();
        for it in self.timeline.scripts().flat_map(shell::written_paths) {
            written.entry(it.path.clone()).or_default().push(it);
        }
        let is_guarded = |file: String| {
            let writes = written.get(&file).map_or(&[][..], Vec::as_slice);
            // What is only added to a file takes nothing from it.
            writes.iter().any(|it| it.is_guarded)
                && writes.iter().all(|it| it.is_guarded || !it.overwrites)
        };
        self.contents.lost_files(old, new).iter().any(|LostFile { path, is_there }| {
            *is_there && mounts.iter().any(|mount| is_guarded(format!("{mount}/{path}")))
        })
    }

    /// Why a file was written over, as a mistake: what was last written before the new pod's
    /// containers started was so when the old one's stopped.
    ///
    /// Both times are whole seconds, so what happened within one of them is told by what other
    /// pods' files say.
    pub(crate) fn mistake(&self, old: &'t PodLife, new: &'t PodLife) -> &'static Mistake {
        if self.commands_remove_it(old, new) {
            &mistakes::WIPED_AT_START
        } else if self.is_overwritten_at_stop(old, new) {
            &mistakes::OVERWRITTEN_AT_STOP
        } else if self.writes_only_what_is_missing(old, new) {
            &mistakes::WIPED_AT_START
        } else {
            &mistakes::OVERWRITTEN_AT_START
        }
    }

    /// Whether the old pod wrote it when it stopped: before the new one's first start, and no pod
    /// while it ran.
    fn is_overwritten_at_stop(&self, old: &'t PodLife, new: &'t PodLife) -> bool {
        let pairs = || {
            let all = self.timeline.replacements().into_iter().chain(self.timeline.returns());
            all.take(MAX_PAIRS)
        };
        let any_was = |is_so: fn(&Overwriting) -> bool| {
            pairs().any(|(old, new)| self.first_overwriting(old, new).is_some_and(|it| is_so(&it)))
        };
        let at_stop = match self.first_overwriting(old, new).map(|it| it.seconds) {
            Some(0) => any_was(|it| it.seconds < 0),
            Some(after) => after < 0,
            None => false,
        };
        // What any pod writes while it runs is not written because it stops.
        at_stop && !any_was(|it| it.by_the_old_one_while_it_ran)
    }

    /// When the first of those files was written of which nothing was kept.
    fn first_overwriting(&self, old: &'t PodLife, new: &'t PodLife) -> Option<Overwriting> {
        let (after, started) = (self.timeline.pod_files(new)?, new.first_start()?);
        let lost = self.contents.lost_files(old, new);
        let lost: BTreeSet<&str> = lost.iter().map(|it| it.path.as_str()).collect();
        let is_lost = |it: &&Text<'_>| lost.contains(it.path);
        let times = after.texts.iter().filter(is_lost).filter_map(|it| it.mtime);
        let written = times.min()?;
        let ran = written < started
            && old.deletion_requested_epoch_seconds.is_some_and(|it| written < it);
        let by_the_old_one = old.first_start().filter(|_| ran);
        Some(Overwriting {
            seconds: written.saturating_sub(by_the_old_one.unwrap_or(started)),
            by_the_old_one_while_it_ran: by_the_old_one.is_some(),
        })
    }
}

/// When a file was written over.
struct Overwriting {
    /// How many seconds after the first start of the new pod's containers, or of the old one's.
    seconds: i64,
    /// By the old pod, before it was asked to stop.
    by_the_old_one_while_it_ran: bool,
}

impl Overwriting {
    fn in_words(&self) -> String {
        let whose = if self.by_the_old_one_while_it_ran { " in the pod before" } else { "" };
        format!("{} s after the container's start{whose}", self.seconds)
    }
}

/// Where a pod's containers mount its claims.
fn claim_mounts(pod: &PodLife) -> Vec<&str> {
    let claims = pod.claims();
    let mounts = pod.spec().all_containers().flat_map(|it| &it.volume_mounts);
    let on_claims = mounts.filter(|it| claims.iter().any(|(volume, _)| *volume == it.name));
    on_claims.map(|it| it.mount_path.trim_end_matches('/')).collect()
}

/// Whether a script tests a file for which `is_meant` holds: `[ -f FILE ]`.
fn tests_a_file(script: &str, is_meant: &impl Fn(&str) -> bool) -> bool {
    let Some(tokens) = shell::tokens(script) else { return false };
    let tests = |command: &[ShellToken<'_>]| {
        let Some((name, arguments)) = shell::program(command) else { return false };
        matches!(name, "[" | "[[" | "test")
            && arguments.iter().any(|it| is_meant(&shell::unquoted(it.text)))
    };
    shell::commands(&tokens).any(|it| tests(&it))
        || shell::inner_scripts(&tokens).iter().any(|it| tests_a_file(&it.text, is_meant))
}

/// Whether a path of a script may mean a file: as far as it is known before a pattern or a variable.
fn may_mean(path: &str, file: &str) -> bool {
    const UNKNOWN: [char; 6] = ['*', '?', '[', '{', '$', '`'];
    if !path.contains(UNKNOWN) {
        return path.starts_with('/') && is_within(file, path);
    }
    let before = path.split(UNKNOWN).next().unwrap_or_default();
    let Some(rest) = file.strip_prefix(before).filter(|_| before.starts_with('/')) else {
        return false;
    };
    // Of a pattern with one `*` what stands behind it is known, too. It may be a folder's.
    let behind = path.split_once('*').filter(|_| path.matches(UNKNOWN).count() == 1);
    behind.is_none_or(|(_, behind)| {
        let behind = behind.trim_end_matches('/');
        rest.ends_with(behind) || rest.contains(&format!("{behind}/"))
    })
}

/// What a script removes: of one that cannot be cut for certain, what stands behind each `rm`.
fn removals(script: &str) -> Vec<Removal> {
    if let Some(found) = shell::removals(script) {
        return found;
    }
    let is_end = |it: char| ";&|()`{}\n".contains(it);
    let (mut found, mut next) = (vec![], 0);
    for command in script.split(is_end) {
        let range = next..next + command.len();
        next = range.end + 1;
        let words: Vec<String> = command.split_whitespace().map(shell::unquoted).collect();
        let Some(at) = words.iter().position(|it| it == "rm") else { continue };
        let paths = words[at + 1..].iter().filter(|it| !it.starts_with('-')).cloned().collect();
        found.push(Removal { range, paths, is_narrowed: false });
    }
    found
}
