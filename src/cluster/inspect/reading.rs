//! One look at what lies on a pod's claims: through which container, and what is written down of
//! it.

use std::{collections::BTreeSet, time::Duration};

use checks::model::{
    Fact,
    observation::{CanaryFile, CanaryVisit, Read, Reference},
};

use crate::cluster::inspect::{
    DnsAccess, ENOUGH_ASKING_PODS, Inspector, PodToRead, age::ReadTiming,
};
use crate::cluster::{
    exec::{
        ExecTarget,
        ephemeral::{self, ProbeContainers},
        error::ExecError,
        exec, exec_writing,
        mounts::{ClaimView, MountWalk},
        random_word, script, script_output,
        script_output::{CANARY, InspectOutput, MountFiles},
    },
    inspect::resolv_conf::resolver,
};

/// How long the script may take that reads files and writes canaries.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How many folders deep files are looked for.
const MAX_DEPTH: &str = "6";
/// How many files of the first reading are asked for by name at the next.
const MAX_NAMED_FILES: usize = 20;
/// The longest path that is asked for by name: it is an argument of a command.
const MAX_NAMED_BYTES: usize = 200;
/// How much is told of what a shell said that told nothing else.
const MAX_SAID_CHARS: usize = 200;
/// How many files of a mount are read.
const MAX_FILES: u32 = 400;
/// The same, in a container that cannot read so many in time.
const MAX_FILES_WHEN_SLOW: u32 = 40;

