//! A PostgreSQL cluster of one's own in a temporary directory, and a fresh database for each test.
//!
//! The cluster is the one that `NARU_TEST_POSTGRES_URL` names, or one that this process starts at
//! the first use and that ends with it. Nothing in it is durable, for speed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::process::{Keep, Process, free_port, scratch};
use super::{absent, environment};

/// A server with many databases.
#[derive(Debug)]
pub struct Cluster {
    /// `postgres://naru@127.0.0.1:PORT`, without the name of a database.
    base: String,
    programs: PathBuf,
    // In this order: the server ends before its directory goes.
    server: Option<Process>,
    settings: &'static [&'static str],
    directory: Option<TempDir>,
}

/// A database that goes with the value.
#[derive(Debug)]
pub struct Database {
    cluster: &'static Cluster,
    name: String,
}

/// The cluster of this process or of this run; `None`, said loudly, where the machine has no
/// PostgreSQL.
///
/// # Panics
/// When PostgreSQL is there and does not start.
#[must_use]
#[expect(
    clippy::panic,
    reason = "a server that does not start fails the test, with its last words"
)]
pub fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| {
        let programs = programs()?;
        Some(match environment("NARU_TEST_POSTGRES_URL") {
            Some(url) => Cluster::at(&url, programs),
            None => Cluster::start(programs)
                .unwrap_or_else(|error| panic!("PostgreSQL does not start: {error}")),
        })
    });
    if cluster.is_none() {
        absent::say("there is no PostgreSQL server (Debian package `postgresql`)");
    }
    cluster.as_ref()
}

/// A fresh, empty database; `None`, said loudly, where the machine has no PostgreSQL.
///
/// # Panics
/// When PostgreSQL is there and does not do it.
#[must_use]
pub fn database() -> Option<Database> {
    cluster().map(Cluster::database)
}

impl Cluster {
    /// A cluster of the test's own, to be stopped and killed, which keeps what it acknowledged; `None`, said loudly, where the
    /// machine has no PostgreSQL.
    ///
    /// # Panics
    /// When PostgreSQL is there and does not start.
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "a server that does not start fails the test, with its last words"
    )]
    pub fn own() -> Option<Self> {
        let Some(programs) = programs() else {
            absent::say("there is no PostgreSQL server (Debian package `postgresql`)");
            return None;
        };
        let started = Self::start_with(programs, DURABLE);
        Some(started.unwrap_or_else(|error| panic!("PostgreSQL does not start: {error}")))
    }

    /// Starts a cluster that belongs to the value.
    ///
    /// # Errors
    /// With the words of `initdb` or of the server.
    pub fn start(programs: PathBuf) -> io::Result<Self> {
        Self::start_with(programs, QUICK)
    }

    fn start_with(programs: PathBuf, settings: &'static [&'static str]) -> io::Result<Self> {
        let (directory, log) = scratch("naru-postgres-")?;
        give_to_postgres(directory.path())?;
        let data = directory.path().join("data");
        let mut initdb = as_postgres(&programs.join("initdb"));
        initdb.args([
            "-U",
            "naru",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        run(initdb.arg("-D").arg(&data))?;
        // Another program may take the port between asking for it and using it.
        for _ in 0..3 {
            let port = free_port()?;
            let command = Self::command(&programs, directory.path(), port, settings);
            let server = Self::serve(&programs, &command, directory.path(), &log, port);
            if let Ok(server) = server {
                let base = format!("postgres://naru@127.0.0.1:{port}");
                return Ok(Self {
                    base,
                    programs,
                    server: Some(server),
                    settings,
                    directory: Some(directory),
                });
            }
        }
        Err(io::Error::other(std::fs::read_to_string(&log)?))
    }

    /// The server in this directory, at this port.
    fn command(programs: &Path, directory: &Path, port: u16, settings: &[&str]) -> Command {
        let mut command = as_postgres(&programs.join("postgres"));
        command
            .current_dir(directory)
            .arg("-D")
            .arg(directory.join("data"));
        command.args(["-p", &port.to_string(), "-k"]).arg(directory);
        for setting in settings {
            command.args(["-c", setting]);
        }
        command
    }

    fn serve(
        programs: &Path,
        command: &Command,
        directory: &Path,
        log: &Path,
        port: u16,
    ) -> io::Result<Process> {
        let keep = Keep {
            log,
            signal: "QUIT",
            scratch: Some(directory),
        };
        let mut server = Process::start(command, &keep)?;
        let accepts = |_: &Process| {
            let mut probe = Command::new(programs.join("pg_isready"));
            probe.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            probe
                .status()
                .ok()
                .filter(std::process::ExitStatus::success)
        };
        server.until(Duration::from_secs(30), accepts)?;
        Ok(server)
    }

    /// The cluster behind the address of one of its databases.
    fn at(url: &str, programs: PathBuf) -> Self {
        let scheme_end = url.find("://").map_or(0, |at| at + 3);
        let (scheme, rest) = url.split_at(scheme_end);
        let host = rest.split('/').next().unwrap_or(rest);
        Self {
            base: format!("{scheme}{host}"),
            programs,
            server: None,
            settings: QUICK,
            directory: None,
        }
    }

    /// The address of a database of this cluster, by name.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    /// Stops every process of the server where it stands, as a machine that hangs would.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Ends every process of the server at once, as a machine that fails would.
    pub fn kill(&mut self) {
        self.signal("KILL");
        if let Some(server) = &mut self.server {
            server.kill();
        }
    }

    /// Starts a killed server again, on the same port and data.
    ///
    /// # Errors
    /// With its last words when it does not start.
    pub fn restart(&mut self) -> io::Result<()> {
        let not_ours = || io::Error::other("the server is not this process's own");
        let directory = self.directory.as_ref().ok_or_else(not_ours)?.path();
        let port = self
            .base
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok());
        let port = port.ok_or_else(not_ours)?;
        let command = Self::command(&self.programs, directory, port, self.settings);
        let log = directory.join("log");
        let server = Self::serve(&self.programs, &command, directory, &log, port)?;
        self.server = Some(server);
        Ok(())
    }

    /// Every connection has a process of its own, a child of the one that was started.
    fn signal(&self, name: &str) {
        let Some(server) = &self.server else { return };
        let server = server.id().to_string();
        let children = Command::new("pgrep").args(["-P", &server]).output();
        let children = children.map(|listed| listed.stdout).unwrap_or_default();
        let children = String::from_utf8_lossy(&children).into_owned();
        let mut kill = Command::new("kill");
        kill.args(["-s", name, &server])
            .args(children.split_whitespace());
        // One that ended in between is no matter.
        let _ = kill.stderr(Stdio::null()).status();
    }

    /// A fresh, empty database.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn database(&'static self) -> Database {
        self.database_like("template0")
    }

    #[expect(
        clippy::panic,
        reason = "a server that refuses fails the test, with its words"
    )]
    fn database_like(&'static self, template: &str) -> Database {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Several test processes share the cluster of a run.
        let name = format!("naru_{}_{number}", std::process::id());
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))
            .unwrap_or_else(|error| panic!("{error}"));
        Database {
            cluster: self,
            name,
        }
    }

    fn execute(&self, sql: &str) -> io::Result<()> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args([
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            sql,
            &self.url("postgres"),
        ]);
        run(&mut psql)
    }
}

