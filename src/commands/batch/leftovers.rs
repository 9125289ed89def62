//! The namespaces of a run that a kill, or a lost cluster, has left.

use crate::{
    cluster::{Cluster, Failure, isolation, workers::Workers},
    console::{count::counted, progress::Progress, sanitize::sanitize},
};

/// Refuses to go on while the cluster itself works off this run: its namespace would be taken for one
/// that was left, and goes with all that is not collected.
///
/// # Errors
/// A Job of the run stands, or nobody can say.
pub(super) async fn refuse_while_a_job_stands(
    clusters: &[Cluster],
    run: &str,
) -> Result<(), Failure> {
    for cluster in clusters {
        Workers::of(cluster, run).refuse_to_end().await?;
    }
    Ok(())
}

/// Asks for the deletion of the namespaces that the run has left, and says how many there were.
pub(super) async fn delete_and_say(clusters: &[Cluster], run: &str, progress: &Progress) {
    let (found, _) = delete(clusters, run, progress).await;
    if found > 0 {
        let (one, several) =
            ("namespace of this run was left, and is", "namespaces of this run were left, and are");
        progress.say(&format!("{} removed", counted(found, one, several)));
    }
}

/// Asks for the deletion of the namespaces that the run has left in the clusters; how many there
/// were, and whether all clusters could be asked.
async fn delete(clusters: &[Cluster], run: &str, progress: &Progress) -> (usize, bool) {
    let (mut count, mut is_clean) = (0, true);
    for cluster in clusters {
        match isolation::delete_all(cluster, run).await {
            Ok(found) => count += found,
            // The batch goes on: the results of the other clusters count.
            Err(failure) => {
                warn_of_unclean(cluster, &failure, progress);
                is_clean = false;
            }
        }
    }
    (count, is_clean)
}

/// Removes the namespaces that the run has left in the clusters; whether all are gone.
pub(super) async fn remove(clusters: &[Cluster], run: &str, progress: &Progress) -> bool {
    let (_, mut is_clean) = delete(clusters, run, progress).await;
    for cluster in clusters {
        let left = match isolation::await_gone(cluster, run).await {
            Ok(left) => left,
            Err(failure) => {
                warn_of_unclean(cluster, &failure, progress);
                is_clean = false;
                continue;
            }
        };
        for name in &left {
            progress.error(&format!("error: namespace {} is still there", sanitize(name)));
        }
        is_clean &= left.is_empty();
    }
    is_clean
}

fn warn_of_unclean(cluster: &Cluster, failure: &Failure, progress: &Progress) {
    let context = sanitize(&cluster.context);
    progress.error(&format!("error: context {context} is not cleaned up: {failure}"));
}
