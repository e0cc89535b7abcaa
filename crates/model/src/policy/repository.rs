//! Decisions about source repositories, and about linking packages to them.

use crate::id::AccountId;
use crate::package::Visibility;
use crate::permission::{Permission, RepositoryPermission, Role};
use crate::principal::{Principal, WorkflowPackages};
use crate::repository::RepositoryRole;
use crate::scope::Scope;

use super::decision::{Decision, Grounds, Refusal, Remedy, RoleSource};
use super::facts::{RepositoryFacts, RepositoryState};
use super::{Standing, admit, require_scopes, standing, unknown};

/// Decides whether `principal` may do something with a source repository.
pub fn decide_repository(
    principal: &Principal,
    permission: RepositoryPermission,
    facts: &RepositoryFacts,
) -> Decision {
    repository(principal, permission, facts).into()
}

fn repository(
    principal: &Principal,
    permission: RepositoryPermission,
    facts: &RepositoryFacts,
) -> Result<Grounds, Refusal> {
    admit(principal, &facts.caller)?;
    let state = facts.repository.ok_or_else(|| unknown(principal))?;
    let grounds = by_role(principal, permission, &state, facts)?;
    let scopes = scopes(permission, &state);
    require_scopes(principal, permission.into(), scopes)?;
    // A registry token is for the registry only.
    if principal.access().is_some() {
        return Err(refusal(
            permission.into(),
            None,
            Remedy::PersonalTokenItself,
        ));
    }
    Ok(grounds)
}

fn by_role(
    principal: &Principal,
    permission: RepositoryPermission,
    state: &RepositoryState,
    facts: &RepositoryFacts,
) -> Result<Grounds, Refusal> {
    if *principal == Principal::System {
        return Ok(Grounds::System);
    }
    if permission == RepositoryPermission::Attest
        && let Some(grounds) = attests_its_own(principal, state)
    {
        return grounds;
    }
    let held = role(principal, state, facts);
    match (permission, state.visibility) {
        (RepositoryPermission::Read, Visibility::Public) => return Ok(Grounds::Public),
        _ if held.is_some_and(|held| carries(held, permission)) => {}
        (RepositoryPermission::Read, Visibility::Internal) if !principal.is_anonymous() => {
            return Ok(Grounds::Internal);
        }
        _ if principal.is_anonymous() => return Err(Refusal::Unauthenticated),
        (_, Visibility::Private) if held.is_none() => return Err(Refusal::Unknown),
        _ => {
            let remedy = if matches!(principal, Principal::Workflow { .. }) {
                Remedy::PersonalToken
            } else {
                Remedy::RepositoryGrant {
                    role: permission.role(),
                }
            };
            return Err(refusal(
                permission.into(),
                held.map(|(role, _)| role),
                remedy,
            ));
        }
    }
    held.map(|(role, source)| Grounds::Role { role, source })
        .ok_or(Refusal::Unknown)
}

/// Whether the credential of `principal` reaches repositories that are not public, as far as the
/// caller's roles do: for lists, where what it does not reach is left out.
#[must_use]
pub fn reaches_private_repositories(principal: &Principal) -> bool {
    require_scopes(principal, Permission::ReadRepository, &[Scope::Repo]).is_ok()
}

/// Whether a role carries a permission. What a workflow has in its own repository is nothing that it
/// could give up.
fn carries((role, source): (Role, RoleSource), permission: RepositoryPermission) -> bool {
    let leaves = permission == RepositoryPermission::Leave;
    role >= permission.role() && !(leaves && source == RoleSource::OwnRepository)
}

/// The caller's own role in the repository, for showing it: none where they have none, whatever
/// everybody may do with a public one.
#[must_use]
pub fn repository_role(principal: &Principal, facts: &RepositoryFacts) -> Option<RepositoryRole> {
    let state = facts.repository?;
    match role(principal, &state, facts)? {
        (_, RoleSource::Repository) => facts.caller.repository_role,
        (Role::Admin, _) => Some(RepositoryRole::Admin),
        (Role::Write, _) => Some(RepositoryRole::Write),
        (Role::Read, _) => Some(RepositoryRole::Read),
    }
}

