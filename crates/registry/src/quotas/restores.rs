//! Restores move bytes out of the bin, and must stay within what their owner may hold.

use naru_metadata::Conn;
use naru_metadata::usage::{self, AccountUsage};
use naru_model::{Moment, PackageId, Quota, VersionId};

use super::within;
use crate::Registry;
use crate::access::Authorized;
use crate::error::Result;

impl Registry {
    /// Measures what the owner of a package holds, where that limits what may be restored: what was
    /// deleted a moment ago makes room for it. Returns whether it does.
    pub(crate) async fn measure_for_restore(&self, package: &Authorized) -> Result<bool> {
        let mut conn = self.db.read().await?;
        let quota = self.quota(&mut conn, package.owner()).await?;
        drop(conn);
        if quota.live.is_none() {
            return Ok(false);
        }
        self.fresh_usage(package.owner()).await?;
        Ok(true)
    }

    /// Adds versions that came out of the bin to what the owner holds, which must stay within the
    /// quota; last in the transaction that restores them.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`](crate::Error::QuotaExceeded).
    pub(crate) async fn charge_restored(
        &self,
        conn: &mut Conn,
        package: &Authorized,
        versions: &[VersionId],
        now: Moment,
    ) -> Result<()> {
        let quota = self.quota(conn, package.owner()).await?;
        if versions.is_empty() || quota.live.is_none() {
            return Ok(());
        }
        let size = usage::brought_back(conn, package.owner(), versions, now).await?;
        self.charge_return(conn, package, size).await
    }

    /// As [`Registry::charge_restored`], with what comes back already counted. A full bin is no
    /// reason against it: it becomes emptier.
    pub(crate) async fn charge_return(
        &self,
        conn: &mut Conn,
        package: &Authorized,
        size: u64,
    ) -> Result<()> {
        let quota = self.quota(conn, package.owner()).await?;
        let live = Quota { bin: None, ..quota };
        if live == Quota::default() {
            return Ok(());
        }
        let Some(usage) = usage::charge(conn, package.owner(), size).await? else {
            return Ok(());
        };
        let before = AccountUsage {
            pending: usage.pending.saturating_sub(size),
            ..usage
        };
        within(live, &before, size, package.into())
    }

    /// How many bytes the owner of a package in the bin holds more when it is restored. Counted in
    /// batches, before the transaction that restores it: nothing comes into the bin's packages.
    pub(crate) async fn price_of_package(&self, package: PackageId) -> Result<u64> {
        const BATCH: i64 = 2000;
        let mut conn = self.db.read().await?;
        let mut size = usage::served_manifests(&mut conn, package).await?;
        drop(conn);
        let mut after = String::new();
        loop {
            let mut conn = self.db.read().await?;
            let found = usage::served_blobs(&mut conn, package, &after, BATCH).await?;
            drop(conn);
            let Some(last) = found.last() else {
                return Ok(size);
            };
            after = last.digest.to_string();
            let sizes = found.iter().map(|blob| blob.size);
            size = sizes.fold(size, u64::saturating_add);
        }
    }
}
