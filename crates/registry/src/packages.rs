//! Packages: listed, shown, deleted and restored; who may do what with them; the source
//! repository they are linked to.

mod changes;
mod deletion;

pub use changes::PackageChange;
pub use deletion::PackageDeletion;
pub use naru_metadata::package_lists::ListedPackage;
use naru_metadata::package_lists::{BinSlice, PackageFilter};
use naru_metadata::{Conn, Cursor, Page, accounts, grants, package_lists, packages};
use naru_model::{
    Account, AccountId, AccountKind, AccountName, AccountPermission, EventKind, Moment, Package,
    PackageId, PackagePath, PackagePermission, PackageState, PackageType, Repository,
    RepositoryPath, Role, Team, TeamSlug, User, Visibility,
};

use crate::access::{Authorized, lock};
use crate::accounts::find_user;
use crate::error::{Error, Result};
use crate::repository_lists::RepositoryDetails;
use crate::sight::seen_grants;
use crate::tag_rules::own_repository;
use crate::{Caller, Registry, account_access, events, teams};

/// The most packages that are counted to say how many pages there are: of each it is asked whether
/// the caller may read it, and a first page must not cost more for what nobody will leaf through.
const MOST_COUNTED: i64 = 300;

/// Who may do what with a package, by explicit grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageGrants {
    /// Users with their own roles.
    pub users: Vec<(User, Role)>,
    /// Teams, whose members have the role.
    pub teams: Vec<(Team, Role)>,
    /// Repositories, whose workflows have the role ("Actions access").
    pub repositories: Vec<(Repository, Role)>,
    /// How many teams and repositories have a role besides, which the caller may not see.
    pub unseen: usize,
}

/// A package shown alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageDetails {
    /// As lists show it.
    pub listed: ListedPackage,
    /// The source repository that it is linked to, if the caller may know of it.
    pub repository: Option<RepositoryDetails>,
}

/// Who may do what with a package, by grants and by inheritance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageAccess {
    /// What was granted.
    pub grants: PackageGrants,
    /// Whether explicit roles on the linked repository count too.
    pub inherit_access: bool,
}

/// Which packages are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedPackages {
    /// Of which registry.
    pub package_type: PackageType,
    /// Only with this visibility; on the legacy registry that of the repository.
    pub visibility: Option<Visibility>,
    /// Only those of the legacy registry that cannot migrate, because the container registry has
    /// a package of the same name, which the caller may read too.
    pub conflicting: bool,
}

impl WantedPackages {
    /// All of a registry.
    #[must_use]
    pub const fn all_of(package_type: PackageType) -> Self {
        Self {
            package_type,
            visibility: None,
            conflicting: false,
        }
    }

    const fn of(self, owner: AccountId) -> PackageFilter {
        PackageFilter {
            owner,
            package_type: self.package_type,
            visibility: self.visibility,
            conflicting: self.conflicting,
        }
    }
}

/// Which part of the bin is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BinPart {
    /// How many packages at most.
    pub limit: i64,
    /// How many are passed over first.
    pub skip: i64,
    /// The last package of the part before, with the moment at which it was deleted, if that is
    /// where this one begins.
    pub after: Option<(Moment, PackageId)>,
}

/// Whom a role is granted to, or taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantTo {
    /// A user.
    User(AccountName),
    /// A team of the organization that owns the package.
    Team(TeamSlug),
    /// The workflows of a repository of the owner.
    Repository(RepositoryPath),
}

impl std::fmt::Display for GrantTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(login) => write!(f, "user {login}"),
            Self::Team(slug) => write!(f, "team {slug}"),
            Self::Repository(path) => write!(f, "repository {path}"),
        }
    }
}

