//! Decisions, and why they are what they are.

use std::fmt;

use crate::account::AccountName;
use crate::package::Visibility;
use crate::permission::{PackagePermission, Permission, Role};
use crate::scope::Scope;

/// The answer of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Decision {
    /// Yes, and on what grounds.
    Allowed(Grounds),
    /// No, and why.
    Refused(Refusal),
}

impl Decision {
    /// Whether it is a yes.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// For `?` in a use case.
    ///
    /// # Errors
    /// The refusal.
    pub fn into_result(self) -> Result<Grounds, Refusal> {
        match self {
            Self::Allowed(grounds) => Ok(grounds),
            Self::Refused(refusal) => Err(refusal),
        }
    }
}

impl From<Result<Grounds, Refusal>> for Decision {
    fn from(result: Result<Grounds, Refusal>) -> Self {
        match result {
            Ok(grounds) => Self::Allowed(grounds),
            Err(refusal) => Self::Refused(refusal),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(grounds) => write!(f, "allowed: {grounds}"),
            Self::Refused(refusal) => write!(f, "refused: {}", refusal.explanation()),
        }
    }
}

/// What allows something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grounds {
    /// The machine itself asks.
    System,
    /// It is public.
    Public,
    /// It is internal, and the caller has an active account of the instance.
    Internal,
    /// The caller has a role.
    Role {
        /// The best one.
        role: Role,
        /// Where it comes from.
        source: RoleSource,
    },
    /// There is nothing of that name yet, and the caller may create it. Only for
    /// [`PackagePermission::Write`] and for creating repositories.
    Creation(CreationGrounds),
    /// The account is the caller's own.
    OwnAccount,
    /// The caller belongs to the organization.
    Member,
    /// The caller is signed in, which is enough.
    SignedIn,
    /// The caller administers the instance.
    SiteAdministrator,
}

/// Where a role comes from, the most certain first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleSource {
    /// The caller owns the namespace.
    Owner,
    /// The caller is an owner of the organization.
    OrganizationOwner,
    /// Granted to the user, or to the workflow's repository.
    Grant,
    /// Granted to a team of the user.
    Team,
    /// An explicit role in the source repository: inherited by a linked package, or the rule of
    /// the legacy registry.
    Repository,
    /// The workflow runs in the repository that the legacy package belongs to.
    OwnRepository,
}

/// What allows creating something in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CreationGrounds {
    /// The machine itself asks.
    System,
    /// The namespace is the caller's own.
    Owner,
    /// The caller is an owner of the organization.
    OrganizationOwner,
    /// The caller is a member, and the organization lets members create this.
    Member,
    /// The workflow's repository belongs to the owner.
    Workflow,
    /// Legacy registry: the caller may write in the repository.
    RepositoryWriter,
}

impl fmt::Display for Grounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("the machine itself asks"),
            Self::Public => f.write_str("it is public"),
            Self::Internal => f.write_str("it is internal and the account is active"),
            Self::Role { role, source } => write!(f, "role {role}, {source}"),
            Self::Creation(grounds) => write!(f, "may create it, {grounds}"),
            Self::OwnAccount => f.write_str("the account is the caller's own"),
            Self::Member => f.write_str("member of the organization"),
            Self::SignedIn => f.write_str("signed in"),
            Self::SiteAdministrator => f.write_str("administrator of the instance"),
        }
    }
}

impl fmt::Display for RoleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owner => "as the owner",
            Self::OrganizationOwner => "as an owner of the organization",
            Self::Grant => "granted directly",
            Self::Team => "granted to a team",
            Self::Repository => "from the source repository",
            Self::OwnRepository => "as a workflow of the package's repository",
        })
    }
}

impl fmt::Display for CreationGrounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "as the machine itself",
            Self::Owner => "as the owner of the namespace",
            Self::OrganizationOwner => "as an owner of the organization",
            Self::Member => "as a member of the organization",
            Self::Workflow => "as a workflow of a repository of the owner",
            Self::RepositoryWriter => "with write in the source repository",
        })
    }
}

