//! The running `naru` binary, as clients and administrators meet it.
//!
//! The test gives the path of the binary (`env!("CARGO_BIN_EXE_naru")`) and gets a server on a free
//! port, on the database and blob store that the run is about ([`Grade::from_environment`]), with
//! the command line beside it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::services::grade::{Blobstore, Database, Grade};
use crate::services::postgres;
use crate::services::process::{Keep, Process, scratch};
use crate::services::s3;

/// How long a start may take on a machine that is busy with tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a server is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The path of the binary.
    pub binary: PathBuf,
    /// Where it keeps rows and bytes.
    pub grade: Grade,
    /// Whether it speaks TLS, with an authority of its own.
    pub tls: bool,
    /// Settings over all others, as the environment has them (`NARU_SECTION__KEY`).
    pub settings: Vec<(String, String)>,
    /// A file for what the server says, instead of one that goes with it.
    pub log: Option<PathBuf>,
    /// A command that runs the server, such as `["prlimit", "--nofile=64"]`.
    pub wrapper: Vec<String>,
}

impl Plan {
    /// Plain HTTP, on the grade that the run is about.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            grade: Grade::from_environment(),
            tls: false,
            settings: Vec::new(),
            log: None,
            wrapper: Vec::new(),
        }
    }

    /// The same over TLS.
    #[must_use]
    pub fn with_tls(self) -> Self {
        Self { tls: true, ..self }
    }

    /// The same on another grade.
    #[must_use]
    pub fn on(self, grade: Grade) -> Self {
        Self { grade, ..self }
    }

    /// The same with a setting, `NARU_SECTION__KEY` and its value.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with what the server says kept in a file, which begins anew.
    #[must_use]
    pub fn logging_to(self, path: impl Into<PathBuf>) -> Self {
        Self {
            log: Some(path.into()),
            ..self
        }
    }

    /// The same with the server run by another command.
    #[must_use]
    pub fn under<const N: usize>(self, wrapper: [&str; N]) -> Self {
        Self {
            wrapper: wrapper.map(str::to_owned).to_vec(),
            ..self
        }
    }
}

/// A running server with a data directory of its own.
#[derive(Debug)]
pub struct Server {
    plan: Plan,
    url: String,
    first_words: String,
    certificates: Option<Certificates>,
    // In this order: the server ends before what it stands on goes.
    process: Mutex<Process>,
    database: Option<postgres::Database>,
    directory: TempDir,
}

/// Somebody with an account and a token.
#[derive(Clone, Debug)]
pub struct User {
    /// The account's name.
    pub name: String,
    /// The account's password, which signs in to pages and to nothing else.
    pub password: String,
    /// A personal access token that may write and delete packages.
    pub token: String,
}

