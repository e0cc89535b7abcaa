//! What a server asks of the system once, when it starts.

use std::io;
use std::os::fd::{OwnedFd, RawFd};

use rustix::net::sockopt;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, Resource, Rlimit};

/// Raises the number of files and sockets that this process may have open to the most that the
/// system allows it, and returns that number; `None` stands for no limit. Service managers start
/// processes with 1024, for the sake of programs that use `select`, and expect servers to do this.
///
/// # Errors
/// When the system refuses.
pub fn raise_open_file_limit() -> io::Result<Option<u64>> {
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    rustix::process::setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )?;
    Ok(maximum)
}

/// A handle of our own for the listening socket that the service manager left open as file
/// descriptor `number` (the first is 3; see `sd_listen_fds(3)`).
///
/// The handle is a duplicate, so a wrong number cannot take a descriptor away from another part of
/// this program. The original stays open, as it also stays open in the service manager: connections
/// that come while we stop are kept for our successor.
///
/// # Errors
/// When there is no such descriptor, when it is not a listening stream socket, or when the kernel
/// is older than Linux 5.6.
pub fn inherited_socket(number: RawFd) -> io::Result<OwnedFd> {
    let this_process = rustix::process::getpid();
    let process = rustix::process::pidfd_open(this_process, PidfdFlags::empty())?;
    let socket = rustix::process::pidfd_getfd(process, number, PidfdGetfdFlags::empty())?;
    if sockopt::socket_acceptconn(&socket)? {
        Ok(socket)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("file descriptor {number} is not a listening socket"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    #[test]
    fn an_inherited_listener_accepts() {
        let original = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let inherited = TcpListener::from(inherited_socket(original.as_raw_fd()).unwrap());
        let client = TcpStream::connect(original.local_addr().unwrap()).unwrap();
        let (_, peer) = inherited.accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    }

    #[test]
    fn as_many_files_may_be_open_as_the_system_allows() {
        let most = raise_open_file_limit().unwrap();
        assert_eq!(rustix::process::getrlimit(Resource::Nofile).current, most);
    }

    #[test]
    fn what_does_not_listen_is_refused() {
        let file = tempfile::tempfile().unwrap();
        assert!(inherited_socket(file.as_raw_fd()).is_err());
        assert!(inherited_socket(999_999).is_err());
    }
}
