//! Packages: listed, shown, changed, deleted and restored (contract D2, D3, D6, D7).

use http::StatusCode;
use naru_model::{Moment, PackageId, PackagePath, PackageType, RepositoryPath, Scope, Visibility};
use naru_registry::packages::{BinPart, ListedPackage, PackageChange, WantedPackages};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::call::{Call, Owner};
use super::error::Failure;
use super::finish::{Answer, Outcome};
use super::input::{Json, Query, field, given};
use super::operation::Operations;
use super::owners::for_owners;
use super::paging::{Paging, PagingByPlace, Rest, Wanted};
use super::views::{PackageDeletionView, PackageView};

/// The operations of packages.
pub(super) fn routes(operations: &mut Operations) {
    lists(operations);
    one(operations);
    deleting(operations);
    conflicting(operations);
}

fn lists(operations: &mut Operations) {
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
            .query::<PagingByPlace>()
            .lists::<PackageView>("The packages that the caller may read, newest first")
            .refuses(&[400, 401, 403, 404]);
    }
}

fn one(operations: &mut Operations) {
    for (path, id, summary) in [
        (
            "/orgs/{org}/packages/{package_type}/{package_name}",
            "packages/get-package-for-organization",
            "Get a package for an organization",
        ),
        (
            "/user/packages/{package_type}/{package_name}",
            "packages/get-package-for-authenticated-user",
            "Get a package for the authenticated user",
        ),
        (
            "/users/{username}/packages/{package_type}/{package_name}",
            "packages/get-package-for-user",
            "Get a package for a user",
        ),
    ] {
        operations
            .get(path, get)
            .id(id)
            .summary(summary)
            .needs(&[Scope::ReadPackages], "get a package")
            .answers::<PackageView>(200, "The package")
            .refuses(&[401, 403, 404]);
    }
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}",
        "packages/update-package"
    ) {
        operations
            .patch(path, change)
            .own(id)
            .summary("Update a package")
            .description(
                "Who may read it, its description, the repository it is linked to and whether \
                 roles there count. All that is said is done, or nothing; what is not named stays \
                 as it is. Roles are granted with the operations of access.",
            )
            .needs(
                &[Scope::WritePackages, Scope::DeletePackages],
                "update a package",
            )
            .body::<ChangePackage>()
            .answers::<PackageView>(200, "The package as it is now")
            .refuses(&[400, 401, 403, 404, 422]);
    }
}

fn deleting(operations: &mut Operations) {
    for (path, id, summary) in [
        (
            "/orgs/{org}/packages/{package_type}/{package_name}",
            "packages/delete-package-for-org",
            "Delete a package for an organization",
        ),
        (
            "/user/packages/{package_type}/{package_name}",
            "packages/delete-package-for-authenticated-user",
            "Delete a package for the authenticated user",
        ),
        (
            "/users/{username}/packages/{package_type}/{package_name}",
            "packages/delete-package-for-user",
            "Delete a package for a user",
        ),
    ] {
        operations
            .delete(path, delete)
            .id(id)
            .summary(summary)
            .description("It can be restored for 30 days, as long as its name is free.")
            .needs(&[Scope::DeletePackages], "delete a package")
            .query::<HowToDelete>()
            .answers::<PackageDeletionView>(200, "With `dry_run=true`: what would go")
            .ends(204, "It is deleted")
            .refuses(&[400, 401, 403, 404, 422]);
    }
    for (path, id, summary) in [
        (
            "/orgs/{org}/packages/{package_type}/{package_name}/restore",
            "packages/restore-package-for-org",
            "Restore a package for an organization",
        ),
        (
            "/user/packages/{package_type}/{package_name}/restore",
            "packages/restore-package-for-authenticated-user",
            "Restore a package for the authenticated user",
        ),
        (
            "/users/{username}/packages/{package_type}/{package_name}/restore",
            "packages/restore-package-for-user",
            "Restore a package for a user",
        ),
    ] {
        operations
            .post(path, restore)
            .id(id)
            .summary(summary)
            .needs(&[Scope::WritePackages], "restore a package")
            .query::<Restore>()
            .ends(204, "It is back, with its versions, tags, roles and link")
            .refuses(&[401, 403, 404, 422]);
    }
}

