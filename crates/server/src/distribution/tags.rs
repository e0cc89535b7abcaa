//! Tag lists (end-8) and the catalogue.

use http::StatusCode;
use naru_model::PackagePermission;
use naru_oci::{Endpoint, RepositoryName, Tag, headers};
use serde::Serialize;

use super::{Answer, Call, WithHeader, json};

#[derive(Serialize)]
struct TagsList<'a> {
    name: &'a str,
    tags: &'a [String],
}

/// `GET …/tags/list`: names in lexical order, a page at a time.
pub(super) async fn list(
    call: &Call<'_>,
    name: &RepositoryName,
    n: Option<u32>,
    last: Option<&Tag>,
) -> Answer {
    let path = call.path(name)?;
    let package = call
        .registry
        .authorize(&call.caller, &path, PackagePermission::Read)
        .await?;
    let after = last.map(Tag::as_str);
    let page = call
        .registry
        .list_tags(&package, after, n.map(u64::from))
        .await?;
    let body = to_json(&TagsList {
        name: name.as_str(),
        tags: &page.names,
    })?;
    let response = json(StatusCode::OK, body);
    let last = page.names.last().and_then(|last| last.parse().ok());
    match last {
        Some(last) if page.more => {
            let n = n.or_else(|| u32::try_from(page.names.len()).ok());
            let next = Endpoint::TagsList {
                name: name.clone(),
                n,
                last: Some(last),
            };
            Ok(response.with(headers::link_next("", &next)))
        }
        _ => Ok(response),
    }
}

#[derive(Serialize)]
struct Catalog<'a> {
    repositories: &'a [String],
}

/// `GET /v2/_catalog`: what the caller may read, and nothing to strangers.
pub(super) async fn catalog(
    call: &Call<'_>,
    n: Option<u32>,
    last: Option<&RepositoryName>,
) -> Answer {
    let page = call
        .registry
        .catalog(&call.caller, call.arrival.registry, last, n.map(u64::from))
        .await?;
    let body = to_json(&Catalog {
        repositories: &page.names,
    })?;
    let response = json(StatusCode::OK, body);
    let last = page.names.last().and_then(|last| last.parse().ok());
    match last {
        Some(last) if page.more => {
            let n = n.or_else(|| u32::try_from(page.names.len()).ok());
            let next = Endpoint::Catalog {
                n,
                last: Some(last),
            };
            Ok(response.with(headers::link_next("", &next)))
        }
        _ => Ok(response),
    }
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>, naru_registry::Error> {
    serde_json::to_vec(value).map_err(|error| naru_registry::Error::Internal(error.to_string()))
}
