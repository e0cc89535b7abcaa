//! The REST API of the running server: the built binary, on a real database and blob store.
//!
//! - [`api`]: requests to it as clients make them; every answer is judged;
//! - [`contract`]: what an answer is judged by: GitHub's own description, and what we know better;
//!   [`coverage`]: which of its operations are there;
//! - the nouns, one file each: [`packages`] and its like;
//! - [`access`]: every operation, every kind of caller, every visibility, against an independent
//!   table;
//! - [`sweeps`]: the clean-up tools that people use, whose requests are in [`cleanup`];
//! - [`kit`]: what these tests share with those of the registry.
//!
//! `NARU_TEST_DATABASE` and `NARU_TEST_BLOBSTORE` choose the backends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test may fail loudly, also in the helpers that clippy does not know as tests"
)]

mod access;
mod api;
mod artifacts;
mod attestations;
mod billing;
mod cleanup;
mod contract;
mod coverage;
mod forms;
mod graphql;
mod hidden;
#[allow(
    dead_code,
    reason = "the tests of the registry need more of it than these"
)]
#[path = "../registry/kit/mod.rs"]
mod kit;
mod meta;
mod orgs;
mod package;
mod package_access;
mod packages;
mod reference;
mod repos;
mod search;
mod settings;
mod statistics;
mod sweeps;
mod tags;
mod teams;
mod tokens;
mod usage;
mod users;
mod versions;
