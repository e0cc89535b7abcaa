//! Manifests (end-2, end-3, end-7, end-9).

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use naru_model::PackagePermission;
use naru_oci::{Accept, Endpoint, Reference, RepositoryName, Tag, headers};
use naru_registry::manifests::PutManifest;

use super::blobs::{described, names, untrusted};
use super::error::Refused;
use super::{Answer, Call, WithHeader, empty};
use crate::body::Body;
use crate::listen::RequestBody;

/// `GET` and `HEAD`: the manifest, byte for byte.
pub(super) async fn get(call: &Call<'_>, name: &RepositoryName, reference: &Reference) -> Answer {
    let path = call.path(name)?;
    let package = call
        .registry
        .authorize(&call.caller, &path, PackagePermission::Read)
        .await?;
    let accept = Accept::from_headers(&call.headers);
    let manifest = call
        .registry
        .get_manifest(&package, reference, &accept)
        .await?;
    if call
        .header(IF_NONE_MATCH)
        .is_some_and(|tags| names(tags, &manifest.digest))
    {
        return Ok(described(empty(StatusCode::NOT_MODIFIED), &manifest.digest));
    }
    let body = match call.method {
        Method::HEAD => Body::empty(),
        _ => {
            call.registry.count_download(&package, &manifest, reference);
            Body::from(manifest.content.clone())
        }
    };
    let mut response = untrusted(described(Response::new(body), &manifest.digest));
    let fields = response.headers_mut();
    fields.insert(CONTENT_LENGTH, HeaderValue::from(manifest.content.len()));
    if let Ok(value) = HeaderValue::from_str(manifest.media_type.as_str()) {
        fields.insert(CONTENT_TYPE, value);
    }
    Ok(response)
}

/// `PUT`: takes a manifest, under a tag, a digest, or a digest with tags.
pub(super) async fn put(
    call: &Call<'_>,
    name: &RepositoryName,
    reference: &Reference,
    tags: &[Tag],
    body: RequestBody,
) -> Answer {
    let path = call.path(name)?;
    let target = call.registry.authorize_push(&call.caller, &path).await?;
    let content = read(call, body).await?;
    let put = PutManifest {
        reference: reference.clone(),
        tags: tags.to_vec(),
        content_type: call.header(CONTENT_TYPE).map(ToOwned::to_owned),
        content,
    };
    let pushed = call
        .registry
        .put_manifest(&call.caller, &target, put)
        .await?;
    let location = Endpoint::Manifest {
        name: name.clone(),
        reference: Reference::Digest(pushed.digest.clone()),
        tags: Vec::new(),
    };
    let mut response = empty(StatusCode::CREATED)
        .with(headers::location(&call.origin(), &location))
        .with(headers::docker_content_digest(&pushed.digest));
    if let Some(subject) = &pushed.subject {
        response = response.with(headers::oci_subject(subject));
    }
    if !tags.is_empty() {
        response = pushed
            .tags
            .iter()
            .fold(response, |r, tag| r.with(headers::oci_tag(tag)));
    }
    Ok(response)
}

/// `DELETE`: a tag alone, or the manifest with its tags.
pub(super) async fn delete(
    call: &Call<'_>,
    name: &RepositoryName,
    reference: &Reference,
) -> Answer {
    let path = call.path(name)?;
    let package = call
        .registry
        .authorize(&call.caller, &path, PackagePermission::Delete)
        .await?;
    match reference {
        Reference::Tag(tag) => {
            call.registry
                .delete_tag(&call.caller, &package, tag)
                .await?
        }
        Reference::Digest(digest) => {
            call.registry
                .delete_manifest(&call.caller, &package, digest)
                .await?;
        }
    }
    Ok(empty(StatusCode::ACCEPTED))
}

/// Reads the whole body, which is small, or says that it is too large before it has arrived.
async fn read(call: &Call<'_>, body: RequestBody) -> Result<Bytes, Refused> {
    let limit = call.registry.settings().manifest_limit;
    let too_large = || naru_registry::Error::TooLarge {
        what: "the manifest",
        limit,
    };
    let said = call
        .header(CONTENT_LENGTH)
        .and_then(|length| length.parse::<u64>().ok());
    if said.is_some_and(|length| length > limit) {
        return Err(too_large().into());
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large().into()),
        Err(_) => Err(naru_registry::Error::ClientGone.into()),
    }
}