fn conflicting(operations: &mut Operations) {
    for (path, id, summary) in [
        (
            "/orgs/{org}/docker/conflicts",
            "packages/list-docker-migration-conflicting-packages-for-organization",
            "Get list of conflicting packages during Docker migration for organization",
        ),
        (
            "/user/docker/conflicts",
            "packages/list-docker-migration-conflicting-packages-for-authenticated-user",
            "Get list of conflicting packages during Docker migration for authenticated-user",
        ),
        (
            "/users/{username}/docker/conflicts",
            "packages/list-docker-migration-conflicting-packages-for-user",
            "Get list of conflicting packages during Docker migration for user",
        ),
    ] {
        operations
            .get(path, conflicts)
            .id(id)
            .summary(summary)
            .description("As far as the caller may read both packages of the name.")
            .needs(&[Scope::ReadPackages], "list packages")
            .query::<Paging>()
            .lists::<PackageView>(
                "Packages of the older Docker registry whose name a package of the container \
                 registry has too",
            )
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
    /// `deleted`: those that were deleted and that the caller may restore (Naru's addition).
    state: Option<String>,
}

/// What is to be different about a package.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PackageChange)]
#[expect(
    clippy::option_option,
    reason = "absent, null and a value are three things in a PATCH"
)]
struct ChangePackage {
    /// `public`, `internal` or `private`.
    visibility: Option<String>,
    /// What it is, in at most 512 characters; null removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// The source repository of the same owner that it is linked to, as `OWNER/NAME`; null
    /// unlinks it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    repository: Option<Option<String>>,
    /// Whether explicit roles on the linked repository count as roles on the package.
    inherit_access: Option<bool>,
    /// Whether published versions of a package of the older Docker registry are immutable.
    default_tag_rule: Option<bool>,
}

const PACKAGE: &str = "Package";

impl ChangePackage {
    fn change(self) -> Result<PackageChange, Failure> {
        let repository: Option<Option<RepositoryPath>> = match &self.repository {
            Some(Some(text)) => Some(Some(field(PACKAGE, "repository", text)?)),
            Some(None) => Some(None),
            None => None,
        };
        let visibility: Option<Visibility> = match &self.visibility {
            Some(word) => Some(field(PACKAGE, "visibility", word)?),
            None => None,
        };
        Ok(PackageChange {
            visibility,
            description: self.description,
            repository,
            inherit_access: self.inherit_access,
            default_tag_rule: self.default_tag_rule,
        })
    }
}

/// How a package is to be deleted. A parameter that is not known is refused, so that a misspelt
/// `dry_run` deletes nothing.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct HowToDelete {
    /// `true`: nothing is deleted, and the answer says what would go, and how many bytes become
    /// free.
    dry_run: Option<bool>,
}

/// What comes with a wish to restore.
#[derive(Debug, Default, Deserialize, IntoParams)]
struct Restore {
    /// Known from the vendor's description, where it means nothing for packages of the container
    /// registry; ignored.
    #[serde(rename = "token")]
    #[param(rename = "token")]
    _token: Option<String>,
}

/// Types of packages that the vendor has and Naru does not: none of theirs can be here.
const OTHER_ECOSYSTEMS: &[&str] = &["npm", "maven", "rubygems", "nuget"];

impl ListPackages {
    /// `None` for an ecosystem of which there can be nothing here.
    fn wanted(&self) -> Result<Option<WantedPackages>, Failure> {
        let visibility = match &self.visibility {
            Some(word) => Some(word.parse::<Visibility>().map_err(Failure::bad_argument)?),
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
            visibility,
            ..WantedPackages::all_of(package_type)
        }))
    }
}

async fn list(
    call: Call,
    Query(packages): Query<ListPackages>,
    Query(paging): Query<PagingByPlace>,
) -> Outcome {
    let owner = call.owner().await?;
    let Some(wanted) = packages.wanted()? else {
        let login = owner.0.login();
        call.registry()
            .may_list_packages(call.caller(), login)
            .await?;
        return call.ok(&[(); 0]);
    };
    match packages.state.as_deref() {
        None | Some("" | "active") => live(&call, &owner, paging.wanted()?, wanted).await,
        Some("deleted") => deleted(&call, &owner, paging.wanted()?, wanted).await,
        Some(_) => Err(Failure::bad_request("state is active or deleted.")),
    }
}