impl Database {
    /// `postgres://naru@127.0.0.1:PORT/NAME`.
    #[must_use]
    pub fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    /// A fresh database with everything that is in this one. Nobody may be connected to this one.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn copy(&self) -> Database {
        self.cluster.database_like(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The cluster may be gone already; it takes its databases with it.
        let _ = self
            .cluster
            .execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// What is acknowledged survives the end of the server.
const DURABLE: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "shared_buffers=64MB",
    "log_min_messages=warning",
];

/// Speed for durability, which no test of this cluster is about.
const QUICK: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "max_connections=400",
    "shared_buffers=64MB",
    "log_min_messages=warning",
];

/// The newest PostgreSQL of the machine: Debian keeps each version in a directory of its own.
fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let versioned = debian.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    let newest = versioned
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .max();
    let in_path = || {
        absent::find_program("initdb")?
            .parent()
            .map(Path::to_path_buf)
    };
    newest.map(|(_, bin)| bin).or_else(in_path)
}

/// PostgreSQL refuses to run as root; there it runs as the user that its package made.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid=postgres",
            "--regid=postgres",
            "--init-groups",
            "--",
        ])
        .arg(program);
    command
}

fn give_to_postgres(directory: &Path) -> io::Result<()> {
    if is_root() {
        run(Command::new("chown")
            .arg("postgres:postgres")
            .arg(directory))
    } else {
        Ok(())
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Runs a short program to its end; its words become the error.
fn run(command: &mut Command) -> io::Result<()> {
    let output = command.current_dir("/").stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!(
        "{:?}: {words}",
        command.get_program()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(database: &Database, sql: &str) -> String {
        let psql = Command::new(programs().unwrap().join("psql"))
            .args(["-X", "-A", "-t", "-c", sql, &database.url()])
            .output()
            .unwrap();
        String::from_utf8(psql.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn a_copy_holds_what_the_template_holds_and_then_goes_its_own_way() {
        let Some(template) = database() else { return };
        query(&template, "CREATE TABLE ships (name text)");
        let first = template.copy();
        let second = template.copy();
        query(&first, "INSERT INTO ships VALUES ('Naru')");
        assert_eq!(query(&first, "SELECT count(*) FROM ships"), "1");
        assert_eq!(query(&second, "SELECT count(*) FROM ships"), "0");
    }

    #[test]
    fn a_cluster_is_known_by_the_address_of_any_of_its_databases() {
        let cluster = Cluster::at("postgres://naru@127.0.0.1:5432/postgres", PathBuf::new());
        assert_eq!(cluster.url("one"), "postgres://naru@127.0.0.1:5432/one");
    }
}
