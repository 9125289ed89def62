//! Every change that is made to a namespace: applying, scaling, and deleting by UID.

pub mod apply;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod field_owners;
mod refusal;
pub(crate) mod replicas_owners;
pub(crate) mod scale;
mod server_words;
pub(crate) mod terminating;
