//! A TCP stream for hyper that has the kernel send mapped files.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use rustix::net::{SendAncillaryBuffer, SendFlags, sockopt};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::file::{ended_early, fetch_ahead, is_cached, wait_for};
use crate::mapping::{Handoff, Piece};

/// The most that one `sendfile` call may send, in bytes: other connections of the same thread wait
/// that long.
const SEND_AT_ONCE: usize = 2 << 20;

/// How much of a cold file is fetched from the disk at a time, in bytes; as much again is under way
/// meanwhile.
const FETCH_AT_ONCE: u64 = 8 << 20;

/// How much may wait in the socket of a connection within the machine, in bytes; the kernel doubles
/// it. It grants as much without privileges.
const LOCAL_QUEUE: usize = 208 << 10;

/// A TCP stream for `hyper::server::conn::http1` with `writev(true)`.
///
/// `Bytes` from its [`Handoff`] leave by `sendfile`, everything else by `sendmsg`, and a head that
/// precedes a file shares its first packet. Nagle's algorithm is off: with it, an answer in two
/// writes would wait 40 ms for the client's delayed acknowledgement.
///
/// Files that are not in the page cache are fetched on a blocking thread first, so that a slow disk
/// does not hold up the other connections. Writing to a socket whose peer is gone raises `SIGPIPE`
/// in `sendfile`; Rust's runtime ignores that signal unless told otherwise.
#[derive(Debug)]
pub struct SendfileStream {
    socket: TokioIo<TcpStream>,
    handoff: Handoff,
    fetching: Fetching,
}

impl SendfileStream {
    /// Wraps a connected stream.
    ///
    /// # Errors
    /// When the socket is no longer connected.
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        if is_local(&socket) {
            suit_local(&socket);
        }
        Ok(Self {
            socket: TokioIo::new(socket),
            handoff: Handoff::default(),
            fetching: Fetching::default(),
        })
    }

    /// What turns files into `Bytes` for this stream.
    #[must_use]
    pub fn handoff(&self) -> Handoff {
        self.handoff.clone()
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let next = Next::of(buffers, &self.handoff);
        if let Next::File(piece) = &next {
            ready!(self.fetching.poll_ready(cx, piece))?;
        }
        let socket = self.socket.inner();
        loop {
            ready!(socket.poll_write_ready(cx))?;
            match socket.try_io(Interest::WRITABLE, || next.send(socket)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                sent => return Poll::Ready(sent),
            }
        }
    }
}

/// Whether the other end is a program of this machine, such as a reverse proxy.
fn is_local(socket: &TcpStream) -> bool {
    match (socket.peer_addr(), socket.local_addr()) {
        (Ok(peer), Ok(own)) => peer.ip() == own.ip() || peer.ip().is_loopback(),
        _ => false,
    }
}

/// Between two programs of one machine nothing can be congested: a congestion control that paces,
/// as BBR does, only makes the sender sleep. And what waits in a long queue is passed on within the
/// other program's reads, on its processor, instead of on this one. A kernel that refuses is slower
/// and no worse.
fn suit_local(socket: &TcpStream) {
    let _ = sockopt::set_tcp_congestion(socket, "reno");
    let _ = sockopt::set_socket_send_buffer_size(socket, LOCAL_QUEUE);
}

/// What one system call can send from the front of a list of buffers.
enum Next<'a> {
    /// Nothing at all.
    Nothing,
    /// Ordinary memory; `more` tells the kernel that a file follows at once.
    Plain {
        buffers: &'a [IoSlice<'a>],
        more: bool,
    },
    /// A piece of a file.
    File(Piece),
}

impl<'a> Next<'a> {
    fn of(buffers: &'a [IoSlice<'a>], handoff: &Handoff) -> Self {
        let skip = buffers
            .iter()
            .take_while(|buffer| buffer.is_empty())
            .count();
        let buffers = buffers.get(skip..).unwrap_or_default();
        let Some(first) = buffers.first() else {
            return Self::Nothing;
        };
        if let Some(piece) = handoff.find(first) {
            return Self::File(piece);
        }
        let plain = buffers
            .iter()
            .take_while(|buffer| handoff.find(buffer).is_none())
            .count();
        Self::Plain {
            buffers: buffers.get(..plain).unwrap_or_default(),
            more: plain < buffers.len(),
        }
    }

    fn send(&self, socket: &TcpStream) -> io::Result<usize> {
        match self {
            Self::Nothing => Ok(0),
            Self::Plain { buffers, more } => send_memory(socket, buffers, *more),
            Self::File(piece) => send_file(socket, piece),
        }
    }
}

fn send_memory(socket: &TcpStream, buffers: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
    let flags = SendFlags::NOSIGNAL
        | if more {
            SendFlags::MORE
        } else {
            SendFlags::empty()
        };
    let nothing_else = &mut SendAncillaryBuffer::default();
    Ok(rustix::net::sendmsg(socket, buffers, nothing_else, flags)?)
}

fn send_file(socket: &TcpStream, piece: &Piece) -> io::Result<usize> {
    let mut offset = piece.offset;
    let most = piece.length.min(SEND_AT_ONCE);
    match rustix::fs::sendfile(socket, &piece.file, Some(&mut offset), most)? {
        0 => Err(ended_early(piece.offset)),
        sent => Ok(sent),
    }
}

/// Brings a cold file into the page cache on a blocking thread, one window after the other.
#[derive(Debug, Default)]
struct Fetching {
    task: Option<JoinHandle<()>>,
    /// Where the last window that was fetched lies. Not asked about again, or a machine short of
    /// memory could fetch the same window for ever.
    fetched: Option<(Arc<std::fs::File>, Range<u64>)>,
}

