//! What an owner, a package or a version holds, in bytes.
//!
//! Within one owner each blob counts once, however many packages use it. What other owners hold is
//! never looked at: sizes would betray it. A blob is *live* while anything that is served needs it,
//! in the *bin* while only what can be restored does, and *pending* while no manifest names it.
//!
//! Owners and packages are walked in batches, by an index and in the order of digests, so that no
//! statement is long however much there is.

mod prices;

use naru_model::{AccountId, Moment, PackageId, VersionId};
use naru_oci::Digest;

pub use prices::{brought_back, holds, served_blobs, served_manifests, uncounted};

use crate::db::{Conn, FromRow, Row, Statement, statements};
use crate::error::Result;

/// The statements of the module below.
pub(crate) const STATEMENTS_BELOW: &[&[&Statement]] = &[prices::STATEMENTS];

/// What a link is held by, the strongest holder counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// By nothing: it was uploaded, and no manifest names it.
    Pending,
    /// By versions or packages in the bin.
    Bin,
    /// By a version that is served.
    Live,
}

/// A link of an owner, as a walk over all of them finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedLink {
    /// The blob.
    pub digest: Digest,
    /// The package that has the link.
    pub package: PackageId,
    /// Length of the blob in bytes.
    pub size: u64,
    /// What holds it.
    pub held: Held,
}

/// A blob of a package or version, and whether it is needed elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedBlob {
    /// The blob.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// What holds it here.
    pub held: Held,
    /// Whether anything else that the owner serves needs it.
    pub shared: bool,
}

/// Manifests of some versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manifests {
    /// How many are served.
    pub live: u64,
    /// Their length in bytes.
    pub live_bytes: u64,
    /// How many are in the bin.
    pub bin: u64,
    /// Their length in bytes.
    pub bin_bytes: u64,
}

/// What an owner holds, as it was measured last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountUsage {
    /// Needed by what is served, each blob once, the manifests, and the attestations.
    pub live: u64,
    /// Uploaded, and in no manifest.
    pub pending: u64,
    /// Needed by nothing but what can be restored, with attestations of deleted repositories.
    pub bin: u64,
    /// How many blobs there are.
    pub blobs: u64,
    /// How many versions are served.
    pub versions: u64,
    /// What pushes have added to `pending`, ever.
    pub charged: u64,
    /// When it was measured.
    pub measured_at: Moment,
    /// How long that took, in microseconds.
    pub measured_in: u64,
}

impl FromRow for OwnedLink {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            digest: row.get("digest")?,
            package: row.get("package_id")?,
            size: row.get("size")?,
            held: held(row)?,
        })
    }
}

impl FromRow for UsedBlob {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            digest: row.get("digest")?,
            size: row.get("size")?,
            held: held(row)?,
            shared: row.get("shared")?,
        })
    }
}

fn held(row: &Row) -> Result<Held> {
    match row.get::<i64>("held")? {
        0 => Ok(Held::Pending),
        1 => Ok(Held::Bin),
        2 => Ok(Held::Live),
        other => Err(row.corrupt("held", format!("{other} is no holder"))),
    }
}

impl FromRow for Manifests {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            live: row.get("live")?,
            live_bytes: row.get("live_bytes")?,
            bin: row.get("bin")?,
            bin_bytes: row.get("bin_bytes")?,
        })
    }
}

struct PackageManifests(PackageId, Manifests);

impl FromRow for PackageManifests {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self(row.get("package_id")?, Manifests::from_row(row)?))
    }
}

impl FromRow for AccountUsage {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            live: row.get("live")?,
            pending: row.get("pending")?,
            bin: row.get("bin")?,
            blobs: row.get("blobs")?,
            versions: row.get("versions")?,
            charged: row.get("charged")?,
            measured_at: row.get("measured_at")?,
            measured_in: row.get("measured_in")?,
        })
    }
}

/// A version that is looked at together with what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The version.
    pub version: VersionId,
    /// Length of its manifest in bytes.
    pub size: u64,
    /// Whether an index that is served, and is not looked at, needs it.
    pub shared: bool,
}

impl FromRow for Member {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            version: row.get("id")?,
            size: row.get("size")?,
            shared: row.get("shared")?,
        })
    }
}

/// Who holds the link `l`, in the package `p`. What was uploaded anew while only the bin holds it
/// can be read at the moment `$now`, and is pending as if nothing held it.
macro_rules! held_column {
    ($now:literal) => {
        concat!(
            "CASE WHEN p.deleted_at IS NULL AND EXISTS
                (SELECT 1 FROM version_blobs r JOIN versions v ON v.id = r.version_id
                 WHERE r.package_id = l.package_id AND r.digest = l.digest
                    AND v.deleted_at IS NULL) THEN CAST(2 AS BIGINT)
            WHEN EXISTS (SELECT 1 FROM version_blobs r
                 WHERE r.package_id = l.package_id AND r.digest = l.digest)
                AND NOT (p.deleted_at IS NULL AND l.readable_until > ",
            $now,
            ") THEN CAST(1 AS BIGINT)
            ELSE CAST(0 AS BIGINT) END AS held"
        )
    };
}

/// The counts of [`Manifests`] over the versions `v` of the package `p`.
macro_rules! manifest_columns {
    () => {
        "CAST(COUNT(CASE WHEN v.deleted_at IS NULL AND p.deleted_at IS NULL THEN 1 END)
                AS BIGINT) AS live,
            CAST(COALESCE(SUM(CASE WHEN v.deleted_at IS NULL AND p.deleted_at IS NULL
                THEN v.size END), 0) AS BIGINT) AS live_bytes,
            CAST(COUNT(CASE WHEN v.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL THEN 1 END)
                AS BIGINT) AS bin,
            CAST(COALESCE(SUM(CASE WHEN v.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL
                THEN v.size END), 0) AS BIGINT) AS bin_bytes"
    };
}

