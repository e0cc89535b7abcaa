//! An S3 server, and a fresh bucket for each test.
//!
//! The server is the one that `NARU_TEST_S3_URL` names, or a `moto_server` that this process starts
//! at the first use and that ends with it. `cargo xtask install` brings it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::process::{Keep, Process, scratch};
use super::{absent, environment};

/// A server with many buckets.
#[derive(Debug)]
pub struct Server {
    address: String,
    // In this order: the server ends before its directory goes.
    _process: Option<Process>,
    _directory: Option<TempDir>,
}

/// A bucket, and all that a client needs to use it.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// `http://127.0.0.1:PORT`; buckets are the first part of the path.
    pub endpoint: String,
    /// The name of the bucket.
    pub name: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The public half of the key.
    pub access_key_id: String,
    /// The secret half. The server takes any.
    pub secret_access_key: String,
}

/// A fresh, empty bucket; `None`, said loudly, where there is no S3 server to be had.
///
/// # Panics
/// When the server is there and does not start or does not make the bucket.
#[must_use]
#[expect(
    clippy::panic,
    reason = "a server that refuses fails the test, with its words"
)]
pub fn bucket() -> Option<Bucket> {
    let server = server()?;
    Some(
        server
            .bucket()
            .unwrap_or_else(|error| panic!("make a bucket: {error}")),
    )
}

/// The server of this process or of this run; `None`, said loudly, where there is none to be had.
///
/// # Panics
/// When the server is there and does not start.
#[must_use]
#[expect(
    clippy::panic,
    reason = "a server that does not start fails the test, with its last words"
)]
pub fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        if let Some(url) = environment("NARU_TEST_S3_URL") {
            return Some(Server::at(&url));
        }
        let program = moto_server()?;
        Some(Server::start(&program).unwrap_or_else(|error| panic!("moto_server: {error}")))
    });
    if server.is_none() {
        absent::say("there is no moto_server (`cargo xtask install` brings it)");
    }
    server.as_ref()
}

fn moto_server() -> Option<PathBuf> {
    let told = environment("NARU_TEST_MOTO_SERVER").map(PathBuf::from);
    let cached = || Some(absent::cache_directory()?.join("python/bin/moto_server"));
    told.or_else(cached)
        .filter(|program| program.is_file())
        .or_else(|| absent::find_program("moto_server"))
}

impl Server {
    /// Starts a server that belongs to the value and forgets everything when it goes.
    ///
    /// # Errors
    /// With its last words when it does not start.
    pub fn start(program: &std::path::Path) -> io::Result<Self> {
        let (directory, log) = scratch("naru-s3-")?;
        let mut command = Command::new(program);
        // Port 0: it takes a free one itself and says which.
        command
            .args(["-H", "127.0.0.1", "-p", "0"])
            .env("TMPDIR", directory.path());
        command.env("PYTHONUNBUFFERED", "1");
        let keep = Keep {
            log: &log,
            signal: "TERM",
            scratch: Some(directory.path()),
        };
        let mut process = Process::start(&command, &keep)?;
        let address = process.until(Duration::from_secs(60), |process| {
            let output = process.output();
            let (_, rest) = output.split_once("Running on http://")?;
            rest.split_whitespace().next().map(str::to_owned)
        })?;
        Ok(Self {
            address,
            _process: Some(process),
            _directory: Some(directory),
        })
    }

    fn at(url: &str) -> Self {
        let address = url
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        Self {
            address,
            _process: None,
            _directory: None,
        }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a fresh bucket.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn bucket(&self) -> io::Result<Bucket> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Several test processes share the server of a run.
        let name = format!("naru-{}-{number}", std::process::id());
        self.put_bucket(&name)?;
        Ok(Bucket {
            endpoint: self.url(),
            name,
            region: "us-east-1".to_owned(),
            access_key_id: "naru".to_owned(),
            secret_access_key: "a-secret-that-the-server-does-not-check".to_owned(),
        })
    }

    /// One request by hand: the lowest rooms have no HTTP client in their tests.
    fn put_bucket(&self, name: &str) -> io::Result<()> {
        let mut connection = TcpStream::connect(&self.address)?;
        connection.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(
            connection,
            "PUT /{name} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.address
        )?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let status = answer.lines().next().unwrap_or_default();
        if status.contains(" 200 ") {
            Ok(())
        } else {
            Err(io::Error::other(answer))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_buckets_of_one_server_have_two_names() {
        let (Some(first), Some(second)) = (bucket(), bucket()) else {
            return;
        };
        assert_eq!(first.endpoint, second.endpoint);
        assert_ne!(first.name, second.name);
    }
}
