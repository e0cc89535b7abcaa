//! Lists of source repositories, and single ones with what is shown beside them.

use naru_metadata::repository_lists::{self, Listed};
pub use naru_metadata::repository_lists::{Affiliations, Changed, Order, OwnList, Shown, SortBy};
use naru_metadata::{Conn, Cursor, Page, accounts, grants, repositories};
use naru_model::policy::{self, AccountFacts, RepositoryFacts, RepositoryState};
use naru_model::{
    Account, AccountId, AccountName, Moment, Repository, RepositoryId, RepositoryPath,
    RepositoryPermission, RepositoryRole, TeamPermission, TeamSlug, Visibility,
};

use crate::account_access as access;
use crate::error::{Error, Result};
use crate::packages::ListedPackage;
use crate::{Caller, Registry};

/// A repository with what is shown beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryDetails {
    /// Its record.
    pub repository: Repository,
    /// Who owns it.
    pub owner: Account,
    /// What the caller, or the team of a team's list, is in it; what everybody may do with a public
    /// one is no role.
    pub role: Option<RepositoryRole>,
    /// When something was last pushed to a package that is linked to it.
    pub pushed_at: Option<Moment>,
}

impl RepositoryDetails {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> RepositoryPath {
        RepositoryPath {
            owner: self.owner.login().clone(),
            name: self.repository.name.clone(),
        }
    }
}

impl Registry {
    /// A repository with what is shown beside it.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may see it.
    pub async fn repository_details(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
    ) -> Result<RepositoryDetails> {
        let mut conn = self.db.read().await?;
        details(&mut conn, caller, path).await
    }

    /// The repository with this number.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may see it.
    pub async fn repository_by_id(
        &self,
        caller: &Caller,
        id: RepositoryId,
    ) -> Result<RepositoryDetails> {
        let mut conn = self.db.read().await?;
        let Some(path) = repositories::path(&mut conn, id).await? else {
            return access::no_repository(&mut conn, caller).await;
        };
        details(&mut conn, caller, &path).await
    }

