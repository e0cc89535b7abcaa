//! Use cases against a real database and a real blob store, with a clock that tests move.
//!
//! `NARU_TEST_DATABASE` and `NARU_TEST_BLOBSTORE` choose the grade; see `naru_testkit`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may fail loudly, also in the helpers that clippy does not know as tests"
)]

mod kit;
mod world;

mod accounts;
mod artifacts;
mod attestations;
mod backup;
mod bulk;
mod bulk_model;
mod collector;
mod counted_purge;
mod credentials;
mod explain;
mod fsck;
mod gone;
mod graph;
mod graph_model;
mod instance;
mod jobs;
mod linking;
mod manifests;
mod model;
mod packages;
mod purge;
mod registry_tokens;
mod repositories;
mod restore_quotas;
mod search;
mod setup;
mod statistics;
mod storm;
mod tag_records;
mod tag_rules;
mod teams;
mod uploads;
mod usage;
mod versions;

pub(crate) use world::{World, name};
