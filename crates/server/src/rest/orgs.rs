//! Organizations: shown, changed, deleted and restored; those that somebody is in.

use http::StatusCode;
use naru_model::{AccountName, Scope};
use naru_registry::organizations::OrganizationChange;
use naru_registry::profiles::{AccountDetails, ProfileChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::Call;
use super::error::Failure;
use super::finish::{Answer, Outcome};
use super::input::{Json, Query, given};
use super::operation::Operations;
use super::paging::Paging;
use super::views::{OrganizationSimple, OrganizationView};

/// The operations of organizations.
pub(super) fn routes(operations: &mut Operations) {
    operations
        .get("/orgs/{org}", show)
        .id("orgs/get")
        .summary("Get an organization")
        .description("Owners with `admin:org` see what the organization lets its members do.")
        .answers::<OrganizationView>(200, "The organization and its profile")
        .refuses(&[401, 404]);
    operations
        .patch("/orgs/{org}", update)
        .id("orgs/update")
        .summary("Update an organization")
        .needs(&[Scope::AdminOrg], "change an organization")
        .body::<UpdateOrganization>()
        .answers::<OrganizationView>(200, "The organization as it is now")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .delete("/orgs/{org}", delete)
        .id("orgs/delete")
        .summary("Delete an organization")
        .description(
            "It and everything under it is out of reach at once, its name stays taken, and it can \
             be restored for 30 days.",
        )
        .needs(&[Scope::AdminOrg], "delete an organization")
        .answers::<Accepted>(202, "It is gone")
        .refuses(&[401, 403, 404]);
    operations
        .post("/orgs/{org}/restore", restore)
        .own("orgs/restore")
        .summary("Restore a deleted organization")
        .description("For administrators of the instance, within 30 days.")
        .needs(&[Scope::SiteAdmin], "restore an organization")
        .ends(204, "It is back, as it was")
        .refuses(&[401, 403, 404, 422]);
    operations
        .get("/user/orgs", list_mine)
        .id("orgs/list-for-authenticated-user")
        .summary("List organizations for the authenticated user")
        .needs(&[Scope::ReadOrg], "list your organizations")
        .query::<Paging>()
        .lists::<OrganizationSimple>("The organizations that the caller is in, oldest first")
        .refuses(&[400, 401, 403]);
    operations
        .get("/users/{username}/orgs", list_public)
        .id("orgs/list-for-user")
        .summary("List organizations for a user")
        .query::<Paging>()
        .lists::<OrganizationSimple>("The organizations that they show everybody to be in")
        .refuses(&[400, 401, 404]);
}

async fn show(call: Call) -> Outcome {
    let name: AccountName = call.named("org")?;
    let found = call
        .registry()
        .account_details(call.caller(), &name)
        .await?;
    view(&call, &found)
}

/// A user under `/orgs` does not exist.
fn view(call: &Call, found: &AccountDetails) -> Outcome {
    let view = OrganizationView::new(found, &call.urls());
    call.ok(&view.ok_or(Failure::NOT_FOUND)?)
}

/// What is to change of an organization; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct UpdateOrganization {
    /// What the organization is called.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// What it is, in a sentence.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// Where bills would go; owners see it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    billing_email: Option<Option<String>>,
    /// The company behind it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    company: Option<Option<String>>,
    /// The mail address that everybody who sees it sees.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// Its name at X, once Twitter.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    twitter_username: Option<Option<String>>,
    /// Where it is.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    location: Option<Option<String>>,
    /// The address of a page of its own.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    blog: Option<Option<String>>,
    /// Members have a role in a repository only if it was given to them: only `none` is possible.
    default_repository_permission: Option<String>,
    /// Whether members may create source repositories.
    members_can_create_repositories: Option<bool>,
    /// The same, as one word: `all` or `none`.
    members_allowed_repository_creation_type: Option<String>,
}

impl UpdateOrganization {
    fn change(self) -> Result<OrganizationChange, Failure> {
        let invalid = |field, message| Failure::invalid("Organization", field, message);
        if let Some(word) = &self.default_repository_permission
            && word != "none"
        {
            return Err(invalid(
                "default_repository_permission",
                "Members have a role in a repository only if it was given to them.",
            ));
        }
        let by_word = match self.members_allowed_repository_creation_type.as_deref() {
            None => None,
            Some("all") => Some(true),
            Some("none") => Some(false),
            Some(_) => {
                return Err(invalid(
                    "members_allowed_repository_creation_type",
                    "Members may create repositories of every visibility or none: `all`, `none`.",
                ));
            }
        };
        Ok(OrganizationChange {
            members_create_repositories: self.members_can_create_repositories.or(by_word),
            profile: ProfileChange {
                name: self.name,
                description: self.description,
                billing_email: self.billing_email,
                company: self.company,
                email: self.email,
                twitter_username: self.twitter_username,
                location: self.location,
                blog: self.blog,
                ..ProfileChange::default()
            },
        })
    }
}

async fn update(call: Call, Json(update): Json<UpdateOrganization>) -> Outcome {
    let name: AccountName = call.named("org")?;
    let change = update.change()?;
    let found = call
        .registry()
        .update_organization(call.caller(), &name, &change)
        .await?;
    view(&call, &found)
}

/// What is said of something that is being done: nothing more.
#[derive(Debug, Serialize, ToSchema)]
struct Accepted {}

async fn delete(call: Call) -> Outcome {
    let name: AccountName = call.named("org")?;
    call.registry()
        .delete_organization(call.caller(), &name)
        .await?;
    Answer::json(StatusCode::ACCEPTED, &Accepted {})
}

async fn restore(call: Call) -> Outcome {
    let name: AccountName = call.named("org")?;
    call.registry()
        .restore_organization(call.caller(), &name)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn list_mine(call: Call, Query(paging): Query<Paging>) -> Outcome {
    let page = paging.wanted()?;
    let found = call
        .registry()
        .list_my_memberships(call.caller(), page.counted())
        .await?;
    let urls = call.urls();
    let views: Vec<OrganizationSimple> = found
        .items
        .iter()
        .map(|membership| OrganizationSimple::new(&membership.organization, &urls))
        .collect();
    let link = page.counted_link(&call, &found);
    Ok(call.ok(&views)?.linked(link))
}

async fn list_public(call: Call, Query(paging): Query<Paging>) -> Outcome {
    let user: AccountName = call.named("username")?;
    let page = paging.wanted()?;
    let found = call
        .registry()
        .list_public_memberships(call.caller(), &user, page.counted())
        .await?;
    let urls = call.urls();
    let views: Vec<OrganizationSimple> = found
        .items
        .iter()
        .map(|listed| OrganizationSimple::new(listed, &urls))
        .collect();
    let link = page.counted_link(&call, &found);
    Ok(call.ok(&views)?.linked(link))
}
