//! Artifact metadata: where artifacts are deployed and where they lie.

use std::collections::HashMap;

use naru_model::{
    AccountId, AttestationId, ClusterJob, ClusterJobId, Deployment, DeploymentRecord,
    DeploymentRecordId, Environment, Moment, RepositoryId, StorageRecord, StorageRecordId, Stored,
};
use naru_oci::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::db::{Conn, FromRow, Row, Statement, statements};
use crate::error::Result;

/// What [`DeploymentRecord`] is read from.
macro_rules! deployment_columns {
    () => {
        "d.id, d.logical_environment, d.physical_environment, d.cluster, d.deployment_name, d.name, \
         d.digest, d.version, d.status, d.tags, d.runtime_risks, d.attestation_id, d.created_at, \
         d.updated_at"
    };
}

/// What [`StorageRecord`] is read from.
macro_rules! storage_columns {
    () => {
        "s.id, s.name, s.digest, s.version, s.registry_url, s.repository, s.path, s.artifact_url, \
         s.status, s.created_at, s.updated_at"
    };
}

impl FromRow for DeploymentRecord {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            environment: Environment {
                logical: row.get("logical_environment")?,
                physical: row.get("physical_environment")?,
                cluster: row.get("cluster")?,
            },
            deployment: Deployment {
                deployment_name: row.get("deployment_name")?,
                name: row.get("name")?,
                digest: row.get("digest")?,
                version: row.get("version")?,
                status: row.word("status")?,
                tags: json(row, "tags")?,
                runtime_risks: json(row, "runtime_risks")?,
            },
            attestation: row.get("attestation_id")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

impl FromRow for StorageRecord {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            stored: Stored {
                name: row.get("name")?,
                digest: row.get("digest")?,
                version: row.get("version")?,
                registry_url: row.get("registry_url")?,
                repository: row.get("repository")?,
                path: row.get("path")?,
                artifact_url: row.get("artifact_url")?,
                status: row.word("status")?,
            },
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

impl FromRow for ClusterJob {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            cluster: row.get("cluster")?,
            total: row.get("total")?,
            started_at: row.get("started_at")?,
        })
    }
}

fn json<T: DeserializeOwned>(row: &Row, column: &'static str) -> Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| row.corrupt(column, error))
}

fn text_of(value: &impl Serialize) -> String {
    serde_json::json!(value).to_string()
}

/// Whose a record is.
#[derive(Clone, Copy, Debug)]
pub struct Home {
    /// The organization.
    pub organization: AccountId,
    /// The repository of it that the artifact was built from.
    pub repository: RepositoryId,
}

/// A deployment about to be remembered.
#[derive(Clone, Copy, Debug)]
pub struct NewDeployment<'a> {
    /// Whose.
    pub home: Home,
    /// Where.
    pub environment: &'a Environment,
    /// What.
    pub deployment: &'a Deployment,
    /// The attestation that says from which repository it is.
    pub attestation: Option<AttestationId>,
    /// When.
    pub now: Moment,
}

/// A job that has set the records of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct NewClusterJob<'a> {
    /// Whose records.
    pub organization: AccountId,
    /// Which cluster.
    pub cluster: &'a str,
    /// Whose job: `user:7`.
    pub principal: &'a str,
    /// How many records it set.
    pub total: u64,
    /// When.
    pub now: Moment,
}

