//! What is shown: the terminal's width and colours, progress lines, the words for a tour's steps, and
//! text that cannot harm the terminal.

pub mod count;
mod live_lines;
pub(crate) mod names;
pub mod progress;
pub mod sanitize;
pub mod stderr;
pub mod suggest;
pub mod terminal;
pub mod words;
