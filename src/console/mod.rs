//! The terminal: its width and colours, progress lines, and text that cannot harm it.

mod live_lines;
pub(crate) mod names;
pub mod progress;
pub mod sanitize;
pub mod secrets;
pub mod suggest;
pub mod terminal;
pub mod words;