/// Why something is refused. What each face makes of it is its own matter; what a caller may not
/// know about is [`Refusal::Unknown`] or [`Refusal::Unauthenticated`] and carries nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Who are you? The same for what exists and what does not.
    Unauthenticated,
    /// The account is suspended, whatever was asked for.
    Suspended,
    /// The repository that the workflow's token is bound to is gone.
    InstallationGone,
    /// There is no such thing, as far as this caller may know.
    Unknown,
    /// The role would allow it, but the personal access token lacks a scope.
    Scope {
        /// What was asked for.
        permission: Permission,
        /// The first scope that is missing.
        missing: Scope,
    },
    /// The facts and the rights of the workflow's repository would allow it, but its token lacks
    /// the `packages:` permission.
    Installation {
        /// What was asked for.
        permission: Permission,
    },
    /// Everything would allow it, but the registry token was given for less. A new one helps.
    TokenTooNarrow {
        /// What was asked for.
        permission: PackagePermission,
    },
    /// The caller may know about it, but not do this.
    Role {
        /// What is missing, by the name that refusals use.
        missing: Permission,
        /// The best role the caller has on it.
        have: Option<Role>,
        /// What would help.
        remedy: Remedy,
    },
}

/// What would turn a refusal for want of a role into a yes. Says nothing that the caller may not
/// know: where existence is a secret it is made from the path alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// Push to a namespace of one's own, or become a member of that one.
    Namespace {
        /// The owner as the path names it, whether or not there is one.
        owner: AccountName,
    },
    /// An administrator of the package grants the role.
    Grant {
        /// The weakest role that would do.
        role: Role,
    },
    /// An administrator of the source repository grants the role.
    RepositoryGrant {
        /// The weakest role that would do.
        role: Role,
    },
    /// An owner of the organization lets members create this.
    OrganizationSetting {
        /// What members may not create or change packages to.
        visibility: Visibility,
    },
    /// An owner of the organization lets members create source repositories.
    RepositoryCreation,
    /// An owner of the organization does it.
    OrganizationOwner,
    /// An owner of the organization or a maintainer of the team does it.
    TeamMaintainer,
    /// Only the account itself does it.
    OwnAccount,
    /// Belong to the organization.
    Membership,
    /// An administrator of the instance does it.
    SiteAdministrator,
    /// Sign in with a browser, or do it on the machine: tokens make no credentials.
    Session,
    /// Use a personal access token: workflows cannot do this.
    PersonalToken,
    /// Use the personal access token itself: a registry token is for the registry only.
    PersonalTokenItself,
    /// Choose another name: this one is kept for its earlier owner.
    AnotherName,
    /// Nothing: the organization made public final.
    PublicIsFinal,
    /// Wait until administrators of the instance open the registry again.
    ReadOnlyRegistry,
}

impl Refusal {
    /// The vendor's text for the registry: the `message` of its error body.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Unauthenticated => "authentication required".to_owned(),
            Self::Suspended => "Sorry. Your account was suspended.".to_owned(),
            Self::InstallationGone => {
                "permission_denied: The requested installation does not exist.".to_owned()
            }
            Self::Unknown => "Not Found".to_owned(),
            Self::Scope { .. } => {
                "permission_denied: The token provided does not match expected scopes.".to_owned()
            }
            Self::Installation { permission } => {
                format!(
                    "installation not allowed to {} organization package",
                    verb(*permission)
                )
            }
            Self::TokenTooNarrow { .. } => {
                "authentication required: the token was given for less".to_owned()
            }
            Self::Role { missing, .. } => format!("permission_denied: {missing}"),
        }
    }

    /// What is missing and what would fix it, in a sentence for people. Tells no more than
    /// [`Refusal::message`] and the path do to those who may not know.
    #[must_use]
    pub fn explanation(&self) -> String {
        match self {
            Self::Unauthenticated => "sign in first".to_owned(),
            Self::Suspended => {
                "the account is suspended; an administrator of the instance can lift that"
                    .to_owned()
            }
            Self::InstallationGone => {
                "the repository that this token is bound to does not exist any more".to_owned()
            }
            Self::Unknown => "there is no such thing, or you may not know about it".to_owned(),
            Self::Scope {
                permission,
                missing,
            } => format!(
                "{permission} needs the scope {missing}, which the token lacks; make a token with \
                 it"
            ),
            Self::Installation { permission } => {
                let word = if *permission == Permission::ReadPackage {
                    "read"
                } else {
                    "write"
                };
                format!("{permission} needs `packages: {word}` among the permissions of the job")
            }
            Self::TokenTooNarrow { .. } => {
                "the registry token was given for less; ask the token endpoint for another"
                    .to_owned()
            }
            Self::Role {
                missing,
                have,
                remedy,
            } => {
                let have = have.map_or("none", Role::as_str);
                format!("{missing} is missing (present role: {have}); {remedy}")
            }
        }
    }
}

