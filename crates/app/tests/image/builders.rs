//! The tools that build the image, each by `packaging/image.sh`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use naru_testkit::run::succeeds;
use naru_testkit::services::absent;
use tempfile::TempDir;

use crate::container::{Engine, docker};

/// A tool that builds images.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Builder {
    Docker,
    Buildah,
    Podman,
}

impl Builder {
    /// Builds the image and puts it into the engine; its name there. `None`, said loudly, where
    /// the tool or the static binary is missing.
    pub(crate) fn build(self, engine: &Engine) -> Option<String> {
        let binary = static_binary()?;
        let image = format!("naru:by-{}", self.name());
        match self {
            Self::Docker => {
                let home = TempDir::new().unwrap();
                let docker = docker(engine, home.path());
                let builder = PathBuf::from(docker.get_program());
                succeeds(&mut build_with(
                    &builder,
                    &binary,
                    &image,
                    docker.get_envs(),
                ));
            }
            Self::Buildah | Self::Podman => {
                let builder = absent::program(self.name())?;
                let storage = Storage::new();
                succeeds(&mut build_with(&builder, &binary, &image, storage.envs()));
                storage.hand_over(&builder, &image, engine);
            }
        }
        Some(image)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Buildah => "buildah",
            Self::Podman => "podman",
        }
    }
}

/// The script, told which tool to take.
fn build_with<'a>(
    builder: &Path,
    binary: &Path,
    image: &str,
    envs: impl Iterator<Item = (&'a OsStr, Option<&'a OsStr>)>,
) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/image.sh");
    let mut command = Command::new(script);
    command.arg(binary).arg(image).env("BUILDER", builder);
    command.envs(envs.filter_map(|(name, value)| Some((name, value?))));
    command
}

/// Images of buildah and podman in a place of their own.
struct Storage {
    directory: TempDir,
    envs: Command,
}

impl Storage {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name);
        let settings = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = {:?}\nrunroot = {:?}\n",
            at("graph"),
            at("run")
        );
        fs::write(at("storage.conf"), settings).unwrap();
        let mut envs = Command::new("true");
        envs.env("CONTAINERS_STORAGE_CONF", at("storage.conf"))
            .env("BUILDAH_ISOLATION", "chroot")
            .env("HOME", directory.path());
        Self { directory, envs }
    }

    fn envs(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        self.envs.get_envs()
    }

    /// Gives an image to the engine.
    fn hand_over(&self, builder: &Path, image: &str, engine: &Engine) {
        let archive = self.directory.path().join("image.tar");
        let mut push = Command::new(builder);
        push.args(["push", "-q", &format!("localhost/{image}")]);
        push.arg(format!("docker-archive:{}:{image}", archive.display()));
        push.envs(self.envs().filter_map(|(name, value)| Some((name, value?))));
        succeeds(&mut push);
        let mut load = docker(engine, self.directory.path());
        succeeds(load.args(["load", "-q", "-i"]).arg(archive));
    }
}

/// The binary of this run; `None`, said loudly, where none was built.
#[expect(
    clippy::disallowed_methods,
    reason = "the run says in the environment what it has built"
)]
fn static_binary() -> Option<PathBuf> {
    let told = std::env::var_os("NARU_TEST_STATIC_BINARY").map(PathBuf::from);
    if told.is_none() {
        absent::say("there is no static binary (`cargo xtask ci --only image` builds it)");
    }
    told
}
