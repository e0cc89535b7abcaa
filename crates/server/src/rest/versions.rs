//! Package versions: listed, shown, deleted, restored (contract D3, D6, D7; `EXTENSIONS`).

use http::{HeaderName, StatusCode};
use naru_model::{Cascade, Needed, Scope, VersionId, VersionState};
use naru_registry::versions::bulk::{MOST, Selection};
use naru_registry::versions::delete::DeleteOptions;
use naru_registry::versions::plan::{Deletion, Fate};
use naru_registry::versions::{VersionRef, WantedVersions};
use serde::Deserialize;
use utoipa::IntoParams;

use super::call::Call;
use super::error::Failure;
use super::finish::{Answer, Outcome};
use super::input::{Json, Query};
use super::operation::Operations;
use super::paging::{Paging, Rest};
use super::views::{
    BulkDeletionView, BulkRestorationView, DeleteRequest, DeletionView, FilterView, RestoreRequest,
    VersionView,
};

/// The operations of versions.
pub(super) fn routes(operations: &mut Operations) {
    reading(operations);
    deleting(operations);
    restoring(operations);
}

fn reading(operations: &mut Operations) {
    for (path, id, summary) in [
        (
            "/orgs/{org}/packages/{package_type}/{package_name}/versions",
            "packages/get-all-package-versions-for-package-owned-by-org",
            "List package versions for a package owned by an organization",
        ),
        (
            "/user/packages/{package_type}/{package_name}/versions",
            "packages/get-all-package-versions-for-package-owned-by-authenticated-user",
            "List package versions for a package owned by the authenticated user",
        ),
        (
            "/users/{username}/packages/{package_type}/{package_name}/versions",
            "packages/get-all-package-versions-for-package-owned-by-user",
            "List package versions for a package owned by a user",
        ),
    ] {
        operations
            .get(path, list)
            .id(id)
            .summary(summary)
            .needs(&[Scope::ReadPackages], "get a package's versions")
            .query::<ListVersions>()
            .query::<Paging>()
            .lists::<VersionView>("The versions of the package, newest first")
            .refuses(&[400, 401, 403, 404, 422]);
    }
    for (path, id, summary) in [
        (
            "/orgs/{org}/packages/{package_type}/{package_name}/versions/{package_version_id}",
            "packages/get-package-version-for-organization",
            "Get a package version for an organization",
        ),
        (
            "/user/packages/{package_type}/{package_name}/versions/{package_version_id}",
            "packages/get-package-version-for-authenticated-user",
            "Get a package version for the authenticated user",
        ),
        (
            "/users/{username}/packages/{package_type}/{package_name}/versions/{package_version_id}",
            "packages/get-package-version-for-user",
            "Get a package version for a user",
        ),
    ] {
        operations
            .get(path, get)
            .id(id)
            .summary(summary)
            .needs(&[Scope::ReadPackages], "get a package version")
            .answers::<VersionView>(200, "The version")
            .refuses(&[401, 403, 404]);
    }
}

fn deleting(operations: &mut Operations) {
    for (path, id, summary) in [
        (
            "/orgs/{org}/packages/{package_type}/{package_name}/versions/{package_version_id}",
            "packages/delete-package-version-for-org",
            "Delete package version for an organization",
        ),
        (
            "/user/packages/{package_type}/{package_name}/versions/{package_version_id}",
            "packages/delete-package-version-for-authenticated-user",
            "Delete a package version for the authenticated user",
        ),
        (
            "/users/{username}/packages/{package_type}/{package_name}/versions/{package_version_id}",
            "packages/delete-package-version-for-user",
            "Delete package version for a user",
        ),
    ] {
        operations
            .delete(path, delete)
            .id(id)
            .summary(summary)
            .description(WITHDRAWN)
            .needs(&[Scope::DeletePackages], "delete a package version")
            .query::<HowToDelete>()
            .answers::<DeletionView>(200, "With `dry_run=true`: what would go, and why")
            .ends(204, "It is deleted")
            .refuses(&[400, 401, 403, 404, 409, 422]);
    }
    for (path, id, summary) in [
        (
            "/orgs/{org}/packages/{package_type}/{package_name}/versions/delete-request",
            "packages/delete-package-versions-for-org",
            "Delete many package versions for an organization",
        ),
        (
            "/user/packages/{package_type}/{package_name}/versions/delete-request",
            "packages/delete-package-versions-for-authenticated-user",
            "Delete many package versions for the authenticated user",
        ),
        (
            "/users/{username}/packages/{package_type}/{package_name}/versions/delete-request",
            "packages/delete-package-versions-for-user",
            "Delete many package versions for a user",
        ),
    ] {
        operations
            .post(path, delete_many)
            .own(id)
            .summary(summary)
            .description(WITHDRAWN)
            .needs(&[Scope::DeletePackages], "delete package versions")
            .body::<DeleteRequest>()
            .answers::<BulkDeletionView>(200, "What became of each version, or would")
            .refuses(&[400, 401, 403, 404, 422]);
    }
}