/// The vendor's verb in "installation not allowed to … organization package".
const fn verb(permission: Permission) -> &'static str {
    match permission {
        Permission::ReadPackage => "Read",
        Permission::CreatePackage => "Create",
        Permission::DeletePackage => "Delete",
        _ => "Write",
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace { owner } => write!(
                f,
                "packages under {} are created by that user, or by members of that organization; \
                 push under your own name, or ask there",
                owner.key()
            ),
            Self::Grant { role } => write!(f, "an admin of the package can grant {role}"),
            Self::RepositoryGrant { role } => {
                write!(f, "an admin of the source repository can grant {role}")
            }
            Self::OrganizationSetting { visibility } => write!(
                f,
                "members of the organization may not create {visibility} packages; an owner can \
                 do it, or allow it in the organization's package settings"
            ),
            Self::RepositoryCreation => f.write_str(
                "members of the organization may not create repositories; an owner can do it, or \
                 allow it",
            ),
            Self::OrganizationOwner => f.write_str("an owner of the organization can do it"),
            Self::TeamMaintainer => {
                f.write_str("an owner of the organization or a maintainer of the team can do it")
            }
            Self::OwnAccount => f.write_str("only that account can do it"),
            Self::Membership => f.write_str("an owner of the organization can add you"),
            Self::SiteAdministrator => f.write_str("an administrator of the instance can do it"),
            Self::Session => f.write_str(
                "tokens cannot make or manage credentials; sign in with a browser, or use the \
                 command line on the machine",
            ),
            Self::PersonalToken => {
                f.write_str("workflows cannot do this; use a personal access token")
            }
            Self::PersonalTokenItself => f.write_str(
                "a registry token is for the registry only; use the personal access token itself",
            ),
            Self::AnotherName => f.write_str(
                "the name is kept for an earlier owner, because others have pulled it; choose \
                 another",
            ),
            Self::PublicIsFinal => f.write_str(
                "the organization keeps public packages public; only the command line on the \
                 machine can take that back",
            ),
            Self::ReadOnlyRegistry => f.write_str(
                "the registry is read-only; an administrator of the instance can open it again",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_the_vendors() {
        let role = |missing| Refusal::Role {
            missing,
            have: None,
            remedy: Remedy::Grant { role: Role::Write },
        };
        for (refusal, message) in [
            (Refusal::Unauthenticated, "authentication required"),
            (
                role(Permission::ReadPackage),
                "permission_denied: read_package",
            ),
            (
                role(Permission::WritePackage),
                "permission_denied: write_package",
            ),
            (
                role(Permission::CreatePackage),
                "permission_denied: create_package",
            ),
            (
                Refusal::Scope {
                    permission: Permission::WritePackage,
                    missing: Scope::WritePackages,
                },
                "permission_denied: The token provided does not match expected scopes.",
            ),
            (
                Refusal::InstallationGone,
                "permission_denied: The requested installation does not exist.",
            ),
            (
                Refusal::Installation {
                    permission: Permission::CreatePackage,
                },
                "installation not allowed to Create organization package",
            ),
            (
                Refusal::Installation {
                    permission: Permission::WritePackage,
                },
                "installation not allowed to Write organization package",
            ),
        ] {
            assert_eq!(refusal.message(), message);
        }
    }

    #[test]
    fn an_explanation_says_what_is_missing_and_what_would_help() {
        let refusal = Refusal::Role {
            missing: Permission::WritePackage,
            have: Some(Role::Read),
            remedy: Remedy::Grant { role: Role::Write },
        };
        assert_eq!(
            Decision::Refused(refusal).to_string(),
            "refused: write_package is missing (present role: read); an admin of the package \
             can grant write"
        );
        let refusal = Refusal::Scope {
            permission: Permission::DeletePackage,
            missing: Scope::DeletePackages,
        };
        assert_eq!(
            refusal.explanation(),
            "delete_package needs the scope delete:packages, which the token lacks; make a token \
             with it"
        );
        let grounds = Grounds::Role {
            role: Role::Admin,
            source: RoleSource::Team,
        };
        assert_eq!(
            Decision::Allowed(grounds).to_string(),
            "allowed: role admin, granted to a team"
        );
    }
}
