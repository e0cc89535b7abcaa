//! Running the built binary.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;

/// How long anything may take that should take moments: test machines are slow at times.
const PATIENCE: Duration = Duration::from_secs(60);

/// The built binary, in an environment without settings.
pub(crate) fn naru() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_naru"));
    command.env_clear();
    command
}

/// The built binary on a data directory.
pub(crate) fn naru_on(data: &Path) -> Command {
    let mut command = naru();
    command.arg("--data").arg(data);
    command
}

/// Runs it with these arguments.
pub(crate) fn run<const N: usize>(mut command: Command, arguments: [&str; N]) -> Output {
    command.args(arguments).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A running server on a data directory of its own; killed when dropped.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    /// What it has said until it was ready.
    pub(crate) said: Vec<String>,
    pub(crate) url: String,
    data: PathBuf,
    _scratch: Option<TempDir>,
}

impl Server {
    /// Starts one on a fresh data directory.
    pub(crate) fn start() -> Self {
        let scratch = TempDir::new().unwrap();
        let mut server = Self::start_on(&scratch.path().join("data"), &[]);
        server._scratch = Some(scratch);
        server
    }

    /// Starts one on this data directory with more arguments.
    pub(crate) fn start_on(data: &Path, arguments: &[&str]) -> Self {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_naru"))
            .env_clear()
            .env("NARU_BLOBSTORE__ALLOW_UNSAFE_FILESYSTEM", "true")
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = lines_of(child.stderr.take().unwrap());
        let mut server = Self {
            child,
            lines,
            said: Vec::new(),
            url: String::new(),
            data: data.to_owned(),
            _scratch: None,
        };
        server.url = server.wait_for("listening on ");
        server
    }

    /// Waits for a line with this text, and returns the word after it.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("the server never said `{text}`, but: {:#?}", self.said);
            };
            self.said.push(line.clone());
            if let Some((_, after)) = line.split_once(text) {
                let end = after.find(['"', ' ']).unwrap_or(after.len());
                return after.get(..end).unwrap_or(after).to_owned();
            }
        }
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// A command beside this server.
    pub(crate) fn naru(&self) -> Command {
        naru_on(&self.data)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits until it has ended, and returns its exit status.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said.push(line);
        }
        self.child.wait().unwrap().code()
    }

    /// Stops it as an operator would.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.signal(rustix::process::Signal::TERM);
        assert_eq!(self.wait(), Some(0), "{:#?}", self.said);
        std::mem::take(&mut self.said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a stream as they come; the reader ends with the stream.
fn lines_of(stream: ChildStderr) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
