//! Tags of a package: listed, read, moved, removed alone, and where they pointed before. Naru's
//! own operations (`EXTENSIONS`, `P/tags…`).

use http::StatusCode;
use naru_model::{Moment, Scope, VersionId};
use naru_oci::Tag;
use naru_registry::tags::{TagOrder, TagPlace, WantedTags};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::call::Call;
use super::error::Failure;
use super::finish::{Answer, Outcome};
use super::input::{Json, NoQuery, Query};
use super::operation::Operations;
use super::owners::for_owners;
use super::paging::{Paging, PagingByPlace, Rest, Wanted};
use super::views::{TagChangeView, TagView};

/// The operations of tags.
pub(super) fn routes(operations: &mut Operations) {
    lists(operations);
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/tags/{tag}",
        "packages/get-tag"
    ) {
        operations
            .get(path, get)
            .own(id)
            .summary("Get a tag of a package")
            .needs(&[Scope::ReadPackages], "get a tag")
            .answers::<TagView>(200, "The tag and the version it points at")
            .refuses(&[401, 403, 404]);
    }
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/tags/{tag}",
        "packages/move-tag"
    ) {
        operations
            .put(path, put)
            .own(id)
            .summary("Point a tag at a version")
            .description(
                "Makes the tag or moves it, as a push of the version to the tag does. Where it \
                 pointed before is in its history; putting it back is this operation again. Tag \
                 rules bind.",
            )
            .needs(&[Scope::WritePackages], "move a tag")
            .body::<MoveTag>()
            .answers::<TagView>(200, "The tag as it is now")
            .refuses(&[400, 401, 403, 404, 409, 422]);
    }
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/tags/{tag}",
        "packages/delete-tag"
    ) {
        operations
            .delete(path, delete)
            .own(id)
            .summary("Remove a tag from a package")
            .description("The version stays, untagged if it has no other tag. Tag rules bind.")
            .needs(&[Scope::DeletePackages], "delete a tag")
            .ends(204, "The tag is removed")
            .refuses(&[401, 403, 404, 409, 422]);
    }
}

fn lists(operations: &mut Operations) {
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/tags",
        "packages/list-tags"
    ) {
        operations
            .get(path, list)
            .own(id)
            .summary("List the tags of a package")
            .needs(&[Scope::ReadPackages], "list tags")
            .query::<ListTags>()
            .query::<PagingByPlace>()
            .lists::<TagView>("The tags, the one that changed last first")
            .refuses(&[400, 401, 403, 404]);
    }
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/tags/{tag}/history",
        "packages/list-tag-history"
    ) {
        operations
            .get(path, history)
            .own(id)
            .summary("List where a tag of a package pointed")
            .needs(&[Scope::ReadPackages], "list the history of a tag")
            .query::<Paging>()
            .lists::<TagChangeView>("What happened to the tag, the last change first")
            .refuses(&[400, 401, 403, 404]);
    }
}

/// Which tags are asked for.
#[derive(Debug, Deserialize, IntoParams)]
struct ListTags {
    /// `newest`, the tag that changed last first, or `name`.
    sort: Option<String>,
    /// Only tags that hold this text, in any case.
    q: Option<String>,
}

/// Where a tag is to point.
#[derive(Debug, Deserialize, ToSchema)]
struct MoveTag {
    /// The number of a version of the package; one that was withdrawn is listed again.
    version_id: Option<i64>,
}

impl ListTags {
    fn order(&self) -> Result<TagOrder, Failure> {
        match self.sort.as_deref() {
            None | Some("newest") => Ok(TagOrder::Newest),
            Some("name") => Ok(TagOrder::Name),
            Some(_) => Err(Failure::bad_request("sort is newest or name.")),
        }
    }
}

/// Where a tag stands in its list: `MICROSECONDS.NAME`, as an opaque text.
struct Place(TagPlace);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0.moved_at.as_micros(), self.0.name)
    }
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (micros, name) = text.split_once('.').ok_or(())?;
        let moved_at = Moment::from_micros(micros.parse().map_err(|_| ())?);
        let name = name.to_owned();
        Ok(Self(TagPlace { moved_at, name }))
    }
}

async fn list(
    call: Call,
    Query(tags): Query<ListTags>,
    Query(paging): Query<PagingByPlace>,
) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let page: Wanted<Place> = paging.wanted()?;
    let wanted = WantedTags {
        order: tags.order()?,
        holding: tags.q.filter(|text| !text.is_empty()),
        limit: page.limit,
        skip: page.skip,
        after: page.after.as_ref().map(|Place(after)| after.clone()),
    };
    let found = call
        .registry()
        .list_tag_records(call.caller(), &path, &wanted)
        .await?;
    let urls = call.urls();
    let views: Vec<TagView> = found
        .tags
        .iter()
        .map(|tag| TagView::new(tag, &owner.0, &path, &urls))
        .collect();
    let last = found.tags.last().filter(|_| found.more);
    let rest = Rest {
        next: last.map(|tag| Place(tag.into())).into(),
        total: None,
    };
    Ok(call.ok(&views)?.linked(page.link(&call, rest)))
}

async fn get(call: Call) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let tag: Tag = call.part("tag")?;
    let found = call
        .registry()
        .tag_record(call.caller(), &path, &tag)
        .await?;
    call.ok(&TagView::new(&found, &owner.0, &path, &call.urls()))
}

async fn put(call: Call, Json(body): Json<MoveTag>) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let tag: Tag = call.part("tag")?;
    let missing = || Failure::missing("Tag", "version_id");
    let version = VersionId::new(body.version_id.ok_or_else(missing)?);
    let found = call
        .registry()
        .move_tag(call.caller(), &path, &tag, version)
        .await?;
    call.ok(&TagView::new(&found, &owner.0, &path, &call.urls()))
}

async fn delete(call: Call) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let tag: Tag = call.part("tag")?;
    let NoQuery {} = call.strict_query()?;
    call.registry()
        .remove_tag(call.caller(), &path, &tag)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn history(call: Call, Query(paging): Query<Paging>) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let tag: Tag = call.part("tag")?;
    let page = paging.wanted()?;
    let cursor = page.cursor();
    let found = call
        .registry()
        .tag_history(call.caller(), &path, &tag, cursor)
        .await?;
    let views: Vec<TagChangeView> = found
        .changes
        .items
        .iter()
        .map(|change| TagChangeView::new(change, found.names_repositories))
        .collect();
    let rest = Rest {
        next: found.changes.next.and_then(|next| next.after).into(),
        total: None,
    };
    Ok(call.ok(&views)?.linked(page.link(&call, rest)))
}
