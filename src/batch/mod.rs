//! Grading a whole class: what is handed in, how it is worked off, what is kept of it, and the
//! gradebooks.

pub mod engine;
pub mod gradebook;
pub mod handin;
pub mod input;
pub mod late;
mod match_result;
pub mod overview;
pub mod platform;
pub mod result_files;
pub mod results;
pub mod results_by_hand_in;
pub mod results_by_roster;
pub mod roster;
mod roster_match;
pub mod share;
