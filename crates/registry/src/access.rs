//! The one place of permission.
//!
//! A use case asks here for the permission whose name is its own sentence, and receives an
//! [`Authorized`] or a [`PushTarget`]: proofs that are made nowhere else and that everything which
//! reads content or changes it takes where others would take an identifier.
//!
//! The facts are loaded by one query and remembered briefly: until this process changes anything
//! that access depends on, until it hears that another one did, and never longer than
//! `FactsCache` says. The decision itself is pure and made anew each time.

pub(crate) mod tag_rules;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use naru_metadata::{Conn, grants, packages, repositories};
use naru_model::policy::{self, Birth, Decision, Grantee, Grounds, PackageFacts};
use naru_model::{
    AccountId, InstanceSettings, Moment, PackageId, PackagePath, PackagePermission, PackageType,
    Principal, RepositoryId, Role, Visibility,
};

use crate::error::{Error, Result};
use crate::{Caller, Registry};

/// A package, and the proof that this caller may do with it what was asked for.
#[derive(Clone, Debug)]
pub struct Authorized {
    id: PackageId,
    owner: AccountId,
    package_type: PackageType,
    path: PackagePath,
    may_push: bool,
}

impl Authorized {
    /// The package.
    #[must_use]
    pub const fn id(&self) -> PackageId {
        self.id
    }

    /// The account that owns it.
    #[must_use]
    pub const fn owner(&self) -> AccountId {
        self.owner
    }

    /// Which registry it belongs to; `container` for a legacy package that was migrated.
    #[must_use]
    pub const fn package_type(&self) -> PackageType {
        self.package_type
    }

    /// The name it was asked for by.
    #[must_use]
    pub const fn path(&self) -> &PackagePath {
        &self.path
    }

    /// Whether the caller may push to it too: then answers about blobs are promises.
    #[must_use]
    pub(crate) const fn may_push(&self) -> bool {
        self.may_push
    }
}

/// Where a push goes, and the proof that this caller may push there.
#[derive(Clone, Debug)]
pub enum PushTarget {
    /// A package that has a row, published or hidden.
    Existing(Authorized),
    /// A package that the push creates.
    New(NewTarget),
}

/// A package that a push creates.
#[derive(Clone, Debug)]
pub struct NewTarget {
    owner: AccountId,
    path: PackagePath,
    birth: Birth,
}

impl PushTarget {
    /// The package, if it has a row.
    pub(crate) const fn package(&self) -> Option<PackageId> {
        match self {
            Self::Existing(package) => Some(package.id),
            Self::New(_) => None,
        }
    }

    /// The name it was asked for by.
    pub(crate) const fn path(&self) -> &PackagePath {
        match self {
            Self::Existing(package) => &package.path,
            Self::New(new) => &new.path,
        }
    }

    /// The account that owns it.
    pub(crate) const fn owner(&self) -> AccountId {
        match self {
            Self::Existing(package) => package.owner,
            Self::New(new) => new.owner,
        }
    }

    /// Which registry it belongs to.
    pub(crate) const fn package_type(&self) -> PackageType {
        match self {
            Self::Existing(package) => package.package_type,
            Self::New(new) => new.path.package_type,
        }
    }
}

/// Facts by caller and package, and which registries are open, remembered briefly.
pub(crate) struct FactsCache {
    entries: Cache<FactsKey, (u64, Arc<PackageFacts>)>,
    instance: Cache<(), (u64, InstanceSettings)>,
    epoch: AtomicU64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct FactsKey {
    caller: FactsCaller,
    path: PackagePath,
}

/// Whom facts are about: the credential does not change them, only what is made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FactsCaller {
    /// Nobody in particular, and the machine itself, which needs no facts about itself.
    Nobody,
    User(AccountId),
    Workflow(RepositoryId),
}

impl From<&Principal> for FactsCaller {
    fn from(principal: &Principal) -> Self {
        match principal {
            Principal::Anonymous { .. } | Principal::System => Self::Nobody,
            Principal::User { user, .. } => Self::User(*user),
            Principal::Workflow { repository, .. } => Self::Workflow(*repository),
        }
    }
}

impl FactsCache {
    /// A shared database is asked again after a second: another replica's change must bite within
    /// five. An embedded one only when something changed, or after a minute.
    pub(crate) fn new(shared: bool) -> Self {
        let keep = if shared {
            Duration::from_secs(1)
        } else {
            Duration::from_secs(60)
        };
        let entries = Cache::builder()
            .max_capacity(100_000)
            .time_to_live(keep)
            .build();
        Self {
            entries,
            instance: Cache::builder().max_capacity(1).time_to_live(keep).build(),
            epoch: AtomicU64::new(0),
        }
    }