impl Server {
    /// Starts a server on a fresh data directory; `None`, said loudly, where the machine lacks the
    /// database or the object store of the grade.
    ///
    /// # Panics
    /// When the server does not start.
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "a server that does not start fails the test, with its last words"
    )]
    pub fn start(plan: Plan) -> Option<Self> {
        let database = match plan.grade.database {
            Database::Sqlite => None,
            Database::Postgres => Some(postgres::database()?),
        };
        let bucket = match plan.grade.blobstore {
            Blobstore::Directory => None,
            Blobstore::S3 => Some(s3::bucket()?),
        };
        let started = Self::launch(plan, database, bucket);
        Some(started.unwrap_or_else(|error| panic!("naru does not start: {error}")))
    }

    fn launch(
        plan: Plan,
        database: Option<postgres::Database>,
        bucket: Option<s3::Bucket>,
    ) -> io::Result<Self> {
        let (directory, log) = scratch("naru-server-")?;
        let log = plan.log.clone().unwrap_or(log);
        std::fs::write(&log, "")?;
        let certificates = if plan.tls {
            Some(Certificates::make(directory.path())?)
        } else {
            None
        };
        let mut settings = configuration(certificates.as_ref(), database.as_ref(), bucket.as_ref());
        if database.is_some() {
            // Several servers could share a PostgreSQL, so Naru makes no key for it by itself.
            let key = directory.path().join("master.key");
            write_private(&key, &"5eed".repeat(16))?;
            settings.push_str(&format!("[secrets]\nmaster_key_file = {key:?}\n"));
        }
        write_private(&directory.path().join("naru.toml"), &settings)?;
        let mut process = serve(&plan, directory.path(), &log, "127.0.0.1:0")?;
        let url = wait_until_it_listens(&mut process)?;
        let first_words = process.output();
        Ok(Self {
            plan,
            url,
            first_words,
            certificates,
            process: Mutex::new(process),
            database,
            directory,
        })
    }

    /// `http://127.0.0.1:PORT`, or `https`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:PORT`: what stands before a repository name.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url
            .split_once("://")
            .map_or(&self.url, |(_, host)| host)
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.certificates.is_some()
    }

    /// The file with the authority that clients must trust.
    #[must_use]
    pub fn authority(&self) -> Option<&Path> {
        self.certificates
            .as_ref()
            .map(|files| files.authority.as_path())
    }

    /// What it said before it was ready, on its first start.
    #[must_use]
    pub fn first_words(&self) -> &str {
        &self.first_words
    }

    /// Everything it has said since its last start.
    #[must_use]
    pub fn log(&self) -> String {
        self.process().output()
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process().id()
    }

    /// Sends a signal by name, such as `HUP`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        self.process().signal(name);
    }

    /// Ends the server at once, as a power cut would.
    pub fn kill(&self) {
        self.process().kill();
    }

    /// Asks the server to end, as a service manager would, and waits at most `patience`.
    /// Answers the status of a server that ended by itself.
    pub fn stop(&self, patience: Duration) -> Option<ExitStatus> {
        self.process().stop(patience)
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The administrator of the first start, with the token that was shown then, good for an hour.
    ///
    /// # Panics
    /// When none was shown.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a first start without words fails the test"
    )]
    pub fn administrator(&self) -> User {
        let token = self
            .first_words
            .split_whitespace()
            .find(|word| word.starts_with("ghp_"))
            .expect("the first start shows a token");
        User {
            name: "admin".to_owned(),
            password: String::new(),
            token: token.to_owned(),
        }
    }

    /// Starts the ended server again, on the same port and data, and waits until it listens.
    ///
    /// # Panics
    /// When it does not start.
    #[expect(
        clippy::panic,
        reason = "a server that does not start fails the test, with its last words"
    )]
    pub fn restart(&self) {
        let log = self
            .plan
            .log
            .clone()
            .unwrap_or_else(|| self.directory.path().join("log"));
        // Out of the way of the words of the new start, and kept for the one who looks.
        let _ = std::fs::rename(&log, log.with_extension("before"));
        let again = serve(&self.plan, self.directory.path(), &log, self.host())
            .and_then(|mut process| wait_until_it_listens(&mut process).map(|_| process));
        *self.process() =
            again.unwrap_or_else(|error| panic!("naru does not start again: {error}"));
    }

    /// The command line on this server's data, beside the server.
    #[must_use]
    pub fn command(&self) -> Command {
        naru(&self.plan, self.directory.path())
    }

    /// Runs the command line and returns its standard output, trimmed.
    ///
    /// # Panics
    /// When the command fails; with what it said.
    pub fn naru<const N: usize>(&self, arguments: [&str; N]) -> String {
        self.naru_told("", arguments)
    }

    /// The same with something to read on standard input.
    ///
    /// # Panics
    /// When the command fails; with what it said.
    #[expect(
        clippy::panic,
        reason = "a command that fails fails the test, with its words"
    )]
    pub fn naru_told<const N: usize>(&self, input: &str, arguments: [&str; N]) -> String {
        let mut command = self.command();
        command.args(arguments);
        run(&mut command, input)
            .unwrap_or_else(|error| panic!("naru {}: {error}", arguments.join(" ")))
    }

    /// Makes an account, and a token that may write and delete packages.
    ///
    /// # Panics
    /// When the name is taken.
    pub fn user(&self, name: &str) -> User {
        let password = format!("correct horse battery {name}");
        self.naru_told(&password, ["user", "create", name, "--password-stdin"]);
        let token = self.token(name, "write:packages,delete:packages", "1d");
        User {
            name: name.to_owned(),
            password,
            token,
        }
    }

    /// Makes a token with these scopes, separated by commas, that works so long.
    ///
    /// # Panics
    /// When there is no such user or scope.
    pub fn token(&self, user: &str, scopes: &str, expires: &str) -> String {
        self.naru([
            "token",
            "create",
            user,
            "--scope",
            scopes,
            "--expires",
            expires,
        ])
    }

    /// The address of the server's own PostgreSQL database, on that grade.
    #[must_use]
    pub fn database_url(&self) -> Option<String> {
        self.database.as_ref().map(postgres::Database::url)
    }
}