impl Registry {
    /// The packages of an account that the caller may read, newest first.
    ///
    /// # Errors
    /// [`Error::Refused`] for who has not signed in or whose token lacks the scope;
    /// [`Error::AccountUnknown`].
    pub async fn list_packages(
        &self,
        caller: &Caller,
        owner: &AccountName,
        wanted: WantedPackages,
        cursor: Cursor,
    ) -> Result<Page<ListedPackage>> {
        let mut conn = self.db.read().await?;
        let permission = AccountPermission::ListPackages;
        let found = account_access::account(&mut conn, caller, owner, permission).await?;
        let filter = wanted.of(found.id());
        Ok(package_lists::visible_packages(&mut conn, &caller.principal, filter, cursor).await?)
    }

    /// Whether the caller may list packages of an account at all.
    ///
    /// # Errors
    /// As [`Registry::list_packages`].
    pub async fn may_list_packages(&self, caller: &Caller, owner: &AccountName) -> Result<()> {
        let mut conn = self.db.read().await?;
        let permission = AccountPermission::ListPackages;
        account_access::account(&mut conn, caller, owner, permission).await?;
        Ok(())
    }

    /// How many packages [`Registry::list_packages`] has in all its pages; `None` when they are more
    /// than 300. That there are `known` at least is known from a page, and saves counting them.
    ///
    /// # Errors
    /// As there.
    pub async fn count_packages(
        &self,
        caller: &Caller,
        owner: &AccountName,
        wanted: WantedPackages,
        known: usize,
    ) -> Result<Option<u64>> {
        let limit = MOST_COUNTED + 1;
        if i64::try_from(known).is_ok_and(|known| known >= limit) {
            return Ok(None);
        }
        let mut conn = self.db.read().await?;
        let permission = AccountPermission::ListPackages;
        let found = account_access::account(&mut conn, caller, owner, permission).await?;
        let (principal, filter) = (&caller.principal, wanted.of(found.id()));
        let count =
            package_lists::count_visible_packages(&mut conn, principal, filter, limit).await?;
        Ok(Some(count).filter(|count| i64::try_from(*count).is_ok_and(|n| n < limit)))
    }

    /// The deleted packages of an account that the caller may restore, the last one first; those
    /// too whose name was taken meanwhile.
    ///
    /// # Errors
    /// As [`Registry::list_packages`].
    pub async fn list_deleted_packages(
        &self,
        caller: &Caller,
        owner: &AccountName,
        wanted: WantedPackages,
        part: BinPart,
    ) -> Result<Vec<ListedPackage>> {
        let mut conn = self.db.read().await?;
        let permission = AccountPermission::ListPackages;
        let owner = account_access::account(&mut conn, caller, owner, permission).await?;
        let since = self.clock.now().minus(self.settings.bin_time());
        let slice = BinSlice {
            since,
            limit: part.limit,
            offset: part.skip,
            below: part.after,
        };
        let (principal, filter) = (&caller.principal, wanted.of(owner.id()));
        Ok(package_lists::restorable_packages(&mut conn, principal, filter, slice).await?)
    }

    /// A package's record.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::NotFound`].
    pub async fn package(&self, caller: &Caller, path: &PackagePath) -> Result<Package> {
        let package = self
            .authorize(caller, path, PackagePermission::ReadMetadata)
            .await?;
        let mut conn = self.db.read().await?;
        packages::find(&mut conn, package.id())
            .await?
            .ok_or_else(|| absent(path))
    }

    /// A package with all that is shown of it. Accounts that are `known` from elsewhere are not
    /// asked for.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::NotFound`].
    pub async fn package_details(
        &self,
        caller: &Caller,
        path: &PackagePath,
        known: &[Account],
    ) -> Result<PackageDetails> {
        let permission = PackagePermission::ReadMetadata;
        let package = self.authorize(caller, path, permission).await?;
        let mut conn = self.db.read().await?;
        let listed = package_lists::listed(&mut conn, package.id()).await?;
        let listed = listed.ok_or_else(|| absent(path))?;
        drop(conn);
        let listed = [listed];
        let linked = self.linked_repositories(caller, &listed, known).await?;
        let [listed] = listed;
        Ok(PackageDetails {
            listed,
            repository: linked.into_iter().next(),
        })
    }