    /// To be called after the commit of any change that access depends on, before the answer.
    pub(crate) fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Differs from an earlier one if something was forgotten in between.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Which registries are open, if nothing was forgotten since that was asked.
    pub(crate) fn instance(&self) -> Option<InstanceSettings> {
        let (at, settings) = self.instance.get(&())?;
        (at == self.epoch()).then_some(settings)
    }

    /// Remembers which registries are open; `epoch` is the one before it was asked.
    pub(crate) fn remember_instance(&self, epoch: u64, settings: InstanceSettings) {
        self.instance.insert((), (epoch, settings));
    }

    fn forget_one(&self, principal: &Principal, path: &PackagePath) {
        self.entries.invalidate(&FactsKey {
            caller: principal.into(),
            path: path.clone(),
        });
    }
}

impl std::fmt::Debug for FactsCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FactsCache").finish_non_exhaustive()
    }
}

impl Registry {
    /// Asks whether `caller` may do something with the package at `path`.
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason; [`Error::Unavailable`] when it could not be looked up,
    /// which is never a grant and never a lie.
    pub async fn authorize(
        &self,
        caller: &Caller,
        path: &PackagePath,
        permission: PackagePermission,
    ) -> Result<Authorized> {
        let facts = self.facts(&caller.principal, path).await?;
        match decide(caller, permission, path, &facts)? {
            Grounds::Creation(_) => Err(absent(path)),
            _ => proof(caller, path, &facts),
        }
    }

    /// Asks whether `caller` may push to `path`: to the package there, or to one that it creates.
    ///
    /// # Errors
    /// As [`Registry::authorize`].
    pub async fn authorize_push(&self, caller: &Caller, path: &PackagePath) -> Result<PushTarget> {
        let facts = self.facts(&caller.principal, path).await?;
        match decide(caller, PackagePermission::Write, path, &facts)? {
            Grounds::Creation(_) => self.authorize_creation(caller, path).await,
            _ => Ok(PushTarget::Existing(proof(caller, path, &facts)?)),
        }
    }

    /// That there is no such package is never taken from memory: the upload that made it may have
    /// begun a moment ago, in another process.
    async fn authorize_creation(&self, caller: &Caller, path: &PackagePath) -> Result<PushTarget> {
        self.facts_cache.forget_one(&caller.principal, path);
        let facts = self.facts(&caller.principal, path).await?;
        match decide(caller, PackagePermission::Write, path, &facts)? {
            Grounds::Creation(_) => {
                let owner = facts.owner.ok_or_else(|| absent(path))?.id;
                let birth = policy::birth(&caller.principal, path, &facts);
                Ok(PushTarget::New(NewTarget {
                    owner,
                    path: path.clone(),
                    birth,
                }))
            }
            _ => Ok(PushTarget::Existing(proof(caller, path, &facts)?)),
        }
    }

