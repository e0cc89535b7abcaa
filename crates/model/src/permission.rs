//! What may be done: permissions, and the roles that carry them.

use std::fmt;

use crate::package::Visibility;
use crate::word::{UnknownWord, words};

/// A stored role of a user, a team or a repository on a package. Each includes the ones before
/// it (GitHub documentation, "Configuring a package's access control and visibility").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Download, read metadata.
    Read,
    /// Also upload and write metadata.
    Write,
    /// Also delete, restore, grant access, change visibility, connect a repository.
    Admin,
}

words!(
    Role,
    "role",
    Read = "read",
    Write = "write",
    Admin = "admin"
);

/// What can be asked about a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackagePermission {
    /// Pull: read content, tags and referrers on the registry.
    Read,
    /// Read the record, as the REST API does: needs a signed-in caller with `read:packages` even
    /// for a public package.
    ReadMetadata,
    /// Push: upload blobs, write manifests and tags. If there is no such package, create it.
    Write,
    /// Delete the package, a version, a tag or a blob.
    Delete,
    /// Restore the package or a version.
    Restore,
    /// Grant access, connect a repository, change settings.
    Administer,
    /// Make it public, internal or private.
    ChangeVisibility(Visibility),
}

impl PackagePermission {
    /// The word for it where access is explained: in REST and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadMetadata => "read_metadata",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Restore => "restore",
            Self::Administer => "admin",
            Self::ChangeVisibility(Visibility::Public) => "make_public",
            Self::ChangeVisibility(Visibility::Internal) => "make_internal",
            Self::ChangeVisibility(Visibility::Private) => "make_private",
        }
    }

    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::ReadMetadata,
        Self::Write,
        Self::Delete,
        Self::Restore,
        Self::Administer,
        Self::ChangeVisibility(Visibility::Public),
        Self::ChangeVisibility(Visibility::Internal),
        Self::ChangeVisibility(Visibility::Private),
    ];

    /// The weakest role that carries it.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Read | Self::ReadMetadata => Role::Read,
            Self::Write => Role::Write,
            Self::Delete | Self::Restore | Self::Administer | Self::ChangeVisibility(_) => {
                Role::Admin
            }
        }
    }
}

impl std::str::FromStr for PackagePermission {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.into_iter().find(|known| known.as_str() == word);
        found.ok_or_else(|| UnknownWord {
            what: "permission on a package",
            given: word.to_owned(),
            expected: "read, read_metadata, write, delete, restore, admin, make_public, \
                       make_internal, make_private",
        })
    }
}

/// What can be asked about an account, as the owner of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountPermission {
    /// List its packages; which of them appear is decided for each.
    ListPackages,
    /// Create a source repository of this visibility under it.
    CreateRepository(Visibility),
    /// See who is in the organization and its teams.
    ReadMembers,
    /// See what only the account itself sees of its profile.
    ReadProfile,
    /// See which organizations and teams the account itself is in.
    ReadMemberships,
    /// Change the account itself: members, teams, settings.
    Administer,
    /// Restore a source repository that was deleted under it.
    RestoreRepository,
    /// Make tokens, change the password. Never by a token.
    ManageCredentials,
    /// See which tokens there are, and end them: that takes rights away and gives none.
    ReviewCredentials,
}

/// What can be asked about a source repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RepositoryPermission {
    /// See the record.
    Read,
    /// Change its description and topics, connect packages to it.
    Write,
    /// Store what is said about its artifacts: attestations, deployment and storage records.
    Attest,
    /// Change collaborators, visibility and settings, make tokens for its workflows.
    Administer,
    /// Delete it.
    Delete,
    /// Give up one's own role in it.
    Leave,
}

impl RepositoryPermission {
    /// The weakest role that carries it, in the words of packages.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Read | Self::Leave => Role::Read,
            Self::Write | Self::Attest => Role::Write,
            Self::Administer | Self::Delete => Role::Admin,
        }
    }
}

/// What can be asked about a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TeamPermission {
    /// See it and who is in it.
    Read,
    /// Change it, and who is in it; delete it.
    Manage,
}

