//! What the tests need beyond a Rust toolchain and a C compiler, and how a fresh machine gets it:
//! from the system's packages (Debian's names) and from the language registries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::say::say;
use crate::shell::{self, Log};
use crate::workspace;

/// A file or program that must be there, and the Debian package that brings it.
struct Need {
    /// The name of a program, or an absolute path.
    proof: &'static str,
    package: &'static str,
}

/// Everything beyond the toolchain.
const NEEDS: &[Need] = &[
    need("git", "git"),
    need("cc", "gcc"),
    need("/usr/share/doc/libc6-dev", "libc6-dev"),
    need("/etc/ssl/certs/ca-certificates.crt", "ca-certificates"),
    need("curl", "curl"),
    need("pgrep", "procps"),
    need("shellcheck", "shellcheck"),
    // Databases and object stores
    need("/usr/share/doc/postgresql", "postgresql"),
    need("/usr/share/doc/python3-venv", "python3-venv"),
    // Clients
    need("/usr/sbin/dockerd", "docker.io"),
    need("podman", "podman"),
    need("skopeo", "skopeo"),
    need("buildah", "buildah"),
    need("/usr/bin/containerd", "containerd"),
    need("runc", "runc"),
    need("gh", "gh"),
    need("node", "nodejs"),
    need("npm", "npm"),
    // Certificates by ACME
    need("pebble", "pebble"),
];

const fn need(proof: &'static str, package: &'static str) -> Need {
    Need { proof, package }
}

/// The lowest Go that builds the programs in `tools/`, and the module that brings one.
const GO_MINIMUM: (u32, u32) = (1, 26);
const GO_MODULE: &str = "golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64";

/// From the Python package index: the S3 server of the tests, a client of the REST API, and what
/// asks every operation of its description all kinds of things.
const PYTHON: &[&str] = &[
    "moto[server,s3]==5.2.2",
    "PyGithub==2.10.0",
    "schemathesis==4.32.5",
];

/// Packages come from a mirror that may be slow, but never this slow.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Installs what is missing, and says what that was. Fails naming exactly what cannot be had.
pub(crate) fn install() -> Result<String> {
    let log = Log::begin("install")?;
    let packages = install_packages(&log)?;
    let components = install_components(&log)?;
    let go = install_go(&log)?;
    let python = install_python(&log)?;
    let note = [packages, components, go, python].concat();
    Ok(if note.is_empty() {
        "nothing was missing".to_owned()
    } else {
        format!("installed {}", note.join(", "))
    })
}

/// A program in the tests' own Python environment.
pub(crate) fn python(program: &str) -> PathBuf {
    workspace::cache_directory()
        .join("python/bin")
        .join(program)
}

/// The `go` to build with: the machine's own if it is new enough, else the one in the cache.
pub(crate) fn go() -> PathBuf {
    match workspace::find_program("go") {
        Some(go) if version_of(&go).is_some_and(|version| version >= GO_MINIMUM) => go,
        _ => workspace::cache_directory().join("go/bin/go"),
    }
}

fn install_packages(log: &Log) -> Result<Vec<String>> {
    let missing: Vec<String> = NEEDS
        .iter()
        .filter(|need| !is_there(need.proof))
        .map(|need| need.package.to_owned())
        .collect();
    if !missing.is_empty() {
        apt_install(log, &missing)?;
    }
    Ok(missing)
}

fn is_there(proof: &str) -> bool {
    if proof.starts_with('/') {
        Path::new(proof).exists()
    } else {
        workspace::find_program(proof).is_some()
    }
}

/// Installs Debian packages, as root or with `sudo` where it asks for no password.
fn apt_install(log: &Log, packages: &[String]) -> Result<()> {
    let names = packages.join(" ");
    let by_hand = format!("missing Debian packages; install them with: apt-get install {names}");
    if workspace::find_program("apt-get").is_none() {
        bail!(
            "this machine has no apt-get, and these Debian packages' programs are missing: {names}"
        );
    }
    say!("    installing {names}");
    log.run(as_root("apt-get").args(["update", "-q"]), LIMIT)
        .context(by_hand.clone())?;
    let mut install = as_root("apt-get");
    install
        .args(["install", "-q", "-y", "--no-install-recommends"])
        .args(packages);
    log.run(&mut install, LIMIT).context(by_hand)
}

