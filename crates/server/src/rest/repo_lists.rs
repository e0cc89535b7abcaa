//! Lists of source repositories.

use naru_model::{Account, AccountName, Moment, Scope, Visibility};
use naru_registry::Page;
use naru_registry::repository_lists::{
    Affiliations, Changed, Order, OwnList, RepositoryDetails, Shown, SortBy,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::call::Call;
use super::error::Failure;
use super::finish::Outcome;
use super::input::Query;
use super::operation::Operations;
use super::paging::{Paging, Wanted};
use super::views::RepositoryView;

/// The operations that list repositories.
pub(super) fn routes(operations: &mut Operations) {
    operations
        .get("/orgs/{org}/repos", of_organization)
        .id("repos/list-for-org")
        .summary("List organization repositories")
        .needs(&[Scope::Repo], "list private repositories")
        .query::<ListOfOwner>()
        .query::<Paging>()
        .lists::<RepositoryView>("The repositories that the caller may see")
        .refuses(&[400, 401, 404, 422]);
    operations
        .get("/users/{username}/repos", of_user)
        .id("repos/list-for-user")
        .summary("List repositories for a user")
        .needs(&[Scope::Repo], "list private repositories")
        .query::<ListOfOwner>()
        .query::<Paging>()
        .lists::<RepositoryView>("The repositories that the caller may see")
        .refuses(&[400, 401, 404, 422]);
    operations
        .get("/user/repos", mine)
        .id("repos/list-for-authenticated-user")
        .summary("List repositories for the authenticated user")
        .description("Those that the caller owns or has a role in.")
        .needs(&[Scope::Repo], "list private repositories")
        .query::<ListMine>()
        .query::<Paging>()
        .lists::<RepositoryView>("The caller's repositories")
        .refuses(&[400, 401, 403, 422]);
}

/// Which repositories of an account are asked for.
#[derive(Debug, Deserialize, IntoParams)]
struct ListOfOwner {
    /// `all`, `public`, `private`, `internal`, `sources` and `owner`, which mean all here, or
    /// `forks` and `member`, of which there are none.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// `created`, `updated`, `pushed` or `full_name`.
    sort: Option<String>,
    /// `asc` or `desc`.
    direction: Option<String>,
}

fn invalid(field: &str, message: impl std::fmt::Display) -> Failure {
    Failure::invalid("Repository", field, message)
}

impl ListOfOwner {
    /// `None` for what there can be nothing of.
    fn shown(&self) -> Result<Option<Shown>, Failure> {
        match self.kind.as_deref() {
            None | Some("" | "all" | "sources" | "owner") => Ok(Some(Shown::All)),
            Some("public") => Ok(Some(Shown::Only(Visibility::Public))),
            Some("internal") => Ok(Some(Shown::Only(Visibility::Internal))),
            Some("private") => Ok(Some(Shown::NotPublic)),
            Some("forks" | "member") => Ok(None),
            Some(_) => Err(invalid(
                "type",
                "one of all, public, private, internal, forks, sources, member, owner",
            )),
        }
    }
}

/// How a list is to be sorted; `first` is meant if nothing is said. Names go up, times down, unless
/// something else is said.
fn order(sort: Option<&str>, direction: Option<&str>, first: SortBy) -> Result<Order, Failure> {
    let by = match sort {
        None | Some("") => first,
        Some("created") => SortBy::Created,
        Some("updated" | "pushed") => SortBy::Updated,
        Some("full_name") => SortBy::FullName,
        Some(_) => {
            return Err(invalid(
                "sort",
                "one of created, updated, pushed, full_name",
            ));
        }
    };
    let descending = match direction {
        None | Some("") => by != SortBy::FullName,
        Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(invalid("direction", "asc or desc")),
    };
    Ok(Order { by, descending })
}

async fn of_organization(
    call: Call,
    Query(list): Query<ListOfOwner>,
    Query(paging): Query<Paging>,
) -> Outcome {
    of_owner(&call, &list, &paging, SortBy::Created).await
}

async fn of_user(
    call: Call,
    Query(list): Query<ListOfOwner>,
    Query(paging): Query<Paging>,
) -> Outcome {
    of_owner(&call, &list, &paging, SortBy::FullName).await
}

async fn of_owner(call: &Call, list: &ListOfOwner, paging: &Paging, first: SortBy) -> Outcome {
    let owner: Account = call.owner().await?.0;
    let login: &AccountName = owner.login();
    let order = order(list.sort.as_deref(), list.direction.as_deref(), first)?;
    let page = paging.wanted()?;
    let Some(shown) = list.shown()? else {
        return call.ok(&[(); 0]);
    };
    let found = call
        .registry()
        .list_repositories_page(call.caller(), login, shown, order, page.counted())
        .await?;
    views(call, &page, &found)
}

fn views(call: &Call, page: &Wanted, found: &Page<RepositoryDetails>) -> Outcome {
    let urls = call.urls();
    let view = |repository: &RepositoryDetails| RepositoryView::new(repository, &urls);
    let views: Vec<RepositoryView> = found.items.iter().map(view).collect();
    Ok(call.ok(&views)?.linked(page.counted_link(call, found)))
}

/// Which of the caller's repositories are asked for.
#[derive(Debug, Deserialize, IntoParams)]
struct ListMine {
    /// `all`, `public`, `private` or `internal`.
    visibility: Option<String>,
    /// Any of `owner`, `collaborator`, `organization_member`, with commas between them.
    affiliation: Option<String>,
    /// `all`, `owner`, `public`, `private` or `member`; not together with the two before.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// `created`, `updated`, `pushed` or `full_name`.
    sort: Option<String>,
    /// `asc` or `desc`.
    direction: Option<String>,
    /// Only repositories changed after this time.
    since: Option<String>,
    /// Only repositories changed before this time.
    before: Option<String>,
}

const EVERY_WAY: Affiliations = Affiliations {
    owner: true,
    collaborator: true,
    organization_member: true,
};

impl ListMine {
    fn wanted(&self) -> Result<OwnList, Failure> {
        let (affiliations, shown) = match self.kind.as_deref().filter(|kind| !kind.is_empty()) {
            None => (self.affiliations()?, self.shown()?),
            Some(_) if self.visibility.is_some() || self.affiliation.is_some() => {
                return Err(invalid(
                    "type",
                    "If you specify visibility or affiliation, you cannot specify type.",
                ));
            }
            Some(kind) => by_type(kind)?,
        };
        let everything = Changed::default();
        Ok(OwnList {
            affiliations,
            shown,
            changed: Changed {
                after: moment("since", self.since.as_deref(), everything.after)?,
                before: moment("before", self.before.as_deref(), everything.before)?,
            },
            order: order(
                self.sort.as_deref(),
                self.direction.as_deref(),
                SortBy::FullName,
            )?,
        })
    }

    fn affiliations(&self) -> Result<Affiliations, Failure> {
        let Some(words) = self
            .affiliation
            .as_deref()
            .filter(|words| !words.is_empty())
        else {
            return Ok(EVERY_WAY);
        };
        let mut ways = Affiliations {
            owner: false,
            collaborator: false,
            organization_member: false,
        };
        for word in words.split(',').map(str::trim) {
            match word {
                "owner" => ways.owner = true,
                "collaborator" => ways.collaborator = true,
                "organization_member" => ways.organization_member = true,
                _ => {
                    return Err(invalid(
                        "affiliation",
                        "any of owner, collaborator, organization_member",
                    ));
                }
            }
        }
        Ok(ways)
    }

    fn shown(&self) -> Result<Shown, Failure> {
        match self.visibility.as_deref() {
            None | Some("" | "all") => Ok(Shown::All),
            Some("private") => Ok(Shown::NotPublic),
            Some(word) => {
                let visibility = word.parse().map_err(|error| invalid("visibility", error))?;
                Ok(Shown::Only(visibility))
            }
        }
    }
}

fn by_type(kind: &str) -> Result<(Affiliations, Shown), Failure> {
    let owner = Affiliations {
        owner: true,
        collaborator: false,
        organization_member: false,
    };
    let member = Affiliations {
        owner: false,
        ..EVERY_WAY
    };
    match kind {
        "all" => Ok((EVERY_WAY, Shown::All)),
        "owner" => Ok((owner, Shown::All)),
        "member" => Ok((member, Shown::All)),
        "public" => Ok((EVERY_WAY, Shown::Only(Visibility::Public))),
        "private" => Ok((EVERY_WAY, Shown::NotPublic)),
        _ => Err(invalid(
            "type",
            "one of all, owner, public, private, member",
        )),
    }
}

fn moment(field: &str, text: Option<&str>, otherwise: Moment) -> Result<Moment, Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(otherwise);
    };
    text.parse()
        .map_err(|_| invalid(field, "a time such as 2026-11-26T12:00:00Z"))
}

async fn mine(call: Call, Query(list): Query<ListMine>, Query(paging): Query<Paging>) -> Outcome {
    let page = paging.wanted()?;
    let list = list.wanted()?;
    let found = call
        .registry()
        .list_my_repositories(call.caller(), list, page.counted())
        .await?;
    views(&call, &page, &found)
}