    /// The whole decision, for those who explain it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn decide(
        &self,
        principal: &Principal,
        path: &PackagePath,
        permission: PackagePermission,
    ) -> Result<Decision> {
        let facts = self.facts(principal, path).await?;
        Ok(policy::decide_package(principal, permission, path, &facts))
    }

    /// Whether the caller may read the package with this number, for a mount that names no source.
    pub(crate) async fn may_read(&self, caller: &Caller, package: PackageId) -> Result<bool> {
        let mut conn = self.db.read().await?;
        let Some(path) = grants::package_path(&mut conn, package).await? else {
            return Ok(false);
        };
        drop(conn);
        let decision = self
            .decide(&caller.principal, &path, PackagePermission::Read)
            .await?;
        Ok(decision.is_allowed())
    }

    async fn facts(&self, principal: &Principal, path: &PackagePath) -> Result<Arc<PackageFacts>> {
        let epoch = self.facts_cache.epoch.load(Ordering::SeqCst);
        let key = FactsKey {
            caller: principal.into(),
            path: path.clone(),
        };
        if let Some((at, facts)) = self.facts_cache.entries.get(&key)
            && at == epoch
        {
            return Ok(facts);
        }
        let mut conn = self.db.read().await?;
        let facts = Arc::new(grants::package_facts(&mut conn, principal, path).await?);
        drop(conn);
        self.facts_cache
            .entries
            .insert(key, (epoch, Arc::clone(&facts)));
        Ok(facts)
    }

    /// The package that is pushed to. A hidden row is made for one that does not exist yet, with
    /// its publisher's role; on the legacy registry the repository too.
    pub(crate) async fn package_for_push(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        target: &PushTarget,
        now: Moment,
    ) -> Result<PackageId> {
        let new = match target {
            PushTarget::Existing(package) => return Ok(package.id),
            PushTarget::New(new) => new,
        };
        let repository = self.repository_at_birth(conn, caller, new, now).await?;
        let row = packages::NewPackage {
            owner: new.owner,
            package_type: new.path.package_type,
            name: &new.path.name,
            visibility: new.birth.visibility,
            repository,
            inherit_access: new.birth.inherit_access,
            created_by: caller.principal.user(),
            now,
        };
        match packages::create_hidden(conn, &row).await? {
            Some(package) => {
                grant_at_birth(conn, package, new.birth.admin, now).await?;
                Ok(package)
            }
            None => self.made_meanwhile(conn, caller, &new.path).await,
        }
    }

    /// The package that a manifest is pushed to, locked as by [`lock`].
    pub(crate) async fn package_for_manifest(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        target: &PushTarget,
        now: Moment,
    ) -> Result<PackageId> {
        let package = self.package_for_push(conn, caller, target, now).await?;
        lock_live(conn, package, target.path()).await?;
        Ok(package)
    }

    /// Somebody else made the package in the meantime: then their facts decide.
    async fn made_meanwhile(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        path: &PackagePath,
    ) -> Result<PackageId> {
        let facts = grants::package_facts(conn, &caller.principal, path).await?;
        decide(caller, PackagePermission::Write, path, &facts)?;
        let package = facts.package.ok_or_else(|| absent(path))?;
        Ok(package.id)
    }

    async fn repository_at_birth(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        new: &NewTarget,
        now: Moment,
    ) -> Result<Option<RepositoryId>> {
        if new.birth.repository.is_some() || new.path.package_type == PackageType::Container {
            return Ok(new.birth.repository);
        }
        let name = new
            .path
            .name
            .legacy_repository()
            .ok_or_else(|| absent(&new.path))?;
        let visibility = Visibility::Private;
        let repository =
            repositories::find_or_create(conn, new.owner, &name, visibility, now).await?;
        if let Some(user) = caller.principal.user() {
            let admin = naru_model::RepositoryRole::Admin;
            repositories::set_user_role(conn, repository, user, admin, now).await?;
        }
        Ok(Some(repository))
    }
}

/// Makes this transaction the only one that writes manifests and tags of the package, so that what
/// it finds stays true until it commits. First in every transaction that does, and before it
/// touches a link or a blob: two that lock in the same order never wait for one another.
///
/// # Errors
/// [`Error::NotFound`] when the package was deleted after the decision.
pub(crate) async fn lock(conn: &mut Conn, package: &Authorized) -> Result<()> {
    lock_live(conn, package.id, &package.path).await
}

async fn lock_live(conn: &mut Conn, package: PackageId, path: &PackagePath) -> Result<()> {
    match packages::lock(conn, package).await? {
        Some(found) if found.deleted_at.is_none() => Ok(()),
        _ => Err(absent(path)),
    }
}

async fn grant_at_birth(
    conn: &mut Conn,
    package: PackageId,
    admin: Option<Grantee>,
    now: Moment,
) -> Result<()> {
    match admin {
        Some(Grantee::User(user)) => {
            grants::set_user(conn, package, user, Role::Admin, now).await?;
        }
        Some(Grantee::Repository(repository)) => {
            grants::set_repository(conn, package, repository, Role::Admin, now).await?;
        }
        None => {}
    }
    Ok(())
}

/// As [`Registry::authorize`], with facts that are read inside the transaction that acts on the
/// decision, so that nothing changes between the two.
///
/// # Errors
/// As [`Registry::authorize`].
pub(crate) async fn authorize_in(
    conn: &mut Conn,
    caller: &Caller,
    path: &PackagePath,
    permission: PackagePermission,
) -> Result<Authorized> {
    let facts = grants::package_facts(conn, &caller.principal, path).await?;
    match decide(caller, permission, path, &facts)? {
        Grounds::Creation(_) => Err(absent(path)),
        _ => proof(caller, path, &facts),
    }
}

fn decide(
    caller: &Caller,
    permission: PackagePermission,
    path: &PackagePath,
    facts: &PackageFacts,
) -> Result<Grounds> {
    policy::decide_package(&caller.principal, permission, path, facts)
        .into_result()
        .map_err(Error::Refused)
}

fn proof(caller: &Caller, path: &PackagePath, facts: &PackageFacts) -> Result<Authorized> {
    let (Some(package), Some(owner)) = (facts.package, facts.owner) else {
        return Err(absent(path));
    };
    let push = policy::decide_package(&caller.principal, PackagePermission::Write, path, facts);
    Ok(Authorized {
        id: package.id,
        owner: owner.id,
        package_type: package.package_type,
        path: path.clone(),
        may_push: push.is_allowed(),
    })
}

fn absent(path: &PackagePath) -> Error {
    Error::NotFound {
        what: "package",
        name: path.to_string(),
    }
}
