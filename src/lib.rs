//! The shell around the checks: talks to the cluster, keeps recordings, prints reports.
//!
//! Architecture invariants, which a test (`tests/tidy.rs`) holds: only `cluster` knows kube. Only
//! `cluster`, the commands that call it, the progress on the terminal and the wait until it is read,
//! and the engine of a batch are async. Nothing ends the process: `main.rs` returns the exit code.
//! Only `report` writes a report. What is judged, and how, is the business of the crate `checks`.

/// The namespace that the lab asks for.
pub const LAB_NAMESPACE: &str = "statefulset-lab";

pub mod batch;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod console;
pub mod exit;
pub mod plan;
pub mod recording;
pub mod remedy;
pub mod report;
pub mod rubric;
pub mod submission;
