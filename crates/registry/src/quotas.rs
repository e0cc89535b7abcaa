//! Quotas: how much an owner may hold, and what happens when that is used up.
//!
//! What counts is what is served and what is being uploaded, each blob once, and attestations; the bin has a limit of
//! its own, so that deleting makes room at once and nothing that can be restored goes before its
//! time. A push is refused when its upload begins and again at its manifest, never in the middle of
//! a transfer. A restore moves bytes out of the bin, so it must fit too. Owners without a quota cost
//! a look into memory.
//!
//! Each blob and manifest that comes is added to what was measured last, in the transaction that
//! brings it; what goes is seen at the next measuring, and always before a push is refused. So the
//! figure errs to the high side only, and never refuses without having looked anew.
//!
//! How far can pushes overshoot? An upload that has begun may end, so by the uploads that are open
//! at that moment, each no larger than the layer limit; the manifests that would make use of them
//! are refused. A manifest is checked under a lock on the owner's row: none passes the limit.

mod restores;

use std::fmt;
use std::time::Duration;

use moka::sync::Cache;
use naru_metadata::usage::{self, AccountUsage};
use naru_metadata::{Conn, Cursor, Page, accounts, links, quotas};
use naru_model::{Account, AccountId, AccountName, EventKind, Moment, Quota};
use naru_oci::Digest;

use crate::access::{Authorized, PushTarget};
use crate::error::{Error, Result};
use crate::{Caller, Registry, account_access};

/// Why a push or a restore is refused: the owner holds as much as they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaExceeded {
    /// Whose quota it is.
    pub owner: AccountName,
    /// Which of the two limits.
    pub which: Limit,
    /// How many bytes there are.
    pub used: u64,
    /// How many there may be.
    pub limit: u64,
}

/// One of the limits of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Of what is served and uploaded.
    Live,
    /// Of what can be restored.
    Bin,
}

impl fmt::Display for QuotaExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (owner, used, limit) = (&self.owner, Amount(self.used), Amount(self.limit));
        match self.which {
            Limit::Live => write!(
                f,
                "quota exceeded: the packages of {owner} hold {used} of {limit}; delete versions \
                 that nobody needs, or ask an administrator of this instance for a higher quota"
            ),
            Limit::Bin => write!(
                f,
                "quota exceeded: the deleted packages and versions of {owner} hold {used} of \
                 {limit}; they go by themselves when they can no longer be restored, or an \
                 administrator of this instance can purge them or raise the quota"
            ),
        }
    }
}

/// Bytes for people to read.
struct Amount(u64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
        let mut tenths = u128::from(self.0) * 10;
        let mut unit = "B";
        for larger in UNITS {
            if tenths < 10_000 {
                break;
            }
            tenths /= 1000;
            unit = larger;
        }
        match tenths % 10 {
            0 => write!(f, "{} {unit}", tenths / 10),
            tenth => write!(f, "{}.{tenth} {unit}", tenths / 10),
        }
    }
}

/// Quotas by owner, remembered as long as facts are.
pub(crate) struct QuotaCache(Cache<AccountId, (u64, Quota)>);

impl QuotaCache {
    /// As for facts: a shared database is asked again after a second.
    pub(crate) fn new(shared: bool) -> Self {
        let keep = Duration::from_secs(if shared { 1 } else { 60 });
        let entries = Cache::builder()
            .max_capacity(20_000)
            .time_to_live(keep)
            .build();
        Self(entries)
    }
}

impl fmt::Debug for QuotaCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuotaCache").finish_non_exhaustive()
    }
}

