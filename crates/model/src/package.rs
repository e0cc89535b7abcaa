//! Packages: what GitHub calls the contents of one repository name.

use std::fmt;
use std::str::FromStr;

use naru_oci::RepositoryName;

use crate::account::AccountName;
use crate::clock::Moment;
use crate::id::{AccountId, PackageId, RepositoryId};
use crate::name::{NameError, name_text};
use crate::repository::SourceRepositoryName;
use crate::word::words;

/// Which registry a package belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackageType {
    /// The container registry: `HOST/OWNER/IMAGE`, own permissions and visibility.
    Container,
    /// The legacy Docker registry: `docker.HOST/OWNER/REPO/IMAGE`, its repository's permissions.
    /// The package name is then `REPO/IMAGE`.
    Docker,
}

words!(
    PackageType,
    "package type",
    Container = "container",
    Docker = "docker"
);

/// Who may read without a role of their own. The order is from the widest to the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Visibility {
    /// Everybody, also without signing in.
    Public,
    /// Every active account of the instance.
    Internal,
    /// Only those with a role.
    Private,
}

words!(
    Visibility,
    "visibility",
    Public = "public",
    Internal = "internal",
    Private = "private"
);

/// The name of a package under its owner: one or more components of the OCI grammar, such as
/// `app` or `tools/builder`. Lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(RepositoryName);

name_text!(PackageName);

impl PackageName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parts between the slashes, at least one.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.components()
    }

    /// The repository that a package of the legacy registry lies in: the first of exactly two
    /// components. `None` for names of another shape.
    #[must_use]
    pub fn legacy_repository(&self) -> Option<SourceRepositoryName> {
        let mut components = self.components();
        let repository = components.next()?;
        components.next()?;
        if components.next().is_some() {
            return None;
        }
        repository.parse().ok()
    }
}

impl FromStr for PackageName {
    type Err = naru_oci::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Where a package is: which registry, whose, under which name. The target of a decision, and the
/// structured key of caches and access lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackagePath {
    /// The registry through which it is asked for.
    pub package_type: PackageType,
    /// The account that owns it.
    pub owner: AccountName,
    /// Its name under the owner.
    pub name: PackageName,
}

impl PackagePath {
    /// Reads the name in `/v2/<name>/…` for the registry of `package_type`.
    ///
    /// # Errors
    /// [`NameError`] if the first component is no account name, there is no second, or the
    /// legacy registry is asked for anything but `OWNER/REPO/IMAGE`.
    pub fn new(package_type: PackageType, name: &RepositoryName) -> Result<Self, NameError> {
        let path = Self {
            package_type,
            owner: name.owner().parse()?,
            name: name
                .rest()
                .and_then(|rest| rest.parse().ok())
                .ok_or(NameError::Grammar {
                    what: "the name of an image",
                    grammar: "an account name, a slash and a package name",
                })?,
        };
        if package_type == PackageType::Docker && path.name.legacy_repository().is_none() {
            return Err(NameError::Grammar {
                what: "the name of an image on the Docker registry",
                grammar: "an account name, a repository name and an image name, with slashes \
                          between them",
            });
        }
        Ok(path)
    }
}

impl fmt::Display for PackagePath {
    /// `owner/name`, in lower case: the name on the registry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner.key(), self.name)
    }
}

/// Where a package is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackageState {
    /// Its first upload is under way; no manifest has published it yet.
    Hidden,
    /// Published.
    Live,
    /// Deleted, and restorable for 30 days.
    Deleted,
}

words!(
    PackageState,
    "state of a package",
    Hidden = "hidden",
    Live = "live",
    Deleted = "deleted"
);

