//! What the journeys share: two servers, people, images from nothing, and running commands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use naru_testkit::naru::{Plan, Server, User};
pub(crate) use naru_testkit::run::{fails, output, succeeds};
use tempfile::TempDir;

/// What the image's program says when it runs.
pub(crate) const GREETING: &str = "hello from naru";

/// A server as the tests plan it. What it says is kept under this name, for the one who looks
/// into a failure: `target/tmp/NAME.log`.
pub(crate) fn plan(name: &str) -> Plan {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.log"));
    Plan::new(env!("CARGO_BIN_EXE_naru")).logging_to(log)
}

/// The server over plain HTTP that all journeys share.
pub(crate) fn plain() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER
        .get_or_init(|| Server::start(plan("clients-plain")))
        .as_ref()
}

/// The server over TLS that all journeys share.
pub(crate) fn secure() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER
        .get_or_init(|| Server::start(plan("clients-tls").with_tls()))
        .as_ref()
}

/// One person at one server, with a home directory of their own.
pub(crate) struct Person {
    pub(crate) server: &'static Server,
    pub(crate) user: User,
    pub(crate) home: TempDir,
}

impl Person {
    /// Somebody new. Names are numbered, so that every journey has an owner of its own.
    pub(crate) fn arrive(server: &'static Server, name: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let user = server.user(&format!("{name}-{number}"));
        Self {
            server,
            user,
            home: TempDir::new().unwrap(),
        }
    }

    /// `127.0.0.1:PORT/OWNER/NAME`.
    pub(crate) fn reference(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.server.host(), self.user.name)
    }

    /// A file or directory in the home directory.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A command that finds its sign-ins and settings in this home and nowhere else, and trusts
    /// the server's authority where it asks the system for authorities.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        self.settle(&mut command);
        command
    }

    /// Gives a command this home.
    pub(crate) fn settle(&self, command: &mut Command) {
        command
            .env("HOME", self.home.path())
            .current_dir(self.home.path());
        command.env("XDG_RUNTIME_DIR", self.home.path());
        command.env("DOCKER_CONFIG", self.at(".docker"));
        command.env("REGISTRY_AUTH_FILE", self.at("auth.json"));
        if let Some(authority) = self.server.authority() {
            command.env("SSL_CERT_FILE", authority);
        }
    }

    /// The sign-in that `docker login` would have left behind, for clients that read it.
    pub(crate) fn sign_in(&self) {
        let directory = self.at(".docker");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("config.json"), self.docker_configuration()).unwrap();
        fs::write(self.at("auth.json"), self.docker_configuration()).unwrap();
    }

    fn docker_configuration(&self) -> String {
        use base64::Engine;
        let User { name, token, .. } = &self.user;
        let auth = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{token}"));
        let host = self.server.host();
        serde_json::json!({ "auths": { host: { "auth": auth } } }).to_string()
    }

    /// Makes a package public, as its owner would.
    pub(crate) fn publish(&self, name: &str) {
        let package = format!("{}/{name}", self.user.name);
        self.server
            .naru(["package", "visibility", &package, "public"]);
        self.wait_for_changes();
    }

    /// Waits until what the command line did shows at the server: the promise is a second on
    /// SQLite, and five on PostgreSQL, where it is another replica for the server.
    pub(crate) fn wait_for_changes(&self) {
        let seconds = if self.server.database_url().is_some() {
            5
        } else {
            1
        };
        sleep(Duration::from_millis(seconds * 1000 + 250));
    }

    /// A directory with a static program, a text of its own, and the recipe of an image of both.
    pub(crate) fn context(&self) -> PathBuf {
        let directory = self.at("context");
        fs::create_dir_all(&directory).unwrap();
        fs::copy(greeter(), directory.join("hello")).unwrap();
        fs::write(directory.join("whose"), &self.user.name).unwrap();
        // What differs comes first, so that no layer is shared with the image of another test, which
        // may be removed from the same daemon while this one is being built.
        let recipe =
            "FROM scratch\nCOPY whose /whose\nCOPY hello /hello\nENTRYPOINT [\"/hello\"]\n";
        fs::write(directory.join("Dockerfile"), recipe).unwrap();
        directory
    }

    /// A tar archive with one file of `megabytes` that do not compress: a layer for an image.
    pub(crate) fn layer(&self, name: &str, megabytes: u64) -> PathBuf {
        let content = self.at(&format!("{name}.bin"));
        let size = megabytes * 1024 * 1024;
        let mut command = Command::new("head");
        command.args(["-c", &size.to_string(), "/dev/urandom"]);
        fs::write(&content, output(&mut command).stdout).unwrap();
        let archive = self.at(&format!("{name}.tar"));
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(self.home.path()).arg("-cf").arg(&archive);
        succeeds(tar.arg(format!("{name}.bin")));
        archive
    }
}

/// A static program that greets; built once.
fn greeter() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let source = directory.join("hello.c");
        let program = directory.join("hello");
        let text =
            format!("#include <stdio.h>\nint main(void) {{ return puts(\"{GREETING}\") < 0; }}\n");
        fs::write(&source, text).unwrap();
        succeeds(
            Command::new("cc")
                .args(["-static", "-Os", "-s", "-o"])
                .arg(&program)
                .arg(&source),
        );
        program
    })
}

/// That `text` speaks of one of `words`, in any case.
#[track_caller]
pub(crate) fn speaks_of(text: &str, words: &[&str]) {
    let lower = text.to_lowercase();
    assert!(
        words.iter().any(|word| lower.contains(word)),
        "none of {words:?} is in:\n{text}"
    );
}
