//! What the bytes of an owner, a package and a version are made of.
//!
//! All figures are exact at the moment they are measured and look at one owner only: what other
//! owners hold of the same bytes never shows. Measuring walks over everything there is, so it is
//! done in batches, and no more often than lets it take a twentieth of the time: what was measured
//! in `t` is good for `20 t`. For all but the largest owners that is no time at all.

pub use naru_metadata::usage::AccountUsage;
use naru_metadata::usage::{self, Held, Manifests, OwnedLink, UsedBlob};
use naru_metadata::{Conn, attestations, quotas, versions};
use naru_model::{
    AccountId, AccountName, AccountPermission, Moment, PackageId, PackagePath, PackagePermission,
    Quota, RepositoryId, VersionId,
};

use crate::access::Authorized;
use crate::error::{Error, Result};
use crate::{Caller, Registry, account_access};

/// How many links are looked at by one statement.
const BATCH: i64 = 2000;
/// How many packages, or repositories, are looked at by one statement.
const PACKAGES: i64 = 200;
/// How many blobs of a package are looked at while somebody waits.
const MOST_BLOBS: usize = 50_000;
/// How many manifests of one image are looked at while somebody waits.
const MOST_MANIFESTS: usize = 500;
/// What was measured is good for so many times what measuring took.
const GOOD_FOR: u32 = 20;

/// What the bytes of a package or a version are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// Needed by it, each blob once, with its manifests.
    pub total: u64,
    /// Of these, needed by nothing else that the owner serves.
    pub unique: u64,
    /// Of these, needed elsewhere too.
    pub shared: u64,
    /// What the owner would hold less if it were gone for good.
    pub freeable: u64,
    /// Whether all of it was looked at; else the figures are what was found until then.
    pub complete: bool,
}

impl Bytes {
    const fn add(&mut self, size: u64, is_shared: bool) {
        self.total = self.total.saturating_add(size);
        if is_shared {
            self.shared = self.shared.saturating_add(size);
        } else {
            self.unique = self.unique.saturating_add(size);
        }
    }
}

impl Registry {
    /// What an account holds and how much it may hold.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the account.
    pub async fn account_usage(
        &self,
        caller: &Caller,
        owner: &AccountName,
    ) -> Result<(AccountUsage, Quota)> {
        let mut conn = self.db.read().await?;
        let permission = AccountPermission::Administer;
        let owner = account_access::account(&mut conn, caller, owner, permission).await?;
        let quota = quotas::find(&mut conn, owner.id()).await?;
        drop(conn);
        Ok((self.fresh_usage(owner.id()).await?, quota))
    }

    /// What the bytes of a package are made of. Only for those who may clean it up: what is shared
    /// tells of other packages.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the package.
    pub async fn package_bytes(&self, caller: &Caller, path: &PackagePath) -> Result<Bytes> {
        let package = self
            .authorize(caller, path, PackagePermission::Administer)
            .await?;
        let mut conn = self.db.read().await?;
        bytes_of_package(&mut conn, package.id(), self.clock.now()).await
    }

    /// What the bytes of a version are made of, with the children of an index. Only for those who
    /// may clean it up.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the package; [`Error::ManifestUnknown`].
    pub async fn version_bytes(
        &self,
        caller: &Caller,
        path: &PackagePath,
        version: VersionId,
    ) -> Result<Bytes> {
        let package = self
            .authorize(caller, path, PackagePermission::Administer)
            .await?;
        let mut conn = self.db.read().await?;
        let found = versions::header_by_id(&mut conn, package.id(), version).await?;
        if found.is_none_or(|found| found.deleted_at.is_some()) {
            return Err(Error::ManifestUnknown {
                reference: version.to_string(),
            });
        }
        bytes_of_version(&mut conn, &package, version).await
    }

    /// What an owner holds: as it was measured last, if that is good still.
    pub(crate) async fn fresh_usage(&self, owner: AccountId) -> Result<AccountUsage> {
        let mut conn = self.db.read().await?;
        let known = usage::of_account(&mut conn, owner).await?;
        drop(conn);
        match known.filter(|known| self.is_good(known)) {
            Some(known) => Ok(known),
            None => self.measure(owner).await,
        }
    }

    fn is_good(&self, usage: &AccountUsage) -> bool {
        let took = std::time::Duration::from_micros(usage.measured_in);
        let age = self.clock.now().since(usage.measured_at);
        age <= took.saturating_mul(GOOD_FOR)
    }

    /// Measures what an owner holds and notes it. Whoever asks while it is measured waits for that.
    pub(crate) async fn measure(&self, owner: AccountId) -> Result<AccountUsage> {
        let _alone = self.measuring.lock(owner).await;
        let mut conn = self.db.read().await?;
        let known = usage::of_account(&mut conn, owner).await?;
        drop(conn);
        let begun = self.clock.now();
        if let Some(known) = known
            && known.measured_at > begun.minus(std::time::Duration::from_micros(known.measured_in))
        {
            return Ok(known);
        }
        let mut measured = self.measure_links(owner).await?;
        let manifests = self.measure_manifests(owner).await?;
        measured.live += manifests.live_bytes;
        measured.bin += manifests.bin_bytes;
        measured.versions = manifests.live;
        self.measure_attestations(owner, &mut measured).await?;
        measured.charged = known.map_or(0, |known| known.charged);
        measured.measured_at = begun;
        let took = self.clock.now().since(begun).as_micros();
        measured.measured_in = u64::try_from(took).unwrap_or(u64::MAX);
        let mut tx = self.db.write().await?;
        usage::put(&mut tx, owner, &measured).await?;
        tx.commit().await?;
        Ok(measured)
    }

