//! A container with Naru in it, on an engine that all tests share.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use naru_testkit::run::{output, succeeds};
use naru_testkit::services::engine::{Docker, Generation};
use naru_testkit::services::process::free_port;
use serde_json::Value;
use tempfile::TempDir;

/// What runs containers here: Debian's Docker.
pub(crate) type Engine = Docker;

/// How long Naru may take to be ready on a machine that is busy with tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// The engine; `None`, said loudly, where the machine has none.
pub(crate) fn engine() -> Option<&'static Engine> {
    static ENGINE: OnceLock<Option<Engine>> = OnceLock::new();
    ENGINE
        .get_or_init(|| Docker::start(Generation::Debian))
        .as_ref()
}

/// `docker` with its sign-ins in `home`.
pub(crate) fn docker(engine: &Engine, home: &Path) -> Command {
    engine.command(home)
}

/// What an image says about itself, without what tells one build from another.
pub(crate) fn describe(engine: &Engine, image: &str) -> Value {
    let home = TempDir::new().unwrap();
    let mut inspect = docker(engine, home.path());
    inspect.args(["image", "inspect", "--format={{json .Config}}", image]);
    let config: Value = serde_json::from_str(&succeeds(&mut inspect)).unwrap();
    let described = [
        "User",
        "Env",
        "Entrypoint",
        "Cmd",
        "WorkingDir",
        "Volumes",
        "ExposedPorts",
        "StopSignal",
        "Healthcheck",
    ];
    let mut kept: serde_json::Map<String, Value> = described
        .iter()
        .map(|name| ((*name).to_owned(), config[*name].clone()))
        .collect();
    let mut labels = config["Labels"].clone();
    if let Some(labels) = labels.as_object_mut() {
        labels.retain(|name, _| name.starts_with("org.opencontainers.image."));
    }
    kept.insert("Labels".to_owned(), labels);
    Value::Object(kept)
}

/// A container that is removed with the value.
pub(crate) struct Container {
    engine: &'static Engine,
    name: String,
    host: String,
    home: TempDir,
}

impl Container {
    /// Starts one as the documentation says, but on the host's network: the engine of the tests
    /// makes no bridges.
    pub(crate) fn run(engine: &'static Engine, image: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = format!("naru-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let host = format!("127.0.0.1:{}", free_port().unwrap());
        let home = TempDir::new().unwrap();
        let mut run = docker(engine, home.path());
        run.args(["run", "--detach", "--name", &name, "--stop-timeout=40"]);
        run.args([
            "--network=host",
            "--env",
            &format!("NARU_LISTEN__ADDRESS={host}"),
        ]);
        // The engine's own directory may lie in memory.
        run.args(["--env", "NARU_BLOBSTORE__ALLOW_UNSAFE_FILESYSTEM=true"]);
        run.args(["--volume", &format!("{name}-data:/data"), "--read-only"]);
        run.args(["--cap-drop=ALL", "--security-opt=no-new-privileges", image]);
        succeeds(&mut run);
        Self {
            engine,
            name,
            host,
            home,
        }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// `docker` with these words.
    pub(crate) fn docker(&self, words: &[&str]) -> Command {
        let mut command = docker(self.engine, self.home.path());
        command.args(words);
        command
    }

    /// A command of Naru inside the container, which may read standard input.
    pub(crate) fn exec(&self, words: &[&str]) -> Command {
        let mut command = docker(self.engine, self.home.path());
        command
            .args(["exec", "--interactive", &self.name, "naru"])
            .args(words);
        command
    }

    /// Runs a command of Naru inside the container; what it printed.
    pub(crate) fn naru(&self, words: &[&str]) -> String {
        succeeds(&mut self.exec(words))
    }

    /// Waits until it says from inside and from outside that it can serve.
    pub(crate) fn wait_until_ready(&self) {
        let began = Instant::now();
        while !(self.answers_from_outside() && self.is_healthy()) {
            let logs = self.logs();
            assert!(
                began.elapsed() < PATIENCE,
                "{} is not ready:\n{logs}",
                self.name
            );
            sleep(Duration::from_millis(100));
        }
    }

    fn is_healthy(&self) -> bool {
        output(&mut self.exec(&["health", "--ready"]))
            .status
            .success()
    }

    fn answers_from_outside(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(&self.host) else {
            return false;
        };
        let host = &self.host;
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        let asked = stream.write_all(request.as_bytes());
        asked.is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200 ")
    }

    /// Everything it said.
    pub(crate) fn logs(&self) -> String {
        let logs = output(&mut self.docker(&["logs", &self.name]));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        text(&logs.stdout) + &text(&logs.stderr)
    }

    /// `/proc/PID/status` of the program.
    pub(crate) fn process_status(&self) -> String {
        let inspect = ["inspect", "--format={{.State.Pid}}", &self.name];
        let id = succeeds(&mut self.docker(&inspect));
        std::fs::read_to_string(format!("/proc/{id}/status")).unwrap()
    }

    /// Asks it to end and waits so long; its exit status.
    pub(crate) fn stop(&self, patience: Duration) -> String {
        let seconds = patience.as_secs().to_string();
        succeeds(&mut self.docker(&["stop", "--time", &seconds, &self.name]));
        let inspect = ["inspect", "--format={{.State.ExitCode}}", &self.name];
        succeeds(&mut self.docker(&inspect))
    }

    /// Ends it and starts it again on the same data.
    pub(crate) fn stop_and_start(&self) {
        assert_eq!(self.stop(Duration::from_secs(40)), "0", "{}", self.logs());
        succeeds(&mut self.docker(&["start", &self.name]));
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = output(&mut self.docker(&["rm", "--force", "--volumes", &self.name]));
    }
}
