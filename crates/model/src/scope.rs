//! Scopes: what a personal access token may be used for at most.
//!
//! GitHub documentation, "Scopes for OAuth apps". Naru acts on those that have to do with
//! packages, repositories, organizations, the audit log and the instance; it knows the others, so
//! that a token made for several tools can be written down as it is.

use std::fmt;
use std::str::FromStr;

use crate::word::{UnknownWord, words};

/// What a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each is documented by its word, which is GitHub's"
)]
pub enum Scope {
    Repo,
    RepoStatus,
    RepoDeployment,
    PublicRepo,
    RepoInvite,
    SecurityEvents,
    Workflow,
    WritePackages,
    ReadPackages,
    DeletePackages,
    AdminOrg,
    WriteOrg,
    ReadOrg,
    AdminPublicKey,
    WritePublicKey,
    ReadPublicKey,
    AdminRepoHook,
    WriteRepoHook,
    ReadRepoHook,
    AdminOrgHook,
    Gist,
    Notifications,
    User,
    ReadUser,
    UserEmail,
    UserFollow,
    DeleteRepo,
    Project,
    ReadProject,
    AdminGpgKey,
    WriteGpgKey,
    ReadGpgKey,
    Codespace,
    AdminEnterprise,
    ReadEnterprise,
    ReadAuditLog,
    SiteAdmin,
}

words!(
    Scope,
    "scope",
    Repo = "repo",
    RepoStatus = "repo:status",
    RepoDeployment = "repo_deployment",
    PublicRepo = "public_repo",
    RepoInvite = "repo:invite",
    SecurityEvents = "security_events",
    Workflow = "workflow",
    WritePackages = "write:packages",
    ReadPackages = "read:packages",
    DeletePackages = "delete:packages",
    AdminOrg = "admin:org",
    WriteOrg = "write:org",
    ReadOrg = "read:org",
    AdminPublicKey = "admin:public_key",
    WritePublicKey = "write:public_key",
    ReadPublicKey = "read:public_key",
    AdminRepoHook = "admin:repo_hook",
    WriteRepoHook = "write:repo_hook",
    ReadRepoHook = "read:repo_hook",
    AdminOrgHook = "admin:org_hook",
    Gist = "gist",
    Notifications = "notifications",
    User = "user",
    ReadUser = "read:user",
    UserEmail = "user:email",
    UserFollow = "user:follow",
    DeleteRepo = "delete_repo",
    Project = "project",
    ReadProject = "read:project",
    AdminGpgKey = "admin:gpg_key",
    WriteGpgKey = "write:gpg_key",
    ReadGpgKey = "read:gpg_key",
    Codespace = "codespace",
    AdminEnterprise = "admin:enterprise",
    ReadEnterprise = "read:enterprise",
    ReadAuditLog = "read:audit_log",
    SiteAdmin = "site_admin",
);

impl Scope {
    /// The scopes that this one includes directly; they may include others.
    #[must_use]
    pub const fn implies(self) -> &'static [Self] {
        match self {
            Self::Repo => &[
                Self::RepoStatus,
                Self::RepoDeployment,
                Self::PublicRepo,
                Self::RepoInvite,
                Self::SecurityEvents,
            ],
            Self::WritePackages => &[Self::ReadPackages],
            Self::AdminOrg => &[Self::WriteOrg],
            Self::WriteOrg => &[Self::ReadOrg],
            Self::AdminPublicKey => &[Self::WritePublicKey],
            Self::WritePublicKey => &[Self::ReadPublicKey],
            Self::AdminRepoHook => &[Self::WriteRepoHook],
            Self::WriteRepoHook => &[Self::ReadRepoHook],
            Self::User => &[Self::ReadUser, Self::UserEmail, Self::UserFollow],
            Self::Project => &[Self::ReadProject],
            Self::AdminGpgKey => &[Self::WriteGpgKey],
            Self::WriteGpgKey => &[Self::ReadGpgKey],
            Self::AdminEnterprise => &[Self::ReadEnterprise],
            _ => &[],
        }
    }

    const fn bit(self) -> u64 {
        1 << (self as u32)
    }

    /// This scope and all it includes, as bits.
    fn closure(self) -> u64 {
        self.implies()
            .iter()
            .fold(self.bit(), |bits, implied| bits | implied.closure())
    }
}

