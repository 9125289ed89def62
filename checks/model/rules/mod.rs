//! What is asked of orders, and what is said where something is not shown.

mod deletion_pairs;
pub(crate) mod not_shown;
pub(crate) mod order;
pub(crate) mod way_to_show;
