//! Changing a package's record: what `PATCH` does, in one transaction.

use naru_metadata::{Tx, packages, tag_rules};
use naru_model::{
    EventKind, Moment, NewEvent, PackagePath, PackagePermission, RepositoryId, RepositoryPath,
    RepositoryPermission, Visibility,
};

use super::{absent, own_permissions};
use crate::access::{Authorized, authorize_in, lock};
use crate::error::{Error, Result};
use crate::{Caller, Registry, account_access, events};

/// What is to be different about a package; nothing said leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageChange {
    /// Who may read it without a role.
    pub visibility: Option<Visibility>,
    /// What it is, in a sentence.
    pub description: Option<Option<String>>,
    /// The source repository it is linked to; none unlinks it.
    pub repository: Option<Option<RepositoryPath>>,
    /// Whether explicit roles on the linked repository count.
    pub inherit_access: Option<bool>,
    /// Whether the registry's own tag rule binds it.
    pub default_tag_rule: Option<bool>,
}

/// The longest description, in characters: that of the label (GitHub documentation, "Working with
/// the Container registry").
const LONGEST_DESCRIPTION: usize = 512;

impl Registry {
    /// Changes a package: all that is said, or nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the package, its owner's settings allow
    /// its new visibility, and the caller may write in the repository it is linked to;
    /// [`Error::Invalid`] for a description that is too long; [`Error::Conflict`] for a repository
    /// of another owner, inheritance without a repository, and what a package of the legacy
    /// registry has from its repository.
    pub async fn change_package(
        &self,
        caller: &Caller,
        path: &PackagePath,
        change: PackageChange,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let administer = PackagePermission::Administer;
        let package = authorize_in(&mut tx, caller, path, administer).await?;
        // What is read from here on to decide by is changed by nobody else before the commit.
        lock(&mut tx, &package).await?;
        let mut editor = Editor {
            caller,
            package: &package,
            now,
        };
        if let Some(visibility) = change.visibility {
            editor.visibility(&mut tx, visibility).await?;
        }
        if let Some(description) = &change.description {
            editor.description(&mut tx, description.as_deref()).await?;
        }
        if change.repository.is_some() || change.inherit_access.is_some() {
            let repository = change.repository.as_ref();
            editor
                .link(&mut tx, repository, change.inherit_access)
                .await?;
        }
        if let Some(binds) = change.default_tag_rule {
            editor.default_tag_rule(&mut tx, binds).await?;
        }
        self.commit_access_changes(tx).await
    }
}

impl Registry {
    /// Makes a package public, internal or private.
    ///
    /// # Errors
    /// As [`Registry::change_package`].
    pub async fn set_package_visibility(
        &self,
        caller: &Caller,
        path: &PackagePath,
        visibility: Visibility,
    ) -> Result<()> {
        let change = PackageChange {
            visibility: Some(visibility),
            ..PackageChange::default()
        };
        self.change_package(caller, path, change).await
    }

    /// Links a package to a source repository of the same owner. `inherit_access` says whether
    /// explicit roles there count here.
    ///
    /// # Errors
    /// As [`Registry::change_package`].
    pub async fn link_package(
        &self,
        caller: &Caller,
        path: &PackagePath,
        repository: &RepositoryPath,
        inherit_access: bool,
    ) -> Result<()> {
        let change = PackageChange {
            repository: Some(Some(repository.clone())),
            inherit_access: Some(inherit_access),
            ..PackageChange::default()
        };
        self.change_package(caller, path, change).await
    }

    /// Undoes the link of a package to its source repository, and the inheritance with it.
    ///
    /// # Errors
    /// As [`Registry::change_package`].
    pub async fn unlink_package(&self, caller: &Caller, path: &PackagePath) -> Result<()> {
        let change = PackageChange {
            repository: Some(None),
            ..PackageChange::default()
        };
        self.change_package(caller, path, change).await
    }

