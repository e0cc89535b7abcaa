//! One socket with a script on it: writes what the script says, checks what comes back.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::answer::{Answer, BodyFraming, Chunks, Head};
use super::request::Request;
use super::script::Script;
use crate::payload::Payload;

/// How many pieces go into one write.
const PIECES: usize = 16;
/// How many bytes go into one write: more would only wait in the socket.
const PER_WRITE: usize = 256 * 1024;

/// How a call left the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The socket takes no more for now.
    WantsToWrite,
    /// Everything is written, an answer is to come.
    WantsToRead,
    /// The script has ended.
    Finished,
}

/// What has been done on a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    /// How long each request took, from its first byte to the last of its answer.
    pub(crate) times: Vec<Duration>,
    /// How many bytes of bodies have arrived.
    pub(crate) received: u64,
}

/// A kept-alive connection.
pub(crate) struct Connection {
    /// The socket, which does not block.
    pub(crate) socket: TcpStream,
    script: Box<dyn Script>,
    request: Option<Arc<Request>>,
    position: u64,
    begun: Instant,
    answer: Answer,
    /// The beginning of a head whose end has not arrived.
    partial: Vec<u8>,
    body: Option<Body>,
    /// What has been done.
    pub(crate) count: Count,
}

/// A body that is arriving.
struct Body {
    framing: Unframing,
    arrived: u64,
}

enum Unframing {
    Length(u64),
    Chunked(Chunks),
}

impl Connection {
    /// Connects; nothing is sent yet.
    pub(crate) fn open(address: SocketAddr, script: Box<dyn Script>) -> Result<Self> {
        let socket = TcpStream::connect(address).context("connecting to the registry")?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            script,
            request: None,
            position: 0,
            begun: Instant::now(),
            answer: Answer::default(),
            partial: Vec::new(),
            body: None,
            count: Count::default(),
        })
    }

    /// Takes the next request from the script and begins to write it.
    pub(crate) fn advance(&mut self) -> Result<State> {
        self.request = self.script.next(&self.answer)?;
        self.position = 0;
        if self.request.is_none() {
            return Ok(State::Finished);
        }
        self.begun = Instant::now();
        self.write()
    }

    /// Writes until the socket is full or the request is out.
    pub(crate) fn write(&mut self) -> Result<State> {
        let Some(request) = &self.request else {
            return Ok(State::Finished);
        };
        loop {
            let mut slices = [IoSlice::new(&[]); PIECES];
            let (filled, bytes) = gather(request, self.position, &mut slices);
            if bytes == 0 {
                return Ok(State::WantsToRead);
            }
            match self
                .socket
                .write_vectored(slices.get(..filled).unwrap_or_default())
            {
                Ok(written) => self.position += written as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(State::WantsToWrite);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("writing a request"),
            }
        }
    }

    /// Reads what has arrived, once, into `buffer`, and goes on with the script where an answer is
    /// complete.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<State> {
        let arrived = match self.socket.read(buffer) {
            Ok(0) => bail!("the registry closed the connection"),
            Ok(arrived) => arrived,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                return Ok(self.waiting());
            }
            Err(error) => return Err(error).context("reading an answer"),
        };
        let bytes = buffer.get(..arrived).unwrap_or_default();
        let complete = if self.partial.is_empty() {
            self.take(bytes)?
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(bytes);
            self.take(&whole)?
        };
        if complete {
            self.count.times.push(self.begun.elapsed());
            return self.advance();
        }
        Ok(self.waiting())
    }

    /// What the connection waits for.
    fn waiting(&self) -> State {
        match &self.request {
            None => State::Finished,
            Some(request) if request.piece(self.position).is_empty() => State::WantsToRead,
            Some(_) => State::WantsToWrite,
        }
    }

    /// Takes the next bytes of an answer; whether it is complete now.
    fn take(&mut self, bytes: &[u8]) -> Result<bool> {
        let request = self.request.as_ref().context("an answer to nothing")?;
        let mut rest = bytes;
        if self.body.is_none() {
            let Some(head) = Head::read(rest)? else {
                self.partial = rest.to_vec();
                return Ok(false);
            };
            rest = rest.get(head.length..).unwrap_or_default();
            if head.status != request.want.status {
                bail!("{}", unexpected(request, &head, bytes));
            }
            check_head(request, &head)?;
            ensure!(
                request.piece(self.position).is_empty(),
                "answered before all was sent"
            );
            if request.want.keep {
                self.answer
                    .begin(bytes.get(..head.length).unwrap_or_default());
            }
            self.body = Some(Body::announced_by(&head, request.is_head));
        }
        let kept = request.want.keep.then_some(&mut self.answer.body);
        let body = self.body.as_mut().context("a body has begun")?;
        let (used, complete) = body.take(rest, &request.want.body, kept)?;
        ensure!(used == rest.len(), "bytes behind the answer");
        if complete {
            body.check_length(request)?;
            self.count.received += body.arrived;
            self.body = None;
        }
        Ok(complete)
    }
}

