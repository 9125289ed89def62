//! x
use crate::{Check, model::{Timeline, Verdict}};
pub(crate) const CHECK: Check = Check { id: "ordered_scale_up", test: 7, title: "x", asked: "", why: "", remedy: "", see: "", points: 10, judge };
fn judge(_timeline: &Timeline) -> Verdict { Verdict::default() }