    /// Lets the registry's own tag rule bind a package, or lifts it: that published versions of
    /// the legacy registry are immutable.
    ///
    /// # Errors
    /// As [`Registry::change_package`].
    pub async fn set_default_tag_rule(
        &self,
        caller: &Caller,
        path: &PackagePath,
        binds: bool,
    ) -> Result<()> {
        let change = PackageChange {
            default_tag_rule: Some(binds),
            ..PackageChange::default()
        };
        self.change_package(caller, path, change).await
    }
}

/// Makes the changes one by one, each with its event.
struct Editor<'a> {
    caller: &'a Caller,
    package: &'a Authorized,
    now: Moment,
}

impl Editor<'_> {
    async fn visibility(&mut self, tx: &mut Tx, visibility: Visibility) -> Result<()> {
        let permission = PackagePermission::ChangeVisibility(visibility);
        authorize_in(tx, self.caller, self.package.path(), permission).await?;
        own_permissions(self.package)?;
        packages::set_visibility(tx, self.package.id(), visibility, self.now).await?;
        let event = self.event(EventKind::PackageVisibilityChanged);
        events::record(tx, event.with("visibility", visibility)).await
    }

    async fn description(&mut self, tx: &mut Tx, description: Option<&str>) -> Result<()> {
        let length = description.map_or(0, |text| text.chars().count());
        if length > LONGEST_DESCRIPTION {
            return Err(Error::Invalid(format!(
                "the description has {length} characters; {LONGEST_DESCRIPTION} is the most"
            )));
        }
        packages::describe(tx, self.package.id(), description).await?;
        let event = self.event(EventKind::PackageSettingsChanged);
        events::record(
            tx,
            event.with("description", description.unwrap_or_default()),
        )
        .await
    }

    /// Links the package to another repository or to none, and says whether it inherits.
    async fn link(
        &mut self,
        tx: &mut Tx,
        repository: Option<&Option<RepositoryPath>>,
        inherit_access: Option<bool>,
    ) -> Result<()> {
        own_permissions(self.package)?;
        let before = packages::find(tx, self.package.id()).await?;
        let before = before.ok_or_else(|| absent(self.package.path()))?;
        let linked = match repository {
            None => before.repository,
            Some(None) => None,
            Some(Some(path)) => Some(self.linkable(tx, path).await?),
        };
        // A new link brings no access with it unless that is said.
        let kept = before.inherit_access && linked == before.repository;
        let inherits = inherit_access.unwrap_or(kept);
        if inherits && linked.is_none() {
            return Err(Error::Conflict(format!(
                "{} is linked to no repository, so there is no access to inherit; link it first",
                self.package.path()
            )));
        }
        packages::set_repository(tx, self.package.id(), linked, inherits, self.now).await?;
        let event = match (repository, linked) {
            (None, _) => self.event(EventKind::PackageInheritanceChanged),
            (Some(_), None) => self.event(EventKind::PackageUnlinked),
            (Some(_), Some(linked)) => self
                .event(EventKind::PackageLinked)
                .with("repository", linked),
        };
        events::record(tx, event.with("inherit_access", inherits)).await
    }

    /// A repository of the package's owner in which the caller may write.
    async fn linkable(&self, tx: &mut Tx, path: &RepositoryPath) -> Result<RepositoryId> {
        let permission = RepositoryPermission::Write;
        let found = account_access::repository(tx, self.caller, path, permission).await?;
        if found.owner() == self.package.owner() {
            return Ok(found.id());
        }
        Err(Error::Conflict(format!(
            "{} and {path} have different owners; a package is linked to a repository of its own \
             owner",
            self.package.path()
        )))
    }

    async fn default_tag_rule(&mut self, tx: &mut Tx, binds: bool) -> Result<()> {
        tag_rules::set_default(tx, self.package.id(), binds, self.now).await?;
        let event = self.event(EventKind::PackageSettingsChanged);
        events::record(tx, event.with("default_tag_rule", binds)).await
    }

    fn event(&self, kind: EventKind) -> NewEvent {
        events::on_package(kind, self.caller, self.package, self.now)
    }
}
