//! Attestations, and what they are about.

use naru_model::{
    AccountId, Attestation, AttestationBundle, AttestationId, Initiator, Moment, PredicateKind,
    RepositoryId,
};
use naru_oci::Digest;

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;
use crate::page::{BothWays, Edge};

/// What [`Attestation`] is read from.
macro_rules! attestation_columns {
    () => {
        "a.id, a.repository_id, a.predicate_type, a.initiator, a.created_at"
    };
}

/// The numbers of attestations of owner `$1` about one of the digests `$2`, in one of the
/// repositories `$3`, of type or kind `$4` if given, on one side of number `$5`; with the size of
/// its bundle, as often as it is about one of the digests.
macro_rules! found {
    ($edge:literal) => {
        concat!(
            "SELECT a.id, CAST(a.size * COUNT(*) AS BIGINT) AS size
        FROM attestation_subjects s JOIN attestations a ON a.id = s.attestation_id
        WHERE s.owner_id = $1 AND s.digest {{IN $2}} AND s.repository_id {{IN $3}}
            AND (CAST($4 AS {{TEXT}}) IS NULL OR a.predicate_type = $4 OR a.predicate_kind = $4)
            AND s.attestation_id ",
            $edge,
            " $5
        GROUP BY a.id, a.size "
        )
    };
}

impl FromRow for Attestation {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            repository: row.get("repository_id")?,
            predicate_type: row.get("predicate_type")?,
            initiator: row.word("initiator")?,
            created_at: row.get("created_at")?,
        })
    }
}

/// An attestation found by a digest, with its bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAttestation {
    /// Its record.
    pub attestation: Attestation,
    /// The digest it was found by.
    pub subject: Digest,
    /// The bundle, JSON as it came.
    pub bundle: String,
}

impl FromRow for FoundAttestation {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            attestation: Attestation::from_row(row)?,
            subject: row.get("digest")?,
            bundle: row.get("bundle")?,
        })
    }
}

/// An attestation about to be stored.
#[derive(Clone, Debug)]
pub struct NewAttestation<'a> {
    /// The repository it belongs to.
    pub repository: RepositoryId,
    /// Who owns that.
    pub owner: AccountId,
    /// The bundle.
    pub bundle: &'a AttestationBundle,
    /// Who stores it.
    pub initiator: Initiator,
    /// When.
    pub now: Moment,
}

/// Which attestations are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// Who owns the repositories they are in.
    pub owner: AccountId,
    /// What they are about: one of these.
    pub digests: &'a [Digest],
    /// The repositories they may be in.
    pub repositories: &'a [RepositoryId],
    /// A predicate type, or a word for a family of them.
    pub predicate: Option<&'a str>,
}

/// The number of an attestation and the size of its bundle.
struct Sized {
    id: i64,
    size: u64,
}

impl FromRow for Sized {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            size: row.get("size")?,
        })
    }
}

/// How much the attestations of a repository take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepositoryBytes {
    /// The repository.
    pub repository: RepositoryId,
    /// Length of their bundles in bytes.
    pub size: u64,
    /// Whether it is there, and not in the bin.
    pub live: bool,
}

impl FromRow for RepositoryBytes {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            repository: row.get("repository_id")?,
            size: row.get("size")?,
            live: row.get("live")?,
        })
    }
}

