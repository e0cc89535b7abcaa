//! The static binary, and the container image made of it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use crate::say::say;
use crate::shell::{self, Log};
use crate::workspace;

/// `cargo xtask image …`
#[derive(Args)]
pub(crate) struct Chore {
    /// What the image is to be called
    #[arg(default_value = "naru:latest")]
    name: String,
}

/// How long a release build may take on a slow machine.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Builds the image that people run.
pub(crate) fn run(chore: &Chore) -> Result<()> {
    let log = Log::begin("image")?;
    let binary = static_binary("release", &log)?;
    let mut script = Command::new(workspace::root().join("packaging/image.sh"));
    script.arg(&binary).arg(&chore.name);
    log.run(&mut script, LIMIT).with_context(|| log.tail())?;
    say!("built {} of {}", chore.name, binary.display());
    Ok(())
}

/// Builds the binary as one static file that needs nothing of the system it runs on; `profile` is
/// cargo's. Only the last crate is told: what it stands on is that of every other build of the
/// profile, so this costs one more link.
pub(crate) fn static_binary(profile: &str, log: &Log) -> Result<PathBuf> {
    let words = ["rustc", "--locked", "--package", "naru", "--bin", "naru"];
    let linked = ["-C", "target-feature=+crt-static", "-C", "strip=symbols"];
    let mut build = shell::cargo();
    build
        .args(words)
        .args(["--profile", profile, "--"])
        .args(linked);
    log.run(&mut build, LIMIT)?;
    let directory = match profile {
        "dev" => "debug",
        other => other,
    };
    let target = workspace::target_directory();
    // Under its usual name the next build would put the usual binary in its place.
    let binary = target.join("static").join(profile).join("naru");
    fs::create_dir_all(target.join("static").join(profile))?;
    let _ = fs::remove_file(&binary);
    fs::copy(target.join(directory).join("naru"), &binary)
        .with_context(|| binary.display().to_string())?;
    Ok(binary)
}
