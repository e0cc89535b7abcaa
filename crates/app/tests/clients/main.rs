//! Real, unmodified clients against the real binary, over plain HTTP and over TLS.
//!
//! The ways of one client each:
//! - [`docker`], [`podman`], [`skopeo`], [`buildah`], [`containerd`]: images
//! - [`crane`], [`regctl`]: registries' own tools
//! - [`oras`], [`helm`], [`cosign`]: artifacts, charts, signatures
//!
//! And what goes wrong:
//! - [`refusals`]: wrong passwords, missing scopes, other people's packages, unknown names
//! - [`interruptions`]: pushes that are cut off, servers that vanish, disks that fill up
//!
//! [`support`] starts the servers, makes images from nothing, and runs commands.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test may fail loudly, also in the helpers that clippy does not know as tests"
)]

mod buildah;
mod containerd;
mod cosign;
mod crane;
mod docker;
mod helm;
mod interruptions;
mod oras;
mod podman;
mod refusals;
mod regctl;
mod skopeo;
mod support;
