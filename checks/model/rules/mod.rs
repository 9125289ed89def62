//! Rules that several checks judge alike.

pub(crate) mod not_shown;
pub(crate) mod order;
pub(crate) mod way_to_show;
