//! The Go programs that the tests use as clients and peers, built from `tools/go.mod`.
//!
//! They are kept in the cache directory, outside the tree, beside a stamp of everything that went
//! into them; a second run with the same stamp builds nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::say::say;
use crate::shell::{self, Log};
use crate::{prerequisites, workspace};

/// `cargo xtask tools …`
#[derive(Subcommand)]
pub(crate) enum Chore {
    /// Build them, or only those that are named.
    ///
    /// Example: cargo xtask tools build crane helm
    Build {
        /// Names of programs; all when none is given
        names: Vec<String>,
    },
    /// Print the directory they are built into.
    Directory,
}

/// One program.
struct Tool {
    /// What the built file is called.
    name: &'static str,
    /// The Go package with its `main`.
    package: &'static str,
    /// What `go build` must be told beyond the usual.
    flags: &'static [&'static str],
    /// The directory below `tools/` with the module that pins its version.
    module: &'static str,
    /// Whether it is linked with C code.
    cgo: bool,
}

/// These leave out what would need more than a C compiler.
const CONTAINERD_FLAGS: &[&str] = &["-tags=no_systemd,no_btrfs,no_devmapper,no_zfs"];
const MOBY_FLAGS: &[&str] = &["-tags=exclude_graphdriver_btrfs,exclude_disk_quota,no_systemd"];
/// The docker command has no go.mod to say which Go it is written in.
const DOCKER_FLAGS: &[&str] = &["-gcflags=github.com/docker/cli/...=-lang=go1.26"];

/// Every program, the quick ones first. Each module pins its programs' versions and those of all
/// their dependencies; what cannot agree on them stands in separate modules.
const TOOLS: &[Tool] = &[
    tool(
        "clients",
        "crane",
        "github.com/google/go-containerregistry/cmd/crane",
    ),
    tool(
        "clients",
        "regctl",
        "github.com/regclient/regclient/cmd/regctl",
    ),
    tool("clients", "oras", "./oras"),
    tool("docker", "docker", "github.com/docker/cli/cmd/docker").with(DOCKER_FLAGS),
    tool("runc", "runc", "github.com/opencontainers/runc").linked_with_c(),
    tool(
        "containerd",
        "containerd",
        "github.com/containerd/containerd/v2/cmd/containerd",
    )
    .with(CONTAINERD_FLAGS),
    tool(
        "containerd",
        "ctr",
        "github.com/containerd/containerd/v2/cmd/ctr",
    )
    .with(CONTAINERD_FLAGS),
    tool(
        "containerd",
        "containerd-shim-runc-v2",
        "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
    )
    .with(CONTAINERD_FLAGS),
    tool("moby", "dockerd", "github.com/moby/moby/v2/cmd/dockerd").with(MOBY_FLAGS),
    tool(
        "distribution",
        "registry",
        "github.com/distribution/distribution/v3/cmd/registry",
    ),
    tool("helm", "helm", "helm.sh/helm/v4/cmd/helm"),
    tool(
        "cosign",
        "cosign",
        "github.com/sigstore/cosign/v3/cmd/cosign",
    ),
];

const fn tool(module: &'static str, name: &'static str, package: &'static str) -> Tool {
    Tool {
        name,
        package,
        flags: &[],
        module,
        cgo: false,
    }
}

impl Tool {
    const fn with(self, flags: &'static [&'static str]) -> Self {
        Self { flags, ..self }
    }

    const fn linked_with_c(self) -> Self {
        Self { cgo: true, ..self }
    }
}

/// How long one program may take to build on a slow machine.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Does what was asked on the command line.
pub(crate) fn run(chore: &Chore) -> Result<()> {
    match chore {
        Chore::Build { names } => {
            let unknown = names
                .iter()
                .find(|name| TOOLS.iter().all(|tool| tool.name != name.as_str()));
            if let Some(unknown) = unknown {
                bail!("no tool is called `{unknown}`");
            }
            let wanted =
                |tool: &&Tool| names.is_empty() || names.iter().any(|name| name == tool.name);
            say!(
                "{}",
                build(&TOOLS.iter().filter(wanted).collect::<Vec<_>>())?
            );
        }
        Chore::Directory => say!("{}", directory().display()),
    }
    Ok(())
}

/// Builds whatever is not there yet.
pub(crate) fn build_all() -> Result<String> {
    build(&TOOLS.iter().collect::<Vec<_>>())
}

/// Where the built programs are.
pub(crate) fn directory() -> PathBuf {
    workspace::cache_directory().join("tools")
}

fn build(tools: &[&Tool]) -> Result<String> {
    let log = Log::begin("tools-build")?;
    fs::create_dir_all(directory())?;
    let go = prerequisites::go();
    let mut built = 0;
    for tool in tools {
        let stamp = stamp_of(tool, &go)?;
        let stamp_file = directory().join(format!(".{}.stamp", tool.name));
        let current = fs::read_to_string(&stamp_file).is_ok_and(|text| text == stamp);
        if current && directory().join(tool.name).is_file() {
            continue;
        }
        let started = Instant::now();
        build_one(tool, &go, &log)
            .with_context(|| format!("{}\nbuild {}", log.tail(), tool.name))?;
        fs::write(stamp_file, stamp)?;
        say!(
            "    built {} in {:.0} s",
            tool.name,
            started.elapsed().as_secs_f64()
        );
        built += 1;
    }
    Ok(format!(
        "{built} built, {} already there",
        tools.len() - built
    ))
}

fn build_one(tool: &Tool, go: &Path, log: &Log) -> Result<()> {
    let mut command = Command::new(go);
    command.current_dir(workspace::root().join("tools").join(tool.module));
    command
        .args(["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"])
        .args(tool.flags);
    command
        .arg("-o")
        .arg(directory().join(tool.name))
        .arg(tool.package);
    command
        .env("GOFLAGS", "-mod=readonly")
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off");
    command.env("CGO_ENABLED", if tool.cgo { "1" } else { "0" });
    log.run(&mut command, LIMIT)
}

/// Everything that decides what the built program is: as text, so that no hash is needed.
fn stamp_of(tool: &Tool, go: &Path) -> Result<String> {
    let mut stamp = shell::output(Command::new(go).env("GOTOOLCHAIN", "local").arg("version"))
        .context("missing: Go; `cargo xtask install` brings it")?;
    let Tool {
        package,
        flags,
        cgo,
        ..
    } = tool;
    stamp.push_str(&format!("\n{package} {flags:?} {cgo}\n"));
    add_sources(
        &workspace::root().join("tools").join(tool.module),
        &mut stamp,
    )?;
    Ok(stamp)
}

fn add_sources(directory: &Path, stamp: &mut String) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            add_sources(&path, stamp)?;
        } else {
            stamp.push_str(&fs::read_to_string(path)?);
        }
    }
    Ok(())
}
