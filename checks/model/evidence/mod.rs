//! Evidence: what files, DNS answers and claims tell about pods, as far as the recording shows it.

pub(crate) mod canaries;
pub mod content;
pub mod dns_evidence;
pub(crate) mod reattachment;
pub(crate) mod rewriting;
pub mod unreadable;
