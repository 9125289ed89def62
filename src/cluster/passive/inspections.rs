//! Beside somebody's own work: reading files and asking names, without changing anything.

use std::time::Duration;

use crate::cluster::{
    Cluster, Journal, dns::NameQuestions, grade::inquiries::InquiryWriter, inspect::Inspector,
};

/// At the end, for pods that were not read, and then for claims on which nothing was found.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// Reads the files of every pod of the set, asks for its name and looks into failures, as they
/// come, until `stop` resolves.
pub async fn inspect_until(cluster: &Cluster, journal: &Journal, stop: impl Future<Output = ()>) {
    let inspector = Inspector::reading(cluster, journal);
    let names = NameQuestions::of_each_life(cluster, journal, &inspector);
    let inquiry_writer = InquiryWriter::new(cluster, journal);
    inspector.open();
    names.open();
    let last_look = async {
        stop.await;
        inspector.read_the_unread(LAST_LOOK).await;
        inspector.look_again(LAST_LOOK).await;
    };
    tokio::select! {
        () = last_look => {}
        never = inspector.run_forever() => match never {},
        never = names.run_forever() => match never {},
        never = inquiry_writer.run_forever() => match never {},
    }
}
