//! The registries under measurement, each in a directory of its own on a free loopback port.
//!
//! - [`naru`] starts Naru as a new user would, and makes an account with a token.
//! - [`distribution`] starts distribution v3, tuned as well as it can be.

mod distribution;
mod naru;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

pub(crate) use naru::{Account, SETTINGS, USER, token_in};

/// How long a server may take to answer.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a server may take to end after SIGTERM.
const ENDED_WITHIN: Duration = Duration::from_secs(20);
/// How often it is tried whether a server answers yet: the precision of start-up times.
const TRY: Duration = Duration::from_micros(250);

/// A registry that can be started.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    /// Naru, with its token authentication.
    Naru(PathBuf),
    /// distribution v3, without authentication.
    Distribution(PathBuf),
}

/// A registry that runs. Dropping it ends the process and removes its directory.
pub(crate) struct Server {
    program: Program,
    directory: tempfile::TempDir,
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From the start of the process to its first answer.
    pub(crate) started_in: Duration,
    account: Option<Account>,
}

impl Program {
    /// What the tables call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Naru(_) => "Naru",
            Self::Distribution(_) => "distribution v3",
        }
    }

    /// Starts it with an empty store below `parent`.
    ///
    /// # Errors
    /// It ends at once, does not answer, or its account cannot be made.
    pub(crate) fn start(&self, parent: &Path) -> Result<Server> {
        self.start_with(parent, |_| Ok(()))
    }

    /// The same, after `prepare` has put into its directory what it is to find there.
    ///
    /// # Errors
    /// Those of `prepare`, and as for [`Program::start`].
    pub(crate) fn start_with(
        &self,
        parent: &Path,
        prepare: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Server> {
        let directory = tempfile::Builder::new()
            .prefix("naru-bench-")
            .tempdir_in(parent)?;
        prepare(directory.path())?;
        let address = free_address()?;
        let (child, started_in) = self.spawn(directory.path(), address)?;
        let mut server = Server {
            program: self.clone(),
            directory,
            child,
            address,
            started_in,
            account: None,
        };
        if let Self::Naru(binary) = self {
            server.account = Some(Account::create(binary, server.directory.path(), address)?);
        }
        Ok(server)
    }

    /// Starts the process and waits for its first answer.
    fn spawn(&self, directory: &Path, address: SocketAddr) -> Result<(Child, Duration)> {
        let mut command = match self {
            Self::Naru(binary) => naru::command(binary, directory, address),
            Self::Distribution(binary) => distribution::command(binary, directory, address)?,
        };
        let log = File::options()
            .create(true)
            .append(true)
            .open(directory.join("log"))?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let begun = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {}", self.name()))?;
        match wait_for_answer(&mut child, address, begun) {
            Ok(took) => Ok((child, took)),
            Err(error) => {
                end(&mut child);
                let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
                Err(error).with_context(|| format!("{} said:\n{log}", self.name()))
            }
        }
    }
}

impl Server {
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The account, where there are accounts.
    pub(crate) fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// The header line that allows these scopes, such as `repository:a/b:pull`; empty where the
    /// server asks for none.
    ///
    /// # Errors
    /// The token endpoint refuses.
    pub(crate) fn authorization(&self, scopes: &[&str]) -> Result<String> {
        match &self.account {
            None => Ok(String::new()),
            Some(account) => account.authorization(self.address, scopes),
        }
    }

    /// Makes a user.
    ///
    /// # Errors
    /// The program is not Naru, or refuses.
    pub(crate) fn create_user(&self, login: &str) -> Result<()> {
        naru::create_user(self.naru()?, self.directory.path(), login)
    }

    /// The header line with a new personal access token.
    ///
    /// # Errors
    /// The program is not Naru, or refuses.
    pub(crate) fn personal_token(&self, login: &str, scopes: &[&str]) -> Result<String> {
        let token = naru::create_token(self.naru()?, self.directory.path(), login, scopes)?;
        Ok(format!("Authorization: Bearer {token}\r\n"))
    }

    fn naru(&self) -> Result<&Path> {
        match &self.program {
            Program::Naru(binary) => Ok(binary),
            Program::Distribution(_) => bail!("only Naru has accounts"),
        }
    }

    /// The last line of its log.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        log.lines().last().unwrap_or("nothing").to_owned()
    }

    /// Ends the process and starts it again on the same data.
    ///
    /// # Errors
    /// As for [`Program::start`].
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.restart_after(|_| Ok(()))
    }

    /// Ends the process, does something with its directory, and starts it again.
    ///
    /// # Errors
    /// Those of `work`, and as for [`Program::start`].
    pub(crate) fn restart_after(&mut self, work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        end(&mut self.child);
        work(self.directory.path())?;
        let (child, started_in) = self.program.spawn(self.directory.path(), self.address)?;
        self.child = child;
        self.started_in = started_in;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Asks a process to end, and makes it where it does not listen.
fn end(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // A process that has ended by itself is what is wanted.
        let _ = kill_process(pid, Signal::TERM);
    }
    let until = Instant::now() + ENDED_WITHIN;
    while Instant::now() < until {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// A loopback port that nobody uses.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}

/// Waits until the server answers `GET /v2/`, with 200 or 401.
fn wait_for_answer(child: &mut Child, address: SocketAddr, begun: Instant) -> Result<Duration> {
    while begun.elapsed() < READY_WITHIN {
        if let Some(status) = child.try_wait()? {
            bail!("the server ended: {status}");
        }
        if let Ok(mut socket) = TcpStream::connect(address) {
            let took = first_answer(&mut socket)?;
            return Ok(took.duration_since(begun));
        }
        std::thread::sleep(TRY);
    }
    bail!("no answer within {} s", READY_WITHIN.as_secs())
}

/// The moment of the first byte of an answer.
fn first_answer(socket: &mut TcpStream) -> Result<Instant> {
    socket.set_read_timeout(Some(READY_WITHIN))?;
    socket.write_all(b"GET /v2/ HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n")?;
    let mut start = [0; 12];
    socket.read_exact(&mut start)?;
    let now = Instant::now();
    ensure!(
        [b"HTTP/1.1 200", b"HTTP/1.1 401"].contains(&&start),
        "the first answer is {}",
        String::from_utf8_lossy(&start)
    );
    Ok(now)
}

/// Runs a command to its end with `input`; what it wrote to standard output.
fn output_of(mut command: Command, input: &str) -> Result<String> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    child
        .stdin
        .take()
        .context("a pipe")?
        .write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}