/// What deletes have in common.
const WITHDRAWN: &str = "A version that a listed index, or its listed subject, still reaches is \
    withdrawn: it leaves the lists and loses its tags, and its manifest stays served by digest \
    until nothing reaches it any more. What was deleted can be restored for 30 days.";

fn restoring(operations: &mut Operations) {
    for (path, id, summary) in [
        (
            "/orgs/{org}/packages/{package_type}/{package_name}/versions/{package_version_id}/restore",
            "packages/restore-package-version-for-org",
            "Restore package version for an organization",
        ),
        (
            "/user/packages/{package_type}/{package_name}/versions/{package_version_id}/restore",
            "packages/restore-package-version-for-authenticated-user",
            "Restore a package version for the authenticated user",
        ),
        (
            "/users/{username}/packages/{package_type}/{package_name}/versions/{package_version_id}/restore",
            "packages/restore-package-version-for-user",
            "Restore package version for a user",
        ),
    ] {
        operations
            .post(path, restore)
            .id(id)
            .summary(summary)
            .needs(&[Scope::WritePackages], "restore a package version")
            .ends(
                204,
                "It is back, with the tags that it lost whose names are free",
            )
            .refuses(&[401, 403, 404]);
    }
    for (path, id, summary) in [
        (
            "/orgs/{org}/packages/{package_type}/{package_name}/versions/restore-request",
            "packages/restore-package-versions-for-org",
            "Restore many package versions for an organization",
        ),
        (
            "/user/packages/{package_type}/{package_name}/versions/restore-request",
            "packages/restore-package-versions-for-authenticated-user",
            "Restore many package versions for the authenticated user",
        ),
        (
            "/users/{username}/packages/{package_type}/{package_name}/versions/restore-request",
            "packages/restore-package-versions-for-user",
            "Restore many package versions for a user",
        ),
    ] {
        operations
            .post(path, restore_many)
            .own(id)
            .summary(summary)
            .needs(&[Scope::WritePackages], "restore package versions")
            .body::<RestoreRequest>()
            .answers::<BulkRestorationView>(200, "What came back, or would")
            .refuses(&[400, 401, 403, 404, 422]);
    }
}

/// Which versions are asked for.
#[derive(Debug, Deserialize, IntoParams)]
struct ListVersions {
    /// Nothing said: those that are listed. `active`: also those that were withdrawn and are still
    /// served. `deleted`: those that can be restored, for administrators of the package.
    #[param(value_type = Option<String>)]
    state: Option<String>,
}

async fn list(
    call: Call,
    Query(versions): Query<ListVersions>,
    Query(paging): Query<Paging>,
) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let page = paging.wanted()?;
    let wanted = WantedVersions {
        state: state(versions.state.as_deref())?,
        limit: page.limit,
        skip: page.skip,
        after: page.after.map(VersionId::new),
    };
    let registry = call.registry();
    let found = registry.list_versions(call.caller(), &path, wanted).await?;
    let urls = call.urls();
    let view = |listed| VersionView::new(listed, &owner.0, &path, &urls);
    let views: Vec<VersionView> = found.items.iter().map(view).collect();
    let rest = Rest {
        next: found.next.map(VersionId::get).into(),
        total: Some(found.total),
    };
    Ok(call.ok(&views)?.linked(page.link(&call, rest)))
}

fn state(word: Option<&str>) -> Result<VersionState, Failure> {
    match word {
        None | Some("") => Ok(VersionState::Listed),
        Some(word) => word.parse().map_err(Failure::bad_argument),
    }
}

async fn get(call: Call) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let version = version(&call)?;
    let found = call.registry().version(call.caller(), &path, &version);
    let found = found.await?;
    call.ok(&VersionView::new(&found, &owner.0, &path, &call.urls()))
}

