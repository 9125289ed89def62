//! All integration tests that need no cluster, in one binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batch;
mod ci;
mod cli;
mod completions;
mod errors;
mod fake;
mod fixtures;
mod formats;
mod hostile;
mod report;
mod rubric;
mod schema;
mod tidy;
mod timeline;
mod versions;
mod workflows;
