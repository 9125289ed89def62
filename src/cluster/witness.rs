//! Beside somebody's own work: reading files and asking names, without changing anything.

use std::convert::Infallible;

use super::{Cluster, Journal, diagnose::Diagnostician, dns::Names, inspect::Inspector};

/// Reads the files of every pod of the set, asks for its name and looks into failures, as they come.
/// It never ends by itself.
pub async fn witness(cluster: &Cluster, journal: &Journal) -> Infallible {
    let inspector = Inspector::reading(cluster, journal);
    let names = Names::of_each_life(cluster, journal, &inspector);
    let diagnostician = Diagnostician::new(cluster, journal);
    inspector.open();
    names.open();
    tokio::select! {
        never = inspector.attend() => never,
        never = names.attend() => never,
        never = diagnostician.attend() => never,
    }
}