    /// Puts a package into the bin, from where it can be restored as long as its name is free.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers it; [`Error::NotFound`];
    /// [`Error::Undeletable`] for what too many have downloaded; [`Error::TagProtected`] where the
    /// organization keeps the caller from deleting one of its tags.
    pub async fn delete_package(&self, caller: &Caller, path: &PackagePath) -> Result<()> {
        let package = self
            .authorize(caller, path, PackagePermission::Delete)
            .await?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        lock(&mut tx, &package).await?;
        self.refuse_deleting(&mut tx, caller, &package).await?;
        if !packages::delete(&mut tx, package.id(), now, caller.principal.user()).await? {
            return Err(absent(path));
        }
        let event = events::on_package(EventKind::PackageDeleted, caller, &package, now);
        self.commit_access_change(tx, event.with("name", path))
            .await?;
        self.content_cache.changed(package.id());
        Ok(())
    }

    /// What stands against deleting a package, although the caller administers it.
    async fn refuse_deleting(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
    ) -> Result<()> {
        self.refuse_widely_downloaded(conn, caller, package.id())
            .await?;
        self.allow_deleting_all_tags(conn, caller, package.into())
            .await
    }

    /// Takes the package of this name that was deleted last out of the bin, with its versions,
    /// tags, visibility, grants and link.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administered it; [`Error::NotFound`], also after 30 days;
    /// [`Error::Exists`] when the name was taken meanwhile; [`Error::QuotaExceeded`] when its owner
    /// may not hold so much.
    pub async fn restore_package(&self, caller: &Caller, path: &PackagePath) -> Result<()> {
        let package = self
            .authorize(caller, path, PackagePermission::Restore)
            .await?;
        let price = match self.measure_for_restore(&package).await? {
            true => self.price_of_package(package.id()).await?,
            false => 0,
        };
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        // Nobody restores or purges it meanwhile.
        let found = packages::lock(&mut tx, package.id())
            .await?
            .ok_or_else(|| absent(path))?;
        if found.state() != PackageState::Deleted {
            let owner = package.owner();
            let deleted =
                packages::find_deleted(&mut tx, owner, found.package_type, &found.name).await?;
            return Err(if deleted.is_some() {
                taken(path)
            } else {
                absent(path)
            });
        }
        if self.is_past_restoring(found.deleted_at, now) {
            return Err(absent(path));
        }
        match packages::restore(&mut tx, package.id(), now).await {
            Ok(true) => {}
            Ok(false) => return Err(absent(path)),
            Err(error) if packages::name_taken(&error) => return Err(taken(path)),
            Err(error) => return Err(error.into()),
        }
        self.charge_return(&mut tx, &package, price).await?;
        let event = events::on_package(EventKind::PackageRestored, caller, &package, now);
        self.commit_access_change(tx, event.with("name", path))
            .await?;
        self.content_cache.changed(package.id());
        Ok(())
    }

    /// Grants a role on a package; effective at once.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the package; [`Error::AccountUnknown`],
    /// [`Error::NotFound`]; [`Error::Conflict`] for whom this package takes no grants for.
    pub async fn grant_package(
        &self,
        caller: &Caller,
        path: &PackagePath,
        to: &GrantTo,
        role: Role,
    ) -> Result<()> {
        let package = self
            .authorize(caller, path, PackagePermission::Administer)
            .await?;
        own_permissions(&package)?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        match to {
            GrantTo::User(login) => {
                let user = find_user(&mut tx, login).await?;
                may_be_granted(&mut tx, &package, &user).await?;
                grants::set_user(&mut tx, package.id(), user.id, role, now).await?;
            }
            GrantTo::Team(slug) => {
                let team = teams::find(&mut tx, caller, package.owner(), slug).await?;
                grants::set_team(&mut tx, package.id(), team.id, role, now).await?;
            }
            GrantTo::Repository(repository) => {
                let found = own_repository(&mut tx, caller, package.owner(), repository).await?;
                grants::set_repository(&mut tx, package.id(), found, role, now).await?;
            }
        }
        let event = events::on_package(EventKind::PackageGrantChanged, caller, &package, now);
        self.commit_access_change(tx, event.with("to", to).with("role", role))
            .await
    }

