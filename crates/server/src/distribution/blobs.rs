//! Blobs (end-2, end-10).

use futures_util::TryStreamExt;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use naru_model::PackagePermission;
use naru_oci::{ByteRange, Digest, RepositoryName, headers};
use naru_registry::blobs::{BlobInfo, OpenedBlob};

use super::error::Refused;
use super::{Answer, Call, WithHeader, empty};
use crate::body::Body;

/// `GET` and `HEAD`: the blob, a range of it, or that the client has it already.
pub(super) async fn get(call: &Call<'_>, name: &RepositoryName, digest: &Digest) -> Answer {
    let path = call.path(name)?;
    let package = call
        .registry
        .authorize(&call.caller, &path, PackagePermission::Read)
        .await?;
    let blob = call.registry.stat_blob(&package, digest).await?;
    if call
        .header(IF_NONE_MATCH)
        .is_some_and(|tags| names(tags, digest))
    {
        return Ok(described(empty(StatusCode::NOT_MODIFIED), digest));
    }
    let range = requested_range(call, &blob)?;
    if call.method == Method::HEAD {
        return Ok(head(&blob));
    }
    let bytes = range.map_or(0..blob.size, |range| range.start()..range.end() + 1);
    let length = bytes.end - bytes.start;
    let response = match call.registry.open_blob(&blob, bytes).await? {
        OpenedBlob::Redirect { url, .. } => return redirect(url.as_str()),
        OpenedBlob::File(file) => Response::new(Body::file_range(file, &call.connection)),
        OpenedBlob::Stream(stream) => Response::new(Body::stream(StreamBody::new(
            stream.bytes.map_ok(Frame::data),
        ))),
    };
    let mut response = content(described(response, digest));
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(range) = range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        response = response.with(headers::content_range(&range));
    }
    Ok(response)
}

/// `DELETE`: the link to it stops being readable at once.
pub(super) async fn delete(call: &Call<'_>, name: &RepositoryName, digest: &Digest) -> Answer {
    let path = call.path(name)?;
    let package = call
        .registry
        .authorize(&call.caller, &path, PackagePermission::Delete)
        .await?;
    call.registry
        .delete_blob(&call.caller, &package, digest)
        .await?;
    Ok(empty(StatusCode::ACCEPTED).with(headers::docker_content_digest(digest)))
}

fn head(blob: &BlobInfo) -> Response<Body> {
    let mut response = content(described(empty(StatusCode::OK), &blob.digest));
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(blob.size));
    response
}

/// A range only counts while the content is what the client has a part of; a digest always is.
fn requested_range(call: &Call<'_>, blob: &BlobInfo) -> Result<Option<ByteRange>, Refused> {
    let stale = call
        .header(IF_RANGE)
        .is_some_and(|tag| !names(tag, &blob.digest));
    match call.header(RANGE) {
        Some(range) if !stale && call.method != Method::HEAD => {
            ByteRange::parse(range, blob.size).map_err(Refused::Range)
        }
        _ => Ok(None),
    }
}

fn redirect(url: &str) -> Answer {
    let value = HeaderValue::from_str(url).map_err(|_| {
        naru_registry::Error::Internal("the blob store gave a URL that is none".to_owned())
    })?;
    let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
    response.headers_mut().insert(LOCATION, value);
    Ok(response)
}

/// Whether a list of entity tags names this digest, or anything.
pub(super) fn names(tags: &str, digest: &Digest) -> bool {
    tags.split(',').map(str::trim).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.trim_matches('"') == digest.as_str()
    })
}

/// Digest and entity tag: content never changes under a digest.
pub(super) fn described(response: Response<Body>, digest: &Digest) -> Response<Body> {
    let mut response = response.with(headers::docker_content_digest(digest));
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{digest}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Blobs are what strangers pushed: never to be guessed at, shown or run by a browser.
fn content(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    let octets = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, octets);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=31536000, immutable"),
    );
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    untrusted(response)
}

/// What every answer with somebody's content carries.
pub(super) fn untrusted(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static("sandbox; default-src 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}
