//! Package versions: manifests as rows, with what each of them needs.

use naru_model::{AccountId, Moment, PackageId, VersionId};
use naru_oci::Digest;

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;
use crate::links::PARKED;

/// A stored manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// The version's number.
    pub id: VersionId,
    /// The digest of `content`.
    pub digest: Digest,
    /// The type it was pushed with.
    pub media_type: String,
    /// The bytes as they were pushed.
    pub content: Vec<u8>,
}

impl FromRow for StoredManifest {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: VersionId::new(row.get("id")?),
            digest: row.get("digest")?,
            media_type: row.get("media_type")?,
            content: row.get("content")?,
        })
    }
}

/// A version without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number.
    pub id: VersionId,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The type it was pushed with.
    pub media_type: String,
    /// Its artifact type, as the referrers list shows it.
    pub artifact_type: Option<String>,
    /// The digest it refers to.
    pub subject: Option<Digest>,
    /// Its annotations as a JSON object.
    pub annotations: Option<String>,
    /// Length of the manifest in bytes.
    pub size: u64,
    /// When it was pushed, anew after a deletion.
    pub created_at: Moment,
    /// When its tags last changed.
    pub updated_at: Moment,
    /// When it was deleted; it can be restored until it is purged.
    pub deleted_at: Option<Moment>,
}

impl FromRow for Version {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: VersionId::new(row.get("id")?),
            digest: row.get("digest")?,
            media_type: row.get("media_type")?,
            artifact_type: row.get("artifact_type")?,
            subject: row.get("subject")?,
            annotations: row.get("annotations")?,
            size: row.get("size")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            deleted_at: row.get("deleted_at")?,
        })
    }
}

/// What is stored of a manifest that is pushed.
#[derive(Clone, Debug)]
pub struct NewVersion<'a> {
    /// The digest of `content`.
    pub digest: &'a Digest,
    /// The type it was pushed with.
    pub media_type: &'a str,
    /// Its artifact type, as the referrers list shows it.
    pub artifact_type: Option<&'a str>,
    /// The digest it refers to.
    pub subject: Option<&'a Digest>,
    /// Its annotations as a JSON object.
    pub annotations: Option<&'a str>,
    /// The bytes as they were pushed.
    pub content: &'a [u8],
    /// Who pushed it.
    pub created_by: Option<AccountId>,
    /// When.
    pub now: Moment,
}