impl Body {
    fn announced_by(head: &Head<'_>, is_head: bool) -> Self {
        let framing = match head.framing {
            _ if is_head => Unframing::Length(0),
            BodyFraming::Length(length) => Unframing::Length(length),
            BodyFraming::Chunked => Unframing::Chunked(Chunks::default()),
        };
        Self {
            framing,
            arrived: 0,
        }
    }

    /// Takes bytes: how many of them, and whether the body is complete.
    fn take(
        &mut self,
        bytes: &[u8],
        wanted: &Option<(Payload, u64, u64)>,
        mut kept: Option<&mut Vec<u8>>,
    ) -> Result<(usize, bool)> {
        let arrived = &mut self.arrived;
        let mut accept = |data: &[u8]| {
            if let Some((payload, offset, _)) = wanted {
                ensure!(
                    payload.holds(offset + *arrived, data),
                    "wrong bytes behind {arrived}"
                );
            }
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(data);
            }
            *arrived += data.len() as u64;
            Ok(())
        };
        match &mut self.framing {
            Unframing::Length(left) => {
                let now = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                accept(bytes.get(..now).unwrap_or_default())?;
                *left -= now as u64;
                Ok((now, *left == 0))
            }
            Unframing::Chunked(chunks) => {
                let used = chunks.read(bytes, accept)?;
                Ok((used, *chunks == Chunks::Done))
            }
        }
    }

    /// A body of a wanted content must be as long as that.
    fn check_length(&self, request: &Request) -> Result<()> {
        if let (Some((_, _, length)), false) = (&request.want.body, request.is_head) {
            ensure!(
                self.arrived == *length,
                "{} bytes instead of {length}",
                self.arrived
            );
        }
        Ok(())
    }
}

/// Checks digest and announced length.
fn check_head(request: &Request, head: &Head<'_>) -> Result<()> {
    if let Some(digest) = &request.want.digest {
        ensure!(
            head.digest == Some(digest.as_bytes()),
            "the answer has not the digest {digest}"
        );
    }
    if let (Some((_, _, wanted)), BodyFraming::Length(length)) = (&request.want.body, head.framing)
    {
        ensure!(
            length == *wanted,
            "Content-Length {length} instead of {wanted}"
        );
    }
    ensure!(!head.closes, "the registry gives up the connection");
    Ok(())
}

/// The words for a wrong status, with what the registry said.
fn unexpected(request: &Request, head: &Head<'_>, bytes: &[u8]) -> String {
    let sent = String::from_utf8_lossy(request.piece(0));
    let said = String::from_utf8_lossy(bytes.get(head.length..).unwrap_or_default());
    format!(
        "{}: status {} instead of {}: {}",
        sent.lines().next().unwrap_or_default(),
        head.status,
        request.want.status,
        said.trim()
    )
}

/// Collects the next pieces of a request: how many, and how many bytes they have.
fn gather<'a>(
    request: &'a Request,
    position: u64,
    slices: &mut [IoSlice<'a>; PIECES],
) -> (usize, usize) {
    let (mut filled, mut bytes) = (0, 0);
    for slice in slices {
        let piece = request.piece(position + bytes as u64);
        if piece.is_empty() || bytes >= PER_WRITE {
            break;
        }
        *slice = IoSlice::new(piece);
        filled += 1;
        bytes += piece.len();
    }
    (filled, bytes)
}
