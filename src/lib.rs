//! The shell around the checks: talks to the cluster, keeps recordings, prints reports.
//!
//! Architecture invariant: only `cluster` is async and knows kube, only `main.rs` exits, only
//! `report` writes the report. What is judged, and how, is the business of the crate `checks`.

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
