//! The programs that the tests use as clients and peers, from the modules in `tools/`: those in Go
//! are built, those in JavaScript are laid beside what they need.
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
    tool("github", "go-github", "."),
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

/// The directories below `tools/` with a package.json and a program; each is laid into a directory
/// of its name, with what its lock file names.
const SCRIPTS: &[&str] = &["octokit"];

/// How long one program may take to build on a slow machine.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Does what was asked on the command line.
pub(crate) fn run(chore: &Chore) -> Result<()> {
    match chore {
        Chore::Build { names } => {
            let known =
                |name: &str| TOOLS.iter().any(|tool| tool.name == name) || SCRIPTS.contains(&name);
            if let Some(unknown) = names.iter().find(|name| !known(name)) {
                bail!("no tool is called `{unknown}`");
            }
            say!("{}", build(names)?);
        }
        Chore::Directory => say!("{}", directory().display()),
    }
    Ok(())
}

/// Builds whatever is not there yet.
pub(crate) fn build_all() -> Result<String> {
    build(&[])
}

/// Where the built programs are.
pub(crate) fn directory() -> PathBuf {
    workspace::cache_directory().join("tools")
}

/// Builds those that are named, or all when none is.
fn build(names: &[String]) -> Result<String> {
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let log = Log::begin("tools-build")?;
    fs::create_dir_all(directory())?;
    let go = prerequisites::go();
    let (mut built, mut total) = (0, 0);
    for tool in TOOLS.iter().filter(|tool| wanted(tool.name)) {
        let stamp = stamp_of(tool, &go)?;
        total += 1;
        built += unless_current(tool.name, &stamp, tool.name, || build_one(tool, &go, &log))
            .with_context(|| format!("{}\nbuild {}", log.tail(), tool.name))?;
    }
    for name in SCRIPTS.iter().filter(|name| wanted(name)) {
        let mut stamp = String::new();
        add_sources(&workspace::root().join("tools").join(name), &mut stamp)?;
        let proof = format!("{name}/node_modules");
        total += 1;
        built += unless_current(name, &stamp, &proof, || lay_script(name, &log))
            .with_context(|| format!("{}\nlay {name}", log.tail()))?;
    }
    Ok(format!("{built} built, {} already there", total - built))
}

/// Makes what is called `name` unless `proof` is there with the same stamp; says how many were made.
fn unless_current(
    name: &str,
    stamp: &str,
    proof: &str,
    make: impl FnOnce() -> Result<()>,
) -> Result<usize> {
    let stamp_file = directory().join(format!(".{name}.stamp"));
    let current = fs::read_to_string(&stamp_file).is_ok_and(|text| text == stamp);
    if current && directory().join(proof).exists() {
        return Ok(0);
    }
    let started = Instant::now();
    make()?;
    fs::write(stamp_file, stamp)?;
    say!(
        "    built {name} in {:.0} s",
        started.elapsed().as_secs_f64()
    );
    Ok(1)
}

/// Copies a script and installs the packages that its lock file names, beside it: modules are found
/// from where a script lies. None of them may run a program of its own while it is installed.
fn lay_script(name: &str, log: &Log) -> Result<()> {
    let (source, target) = (
        workspace::root().join("tools").join(name),
        directory().join(name),
    );
    fs::create_dir_all(&target)?;
    for entry in fs::read_dir(source)? {
        let path = entry?.path();
        let own = path.file_name().context("an entry has a name")?;
        // A developer may have installed the packages in the tree too.
        if path.is_file() {
            fs::copy(&path, target.join(own))?;
        }
    }
    let npm = workspace::find_program("npm")
        .context("missing: npm; `cargo xtask ci --only install` brings it")?;
    let mut command = Command::new(npm);
    command
        .current_dir(target)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    log.run(&mut command, LIMIT)
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
        if path.ends_with("node_modules") {
            continue;
        }
        if path.is_dir() {
            add_sources(&path, stamp)?;
        } else {
            stamp.push_str(&fs::read_to_string(path)?);
        }
    }
    Ok(())
}
