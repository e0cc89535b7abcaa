//! Real, unmodified clients against the real binary, over plain HTTP and over TLS.
//!
//! The ways of one client each:
//! - [`docker`], [`podman`], [`skopeo`], [`buildah`], [`containerd`]: images
//! - [`crane`], [`regctl`]: registries' own tools
//! - [`oras`], [`helm`], [`cosign`]: artifacts, charts, signatures
//! - [`gh`], [`go_github`], [`octokit`], [`pygithub`]: the REST API, as GitHub's own clients and
//!   those that programs are written with ask for it
//!
//! - [`schemathesis`]: the REST API, as its description of itself lets one ask for it
//! - [`sweepers`]: what is left of images and signatures after clean-up tools
//!
//! And what goes wrong:
//! - [`refusals`]: wrong passwords, missing scopes, other people's packages, unknown names
//! - [`interruptions`]: pushes that are cut off, servers that vanish, disks that fill up
//!
//! [`support`] starts the servers, makes images from nothing, and runs commands; [`stock`] pushes
//! packages to be found; [`proxy`] gives the server over TLS a name of its own;
//! [`kit`], [`api`], [`contract`] and [`cleanup`] are those of the other tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test may fail loudly, also in the helpers that clippy does not know as tests"
)]

#[allow(dead_code, reason = "the tests of the REST API need more of it")]
#[path = "../rest/api.rs"]
mod api;
mod buildah;
#[allow(dead_code, reason = "the tests of the REST API need more of it")]
#[path = "../rest/cleanup/mod.rs"]
mod cleanup;
mod containerd;
#[allow(dead_code, reason = "the tests of the REST API need more of it")]
#[path = "../rest/contract/mod.rs"]
mod contract;
mod cosign;
mod crane;
mod docker;
mod gh;
mod go_github;
mod helm;
mod interruptions;
#[allow(dead_code, reason = "the tests of the registry need more of it")]
#[path = "../registry/kit/mod.rs"]
mod kit;
mod octokit;
mod oras;
mod podman;
mod proxy;
mod pygithub;
mod refusals;
mod regctl;
mod schemathesis;
mod skopeo;
mod stock;
mod support;
mod sweepers;
