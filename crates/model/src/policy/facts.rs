//! Facts: everything a decision needs to know, loaded by one query each, just before it is made.
//!
//! Facts never grant anything by being absent: the default of every one is the one that allows
//! least, so a query that forgets a column locks people out instead of letting them in.

use crate::account::{AccountKind, OrganizationRole};
use crate::id::{AccountId, PackageId, RepositoryId, TeamId};
use crate::instance::RegistryMode;
use crate::package::{PackageSettings, PackageState, PackageType, Visibility};
use crate::permission::Role;
use crate::repository::RepositoryRole;
use crate::team::{TeamPrivacy, TeamRole};

/// What there is to know about the caller, seen from one owner and one package or repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Users: the account exists and is not suspended. Workflows: their repository exists and is
    /// not deleted. Of no meaning for the others.
    pub active: bool,
    /// Users: what they are in the owner, if that is an organization.
    pub organization_role: Option<OrganizationRole>,
    /// Users: the role granted to them on the package. Workflows: the role granted to their
    /// repository on the package ("Actions access").
    pub grant: Option<Role>,
    /// Users: the best role on the package granted to a team they are in.
    pub team_grant: Option<Role>,
    /// Users: the best explicit role, own or by a team, in the source repository of the facts.
    /// What everybody has in a public one is not a role.
    pub repository_role: Option<RepositoryRole>,
    /// Workflows: the repository they run in.
    pub workflow: Option<WorkflowRepository>,
}

/// The repository that a workflow runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WorkflowRepository {
    /// Who owns it.
    pub owner: AccountId,
    /// Who may see it.
    pub visibility: Visibility,
}

/// The account under which something is or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The account.
    pub id: AccountId,
    /// What it is.
    pub kind: AccountKind,
    /// What it allows.
    pub settings: PackageSettings,
}

/// A source repository that a decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RepositoryState {
    /// The repository.
    pub id: RepositoryId,
    /// Who may see it.
    pub visibility: Visibility,
}

/// A package that has a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExistingPackage {
    /// The package.
    pub id: PackageId,
    /// Which registry it belongs to. After a migration this is `container` although the path that
    /// was asked for is of the legacy registry.
    pub package_type: PackageType,
    /// Where it is in its life.
    pub state: PackageState,
    /// Its own visibility. Of no meaning for the legacy registry.
    pub visibility: Visibility,
    /// Whether explicit roles in the linked repository count.
    pub inherit_access: bool,
}

/// What a decision about a package needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PackageFacts {
    /// Whether the registry of the path is open.
    pub registry: RegistryMode,
    /// The owner named in the path; none if there is no such account.
    pub owner: Option<Owner>,
    /// The package of that name; none if there is no row. Where a live or hidden one and deleted
    /// ones share the name, it is the one that is not deleted, except when a certain deleted one
    /// is asked for by its identifier.
    pub package: Option<ExistingPackage>,
    /// Container registry: the repository the package is linked to. Legacy registry: the
    /// repository named in the path, whether or not the package exists. None if there is none or
    /// it is deleted.
    pub repository: Option<RepositoryState>,
    /// Whether the full name was given up by an earlier owner after others had pulled it, and is
    /// kept from everybody else.
    pub name_retired: bool,
    /// The caller, seen from there.
    pub caller: Caller,
}

/// What a decision about an account needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AccountFacts {
    /// The account; none if there is none of that name.
    pub account: Option<Owner>,
    /// The caller, seen from there.
    pub caller: Caller,
}

/// A team that a decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TeamState {
    /// The team.
    pub id: TeamId,
    /// Who sees it.
    pub privacy: TeamPrivacy,
    /// What the caller is in the team itself.
    pub role: Option<TeamRole>,
    /// Whether the caller is in it, or in a team below it.
    pub includes_caller: bool,
}

/// What a decision about a team needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TeamFacts {
    /// The organization; none if there is no account of that name.
    pub organization: Option<Owner>,
    /// The team; none if there is none of that name there.
    pub team: Option<TeamState>,
    /// The caller, seen from there.
    pub caller: Caller,
}

/// What a decision about a source repository needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RepositoryFacts {
    /// The owner named in the path; none if there is no such account.
    pub owner: Option<Owner>,
    /// The repository; none if there is none or it is deleted.
    pub repository: Option<RepositoryState>,
    /// The caller, seen from there.
    pub caller: Caller,
}
