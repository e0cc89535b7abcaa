//! Listening sockets.

use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A socket that clients connect to.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connection, not yet spoken to.
#[derive(Debug)]
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

/// A socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    address: String,
    source: io::Error,
}

impl Listener {
    /// Listens on a TCP address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is in use, is not this machine's, or needs privileges.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let listener = TcpListener::bind(address).await;
        listener
            .map(|it| Self(Kind::Tcp(it)))
            .map_err(|source| failed(address, source))
    }

    /// Listens on a Unix socket that its owner and group may connect to. A socket that an earlier
    /// process left behind is replaced; any other file is not.
    ///
    /// # Errors
    /// When the path is taken or cannot be written.
    pub fn bind_unix(path: &Path) -> Result<Self, ListenError> {
        let bound = remove_dead_socket(path).and_then(|()| {
            let listener = UnixListener::bind(path)?;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
            Ok(listener)
        });
        bound
            .map(|it| Self(Kind::Unix(it)))
            .map_err(|source| failed(path.display(), source))
    }

    /// Takes the socket that the service manager opened as file descriptor `number`; the first is
    /// 3, and `LISTEN_FDS` says how many there are (`sd_listen_fds(3)`).
    ///
    /// # Errors
    /// When that descriptor is not a listening socket.
    pub fn inherited(number: RawFd) -> Result<Self, ListenError> {
        let listener = naru_handoff::inherited_socket(number).and_then(|socket| {
            let tcp = std::net::TcpListener::from(socket.try_clone()?);
            // Only an IP socket has an address of that form.
            if tcp.local_addr().is_ok() {
                tcp.set_nonblocking(true)?;
                return TcpListener::from_std(tcp).map(Kind::Tcp);
            }
            let unix = std::os::unix::net::UnixListener::from(socket);
            unix.set_nonblocking(true)?;
            UnixListener::from_std(unix).map(Kind::Unix)
        });
        listener
            .map(Self)
            .map_err(|source| failed(format!("file descriptor {number}"), source))
    }

    /// The address, with the port that was chosen; `None` for a Unix socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Tcp(listener) => listener.local_addr().ok(),
            Kind::Unix(_) => None,
        }
    }

    /// The next connection, however long it takes. Errors are waited out: the usual one is that
    /// the process has no file descriptor left, which only time and closing connections can mend.
    pub(super) async fn accept(&self) -> Accepted {
        let mut pause = Duration::from_millis(10);
        loop {
            match self.try_accept().await {
                Ok(accepted) => return accepted,
                Err(error) if concerns_one_client(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        }
    }

    async fn try_accept(&self) -> io::Result<Accepted> {
        match &self.0 {
            Kind::Tcp(listener) => listener
                .accept()
                .await
                .map(|(stream, peer)| Accepted::Tcp(stream, peer)),
            Kind::Unix(listener) => listener.accept().await.map(|(it, _)| Accepted::Unix(it)),
        }
    }
}

fn failed(address: impl ToString, source: io::Error) -> ListenError {
    ListenError {
        address: address.to_string(),
        source,
    }
}

fn concerns_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// A socket file outlives its process. It is dead when nobody answers.
fn remove_dead_socket(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(file) if file.file_type().is_socket() => {
            match std::os::unix::net::UnixStream::connect(path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path)
                }
                Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
                Err(error) => Err(error),
            }
        }
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