    /// The repository that had this path before and has another now, if the caller may see it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn moved_repository(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
    ) -> Result<Option<RepositoryDetails>> {
        let mut conn = self.db.read().await?;
        let Some(moved) = repositories::find_by_former_path(&mut conn, path).await? else {
            return Ok(None);
        };
        let now = RepositoryPath {
            owner: path.owner.clone(),
            name: moved.name,
        };
        match details(&mut conn, caller, &now).await {
            Ok(seen) => Ok(Some(seen)),
            Err(Error::Refused(_) | Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The source repositories that these packages are linked to, as far as the caller may know of
    /// them: to name one beside what is linked to it takes a role there, but no scope of its own.
    /// Accounts that are `known` from elsewhere are not asked for.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn linked_repositories(
        &self,
        caller: &Caller,
        packages: &[ListedPackage],
        known: &[Account],
    ) -> Result<Vec<RepositoryDetails>> {
        let linked = packages
            .iter()
            .filter_map(|listed| listed.package.repository);
        let mut ids: Vec<RepositoryId> = linked.collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        ids.sort_unstable();
        ids.dedup();
        let mut conn = self.db.read().await?;
        let items = repository_lists::among(&mut conn, &caller.principal, &ids).await?;
        let page = Page { items, next: None };
        Ok(with_owners(&mut conn, page, known).await?.items)
    }

    /// The repositories of an account that the caller may see and the credential reaches.
    ///
    /// # Errors
    /// [`Error::Refused`] for nobody;
    /// [`Error::AccountUnknown`].
    pub async fn list_repositories_page(
        &self,
        caller: &Caller,
        owner: &AccountName,
        shown: Shown,
        order: Order,
        cursor: Cursor,
    ) -> Result<Page<RepositoryDetails>> {
        let mut conn = self.db.read().await?;
        let owner = access::profile(&mut conn, caller, owner).await?;
        let Some(shown) = reached(caller, shown) else {
            return Ok(nothing());
        };
        let (principal, id) = (&caller.principal, owner.id());
        let page =
            repository_lists::of_owner(&mut conn, principal, id, shown, order, cursor).await?;
        let page = with_owners(&mut conn, page, &[]).await?;
        with_roles(&mut conn, caller, page).await
    }

    /// The repositories that the caller owns or has a role in, as far as the credential reaches.
    ///
    /// # Errors
    /// [`Error::Refused`] for who is no user.
    pub async fn list_my_repositories(
        &self,
        caller: &Caller,
        list: OwnList,
        cursor: Cursor,
    ) -> Result<Page<RepositoryDetails>> {
        let mut conn = self.db.read().await?;
        let user = access::myself(&mut conn, caller).await?;
        let Some(shown) = reached(caller, list.shown) else {
            return Ok(nothing());
        };
        let list = OwnList { shown, ..list };
        let page = repository_lists::of_user(&mut conn, user.id, list, cursor).await?;
        let page = with_owners(&mut conn, page, &[]).await?;
        with_roles(&mut conn, caller, page).await
    }

    /// The repositories that a team has a role in and the caller may see, with the team's role.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may see the team.
    pub async fn list_team_repositories(
        &self,
        caller: &Caller,
        organization: &AccountName,
        slug: &TeamSlug,
        cursor: Cursor,
    ) -> Result<Page<RepositoryDetails>> {
        let mut conn = self.db.read().await?;
        let permission = TeamPermission::Read;
        let team = access::team(&mut conn, caller, organization, slug, permission).await?;
        let Some(shown) = reached(caller, Shown::All) else {
            return Ok(nothing());
        };
        let principal = &caller.principal;
        let page =
            repository_lists::of_team(&mut conn, principal, team.id(), shown, cursor).await?;
        with_owners(&mut conn, page, &[]).await
    }
}

/// What a list may show at most with this credential; none if nothing.
pub(crate) fn reached(caller: &Caller, shown: Shown) -> Option<Shown> {
    if policy::reaches_private_repositories(&caller.principal) {
        return Some(shown);
    }
    match shown {
        Shown::All | Shown::Only(Visibility::Public) => Some(Shown::Only(Visibility::Public)),
        Shown::Only(_) | Shown::NotPublic => None,
    }
}

const fn nothing<T>() -> Page<T> {
    Page {
        items: Vec::new(),
        next: None,
    }
}

/// A repository that the caller may see, with what is shown beside it.
pub(crate) async fn details(
    conn: &mut Conn,
    caller: &Caller,
    path: &RepositoryPath,
) -> Result<RepositoryDetails> {
    let permission = RepositoryPermission::Read;
    let found = access::repository(conn, caller, path, permission).await?;
    let repository = repositories::find_by_id(conn, found.id()).await?;
    let owner = accounts::find_by_id(conn, found.owner()).await?;
    match (repository, owner) {
        (Some(repository), Some(owner)) => Ok(RepositoryDetails {
            repository,
            owner,
            role: found.role(),
            pushed_at: repository_lists::pushed_at(conn, found.id()).await?,
        }),
        _ => access::no_repository(conn, caller).await,
    }
}

/// Puts the owners beside the rows of a list.
async fn with_owners(
    conn: &mut Conn,
    page: Page<Listed>,
    known: &[Account],
) -> Result<Page<RepositoryDetails>> {
    let owners = page.items.iter().map(|row| row.repository.owner);
    let is_unknown = |id: &AccountId| known.iter().all(|account| account.id() != *id);
    let mut ids: Vec<AccountId> = owners.filter(is_unknown).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut owners = known.to_vec();
    if !ids.is_empty() {
        owners.extend(accounts::many(conn, &ids).await?);
    }
    let beside = |row: Listed| {
        let owner = owners
            .iter()
            .find(|owner| owner.id() == row.repository.owner)?;
        Some(RepositoryDetails {
            role: row.role,
            pushed_at: row.pushed_at,
            owner: owner.clone(),
            repository: row.repository,
        })
    };
    Ok(Page {
        items: page.items.into_iter().filter_map(beside).collect(),
        next: page.next,
    })
}

/// Puts the caller's roles in place of those that are stored: owners of an account administer what
/// is under it, which no row says.
async fn with_roles(
    conn: &mut Conn,
    caller: &Caller,
    mut page: Page<RepositoryDetails>,
) -> Result<Page<RepositoryDetails>> {
    let mut known: Option<(AccountId, AccountFacts)> = None;
    for item in &mut page.items {
        let owner = item.owner.id();
        let facts = match known {
            Some((id, facts)) if id == owner => facts,
            _ => grants::account_facts(conn, &caller.principal, item.owner.login()).await?,
        };
        known = Some((owner, facts));
        let facts = RepositoryFacts {
            owner: facts.account,
            repository: Some(RepositoryState {
                id: item.repository.id,
                visibility: item.repository.visibility,
            }),
            caller: policy::Caller {
                repository_role: item.role,
                ..facts.caller
            },
        };
        item.role = policy::repository_role(&caller.principal, &facts);
    }
    Ok(page)
}
