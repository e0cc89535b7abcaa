//! Referrers (end-12).

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use naru_model::PackagePermission;
use naru_oci::{Digest, Endpoint, MediaType, ReferrersIndex, RepositoryName, headers};

use super::{Answer, Call, WithHeader, json};

/// `GET …/referrers/<digest>`: an index of the manifests that refer to it; empty if there are none.
pub(super) async fn list(call: &Call<'_>, name: &RepositoryName, digest: &Digest) -> Answer {
    let path = call.path(name)?;
    let package =
        call.registry.authorize(&call.caller, &path, PackagePermission::Read).await?;
    let Endpoint::Referrers { artifact_type, n, last, .. } = &call.endpoint else {
        return Err(naru_registry::Error::Unsupported.into());
    };
    let wanted = artifact_type.as_ref().map(MediaType::as_str);
    let page = call.registry.referrers(&package, digest, wanted, last.as_ref()).await?;
    let body = ReferrersIndex::new(&page.descriptors).to_body();
    let mut response = json(StatusCode::OK, body);
    let index = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");
    response.headers_mut().insert(CONTENT_TYPE, index);
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