statements! {
    FIND_BY_TAG = "SELECT v.id, v.digest, v.media_type, v.content
        FROM tags t JOIN versions v ON v.id = t.version_id
        WHERE t.package_id = $1 AND t.name = $2 AND v.deleted_at IS NULL";
    FIND_BY_DIGEST = "SELECT id, digest, media_type, content FROM versions
        WHERE package_id = $1 AND digest = $2 AND deleted_at IS NULL";
    HEADER = "SELECT id, digest, media_type, artifact_type, subject, annotations, size,
            created_at, updated_at, deleted_at
        FROM versions WHERE package_id = $1 AND digest = $2";
    HEADER_BY_ID = "SELECT id, digest, media_type, artifact_type, subject, annotations, size,
            created_at, updated_at, deleted_at
        FROM versions WHERE package_id = $1 AND id = $2";
    PAGE = "SELECT id, digest, media_type, artifact_type, subject, annotations, size,
            created_at, updated_at, deleted_at
        FROM versions WHERE package_id = $1 AND deleted_at IS NULL
        ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3";
    DELETED_PAGE = "SELECT id, digest, media_type, artifact_type, subject, annotations, size,
            created_at, updated_at, deleted_at
        FROM versions WHERE package_id = $1 AND deleted_at IS NOT NULL
        ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3";
    INSERT = "INSERT INTO versions (package_id, digest, media_type, artifact_type, subject,
            annotations, size, content, created_by, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
        ON CONFLICT (package_id, digest) DO NOTHING
        RETURNING id";
    REVIVE = "UPDATE versions SET deleted_at = NULL, deleted_by = NULL, created_at = $3,
            updated_at = $3, created_by = $4
        WHERE package_id = $1 AND id = $2 AND deleted_at IS NOT NULL";
    TOUCH = "UPDATE versions SET updated_at = $2 WHERE id = $1";
    DELETE = "UPDATE versions SET deleted_at = $3, deleted_by = $4
        WHERE package_id = $1 AND id = $2 AND deleted_at IS NULL";
    RESTORE = "UPDATE versions SET deleted_at = NULL, deleted_by = NULL, updated_at = $3
        WHERE package_id = $1 AND id = $2 AND deleted_at IS NOT NULL";
    COUNT_LIVE = "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM versions
        WHERE package_id = $1 AND deleted_at IS NULL";

    DELETED_CHILDREN = "SELECT v.id FROM version_children c
            JOIN versions v ON v.package_id = c.package_id AND v.digest = c.digest
        WHERE c.version_id = $2 AND c.package_id = $1 AND v.deleted_at IS NOT NULL
        ORDER BY v.id";
    PURGEABLE_OF = "SELECT v.id FROM versions v
        WHERE v.package_id = $1 AND v.deleted_at IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM version_children c
                          WHERE c.package_id = v.package_id AND c.digest = v.digest)
        ORDER BY v.id LIMIT $2 {{SKIP LOCKED OF v}}";
    HOLDER = "SELECT v.digest FROM version_children c JOIN versions v ON v.id = c.version_id
        WHERE c.package_id = $1 AND c.digest = $2 ORDER BY v.id LIMIT 1";
    CONTENTS_AFTER = "SELECT id, package_id, digest, media_type, content FROM versions
        WHERE id > $1 ORDER BY id LIMIT $2";

    HOLD_BLOBS = "INSERT INTO version_blobs (version_id, package_id, digest)
        SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), value FROM {{LIST $3}}
        ON CONFLICT (version_id, digest) DO NOTHING";
    PARK_LINKS = "UPDATE links SET lease_until = 9223372036854775807
        WHERE package_id = $1 AND digest {{IN $2}} AND lease_until < 9223372036854775807";
    LIVE_CHILDREN = "SELECT digest FROM versions
        WHERE package_id = $1 AND digest {{IN $2}} AND deleted_at IS NULL";
    HOLD_CHILDREN = "INSERT INTO version_children (version_id, package_id, digest)
        SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), value FROM {{LIST $3}}
        ON CONFLICT (version_id, digest) DO NOTHING";
    NOTE_GAPS = "INSERT INTO version_gaps (version_id, package_id, digest, kind)
        SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), value, $4 FROM {{LIST $3}}
        ON CONFLICT (version_id, digest, kind) DO NOTHING";
    FILL_BLOB_GAPS = "INSERT INTO version_blobs (version_id, package_id, digest)
        SELECT version_id, package_id, digest FROM version_gaps
        WHERE package_id = $1 AND digest = $2 AND kind = 'blob'
        ON CONFLICT (version_id, digest) DO NOTHING";
    FILL_CHILD_GAPS = "INSERT INTO version_children (version_id, package_id, digest)
        SELECT version_id, package_id, digest FROM version_gaps
        WHERE package_id = $1 AND digest = $2 AND kind = 'manifest'
        ON CONFLICT (version_id, digest) DO NOTHING";
    DROP_GAPS = "DELETE FROM version_gaps WHERE package_id = $1 AND digest = $2 AND kind = $3";

    PARENT = "SELECT v.digest FROM version_children c JOIN versions v ON v.id = c.version_id
        WHERE c.package_id = $1 AND c.digest = $2 AND v.deleted_at IS NULL
        ORDER BY v.id LIMIT 1";
    HIDE_LOST_BLOBS = "UPDATE links SET readable_until = $3,
            lease_until = CASE WHEN lease_until > $4 AND lease_until < 9223372036854775807
                               THEN lease_until ELSE $4 END
        WHERE package_id = $1
          AND digest IN (SELECT digest FROM version_blobs WHERE version_id = $2)
          AND NOT EXISTS (SELECT 1 FROM version_blobs r JOIN versions v ON v.id = r.version_id
                          WHERE r.package_id = links.package_id AND r.digest = links.digest
                            AND v.deleted_at IS NULL)";

    REFERRER_SIZES = "SELECT id, size FROM versions
        WHERE package_id = $1 AND subject = $2 AND deleted_at IS NULL AND id > $3
          AND (CAST($4 AS {{TEXT}}) IS NULL OR artifact_type = $4)
        ORDER BY id LIMIT $5";
    REFERRERS_AMONG = "SELECT digest FROM versions
        WHERE package_id = $1 AND subject = $2 AND digest {{IN $3}} AND deleted_at IS NULL";
    REFERRERS = "SELECT id, digest, media_type, artifact_type, subject, annotations, size,
            created_at, updated_at, deleted_at
        FROM versions
        WHERE package_id = $1 AND subject = $2 AND deleted_at IS NULL AND id > $3
          AND (CAST($4 AS {{TEXT}}) IS NULL OR artifact_type = $4)
        ORDER BY id LIMIT $5";

    PACKAGES_TO_PURGE = "SELECT DISTINCT v.package_id FROM versions v
        WHERE v.deleted_at IS NOT NULL AND v.deleted_at < $1
          AND NOT EXISTS (SELECT 1 FROM version_children c
                          WHERE c.package_id = v.package_id AND c.digest = v.digest)
        ORDER BY v.package_id LIMIT $2";
    PURGE_CANDIDATES_OF = "SELECT v.id FROM versions v
        WHERE v.package_id = $3 AND v.deleted_at IS NOT NULL AND v.deleted_at < $1
          AND NOT EXISTS (SELECT 1 FROM version_children c
                          WHERE c.package_id = v.package_id AND c.digest = v.digest)
        ORDER BY v.deleted_at, v.id LIMIT $2 {{SKIP LOCKED OF v}}";
    PURGE_CANDIDATES = "SELECT v.id, v.package_id FROM versions v
        WHERE v.deleted_at IS NOT NULL AND v.deleted_at < $1
          AND NOT EXISTS (SELECT 1 FROM version_children c
                          WHERE c.package_id = v.package_id AND c.digest = v.digest)
        ORDER BY v.deleted_at, v.id LIMIT $2 {{SKIP LOCKED OF v}}";
    LOST_LEASES = "UPDATE links SET lease_until = $3
        WHERE package_id = $1
          AND digest IN (SELECT digest FROM version_blobs WHERE version_id = $2)
          AND NOT EXISTS (SELECT 1 FROM version_blobs r
                          WHERE r.package_id = links.package_id AND r.digest = links.digest
                            AND r.version_id <> $2)";
    PURGE_BLOBS = "DELETE FROM version_blobs WHERE version_id = $1";
    PURGE_CHILDREN = "DELETE FROM version_children WHERE version_id = $1";
    PURGE_GAPS = "DELETE FROM version_gaps WHERE version_id = $1";
    PURGE_HISTORY = "DELETE FROM tag_history WHERE version_id = $1";
    PURGE_TAGS = "DELETE FROM tags WHERE version_id = $1";
    PURGE_DOWNLOADS = "DELETE FROM version_downloads WHERE version_id = $1";
    PURGE_STATISTICS = "DELETE FROM version_statistics WHERE version_id = $1";
    PURGE = "DELETE FROM versions WHERE id = $1";
}