statements! {
    INSERT = "INSERT INTO attestations (repository_id, owner_id, predicate_type, predicate_kind,
            initiator, created_at, size, bundle)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        RETURNING id";
    ADD_SUBJECTS = "INSERT INTO attestation_subjects
            (attestation_id, digest, owner_id, repository_id)
        SELECT CAST($1 AS BIGINT), value, CAST($2 AS BIGINT), CAST($3 AS BIGINT) FROM {{LIST $4}}";
    REPOSITORIES_OF_SUBJECTS = "SELECT DISTINCT s.repository_id FROM attestation_subjects s
        WHERE s.owner_id = $1 AND s.digest {{IN $2}}
        ORDER BY s.repository_id LIMIT $3";
    OLDER = concat!(found!("<"), "ORDER BY a.id DESC LIMIT $6");
    NEWER = concat!(found!(">"), "ORDER BY a.id LIMIT $6");
    WITH_BUNDLES = concat!("SELECT ", attestation_columns!(), ", s.digest, a.bundle
        FROM attestations a JOIN attestation_subjects s ON s.attestation_id = a.id
        WHERE a.id {{IN $1}} AND s.digest {{IN $2}} ORDER BY a.id DESC, s.digest");
    BUNDLE = "SELECT bundle FROM attestations WHERE id = $1 AND repository_id = $2";
    OF_OWNER = concat!("SELECT ", attestation_columns!(), " FROM attestations a
        WHERE a.id {{IN $1}} AND a.owner_id = $2 ORDER BY a.id");
    ABOUT = concat!("SELECT DISTINCT ", attestation_columns!(), "
        FROM attestation_subjects s JOIN attestations a ON a.id = s.attestation_id
        WHERE s.owner_id = $1 AND s.digest {{IN $2}} AND s.repository_id {{IN $3}}
        ORDER BY a.id LIMIT $4");
    PROVENANCE = concat!("SELECT ", attestation_columns!(), ", s.digest, '' AS bundle
        FROM attestation_subjects s JOIN attestations a ON a.id = s.attestation_id
        WHERE s.owner_id = $1 AND s.digest {{IN $2}} AND a.predicate_kind = 'provenance'
            AND NOT EXISTS (SELECT 1 FROM attestation_subjects l
                JOIN attestations b ON b.id = l.attestation_id
                WHERE l.owner_id = $1 AND l.digest = s.digest
                    AND l.repository_id = s.repository_id AND b.id > a.id
                    AND b.predicate_kind = 'provenance')
        ORDER BY a.id");
    BYTES = "SELECT a.repository_id, CAST(SUM(a.size) AS BIGINT) AS size,
            CASE WHEN r.deleted_at IS NULL THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END
                AS live
        FROM attestations a JOIN repositories r ON r.id = a.repository_id
        WHERE a.owner_id = $1 AND a.repository_id > $2
        GROUP BY a.repository_id, r.deleted_at ORDER BY a.repository_id LIMIT $3";
    REMOVE_SUBJECTS = "DELETE FROM attestation_subjects
        WHERE attestation_id {{IN $1}} AND digest {{IN $2}}";
    LEFT = "SELECT DISTINCT attestation_id FROM attestation_subjects WHERE attestation_id {{IN $1}}";
    REMOVE_ALL_SUBJECTS = "DELETE FROM attestation_subjects WHERE attestation_id {{IN $1}}";
    FORGET = "UPDATE deployment_records SET attestation_id = NULL WHERE attestation_id {{IN $1}}";
    DELETE = "DELETE FROM attestations WHERE id {{IN $1}}";
}

/// Stores an attestation.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when the repository has just gone.
pub async fn insert(conn: &mut Conn, new: &NewAttestation<'_>) -> Result<AttestationId> {
    let kind = PredicateKind::of(new.bundle.predicate_type());
    let args = [
        new.repository.into(),
        new.owner.into(),
        new.bundle.predicate_type().into(),
        kind.map(PredicateKind::as_str).into(),
        new.initiator.as_str().into(),
        new.now.into(),
        i64::try_from(new.bundle.json().len())
            .unwrap_or(i64::MAX)
            .into(),
        new.bundle.json().into(),
    ];
    let id: AttestationId = conn.one(INSERT, &args).await?;
    let digests = texts(new.bundle.subjects());
    let args = [
        id.into(),
        new.owner.into(),
        new.repository.into(),
        digests.as_slice().into(),
    ];
    conn.execute(ADD_SUBJECTS, &args).await?;
    Ok(id)
}

/// The repositories of an owner in which something is said about one of the digests; `limit` of
/// them at most.
///
/// # Errors
/// Those of the database.
pub async fn repositories_of_subjects(
    conn: &mut Conn,
    owner: AccountId,
    digests: &[Digest],
    limit: i64,
) -> Result<Vec<RepositoryId>> {
    let digests = texts(digests);
    let args = [owner.into(), digests.as_slice().into(), limit.into()];
    conn.all(REPOSITORIES_OF_SUBJECTS, &args).await
}

/// The attestations sought, newest first, with their bundles; one that is about several of the
/// digests stands once for each. A page ends early when its bundles have `most_bytes`.
///
/// # Errors
/// Those of the database.
pub async fn find(
    conn: &mut Conn,
    sought: Sought<'_>,
    edge: Edge,
    limit: usize,
    most_bytes: u64,
) -> Result<BothWays<FoundAttestation>> {
    let digests = texts(sought.digests);
    let (statement, number) = match edge {
        Edge::Start => (OLDER, i64::MAX),
        Edge::After(number) => (OLDER, number),
        Edge::Before(number) => (NEWER, number),
    };
    let repositories: Vec<i64> = sought.repositories.iter().map(|id| id.get()).collect();
    let rows = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let args = [
        sought.owner.into(),
        digests.as_slice().into(),
        repositories.as_slice().into(),
        sought.predicate.into(),
        number.into(),
        rows.into(),
    ];
    let found: Vec<Sized> = conn.all(statement, &args).await?;
    let fitting = limit.min(fitting(&found, most_bytes));
    let page = BothWays::cut(found, edge, fitting, |row| row.id);
    let ids: Vec<i64> = page.items.iter().map(|row| row.id).collect();
    let args = [ids.as_slice().into(), digests.as_slice().into()];
    let items = if ids.is_empty() {
        Vec::new()
    } else {
        conn.all(WITH_BUNDLES, &args).await?
    };
    Ok(BothWays {
        items,
        previous: page.previous,
        next: page.next,
    })
}

/// How many from the beginning have `most_bytes` together; one always.
fn fitting(found: &[Sized], most_bytes: u64) -> usize {
    let mut sum = 0_u64;
    let within = found.iter().take_while(|row| {
        sum = sum.saturating_add(row.size);
        sum <= most_bytes
    });
    within.count().max(1)
}

/// The bundle of an attestation of a repository.
///
/// # Errors
/// Those of the database.
pub async fn bundle(
    conn: &mut Conn,
    repository: RepositoryId,
    attestation: AttestationId,
) -> Result<Option<String>> {
    conn.optional(BUNDLE, &[attestation.into(), repository.into()])
        .await
}

/// Those attestations of an owner that have one of these numbers.
///
/// # Errors
/// Those of the database.
pub async fn of_owner(
    conn: &mut Conn,
    owner: AccountId,
    ids: &[AttestationId],
) -> Result<Vec<Attestation>> {
    let ids = numbers(ids);
    conn.all(OF_OWNER, &[ids.as_slice().into(), owner.into()])
        .await
}

/// The attestations of an owner about one of the digests, in one of the repositories; `limit` of
/// them at most.
///
/// # Errors
/// Those of the database.
pub async fn about(
    conn: &mut Conn,
    owner: AccountId,
    digests: &[Digest],
    repositories: &[RepositoryId],
    limit: i64,
) -> Result<Vec<Attestation>> {
    let digests = texts(digests);
    let repositories: Vec<i64> = repositories.iter().map(|id| id.get()).collect();
    let args = [
        owner.into(),
        digests.as_slice().into(),
        repositories.as_slice().into(),
        limit.into(),
    ];
    conn.all(ABOUT, &args).await
}

/// For each of the digests the last provenance attestation in each repository of an owner that has
/// one, oldest first. The bundles are left out.
///
/// # Errors
/// Those of the database.
pub async fn provenance(
    conn: &mut Conn,
    owner: AccountId,
    digests: &[Digest],
) -> Result<Vec<FoundAttestation>> {
    let digests = texts(digests);
    conn.all(PROVENANCE, &[owner.into(), digests.as_slice().into()])
        .await
}

/// How much the attestations of an owner take, by repository; those of the next `limit` that have
/// any, after `after`.
///
/// # Errors
/// Those of the database.
pub async fn bytes(
    conn: &mut Conn,
    owner: AccountId,
    after: RepositoryId,
    limit: i64,
) -> Result<Vec<RepositoryBytes>> {
    conn.all(BYTES, &[owner.into(), after.into(), limit.into()])
        .await
}

/// Takes the digests from what the attestations are found by, and those that are found by nothing
/// any more go. Returns the ones that went.
///
/// # Errors
/// Those of the database.
pub async fn remove_subjects(
    conn: &mut Conn,
    attestations: &[AttestationId],
    digests: &[Digest],
) -> Result<Vec<AttestationId>> {
    let digests = texts(digests);
    let ids = numbers(attestations);
    let args = [ids.as_slice().into(), digests.as_slice().into()];
    conn.execute(REMOVE_SUBJECTS, &args).await?;
    let left: Vec<AttestationId> = conn.all(LEFT, &[ids.as_slice().into()]).await?;
    let gone = attestations.iter().filter(|id| !left.contains(id));
    let gone: Vec<AttestationId> = gone.copied().collect();
    delete(conn, &gone).await?;
    Ok(gone)
}

/// Removes attestations; deployment records that rested on them forget it.
///
/// # Errors
/// Those of the database.
pub async fn delete(conn: &mut Conn, attestations: &[AttestationId]) -> Result<()> {
    let ids = numbers(attestations);
    let args = [ids.as_slice().into()];
    for statement in [FORGET, REMOVE_ALL_SUBJECTS, DELETE] {
        conn.execute(statement, &args).await?;
    }
    Ok(())
}

fn texts(digests: &[Digest]) -> Vec<&str> {
    digests.iter().map(Digest::as_str).collect()
}

fn numbers(ids: &[AttestationId]) -> Vec<i64> {
    ids.iter().map(|id| id.get()).collect()
}
