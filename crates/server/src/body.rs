//! What an answer carries, and how a file gets into it.

use std::fmt;
use std::fs::File;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use naru_handoff::FileRange;
use tokio::task::JoinHandle;

use crate::listen::ConnectionInfo;

/// Why a body ended early. The client sees a connection that closes before the promised length.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Files up to this many bytes are read into memory and leave with the head of the answer in one
/// system call, which costs less than mapping them.
const SMALL: u64 = 64 << 10;

/// How much of a file is read at a time where it must pass through user space, in bytes.
const READ_AT_ONCE: usize = 256 << 10;

/// The body of an answer.
///
/// Anything but a stream has a known length, so hyper writes `Content-Length` by itself.
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    /// In memory, or mapped and to be sent by the kernel: to everybody here it is the same.
    Bytes(Bytes),
    File(Reading),
    Stream(UnsyncBoxBody<Bytes, BoxError>),
}

impl Body {
    /// No bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The bytes `range` of an immutable file, by the cheapest way the connection allows: from
    /// memory when small, by `sendfile` over plain HTTP/1, and by reading 256 KiB at a time over
    /// TLS and HTTP/2. A disk is never waited for on an async thread.
    ///
    /// Must be called within the runtime. That the file is as long as `range` says is found out
    /// while sending; a shorter one ends the connection.
    #[must_use]
    pub fn file(file: impl Into<Arc<File>>, range: Range<u64>, to: &ConnectionInfo) -> Self {
        Self::file_range(FileRange::new(file, range), to)
    }

    /// As [`Self::file`], for a range that the blob store has opened.
    #[must_use]
    pub fn file_range(mut range: FileRange, to: &ConnectionInfo) -> Self {
        if range.is_empty() {
            return Self::empty();
        }
        if range.len() <= SMALL
            && let Ok(Some(bytes)) = range.read_cached(READ_AT_ONCE)
        {
            return Self(Kind::Bytes(bytes));
        }
        // A mapping that fails is no reason to fail: the file can still be read.
        match to.handoff().map(|handoff| handoff.hand_off(&range)) {
            Some(Ok(bytes)) => Self(Kind::Bytes(bytes)),
            Some(Err(_)) | None => Self(Kind::File(Reading::Between(range))),
        }
    }

    /// The frames of another body: what a remote store streams, or what axum answered.
    pub fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Kind::Stream(body.map_err(Into::into).boxed_unsync()))
    }

    /// Bytes as they come from a remote store. Their number is not known here: the handler that
    /// knows it sets `Content-Length`, and hyper holds the stream to it.
    pub fn byte_stream<S, E>(bytes: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self::stream(StreamBody::new(bytes.map(|bytes| match bytes {
            Ok(bytes) => Ok(Frame::data(bytes)),
            Err(error) => Err(error.into()),
        })))
    }
}

impl fmt::Debug for Body {
    /// Says what kind of body it is. Never its bytes: they may be secret, and they may be a whole
    /// mapped file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("Body::Empty"),
            Kind::Bytes(bytes) => write!(f, "Body::Bytes({})", bytes.len()),
            Kind::File(reading) => write!(f, "Body::File({})", reading.left()),
            Kind::Stream(_) => f.write_str("Body::Stream"),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::empty()
        } else {
            Self(Kind::Bytes(bytes))
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<axum::body::Body> for Body {
    fn from(body: axum::body::Body) -> Self {
        Self::stream(body)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self(kind) = self.get_mut();
        match kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Bytes(_) => match std::mem::take(kind) {
                Kind::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                _ => Poll::Ready(None),
            },
            Kind::File(reading) => {
                let read = ready!(reading.poll_next(cx));
                Poll::Ready(read.map(|read| Ok(Frame::data(read?))))
            }
            Kind::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Bytes(_) => false,
            Kind::File(reading) => reading.left() == 0,
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::File(reading) => SizeHint::with_exact(reading.left()),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}

/// A file read piece by piece: inline while the page cache has it, else on a blocking thread.
#[derive(Debug)]
enum Reading {
    Between(FileRange),
    Waiting {
        disk: JoinHandle<(FileRange, io::Result<Bytes>)>,
        left: u64,
    },
}

impl Reading {
    fn left(&self) -> u64 {
        match self {
            Self::Between(range) => range.len(),
            Self::Waiting { left, .. } => *left,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Self::Between(range) = self {
            if range.is_empty() {
                return Poll::Ready(None);
            }
            match range.read_cached(READ_AT_ONCE).transpose() {
                Some(read) => return Poll::Ready(Some(read)),
                None => *self = Self::from_disk(range.clone()),
            }
        }
        let Self::Waiting { disk, .. } = self else {
            return Poll::Ready(None);
        };
        match ready!(Pin::new(disk).poll(cx)) {
            Ok((range, read)) => {
                *self = Self::Between(range);
                Poll::Ready(Some(read))
            }
            Err(panicked) => Poll::Ready(Some(Err(io::Error::other(panicked)))),
        }
    }

    fn from_disk(mut range: FileRange) -> Self {
        let left = range.len();
        let disk = tokio::task::spawn_blocking(move || {
            let read = range.read_from_disk(READ_AT_ONCE);
            (range, read)
        });
        Self::Waiting { disk, left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;
    use std::io::Write;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    async fn collected(body: Body) -> Vec<u8> {
        body.collect().await.unwrap().to_bytes().to_vec()
    }

    #[tokio::test]
    async fn a_file_of_any_size_arrives_whole_without_a_handoff() {
        for length in [0_u32, 1, 65_536, 65_537, 700_001] {
            let bytes: Vec<u8> = (0..length).map(|at| (at % 256).to_le_bytes()[0]).collect();
            let body = Body::file(
                file_of(&bytes),
                0..u64::from(length),
                &ConnectionInfo::default(),
            );
            assert_eq!(body.size_hint().exact(), Some(u64::from(length)));
            assert!(collected(body).await == bytes);
        }
    }

    #[tokio::test]
    async fn a_part_of_a_file_is_just_that_part() {
        let body = Body::file(file_of(b"0123456789"), 3..7, &ConnectionInfo::default());
        assert_eq!(collected(body).await, b"3456");
    }

    #[tokio::test]
    async fn a_file_shorter_than_promised_fails_and_keeps_its_promise_visible() {
        let body = Body::file(file_of(b"short"), 0..100, &ConnectionInfo::default());
        assert_eq!(body.size_hint().exact(), Some(100));
        assert!(body.collect().await.is_err());
    }

    #[tokio::test]
    async fn a_stream_passes_on_its_bytes_and_its_error() {
        let parts = ["one", "two"].map(|part| Ok::<_, io::Error>(Bytes::from(part)));
        let whole = futures_util::stream::iter(parts);
        assert_eq!(collected(Body::byte_stream(whole)).await, b"onetwo");
        let broken = futures_util::stream::iter([Err::<Bytes, _>(io::Error::other("gone"))]);
        assert!(Body::byte_stream(broken).collect().await.is_err());
    }

    #[tokio::test]
    async fn what_axum_answers_passes_through() {
        assert_eq!(
            collected(axum::body::Body::from("page").into()).await,
            b"page"
        );
        assert!(Body::from("").is_end_stream());
    }
}