async fn conflicts(call: Call, Query(paging): Query<Paging>) -> Outcome {
    let owner = call.owner().await?;
    let wanted = WantedPackages {
        conflicting: true,
        ..WantedPackages::all_of(PackageType::Docker)
    };
    live(&call, &owner, paging.wanted()?, wanted).await
}

async fn live(call: &Call, owner: &Owner, page: Wanted, wanted: WantedPackages) -> Outcome {
    let cursor = page.cursor();
    let (registry, caller, login) = (call.registry(), call.caller(), owner.0.login());
    let found = registry
        .list_packages(caller, login, wanted, cursor)
        .await?;
    // Only a page that is not the last one names that.
    let total = match (&found.next, page.before()) {
        (Some(_), Some(before)) => {
            let known = before.saturating_add(found.items.len()).saturating_add(1);
            registry
                .count_packages(caller, login, wanted, known)
                .await?
        }
        _ => None,
    };
    let rest = Rest {
        next: found.next.and_then(|next| next.after).into(),
        total,
    };
    let views = views(call, owner, &found.items).await?;
    Ok(call.ok(&views)?.linked(page.link(call, rest)))
}

/// Where a deleted package stands in the bin: `MICROSECONDS.NUMBER`, as an opaque text.
#[derive(Clone, Copy)]
struct Place(Moment, PackageId);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0.as_micros(), self.1)
    }
}

impl std::str::FromStr for Place {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (micros, id) = text.split_once('.').unwrap_or_default();
        let (micros, id) = (micros.parse()?, id.parse()?);
        Ok(Self(Moment::from_micros(micros), PackageId::new(id)))
    }
}

async fn deleted(
    call: &Call,
    owner: &Owner,
    page: Wanted<Place>,
    wanted: WantedPackages,
) -> Outcome {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let part = BinPart {
        limit: count(page.limit).saturating_add(1),
        skip: count(page.skip),
        after: page.after.map(|Place(at, id)| (at, id)),
    };
    let mut found = call
        .registry()
        .list_deleted_packages(call.caller(), owner.0.login(), wanted, part)
        .await?;
    let more = found.len() > page.limit;
    found.truncate(page.limit);
    let last = found.last().filter(|_| more).map(|last| &last.package);
    let rest = Rest {
        next: last
            .and_then(|last| Some(Place(last.deleted_at?, last.id)))
            .into(),
        total: None,
    };
    let views = views(call, owner, &found).await?;
    Ok(call.ok(&views)?.linked(page.link(call, rest)))
}

async fn views(
    call: &Call,
    owner: &Owner,
    found: &[ListedPackage],
) -> Result<Vec<PackageView>, Failure> {
    let known = std::slice::from_ref(&owner.0);
    let linked = call
        .registry()
        .linked_repositories(call.caller(), found, known)
        .await?;
    let urls = call.urls();
    let view = |listed| PackageView::new(listed, &owner.0, &linked, &urls);
    Ok(found.iter().map(view).collect())
}

async fn get(call: Call) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    show(&call, &owner, &path).await
}

async fn show(call: &Call, owner: &Owner, path: &PackagePath) -> Outcome {
    let known = std::slice::from_ref(&owner.0);
    let found = call
        .registry()
        .package_details(call.caller(), path, known)
        .await?;
    let linked: Vec<_> = found.repository.into_iter().collect();
    let urls = call.urls();
    call.ok(&PackageView::new(&found.listed, &owner.0, &linked, &urls))
}

async fn change(call: Call, Json(body): Json<ChangePackage>) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    call.registry()
        .change_package(call.caller(), &path, body.change()?)
        .await?;
    show(&call, &owner, &path).await
}

async fn delete(call: Call) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let how: HowToDelete = call.strict_query()?;
    let (registry, caller) = (call.registry(), call.caller());
    if how.dry_run == Some(true) {
        let found = registry.preview_delete_package(caller, &path).await?;
        return call.ok(&PackageDeletionView::new(&found));
    }
    registry.delete_package(caller, &path).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn restore(call: Call, Query(_): Query<Restore>) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    call.registry()
        .restore_package(call.caller(), &path)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
