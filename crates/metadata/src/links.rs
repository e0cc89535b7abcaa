//! Links and blobs: which package may use which bytes, and where the bytes lie.
//!
//! A link is *held* while a version (also a deleted one, until it is purged) names it by foreign
//! key, and *leased* until a moment in time. The collector takes only what is neither. It is
//! *readable* while a live version needs it or `readable_until` has not passed. A held link is
//! *parked*: its lease is [`PARKED`], so the index on leases lists only links that may go.

use naru_model::{Moment, PackageId};
use naru_oci::Digest;

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

/// The lease of a link that a version holds: the end of time. It is no promise to a push: a link
/// held by nothing but versions in the bin is not to be named by a new manifest without new bytes,
/// so finish, mount and renewal put a finite lease in its place.
pub const PARKED: i64 = i64::MAX;

/// How long links live without a version, in one place for finish, mount and renewal.
#[derive(Clone, Copy, Debug)]
pub struct LinkTimes {
    /// The moment of the change.
    pub now: Moment,
    /// The collector keeps its hands off until then.
    pub lease_until: Moment,
    /// Readable without a live version until then.
    pub readable_until: Moment,
}

/// A blob as a package sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedBlob {
    /// Length in bytes.
    pub size: u64,
    /// Where the bytes lie; opaque to everybody but the blob store.
    pub storage_key: String,
    /// Whether a live version of the package needs it.
    pub needed: bool,
    /// The lease, [`PARKED`] while a version holds the link.
    pub lease_until: Moment,
    /// Readable without a live version until then.
    pub readable_until: Moment,
    /// Whether a check found the bytes damaged: pushers are told that the blob is absent.
    pub damaged: bool,
}

impl LinkedBlob {
    /// Whether the blob may be read in this package at `now`.
    #[must_use]
    pub fn readable(&self, now: Moment) -> bool {
        self.needed || self.readable_until > now
    }
}

impl FromRow for LinkedBlob {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            size: row.get("size")?,
            storage_key: row.get("storage_key")?,
            needed: row.get::<i64>("needed")? != 0,
            lease_until: row.get("lease_until")?,
            readable_until: row.get("readable_until")?,
            damaged: row.get::<Option<i64>>("damaged_at")?.is_some(),
        })
    }
}

statements! {
    #[short]
    FIND = "SELECT b.size, b.storage_key, b.damaged_at, l.lease_until, l.readable_until,
            CASE WHEN EXISTS (SELECT 1 FROM version_blobs r JOIN versions v ON v.id = r.version_id
                              WHERE r.package_id = l.package_id AND r.digest = l.digest
                                AND v.deleted_at IS NULL) THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS needed
        FROM links l JOIN blobs b ON b.digest = l.digest
        WHERE l.package_id = $1 AND l.digest = $2";
    RENEW = "UPDATE links SET
            lease_until = CASE WHEN lease_until > $3 AND lease_until < 9223372036854775807
                               THEN lease_until ELSE $3 END
        WHERE package_id = $1 AND digest = $2 AND readable_until > $4";
    #[short]
    PUT_BLOB = "INSERT INTO blobs (digest, size, storage_key, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (digest) DO UPDATE SET size = blobs.size
        RETURNING size, storage_key, damaged_at";
    HEAL_BLOB = "UPDATE blobs SET storage_key = $2, size = $3, damaged_at = NULL WHERE digest = $1";
    #[short]
    PUT_LINK = "INSERT INTO links (package_id, digest, lease_until, readable_until, owner_id)
        VALUES ($1, $2, $3, $4, (SELECT p.owner_id FROM packages p WHERE p.id = $1))
        ON CONFLICT (package_id, digest) DO UPDATE SET
            lease_until = CASE WHEN links.lease_until > excluded.lease_until
                                AND links.lease_until < 9223372036854775807
                               THEN links.lease_until ELSE excluded.lease_until END,
            readable_until = CASE WHEN links.readable_until > excluded.readable_until
                                  THEN links.readable_until ELSE excluded.readable_until END";
    #[short]
    MOUNT = "INSERT INTO links (package_id, digest, lease_until, readable_until, owner_id)
        SELECT CAST($1 AS BIGINT), l.digest, CAST($4 AS BIGINT),
               CASE WHEN l.readable_until < CAST($5 AS BIGINT)
                     AND NOT EXISTS (SELECT 1 FROM version_blobs r
                                     JOIN versions v ON v.id = r.version_id
                                     WHERE r.package_id = l.package_id AND r.digest = l.digest
                                       AND v.deleted_at IS NULL)
                    THEN l.readable_until ELSE CAST($5 AS BIGINT) END,
               (SELECT p.owner_id FROM packages p WHERE p.id = $1)
        FROM links l JOIN blobs b ON b.digest = l.digest
        WHERE l.package_id = $2 AND l.digest = $3 AND b.damaged_at IS NULL
          AND (l.readable_until > $6
               OR EXISTS (SELECT 1 FROM version_blobs r JOIN versions v ON v.id = r.version_id
                          WHERE r.package_id = l.package_id AND r.digest = l.digest
                            AND v.deleted_at IS NULL))
        ON CONFLICT (package_id, digest) DO UPDATE SET
            lease_until = CASE WHEN links.lease_until > excluded.lease_until
                                AND links.lease_until < 9223372036854775807
                               THEN links.lease_until ELSE excluded.lease_until END,
            readable_until = CASE WHEN links.readable_until > excluded.readable_until
                                  THEN links.readable_until ELSE excluded.readable_until END";
    MOUNT_CANDIDATES = "SELECT l.package_id FROM links l JOIN packages p ON p.id = l.package_id
        WHERE l.digest = $1 AND l.package_id <> $2 AND p.deleted_at IS NULL
          AND p.published_at IS NOT NULL
        ORDER BY CASE WHEN p.owner_id = $3 THEN 0 ELSE 1 END, l.package_id LIMIT $4";
    #[short]
    USABLE = "SELECT l.digest, b.size FROM links l JOIN blobs b ON b.digest = l.digest
        WHERE l.package_id = $1 AND l.digest {{IN $2}} AND b.damaged_at IS NULL
          AND ((l.lease_until > $3 AND l.lease_until < 9223372036854775807)
               OR EXISTS (SELECT 1 FROM version_blobs r JOIN versions v ON v.id = r.version_id
                          WHERE r.package_id = l.package_id AND r.digest = l.digest
                            AND v.deleted_at IS NULL))
        ORDER BY l.digest {{FOR KEY SHARE OF l}}";
    HIDE = "UPDATE links SET readable_until = $3
        WHERE package_id = $1 AND digest = $2 AND readable_until > $3";
    KEEPER = "SELECT v.digest FROM version_blobs r JOIN versions v ON v.id = r.version_id
        WHERE r.package_id = $1 AND r.digest = $2 AND v.deleted_at IS NULL
        ORDER BY v.id LIMIT 1";
    MARK_DAMAGED = "UPDATE blobs SET damaged_at = $2
        WHERE digest = $1 AND storage_key = $3 AND damaged_at IS NULL";
    BLOBS_PAGE = "SELECT digest, size, storage_key, damaged_at FROM blobs
        WHERE digest > $1 ORDER BY digest LIMIT $2";
    BLOB = "SELECT digest, size, storage_key, damaged_at FROM blobs WHERE digest = $1";
    KEY_KNOWN = "SELECT storage_key FROM blobs WHERE storage_key = $1
        UNION ALL SELECT storage_key FROM uploads WHERE storage_key = $1
        UNION ALL SELECT storage_key FROM trash WHERE storage_key = $1";
}

