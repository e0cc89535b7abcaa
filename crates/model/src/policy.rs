//! The whole policy: who may do what, as pure functions of a principal and facts.
//!
//! `allowed = registry token's list ∩ token's scopes ∩ live role ∩ live state`, in one function for
//! each kind of target: [`decide_package`], [`decide_account`], [`decide_repository`],
//! [`decide_team`], [`decide_instance`], and [`decide_link`] for labels that name a source repository. Nothing
//! else in the house compares roles. The truth table of it all is printed to
//! `crates/model/policy.truth.txt`, a file under review.
//!
//! # Rules
//!
//! **Roles** on a package of the container registry are the best of: owning the namespace,
//! owning the organization, a grant to the user, a grant to a team, and, if the package inherits,
//! an *explicit* role in the linked repository. What everybody has in a public repository is not a
//! role. Grants on an organization's private and internal packages count for members only, so a
//! right ends with the membership. A package of the legacy registry has exactly its repository's
//! roles and visibility.
//!
//! **Visibility** lets others read: public everybody, internal every active account. The legacy
//! registry serves nobody who has not signed in.
//!
//! **Creating.** A push to a name that is not there asks for *create*. Users create under their own
//! name, members and owners in an organization as far as it lets them, workflows under the
//! owner of their repository.
//!
//! **What a caller may know.** Reading what one may not see is [`Refusal::Unknown`], the same as for
//! what does not exist. Pushing to what one may not see gets exactly the answer that pushing to a
//! free name would get if that answer is a refusal: `create_package`, made from the path alone.
//! Only whoever could have created the name hears `write_package`, because to them the refusal
//! itself tells that it is taken. A package whose first push is under way is private, whatever it
//! is to become.
//!
//! **Tag rules** narrow further what may be done with single tags, after everything else:
//! [`decide_tag`].
//!
//! **Credentials narrow.** Roles are looked at first; only where they would allow it is a missing
//! scope, a missing workflow permission or a too narrow registry token named, in this order.
//! Inherited roles need no `repo` scope on the container registry.
//!
//! **Site administrators** administer the instance, with the scope `site_admin` or from a browser.
//! They have no role in packages, organizations or repositories by that, as on GHES, where they
//! do not silently read private content either. The machine itself ([`Principal::System`]: jobs,
//! the command line beside the data) may do everything to what exists.
//!
//! [`Principal::System`]: crate::Principal::System

mod account;
mod decision;
mod facts;
#[cfg(test)]
mod laws;
mod package;
mod repository;
mod tag_rule;
mod team;
#[cfg(test)]
mod truth;

pub use account::{decide_account, decide_instance};
pub use decision::{CreationGrounds, Decision, Grounds, Refusal, Remedy, RoleSource};
pub use facts::{
    AccountFacts, Caller, ExistingPackage, Owner, PackageFacts, RepositoryFacts, RepositoryState,
    TeamFacts, TeamState, WorkflowRepository,
};
pub use package::{Birth, Grantee, birth, decide_package, explain_package, role_on_package};
pub use repository::{
    decide_link, decide_repository, reaches_private_repositories, repository_role,
};
pub use tag_rule::{TagCaller, TagRefusal, decide_tag};
pub use team::decide_team;

use crate::account::{AccountKind, OrganizationRole};
use crate::permission::Permission;
use crate::principal::Principal;
use crate::scope::Scope;

/// What a user is in a namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Owner,
    OrganizationOwner,
    Member,
}

/// What the caller is in the namespace of `owner`; none for strangers and for all but users.
fn standing(principal: &Principal, owner: Option<&Owner>, caller: &Caller) -> Option<Standing> {
    let (user, owner) = (principal.user()?, owner?);
    match (owner.kind, caller.organization_role) {
        (AccountKind::User, _) => (owner.id == user).then_some(Standing::Owner),
        (AccountKind::Organization, Some(OrganizationRole::Owner)) => {
            Some(Standing::OrganizationOwner)
        }
        (AccountKind::Organization, Some(OrganizationRole::Member)) => Some(Standing::Member),
        (AccountKind::Organization, None) => None,
    }
}

/// Whether the caller still is somebody: refuses the suspended, before anything is said about the
/// target.
const fn admit(principal: &Principal, caller: &Caller) -> Result<(), Refusal> {
    match principal {
        Principal::User { .. } if !caller.active => Err(Refusal::Suspended),
        Principal::Workflow { .. } if !caller.active => Err(Refusal::InstallationGone),
        _ => Ok(()),
    }
}

/// The answer about what the caller may not know about, or what is not there.
const fn unknown(principal: &Principal) -> Refusal {
    if principal.is_anonymous() {
        Refusal::Unauthenticated
    } else {
        Refusal::Unknown
    }
}

/// Whether a user's token has all of `scopes`; other principals have none to lack.
fn require_scopes(
    principal: &Principal,
    permission: Permission,
    scopes: &[Scope],
) -> Result<(), Refusal> {
    let Principal::User { credential, .. } = principal else {
        return Ok(());
    };
    match scopes.iter().find(|scope| !credential.has(**scope)) {
        Some(missing) => Err(Refusal::Scope {
            permission,
            missing: *missing,
        }),
        None => Ok(()),
    }
}