impl Registry {
    /// Sets how much an account may hold, and measures what it holds. Returns both.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance; [`Error::AccountUnknown`].
    pub async fn set_quota(
        &self,
        caller: &Caller,
        login: &AccountName,
        quota: Quota,
    ) -> Result<(Quota, AccountUsage)> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        account_access::instance(&mut tx, caller).await?;
        let account = accounts::find(&mut tx, login).await?;
        let account = account.ok_or_else(|| Error::AccountUnknown(login.to_string()))?;
        quotas::set(&mut tx, account.id(), quota, now).await?;
        let told = |limit: Option<u64>| limit.map_or_else(|| "none".to_owned(), |n| n.to_string());
        let event = caller
            .event(EventKind::QuotaChanged, now)
            .on_account(account.id())
            .with("live", told(quota.live))
            .with("bin", told(quota.bin));
        self.commit_access_change(tx, event).await?;
        Ok((quota, self.measure(account.id()).await?))
    }

    /// How much an account may hold, and how much it does.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance; [`Error::AccountUnknown`].
    pub async fn quota_of(
        &self,
        caller: &Caller,
        login: &AccountName,
    ) -> Result<(Quota, AccountUsage)> {
        let mut conn = self.db.read().await?;
        account_access::instance(&mut conn, caller).await?;
        let account = accounts::find(&mut conn, login).await?;
        let account = account.ok_or_else(|| Error::AccountUnknown(login.to_string()))?;
        let quota = quotas::find(&mut conn, account.id()).await?;
        drop(conn);
        Ok((quota, self.fresh_usage(account.id()).await?))
    }

    /// Accounts that have a quota, in the order of their numbers.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance.
    pub async fn list_quotas(
        &self,
        caller: &Caller,
        cursor: Cursor,
    ) -> Result<Page<(Account, Quota)>> {
        let mut conn = self.db.read().await?;
        account_access::instance(&mut conn, caller).await?;
        Ok(quotas::list(&mut conn, cursor).await?)
    }

    /// Asks whether the owner of `target` may take `wanted` bytes more.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`].
    pub(crate) async fn admit_bytes(&self, target: &PushTarget, wanted: u64) -> Result<()> {
        self.admit_to(target.into(), wanted).await
    }

    /// As [`Registry::admit_bytes`], for a manifest of this length that names these blobs.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`].
    pub(crate) async fn admit_manifest(
        &self,
        target: &PushTarget,
        length: u64,
        named: &[&str],
    ) -> Result<()> {
        if self.remembered_quota(target.owner()) == Some(Quota::default()) {
            return Ok(());
        }
        let mut conn = self.db.read().await?;
        let now = self.clock.now();
        let price = self.price_of_named(&mut conn, target.owner(), named, now);
        let price = length.saturating_add(price.await?);
        drop(conn);
        self.admit_bytes(target, price).await
    }

    /// Asks whether an owner may take `wanted` bytes more.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`].
    pub(crate) async fn admit_to(&self, holder: Holder<'_>, wanted: u64) -> Result<()> {
        let owner = holder.owner;
        if self.remembered_quota(owner) == Some(Quota::default()) {
            return Ok(());
        }
        let mut conn = self.db.read().await?;
        let quota = self.quota(&mut conn, owner).await?;
        if quota == Quota::default() {
            return Ok(());
        }
        let known = usage::of_account(&mut conn, owner).await?;
        drop(conn);
        if let Some(known) = known
            && exceeded(quota, &known, wanted).is_none()
        {
            return Ok(());
        }
        // Something may have gone since.
        let usage = self.fresh_usage(owner).await?;
        within(quota, &usage, wanted, holder)
    }

    /// Notes that a blob is about to be linked to a package of the owner. Returns how many bytes
    /// that adds to what the owner holds: to be [charged](Self::charge) when it is.
    pub(crate) async fn price_of_blob(
        &self,
        conn: &mut Conn,
        owner: AccountId,
        digest: &Digest,
        size: Option<u64>,
        now: Moment,
    ) -> Result<u64> {
        if self.quota(conn, owner).await? == Quota::default() {
            return Ok(0);
        }
        if usage::holds(conn, owner, digest, now).await? {
            return Ok(0);
        }
        match size {
            Some(size) => Ok(size),
            None => {
                let blob = links::blob(conn, digest).await?;
                Ok(blob.map_or(0, |blob| blob.size))
            }
        }
    }

    /// Adds to what the owner holds; last in the transaction that brings it.
    pub(crate) async fn charge(&self, conn: &mut Conn, owner: AccountId, size: u64) -> Result<()> {
        if size > 0 {
            usage::charge(conn, owner, size).await?;
        }
        Ok(())
    }

    /// How many bytes a manifest that names these blobs takes out of the bin of the owner: what a
    /// push was promised before it was deleted, and need not upload again.
    pub(crate) async fn price_of_named(
        &self,
        conn: &mut Conn,
        owner: AccountId,
        blobs: &[&str],
        now: Moment,
    ) -> Result<u64> {
        if blobs.is_empty() || self.quota(conn, owner).await? == Quota::default() {
            return Ok(0);
        }
        Ok(usage::uncounted(conn, owner, blobs, now).await?)
    }

    /// Adds to what the owner holds, which must stay within the quota; last in the transaction that
    /// brings it.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`].
    pub(crate) async fn charge_within(
        &self,
        conn: &mut Conn,
        holder: Holder<'_>,
        size: u64,
    ) -> Result<()> {
        let quota = self.quota(conn, holder.owner).await?;
        if quota == Quota::default() {
            return Ok(());
        }
        match usage::charge(conn, holder.owner, size).await? {
            Some(usage) => within(quota, &usage, 0, holder),
            None => Ok(()),
        }
    }

    /// How much an owner may hold, asked for over the connection that is at hand.
    async fn quota(&self, conn: &mut Conn, owner: AccountId) -> Result<Quota> {
        if let Some(quota) = self.remembered_quota(owner) {
            return Ok(quota);
        }
        let epoch = self.facts_cache.epoch();
        let quota = quotas::find(conn, owner).await?;
        self.quota_cache.0.insert(owner, (epoch, quota));
        Ok(quota)
    }

    fn remembered_quota(&self, owner: AccountId) -> Option<Quota> {
        let (at, quota) = self.quota_cache.0.get(&owner)?;
        (at == self.facts_cache.epoch()).then_some(quota)
    }

    /// Measures anew what owners with a quota hold. Returns how many there are.
    pub(crate) async fn measure_owners_with_quotas(&self) -> Result<usize> {
        const BATCH: usize = 100;
        let mut cursor = Some(Cursor::first(BATCH));
        let mut measured = 0;
        while let Some(page) = cursor {
            let mut conn = self.db.read().await?;
            let found = quotas::list(&mut conn, page).await?;
            drop(conn);
            for (account, _) in &found.items {
                self.fresh_usage(account.id()).await?;
            }
            measured += found.items.len();
            cursor = found.next;
        }
        Ok(measured)
    }
}

