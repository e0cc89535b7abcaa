//! Decisions about teams.

use crate::account::AccountKind;
use crate::permission::{Role, TeamPermission};
use crate::principal::Principal;
use crate::scope::Scope;
use crate::team::{TeamPrivacy, TeamRole};

use super::decision::{Decision, Grounds, Refusal, Remedy, RoleSource};
use super::facts::{TeamFacts, TeamState};
use super::{Standing, admit, require_scopes, standing, unknown};

/// Decides whether `principal` may do something with a team.
///
/// Unlike accounts, teams are nobody's business outside their organization, and secret ones
/// nobody's but their members' and the owners'.
pub fn decide_team(
    principal: &Principal,
    permission: TeamPermission,
    facts: &TeamFacts,
) -> Decision {
    team(principal, permission, facts).into()
}

fn team(
    principal: &Principal,
    permission: TeamPermission,
    facts: &TeamFacts,
) -> Result<Grounds, Refusal> {
    admit(principal, &facts.caller)?;
    let (Some(organization), Some(state)) = (facts.organization, facts.team) else {
        return Err(unknown(principal));
    };
    if *principal == Principal::System {
        return Ok(Grounds::System);
    }
    let standing = standing(principal, Some(&organization), &facts.caller);
    if organization.kind != AccountKind::Organization || !sees(standing, &state) {
        return Err(unknown(principal));
    }
    let grounds = by_standing(permission, standing, &state)?;
    let scopes = match permission {
        TeamPermission::Read => &[Scope::ReadOrg],
        TeamPermission::Manage => &[Scope::WriteOrg],
    };
    require_scopes(principal, permission.into(), scopes)?;
    // A registry token is for the registry only.
    if principal.access().is_some() {
        return Err(refusal(permission, Remedy::PersonalTokenItself));
    }
    Ok(grounds)
}

const fn sees(standing: Option<Standing>, team: &TeamState) -> bool {
    match (standing, team.privacy) {
        (Some(Standing::OrganizationOwner), _) | (Some(Standing::Member), TeamPrivacy::Closed) => {
            true
        }
        (Some(Standing::Member), TeamPrivacy::Secret) => team.includes_caller,
        (Some(Standing::Owner) | None, _) => false,
    }
}

fn by_standing(
    permission: TeamPermission,
    standing: Option<Standing>,
    team: &TeamState,
) -> Result<Grounds, Refusal> {
    let admin = |source| Grounds::Role {
        role: Role::Admin,
        source,
    };
    match (permission, standing, team.role) {
        (_, Some(Standing::OrganizationOwner), _) => Ok(admin(RoleSource::OrganizationOwner)),
        (TeamPermission::Manage, _, Some(TeamRole::Maintainer)) => Ok(admin(RoleSource::Team)),
        (TeamPermission::Manage, ..) => Err(refusal(permission, Remedy::TeamMaintainer)),
        (TeamPermission::Read, ..) => Ok(Grounds::Member),
    }
}

fn refusal(permission: TeamPermission, remedy: Remedy) -> Refusal {
    Refusal::Role {
        missing: permission.into(),
        have: None,
        remedy,
    }
}
