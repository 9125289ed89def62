//! A manifest that is refused before any cluster is asked: it is kept like a grade's recording.

use std::path::Path;

use checks::model::{
    Fact,
    observation::{End, EndReason, Inquiry},
};

use crate::{
    cluster::{Failure, Journal},
    recording::{AskedOptions, Header, Writer, state_file},
};

/// Keeps what is wrong with a manifest, so that `stsgrade show` tells of it again and not of the
/// grade before. Where it cannot be kept, that costs nobody anything: it has been told.
pub(super) fn keep(failure: &Failure, namespace: &str, asked: AskedOptions, save: Option<&Path>) {
    if !failure.is_in_the_manifest() {
        return;
    }
    let header = Header::now("", namespace, AskedOptions { filename: true, ..asked });
    let path = save.map_or_else(|| state_file(&header), |it| Ok(it.to_owned()));
    let Ok(Ok(writer)) = path.map(|it| Writer::create_over_earlier(&it, &header)) else { return };
    let journal = Journal::start(writer);
    journal.push(Fact::Inquiry(Inquiry::ManifestRefused(failure.refusal())));
    journal.push(Fact::End(End {
        why: EndReason::Obstacle,
        detail: Some(failure.what.clone()),
        ..End::default()
    }));
    journal.flush();
}
