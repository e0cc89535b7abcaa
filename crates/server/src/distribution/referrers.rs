//! Referrers (end-12).

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use naru_model::PackagePermission;
use naru_model::policy::Refusal;
use naru_oci::{Descriptor, Digest, Endpoint, MediaType, ReferrersIndex, RepositoryName, headers};

use naru_registry::Error;

use super::{Answer, Call, WithHeader, json};
use crate::body::Body;

/// `GET …/referrers/<digest>`: an index of the manifests that refer to it; empty if there are none.
pub(super) async fn list(call: &Call<'_>, name: &RepositoryName, digest: &Digest) -> Answer {
    let path = call.path(name)?;
    let package = call
        .registry
        .authorize(&call.caller, &path, PackagePermission::Read)
        .await;
    let package = match package {
        Ok(package) => package,
        // A 404 would say that this registry has no referrers API. What is not there has no
        // referrers, and what the caller may not know about answers the same.
        Err(Error::Refused(Refusal::Unknown) | Error::NotFound { .. })
            if !call.caller.principal.is_anonymous() =>
        {
            return Ok(index(&[]));
        }
        Err(error) => return Err(error.into()),
    };
    let Endpoint::Referrers {
        artifact_type,
        n,
        last,
        ..
    } = &call.endpoint
    else {
        return Err(Error::Unsupported.into());
    };
    let wanted = artifact_type.as_ref().map(MediaType::as_str);
    let page = call
        .registry
        .referrers(&package, digest, wanted, last.as_ref())
        .await?;
    let mut response = index(&page.descriptors);
    if artifact_type.is_some() {
        response = response.with(headers::oci_filters_applied());
    }
    if let Some(next) = page.next {
        let next = Endpoint::Referrers {
            name: name.clone(),
            digest: digest.clone(),
            artifact_type: artifact_type.clone(),
            n: *n,
            last: Some(next),
        };
        response = response.with(headers::link_next("", &next));
    }
    Ok(response)
}

fn index(descriptors: &[Descriptor]) -> Response<Body> {
    let mut response = json(StatusCode::OK, ReferrersIndex::new(descriptors).to_body());
    let index = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");
    response.headers_mut().insert(CONTENT_TYPE, index);
    response
}
