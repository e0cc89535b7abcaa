//! Who is in an organization, and what one is in it. Memberships are effective at once: there is
//! nothing to accept.

use http::StatusCode;
use http::header::LOCATION;
use naru_model::{AccountName, OrganizationRole, Scope, User};
use naru_registry::Error;
use naru_registry::members::{MemberFilter, MembershipCheck};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::call::Call;
use super::error::Failure;
use super::finish::{Answer, Outcome};
use super::input::{Json, Query};
use super::operation::Operations;
use super::paging::Paging;
use super::views::{OrgMembership, SimpleUser};

/// The operations of members.
pub(super) fn routes(operations: &mut Operations) {
    members(operations);
    public_members(operations);
    memberships(operations);
    my_memberships(operations);
}

fn members(operations: &mut Operations) {
    operations
        .get("/orgs/{org}/members", list)
        .id("orgs/list-members")
        .summary("List organization members")
        .description("Whoever is not in it sees those who show their membership to everybody.")
        .needs(&[Scope::ReadOrg], "list members")
        .query::<ListMembers>()
        .query::<Paging>()
        .lists::<SimpleUser>("Members, oldest account first")
        .refuses(&[400, 401, 404, 422]);
    operations
        .get("/orgs/{org}/members/{username}", check)
        .id("orgs/check-membership-for-user")
        .summary("Check organization membership for a user")
        .needs(&[Scope::ReadOrg], "check a membership")
        .ends(204, "They are in it")
        .ends(
            302,
            "The caller is not in it and may ask for public membership",
        )
        .refuses(&[401, 404]);
    operations
        .delete("/orgs/{org}/members/{username}", remove)
        .id("orgs/remove-member")
        .summary("Remove an organization member")
        .needs(&[Scope::AdminOrg], "remove a member")
        .ends(204, "They are not in it any more, nor in its teams")
        .refuses(&[401, 403, 404]);
}

fn public_members(operations: &mut Operations) {
    operations
        .get("/orgs/{org}/public_members", list_public)
        .own("orgs/list-public-members")
        .summary("List public organization members")
        .query::<Paging>()
        .lists::<SimpleUser>("Members who show their membership to everybody")
        .refuses(&[400, 401, 404]);
    operations
        .get("/orgs/{org}/public_members/{username}", check_public)
        .own("orgs/check-public-membership-for-user")
        .summary("Check public organization membership for a user")
        .ends(204, "They show that they are in it")
        .refuses(&[401, 404]);
    operations
        .put("/orgs/{org}/public_members/{username}", publicize)
        .own("orgs/set-public-membership-for-authenticated-user")
        .summary("Set public organization membership for the authenticated user")
        .needs(&[Scope::User], "publicize your membership")
        .ends(204, "Everybody may see it")
        .refuses(&[401, 403, 404]);
    operations
        .delete("/orgs/{org}/public_members/{username}", conceal)
        .own("orgs/remove-public-membership-for-authenticated-user")
        .summary("Remove public organization membership for the authenticated user")
        .needs(&[Scope::User], "conceal your membership")
        .ends(204, "Only members see it")
        .refuses(&[401, 403, 404]);
}

fn memberships(operations: &mut Operations) {
    operations
        .get("/orgs/{org}/memberships/{username}", membership)
        .id("orgs/get-membership-for-user")
        .summary("Get organization membership for a user")
        .needs(&[Scope::ReadOrg], "get a membership")
        .answers::<OrgMembership>(200, "What they are in it")
        .refuses(&[401, 403, 404]);
    operations
        .put("/orgs/{org}/memberships/{username}", set)
        .id("orgs/set-membership-for-user")
        .summary("Set organization membership for a user")
        .description("Effective at once: there is no invitation to accept.")
        .needs(&[Scope::AdminOrg], "set a membership")
        .body::<SetMembership>()
        .answers::<OrgMembership>(200, "What they are in it now")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .delete("/orgs/{org}/memberships/{username}", remove)
        .id("orgs/remove-membership-for-user")
        .summary("Remove organization membership for a user")
        .needs(&[Scope::AdminOrg], "remove a membership")
        .ends(204, "They are not in it any more, nor in its teams")
        .refuses(&[401, 403, 404]);
}