/// Whose quota is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder<'a> {
    /// Their number.
    pub(crate) owner: AccountId,
    /// Their name, as it was asked for.
    pub(crate) name: &'a AccountName,
}

impl<'a> From<&'a PushTarget> for Holder<'a> {
    fn from(target: &'a PushTarget) -> Self {
        Self {
            owner: target.owner(),
            name: &target.path().owner,
        }
    }
}

impl<'a> From<&'a Authorized> for Holder<'a> {
    fn from(package: &'a Authorized) -> Self {
        Self {
            owner: package.owner(),
            name: &package.path().owner,
        }
    }
}

fn within(quota: Quota, usage: &AccountUsage, wanted: u64, holder: Holder<'_>) -> Result<()> {
    match exceeded(quota, usage, wanted) {
        None => Ok(()),
        Some((which, used, limit)) => Err(Error::QuotaExceeded(QuotaExceeded {
            owner: holder.name.clone(),
            which,
            used,
            limit,
        })),
    }
}

/// Which limit is passed with `wanted` bytes more: how much there is, and how much there may be.
fn exceeded(quota: Quota, usage: &AccountUsage, wanted: u64) -> Option<(Limit, u64, u64)> {
    let used = usage.live.saturating_add(usage.pending);
    let live = quota
        .live
        .filter(|limit| used.saturating_add(wanted) > *limit)
        .map(|limit| (Limit::Live, used, limit));
    let bin = quota
        .bin
        .filter(|limit| usage.bin > *limit)
        .map(|limit| (Limit::Bin, usage.bin, limit));
    live.or(bin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_in_units_that_people_read() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (1_234_567, "1.2 MB"),
            (10_000_000_000, "10 GB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(Amount(bytes).to_string(), text);
        }
    }

    #[test]
    fn what_is_being_uploaded_counts_and_the_bin_counts_apart() {
        let usage = AccountUsage {
            live: 60,
            pending: 30,
            bin: 500,
            ..AccountUsage::default()
        };
        let quota = |live, bin| Quota { live, bin };
        assert_eq!(exceeded(quota(Some(100), None), &usage, 10), None);
        let over = exceeded(quota(Some(100), None), &usage, 11);
        assert_eq!(over, Some((Limit::Live, 90, 100)));
        assert_eq!(exceeded(quota(None, Some(500)), &usage, 11), None);
        let over = exceeded(quota(None, Some(499)), &usage, 0);
        assert_eq!(over, Some((Limit::Bin, 500, 499)));
    }
}
