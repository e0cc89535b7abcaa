//! A chunk on its way in, and what was said about it.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use naru_blobstore::Upload;
use naru_oci::ContentRange;

use super::Chunk;
use crate::error::{Error, Result};

/// The body of a request, measured against its range and the limit.
pub(super) struct Incoming<S> {
    body: S,
    range: Option<ContentRange>,
    begin: u64,
    limit: u64,
}

impl<S: Stream<Item = Result<Bytes>> + Send + Unpin> Incoming<S> {
    /// Announces a chunk to the upload it goes to. It must begin where the upload stands.
    ///
    /// # Errors
    /// [`Error::RangeInvalid`]; [`Error::TooLarge`] for one that says so itself.
    pub(super) fn announce(chunk: Chunk<S>, upload: &mut Upload, limit: u64) -> Result<Self> {
        let begin = upload.offset();
        if chunk.range.is_some_and(|range| range.start() != begin) {
            return Err(Error::RangeInvalid { offset: begin });
        }
        let length = chunk.range.map(|range| range.len()).or(chunk.length);
        let incoming = Self {
            body: chunk.body,
            range: chunk.range,
            begin,
            limit,
        };
        incoming.within(begin.saturating_add(length.unwrap_or(0)))?;
        if let Some(length) = length {
            upload.expect(length);
        }
        Ok(incoming)
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        self.body.next().await.transpose()
    }

    /// Checks that an upload that stands at `offset` is within the limit.
    pub(super) fn within(&self, offset: u64) -> Result<()> {
        if offset <= self.limit {
            return Ok(());
        }
        Err(Error::TooLarge {
            what: "the blob",
            limit: self.limit,
        })
    }

    /// Checks at the end that as much came as the range says.
    pub(super) fn complete(&self, offset: u64) -> Result<()> {
        let received = offset - self.begin;
        match self.range {
            Some(range) if range.len() != received => Err(Error::SizeInvalid {
                what: "the chunk".to_owned(),
                expected: range.len(),
                actual: received,
            }),
            _ => Ok(()),
        }
    }
}