/// The live manifest that a tag points at.
///
/// # Errors
/// Those of the database.
pub async fn find_by_tag(
    conn: &mut Conn,
    package: PackageId,
    tag: &str,
) -> Result<Option<StoredManifest>> {
    conn.optional(FIND_BY_TAG, &[package.get().into(), tag.into()])
        .await
}

/// The live manifest with this digest.
///
/// # Errors
/// Those of the database.
pub async fn find_by_digest(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
) -> Result<Option<StoredManifest>> {
    conn.optional(
        FIND_BY_DIGEST,
        &[package.get().into(), digest.as_str().into()],
    )
    .await
}

/// The version with this digest without its bytes, deleted ones included.
///
/// # Errors
/// Those of the database.
pub async fn header(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
) -> Result<Option<Version>> {
    conn.optional(HEADER, &[package.get().into(), digest.as_str().into()])
        .await
}

/// The version with this number, deleted ones included.
///
/// # Errors
/// Those of the database.
pub async fn header_by_id(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
) -> Result<Option<Version>> {
    conn.optional(HEADER_BY_ID, &[package.get().into(), version.get().into()])
        .await
}

/// Live versions, newest first.
///
/// # Errors
/// Those of the database.
pub async fn page(
    conn: &mut Conn,
    package: PackageId,
    limit: i64,
    offset: i64,
) -> Result<Vec<Version>> {
    conn.all(PAGE, &[package.get().into(), limit.into(), offset.into()])
        .await
}

/// Deleted versions that can be restored, newest first.
///
/// # Errors
/// Those of the database.
pub async fn deleted_page(
    conn: &mut Conn,
    package: PackageId,
    limit: i64,
    offset: i64,
) -> Result<Vec<Version>> {
    conn.all(
        DELETED_PAGE,
        &[package.get().into(), limit.into(), offset.into()],
    )
    .await
}

