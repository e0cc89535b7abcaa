//! What is sent, byte for byte, and what must come back.

use std::sync::Arc;

use crate::payload::Payload;

/// How much of a streamed body goes into one chunk: what Go's `io.Copy` makes of a layer, and so
/// what most clients send.
const CHUNK: u64 = 32 * 1024;
/// The line before a full chunk.
const CHUNK_LINE: &[u8] = b"8000\r\n";
/// A full chunk with the framing around it.
const FRAMED_CHUNK: u64 = CHUNK_LINE.len() as u64 + CHUNK + 2;

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// With `Content-Length`.
    Length,
    /// With `Transfer-Encoding: chunked`, as docker streams a layer.
    Chunked,
}

/// A request, ready to be written as often as wanted.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    head: Vec<u8>,
    body: Option<Payload>,
    framing: Framing,
    /// The line before the last chunk, where that is shorter than the others.
    last_line: Vec<u8>,
    /// What must come back.
    pub(crate) want: Want,
    /// The answer to a HEAD has a length but no body.
    pub(crate) is_head: bool,
}

/// What an answer must be like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Want {
    /// The status.
    pub(crate) status: u16,
    /// The value of `Docker-Content-Digest`.
    pub(crate) digest: Option<Arc<str>>,
    /// The bytes of the body: a payload, from this offset on, this many.
    pub(crate) body: Option<(Payload, u64, u64)>,
    /// The script wants to see head and body.
    pub(crate) keep: bool,
}

impl Want {
    /// An answer with this status.
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// With this digest in its header.
    pub(crate) fn digest(mut self, digest: &Arc<str>) -> Self {
        self.digest = Some(Arc::clone(digest));
        self
    }

    /// With this body.
    pub(crate) fn body(mut self, payload: &Payload) -> Self {
        self.body = Some((payload.clone(), 0, payload.len()));
        self
    }

    /// With this part of a payload as its body.
    pub(crate) fn part(mut self, payload: &Payload, offset: u64, length: u64) -> Self {
        self.body = Some((payload.clone(), offset, length));
        self
    }

    /// And the script wants to see it.
    pub(crate) fn keep(mut self) -> Self {
        self.keep = true;
        self
    }
}

impl Request {
    /// `METHOD target` with these further header lines, each ending in a line break.
    pub(crate) fn new(method: &str, target: &str, headers: &str, want: Want) -> Self {
        let no_body = if matches!(method, "GET" | "HEAD") {
            ""
        } else {
            "Content-Length: 0\r\n"
        };
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: registry\r\n{headers}{no_body}\r\n");
        Self {
            head: head.into_bytes(),
            body: None,
            framing: Framing::Length,
            last_line: Vec::new(),
            want,
            is_head: method == "HEAD",
        }
    }

    /// The same with a body.
    pub(crate) fn with_body(
        method: &str,
        target: &str,
        headers: &str,
        (body, framing): (Payload, Framing),
        want: Want,
    ) -> Self {
        let length = match framing {
            Framing::Length => format!("Content-Length: {}", body.len()),
            Framing::Chunked => "Transfer-Encoding: chunked".to_owned(),
        };
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: registry\r\n{headers}{length}\r\n\r\n");
        let last_line = format!("{:x}\r\n", body.len() % CHUNK).into_bytes();
        Self {
            head: head.into_bytes(),
            body: Some(body),
            framing,
            last_line,
            want,
            is_head: false,
        }
    }

    /// The bytes on the wire from `position` on that lie together; empty only at the end.
    pub(crate) fn piece(&self, position: u64) -> &[u8] {
        let head = self.head.len() as u64;
        if position < head {
            return from(&self.head, position);
        }
        match (&self.body, self.framing) {
            (None, _) => &[],
            (Some(body), Framing::Length) => body.piece(position - head),
            (Some(body), Framing::Chunked) => self.chunked_piece(body, position - head),
        }
    }

    /// The same within a chunked body.
    fn chunked_piece<'a>(&'a self, body: &'a Payload, position: u64) -> &'a [u8] {
        // The last chunk is the one that is not full; what ends the body counts as part of it.
        let chunk = (position / FRAMED_CHUNK).min(body.len() / CHUNK);
        let within = position - chunk * FRAMED_CHUNK;
        let start = chunk * CHUNK;
        let size = body.len().saturating_sub(start).min(CHUNK);
        let line: &[u8] = if size == CHUNK {
            CHUNK_LINE
        } else {
            &self.last_line
        };
        let line_length = line.len() as u64;
        if size == 0 {
            from(b"0\r\n\r\n", within)
        } else if within < line_length {
            from(line, within)
        } else if within < line_length + size {
            let within = within - line_length;
            let piece = body.piece(start + within);
            let left = usize::try_from(size - within).unwrap_or(usize::MAX);
            piece.get(..left).unwrap_or(piece)
        } else if size == CHUNK {
            from(b"\r\n", within - line_length - size)
        } else {
            // Behind a short chunk there is no other: the end follows at once.
            from(b"\r\n0\r\n\r\n", within - line_length - size)
        }
    }
}

/// `bytes` from `position` on.
fn from(bytes: &[u8], position: u64) -> &[u8] {
    usize::try_from(position)
        .ok()
        .and_then(|position| bytes.get(position..))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::answer::Chunks;

    fn on_the_wire(request: &Request) -> Vec<u8> {
        let mut wire = Vec::new();
        loop {
            let piece = request.piece(wire.len() as u64);
            if piece.is_empty() {
                return wire;
            }
            wire.extend_from_slice(piece);
        }
    }

    fn put(body: Payload, framing: Framing) -> Request {
        Request::with_body("PUT", "/x", "A: b\r\n", (body, framing), Want::status(201))
    }

    #[test]
    fn a_request_without_a_body_says_so() {
        let get = Request::new("GET", "/v2/", "", Want::status(200));
        assert_eq!(
            on_the_wire(&get),
            b"GET /v2/ HTTP/1.1\r\nHost: registry\r\n\r\n"
        );
        let post = Request::new("POST", "/x", "", Want::status(202));
        assert!(on_the_wire(&post).ends_with(b"Content-Length: 0\r\n\r\n"));
    }

    #[test]
    fn a_body_of_known_length_follows_its_head() {
        let wire = on_the_wire(&put(Payload::pattern(1, 100_000), Framing::Length));
        let body = wire.len() - 100_000;
        assert!(wire[..body].ends_with(b"A: b\r\nContent-Length: 100000\r\n\r\n"));
        assert!(Payload::pattern(1, 100_000).holds(0, &wire[body..]));
    }

    #[test]
    fn a_chunked_body_is_the_payload_when_unframed() {
        for length in [1, 32_767, 32_768, 32_769, 65_536, 100_000] {
            let payload = Payload::pattern(1, length);
            let wire = on_the_wire(&put(payload.clone(), Framing::Chunked));
            let body = wire
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
                .unwrap()
                + 4;
            let (mut chunks, mut joined) = (Chunks::default(), Vec::new());
            let used = chunks
                .read(&wire[body..], |data| {
                    joined.extend_from_slice(data);
                    Ok(())
                })
                .unwrap();
            assert_eq!(
                (chunks, used),
                (Chunks::Done, wire.len() - body),
                "{length} bytes"
            );
            assert_eq!(joined.len() as u64, length);
            assert!(payload.holds(0, &joined));
        }
    }
}