statements! {
    PUT_DEPLOYMENT = "INSERT INTO deployment_records (organization_id, repository_id,
            logical_environment, physical_environment, cluster, deployment_name, name, digest,
            version, status, tags, runtime_risks, attestation_id, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)
        ON CONFLICT (organization_id, cluster, logical_environment, physical_environment,
            deployment_name)
        DO UPDATE SET repository_id = excluded.repository_id, name = excluded.name,
            digest = excluded.digest, version = excluded.version, status = excluded.status,
            tags = excluded.tags, runtime_risks = excluded.runtime_risks,
            attestation_id = excluded.attestation_id, updated_at = excluded.updated_at
        RETURNING id";
    HOLDERS = "SELECT deployment_name, repository_id FROM deployment_records
        WHERE organization_id = $1 AND cluster = $2 AND logical_environment = $3
            AND physical_environment = $4 AND deployment_name {{IN $5}}";
    DEPLOYMENTS = concat!("SELECT ", deployment_columns!(), " FROM deployment_records d
        WHERE d.id {{IN $1}} ORDER BY d.id");
    DEPLOYMENTS_OF = concat!("SELECT ", deployment_columns!(), " FROM deployment_records d
        WHERE d.organization_id = $1 AND d.digest = $2 AND d.repository_id {{IN $3}}
        ORDER BY d.id LIMIT $4");
    PUT_STORAGE = "INSERT INTO storage_records (organization_id, repository_id, digest,
            registry_url, repository, path, artifact_url, name, version, status, created_at,
            updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
        ON CONFLICT (organization_id, digest, registry_url, repository, path)
        DO UPDATE SET repository_id = excluded.repository_id,
            artifact_url = excluded.artifact_url, name = excluded.name,
            version = excluded.version, status = excluded.status, updated_at = excluded.updated_at
        RETURNING id";
    STORED_BY = "SELECT repository_id FROM storage_records
        WHERE organization_id = $1 AND digest = $2 AND registry_url = $3 AND repository = $4
            AND path = $5";
    STORAGE = concat!("SELECT ", storage_columns!(), " FROM storage_records s WHERE s.id = $1");
    STORAGE_OF = concat!("SELECT ", storage_columns!(), " FROM storage_records s
        WHERE s.organization_id = $1 AND s.digest = $2 AND s.repository_id {{IN $3}}
        ORDER BY s.id LIMIT $4");
    DEPLOYED_FROM = "SELECT DISTINCT repository_id FROM deployment_records
        WHERE organization_id = $1 AND digest = $2 ORDER BY repository_id LIMIT $3";
    STORED_FROM = "SELECT DISTINCT repository_id FROM storage_records
        WHERE organization_id = $1 AND digest = $2 ORDER BY repository_id LIMIT $3";
    PUT_JOB = "INSERT INTO cluster_jobs (organization_id, cluster, principal, total, started_at)
        VALUES ($1, $2, $3, $4, $5) RETURNING id";
    JOB = "SELECT id, cluster, total, started_at FROM cluster_jobs
        WHERE id = $1 AND organization_id = $2 AND cluster = $3 AND principal = $4";
    DROP_OLD_JOBS = "DELETE FROM cluster_jobs WHERE organization_id = $1 AND started_at < $2";
    DROP_DEPLOYMENTS = "DELETE FROM deployment_records WHERE repository_id = $1";
    DROP_STORAGE = "DELETE FROM storage_records WHERE repository_id = $1";
}

/// The repositories that deployments of these names were told for, by the names.
///
/// # Errors
/// Those of the database.
pub async fn deployment_holders(
    conn: &mut Conn,
    organization: AccountId,
    environment: &Environment,
    deployment_names: &[&str],
) -> Result<HashMap<String, RepositoryId>> {
    let args = [
        organization.into(),
        environment.cluster.as_str().into(),
        environment.logical.as_str().into(),
        environment.physical.as_str().into(),
        deployment_names.into(),
    ];
    let found: Vec<Holder> = conn.all(HOLDERS, &args).await?;
    Ok(found.into_iter().map(|found| (found.0, found.1)).collect())
}

struct Holder(String, RepositoryId);

impl FromRow for Holder {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self(row.get("deployment_name")?, row.get("repository_id")?))
    }
}

/// Remembers a deployment, in the place of what was told of one of the same name.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when the repository or the attestation has just
/// gone.
pub async fn put_deployment(
    conn: &mut Conn,
    new: &NewDeployment<'_>,
) -> Result<DeploymentRecordId> {
    let NewDeployment {
        home,
        environment,
        deployment,
        attestation,
        now,
    } = *new;
    let tags = text_of(&deployment.tags);
    let risks = text_of(&deployment.runtime_risks);
    let args = [
        home.organization.into(),
        home.repository.into(),
        environment.logical.as_str().into(),
        environment.physical.as_str().into(),
        environment.cluster.as_str().into(),
        deployment.deployment_name.as_str().into(),
        deployment.name.as_str().into(),
        (&deployment.digest).into(),
        deployment.version.as_deref().into(),
        deployment.status.as_str().into(),
        tags.as_str().into(),
        risks.as_str().into(),
        attestation.into(),
        now.into(),
    ];
    conn.one(PUT_DEPLOYMENT, &args).await
}

/// The deployment records with these numbers.
///
/// # Errors
/// Those of the database.
pub async fn deployments(
    conn: &mut Conn,
    ids: &[DeploymentRecordId],
) -> Result<Vec<DeploymentRecord>> {
    let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
    conn.all(DEPLOYMENTS, &[ids.as_slice().into()]).await
}

/// Where an artifact of an organization is deployed, as far as `repositories` tell; `limit` places
/// at most.
///
/// # Errors
/// Those of the database.
pub async fn deployments_of(
    conn: &mut Conn,
    organization: AccountId,
    digest: &Digest,
    repositories: &[RepositoryId],
    limit: i64,
) -> Result<Vec<DeploymentRecord>> {
    told(
        conn,
        DEPLOYMENTS_OF,
        organization,
        digest,
        repositories,
        limit,
    )
    .await
}

