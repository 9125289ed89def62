//! A log of which the app keeps the newest lines: what was read is dropped while the pod runs.

use std::collections::BTreeSet;

use crate::model::evidence::content::{
    clock::{WriteMoments, written_time},
    comparison::Comparison,
    lexer::{TextToken, TokenKind},
    writer::FileWords,
};

/// What a start and a stop write are two times of one life: more are written while the pod runs.
const TIMES_OF_A_RUNNING_POD: usize = 3;

/// From when to when, in seconds since the epoch.
type Span = (i64, i64);

impl<'t> Comparison<'_, 't> {
    /// Whether a file holds lines that the old pod wrote while it ran, after they could be read, and
    /// that the new start did not write: the app drops the oldest lines itself.
    ///
    /// Only the times in the lines tell that, and a start can write any time. So this proves nothing
    /// was lost, and nothing that it was kept.
    pub(super) fn may_be_bounded_log(&self, file: &FileWords<'t>, now: &FileWords<'t>) -> bool {
        let (old, new) = (self.before.pod_files.pod, self.after.pod_files.pod);
        let starts = old.earliest_start().zip(new.earliest_start());
        let times = file.text.mtime.zip(now.text.mtime);
        let Some(((old_start, new_start), (read, written))) = starts.zip(times) else {
            return false;
        };
        // The new start's own times are never taken for older ones, whatever the zone.
        let moments = WriteMoments { start: Some(new_start), mtime: Some(written) };
        let earlier: BTreeSet<&str> = file.tokens().map(|it| it.text).collect();
        let is_new = |it: &&str| !earlier.contains(it);
        let present = self.all_lines_by_shape(now);
        self.all_lines_by_shape(file).iter().any(|(shape, lines)| {
            let before = exact_times(lines, (old_start, read), None);
            let present = present.get(shape).map(Vec::as_slice).unwrap_or_default();
            let mut after = exact_times(present, (read, new_start), Some(moments));
            after.retain(is_new);
            !after.is_empty() && before.union(&after).count() >= TIMES_OF_A_RUNNING_POD
        })
    }
}

/// The exact times within a span that lines tell, and that are not written at other moments.
fn exact_times<'t>(
    lines: &[&[TextToken<'t>]],
    (first, last): Span,
    other: Option<WriteMoments>,
) -> BTreeSet<&'t str> {
    let is_meant = |token: &&TextToken<'t>| {
        let time = written_time(token);
        token.kind == TokenKind::Time
            && time.is_exact()
            && time.is_between(first, last)
            && !other.is_some_and(|it| time.is_written_by(it))
    };
    lines.iter().copied().flatten().filter(is_meant).map(|it| it.text).collect()
}