fn version(call: &Call) -> Result<VersionRef, Failure> {
    let number = call.part("package_version_id")?;
    Ok(VersionRef::Id(VersionId::new(number)))
}

/// How a version is to be deleted. A parameter that is not known is refused, so that a misspelt
/// `dry_run` deletes nothing.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct HowToDelete {
    /// `withdraw`: a version that something keeps leaves the lists and stays served. `refuse`: it
    /// is not deleted (409). Nothing said means what the organization says, else `withdraw`.
    #[param(value_type = Option<String>)]
    needed: Option<Needed>,
    /// What goes along, unless something else keeps it: `none`, `children`, `referrers` or `all`.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    cascade: Cascade,
    /// `true`: nothing is deleted, and the answer says what would go, why, and how many bytes
    /// become free.
    #[param(value_type = Option<bool>)]
    dry_run: Option<DryRun>,
}

/// Exactly `true` or `false`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum DryRun {
    True,
    False,
}

/// Names what keeps a version that was withdrawn.
const RETAINED_BY: HeaderName = HeaderName::from_static("naru-retained-by");

async fn delete(call: Call) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let version = version(&call)?;
    let how: HowToDelete = call.strict_query()?;
    let options = DeleteOptions {
        needed: how.needed,
        cascade: how.cascade,
    };
    let (registry, caller) = (call.registry(), call.caller());
    if how.dry_run == Some(DryRun::True) {
        let preview = registry.preview_delete_version(caller, &path, &version, options);
        return call.ok(&DeletionView::new(&preview.await?));
    }
    let done = registry.delete_version(caller, &path, &version, options);
    Ok(retained(&done.await?))
}

/// 204, and what keeps what was asked for.
fn retained(done: &Deletion) -> Answer {
    let answer = Answer::empty(StatusCode::NO_CONTENT);
    let keeper = done.asked().find_map(|asked| match &asked.fate {
        Fate::Withdrawn { by } => Some(by),
        Fate::Deleted | Fate::Stays { .. } | Fate::Refused(_) => None,
    });
    match keeper {
        Some(by) => answer.with(RETAINED_BY, by.digest.as_str()),
        None => answer,
    }
}

async fn restore(call: Call) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let version = version(&call)?;
    call.registry()
        .restore_version(call.caller(), &path, &version)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn delete_many(call: Call, Json(request): Json<DeleteRequest>) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let dry_run = given(request.dry_run)?;
    let options = DeleteOptions {
        needed: request.needed,
        cascade: request.cascade.unwrap_or_default(),
    };
    let selection = selection(request.ids, request.filter)?;
    let (registry, caller) = (call.registry(), call.caller());
    let done = if dry_run {
        let preview = registry.preview_delete_versions(caller, &path, &selection, options);
        preview.await?
    } else {
        let done = registry.delete_versions(caller, &path, &selection, options);
        done.await?
    };
    call.ok(&BulkDeletionView::new(&done, dry_run))
}

async fn restore_many(call: Call, Json(request): Json<RestoreRequest>) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let dry_run = given(request.dry_run)?;
    let selection = selection(request.ids, request.filter)?;
    let (registry, caller) = (call.registry(), call.caller());
    let done = if dry_run {
        let preview = registry.preview_restore_versions(caller, &path, &selection);
        preview.await?
    } else {
        let done = registry.restore_versions(caller, &path, &selection);
        done.await?
    };
    call.ok(&BulkRestorationView::new(&done, dry_run))
}

/// Whether it is a dry run: that must be said where many versions are concerned.
fn given(dry_run: Option<bool>) -> Result<bool, Failure> {
    dry_run.ok_or_else(|| Failure::missing("PackageVersion", "dry_run"))
}

/// By numbers or by a filter, and by one of them alone.
fn selection(ids: Option<Vec<i64>>, filter: Option<FilterView>) -> Result<Selection, Failure> {
    let wrong = |text: &str| Err(Failure::invalid("PackageVersion", "ids", text));
    match (ids, filter) {
        (Some(ids), None) if ids.len() <= MOST => {
            let ids = ids.into_iter().map(VersionId::new);
            Ok(Selection::Ids(ids.collect()))
        }
        (Some(_), None) => wrong("at most 1000 at once"),
        (None, Some(filter)) => Ok(Selection::Filter(filter.into())),
        (Some(_), Some(_)) | (None, None) => wrong("give either `ids` or `filter`"),
    }
}
