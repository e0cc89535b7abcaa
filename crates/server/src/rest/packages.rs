//! Packages: listed (contract D2).

use naru_model::{PackageType, Scope, Visibility};
use naru_registry::Cursor;
use naru_registry::packages::WantedPackages;
use serde::Deserialize;
use utoipa::IntoParams;

use super::call::{Call, Owner};
use super::error::Failure;
use super::finish::Outcome;
use super::input::Query;
use super::operation::Operations;
use super::paging::{Paging, Rest};
use super::views::PackageView;

/// The operations of packages.
pub(super) fn routes(operations: &mut Operations) {
    for (path, id, summary) in [
        (
            "/orgs/{org}/packages",
            "packages/list-packages-for-organization",
            "List packages for an organization",
        ),
        (
            "/user/packages",
            "packages/list-packages-for-authenticated-user",
            "List packages for the authenticated user's namespace",
        ),
        (
            "/users/{username}/packages",
            "packages/list-packages-for-user",
            "List packages for a user",
        ),
    ] {
        operations
            .get(path, list)
            .id(id)
            .summary(summary)
            .needs(&[Scope::ReadPackages], "list packages")
            .query::<ListPackages>()
            .query::<Paging>()
            .lists::<PackageView>("The packages that the caller may read, newest first")
            .refuses(&[400, 401, 403, 404]);
    }
}

/// Which packages are asked for.
#[derive(Debug, Deserialize, IntoParams)]
struct ListPackages {
    /// The type of package: `container`, or `docker` for the older Docker registry. Names of other
    /// ecosystems are known and give an empty list.
    #[param(required = true)]
    package_type: Option<String>,
    /// Only packages with this visibility: `public`, `internal` or `private`.
    visibility: Option<String>,
}

/// Types of packages that the vendor has and Naru does not: none of theirs can be here.
const OTHER_ECOSYSTEMS: &[&str] = &["npm", "maven", "rubygems", "nuget"];

impl ListPackages {
    /// `None` for an ecosystem of which there can be nothing here.
    fn wanted(&self) -> Result<Option<WantedPackages>, Failure> {
        let visibility = match &self.visibility {
            Some(word) => Some(word.parse::<Visibility>().map_err(invalid)?),
            None => None,
        };
        let word = self.package_type.as_deref().unwrap_or_default();
        if OTHER_ECOSYSTEMS.contains(&word) {
            return Ok(None);
        }
        let package_type = word.parse::<PackageType>().map_err(|_| {
            Failure::bad_request(
                "package_type is required: container, or docker for the older Docker registry.",
            )
        })?;
        Ok(Some(WantedPackages {
            package_type: Some(package_type),
            visibility,
        }))
    }
}

fn invalid(error: impl std::fmt::Display) -> Failure {
    Failure::bad_request(format!("Invalid argument: {error}."))
}

async fn list(
    call: Call,
    Query(packages): Query<ListPackages>,
    Query(paging): Query<Paging>,
) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let page = paging.wanted()?;
    let Some(wanted) = packages.wanted()? else {
        return call.ok(&[(); 0]);
    };
    let cursor = Cursor {
        after: page.after,
        skip: page.skip,
        limit: page.limit,
    };
    let found = call
        .registry()
        .list_packages(call.caller(), owner.login(), wanted, cursor)
        .await?;
    let urls = call.urls();
    let views: Vec<PackageView> = found
        .items
        .iter()
        .map(|listed| PackageView::new(listed, &owner, &urls))
        .collect();
    let rest = Rest {
        next: found.next.and_then(|next| next.after),
        total: None,
    };
    Ok(call.ok(&views)?.linked(page.link(&call, rest)))
}