/// The blob as `package` sees it, or `None` when it has no link to it.
///
/// # Errors
/// Those of the database.
pub async fn find(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
) -> Result<Option<LinkedBlob>> {
    conn.optional(FIND, &[package.get().into(), digest.as_str().into()])
        .await
}

/// Makes the lease of a link that is still readable without a version last until `lease_until` at
/// least. Returns whether there was one: false also when it became unreadable meanwhile.
///
/// # Errors
/// Those of the database.
pub async fn renew(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
    lease_until: Moment,
    now: Moment,
) -> Result<bool> {
    let args = [
        package.get().into(),
        digest.as_str().into(),
        lease_until.as_micros().into(),
        now.as_micros().into(),
    ];
    Ok(conn.execute(RENEW, &args).await? > 0)
}

/// What became of the bytes that were offered for a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutBlob {
    /// The digest was new: the offered key is now its key.
    Stored,
    /// The digest had sound bytes; the offered key is a duplicate to be thrown away.
    Duplicate,
    /// The digest had damaged bytes; the offered key took their place, and theirs is thrown away.
    Healed {
        /// The key of the damaged bytes.
        replaced: String,
    },
}

struct BlobRow {
    storage_key: String,
    damaged: bool,
}

impl FromRow for BlobRow {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            storage_key: row.get("storage_key")?,
            damaged: row.get::<Option<i64>>("damaged_at")?.is_some(),
        })
    }
}

/// Records durable bytes under their digest. The row stays locked until the transaction ends, so
/// the collector cannot take it before a link holds it.
///
/// # Errors
/// Those of the database.
pub async fn put_blob(
    conn: &mut Conn,
    digest: &Digest,
    size: u64,
    storage_key: &str,
    now: Moment,
) -> Result<PutBlob> {
    let size_arg = i64::try_from(size).unwrap_or(i64::MAX);
    let args = [
        digest.as_str().into(),
        size_arg.into(),
        storage_key.into(),
        now.as_micros().into(),
    ];
    let row: BlobRow = conn.one(PUT_BLOB, &args).await?;
    if row.storage_key == storage_key {
        return Ok(PutBlob::Stored);
    }
    if !row.damaged {
        return Ok(PutBlob::Duplicate);
    }
    conn.execute(
        HEAL_BLOB,
        &[digest.as_str().into(), storage_key.into(), size_arg.into()],
    )
    .await?;
    Ok(PutBlob::Healed {
        replaced: row.storage_key,
    })
}

