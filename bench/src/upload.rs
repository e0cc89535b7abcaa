//! [`Push`]: one connection that pushes blobs, one after another (OCI distribution-spec, "Pushing
//! Blobs").

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::client::{Answer, Framing, Request, Script, Tally, Want, drive};
use crate::payload::Payload;

/// A blob and its name.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    /// Its bytes.
    pub(crate) payload: Payload,
    /// Its digest.
    pub(crate) digest: Arc<str>,
}

impl Blob {
    /// Computes the digest, which takes half a second for a GiB: not while somebody measures.
    pub(crate) fn new(payload: Payload) -> Self {
        let digest = payload.digest().into();
        Self { payload, digest }
    }
}

/// How the bytes of a blob are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// POST, then all of it in one PUT with its length (end-4a, end-6), as containerd and crane do.
    Put,
    /// POST, then one PATCH in chunks of unknown number, then an empty PUT, as docker does.
    Patch,
}

/// Pushes a list of blobs to one repository.
pub(crate) struct Push {
    repository: Arc<str>,
    headers: Arc<str>,
    way: Way,
    waiting: VecDeque<Blob>,
    blob: Option<Blob>,
    stage: Stage,
}

/// What has been asked for last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Nothing,
    Upload,
    Bytes,
}

impl Push {
    /// Every blob on one connection.
    pub(crate) fn new(repository: &str, headers: &str, way: Way, blobs: Vec<Blob>) -> Self {
        Self {
            repository: repository.into(),
            headers: headers.into(),
            way,
            waiting: blobs.into(),
            blob: None,
            stage: Stage::Nothing,
        }
    }

    /// Begins the next blob (end-4a).
    fn begin(&mut self) -> Option<Request> {
        self.blob = Some(self.waiting.pop_front()?);
        self.stage = Stage::Upload;
        let target = format!("/v2/{}/blobs/uploads/", self.repository);
        Some(Request::new(
            "POST",
            &target,
            &self.headers,
            Want::status(202).keep(),
        ))
    }

    /// Streams the bytes (end-5).
    fn patch(&mut self, location: &str) -> Result<Request> {
        self.stage = Stage::Bytes;
        let body = (self.blob()?.payload.clone(), Framing::Chunked);
        let headers = format!("{}Content-Type: application/octet-stream\r\n", self.headers);
        Ok(Request::with_body(
            "PATCH",
            location,
            &headers,
            body,
            Want::status(202).keep(),
        ))
    }

    /// Ends the upload, with the bytes where they have not been sent (end-6).
    fn put(&mut self, location: &str) -> Result<Request> {
        let blob = self.blob()?.clone();
        let body = match (self.way, self.stage) {
            (Way::Put, _) => blob.payload,
            (Way::Patch, _) => Payload::from(Vec::new()),
        };
        self.stage = Stage::Nothing;
        let target = with_digest(location, &blob.digest);
        let headers = format!("{}Content-Type: application/octet-stream\r\n", self.headers);
        let want = Want::status(201).digest(&blob.digest);
        Ok(Request::with_body(
            "PUT",
            &target,
            &headers,
            (body, Framing::Length),
            want,
        ))
    }

    fn blob(&self) -> Result<&Blob> {
        self.blob.as_ref().context("no blob has been begun")
    }
}

impl Script for Push {
    fn next(&mut self, last: &Answer) -> Result<Option<Arc<Request>>> {
        let request = match (self.stage, self.way) {
            (Stage::Nothing, _) => self.begin(),
            (Stage::Upload, Way::Patch) => Some(self.patch(path(last.needed("location")?))?),
            (Stage::Upload, Way::Put) | (Stage::Bytes, _) => {
                Some(self.put(path(last.needed("location")?))?)
            }
        };
        Ok(request.map(Arc::new))
    }
}

/// Pushes blobs over so many connections.
///
/// # Errors
/// An answer is not the wanted one.
pub(crate) fn push(
    address: SocketAddr,
    repository: &str,
    headers: &str,
    way: Way,
    (blobs, connections): (&[Blob], usize),
) -> Result<Tally> {
    let scripts = dealt(blobs, connections)
        .into_iter()
        .map(|share| -> Box<dyn Script> { Box::new(Push::new(repository, headers, way, share)) });
    drive(address, scripts.collect())
}

/// Deals things out to so many connections, in turn.
pub(crate) fn dealt<T: Clone>(things: &[T], connections: usize) -> Vec<Vec<T>> {
    let connections = connections.clamp(1, things.len().max(1));
    let share = |first: usize| {
        things
            .iter()
            .skip(first)
            .step_by(connections)
            .cloned()
            .collect()
    };
    (0..connections).map(share).collect()
}

/// A `Location` without scheme and host.
pub(crate) fn path(location: &str) -> &str {
    match location.split_once("://") {
        Some((_, rest)) => rest
            .find('/')
            .and_then(|slash| rest.get(slash..))
            .unwrap_or("/"),
        None => location,
    }
}

/// The location of an upload with the digest that ends it.
fn with_digest(location: &str, digest: &str) -> String {
    let separator = if location.contains('?') { '&' } else { '?' };
    format!("{location}{separator}digest={}", digest.replace(':', "%3A"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_may_be_absolute_and_may_have_a_query() {
        assert_eq!(path("http://127.0.0.1:5000/v2/a?b=c"), "/v2/a?b=c");
        assert_eq!(path("/v2/a"), "/v2/a");
        assert_eq!(
            with_digest("/v2/a?b=c", "sha256:0"),
            "/v2/a?b=c&digest=sha256%3A0"
        );
        assert_eq!(with_digest("/v2/a", "sha256:0"), "/v2/a?digest=sha256%3A0");
    }

    #[test]
    fn things_are_dealt_out_in_turn_and_nobody_is_left_without() {
        assert_eq!(dealt(&[1, 2, 3, 4, 5], 2), [vec![1, 3, 5], vec![2, 4]]);
        assert_eq!(dealt(&[1], 16), [vec![1]]);
        assert_eq!(dealt::<u8>(&[], 16), [Vec::<u8>::new()]);
    }
}
