//! Uploads of blobs (end-4, end-5, end-6, end-11, end-13, end-14).

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use naru_model::PackagePermission;
use naru_oci::{ContentRange, Digest, Endpoint, ErrorCode, RepositoryName, UploadId, headers};
use naru_registry::uploads::{BeginUpload, Begun, Chunk, UploadStatus};

use super::error::Refused;
use super::{Answer, Call, WithHeader, empty};
use crate::body::Body;
use crate::listen::RequestBody;

/// `POST`: mounts a blob, takes a whole one, or opens an upload.
pub(super) async fn begin(call: &Call<'_>, body: RequestBody) -> Answer {
    let Endpoint::Uploads {
        name,
        mount,
        from,
        digest,
        ..
    } = &call.endpoint
    else {
        return Err(naru_registry::Error::Unsupported.into());
    };
    let path = call.path(name)?;
    let target = call.registry.authorize_push(&call.caller, &path).await?;
    if let Some(digest) = digest {
        let chunk = chunk(call, body, None)?;
        call.registry
            .upload_whole(&call.caller, &target, digest, chunk)
            .await?;
        return Ok(created(call, name, digest));
    }
    let from = match (mount, from) {
        (Some(_), Some(from)) => source(call, from).await?,
        _ => None,
    };
    // A source that cannot be read is no source; the client uploads instead.
    let nowhere = from.is_none() && call.names_source();
    let begin = BeginUpload {
        mount: mount.clone().filter(|_| !nowhere),
        from,
    };
    match call
        .registry
        .begin_upload(&call.caller, &target, begin)
        .await?
    {
        Begun::Mounted(digest) => Ok(created(call, name, &digest)),
        Begun::Open(status) => Ok(progress(call, name, &status, StatusCode::ACCEPTED)),
    }
}

/// `GET`: where an upload stands.
pub(super) async fn status(call: &Call<'_>, name: &RepositoryName, id: &UploadId) -> Answer {
    let path = call.path(name)?;
    let target = call.registry.authorize_push(&call.caller, &path).await?;
    let status = call
        .registry
        .upload_status(&call.caller, &target, id)
        .await?;
    Ok(progress(call, name, &status, StatusCode::NO_CONTENT))
}

/// `PATCH`: takes a chunk.
pub(super) async fn append(
    call: &Call<'_>,
    name: &RepositoryName,
    id: &UploadId,
    body: RequestBody,
) -> Answer {
    let path = call.path(name)?;
    let target = call.registry.authorize_push(&call.caller, &path).await?;
    let chunk = chunk(call, body, content_range(call)?)?;
    let status = call
        .registry
        .append_upload(&call.caller, &target, id, chunk)
        .await?;
    Ok(progress(call, name, &status, StatusCode::ACCEPTED))
}

/// `PUT`: takes the rest and makes it a blob.
pub(super) async fn finish(
    call: &Call<'_>,
    name: &RepositoryName,
    id: &UploadId,
    digest: &Digest,
    body: RequestBody,
) -> Answer {
    let path = call.path(name)?;
    let target = call.registry.authorize_push(&call.caller, &path).await?;
    let chunk = chunk(call, body, content_range(call)?)?;
    call.registry
        .finish_upload(&call.caller, &target, id, digest, chunk)
        .await?;
    Ok(created(call, name, digest))
}

/// `DELETE`: gives an upload up.
pub(super) async fn cancel(call: &Call<'_>, name: &RepositoryName, id: &UploadId) -> Answer {
    let path = call.path(name)?;
    let target = call.registry.authorize_push(&call.caller, &path).await?;
    call.registry
        .cancel_upload(&call.caller, &target, id)
        .await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

impl Call<'_> {
    fn names_source(&self) -> bool {
        matches!(
            &self.endpoint,
            Endpoint::Uploads {
                mount: Some(_),
                from: Some(_),
                ..
            }
        )
    }
}

/// Mounting from elsewhere is a read of elsewhere. `None` when there is nothing to read there for
/// this caller, whatever the reason; only a token that was given for less is told so, since a
/// better one is to be had.
async fn source(
    call: &Call<'_>,
    from: &RepositoryName,
) -> Result<Option<naru_registry::access::Authorized>, Refused> {
    use naru_model::policy::Refusal;
    use naru_registry::Error;

    let Ok(path) = call.path(from) else {
        return Ok(None);
    };
    match call
        .registry
        .authorize(&call.caller, &path, PackagePermission::Read)
        .await
    {
        Ok(source) => Ok(Some(source)),
        Err(error @ Error::Refused(Refusal::TokenTooNarrow { .. })) => Err(error.into()),
        Err(Error::Refused(_) | Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn content_range(call: &Call<'_>) -> Result<Option<ContentRange>, Refused> {
    let invalid = |text: String| Refused::Request(ErrorCode::RangeInvalid, text);
    match call.headers.get(CONTENT_RANGE) {
        None => Ok(None),
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .map(Some)
            .ok_or_else(|| invalid("Content-Range is <first byte>-<last byte>".to_owned())),
    }
}

fn chunk(
    call: &Call<'_>,
    body: RequestBody,
    range: Option<ContentRange>,
) -> Result<Chunk<impl Stream<Item = naru_registry::Result<Bytes>> + Send + Unpin + use<>>, Refused>
{
    if call
        .header(CONTENT_TYPE)
        .is_some_and(|kind| kind.starts_with("multipart/"))
    {
        return Err(Refused::FormUpload);
    }
    let length = call
        .header(CONTENT_LENGTH)
        .and_then(|length| length.parse().ok());
    let body = body.into_data_stream().map(|bytes| {
        bytes.map_err(|error| {
            tracing::debug!(%error, "the body of an upload ended early");
            naru_registry::Error::ClientGone
        })
    });
    Ok(Chunk {
        range,
        length,
        body,
    })
}

fn created(call: &Call<'_>, name: &RepositoryName, digest: &Digest) -> Response<Body> {
    let blob = Endpoint::Blob {
        name: name.clone(),
        digest: digest.clone(),
    };
    empty(StatusCode::CREATED)
        .with(headers::location(&call.origin(), &blob))
        .with(headers::docker_content_digest(digest))
}

fn progress(
    call: &Call<'_>,
    name: &RepositoryName,
    status: &UploadStatus,
    code: StatusCode,
) -> Response<Body> {
    let upload = Endpoint::Upload {
        name: name.clone(),
        id: status.id.clone(),
        digest: None,
    };
    empty(code)
        .with(headers::location(&call.origin(), &upload))
        .with(headers::upload_range(status.offset))
        .with(headers::docker_upload_uuid(&status.id))
}
