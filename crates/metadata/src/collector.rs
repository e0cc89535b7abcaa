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
    LOOSE_LINKS = "SELECT package_id, digest FROM links l
        WHERE lease_until < $1
          AND NOT EXISTS (SELECT 1 FROM version_blobs r
                          WHERE r.package_id = l.package_id AND r.digest = l.digest)
        ORDER BY lease_until, package_id, digest LIMIT $2 {{SKIP LOCKED OF l}}";
    UNLINK = "DELETE FROM links WHERE package_id = $1 AND digest = $2 AND lease_until < $3
        AND NOT EXISTS (SELECT 1 FROM version_blobs r
                        WHERE r.package_id = links.package_id AND r.digest = links.digest)";
    PARK_HELD = "UPDATE links SET lease_until = 9223372036854775807
        WHERE lease_until < $1
          AND EXISTS (SELECT 1 FROM version_blobs r
                      WHERE r.package_id = links.package_id AND r.digest = links.digest)";
    LOOSE_BLOBS_OF = "SELECT digest, storage_key FROM blobs b
        WHERE digest {{IN $1}}
          AND NOT EXISTS (SELECT 1 FROM links l WHERE l.digest = b.digest)
        ORDER BY digest {{SKIP LOCKED OF b}}";
    LOOSE_BLOBS = "SELECT digest, storage_key FROM blobs b
        WHERE digest > $1 AND NOT EXISTS (SELECT 1 FROM links l WHERE l.digest = b.digest)
        ORDER BY digest LIMIT $2 {{SKIP LOCKED OF b}}";
    DROP_BLOB = "DELETE FROM blobs WHERE digest = $1 AND storage_key = $2
        AND NOT EXISTS (SELECT 1 FROM links l WHERE l.digest = blobs.digest)";
    PUT_TRASH = "INSERT INTO trash (storage_key, digest, reason, delete_after)
        VALUES ($1, $2, $3, $4) ON CONFLICT (storage_key) DO NOTHING";
    DUE = "SELECT storage_key, digest, attempts FROM trash
        WHERE delete_after < $1 ORDER BY delete_after, storage_key LIMIT $2";
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

/// Parks the leases of links that a version holds: those whose push was interrupted between the
/// two, and those of versions in the bin whose grace is over.
///
/// # Errors
/// Those of the database.
pub async fn park_held(conn: &mut Conn, now: Moment) -> Result<u64> {
    conn.execute(PARK_HELD, &[now.as_micros().into()]).await
}

/// Condemns those of `digests` that have no link: their keys go to the trash, their rows go.
/// Returns how many.
///
/// # Errors
/// Those of the database.
pub async fn condemn(conn: &mut Conn, digests: &[&str], delete_after: Moment) -> Result<usize> {
    let found: Vec<LooseBlob> = conn.all(LOOSE_BLOBS_OF, &[digests.into()]).await?;
    drop_blobs(conn, found, delete_after)
        .await
        .map(|(count, _)| count)
}

/// Condemns loose blobs after `after`, wherever they come from, at most `limit`: the slow sweep
/// that finds what a crash between the two steps left. Returns how many went and the last digest
/// that was looked at, `None` at the end.
///
/// # Errors
/// Those of the database.
pub async fn condemn_after(
    conn: &mut Conn,
    after: &str,
    limit: i64,
    delete_after: Moment,
) -> Result<(usize, Option<String>)> {
    let found: Vec<LooseBlob> = conn.all(LOOSE_BLOBS, &[after.into(), limit.into()]).await?;
    drop_blobs(conn, found, delete_after).await
}

async fn drop_blobs(
    conn: &mut Conn,
    found: Vec<LooseBlob>,
    delete_after: Moment,
) -> Result<(usize, Option<String>)> {
    let last = found
        .last()
        .map(|LooseBlob(digest, _)| digest.as_str().to_owned());
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
    Ok((count, last))
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

/// Trash whose delay is over, oldest first.
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
