//! Grading a whole class: what is handed in, how it is worked off, what is kept of it, and the
//! gradebooks.

pub mod engine;
pub mod gradebook;
pub mod handin;
pub mod input;
pub mod late;
pub mod overview;
mod ownership;
pub mod platform;
pub mod rejoin;
pub mod result_files;
pub mod results;
pub mod resume;
pub mod roster;
pub mod share;
mod whose;
