//! Grading a whole class: what is handed in, how it is worked off, and what is kept of it.

pub mod engine;
pub mod handin;
pub mod results;