    /// Takes a granted role on a package.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the package; [`Error::NotFound`] for what
    /// was not granted.
    pub async fn revoke_package_grant(
        &self,
        caller: &Caller,
        path: &PackagePath,
        from: &GrantTo,
    ) -> Result<()> {
        let package = self
            .authorize(caller, path, PackagePermission::Administer)
            .await?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let was_there = match from {
            GrantTo::User(login) => {
                let user = find_user(&mut tx, login).await?;
                grants::remove_user(&mut tx, package.id(), user.id).await?
            }
            GrantTo::Team(slug) => {
                let team = teams::find(&mut tx, caller, package.owner(), slug).await?;
                grants::remove_team(&mut tx, package.id(), team.id).await?
            }
            GrantTo::Repository(repository) => {
                let found = own_repository(&mut tx, caller, package.owner(), repository).await?;
                grants::remove_repository(&mut tx, package.id(), found).await?
            }
        };
        if !was_there {
            return Err(Error::NotFound {
                what: "grant to",
                name: from.to_string(),
            });
        }
        let event = events::on_package(EventKind::PackageGrantRemoved, caller, &package, now);
        self.commit_access_change(tx, event.with("from", from))
            .await
    }

    /// Who may do what with a package, by grants and by inheritance.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the package.
    pub async fn package_access(
        &self,
        caller: &Caller,
        path: &PackagePath,
    ) -> Result<PackageAccess> {
        let grants = self.list_package_grants(caller, path).await?;
        let package = self.package(caller, path).await?;
        Ok(PackageAccess {
            grants,
            inherit_access: package.inherit_access,
        })
    }

    /// Who has been granted what on a package, as far as the caller may see them.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the package.
    pub async fn list_package_grants(
        &self,
        caller: &Caller,
        path: &PackagePath,
    ) -> Result<PackageGrants> {
        let package = self
            .authorize(caller, path, PackagePermission::Administer)
            .await?;
        let mut conn = self.db.read().await?;
        let grants = PackageGrants {
            users: grants::users(&mut conn, package.id()).await?,
            teams: grants::teams(&mut conn, package.id()).await?,
            repositories: grants::repositories(&mut conn, package.id()).await?,
            unseen: 0,
        };
        seen_grants(&mut conn, caller, grants).await
    }
}

impl Registry {
    /// Whether the time in which something can be restored is over.
    pub(crate) fn is_past_restoring(&self, deleted_at: Option<Moment>, now: Moment) -> bool {
        deleted_at.is_some_and(|at| now.since(at) > self.settings.bin_time())
    }
}

/// A package of the legacy registry has its repository's permissions and no others.
fn own_permissions(package: &Authorized) -> Result<()> {
    match package.package_type() {
        PackageType::Container => Ok(()),
        PackageType::Docker => Err(Error::Conflict(format!(
            "{} belongs to the Docker registry: its source repository's visibility and \
             collaborators are its own",
            package.path()
        ))),
    }
}

/// A private or internal package of an organization takes members only (GitHub documentation,
/// "Configuring a package's access control and visibility").
async fn may_be_granted(conn: &mut Conn, package: &Authorized, user: &User) -> Result<()> {
    let owner = accounts::find_by_id(conn, package.owner()).await?;
    let is_users = owner
        .as_ref()
        .is_none_or(|owner| owner.kind() == AccountKind::User);
    let is_member = accounts::member_role(conn, package.owner(), user.id)
        .await?
        .is_some();
    let visibility = packages::find(conn, package.id())
        .await?
        .map(|package| package.visibility);
    if is_users || is_member || visibility == Some(Visibility::Public) {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "{} is not a member of the organization that owns {}, and only public packages take others",
        user.login,
        package.path()
    )))
}

fn absent(path: &PackagePath) -> Error {
    Error::NotFound {
        what: "package",
        name: path.to_string(),
    }
}

fn taken(path: &PackagePath) -> Error {
    Error::Exists {
        what: "package",
        name: path.to_string(),
    }
}