impl Inspector<'_> {
    /// Reads all of a pod's claims.
    pub(crate) async fn read(&self, to_read: &PodToRead) -> ReadTiming {
        let mut walk = MountWalk::new(to_read.mounted.clone(), self.probe.is_some());
        let mut timing = ReadTiming::default();
        if to_read.mounted.is_empty() {
            self.look_around(to_read, &mut timing).await;
        }
        while let Some((container, mounts)) = walk.next() {
            let began = self.journal.now();
            let looked = self.look(to_read, &container, &mounts).await;
            if !walk.finish(&container, &mounts, looked.as_ref().err()) {
                continue;
            }
            match looked {
                Err(why) => {
                    self.note_failure(&mut timing, to_read, &container, &mounts, &why, began)
                }
                Ok(mut output) => {
                    timing.failures += u32::from(!output.is_complete || output.is_search_lost);
                    let without_shell = walk.without_shell();
                    self.look_through_other_containers(
                        to_read,
                        &container,
                        &mounts,
                        without_shell,
                        &mut output,
                    )
                    .await;
                    self.record_output(&mut timing, to_read, &container, &mounts, output, began);
                    self.search_surroundings(to_read, &container, &mounts).await;
                }
            }
        }
        let closed = walk.for_ephemeral();
        if let Some(probe) = self.probe.filter(|_| !closed.is_empty()) {
            self.read_by_probe(probe, to_read, &closed, &mut timing).await;
        }
        timing
    }

    /// Looks through the other containers at what one may not look at.
    async fn look_through_other_containers(
        &self,
        to_read: &PodToRead,
        container: &str,
        mounts: &[ClaimView],
        without_shell: &BTreeSet<String>,
        output: &mut InspectOutput,
    ) {
        for (mount, found) in mounts.iter().zip(&mut output.mounts) {
            for (other, view) in mount.through_other_containers(without_shell, container) {
                if !found.has_closed_parts() {
                    break;
                }
                if matches!(found.written, Some(Err(_))) {
                    self.state()
                        .canaries_tried
                        .remove(&(mount.claim.clone(), to_read.pod.name.clone()));
                }
                let looked = self.look(to_read, &other, std::slice::from_ref(&view)).await;
                // What it cannot look at, either, stays as the first one told of it.
                looked.into_iter().flat_map(|it| it.mounts).for_each(|it| found.add(it));
            }
        }
    }

    /// Reads by a container of our own, where no container of the pod has a shell.
    async fn read_by_probe(
        &self,
        probe: &ProbeContainers<'_>,
        to_read: &PodToRead,
        mounts: &[ClaimView],
        timing: &mut ReadTiming,
    ) {
        let began = self.journal.now();
        let own = match probe.start(&to_read.pod, mounts).await {
            Ok(own) => own,
            Err(why) => return self.note_failure(timing, to_read, "", mounts, &why, began),
        };
        match self.look(to_read, own.container(), mounts).await {
            Ok(output) => {
                self.record_output(timing, to_read, own.container(), mounts, output, began)
            }
            Err(why) => self.note_failure(timing, to_read, own.container(), mounts, &why, began),
        }
        probe.stop(own).await;
    }

    /// Looks at these views, at fewer files where the container is too slow for many.
    async fn look(
        &self,
        to_read: &PodToRead,
        container: &str,
        mounts: &[ClaimView],
    ) -> Result<InspectOutput, ExecError> {
        let asked: Vec<_> =
            mounts.iter().map(|mount| self.take_canary_to_write(&to_read.pod, mount)).collect();
        let name = &to_read.pod.name;
        // Until the answer is there, one may be written: the tour can end meanwhile.
        let is_new =
            asked.iter().any(Option::is_some) && self.state().with_canaries.insert(name.clone());
        let mut may_be_written = false;
        let looked = match self.run(name, container, mounts, &asked, MAX_FILES).await {
            Err(ExecError::TimedOut(_)) => {
                may_be_written = true;
                self.run(name, container, mounts, &asked, MAX_FILES_WHEN_SLOW).await
            }
            looked => looked,
        };
        may_be_written |= match &looked {
            Ok(output) => output.mounts.iter().any(|it| matches!(it.written, Some(Ok(_)))),
            Err(why) => why.may_have_run(),
        };
        if is_new && !may_be_written {
            self.state().with_canaries.remove(name);
        }
        if looked.as_ref().is_err_and(|why| !why.may_have_run()) {
            // Nothing was written: another way may be.
            let mut state = self.state();
            for (mount, _) in mounts.iter().zip(&asked).filter(|(_, asked)| asked.is_some()) {
                state.canaries_tried.remove(&(mount.claim.clone(), to_read.pod.name.clone()));
            }
        }
        let mut output = looked?;
        self.search(to_read, container, mounts, &mut output).await;
        Ok(output)
    }

    /// Where not all was seen, and what was seen names nobody: searches all files for what names
    /// pods.
    async fn search(
        &self,
        to_read: &PodToRead,
        container: &str,
        mounts: &[ClaimView],
        output: &mut InspectOutput,
    ) {
        let is_done =
            |found: &MountFiles| !found.hides_something() || found.names(&to_read.names_of_the_pod);
        if output.mounts.iter().all(is_done) || to_read.names_of_the_pod.is_empty() {
            return;
        }
        let Ok(word) = random_word() else { return };
        let words: Vec<String> =
            to_read.names_of_the_pod.iter().chain(&to_read.names_of_other_pods).cloned().collect();
        let mut arguments = vec![word.clone(), script_output::pattern(&words)];
        arguments.extend(mounts.iter().map(|it| it.path.clone()));
        let command = script(script_output::SEARCH, arguments);
        let target = ExecTarget { pod: &to_read.pod.name, container };
        let searched = exec(self.cluster, target, &command, READ_TIMEOUT).await;
        let found = searched.map(|it| script_output::parse(&it.stdout, &word));
        let Some(found) = found.ok().filter(|it| it.is_complete) else {
            output.is_search_lost = true;
            return;
        };
        for (mount, found) in output.mounts.iter_mut().zip(found.mounts) {
            mount.add_found(found, &words);
        }
    }

    /// A pod without claims can still ask DNS.
    async fn look_around(&self, to_read: &PodToRead, timing: &mut ReadTiming) {
        let Some(container) = &to_read.any_container else { return };
        if self.state().dns_accesses.len() >= ENOUGH_ASKING_PODS {
            return;
        }
        let began = self.journal.now();
        match self.run(&to_read.pod.name, container, &[], &[], 0).await {
            Ok(output) => self.record(to_read, container, &[], output, began),
            Err(why) => self.note_failure(timing, to_read, container, &[], &why, began),
        }
    }

    /// The canary to write on a claim, which is noted as tried: one for each claim and pod name,
    /// ever. None is written where it could not be removed.
    fn take_canary_to_write(&self, pod: &Reference, mount: &ClaimView) -> Option<CanaryFile> {
        if !self.writes
            || !mount.is_first
            || mount.may_be_left
            || !self.state().canaries_tried.insert((mount.claim.clone(), pod.name.clone()))
        {
            return None;
        }
        let (file, word) = (random_word().ok()?, random_word().ok()?);
        Some(CanaryFile {
            file: format!("{CANARY}{file}"),
            content: format!("{} {word}", pod.name),
        })
    }

    async fn run(
        &self,
        pod: &str,
        container: &str,
        mounts: &[ClaimView],
        asked: &[Option<CanaryFile>],
        files: u32,
    ) -> Result<InspectOutput, ExecError> {
        let word = random_word()?;
        let mut arguments = vec![word.clone(), files.to_string()];
        for (mount, canary) in mounts.iter().zip(asked) {
            let first = self
                .state()
                .first_files
                .get(&(mount.claim.clone(), mount.path.clone()))
                .cloned()
                .unwrap_or_default();
            let canary = canary.clone().unwrap_or_default();
            let named = first.len().to_string();
            arguments.extend([
                mount.path.clone(),
                MAX_DEPTH.to_owned(),
                canary.file,
                canary.content,
                named,
            ]);
            arguments.extend(first);
        }
        let command = script(script_output::INSPECT, arguments);
        let output =
            exec_writing(self.cluster, ExecTarget { pod, container }, &command, READ_TIMEOUT)
                .await?;
        let parsed = script_output::parse(&output.stdout, &word);
        if parsed.mounts.is_empty() && !parsed.is_complete {
            let said = output.stderr.trim().chars().take(MAX_SAID_CHARS).collect::<String>();
            let why = format!(
                "the shell in the image told nothing (exit status {:?}) {said}",
                output.exit
            );
            return Err(ExecError::Other(why.trim().to_owned()));
        }
        Ok(parsed)
    }

    fn record_output(
        &self,
        timing: &mut ReadTiming,
        to_read: &PodToRead,
        container: &str,
        mounts: &[ClaimView],
        output: InspectOutput,
        began: u64,
    ) {
        // When the container was started is learnt with the canary: the same claim tells it at
        // later looks, too.
        let started = |mount: &ClaimView, told: Option<i64>| {
            let key = (to_read.pod.uid.clone(), mount.claim.clone());
            let mut state = self.state();
            told.map(|it| *state.starts.entry(key.clone()).or_insert(it))
                .or_else(|| state.starts.get(&key).copied())
        };
        timing.add(
            to_read.is_alone && !container.starts_with(ephemeral::PREFIX),
            mounts,
            &output,
            started,
        );
        self.record(to_read, container, mounts, output, began);
    }

    fn record(
        &self,
        to_read: &PodToRead,
        container: &str,
        mounts: &[ClaimView],
        output: InspectOutput,
        began: u64,
    ) {
        let (server, domain) = resolver(&output.resolver);
        self.remember(
            &to_read.pod.uid,
            DnsAccess {
                container: container.to_owned(),
                tools: output.tools,
                server,
                domain,
                is_ephemeral: container.starts_with(ephemeral::PREFIX),
            },
        );
        let cut_off = (!output.is_complete).then(|| "the answer was cut off".to_owned());
        for (mount, found) in mounts.iter().zip(output.mounts) {
            if mount.is_first {
                let canary = self.canary(to_read, mount, &found);
                self.journal.push(Fact::Canary(canary));
            }
            let first: Vec<String> = found
                .files
                .iter()
                .filter(|it| it.size > 0 && it.path.len() <= MAX_NAMED_BYTES)
                .map(|it| it.path.clone())
                .take(MAX_NAMED_FILES)
                .collect();
            if !first.is_empty() {
                self.state()
                    .first_files
                    .entry((mount.claim.clone(), mount.path.clone()))
                    .or_insert(first);
            }
            self.journal.push(Fact::Read(Read {
                pod: to_read.pod.clone(),
                container: container.to_owned(),
                claim: mount.claim.clone(),
                mount_path: mount.path.clone(),
                began,
                files: found.files,
                folders: found.folders,
                searched: found.searched,
                left_out: found.left_out + u64::from(mount.is_partial),
                error: found.error.or_else(|| cut_off.clone()),
            }));
        }
    }

    /// Keeps what was learnt for asking DNS, unless a container with more tools is known.
    fn remember(&self, pod: &str, dns_access: DnsAccess) {
        let mut state = self.state();
        let known = state.dns_accesses.entry(pod.to_owned()).or_default();
        if known.tools.len() <= dns_access.tools.len() {
            *known = dns_access;
        }
    }

    fn canary(&self, to_read: &PodToRead, mount: &ClaimView, found: &MountFiles) -> CanaryVisit {
        let inodes = found.inodes.clone();
        let (wrote, error) = match &found.written {
            Some(Ok(file)) => (found.canaries.iter().find(|it| it.file == *file).cloned(), None),
            Some(Err(why)) => (None, Some(why.clone())),
            None => (None, None),
        };
        CanaryVisit {
            pod: to_read.pod.clone(),
            claim: mount.claim.clone(),
            wrote,
            saw: Some(found.canaries.clone()),
            inodes,
            error,
        }
    }

    /// Writes down that a look failed, and counts it where another one may not.
    fn note_failure(
        &self,
        timing: &mut ReadTiming,
        to_read: &PodToRead,
        container: &str,
        mounts: &[ClaimView],
        why: &ExecError,
        began: u64,
    ) {
        timing.failures += weight(why);
        self.state().trouble = Some(why.to_string());
        for mount in mounts {
            let error = Some(why.to_string());
            if mount.is_first {
                self.journal.push(Fact::Canary(CanaryVisit {
                    pod: to_read.pod.clone(),
                    claim: mount.claim.clone(),
                    error: error.clone(),
                    ..CanaryVisit::default()
                }));
            }
            self.journal.push(Fact::Read(Read {
                pod: to_read.pod.clone(),
                container: container.to_owned(),
                claim: mount.claim.clone(),
                mount_path: mount.path.clone(),
                began,
                error,
                ..Read::default()
            }));
        }
    }
}

/// By how much a failure raises the number of failures: one that took long by more. A permanent one
/// raises it by nothing: it is not tried again (see `next_look` in [`super::state`]).
fn weight(why: &ExecError) -> u32 {
    const SLOW: u32 = 3;
    match why {
        _ if why.is_permanent() => 0,
        ExecError::TimedOut(_) => SLOW,
        _ => 1,
    }
}