/// How many live versions a package has.
///
/// # Errors
/// Those of the database.
pub async fn count_live(conn: &mut Conn, package: PackageId) -> Result<i64> {
    conn.one(COUNT_LIVE, &[package.get().into()]).await
}

/// Inserts a manifest. `None` when the digest has a row already, live or deleted.
///
/// # Errors
/// Those of the database.
pub async fn insert(
    conn: &mut Conn,
    package: PackageId,
    new: &NewVersion<'_>,
) -> Result<Option<VersionId>> {
    let size = i64::try_from(new.content.len()).unwrap_or(i64::MAX);
    let args = [
        package.get().into(),
        new.digest.as_str().into(),
        new.media_type.into(),
        new.artifact_type.into(),
        new.subject.map(Digest::as_str).into(),
        new.annotations.into(),
        size.into(),
        new.content.into(),
        new.created_by.map(AccountId::get).into(),
        new.now.as_micros().into(),
    ];
    let id: Option<i64> = conn.optional(INSERT, &args).await?;
    Ok(id.map(VersionId::new))
}

/// Brings a deleted version back because its digest was pushed again, as if it were new.
///
/// # Errors
/// Those of the database.
pub async fn revive(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    now: Moment,
    by: Option<AccountId>,
) -> Result<bool> {
    let args = [
        package.get().into(),
        version.get().into(),
        now.as_micros().into(),
        by.map(AccountId::get).into(),
    ];
    Ok(conn.execute(REVIVE, &args).await? > 0)
}

/// Notes that the tags of a version changed.
///
/// # Errors
/// Those of the database.
pub async fn touch(conn: &mut Conn, version: VersionId, now: Moment) -> Result<()> {
    conn.execute(TOUCH, &[version.get().into(), now.as_micros().into()])
        .await?;
    Ok(())
}

/// Puts a version into the bin. Returns whether it was live.
///
/// # Errors
/// Those of the database.
pub async fn delete(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    now: Moment,
    by: Option<AccountId>,
) -> Result<bool> {
    let args = [
        package.get().into(),
        version.get().into(),
        now.as_micros().into(),
        by.map(AccountId::get).into(),
    ];
    Ok(conn.execute(DELETE, &args).await? > 0)
}

/// Takes a version out of the bin. Returns whether it was there.
///
/// # Errors
/// Those of the database.
pub async fn restore(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    now: Moment,
) -> Result<bool> {
    let args = [
        package.get().into(),
        version.get().into(),
        now.as_micros().into(),
    ];
    Ok(conn.execute(RESTORE, &args).await? > 0)
}

/// Versions in the bin that this index needs.
///
/// # Errors
/// Those of the database.
pub async fn deleted_children(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
) -> Result<Vec<VersionId>> {
    conn.all(DELETED_CHILDREN, &[package.into(), version.into()])
        .await
}

/// A manifest with the package it is in, as a check of all manifests walks over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackagedManifest {
    /// The package.
    pub package: PackageId,
    /// The manifest.
    pub manifest: StoredManifest,
}

impl FromRow for PackagedManifest {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            package: row.get("package_id")?,
            manifest: StoredManifest::from_row(row)?,
        })
    }
}

/// The next `limit` manifests of all packages after `after`, deleted ones included.
///
/// # Errors
/// Those of the database.
pub async fn contents_after(
    conn: &mut Conn,
    after: VersionId,
    limit: i64,
) -> Result<Vec<PackagedManifest>> {
    conn.all(CONTENTS_AFTER, &[after.into(), limit.into()])
        .await
}

/// Holds the links of `digests` for `version` and parks their leases. All of them must be linked:
/// a missing one ends the transaction with a foreign-key violation.
///
/// # Errors
/// Those of the database.
pub async fn hold_blobs(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    digests: &[&str],
) -> Result<()> {
    if digests.is_empty() {
        return Ok(());
    }
    conn.execute(
        HOLD_BLOBS,
        &[version.get().into(), package.get().into(), digests.into()],
    )
    .await?;
    conn.execute(PARK_LINKS, &[package.get().into(), digests.into()])
        .await?;
    Ok(())
}

