//! The running server over HTTP: the built binary, on a real database and blob store.
//!
//! - [`oci`]: every endpoint and every "MUST" of the OCI distribution specification, each test
//!   naming its sentence;
//! - [`conformance`]: the official suite, where `NARU_CONFORMANCE_BIN` names it;
//! - [`legacy`]: the Docker registry of old, on its own host name;
//! - [`tokens`], [`forgeries`]: the token endpoint, and what is no token;
//! - [`access`]: every route, every kind of caller, every visibility, against an independent table;
//! - [`errors`]: statuses and texts;
//! - [`attacks`]: what strangers try;
//! - [`kit`]: what all of them stand on.
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
mod attacks;
mod conformance;
mod errors;
mod forgeries;
mod kit;
mod legacy;
mod oci;
mod tokens;
