//! What the garbage collector asks and changes, a bounded batch at a time.
//!
//! The order of the steps is what makes them safe: links go before blobs, a blob row goes in the
//! transaction that condemns its key, and a condemned key is removed only after a delay. Every
//! foreign key restricts, so a step that would be wrong fails instead. No storage call ever stands
//! inside a transaction.

use naru_model::{Moment, PackageId};
use naru_oci::Digest;

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

/// Why a key is in the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrashReason {
    /// No package had a link to the blob any more.
    Condemned,
    /// The digest had bytes already when these were finished.
    Duplicate,
    /// Sound bytes took the place of these damaged ones.
    Replaced,
    /// The upload was cancelled or given up.
    Upload,
    /// No row knew the object.
    Orphan,
}

impl TrashReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Condemned => "condemned",
            Self::Duplicate => "duplicate",
            Self::Replaced => "replaced",
            Self::Upload => "upload",
            Self::Orphan => "orphan",
        }
    }
}

/// A key whose object may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrashRow {
    /// The key.
    pub storage_key: String,
    /// The digest it had, for the log.
    pub digest: Option<String>,
    /// How often removing it failed.
    pub attempts: i64,
}

impl FromRow for TrashRow {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            storage_key: row.get("storage_key")?,
            digest: row.get("digest")?,
            attempts: row.get("attempts")?,
        })
    }
}

statements! {
    LOOSE_LINKS = "{{PLANNED ANEW}} SELECT package_id, digest FROM links l
        WHERE lease_until < $1
          AND NOT EXISTS (SELECT 1 FROM version_blobs r
                          WHERE r.package_id = l.package_id AND r.digest = l.digest)
        ORDER BY lease_until, package_id, digest LIMIT $2 {{SKIP LOCKED OF l}}";
    UNLINK = "DELETE FROM links WHERE package_id = $1 AND digest = $2 AND lease_until < $3
        AND NOT EXISTS (SELECT 1 FROM version_blobs r
                        WHERE r.package_id = links.package_id AND r.digest = links.digest)";
    HELD_LINKS = "SELECT package_id, digest FROM links l
        WHERE lease_until < $1
          AND EXISTS (SELECT 1 FROM version_blobs r
                      WHERE r.package_id = l.package_id AND r.digest = l.digest)
        ORDER BY lease_until, package_id, digest LIMIT $2 {{SKIP LOCKED OF l}}";
    PARK = "UPDATE links SET lease_until = 9223372036854775807
        WHERE package_id = $1 AND digest = $2 AND lease_until < $3
          AND EXISTS (SELECT 1 FROM version_blobs r
                      WHERE r.package_id = links.package_id AND r.digest = links.digest)";
    LOOSE_BLOBS_OF = "SELECT digest, storage_key FROM blobs b
        WHERE digest {{IN $1}}
          AND NOT EXISTS (SELECT 1 FROM links l WHERE l.digest = b.digest)
        ORDER BY digest {{SKIP LOCKED OF b}}";
    LOOSE_BLOBS = "SELECT digest FROM blobs b
        WHERE digest > $1 AND NOT EXISTS (SELECT 1 FROM links l WHERE l.digest = b.digest)
        ORDER BY digest LIMIT $2";
    DROP_BLOB = "DELETE FROM blobs WHERE digest = $1 AND storage_key = $2
        AND NOT EXISTS (SELECT 1 FROM links l WHERE l.digest = blobs.digest)";
    PUT_TRASH = "INSERT INTO trash (storage_key, digest, reason, delete_after)
        VALUES ($1, $2, $3, $4) ON CONFLICT (storage_key) DO NOTHING";
    DUE = "{{PLANNED ANEW}} SELECT storage_key, digest, attempts FROM trash t
        WHERE delete_after < $1
          AND NOT EXISTS (SELECT 1 FROM blobs b WHERE b.storage_key = t.storage_key)
        ORDER BY delete_after, storage_key LIMIT $2";
    DROP_TRASH = "DELETE FROM trash WHERE storage_key = $1";
    RETRY_TRASH = "UPDATE trash SET attempts = attempts + 1, delete_after = $2
        WHERE storage_key = $1";
    TRASH_SIZE = "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM trash";
}

struct LooseLink(PackageId, Digest);

impl FromRow for LooseLink {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self(
            PackageId::new(row.get("package_id")?),
            row.get("digest")?,
        ))
    }
}

struct LooseBlob(Digest, String);

impl FromRow for LooseBlob {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self(row.get("digest")?, row.get("storage_key")?))
    }
}

