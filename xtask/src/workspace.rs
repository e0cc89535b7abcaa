//! Where things are: the checkout, the target directory, the cache, and the crate graph.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The crate graph with every dependency, for the machine the tests run on.
pub(crate) fn graph() -> Result<Metadata> {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options([
            "--filter-platform".into(),
            "x86_64-unknown-linux-gnu".into(),
        ])
        .exec()
        .context("cargo metadata")
}

/// Only our own crates and what their manifests say: quick, and needs no network.
pub(crate) fn members() -> Result<Metadata> {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cargo metadata --no-deps")
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> PathBuf {
    environment("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Where programs are kept that outlive `cargo clean`: `NARU_CACHE`, else the user's cache directory.
pub(crate) fn cache_directory() -> PathBuf {
    environment("NARU_CACHE")
        .map(PathBuf::from)
        .or_else(|| environment("XDG_CACHE_HOME").map(|dir| Path::new(&dir).join("naru")))
        .or_else(|| environment("HOME").map(|dir| Path::new(&dir).join(".cache/naru")))
        .unwrap_or_else(|| target_directory().join("cache"))
}

/// A variable of the environment, if set and not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "chores have no configuration of their own"
)]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The first directory of `PATH`, or of the usual system directories, that holds `program`.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let path = environment("PATH").unwrap_or_default();
    path.split(':')
        .chain([
            "/usr/local/sbin",
            "/usr/local/bin",
            "/usr/sbin",
            "/usr/bin",
            "/sbin",
            "/bin",
        ])
        .map(|directory| Path::new(directory).join(program))
        .find(|candidate| candidate.is_file())
}
