//! All integration tests that need no cluster, in one binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod advice;
mod batch;
mod ci;
mod cli;
mod completions;
mod errors;
mod fake;
mod fixtures;
mod followed;
mod formats;
mod guards;
mod hostile;
mod lengths;
mod platform_schemas;
mod printed;
mod record;
mod report;
mod rights;
mod rubric;
mod schema;
mod tidy;
mod timeline;
mod unfinished;
mod versions;
mod widths;
mod workflows;
