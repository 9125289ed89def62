//! Rules that several checks judge alike.

mod deletion_pairs;
pub(crate) mod not_shown;
pub(crate) mod order;
pub(crate) mod way_to_show;
