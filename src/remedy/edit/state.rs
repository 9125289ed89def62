//! The manifest between the changes of one cause and those of the next one.

use checks::model::{Timeline, observation::object::StatefulSetSpec};

use crate::{
    recording::ManifestText,
    remedy::{
        change::Change,
        edit::{Loss, changes, written_spec},
    },
};

/// The manifest as it is after the changes of the causes that are told before.
#[derive(Clone, Debug)]
pub struct Edited {
    /// The objects' texts.
    pub objects: Vec<ManifestText>,
    /// The set's spec, as far as it is recorded.
    pub spec: Option<StatefulSetSpec>,
}

impl Edited {
    /// Before any change.
    #[must_use]
    pub fn nothing(objects: &[ManifestText], timeline: &Timeline) -> Self {
        Self { objects: objects.to_vec(), spec: written_spec(objects, timeline) }
    }

    /// The changes that mend a mistake or an obstacle, which are made in it; empty where the own
    /// lines cannot be known, or cannot be shown as they must be written.
    pub fn mend(&mut self, loss: &Loss<'_>, timeline: &Timeline) -> Vec<Change> {
        let objects = self.objects.clone();
        let loss = Loss { objects: &objects, ..*loss };
        let mut spec = self.spec.clone();
        let all = changes(&loss, &mut spec, timeline);
        if !all.iter().all(Change::can_be_pasted) {
            return vec![];
        }
        self.spec = spec;
        let mut made: Vec<Change> = vec![];
        for mut change in all {
            // They are made one after the other: each line is that of the file as it is by then.
            for above in &made {
                change.move_below(above);
            }
            self.make(&change);
            made.push(change);
        }
        made
    }

    /// Takes over the text of a changed object. What stands below it in its file moves.
    fn make(&mut self, change: &Change) {
        let (Some(file), Some(after)) = (&change.file, &change.after) else { return };
        let is_it = |it: &&mut ManifestText| {
            it.file == *file && format!("{} {}", it.kind, it.name) == change.object
        };
        let Some(changed) = self.objects.iter_mut().find(is_it) else { return };
        let (line, old) = (changed.line, changed.text.lines().count());
        let new = after.lines().count();
        changed.text.clone_from(after);
        for below in self.objects.iter_mut().filter(|it| it.file == *file && it.line > line) {
            below.line = (below.line + new).saturating_sub(old);
        }
    }
}
