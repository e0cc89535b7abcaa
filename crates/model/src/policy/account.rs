//! Decisions about accounts, and about the instance.

use crate::account::AccountKind;
use crate::package::Visibility;
use crate::permission::{AccountPermission, Permission, Role};
use crate::principal::Principal;
use crate::scope::Scope;

use super::decision::{CreationGrounds, Decision, Grounds, Refusal, Remedy, RoleSource};
use super::facts::{AccountFacts, Caller, Owner};
use super::{Standing, admit, require_scopes, standing, unknown};

/// Decides whether `principal` may do something to an account, or create something under it.
///
/// That there is an account of a name is no secret to those who have signed in: profiles are
/// pages. What it owns is.
pub fn decide_account(
    principal: &Principal,
    permission: AccountPermission,
    facts: &AccountFacts,
) -> Decision {
    account(principal, permission, facts).into()
}

fn account(
    principal: &Principal,
    permission: AccountPermission,
    facts: &AccountFacts,
) -> Result<Grounds, Refusal> {
    admit(principal, &facts.caller)?;
    if principal.is_anonymous() {
        return Err(Refusal::Unauthenticated);
    }
    let account = facts.account.ok_or_else(|| unknown(principal))?;
    if *principal == Principal::System {
        return Ok(on_behalf_of_the_machine(permission));
    }
    if matches!(principal, Principal::Workflow { .. }) {
        return Err(refusal(permission, Remedy::PersonalToken));
    }
    let standing = standing(principal, Some(&account), &facts.caller);
    let grounds = by_standing(permission, &account, standing)?;
    require_scopes(
        principal,
        permission.into(),
        scopes(permission, account.kind),
    )?;
    by_transport(principal, permission)?;
    Ok(grounds)
}

const fn on_behalf_of_the_machine(permission: AccountPermission) -> Grounds {
    match permission {
        AccountPermission::CreateRepository(_) => Grounds::Creation(CreationGrounds::System),
        _ => Grounds::System,
    }
}

fn by_standing(
    permission: AccountPermission,
    account: &Owner,
    standing: Option<Standing>,
) -> Result<Grounds, Refusal> {
    match permission {
        AccountPermission::ListPackages => Ok(Grounds::SignedIn),
        AccountPermission::CreateRepository(_) => match standing {
            Some(Standing::Owner) => Ok(Grounds::Creation(CreationGrounds::Owner)),
            Some(Standing::OrganizationOwner) => {
                Ok(Grounds::Creation(CreationGrounds::OrganizationOwner))
            }
            Some(Standing::Member) if account.settings.members_create_repositories => {
                Ok(Grounds::Creation(CreationGrounds::Member))
            }
            Some(Standing::Member) => Err(refusal(permission, Remedy::RepositoryCreation)),
            None => Err(refusal(permission, own_or_membership(account.kind))),
        },
        AccountPermission::ReadMembers => match (account.kind, standing) {
            // A user has no members to read about.
            (AccountKind::User, _) => Err(Refusal::Unknown),
            (AccountKind::Organization, Some(_)) => Ok(Grounds::Member),
            (AccountKind::Organization, None) => Err(refusal(permission, Remedy::Membership)),
        },
        AccountPermission::Administer | AccountPermission::RestoreRepository => match standing {
            Some(Standing::Owner) => Ok(Grounds::OwnAccount),
            Some(Standing::OrganizationOwner) => Ok(Grounds::Role {
                role: Role::Admin,
                source: RoleSource::OrganizationOwner,
            }),
            _ if account.kind == AccountKind::Organization => {
                Err(refusal(permission, Remedy::OrganizationOwner))
            }
            _ => Err(refusal(permission, Remedy::OwnAccount)),
        },
        AccountPermission::ReadProfile
        | AccountPermission::ReadMemberships
        | AccountPermission::ManageCredentials
        | AccountPermission::ReviewCredentials => match standing {
            Some(Standing::Owner) => Ok(Grounds::OwnAccount),
            _ => Err(refusal(permission, Remedy::OwnAccount)),
        },
    }
}

const fn own_or_membership(kind: AccountKind) -> Remedy {
    match kind {
        AccountKind::User => Remedy::OwnAccount,
        AccountKind::Organization => Remedy::Membership,
    }
}

/// GitHub documentation, "Scopes for OAuth apps".
const fn scopes(permission: AccountPermission, kind: AccountKind) -> &'static [Scope] {
    match (permission, kind) {
        (AccountPermission::ListPackages, _) => &[Scope::ReadPackages],
        (AccountPermission::CreateRepository(Visibility::Public), _) => &[Scope::PublicRepo],
        (AccountPermission::CreateRepository(_), _) => &[Scope::Repo],
        (AccountPermission::ReadMembers | AccountPermission::ReadMemberships, _) => {
            &[Scope::ReadOrg]
        }
        (AccountPermission::ReadProfile, _) => &[Scope::ReadUser],
        (AccountPermission::RestoreRepository, _) => &[Scope::Repo],
        (AccountPermission::Administer, AccountKind::Organization) => &[Scope::AdminOrg],
        (AccountPermission::Administer, AccountKind::User) => &[Scope::User],
        (AccountPermission::ReviewCredentials, _) => &[Scope::User],
        // No scope gives it; see `by_transport`.
        (AccountPermission::ManageCredentials, _) => &[],
    }
}

/// A leaked token must not be able to make itself another: credentials come from people only.
fn by_transport(principal: &Principal, permission: AccountPermission) -> Result<(), Refusal> {
    if permission == AccountPermission::ManageCredentials && principal.token().is_some() {
        return Err(refusal(permission, Remedy::Session));
    }
    by_access_list(principal, permission.into())
}

/// A registry token is for the registry only.
fn by_access_list(principal: &Principal, permission: Permission) -> Result<(), Refusal> {
    if principal.access().is_some() {
        return Err(Refusal::Role {
            missing: permission,
            have: None,
            remedy: Remedy::PersonalTokenItself,
        });
    }
    Ok(())
}

fn refusal(permission: AccountPermission, remedy: Remedy) -> Refusal {
    Refusal::Role {
        missing: permission.into(),
        have: None,
        remedy,
    }
}

/// Decides whether `principal` may administer the instance: accounts, registries, quotas, the
/// collector. Of the facts only whether the caller is active matters.
pub fn decide_instance(principal: &Principal, caller: &Caller) -> Decision {
    instance(principal, caller).into()
}

fn instance(principal: &Principal, caller: &Caller) -> Result<Grounds, Refusal> {
    admit(principal, caller)?;
    let permission = Permission::AdminInstance;
    match principal {
        Principal::System => Ok(Grounds::System),
        Principal::Anonymous { .. } => Err(Refusal::Unauthenticated),
        Principal::User {
            site_admin: true, ..
        } => {
            require_scopes(principal, permission, &[Scope::SiteAdmin])?;
            by_access_list(principal, permission)?;
            Ok(Grounds::SiteAdministrator)
        }
        Principal::User { .. } | Principal::Workflow { .. } => Err(Refusal::Role {
            missing: permission,
            have: None,
            remedy: Remedy::SiteAdministrator,
        }),
    }
}