    /// Walks over the links of an owner in the order of digests, so that what several packages hold
    /// comes in a row and counts once.
    async fn measure_links(&self, owner: AccountId) -> Result<AccountUsage> {
        let mut tx = self.db.write().await?;
        usage::adopt_links(&mut tx).await?;
        tx.commit().await?;
        let now = self.clock.now();
        let mut measured = AccountUsage::default();
        let mut last: Option<OwnedLink> = None;
        loop {
            let mut conn = self.db.read().await?;
            let found = usage::owner_links(&mut conn, owner, last.as_ref(), BATCH, now).await?;
            drop(conn);
            if found.is_empty() {
                break;
            }
            for link in found {
                match &mut last {
                    Some(last) if last.digest == link.digest => {
                        let held = last.held.max(link.held);
                        *last = OwnedLink { held, ..link };
                    }
                    _ => {
                        count(&mut measured, last.as_ref());
                        last = Some(link);
                    }
                }
            }
        }
        count(&mut measured, last.as_ref());
        Ok(measured)
    }

    async fn measure_attestations(
        &self,
        owner: AccountId,
        measured: &mut AccountUsage,
    ) -> Result<()> {
        let mut after = RepositoryId::new(0);
        loop {
            let mut conn = self.db.read().await?;
            let found = attestations::bytes(&mut conn, owner, after, PACKAGES).await?;
            drop(conn);
            let Some(last) = found.last() else {
                return Ok(());
            };
            after = last.repository;
            for of_repository in &found {
                match of_repository.live {
                    true => measured.live += of_repository.size,
                    false => measured.bin += of_repository.size,
                }
            }
        }
    }

    async fn measure_manifests(&self, owner: AccountId) -> Result<Manifests> {
        let mut sum = Manifests::default();
        let mut after = PackageId::new(0);
        loop {
            let mut conn = self.db.read().await?;
            let found = usage::owner_manifests(&mut conn, owner, after, PACKAGES).await?;
            drop(conn);
            let Some((last, _)) = found.last() else {
                return Ok(sum);
            };
            after = *last;
            for (_, manifests) in &found {
                sum.live += manifests.live;
                sum.live_bytes += manifests.live_bytes;
                sum.bin += manifests.bin;
                sum.bin_bytes += manifests.bin_bytes;
            }
        }
    }
}

fn count(measured: &mut AccountUsage, link: Option<&OwnedLink>) {
    let Some(link) = link else { return };
    measured.blobs += 1;
    match link.held {
        Held::Live => measured.live += link.size,
        Held::Bin => measured.bin += link.size,
        Held::Pending => measured.pending += link.size,
    }
}

pub(crate) async fn bytes_of_package(
    conn: &mut Conn,
    package: PackageId,
    now: Moment,
) -> Result<Bytes> {
    let manifests = usage::package_manifests(conn, package).await?;
    let mut bytes = Bytes::default();
    bytes.add(manifests.live_bytes, false);
    let mut gone = manifests.bin_bytes;
    let mut after = String::new();
    let mut seen = 0;
    while seen < MOST_BLOBS {
        let found = usage::package_blobs(conn, package, &after, BATCH, now).await?;
        let Some(last) = found.last() else {
            bytes.complete = true;
            break;
        };
        after = last.digest.to_string();
        seen += found.len();
        for UsedBlob {
            size, held, shared, ..
        } in found
        {
            match held {
                Held::Live => bytes.add(size, shared),
                Held::Bin | Held::Pending if !shared => gone += size,
                Held::Bin | Held::Pending => {}
            }
        }
    }
    bytes.freeable = bytes.unique.saturating_add(gone);
    Ok(bytes)
}

async fn bytes_of_version(
    conn: &mut Conn,
    package: &Authorized,
    version: VersionId,
) -> Result<Bytes> {
    let (members, mut complete) = with_children(conn, version).await?;
    let mut bytes = Bytes::default();
    let mut is_kept = false;
    for member in usage::members(conn, package.id(), &members).await? {
        bytes.add(member.size, member.shared);
        is_kept |= member.version == version && member.shared;
    }
    let most = i64::try_from(MOST_BLOBS).unwrap_or(i64::MAX);
    let blobs = usage::member_blobs(conn, package.owner(), &members, most).await?;
    complete &= blobs.len() < MOST_BLOBS;
    for blob in &blobs {
        bytes.add(blob.size, blob.shared);
    }
    // What an index needs cannot go before it.
    bytes.freeable = if is_kept { 0 } else { bytes.unique };
    bytes.complete = complete;
    Ok(bytes)
}

/// A version and everything below it, and whether that is all.
async fn with_children(conn: &mut Conn, version: VersionId) -> Result<(Vec<VersionId>, bool)> {
    let mut members = vec![version];
    let mut level = members.clone();
    while !level.is_empty() {
        let most = i64::try_from(MOST_MANIFESTS).unwrap_or(i64::MAX);
        let mut below = usage::children(conn, &level, most).await?;
        below.retain(|child| !members.contains(child));
        if members.len() + below.len() > MOST_MANIFESTS {
            return Ok((members, false));
        }
        members.extend(&below);
        level = below;
    }
    Ok((members, true))
}

/// Lets one measuring of an owner run at a time; owners share locks, which waits too long at worst.
#[derive(Debug)]
pub(crate) struct Measuring([tokio::sync::Mutex<()>; LOCKS]);

const LOCKS: usize = 16;

impl Measuring {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| tokio::sync::Mutex::new(())))
    }

    async fn lock(&self, owner: AccountId) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let index = usize::try_from(owner.get()).unwrap_or_default() % LOCKS;
        match self.0.get(index) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }
}