/// A command that runs as root: directly, or through `sudo`.
fn as_root(program: &str) -> Command {
    let user = shell::output(Command::new("id").arg("-u")).unwrap_or_default();
    let mut command = if user == "0" {
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args([
            "--non-interactive",
            "--preserve-env=DEBIAN_FRONTEND",
            program,
        ]);
        sudo
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// rustfmt and clippy, where the toolchain came without them.
fn install_components(log: &Log) -> Result<Vec<String>> {
    let absent = |(program, _): &(&str, &str)| workspace::find_program(program).is_none();
    let wanted = [("cargo-fmt", "rustfmt"), ("cargo-clippy", "clippy")];
    let missing: Vec<String> = wanted
        .into_iter()
        .filter(absent)
        .map(|(_, component)| component.to_owned())
        .collect();
    if !missing.is_empty() {
        let by_hand = format!("missing parts of the Rust toolchain: {}", missing.join(" "));
        let mut rustup = Command::new("rustup");
        log.run(rustup.args(["component", "add"]).args(&missing), LIMIT)
            .context(by_hand)?;
    }
    Ok(missing)
}

/// A Go toolchain, where the machine has none that is new enough. Debian's older Go fetches the
/// newer one as the module `golang.org/toolchain`, checked against the Go checksum database.
fn install_go(log: &Log) -> Result<Vec<String>> {
    if version_of(&go()).is_some_and(|version| version >= GO_MINIMUM) {
        return Ok(Vec::new());
    }
    if workspace::find_program("go").is_none() {
        apt_install(log, &["golang-go".to_owned()])?;
    }
    let old = workspace::find_program("go").context("golang-go brought no `go`")?;
    let modules = workspace::cache_directory().join("go-toolchain");
    let mut download = Command::new(&old);
    // Outside every module, so that the old Go reads no go.mod that is too new for it.
    download
        .current_dir("/")
        .args(["mod", "download", GO_MODULE]);
    download
        .env("GOMODCACHE", &modules)
        .env("GOFLAGS", "-modcacherw");
    log.run(&mut download, LIMIT)
        .context(format!("missing: Go {}.{}", GO_MINIMUM.0, GO_MINIMUM.1))?;
    let unpacked = modules.join(GO_MODULE);
    for programs in ["bin", "pkg/tool/linux_amd64"] {
        make_executable(&unpacked.join(programs))?;
    }
    let link = workspace::cache_directory().join("go");
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(&unpacked, &link)?;
    Ok(vec![GO_MODULE.to_owned()])
}

/// Modules come without file modes; the programs of a toolchain need theirs.
fn make_executable(directory: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        fs::set_permissions(entry?.path(), fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Major and minor version, from `go version go1.26.8 linux/amd64`.
fn version_of(go: &Path) -> Option<(u32, u32)> {
    let text = shell::output(Command::new(go).env("GOTOOLCHAIN", "local").arg("version")).ok()?;
    let mut numbers = text
        .split_whitespace()
        .nth(2)?
        .strip_prefix("go")?
        .split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The Python packages of the tests, in an environment of their own outside the tree.
fn install_python(log: &Log) -> Result<Vec<String>> {
    let environment = workspace::cache_directory().join("python");
    let stamp = environment.join("naru-stamp");
    let wanted = PYTHON.join(" ");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == wanted) {
        return Ok(Vec::new());
    }
    let missing = format!("missing: {wanted} from the Python package index");
    // Debian's own Python: another one first in PATH may lack the venv module.
    let mut venv = Command::new("/usr/bin/python3");
    venv.args(["-m", "venv", "--clear"]).arg(&environment);
    log.run(&mut venv, LIMIT).context(missing.clone())?;
    let mut pip = Command::new(python("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"])
        .args(PYTHON);
    log.run(&mut pip, LIMIT).context(missing)?;
    fs::write(stamp, &wanted)?;
    Ok(vec![wanted])
}
