//! What files tell: what each pod's claims held, by the readings of them.

use std::collections::BTreeMap;

use super::{
    gallery::Gallery,
    lives::{Incarnation, Noted},
    observation::{File, Read, Seq},
    timeline::Timeline,
};

/// What one pod's claims held, by claim and path.
#[derive(Clone, Debug)]
pub struct Portrait<'t> {
    /// Whose.
    pub pod: &'t Incarnation,
    /// The files with text, newest reading of each.
    pub texts: Vec<Text<'t>>,
    /// Files whose text could not be seen: binary, unreadable, cut or left out.
    pub hidden: u64,
    /// The readings, all of them successful.
    pub reads: Vec<Seq>,
}

/// One file's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'t> {
    /// On which claim.
    pub claim: &'t str,
    /// Where below the mount.
    pub path: &'t str,
    /// What it says.
    pub content: &'t str,
    /// It goes on.
    pub cut: bool,
    /// When it was last written, in seconds since the epoch by the node's clock, where the image can tell.
    pub mtime: Option<i64>,
}

impl Timeline {
    /// The readings of one pod's claims that told something, oldest first.
    fn readings<'t>(&'t self, uid: &str) -> impl DoubleEndedIterator<Item = &'t Noted<Read>> + use<'t> {
        self.reads.of(uid).filter(|it| it.what.error.is_none())
    }

    /// Why a pod's files could not be read, when that was tried and none could.
    #[must_use]
    pub fn unread(&self, uid: &str) -> Option<(Seq, &str)> {
        if self.readings(uid).next().is_some() {
            return None;
        }
        self.reads.of(uid).next_back().and_then(|it| Some((it.seq, it.what.error.as_deref()?)))
    }

    /// Why nothing is known of the files of a pod: why its own, or those of every pod that was tried, could not be read.
    pub(crate) fn why_unread(&self, pod: &Incarnation) -> (String, Option<Seq>) {
        if let Some((seq, why)) = self.unread(pod.uid()) {
            return (why.to_owned(), Some(seq));
        }
        let device = pod.spec().volumes.iter().find(|it| it.persistent_volume_claim.is_some() && pod.has_as_device(&it.name));
        if let Some(volume) = device {
            return (format!("volume {} is a raw device (volumeDevices), which holds no files", volume.name), None);
        }
        let others = || self.reads.iter().all(|it| it.what.error.is_some());
        match self.reads.iter().next_back().filter(|_| others()) {
            Some(last) => (last.what.error.clone().unwrap_or_default(), Some(last.seq)),
            None => ("it was not there for long enough, or stsgrade was not there in time".to_owned(), None),
        }
    }

    /// What a pod's claims held by the newest reading of each mount of a claim; `None` when there was none.
    #[must_use]
    pub fn portrait<'t>(&'t self, pod: &'t Incarnation) -> Option<Portrait<'t>> {
        let mut newest: BTreeMap<Mount<'_>, &Noted<Read>> = BTreeMap::new();
        for read in self.readings(pod.uid()) {
            newest.insert(mount_of(&read.what), read);
        }
        Self::portrait_of(pod, newest.values().copied())
    }

    /// What a pod's claims held by the first reading of each mount of a claim that found anything.
    #[must_use]
    pub fn first_portrait<'t>(&'t self, pod: &'t Incarnation) -> Option<Portrait<'t>> {
        let mut first: BTreeMap<Mount<'_>, &Noted<Read>> = BTreeMap::new();
        for read in self.readings(pod.uid()) {
            let known = first.entry(mount_of(&read.what)).or_insert(read);
            if known.what.files.iter().all(|it| it.size == 0) {
                *known = read;
            }
        }
        Self::portrait_of(pod, first.values().copied())
    }

    fn portrait_of<'t>(pod: &'t Incarnation, reads: impl Iterator<Item = &'t Noted<Read>>) -> Option<Portrait<'t>> {
        let mut portrait = Portrait { pod, texts: vec![], hidden: 0, reads: vec![] };
        for read in reads {
            portrait.reads.push(read.seq);
            portrait.hidden += read.what.left_out;
            for file in &read.what.files {
                match text_of(&read.what.claim, file) {
                    Some(text) => {
                        portrait.hidden += u64::from(text.cut);
                        portrait.texts.push(text);
                    }
                    None => portrait.hidden += 1,
                }
            }
        }
        (!portrait.reads.is_empty()).then_some(portrait)
    }

    /// For each ordinal, what the first of its incarnations of the present template held on whose claims something was found;
    /// where nothing ever was, what the first held that could be read: the originals.
    #[must_use]
    pub fn originals(&self) -> Vec<Portrait<'_>> {
        // A pod may have had to go before it wrote anything.
        let is_read = |pod: &&Incarnation| self.is_current(pod) && self.readings(pod.uid()).next().is_some();
        let has_written = |pod: &&Incarnation| is_read(pod) && self.readings(pod.uid()).any(|it| it.what.files.iter().any(|it| it.size > 0));
        let first = |lane: &'_ [Incarnation]| lane.iter().position(|pod| has_written(&pod)).or_else(|| lane.iter().position(|pod| is_read(&pod)));
        self.lanes().filter_map(|(_, lane)| self.portrait(&lane[first(lane)?])).collect()
    }

    /// Whether a pod's files already tell who wrote them, as far as can be said beside what other pods have shown so far.
    #[must_use]
    pub fn has_identity(&self, uid: &str) -> bool {
        let Some(pod) = self.incarnation(uid) else { return false };
        let mut portraits: Vec<_> = self.originals().into_iter().filter(|it| it.pod.ordinal != pod.ordinal).collect();
        let Some(own) = self.portrait(pod) else { return false };
        portraits.push(own);
        let gallery = Gallery::of(self, portraits);
        let alone = gallery.portraits.len() == 1;
        gallery.portraits.iter().rposition(|it| it.pod.uid() == uid).is_some_and(|place| {
            let lone_text = alone && gallery.portraits[place].texts.iter().any(|it| !it.content.trim().is_empty());
            lone_text || !gallery.identity(place).is_empty()
        })
    }
}

/// A claim may be mounted by several of its folders: the claim, and where.
type Mount<'t> = (&'t str, &'t str);

fn mount_of(read: &Read) -> Mount<'_> {
    (&read.claim, &read.mount_path)
}

fn text_of<'t>(claim: &'t str, file: &'t File) -> Option<Text<'t>> {
    let content = match &file.content {
        Some(content) => content.as_str(),
        None if file.size == 0 && file.without.is_none() => "",
        None => return None,
    };
    Some(Text { claim, path: &file.path, content, cut: file.cut, mtime: file.mtime })
}

impl Portrait<'_> {
    /// Every line of its texts.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().flat_map(|text| text.content.lines())
    }
}