/// Removes up to `limit` links whose lease passed and which no version holds. Returns the digests
/// that lost a link: only their blobs can have become loose.
///
/// # Errors
/// Those of the database.
pub async fn unlink(conn: &mut Conn, now: Moment, limit: i64) -> Result<Vec<Digest>> {
    let found: Vec<LooseLink> = conn
        .all(LOOSE_LINKS, &[now.as_micros().into(), limit.into()])
        .await?;
    let mut unlinked = Vec::with_capacity(found.len());
    for LooseLink(package, digest) in found {
        let args = [
            package.get().into(),
            digest.as_str().into(),
            now.as_micros().into(),
        ];
        if conn.execute(UNLINK, &args).await? > 0 {
            unlinked.push(digest);
        }
    }
    Ok(unlinked)
}

/// Parks up to `limit` leases that are over, of links that a version holds: blobs that were linked
/// again while they were held, and those of versions in the bin whose grace is over. Returns how
/// many were looked at.
///
/// # Errors
/// Those of the database.
pub async fn park_held(conn: &mut Conn, now: Moment, limit: i64) -> Result<usize> {
    let found: Vec<LooseLink> = conn
        .all(HELD_LINKS, &[now.as_micros().into(), limit.into()])
        .await?;
    for LooseLink(package, digest) in &found {
        let args = [
            package.get().into(),
            digest.as_str().into(),
            now.as_micros().into(),
        ];
        conn.execute(PARK, &args).await?;
    }
    Ok(found.len())
}

/// Condemns those of `digests` that have no link: their keys go to the trash, their rows go.
/// Returns how many.
///
/// # Errors
/// Those of the database.
pub async fn condemn(conn: &mut Conn, digests: &[&str], delete_after: Moment) -> Result<usize> {
    let found: Vec<LooseBlob> = conn.all(LOOSE_BLOBS_OF, &[digests.into()]).await?;
    let mut count = 0;
    for LooseBlob(digest, key) in found {
        if conn
            .execute(DROP_BLOB, &[digest.as_str().into(), key.as_str().into()])
            .await?
            > 0
        {
            discard(
                conn,
                &key,
                Some(&digest),
                TrashReason::Condemned,
                delete_after,
            )
            .await?;
            count += 1;
        }
    }
    Ok(count)
}

/// Digests after `after` that had no link a moment ago, at most `limit`, wherever they come from:
/// what a crash left between the two steps. Looks at all blobs, so it is no question for a
/// transaction; [`condemn`] looks again.
///
/// # Errors
/// Those of the database.
pub async fn loose_blobs(conn: &mut Conn, after: &str, limit: i64) -> Result<Vec<Digest>> {
    conn.all(LOOSE_BLOBS, &[after.into(), limit.into()]).await
}

/// Puts a key into the trash; it must be named by no other row when the transaction commits.
///
/// # Errors
/// Those of the database.
pub async fn discard(
    conn: &mut Conn,
    storage_key: &str,
    digest: Option<&Digest>,
    reason: TrashReason,
    delete_after: Moment,
) -> Result<()> {
    let args = [
        storage_key.into(),
        digest.map(Digest::as_str).into(),
        reason.as_str().into(),
        delete_after.as_micros().into(),
    ];
    conn.execute(PUT_TRASH, &args).await?;
    Ok(())
}

/// Trash whose delay is over, oldest first; never the key of a blob, whatever went wrong.
///
/// # Errors
/// Those of the database.
pub async fn due(conn: &mut Conn, now: Moment, limit: i64) -> Result<Vec<TrashRow>> {
    conn.all(DUE, &[now.as_micros().into(), limit.into()]).await
}

/// Forgets a key whose object is gone.
///
/// # Errors
/// Those of the database.
pub async fn forget(conn: &mut Conn, storage_key: &str) -> Result<()> {
    conn.execute(DROP_TRASH, &[storage_key.into()]).await?;
    Ok(())
}

/// Notes that removing an object failed and when to try again.
///
/// # Errors
/// Those of the database.
pub async fn retry_at(conn: &mut Conn, storage_key: &str, at: Moment) -> Result<()> {
    conn.execute(RETRY_TRASH, &[storage_key.into(), at.as_micros().into()])
        .await?;
    Ok(())
}

/// How many keys are in the trash.
///
/// # Errors
/// Those of the database.
pub async fn trash_size(conn: &mut Conn) -> Result<i64> {
    conn.one(TRASH_SIZE, &[]).await
}