statements! {
    ADOPT_LINKS = "UPDATE links SET owner_id =
            (SELECT p.owner_id FROM packages p WHERE p.id = links.package_id)
        WHERE owner_id = 0";
    OWNER_LINKS = concat!("SELECT l.digest, l.package_id, b.size, ", held_column!("$5"), "
        FROM links l JOIN blobs b ON b.digest = l.digest JOIN packages p ON p.id = l.package_id
        WHERE l.owner_id = $1 AND (l.digest, l.package_id) > ($2, $3)
        ORDER BY l.digest, l.package_id LIMIT $4");
    OWNER_MANIFESTS = concat!("SELECT p.id AS package_id, ", manifest_columns!(), "
        FROM (SELECT x.id, x.deleted_at FROM packages x WHERE x.owner_id = $1 AND x.id > $2
              ORDER BY x.id LIMIT $3) p
            LEFT JOIN versions v ON v.package_id = p.id
        GROUP BY p.id ORDER BY p.id");
    PACKAGE_BLOBS = concat!("SELECT l.digest, b.size, ", held_column!("$4"), ",
            CASE WHEN EXISTS (SELECT 1 FROM links o JOIN packages op ON op.id = o.package_id
                    JOIN version_blobs r ON r.package_id = o.package_id AND r.digest = o.digest
                    JOIN versions v ON v.id = r.version_id
                 WHERE o.owner_id = l.owner_id AND o.digest = l.digest
                    AND o.package_id <> l.package_id AND op.deleted_at IS NULL
                    AND v.deleted_at IS NULL)
                THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS shared
        FROM links l JOIN blobs b ON b.digest = l.digest JOIN packages p ON p.id = l.package_id
        WHERE l.package_id = $1 AND l.digest > $2
        ORDER BY l.digest LIMIT $3");
    PACKAGE_MANIFESTS = concat!("SELECT ", manifest_columns!(), "
        FROM packages p JOIN versions v ON v.package_id = p.id WHERE p.id = $1");
    MEMBERS = "SELECT v.id, v.size, CASE WHEN EXISTS
                (SELECT 1 FROM version_children c JOIN versions i ON i.id = c.version_id
                 WHERE c.package_id = v.package_id AND c.digest = v.digest
                    AND i.deleted_at IS NULL AND NOT (i.id {{IN $2}}))
                THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS shared
        FROM versions v WHERE v.package_id = $1 AND v.id {{IN $2}} AND v.deleted_at IS NULL
        ORDER BY v.id";
    CHILDREN = "{{PLANNED ANEW}} SELECT DISTINCT v.id FROM version_children c
            JOIN versions v ON v.package_id = c.package_id AND v.digest = c.digest
        WHERE c.version_id {{IN $1}} AND v.deleted_at IS NULL ORDER BY v.id LIMIT $2";
    MEMBER_BLOBS = "SELECT DISTINCT r.digest, b.size, CAST(2 AS BIGINT) AS held,
            CASE WHEN EXISTS (SELECT 1 FROM links o JOIN packages op ON op.id = o.package_id
                    JOIN version_blobs x ON x.package_id = o.package_id AND x.digest = o.digest
                    JOIN versions v ON v.id = x.version_id
                 WHERE o.owner_id = $2 AND o.digest = r.digest AND op.deleted_at IS NULL
                    AND v.deleted_at IS NULL AND NOT (v.id {{IN $1}}))
                THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS shared
        FROM version_blobs r JOIN blobs b ON b.digest = r.digest
        WHERE r.version_id {{IN $1}} ORDER BY r.digest LIMIT $3";

    OF_ACCOUNT = "SELECT live, pending, bin, blobs, versions, charged, measured_at, measured_in
        FROM account_usage WHERE owner_id = $1";
    PUT = "INSERT INTO account_usage
            (owner_id, live, pending, bin, blobs, versions, measured_at, measured_in)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (owner_id) DO UPDATE SET live = excluded.live,
            pending = excluded.pending + account_usage.charged - $9, bin = excluded.bin, blobs = excluded.blobs, versions = excluded.versions,
            measured_at = excluded.measured_at, measured_in = excluded.measured_in
        WHERE excluded.measured_at >= account_usage.measured_at";
    CHARGE = "UPDATE account_usage SET pending = pending + $2, charged = charged + $2
        WHERE owner_id = $1
        RETURNING live, pending, bin, blobs, versions, charged, measured_at, measured_in";
}

/// Notes whose links are that an older program made beside this one. Returns how many there were.
///
/// # Errors
/// Those of the database.
pub async fn adopt_links(conn: &mut Conn) -> Result<u64> {
    conn.execute(ADOPT_LINKS, &[]).await
}

/// The next `limit` links of an owner after `after`, in the order of digests and packages.
///
/// # Errors
/// Those of the database.
pub async fn owner_links(
    conn: &mut Conn,
    owner: AccountId,
    after: Option<&OwnedLink>,
    limit: i64,
    now: Moment,
) -> Result<Vec<OwnedLink>> {
    let digest = after.map_or("", |link| link.digest.as_str());
    let package = after.map_or(0, |link| link.package.get());
    let args = [
        owner.into(),
        digest.into(),
        package.into(),
        limit.into(),
        now.into(),
    ];
    conn.all(OWNER_LINKS, &args).await
}

/// The manifests of the next `limit` packages of an owner after `after`, one entry a package.
///
/// # Errors
/// Those of the database.
pub async fn owner_manifests(
    conn: &mut Conn,
    owner: AccountId,
    after: PackageId,
    limit: i64,
) -> Result<Vec<(PackageId, Manifests)>> {
    let args = [owner.into(), after.into(), limit.into()];
    let found: Vec<PackageManifests> = conn.all(OWNER_MANIFESTS, &args).await?;
    Ok(found
        .into_iter()
        .map(|PackageManifests(package, manifests)| (package, manifests))
        .collect())
}

/// The next `limit` blobs of a package after `after` (an empty text begins).
///
/// # Errors
/// Those of the database.
pub async fn package_blobs(
    conn: &mut Conn,
    package: PackageId,
    after: &str,
    limit: i64,
    now: Moment,
) -> Result<Vec<UsedBlob>> {
    let args = [package.into(), after.into(), limit.into(), now.into()];
    conn.all(PACKAGE_BLOBS, &args).await
}

/// The manifests of a package.
///
/// # Errors
/// Those of the database.
pub async fn package_manifests(conn: &mut Conn, package: PackageId) -> Result<Manifests> {
    conn.one(PACKAGE_MANIFESTS, &[package.into()]).await
}

/// The served versions that these indexes have as children, at most `limit`.
///
/// # Errors
/// Those of the database.
pub async fn children(
    conn: &mut Conn,
    versions: &[VersionId],
    limit: i64,
) -> Result<Vec<VersionId>> {
    let ids = numbers(versions);
    conn.all(CHILDREN, &[ids.as_slice().into(), limit.into()])
        .await
}

/// Those of `versions` that are served.
///
/// # Errors
/// Those of the database.
pub async fn members(
    conn: &mut Conn,
    package: PackageId,
    versions: &[VersionId],
) -> Result<Vec<Member>> {
    let ids = numbers(versions);
    conn.all(MEMBERS, &[package.into(), ids.as_slice().into()])
        .await
}

/// The blobs that `versions` need, at most `limit`, and whether anything else of `owner` does.
///
/// # Errors
/// Those of the database.
pub async fn member_blobs(
    conn: &mut Conn,
    owner: AccountId,
    versions: &[VersionId],
    limit: i64,
) -> Result<Vec<UsedBlob>> {
    let ids = numbers(versions);
    let args = [ids.as_slice().into(), owner.into(), limit.into()];
    conn.all(MEMBER_BLOBS, &args).await
}

fn numbers(versions: &[VersionId]) -> Vec<i64> {
    versions.iter().map(|version| version.get()).collect()
}

/// What an owner held when it was measured last, if it ever was.
///
/// # Errors
/// Those of the database.
pub async fn of_account(conn: &mut Conn, owner: AccountId) -> Result<Option<AccountUsage>> {
    conn.optional(OF_ACCOUNT, &[owner.into()]).await
}

/// Notes what was measured, unless something newer is known. What was charged since `charged` was
/// read, before the measuring, may have been missed by it, and is added.
///
/// # Errors
/// Those of the database.
pub async fn put(conn: &mut Conn, owner: AccountId, usage: &AccountUsage) -> Result<()> {
    let args = [
        owner.into(),
        bytes(usage.live).into(),
        bytes(usage.pending).into(),
        bytes(usage.bin).into(),
        bytes(usage.blobs).into(),
        bytes(usage.versions).into(),
        usage.measured_at.into(),
        bytes(usage.measured_in).into(),
        bytes(usage.charged).into(),
    ];
    conn.execute(PUT, &args).await?;
    Ok(())
}

/// Adds bytes that came since the last measuring. Returns what is known then; nothing where the
/// owner was never measured. Last in a transaction, because others who push there wait for it.
///
/// # Errors
/// Those of the database.
pub async fn charge(conn: &mut Conn, owner: AccountId, size: u64) -> Result<Option<AccountUsage>> {
    conn.optional(CHARGE, &[owner.into(), bytes(size).into()])
        .await
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
