//! Invitations. Memberships are effective at once, so that there is never one that waits: inviting
//! somebody makes them a member, and the lists are empty.

use http::StatusCode;
use naru_model::{AccountId, AccountName, OrganizationRole, Scope, TeamId};
use naru_registry::team_trees::TeamRef;
use serde::Deserialize;
use utoipa::ToSchema;

use super::call::Call;
use super::error::Failure;
use super::finish::{Answer, Outcome};
use super::input::{Json, Query};
use super::operation::Operations;
use super::paging::Paging;
use super::views::{OrganizationInvitation, TeamView};

/// The operations of invitations.
pub(super) fn routes(operations: &mut Operations) {
    operations
        .get("/orgs/{org}/invitations", list)
        .id("orgs/list-pending-invitations")
        .summary("List pending organization invitations")
        .needs(&[Scope::AdminOrg], "list invitations")
        .query::<Paging>()
        .lists::<OrganizationInvitation>("None: memberships are effective at once")
        .refuses(&[400, 401, 403, 404]);
    operations
        .post("/orgs/{org}/invitations", create)
        .id("orgs/create-invitation")
        .summary("Create an organization invitation")
        .description("The user is a member at once, and in the teams named.")
        .needs(&[Scope::AdminOrg], "invite somebody")
        .body::<Invite>()
        .answers::<OrganizationInvitation>(201, "They are a member now")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .delete("/orgs/{org}/invitations/{invitation_id}", cancel)
        .id("orgs/cancel-invitation")
        .summary("Cancel an organization invitation")
        .needs(&[Scope::AdminOrg], "cancel an invitation")
        .ends(204, "Never: there is none that waits")
        .refuses(&[401, 403, 404]);
    operations
        .get("/orgs/{org}/invitations/{invitation_id}/teams", teams)
        .id("orgs/list-invitation-teams")
        .summary("List organization invitation teams")
        .needs(&[Scope::AdminOrg], "list the teams of an invitation")
        .query::<Paging>()
        .lists::<TeamView>("Never: there is no invitation that waits")
        .refuses(&[400, 401, 403, 404]);
    operations
        .get("/orgs/{org}/teams/{team_slug}/invitations", of_team)
        .id("teams/list-pending-invitations-in-org")
        .summary("List pending team invitations")
        .needs(&[Scope::ReadOrg], "list invitations")
        .query::<Paging>()
        .lists::<OrganizationInvitation>("None: memberships are effective at once")
        .refuses(&[400, 401, 403, 404]);
}

async fn list(call: Call, Query(paging): Query<Paging>) -> Outcome {
    paging.wanted()?;
    let organization: AccountName = call.named("org")?;
    call.registry()
        .may_administer_organization(call.caller(), &organization)
        .await?;
    call.ok(&OrganizationInvitation::NONE)
}

async fn cancel(call: Call) -> Outcome {
    let organization: AccountName = call.named("org")?;
    call.registry()
        .may_administer_organization(call.caller(), &organization)
        .await?;
    Err(Failure::NOT_FOUND)
}

async fn teams(call: Call) -> Outcome {
    cancel(call).await
}

async fn of_team(call: Call, Query(paging): Query<Paging>) -> Outcome {
    paging.wanted()?;
    let organization: AccountName = call.named("org")?;
    call.registry()
        .team_details(call.caller(), &organization, &call.team()?)
        .await?;
    call.ok(&OrganizationInvitation::NONE)
}

/// Whom to invite.
#[derive(Debug, Deserialize, ToSchema)]
struct Invite {
    /// The number of the user.
    invitee_id: Option<i64>,
    /// A mail address: nobody is invited by one here.
    email: Option<String>,
    /// `direct_member`, which is meant if nothing is said, `reinstate`, which means the same, or
    /// `admin` for an owner.
    role: Option<String>,
    /// The numbers of teams to put them in; at most 100.
    #[serde(default)]
    team_ids: Vec<i64>,
}

impl Invite {
    fn role(&self) -> Result<OrganizationRole, Failure> {
        match self.role.as_deref() {
            None | Some("direct_member" | "reinstate") => Ok(OrganizationRole::Member),
            Some("admin") => Ok(OrganizationRole::Owner),
            Some(_) => Err(invalid(
                "role",
                "`direct_member`, `admin` or `reinstate`; there are no billing managers",
            )),
        }
    }

    fn invitee(&self) -> Result<AccountId, Failure> {
        let by_mail = self.email.is_some() && self.invitee_id.is_none();
        if by_mail {
            return Err(invalid(
                "email",
                "Nobody is invited by mail: an administrator of the instance makes the account, \
                 and invitee_id names it.",
            ));
        }
        let id = self.invitee_id;
        let id = id.ok_or_else(|| Failure::missing("OrganizationInvitation", "invitee_id"))?;
        Ok(AccountId::new(id))
    }
}

fn invalid(field: &str, message: &str) -> Failure {
    Failure::invalid("OrganizationInvitation", field, message)
}

async fn create(call: Call, Json(invite): Json<Invite>) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let (role, invitee) = (invite.role()?, invite.invitee()?);
    let ids = invite.team_ids.iter().copied().map(TeamId::new);
    let teams: Vec<TeamRef> = ids.map(TeamRef::Id).collect();
    let made = call
        .registry()
        .add_member_and_teams(call.caller(), &organization, invitee, role, &teams)
        .await?;
    let view = OrganizationInvitation::new(&organization, &made, &call.urls());
    Answer::json(StatusCode::CREATED, &view)
}
