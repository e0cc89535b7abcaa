//! Source repositories: records that packages are linked to, with collaborators and their roles.

mod roles;

use naru_metadata::repositories::{self, NewRepository as NewRepositoryRow};
use naru_metadata::{Conn, accounts, changes, search, tokens};
use naru_model::label::ForgeUrl;
use naru_model::{
    AccountName, AccountPermission, EventKind, Repository, RepositoryId, RepositoryPath,
    RepositoryPermission, RepositoryRole, SourceRepositoryName, Topics, Visibility, check_text,
};

use crate::account_access::{self as access, AuthorizedRepository};
use crate::commit::Outdated;
use crate::error::{Error, Result};
use crate::profiles::invalid;
use crate::{Caller, Registry, events};

pub use roles::Collaborators;

/// A source repository about to be made.
#[derive(Clone, Debug)]
pub struct NewRepository {
    /// Whose, and what it is called.
    pub path: RepositoryPath,
    /// Who may see it. Packages of the legacy registry in it follow.
    pub visibility: Visibility,
    /// What it is, in a sentence.
    pub description: Option<String>,
    /// Where the source lives, on a forge elsewhere: a web address.
    pub forge_url: Option<String>,
    /// The address of a page about it.
    pub homepage: Option<String>,
}

/// What is to change of a repository. `None` leaves it, `Some(None)` takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryChange {
    /// Its name. The one before leads to it as long as nobody takes it.
    pub name: Option<SourceRepositoryName>,
    /// Who may see it.
    pub visibility: Option<Visibility>,
    /// What it is, in a sentence.
    pub description: Option<Option<String>>,
    /// The address of a page about it.
    pub homepage: Option<Option<String>>,
    /// Where the source lives, on a forge elsewhere: a web address.
    pub forge_url: Option<Option<String>>,
    /// Words that it is found by.
    pub topics: Option<Topics>,
}

impl RepositoryChange {
    /// The weakest permission that carries it.
    const fn permission(&self) -> RepositoryPermission {
        match (&self.name, self.visibility) {
            (None, None) => RepositoryPermission::Write,
            _ => RepositoryPermission::Administer,
        }
    }

    fn make(&self, record: &mut Repository) -> Result<()> {
        if let Some(name) = &self.name {
            record.name = name.clone();
        }
        record.visibility = self.visibility.unwrap_or(record.visibility);
        if let Some(description) = &self.description {
            record.description = shown("description", description.as_deref())?;
        }
        if let Some(homepage) = &self.homepage {
            record.homepage = shown("homepage", homepage.as_deref())?;
        }
        if let Some(address) = &self.forge_url {
            record.forge_url = address.as_deref().map(forge).transpose()?;
        }
        if let Some(topics) = &self.topics {
            record.topics = topics.clone();
        }
        Ok(())
    }
}

/// The longest description and homepage, in characters.
const LONGEST: usize = 350;

/// A text in one line; an empty one is none.
fn shown(field: &'static str, text: Option<&str>) -> Result<Option<String>> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    check_text(field, text, LONGEST).map_err(invalid)?;
    Ok(text.map(str::to_owned))
}

impl Registry {
    /// Makes a source repository. A user who makes one under an organization becomes its
    /// administrator.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the owner's namespace lets the caller; [`Error::Exists`];
    /// [`Error::Invalid`] for a forge address that is none.
    pub async fn create_repository(
        &self,
        caller: &Caller,
        new: NewRepository,
    ) -> Result<Repository> {
        let forge_url = new.forge_url.as_deref().map(forge).transpose()?;
        let description = shown("description", new.description.as_deref())?;
        let homepage = shown("homepage", new.homepage.as_deref())?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let permission = AccountPermission::CreateRepository(new.visibility);
        let owner = access::account(&mut tx, caller, &new.path.owner, permission).await?;
        let row = NewRepositoryRow {
            owner: owner.id(),
            name: &new.path.name,
            description: description.as_deref(),
            forge_url: forge_url.as_deref(),
            homepage: homepage.as_deref(),
            visibility: new.visibility,
            now,
        };
        let id = repositories::create(&mut tx, &row).await?;
        let id = id.ok_or_else(|| Error::Exists {
            what: "repository",
            name: new.path.to_string(),
        })?;
        repositories::end_redirect(&mut tx, owner.id(), &new.path.name).await?;
        if let Some(user) = caller.principal.user()
            && user != owner.id()
        {
            repositories::set_user_role(&mut tx, id, user, RepositoryRole::Admin, now).await?;
        }
        let event = caller
            .event(EventKind::RepositoryCreated, now)
            .on_account(owner.id());
        events::record(&mut tx, event.with("repository", &new.path)).await?;
        changes::bump_access(&mut tx).await?;
        let repository = repositories::find_by_id(&mut tx, id).await?;
        self.commit(tx, Outdated::ACCESS).await?;
        repository.ok_or_else(|| absent(&new.path))
    }

