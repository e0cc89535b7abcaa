//! Reading answers: the head in one pass, the body by length or by chunks.

use anyhow::{Context, Result, bail};

/// What a script is told of an answer, where its request asked to keep it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    head: Vec<u8>,
    /// The body, without chunk framing.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Begins the record of an answer with its head.
    pub(crate) fn begin(&mut self, head: &[u8]) {
        self.head.clear();
        self.head.extend_from_slice(head);
        self.body.clear();
    }

    /// The value of the first header of this name, where it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        lines(&self.head)
            .filter_map(name_and_value)
            .find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .and_then(|(_, value)| str::from_utf8(value).ok())
    }

    /// The header that the next step cannot do without.
    pub(crate) fn needed(&self, name: &str) -> Result<&str> {
        self.header(name)
            .with_context(|| format!("the answer has no {name}"))
    }
}

/// How the body is framed (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    /// As many bytes as `Content-Length` says.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// The parts of a head that every answer is checked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    /// The status code.
    pub(crate) status: u16,
    /// How the body is framed; an answer without either header has none.
    pub(crate) framing: BodyFraming,
    /// `Docker-Content-Digest`.
    pub(crate) digest: Option<&'a [u8]>,
    /// The server closes the connection after this answer.
    pub(crate) closes: bool,
    /// How long the head is, with its empty line.
    pub(crate) length: usize,
}

impl<'a> Head<'a> {
    /// Reads the head at the beginning of `bytes`; `None` while its end has not arrived.
    ///
    /// # Errors
    /// What is there is no HTTP/1.1 answer.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Option<Self>> {
        let Some(length) = end_of_head(bytes) else {
            return Ok(None);
        };
        let mut lines = lines(bytes.get(..length).unwrap_or_default());
        let mut head = Self {
            status: status(lines.next().unwrap_or_default())?,
            framing: BodyFraming::Length(0),
            digest: None,
            closes: false,
            length,
        };
        for (name, value) in lines.filter_map(name_and_value) {
            head.take(name, value)?;
        }
        Ok(Some(head))
    }

    /// Remembers a header that matters. The length is compared first, as most headers do not.
    fn take(&mut self, name: &[u8], value: &'a [u8]) -> Result<()> {
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                self.framing = BodyFraming::Length(number(value)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.framing = BodyFraming::Chunked;
            }
            21 if name.eq_ignore_ascii_case(b"docker-content-digest") => self.digest = Some(value),
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.closes = value.eq_ignore_ascii_case(b"close");
            }
            _ => {}
        }
        Ok(())
    }
}

/// Takes chunk framing away from bytes that arrive in any pieces (RFC 9112, 7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// In the line that says how long the next chunk is.
    #[default]
    Start,
    /// In that line, with the digits so far.
    Size(u64),
    /// In what may follow the digits up to the end of the line.
    Extension(u64),
    /// In a chunk, with this many bytes to come.
    Data(u64),
    /// At the line break that ends a chunk.
    AfterData,
    /// In the lines after the last chunk; whether the line so far is empty.
    Trailer(bool),
    /// Past the end.
    Done,
}

impl Chunks {
    /// Reads the framing at the beginning of `bytes` and hands every piece of data to `data`.
    /// Returns how many bytes were used: all of them, unless the end of the body lies within.
    ///
    /// # Errors
    /// The framing is broken, or `data` refuses a piece.
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        mut data: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<usize> {
        let mut rest = bytes;
        while let (Some((&byte, after)), false) = (rest.split_first(), *self == Self::Done) {
            if let Self::Data(left) = *self {
                let now = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                let (piece, after) = rest.split_at_checked(now).unwrap_or((rest, &[]));
                data(piece)?;
                let left = left - piece.len() as u64;
                *self = if left == 0 {
                    Self::AfterData
                } else {
                    Self::Data(left)
                };
                rest = after;
            } else {
                *self = self.after(byte)?;
                rest = after;
            }
        }
        Ok(bytes.len() - rest.len())
    }

