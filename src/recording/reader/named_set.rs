//! Judging another set of a recording than the one that it was made for.

use checks::model::{Fact, Observation, Timeline, observation::Subject};

use crate::recording::reader::{Folded, ReadError, Reader, fold, fold_by};

/// Reads all that is judged; what somebody did by hand as if `--statefulset` had named this set when
/// it was recorded. A grade is always judged for the set that it graded.
///
/// # Errors
/// As [`Reader::next`].
pub fn fold_for(mut reader: Reader, statefulset: Option<&str>) -> Result<Folded, ReadError> {
    let Some(name) = statefulset.filter(|_| reader.header.asked.is_by_hand()) else {
        return fold(reader);
    };
    reader.header.asked.statefulset = Some(name.to_owned());
    let namespace = reader.header.namespace.clone();
    fold_by(reader, |timeline, observation| push(timeline, observation, &namespace, name))
}

/// Takes in a line, and then chooses the set, where it is there.
fn push(timeline: &mut Timeline, mut observation: Observation, namespace: &str, name: &str) {
    let Observation { seq, at, .. } = observation;
    if matches!(observation.what, Fact::Subject(_)) {
        observation.what = Fact::Unknown;
    }
    timeline.push_owned(observation);
    if let Some(set) = timeline.work_moves_to(Some(name)) {
        let subject = Subject {
            namespace: namespace.to_owned(),
            stateful_set: Some(set),
            ..Subject::default()
        };
        timeline.push_owned(Observation { seq, at, what: Fact::Subject(subject) });
    }
}