    /// The repositories of an account that the caller may see, in the order of their names.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::AccountUnknown`].
    pub async fn list_repositories(
        &self,
        caller: &Caller,
        owner: &AccountName,
    ) -> Result<Vec<Repository>> {
        let mut conn = self.db.read().await?;
        let found = access::profile(&mut conn, caller, owner).await?;
        let mut seen = Vec::new();
        for repository in repositories::of_owner(&mut conn, found.id()).await? {
            let path = RepositoryPath {
                owner: owner.clone(),
                name: repository.name.clone(),
            };
            let permission = RepositoryPermission::Read;
            match access::repository(&mut conn, caller, &path, permission).await {
                Ok(_) => seen.push(repository),
                Err(Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(seen)
    }

    /// A repository's record.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::NotFound`].
    pub async fn repository(&self, caller: &Caller, path: &RepositoryPath) -> Result<Repository> {
        let mut conn = self.db.read().await?;
        let permission = RepositoryPermission::Read;
        let found = access::repository(&mut conn, caller, path, permission).await?;
        repositories::find_by_id(&mut conn, found.id())
            .await?
            .ok_or_else(|| absent(path))
    }

    /// The most that the caller may do with a repository: administer it, write or read.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and the like; no refusal.
    pub async fn repository_permission(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
    ) -> Result<Option<RepositoryPermission>> {
        let mut conn = self.db.read().await?;
        for permission in [
            RepositoryPermission::Administer,
            RepositoryPermission::Write,
            RepositoryPermission::Read,
        ] {
            match access::repository(&mut conn, caller, path, permission).await {
                Ok(_) => return Ok(Some(permission)),
                Err(Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The paths of those of the repositories that the caller may see.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and the like.
    pub async fn repository_paths(
        &self,
        caller: &Caller,
        ids: &[RepositoryId],
    ) -> Result<Vec<(RepositoryId, RepositoryPath)>> {
        let mut conn = self.db.read().await?;
        let read = RepositoryPermission::Read;
        let seen = access::repositories_among(&mut conn, caller, ids, read).await?;
        Ok(repositories::paths(&mut conn, &seen).await?)
    }

    /// Changes what a repository is called, says of itself and who may see it. Packages of the
    /// legacy registry in it follow its visibility, and are why it may have to keep its name.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may write in it, for name and visibility unless they
    /// administer it; [`Error::Exists`]; [`Error::Conflict`] for renaming while legacy packages are
    /// in it; [`Error::InvalidField`].
    pub async fn update_repository(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        change: &RepositoryChange,
    ) -> Result<RepositoryPath> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = access::repository(&mut tx, caller, path, change.permission()).await?;
        // The whole record is written back, so nobody may change it meanwhile.
        accounts::lock(&mut tx, found.owner()).await?;
        let before = repositories::find_by_id(&mut tx, found.id()).await?;
        let before = before.ok_or_else(|| absent(path))?;
        let mut record = before.clone();
        change.make(&mut record)?;
        let to = RepositoryPath {
            owner: path.owner.clone(),
            name: record.name.clone(),
        };
        if before.name != record.name {
            rename(&mut tx, &before, path, &to).await?;
        }
        let updated = repositories::update(&mut tx, &record, now).await;
        updated.map_err(|error| name_taken(error, &to))?;
        let event = caller
            .event(change_kind(&before, &record), now)
            .on_account(found.owner())
            .with("repository", &to);
        let event = event.with("visibility", record.visibility);
        self.commit_access_change(tx, event).await?;
        Ok(to)
    }

    /// Restores the repository of this name that was deleted last, with those who work in it. What
    /// was linked to it is not linked again, and its workflows' tokens stay revoked.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller owns the account it was under; [`Error::NotFound`];
    /// [`Error::Exists`] when its name is in use again; [`Error::Conflict`] after its time in the
    /// bin.
    pub async fn restore_repository(&self, caller: &Caller, path: &RepositoryPath) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let permission = AccountPermission::RestoreRepository;
        let owner = access::account(&mut tx, caller, &path.owner, permission).await?;
        let deleted = repositories::find_deleted(&mut tx, owner.id(), &path.name).await?;
        let deleted = deleted.ok_or_else(|| absent(path))?;
        if deleted.deleted_at < Some(self.end_of_bin_time()) {
            return Err(Error::Conflict(format!(
                "{path} cannot be restored any more: it was deleted too long ago, or purged"
            )));
        }
        let restored = repositories::restore(&mut tx, deleted.id, now).await;
        restored.map_err(|error| name_taken(error, path))?;
        let event = caller
            .event(EventKind::RepositoryRestored, now)
            .on_account(owner.id());
        self.commit_access_change(tx, event.with("repository", path))
            .await
    }

    /// Deletes a repository. Packages of the container registry stay and lose the link; a
    /// repository with packages of the legacy registry stays until they are deleted.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers it; [`Error::Conflict`] while legacy
    /// packages are in it.
    pub async fn delete_repository(&self, caller: &Caller, path: &RepositoryPath) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let permission = RepositoryPermission::Delete;
        let found = access::repository(&mut tx, caller, path, permission).await?;
        if repositories::has_legacy_packages(&mut tx, found.id()).await? {
            return Err(Error::Conflict(format!(
                "{path} has packages of the Docker registry; delete them first"
            )));
        }
        repositories::unlink_packages(&mut tx, found.id(), now).await?;
        tokens::revoke_of_repository(&mut tx, found.id(), now).await?;
        repositories::delete(&mut tx, found.id(), now).await?;
        let event = caller
            .event(EventKind::RepositoryDeleted, now)
            .on_account(found.owner());
        self.commit_access_change(tx, event.with("repository", path))
            .await
    }

    /// Changes who may see a repository; packages of the legacy registry in it follow.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers it.
    pub async fn set_repository_visibility(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        visibility: Visibility,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = administer(&mut tx, caller, path).await?;
        repositories::set_visibility(&mut tx, found.id(), visibility, now).await?;
        search::enqueue_legacy(&mut tx, found.id()).await?;
        let kind = EventKind::RepositoryVisibilityChanged;
        let event = caller.event(kind, now).on_account(found.owner());
        let event = event
            .with("repository", path)
            .with("visibility", visibility);
        self.commit_access_change(tx, event).await
    }
}

async fn administer(
    conn: &mut Conn,
    caller: &Caller,
    path: &RepositoryPath,
) -> Result<AuthorizedRepository> {
    access::repository(conn, caller, path, RepositoryPermission::Administer).await
}

/// Lets the old name lead to the new one. Packages of the legacy registry have the name in theirs.
async fn rename(
    conn: &mut Conn,
    before: &Repository,
    from: &RepositoryPath,
    to: &RepositoryPath,
) -> Result<()> {
    if repositories::has_legacy_packages(conn, before.id).await? {
        return Err(Error::Conflict(format!(
            "{from} has packages of the Docker registry, whose names begin with its own; it keeps \
             its name until they are deleted or migrated"
        )));
    }
    repositories::end_redirect(conn, before.owner, &to.name).await?;
    repositories::redirect(conn, before.owner, &from.name, before.id).await?;
    Ok(())
}

fn change_kind(before: &Repository, after: &Repository) -> EventKind {
    if before.visibility != after.visibility {
        EventKind::RepositoryVisibilityChanged
    } else if before.name == after.name {
        EventKind::RepositoryUpdated
    } else {
        EventKind::RepositoryRenamed
    }
}

fn name_taken(error: naru_metadata::Error, path: &RepositoryPath) -> Error {
    match error {
        naru_metadata::Error::Unique { .. } => Error::Exists {
            what: "repository",
            name: path.to_string(),
        },
        other => other.into(),
    }
}

/// The address of a forge in the one form that labels are compared with.
fn forge(text: &str) -> Result<String> {
    ForgeUrl::parse(text)
        .map(|url| url.to_string())
        .ok_or_else(|| Error::Invalid(format!("`{text}` is no web address of a repository")))
}

fn absent(path: &RepositoryPath) -> Error {
    Error::NotFound {
        what: "repository",
        name: path.to_string(),
    }
}