/// A set of scopes, normalised: one that another includes is not listed (GitHub documentation,
/// "Normalized scopes").
///
/// Its text is the words with `, ` between them, as in `X-OAuth-Scopes` and in the database.
/// Reading takes commas and spaces in any mixture.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes {
    /// One bit for each scope that the set covers, the included ones too.
    covered: u64,
}

impl Scopes {
    /// No scope: only public information may be read.
    pub const NONE: Self = Self { covered: 0 };

    /// This set with one more.
    #[must_use]
    pub fn with(self, scope: Scope) -> Self {
        Self {
            covered: self.covered | scope.closure(),
        }
    }

    /// Whether the set covers `scope`, by itself or through one that includes it.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.covered & scope.bit() != 0
    }

    /// Whether everything the other set covers is covered by this one.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        other.covered & !self.covered == 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.covered == 0
    }

    /// Those that no other in the set includes, in the order of GitHub's list.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        let listed = move |scope: &Scope| self.contains(*scope) && !self.includes_through(*scope);
        Scope::ALL.iter().copied().filter(listed)
    }

    /// Whether another scope of the set includes `scope`.
    fn includes_through(self, scope: Scope) -> bool {
        let mut others = Scope::ALL.iter().filter(|other| **other != scope);
        others.any(|other| self.contains(*other) && other.closure() & scope.bit() != 0)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::NONE, Self::with)
    }
}

impl FromStr for Scopes {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        words.map(str::parse::<Scope>).collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normalised(text: &str) -> String {
        text.parse::<Scopes>().unwrap().to_string()
    }

    #[test]
    fn every_scope_has_a_bit_of_its_own() {
        assert!(Scope::ALL.len() <= 64);
        let bits = Scope::ALL
            .iter()
            .fold(0, |bits: u64, scope| bits | scope.bit());
        assert_eq!(bits.count_ones() as usize, Scope::ALL.len());
    }

    #[test]
    fn a_scope_that_another_includes_is_not_listed() {
        for (given, listed) in [
            ("write:packages,read:packages", "write:packages"),
            ("read:org admin:org", "admin:org"),
            (
                "repo, public_repo, delete:packages",
                "repo, delete:packages",
            ),
            ("user:email,user", "user"),
            ("delete:packages", "delete:packages"),
            ("  , ", ""),
        ] {
            assert_eq!(normalised(given), listed);
        }
    }

    #[test]
    fn writing_includes_reading_and_deleting_includes_nothing() {
        let write: Scopes = "write:packages".parse().unwrap();
        assert!(write.contains(Scope::ReadPackages));
        assert!(!write.contains(Scope::DeletePackages));
        let delete: Scopes = "delete:packages".parse().unwrap();
        assert!(!delete.contains(Scope::ReadPackages));
        let admin: Scopes = "admin:org".parse().unwrap();
        assert!(
            admin.contains(Scope::ReadOrg),
            "inclusion reaches over several steps"
        );
        let repo: Scopes = "repo".parse().unwrap();
        assert!(!repo.contains(Scope::ReadPackages) && !repo.contains(Scope::DeleteRepo));
    }

    #[test]
    fn an_unknown_scope_is_named() {
        let error = "read:packages,write:package".parse::<Scopes>().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("`write:package` is not a scope; expected one of: ")
        );
    }

    fn any_scopes() -> impl Strategy<Value = Vec<Scope>> {
        proptest::collection::vec(proptest::sample::select(Scope::ALL), 0..8)
    }

    proptest! {
        #[test]
        fn the_text_of_a_set_is_read_back_as_the_set(scopes in any_scopes()) {
            let set: Scopes = scopes.iter().copied().collect();
            prop_assert_eq!(set.to_string().parse::<Scopes>().unwrap(), set);
            prop_assert_eq!(set.iter().collect::<Scopes>(), set);
        }

        #[test]
        fn a_set_with_more_scopes_covers_the_one_with_fewer(scopes in any_scopes(), more in any_scopes()) {
            let set: Scopes = scopes.into_iter().collect();
            let wider = more.into_iter().fold(set, Scopes::with);
            prop_assert!(wider.covers(set));
        }
    }
}
