//! Histories for tests: built in a few words, or written by a model of the StatefulSet controller.

pub(crate) mod history;
pub(crate) mod property;
pub(crate) mod tests;