/// The role in the repository. A workflow reads its own, and only says something about it besides.
fn role(
    principal: &Principal,
    state: &RepositoryState,
    facts: &RepositoryFacts,
) -> Option<(Role, RoleSource)> {
    match principal {
        Principal::User { .. } => {}
        Principal::Workflow { repository, .. } if *repository == state.id => {
            return Some((Role::Read, RoleSource::OwnRepository));
        }
        _ => return None,
    }
    match standing(principal, facts.owner.as_ref(), &facts.caller) {
        Some(Standing::Owner) => Some((Role::Admin, RoleSource::Owner)),
        Some(Standing::OrganizationOwner) => Some((Role::Admin, RoleSource::OrganizationOwner)),
        _ => {
            let role = facts.caller.repository_role?;
            Some((role.on_packages(), RoleSource::Repository))
        }
    }
}

/// A workflow says what it built, in the repository it built it from, if its job may push packages.
/// `None` for all others.
fn attests_its_own(
    principal: &Principal,
    state: &RepositoryState,
) -> Option<Result<Grounds, Refusal>> {
    match principal {
        Principal::Workflow {
            repository,
            packages,
            ..
        } if *repository == state.id => Some(match packages {
            Some(WorkflowPackages::Write) => Ok(Grounds::Role {
                role: Role::Write,
                source: RoleSource::OwnRepository,
            }),
            _ => Err(Refusal::Installation {
                permission: RepositoryPermission::Attest.into(),
            }),
        }),
        _ => None,
    }
}

/// GitHub documentation, "Scopes for OAuth apps".
const fn scopes(permission: RepositoryPermission, state: &RepositoryState) -> &'static [Scope] {
    match (permission, state.visibility) {
        (RepositoryPermission::Read, Visibility::Public) => &[],
        (RepositoryPermission::Delete, _) => &[Scope::DeleteRepo],
        (_, Visibility::Public) => &[Scope::PublicRepo],
        (_, Visibility::Internal | Visibility::Private) => &[Scope::Repo],
    }
}

/// Decides whether a push by `principal` may link a package of `package_owner` to a source
/// repository that a label or annotation names: same owner, and write in the repository. A
/// workflow links to its own only.
///
/// Scopes do not matter: the label is part of what is pushed, and linking gives the pusher
/// nothing. What the pusher may not see is refused like what does not exist.
pub fn decide_link(
    principal: &Principal,
    package_owner: AccountId,
    facts: &RepositoryFacts,
) -> Decision {
    link(principal, package_owner, facts).into()
}

fn link(
    principal: &Principal,
    package_owner: AccountId,
    facts: &RepositoryFacts,
) -> Result<Grounds, Refusal> {
    admit(principal, &facts.caller)?;
    let (Some(owner), Some(state)) = (facts.owner, facts.repository) else {
        return Err(unknown(principal));
    };
    if owner.id != package_owner {
        return Err(unknown(principal));
    }
    match (principal, role(principal, &state, facts)) {
        (Principal::System, _) => Ok(Grounds::System),
        (Principal::Anonymous { .. }, _) => Err(Refusal::Unauthenticated),
        (_, Some((role @ (Role::Write | Role::Admin), source)))
        | (Principal::Workflow { .. }, Some((role, source))) => Ok(Grounds::Role { role, source }),
        (_, held) if held.is_some() || state.visibility != Visibility::Private => Err(refusal(
            Permission::WriteRepository,
            held.map(|(role, _)| role),
            Remedy::RepositoryGrant { role: Role::Write },
        )),
        _ => Err(unknown(principal)),
    }
}

const fn refusal(missing: Permission, have: Option<Role>, remedy: Remedy) -> Refusal {
    Refusal::Role {
        missing,
        have,
        remedy,
    }
}