/// A package's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The identifier.
    pub id: PackageId,
    /// The account that owns it.
    pub owner: AccountId,
    /// Which registry it belongs to.
    pub package_type: PackageType,
    /// Its name under the owner.
    pub name: PackageName,
    /// Who may read it without a role. A package of the legacy registry has its repository's.
    pub visibility: Visibility,
    /// The source repository it is linked to.
    pub repository: Option<RepositoryId>,
    /// Whether explicit roles on the linked repository count as roles on the package.
    pub inherit_access: bool,
    /// What it is, in a sentence.
    pub description: Option<String>,
    /// Why the source label of an image did not link it; none once it is linked.
    pub link_note: Option<String>,
    /// Whether the registry's own tag rule binds it: of meaning for the legacy registry only.
    pub default_tag_rule: bool,
    /// When its first upload began.
    pub created_at: Moment,
    /// When the record last changed.
    pub updated_at: Moment,
    /// When its first manifest was pushed.
    pub published_at: Option<Moment>,
    /// When it was deleted.
    pub deleted_at: Option<Moment>,
}

impl Package {
    /// Where it is in its life.
    #[must_use]
    pub const fn state(&self) -> PackageState {
        match (self.published_at, self.deleted_at) {
            (_, Some(_)) => PackageState::Deleted,
            (None, None) => PackageState::Hidden,
            (Some(_), None) => PackageState::Live,
        }
    }
}

/// What an account allows for packages under it (GitHub documentation, "Configuring a package's
/// access control and visibility"; settings of an organization, defaults for a user).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PackageSettings {
    /// Members may publish public packages, and make packages public.
    pub members_create_public: bool,
    /// Members may publish internal packages, and make packages internal.
    pub members_create_internal: bool,
    /// Members may publish private packages, and make packages private.
    pub members_create_private: bool,
    /// Members may create source repositories, as a first push to the legacy registry does.
    pub members_create_repositories: bool,
    /// A package linked before its first publication takes over the repository's access.
    pub inherit_access: bool,
    /// A public package can never be anything else again, as at the vendor.
    pub public_is_final: bool,
    /// Deleting a version that an index or its subject keeps is refused, instead of withdrawing it.
    pub refuse_needed_deletes: bool,
}

impl Default for PackageSettings {
    /// Everything allowed, inheritance on, public can be taken back.
    fn default() -> Self {
        Self {
            members_create_public: true,
            members_create_internal: true,
            members_create_private: true,
            members_create_repositories: true,
            inherit_access: true,
            public_is_final: false,
            refuse_needed_deletes: false,
        }
    }
}

impl PackageSettings {
    /// Whether members may publish packages of this visibility.
    #[must_use]
    pub const fn members_create(&self, visibility: Visibility) -> bool {
        match visibility {
            Visibility::Public => self.members_create_public,
            Visibility::Internal => self.members_create_internal,
            Visibility::Private => self.members_create_private,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(package_type: PackageType, name: &str) -> Result<PackagePath, NameError> {
        PackagePath::new(package_type, &name.parse().unwrap())
    }

    #[test]
    fn a_container_path_is_an_owner_and_a_name_of_any_depth() {
        let path = path(PackageType::Container, "octo-org/a/b/c").unwrap();
        assert_eq!(path.owner.as_str(), "octo-org");
        assert_eq!(path.name.as_str(), "a/b/c");
        assert_eq!(path.to_string(), "octo-org/a/b/c");
    }

    #[test]
    fn a_legacy_path_has_exactly_three_parts() {
        let found = path(PackageType::Docker, "octo/app/image").unwrap();
        assert_eq!(found.name.legacy_repository().unwrap().as_str(), "app");
        for name in ["octo/image", "octo/app/image/more", "octo"] {
            assert!(path(PackageType::Docker, name).is_err(), "{name}");
        }
    }

    #[test]
    fn names_without_an_owner_or_with_an_impossible_one_are_refused() {
        for name in ["alpine", "a_b/image", "a.b/image", "a--b/image"] {
            assert!(path(PackageType::Container, name).is_err(), "{name}");
        }
    }

    #[test]
    fn package_names_are_lower_case() {
        assert!("App".parse::<PackageName>().is_err());
        assert_eq!(
            "tools/builder"
                .parse::<PackageName>()
                .unwrap()
                .components()
                .count(),
            2
        );
    }
}
