//! One suite for both databases: every question is asked on SQLite and on PostgreSQL.
//!
//! A test is written once, over a [`Home`], and [`on_both!`] makes two of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may fail loudly, also in the helpers that clippy does not know as tests"
)]

mod accounts;
mod attestations;
mod content;
mod facts;
mod group_commit;
mod home;
mod jobs;
mod plans;
mod scans;
mod schema;
mod seam;
mod statements;
mod tag_rules;
mod trouble;

use home::{Home, on_both};