fn my_memberships(operations: &mut Operations) {
    operations
        .get("/user/memberships/orgs", list_mine)
        .id("orgs/list-memberships-for-authenticated-user")
        .summary("List organization memberships for the authenticated user")
        .needs(&[Scope::ReadOrg], "list your memberships")
        .query::<ListMine>()
        .query::<Paging>()
        .lists::<OrgMembership>("Oldest organization first; none is ever pending")
        .refuses(&[400, 401, 403, 422]);
    operations
        .get("/user/memberships/orgs/{org}", mine)
        .id("orgs/get-membership-for-authenticated-user")
        .summary("Get an organization membership for the authenticated user")
        .needs(&[Scope::ReadOrg], "get your membership")
        .answers::<OrgMembership>(200, "What the caller is in it")
        .refuses(&[401, 403, 404]);
    operations
        .patch("/user/memberships/orgs/{org}", accept)
        .id("orgs/update-membership-for-authenticated-user")
        .summary("Update an organization membership for the authenticated user")
        .description("There is nothing to accept: a membership is active from the start.")
        .needs(&[Scope::ReadOrg], "accept a membership")
        .body::<Accept>()
        .answers::<OrgMembership>(200, "What the caller is in it")
        .refuses(&[400, 401, 403, 404, 422]);
}

/// Which members are asked for.
#[derive(Debug, Deserialize, IntoParams)]
struct ListMembers {
    /// `all`; `2fa_disabled` and `2fa_insecure` are for owners, and there is no second factor that
    /// could be on.
    filter: Option<String>,
    /// `all`, `admin` for owners, or `member` for the others.
    role: Option<String>,
}

impl ListMembers {
    fn filter(&self) -> Result<MemberFilter, Failure> {
        if !matches!(self.filter.as_deref(), None | Some("all" | "")) {
            return Err(invalid(
                "filter",
                "Only owners can use the two-factor filters, and only where it exists.",
            ));
        }
        let role = match self.role.as_deref() {
            None | Some("all" | "") => None,
            Some(word) => Some(role_of("role", word)?),
        };
        Ok(MemberFilter {
            role,
            public_only: false,
        })
    }
}

fn role_of(field: &str, word: &str) -> Result<OrganizationRole, Failure> {
    OrganizationRole::from_rest_word(word).map_err(|error| invalid(field, &error.to_string()))
}

fn invalid(field: &str, message: &str) -> Failure {
    Failure::invalid("OrganizationMember", field, message)
}

async fn list(
    call: Call,
    Query(members): Query<ListMembers>,
    Query(paging): Query<Paging>,
) -> Outcome {
    let filter = members.filter()?;
    page_of(&call, filter, &paging).await
}

async fn list_public(call: Call, Query(paging): Query<Paging>) -> Outcome {
    let filter = MemberFilter {
        role: None,
        public_only: true,
    };
    page_of(&call, filter, &paging).await
}

async fn page_of(call: &Call, filter: MemberFilter, paging: &Paging) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let page = paging.wanted()?;
    let found = call
        .registry()
        .list_members_page(call.caller(), &organization, filter, page.counted())
        .await?;
    let urls = call.urls();
    let view = |(user, _): &(User, OrganizationRole)| SimpleUser::of_user(user, &urls);
    let views: Vec<SimpleUser> = found.items.iter().map(view).collect();
    let link = page.counted_link(call, &found);
    Ok(call.ok(&views)?.linked(link))
}

async fn check(call: Call) -> Outcome {
    let (organization, user) = both(&call)?;
    let check = call
        .registry()
        .check_member(call.caller(), &organization, &user)
        .await?;
    match check {
        MembershipCheck::Member => Ok(Answer::empty(StatusCode::NO_CONTENT)),
        MembershipCheck::NotMember => Err(Failure::NOT_FOUND),
        MembershipCheck::AskPublic => {
            let url = call.urls().organization(&organization);
            let url = format!("{url}/public_members/{user}");
            Ok(Answer::empty(StatusCode::FOUND).with(LOCATION, &url))
        }
    }
}