/// The repositories that tell where an artifact is deployed; `limit` of them at most.
///
/// # Errors
/// Those of the database.
pub async fn deployed_from(
    conn: &mut Conn,
    organization: AccountId,
    digest: &Digest,
    limit: i64,
) -> Result<Vec<RepositoryId>> {
    let args = [organization.into(), digest.into(), limit.into()];
    conn.all(DEPLOYED_FROM, &args).await
}

/// The repository that told of an artifact in this place, if one did.
///
/// # Errors
/// Those of the database.
pub async fn storage_holder(
    conn: &mut Conn,
    organization: AccountId,
    stored: &Stored,
) -> Result<Option<RepositoryId>> {
    let args = [
        organization.into(),
        (&stored.digest).into(),
        stored.registry_url.as_str().into(),
        stored.repository.as_str().into(),
        stored.path.as_str().into(),
    ];
    conn.optional(STORED_BY, &args).await
}

/// Remembers where an artifact lies, in the place of what was told of the same place.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when the repository has just gone.
pub async fn put_storage(
    conn: &mut Conn,
    home: Home,
    stored: &Stored,
    now: Moment,
) -> Result<StorageRecordId> {
    let args = [
        home.organization.into(),
        home.repository.into(),
        (&stored.digest).into(),
        stored.registry_url.as_str().into(),
        stored.repository.as_str().into(),
        stored.path.as_str().into(),
        stored.artifact_url.as_str().into(),
        stored.name.as_str().into(),
        stored.version.as_deref().into(),
        stored.status.as_str().into(),
        now.into(),
    ];
    conn.one(PUT_STORAGE, &args).await
}

/// The storage record with this number.
///
/// # Errors
/// Those of the database.
pub async fn storage(conn: &mut Conn, id: StorageRecordId) -> Result<Option<StorageRecord>> {
    conn.optional(STORAGE, &[id.into()]).await
}

/// Where an artifact of an organization lies, as far as `repositories` tell; `limit` places at most.
///
/// # Errors
/// Those of the database.
pub async fn storage_of(
    conn: &mut Conn,
    organization: AccountId,
    digest: &Digest,
    repositories: &[RepositoryId],
    limit: i64,
) -> Result<Vec<StorageRecord>> {
    told(conn, STORAGE_OF, organization, digest, repositories, limit).await
}

/// The repositories that tell where an artifact lies; `limit` of them at most.
///
/// # Errors
/// Those of the database.
pub async fn stored_from(
    conn: &mut Conn,
    organization: AccountId,
    digest: &Digest,
    limit: i64,
) -> Result<Vec<RepositoryId>> {
    let args = [organization.into(), digest.into(), limit.into()];
    conn.all(STORED_FROM, &args).await
}

/// Notes a job that has set the records of a cluster, and forgets those of the organization that
/// ran before `keep_from`.
///
/// # Errors
/// Those of the database.
pub async fn note_job(
    conn: &mut Conn,
    job: NewClusterJob<'_>,
    keep_from: Moment,
) -> Result<ClusterJobId> {
    let args = [job.organization.into(), keep_from.into()];
    conn.execute(DROP_OLD_JOBS, &args).await?;
    let args = [
        job.organization.into(),
        job.cluster.into(),
        job.principal.into(),
        i64::try_from(job.total).unwrap_or(i64::MAX).into(),
        job.now.into(),
    ];
    conn.one(PUT_JOB, &args).await
}

/// The job with this number, if it is of this cluster and of this principal.
///
/// # Errors
/// Those of the database.
pub async fn job(
    conn: &mut Conn,
    organization: AccountId,
    cluster: &str,
    principal: &str,
    id: ClusterJobId,
) -> Result<Option<ClusterJob>> {
    let args = [
        id.into(),
        organization.into(),
        cluster.into(),
        principal.into(),
    ];
    conn.optional(JOB, &args).await
}

/// Forgets everything that a repository told, when it goes for good.
///
/// # Errors
/// Those of the database.
pub async fn forget_repository(conn: &mut Conn, repository: RepositoryId) -> Result<()> {
    for statement in [DROP_DEPLOYMENTS, DROP_STORAGE] {
        conn.execute(statement, &[repository.into()]).await?;
    }
    Ok(())
}

/// What `repositories` tell of an artifact.
async fn told<T: FromRow>(
    conn: &mut Conn,
    statement: &'static Statement,
    organization: AccountId,
    digest: &Digest,
    repositories: &[RepositoryId],
    limit: i64,
) -> Result<Vec<T>> {
    let repositories: Vec<i64> = repositories.iter().map(|id| id.get()).collect();
    let args = [
        organization.into(),
        digest.into(),
        repositories.as_slice().into(),
        limit.into(),
    ];
    conn.all(statement, &args).await
}