impl Fetching {
    /// Ready when what the next `sendfile` sends is in memory.
    fn poll_ready(&mut self, cx: &mut Context<'_>, piece: &Piece) -> Poll<io::Result<()>> {
        let next = piece.offset..piece.offset + piece.length.min(SEND_AT_ONCE) as u64;
        if self.task.is_none() && !self.has_fetched(piece, &next) {
            if is_cached(&piece.file, &next)? {
                return Poll::Ready(Ok(()));
            }
            self.start(piece);
        }
        if let Some(task) = &mut self.task {
            // The task only reads ahead; should it have panicked, sendfile waits for the disk.
            let _ = ready!(Pin::new(task).poll(cx));
            self.task = None;
        }
        Poll::Ready(Ok(()))
    }

    fn has_fetched(&self, piece: &Piece, next: &Range<u64>) -> bool {
        self.fetched.as_ref().is_some_and(|(file, range)| {
            Arc::ptr_eq(file, &piece.file) && range.start <= next.start && next.end <= range.end
        })
    }

    fn start(&mut self, piece: &Piece) {
        let end = piece.offset + piece.length as u64;
        let middle = end.min(piece.offset + FETCH_AT_ONCE);
        let window = piece.offset..middle;
        let following = middle..end.min(middle + FETCH_AT_ONCE);
        self.fetched = Some((piece.file.clone(), window.clone()));
        let file = piece.file.clone();
        self.task = Some(tokio::task::spawn_blocking(move || {
            fetch_ahead(&file, window.clone());
            fetch_ahead(&file, following);
            wait_for(&file, &window);
        }));
    }
}

impl Read for SendfileStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_read(cx, buffer)
    }
}

impl Write for SendfileStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, &[IoSlice::new(buffer)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileRange;
    use std::fs::File;
    use std::future::poll_fn;
    use std::io::Write as _;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    async fn connected() -> (SendfileStream, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (SendfileStream::new(server).unwrap(), client)
    }

    fn content(length: usize) -> Vec<u8> {
        (0..length)
            .map(|at| u8::try_from(at * 31 % 253).unwrap())
            .collect()
    }

    fn file_of(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    /// Writes all buffers as hyper does: again and again, without what has been sent.
    async fn write_all(stream: &mut SendfileStream, parts: &[&[u8]]) -> io::Result<()> {
        let mut sent = 0;
        let total: usize = parts.iter().map(|part| part.len()).sum();
        while sent < total {
            let mut skip = sent;
            let rest: Vec<_> = parts
                .iter()
                .map(|part| {
                    let from = skip.min(part.len());
                    skip -= from;
                    IoSlice::new(&part[from..])
                })
                .collect();
            sent += poll_fn(|cx| Pin::new(&mut *stream).poll_write_vectored(cx, &rest)).await?;
        }
        Ok(())
    }

    #[tokio::test]
    async fn memory_and_files_arrive_in_order() {
        let (mut stream, mut client) = connected().await;
        let bytes = content(5 << 20);
        let range = FileRange::new(file_of(&bytes), 3..(5 << 20) - 1);
        let mapped = stream.handoff().hand_off(&range).unwrap();
        let reader = tokio::spawn(async move {
            let mut received = Vec::new();
            client.read_to_end(&mut received).await.unwrap();
            received
        });
        let parts: [&[u8]; 6] = [b"head", &mapped, b"", b"tail", &mapped[10..20], b"end"];
        write_all(&mut stream, &parts).await.unwrap();
        poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx))
            .await
            .unwrap();
        let expected = [
            b"head",
            &bytes[3..(5 << 20) - 1],
            b"tail",
            &bytes[13..23],
            b"end",
        ]
        .concat();
        assert!(reader.await.unwrap() == expected, "every byte, in order");
    }

    #[tokio::test]
    async fn a_file_that_is_not_in_memory_is_fetched_and_sent() {
        let (mut stream, mut client) = connected().await;
        let bytes = content(20 << 20);
        let file = file_of(&bytes);
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let mapped = stream
            .handoff()
            .hand_off(&FileRange::new(file, 0..20 << 20))
            .unwrap();
        let reader = tokio::spawn(async move {
            let mut received = vec![0; 20 << 20];
            client.read_exact(&mut received).await.unwrap();
            received
        });
        write_all(&mut stream, &[&mapped]).await.unwrap();
        assert!(reader.await.unwrap() == bytes);
    }

    #[tokio::test]
    async fn a_file_cut_short_is_an_error_and_no_signal() {
        let (mut stream, _client) = connected().await;
        let file = file_of(&content(100_000));
        let mapped = stream
            .handoff()
            .hand_off(&FileRange::new(file.clone(), 0..100_000))
            .unwrap();
        file.set_len(10).unwrap();
        let error = write_all(&mut stream, &[b"head", &mapped])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_client_that_left_is_an_error_and_no_signal() {
        let (mut stream, client) = connected().await;
        drop(client);
        let range = FileRange::new(file_of(&content(1 << 20)), 0..1 << 20);
        let mapped = stream.handoff().hand_off(&range).unwrap();
        let parts: Vec<&[u8]> = vec![&mapped; 64];
        assert!(write_all(&mut stream, &parts).await.is_err());
    }

    #[tokio::test]
    async fn a_connection_within_the_machine_is_not_paced() {
        let (stream, _client) = connected().await;
        let socket = stream.socket.inner();
        assert_eq!(sockopt::tcp_congestion(socket).unwrap(), "reno");
        let queue = sockopt::socket_send_buffer_size(socket).unwrap();
        assert!(queue <= 2 * LOCAL_QUEUE, "{queue}");
    }

    #[tokio::test]
    async fn nagle_is_off() {
        let (stream, _client) = connected().await;
        assert!(stream.socket.inner().nodelay().unwrap());
    }
}