/// Which of `digests` are live versions of the package.
///
/// # Errors
/// Those of the database.
pub async fn live_children(
    conn: &mut Conn,
    package: PackageId,
    digests: &[&str],
) -> Result<Vec<Digest>> {
    conn.all(LIVE_CHILDREN, &[package.get().into(), digests.into()])
        .await
}

/// Holds child manifests for an index.
///
/// # Errors
/// Those of the database.
pub async fn hold_children(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    digests: &[&str],
) -> Result<()> {
    if digests.is_empty() {
        return Ok(());
    }
    let args = [version.get().into(), package.get().into(), digests.into()];
    conn.execute(HOLD_CHILDREN, &args).await?;
    Ok(())
}

/// What a gap lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapKind {
    /// A blob of an image.
    Blob,
    /// A child of an index.
    Manifest,
}

impl GapKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Manifest => "manifest",
        }
    }
}

/// Notes what a sparse manifest names and the package lacks.
///
/// # Errors
/// Those of the database.
pub async fn note_gaps(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    kind: GapKind,
    digests: &[&str],
) -> Result<()> {
    if digests.is_empty() {
        return Ok(());
    }
    let args = [
        version.get().into(),
        package.get().into(),
        digests.into(),
        kind.as_str().into(),
    ];
    conn.execute(NOTE_GAPS, &args).await?;
    Ok(())
}

/// Turns the gaps that `digest` fills into ordinary references, in the transaction that brought
/// it: to be called after each new link and each new or revived version. The lease of a link stays:
/// it is a promise, and those who named it first may all be in the bin.
///
/// # Errors
/// Those of the database.
pub async fn fill_gaps(
    conn: &mut Conn,
    package: PackageId,
    kind: GapKind,
    digest: &Digest,
) -> Result<()> {
    let args = [package.get().into(), digest.as_str().into()];
    let fill = match kind {
        GapKind::Blob => FILL_BLOB_GAPS,
        GapKind::Manifest => FILL_CHILD_GAPS,
    };
    if conn.execute(fill, &args).await? == 0 {
        return Ok(());
    }
    let args = [
        package.get().into(),
        digest.as_str().into(),
        kind.as_str().into(),
    ];
    conn.execute(DROP_GAPS, &args).await?;
    Ok(())
}

/// A live index of the package that names `digest` as a child, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn parent(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
) -> Result<Option<Digest>> {
    conn.optional(PARENT, &[package.get().into(), digest.as_str().into()])
        .await
}

/// After a version went into the bin: the blobs that no live version needs any more stop being
/// readable, while a push that was promised them may still name them until `lease_until`.
///
/// # Errors
/// Those of the database.
pub async fn hide_lost_blobs(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    now: Moment,
    lease_until: Moment,
) -> Result<()> {
    let args = [
        package.get().into(),
        version.get().into(),
        now.as_micros().into(),
        lease_until.as_micros().into(),
    ];
    conn.execute(HIDE_LOST_BLOBS, &args).await?;
    Ok(())
}

/// Which referrers are asked for.
#[derive(Clone, Copy, Debug)]
pub struct ReferrersQuery<'a> {
    /// Only those of this artifact type.
    pub artifact_type: Option<&'a str>,
    /// Only those after this number; zero begins.
    pub after: VersionId,
    /// At most so many.
    pub limit: i64,
}

/// Live versions whose subject is `subject`, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn referrers(
    conn: &mut Conn,
    package: PackageId,
    subject: &Digest,
    query: ReferrersQuery<'_>,
) -> Result<Vec<Version>> {
    let args = [
        package.get().into(),
        subject.as_str().into(),
        query.after.get().into(),
        query.artifact_type.into(),
        query.limit.into(),
    ];
    conn.all(REFERRERS, &args).await
}

struct ManifestSize(u64);

impl FromRow for ManifestSize {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self(row.get("size")?))
    }
}

/// How long the manifests are that [`referrers`] answers with, in its order: what it answers with
/// may be large, and nobody knows before.
///
/// # Errors
/// Those of the database.
pub async fn referrer_sizes(
    conn: &mut Conn,
    package: PackageId,
    subject: &Digest,
    query: ReferrersQuery<'_>,
) -> Result<Vec<u64>> {
    let args = [
        package.get().into(),
        subject.as_str().into(),
        query.after.get().into(),
        query.artifact_type.into(),
        query.limit.into(),
    ];
    let found: Vec<ManifestSize> = conn.all(REFERRER_SIZES, &args).await?;
    Ok(found.into_iter().map(|ManifestSize(size)| size).collect())
}