/// Links `digest`, which has a blob row, to `package`; never shortens what was promised.
///
/// # Errors
/// Those of the database.
pub async fn put_link(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
    times: LinkTimes,
) -> Result<()> {
    let args = [
        package.get().into(),
        digest.as_str().into(),
        times.lease_until.as_micros().into(),
        times.readable_until.as_micros().into(),
    ];
    conn.execute(PUT_LINK, &args).await?;
    Ok(())
}

/// Links to `target` a blob that is readable in `source`. Returns whether it was. What no live
/// version needs there can be read here no longer than there: mounted to and fro, it would be
/// pinned for ever.
///
/// # Errors
/// Those of the database; a foreign-key violation when the collector took the blob meanwhile.
pub async fn mount(
    conn: &mut Conn,
    target: PackageId,
    source: PackageId,
    digest: &Digest,
    times: LinkTimes,
) -> Result<bool> {
    let args = [
        target.get().into(),
        source.get().into(),
        digest.as_str().into(),
        times.lease_until.as_micros().into(),
        times.readable_until.as_micros().into(),
        times.now.as_micros().into(),
    ];
    Ok(conn.execute(MOUNT, &args).await? > 0)
}

/// Other live packages that have a link to `digest`, those of `owner` first, at most `limit`:
/// where a mount that names no source may look, if the caller may read there.
///
/// # Errors
/// Those of the database.
pub async fn mount_candidates(
    conn: &mut Conn,
    digest: &Digest,
    target: PackageId,
    owner: naru_model::AccountId,
    limit: i64,
) -> Result<Vec<PackageId>> {
    let args = [
        digest.as_str().into(),
        target.get().into(),
        owner.get().into(),
        limit.into(),
    ];
    conn.all(MOUNT_CANDIDATES, &args).await
}

/// A digest and the length of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestSize {
    /// The digest.
    pub digest: Digest,
    /// Length in bytes.
    pub size: u64,
}

impl FromRow for DigestSize {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            digest: row.get("digest")?,
            size: row.get("size")?,
        })
    }
}

/// Which of `digests` a manifest pushed now to `package` may name: leased, or needed by a live
/// version. The others are to be uploaded again. The links stay as they are until the transaction
/// ends, so that the collector cannot take them before the manifest holds them.
///
/// # Errors
/// Those of the database.
pub async fn usable(
    conn: &mut Conn,
    package: PackageId,
    digests: &[&str],
    now: Moment,
) -> Result<Vec<DigestSize>> {
    conn.all(
        USABLE,
        &[package.get().into(), digests.into(), now.as_micros().into()],
    )
    .await
}

/// Makes the link unreadable from `now` on; the row stays for the collector.
///
/// # Errors
/// Those of the database.
pub async fn hide(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
    now: Moment,
) -> Result<bool> {
    let args = [
        package.get().into(),
        digest.as_str().into(),
        now.as_micros().into(),
    ];
    Ok(conn.execute(HIDE, &args).await? > 0)
}

/// A live manifest of `package` that needs the blob, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn keeper(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
) -> Result<Option<Digest>> {
    conn.optional(KEEPER, &[package.get().into(), digest.as_str().into()])
        .await
}

/// Marks the bytes under `storage_key` as damaged, if the digest still lives there.
///
/// # Errors
/// Those of the database.
pub async fn mark_damaged(
    conn: &mut Conn,
    digest: &Digest,
    storage_key: &str,
    now: Moment,
) -> Result<bool> {
    let args = [
        digest.as_str().into(),
        now.as_micros().into(),
        storage_key.into(),
    ];
    Ok(conn.execute(MARK_DAMAGED, &args).await? > 0)
}

/// A blob row, as a check of all bytes walks over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The digest the bytes must have.
    pub digest: Digest,
    /// Length in bytes.
    pub size: u64,
    /// Where the bytes lie.
    pub storage_key: String,
    /// Whether an earlier check found them damaged.
    pub damaged: bool,
}

impl FromRow for Blob {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            digest: row.get("digest")?,
            size: row.get("size")?,
            storage_key: row.get("storage_key")?,
            damaged: row.get::<Option<i64>>("damaged_at")?.is_some(),
        })
    }
}

/// The next `limit` blob rows after `after` (an empty text begins), in the order of digests.
///
/// # Errors
/// Those of the database.
pub async fn blobs_page(conn: &mut Conn, after: &str, limit: i64) -> Result<Vec<Blob>> {
    conn.all(BLOBS_PAGE, &[after.into(), limit.into()]).await
}

/// The row of a blob, whoever may see it.
///
/// # Errors
/// Those of the database.
pub async fn blob(conn: &mut Conn, digest: &Digest) -> Result<Option<Blob>> {
    conn.optional(BLOB, &[digest.as_str().into()]).await
}

/// Whether any row knows this storage key.
///
/// # Errors
/// Those of the database.
pub async fn key_known(conn: &mut Conn, storage_key: &str) -> Result<bool> {
    let found: Option<String> = conn.optional(KEY_KNOWN, &[storage_key.into()]).await?;
    Ok(found.is_some())
}