/// Waits for the line that says where it listens.
fn wait_until_it_listens(process: &mut Process) -> io::Result<String> {
    process.until(PATIENCE, |process| {
        let output = process.output();
        let (_, rest) = output.split_once("listening on ")?;
        // The line must be whole before the port is.
        let (url, _) = rest.split_once(['"', '\n'])?;
        Some(url.trim().to_owned())
    })
}

fn serve(plan: &Plan, directory: &Path, log: &Path, address: &str) -> io::Result<Process> {
    let mut command = naru(plan, directory);
    command.args(["serve", "--listen", address]);
    if let Some((program, arguments)) = plan.wrapper.split_first() {
        let mut wrapped = Command::new(program);
        wrapped
            .args(arguments)
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                wrapped.env(name, value);
            }
        }
        command = wrapped;
    }
    Process::start(
        &command,
        &Keep {
            log,
            signal: "TERM",
            scratch: Some(directory),
        },
    )
}

/// The binary with the flags and settings that lead to this data.
fn naru(plan: &Plan, directory: &Path) -> Command {
    let mut command = Command::new(&plan.binary);
    command.arg("--data").arg(directory.join("data"));
    command.arg("--config").arg(directory.join("naru.toml"));
    // Without the mark of a terminal logs are JSON, and the first start's words would be escaped.
    command
        .env("NARU_LOG__FORMAT", "human")
        .env("NO_COLOR", "1");
    command.envs(plan.settings.iter().map(|(name, value)| (name, value)));
    command
}

/// The settings that the grade and TLS need, as the configuration file has them.
fn configuration(
    certificates: Option<&Certificates>,
    database: Option<&postgres::Database>,
    bucket: Option<&s3::Bucket>,
) -> String {
    // Where temporary files are kept may forget them; no test is about power cuts.
    let mut toml = "[blobstore]\nallow_unsafe_filesystem = true\n".to_owned();
    let mut line = |text: std::fmt::Arguments<'_>| {
        // Writing to a string does not fail.
        let _ = writeln!(toml, "{text}");
    };
    if let Some(bucket) = bucket {
        line(format_args!("backend = \"s3\""));
        line(format_args!("bucket = \"{}\"", bucket.name));
        line(format_args!("region = \"{}\"", bucket.region));
        line(format_args!("endpoint = \"{}\"", bucket.endpoint));
        line(format_args!("access_key_id = \"{}\"", bucket.access_key_id));
        line(format_args!(
            "secret_access_key = \"{}\"",
            bucket.secret_access_key
        ));
    }
    if let Some(database) = database {
        line(format_args!(
            "[database]\nurl = \"{}\"\nallow_data_loss = true",
            database.url()
        ));
        line(format_args!("connections = 8"));
    }
    if let Some(Certificates {
        certificate, key, ..
    }) = certificates
    {
        let (certificate, key) = (certificate.display(), key.display());
        line(format_args!("[tls]"));
        line(format_args!(
            "certificates = [{{ certificate = \"{certificate}\", key = \"{key}\" }}]"
        ));
    }
    toml
}

/// A file that is readable by its owner alone, since it may hold secrets.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}

/// Runs a command to its end with `input`; its words become the error.
fn run(command: &mut Command, input: &str) -> io::Result<String> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that reads nothing may be gone already.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{}: {words}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