async fn check_public(call: Call) -> Outcome {
    let (organization, user) = both(&call)?;
    let is_public = call
        .registry()
        .check_public_member(call.caller(), &organization, &user)
        .await?;
    if is_public {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    }
    Err(Failure::NOT_FOUND)
}

async fn publicize(call: Call) -> Outcome {
    show(&call, true).await
}

async fn conceal(call: Call) -> Outcome {
    show(&call, false).await
}

async fn show(call: &Call, is_public: bool) -> Outcome {
    let (organization, user) = both(call)?;
    call.registry()
        .show_membership(call.caller(), &organization, &user, is_public)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

fn both(call: &Call) -> Result<(AccountName, AccountName), Failure> {
    Ok((call.named("org")?, call.named("username")?))
}

/// The last owner stays: the vendor says so with 403.
async fn remove(call: Call) -> Outcome {
    let (organization, user) = both(&call)?;
    let removed = call
        .registry()
        .remove_member(call.caller(), &organization, &user)
        .await;
    match removed {
        Ok(()) => Ok(Answer::empty(StatusCode::NO_CONTENT)),
        Err(Error::Conflict(text)) => Err(Failure::forbidden(text)),
        Err(error) => Err(error.into()),
    }
}

async fn membership(call: Call) -> Outcome {
    let (organization, user) = both(&call)?;
    let found = call
        .registry()
        .membership(call.caller(), &organization, &user)
        .await?;
    call.ok(&OrgMembership::new(&found, &call.urls()))
}

/// What somebody is to be in an organization.
#[derive(Debug, Deserialize, ToSchema)]
struct SetMembership {
    /// `member`, which is meant if nothing is said, or `admin` for an owner.
    role: Option<String>,
}

async fn set(call: Call, Json(wish): Json<SetMembership>) -> Outcome {
    let (organization, user) = both(&call)?;
    let role = role_of("role", wish.role.as_deref().unwrap_or("member"))?;
    let (registry, caller) = (call.registry(), call.caller());
    registry
        .set_member(caller, &organization, &user, role)
        .await?;
    let found = registry.membership(caller, &organization, &user).await?;
    call.ok(&OrgMembership::new(&found, &call.urls()))
}

/// Which of the caller's memberships are asked for.
#[derive(Debug, Deserialize, IntoParams)]
struct ListMine {
    /// `active` or `pending`, of which there are none.
    state: Option<String>,
}

async fn list_mine(
    call: Call,
    Query(wanted): Query<ListMine>,
    Query(paging): Query<Paging>,
) -> Outcome {
    let page = paging.wanted()?;
    let found = call
        .registry()
        .list_my_memberships(call.caller(), page.counted())
        .await?;
    match wanted.state.as_deref() {
        None | Some("active" | "") => {}
        Some("pending") => return call.ok(&[(); 0]),
        Some(_) => return Err(invalid("state", "`active` or `pending`")),
    }
    let urls = call.urls();
    let views: Vec<OrgMembership> = found
        .items
        .iter()
        .map(|membership| OrgMembership::new(membership, &urls))
        .collect();
    let link = page.counted_link(&call, &found);
    Ok(call.ok(&views)?.linked(link))
}

async fn mine(call: Call) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let found = call
        .registry()
        .my_membership(call.caller(), &organization)
        .await?;
    call.ok(&OrgMembership::new(&found, &call.urls()))
}

/// What the caller's membership is to be.
#[derive(Debug, Deserialize, ToSchema)]
struct Accept {
    /// `active`: nothing else can be.
    state: Option<String>,
}

async fn accept(call: Call, Json(wish): Json<Accept>) -> Outcome {
    if wish.state.as_deref() != Some("active") {
        return Err(invalid("state", "only `active` is possible"));
    }
    mine(call).await
}
