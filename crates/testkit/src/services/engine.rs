//! Container engines with directories and sockets of their own, beside any that the machine runs.
//!
//! - [`Docker`]: Debian's engine with its own command, or the current engine with the current
//!   command, both built by `cargo xtask tools build`.
//! - [`Containerd`]: Debian's, driven by `ctr`.
//!
//! They need to be started by root. They make no bridges and no firewall rules; containers run
//! with `--network none`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::absent;
use super::process::{Keep, Process, scratch};

/// How long an engine may take to answer on a machine that is busy with tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which Docker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Debian's 20.10, which pushes Docker's own manifests (schema 2).
    Debian,
    /// The current engine with the containerd image store, which pushes OCI manifests.
    Current,
}

/// A Docker engine and the command that drives it.
#[derive(Debug)]
pub struct Docker {
    generation: Generation,
    client: PathBuf,
    // In this order: the engine ends before its directory goes.
    _engine: Process,
    directory: TempDir,
}

impl Docker {
    /// Starts one; `None`, said loudly, where the machine has none or the caller is not root.
    ///
    /// # Panics
    /// When the engine is there and does not start.
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "an engine that does not start fails the test, with its last words"
    )]
    pub fn start(generation: Generation) -> Option<Self> {
        let programs = match generation {
            Generation::Debian => ("/usr/sbin/dockerd".into(), "/usr/bin/docker".into()),
            Generation::Current => (absent::built("dockerd")?, absent::built("docker")?),
        };
        let (engine, client): (PathBuf, PathBuf) = programs;
        if !engine.is_file() || !client.is_file() {
            absent::say("there is no Docker engine (Debian package `docker.io`)");
            return None;
        }
        root_only()?;
        let started = Self::launch(generation, &engine, client);
        Some(started.unwrap_or_else(|error| panic!("dockerd: {error}")))
    }

    fn launch(generation: Generation, engine: &Path, client: PathBuf) -> io::Result<Self> {
        let (directory, log) = scratch("naru-docker-")?;
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("daemon.json"), "{}")?;
        let mut command = Command::new(engine);
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false"]);
        command.arg("--config-file").arg(at("daemon.json"));
        command
            .arg("--data-root")
            .arg(at("root"))
            .arg("--exec-root")
            .arg(at("exec"));
        command.arg("--pidfile").arg(at("pid"));
        command
            .arg("--host")
            .arg(format!("unix://{}", at("socket").display()));
        if generation == Generation::Current {
            with_built_programs_first(&mut command);
        }
        let keep = Keep {
            log: &log,
            signal: "TERM",
            scratch: Some(directory.path()),
        };
        let mut process = Process::start(&command, &keep)?;
        let socket = at("socket");
        process.until(PATIENCE, |process| {
            let ready = process.output().contains("API listen on") && socket.exists();
            ready.then_some(())
        })?;
        Ok(Self {
            generation,
            client,
            _engine: process,
            directory,
        })
    }

    /// `docker` with an empty sign-in file of its own, to be told what to do.
    ///
    /// Each caller names its own `home`, so that one's sign-in is not the other's.
    #[must_use]
    pub fn command(&self, home: &Path) -> Command {
        let mut command = Command::new(&self.client);
        command.env(
            "DOCKER_HOST",
            format!("unix://{}", self.directory.path().join("socket").display()),
        );
        command.env("DOCKER_CONFIG", home.join(".docker"));
        // The builder that needs no image and no network of its own.
        command.env("DOCKER_BUILDKIT", "0");
        command
    }

    /// What `docker run` needs besides: neither a network nor, where the built runc has no
    /// libseccomp, a filter of system calls.
    #[must_use]
    pub fn run_flags(&self) -> &'static [&'static str] {
        match self.generation {
            Generation::Debian => &["--rm", "--network=none"],
            Generation::Current => &[
                "--rm",
                "--network=none",
                "--security-opt=seccomp=unconfined",
            ],
        }
    }
}

/// A containerd and its `ctr`.
#[derive(Debug)]
pub struct Containerd {
    client: PathBuf,
    // In this order: the engine ends before its directory goes.
    _engine: Process,
    directory: TempDir,
}

impl Containerd {
    /// Starts Debian's; `None`, said loudly, where the machine has none or the caller is not root.
    ///
    /// # Panics
    /// When it is there and does not start.
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "an engine that does not start fails the test, with its last words"
    )]
    pub fn start() -> Option<Self> {
        let (engine, client) = (Path::new("/usr/bin/containerd"), Path::new("/usr/bin/ctr"));
        if !engine.is_file() || !client.is_file() {
            absent::say("there is no containerd (Debian package `containerd`)");
            return None;
        }
        root_only()?;
        let started = Self::launch(engine, client);
        Some(started.unwrap_or_else(|error| panic!("containerd: {error}")))
    }

    fn launch(engine: &Path, client: &Path) -> io::Result<Self> {
        let (directory, log) = scratch("naru-containerd-")?;
        let here = directory.path().display();
        let configuration = format!(
            "version = 2\nroot = \"{here}/root\"\nstate = \"{here}/state\"\n\
             [grpc]\naddress = \"{here}/socket\"\n[ttrpc]\naddress = \"{here}/socket.ttrpc\"\n"
        );
        let file = directory.path().join("config.toml");
        std::fs::write(&file, configuration)?;
        let mut command = Command::new(engine);
        command.arg("--config").arg(&file);
        let keep = Keep {
            log: &log,
            signal: "TERM",
            scratch: Some(directory.path()),
        };
        let mut process = Process::start(&command, &keep)?;
        let booted = |process: &Process| {
            process
                .output()
                .contains("successfully booted")
                .then_some(())
        };
        process.until(PATIENCE, booted)?;
        Ok(Self {
            client: client.to_owned(),
            _engine: process,
            directory,
        })
    }

    /// `ctr`, to be told what to do.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.client);
        command
            .arg("--address")
            .arg(self.directory.path().join("socket"));
        command
    }
}

/// `None`, said loudly, for anybody but root.
fn root_only() -> Option<()> {
    use std::os::unix::fs::MetadataExt;
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root {
        absent::say("container engines must be started by root");
    }
    is_root.then_some(())
}

/// The current engine finds its containerd, shim and runc among the built programs.
fn with_built_programs_first(command: &mut Command) {
    let path = super::environment("PATH").unwrap_or_default();
    if let Some(tools) = absent::tools_directory() {
        command.env("PATH", format!("{}:{path}", tools.display()));
    }
}
