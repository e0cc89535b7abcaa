//! The `naru` binary from outside: what it prints, writes and refuses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly, also in the helpers that clippy does not know as tests"
)]

mod beside;
mod checking;
mod configuration;
mod editing;
mod encrypted;
mod example;
mod grades;
mod handbook;
mod help;
mod script;
mod serving;
mod support;
mod tagging;