/// Which of `digests` are live versions whose subject is `subject`.
///
/// # Errors
/// Those of the database.
pub async fn referrers_among(
    conn: &mut Conn,
    package: PackageId,
    subject: &Digest,
    digests: &[&str],
) -> Result<Vec<Digest>> {
    let args = [
        package.get().into(),
        subject.as_str().into(),
        digests.into(),
    ];
    conn.all(REFERRERS_AMONG, &args).await
}

struct PurgeCandidate(VersionId, PackageId);

impl FromRow for PurgeCandidate {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self(
            VersionId::new(row.get("id")?),
            PackageId::new(row.get("package_id")?),
        ))
    }
}

/// Versions deleted before `deleted_before` that no index holds, oldest first; locked until the
/// transaction ends.
///
/// # Errors
/// Those of the database.
pub async fn purge_candidates(
    conn: &mut Conn,
    deleted_before: Moment,
    limit: i64,
) -> Result<Vec<(PackageId, VersionId)>> {
    let args = [deleted_before.as_micros().into(), limit.into()];
    let found: Vec<PurgeCandidate> = conn.all(PURGE_CANDIDATES, &args).await?;
    Ok(found
        .into_iter()
        .map(|PurgeCandidate(version, package)| (package, version))
        .collect())
}

/// Packages with versions deleted before `deleted_before` that no index holds.
///
/// # Errors
/// Those of the database.
pub async fn packages_to_purge(
    conn: &mut Conn,
    deleted_before: Moment,
    limit: i64,
) -> Result<Vec<PackageId>> {
    conn.all(
        PACKAGES_TO_PURGE,
        &[deleted_before.as_micros().into(), limit.into()],
    )
    .await
}

/// As [`purge_candidates`], in one package.
///
/// # Errors
/// Those of the database.
pub async fn purge_candidates_of(
    conn: &mut Conn,
    package: PackageId,
    deleted_before: Moment,
    limit: i64,
) -> Result<Vec<VersionId>> {
    let args = [
        deleted_before.as_micros().into(),
        limit.into(),
        package.into(),
    ];
    conn.all(PURGE_CANDIDATES_OF, &args).await
}

/// Versions of a package that are in the bin and that no index holds; locked until the transaction
/// ends.
///
/// # Errors
/// Those of the database.
pub async fn purgeable_of(
    conn: &mut Conn,
    package: PackageId,
    limit: i64,
) -> Result<Vec<VersionId>> {
    conn.all(PURGEABLE_OF, &[package.into(), limit.into()])
        .await
}

/// An index, deleted or not, that holds the version with this digest, if there is one: as long as
/// it is there the version cannot be purged.
///
/// # Errors
/// Those of the database.
pub async fn holder(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
) -> Result<Option<Digest>> {
    conn.optional(HOLDER, &[package.into(), digest.into()])
        .await
}

/// Removes a version for good. Blobs that nothing else holds get a lease until `lease_until`, so
/// that a push which was promised them goes through.
///
/// # Errors
/// Those of the database; a foreign-key violation when an index still holds it.
pub async fn purge(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    lease_until: Moment,
) -> Result<bool> {
    drop_references(conn, package, version, lease_until).await?;
    for statement in [PURGE_HISTORY, PURGE_TAGS, PURGE_DOWNLOADS, PURGE_STATISTICS] {
        conn.execute(statement, &[version.get().into()]).await?;
    }
    Ok(conn.execute(PURGE, &[version.get().into()]).await? > 0)
}

/// Lets go of everything that a version holds or lacks, as if it named nothing: before it goes, or
/// before it is held to its needs anew. Blobs that nothing else holds get a lease until
/// `lease_until`.
///
/// # Errors
/// Those of the database.
pub async fn drop_references(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    lease_until: Moment,
) -> Result<()> {
    let lease = [
        package.get().into(),
        version.get().into(),
        lease_until.as_micros().into(),
    ];
    conn.execute(LOST_LEASES, &lease).await?;
    for statement in [PURGE_BLOBS, PURGE_CHILDREN, PURGE_GAPS] {
        conn.execute(statement, &[version.get().into()]).await?;
    }
    Ok(())
}

const _: () = assert!(
    PARKED == 9_223_372_036_854_775_807,
    "the statements spell it out"
);