    /// The state after one byte of framing.
    fn after(self, byte: u8) -> Result<Self> {
        Ok(match (self, byte) {
            (Self::Start, _) => Self::Size(digit(byte)?),
            (Self::Size(0) | Self::Extension(0), b'\n') => Self::Trailer(true),
            (Self::Size(size) | Self::Extension(size), b'\n') => Self::Data(size),
            (Self::Size(size), b'\r' | b';' | b' ') | (Self::Extension(size), _) => {
                Self::Extension(size)
            }
            (Self::Size(size), _) => {
                let tens = size
                    .checked_mul(16)
                    .context("a chunk is longer than 2^64")?;
                Self::Size(tens + digit(byte)?)
            }
            (Self::AfterData, b'\r') => Self::AfterData,
            (Self::AfterData, b'\n') => Self::Start,
            (Self::Trailer(true), b'\n') => Self::Done,
            (Self::Trailer(empty), b'\r') => Self::Trailer(empty),
            (Self::Trailer(_), _) => Self::Trailer(byte == b'\n'),
            (Self::AfterData | Self::Data(_) | Self::Done, _) => {
                bail!("no line break after a chunk")
            }
        })
    }
}

/// Where the body begins.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// The lines of a head, without their ends.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// `Name: value`.
fn name_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    Some((name, value.get(1..)?.trim_ascii()))
}

/// `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Result<u16> {
    let code = line
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    let code = code.context("no HTTP/1.1 answer")?;
    u16::try_from(number(code)?).context("a status has three digits")
}

/// A decimal number.
fn number(text: &[u8]) -> Result<u64> {
    let text = str::from_utf8(text).context("a number is text")?;
    text.parse().with_context(|| format!("{text} is no number"))
}

/// One hexadecimal digit.
fn digit(byte: u8) -> Result<u64> {
    char::from(byte)
        .to_digit(16)
        .map(u64::from)
        .context("a chunk's size is hexadecimal")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\nDocker-Content-Digest: sha256:ab\r\nLink: </v2/>; rel=\"next\"\r\n\r\nbody";

    #[test]
    fn a_head_is_read_whole_or_not_at_all() {
        for end in 0..HEAD.len() - 4 {
            assert_eq!(Head::read(&HEAD[..end]).unwrap(), None, "{end} bytes");
        }
        let head = Head::read(HEAD).unwrap().unwrap();
        assert_eq!(head.status, 200);
        assert_eq!(head.framing, BodyFraming::Length(12));
        assert_eq!(head.digest, Some(&b"sha256:ab"[..]));
        assert_eq!(head.length, HEAD.len() - 4);
        assert!(!head.closes);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        assert!(Head::read(b"HTTP/1.0 200 OK\r\n\r\n").is_err());
        assert!(Head::read(b"HTTP/1.1 2x0 OK\r\n\r\n").is_err());
        assert!(Head::read(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n").is_err());
    }

    #[test]
    fn headers_are_found_by_name_in_any_case() {
        let mut answer = Answer::default();
        answer.begin(HEAD);
        assert_eq!(answer.header("link"), Some("</v2/>; rel=\"next\""));
        assert_eq!(answer.header("location"), None);
        assert!(answer.needed("location").is_err());
    }

    #[test]
    fn chunks_are_joined_wherever_they_are_cut() {
        let framed = b"5\r\nhello\r\n1A;name=value\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nTrailer: x\r\n\r\nHTTP";
        for cut in 0..framed.len() {
            let (mut chunks, mut joined, mut used) = (Chunks::default(), Vec::new(), 0);
            for part in [&framed[..cut], &framed[cut..]] {
                used += chunks
                    .read(part, |data| {
                        joined.extend_from_slice(data);
                        Ok(())
                    })
                    .unwrap();
            }
            assert_eq!(joined, b"helloabcdefghijklmnopqrstuvwxyz", "cut at {cut}");
            assert_eq!(
                (chunks, used),
                (Chunks::Done, framed.len() - 4),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn broken_framing_is_refused() {
        for framed in [&b"x\r\n"[..], b"5\r\nhelloworld", b"fffffffffffffffff\r\n"] {
            assert!(Chunks::default().read(framed, |_| Ok(())).is_err());
        }
    }
}