/// A permission by the name that refusals use, after `permission_denied: ` (the five of packages
/// are the vendor's own words).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Pull a package, read its record.
    ReadPackage,
    /// Push to a package.
    WritePackage,
    /// Create a package in a namespace.
    CreatePackage,
    /// Delete a package or a part of it.
    DeletePackage,
    /// Administer a package.
    AdminPackage,
    /// List the packages of an account.
    ListPackages,
    /// Read a source repository's record.
    ReadRepository,
    /// Change a source repository.
    WriteRepository,
    /// Create a source repository under an account.
    CreateRepository,
    /// Delete a source repository.
    DeleteRepository,
    /// Administer a source repository.
    AdminRepository,
    /// See the members of an organization.
    ReadMembers,
    /// See what only the account itself sees of its profile.
    ReadProfile,
    /// See which organizations and teams an account is in.
    ReadMemberships,
    /// See a team of an organization.
    ReadTeam,
    /// Change a team of an organization.
    AdminTeam,
    /// Administer an account.
    AdminAccount,
    /// Make, list and revoke credentials.
    ManageCredentials,
    /// Administer the instance.
    AdminInstance,
}

words!(
    Permission,
    "permission",
    ReadPackage = "read_package",
    WritePackage = "write_package",
    CreatePackage = "create_package",
    DeletePackage = "delete_package",
    AdminPackage = "admin_package",
    ListPackages = "list_packages",
    ReadRepository = "read_repository",
    WriteRepository = "write_repository",
    CreateRepository = "create_repository",
    DeleteRepository = "delete_repository",
    AdminRepository = "admin_repository",
    ReadMembers = "read_members",
    ReadProfile = "read_profile",
    ReadMemberships = "read_memberships",
    ReadTeam = "read_team",
    AdminTeam = "admin_team",
    AdminAccount = "admin_account",
    ManageCredentials = "manage_credentials",
    AdminInstance = "admin_instance",
);

impl From<PackagePermission> for Permission {
    fn from(permission: PackagePermission) -> Self {
        match permission {
            PackagePermission::Read | PackagePermission::ReadMetadata => Self::ReadPackage,
            PackagePermission::Write => Self::WritePackage,
            PackagePermission::Delete => Self::DeletePackage,
            PackagePermission::Restore
            | PackagePermission::Administer
            | PackagePermission::ChangeVisibility(_) => Self::AdminPackage,
        }
    }
}

impl From<AccountPermission> for Permission {
    fn from(permission: AccountPermission) -> Self {
        match permission {
            AccountPermission::ListPackages => Self::ListPackages,
            AccountPermission::CreateRepository(_) => Self::CreateRepository,
            AccountPermission::ReadMembers => Self::ReadMembers,
            AccountPermission::ReadProfile => Self::ReadProfile,
            AccountPermission::ReadMemberships => Self::ReadMemberships,
            AccountPermission::Administer => Self::AdminAccount,
            AccountPermission::RestoreRepository => Self::AdminRepository,
            AccountPermission::ManageCredentials | AccountPermission::ReviewCredentials => {
                Self::ManageCredentials
            }
        }
    }
}

impl From<TeamPermission> for Permission {
    fn from(permission: TeamPermission) -> Self {
        match permission {
            TeamPermission::Read => Self::ReadTeam,
            TeamPermission::Manage => Self::AdminTeam,
        }
    }
}

impl From<RepositoryPermission> for Permission {
    fn from(permission: RepositoryPermission) -> Self {
        match permission {
            RepositoryPermission::Read | RepositoryPermission::Leave => Self::ReadRepository,
            RepositoryPermission::Write | RepositoryPermission::Attest => Self::WriteRepository,
            RepositoryPermission::Administer => Self::AdminRepository,
            RepositoryPermission::Delete => Self::DeleteRepository,
        }
    }
}

impl fmt::Display for PackagePermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.pad("read"),
            Self::ReadMetadata => f.pad("read metadata"),
            Self::Write => f.pad("write"),
            Self::Delete => f.pad("delete"),
            Self::Restore => f.pad("restore"),
            Self::Administer => f.pad("administer"),
            Self::ChangeVisibility(to) => f.pad(&format!("make {to}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_on_a_package_has_a_word_of_its_own() {
        for permission in PackagePermission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(permission));
        }
        let error = "pull".parse::<PackagePermission>().unwrap_err();
        for permission in PackagePermission::ALL {
            assert!(error.expected.contains(permission.as_str()));
        }
    }
}
