//! Artifact metadata: deployment and storage records (PRODUCT, "artifact metadata"; the shapes are
//! the official description's). A cluster's job has finished when it is answered.

mod storage;

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use naru_model::{
    ClusterJobId, Deployment, DeploymentRecord, DeploymentStatus, Environment, RuntimeRisk, Scope,
    SourceRepositoryName,
};
use naru_oci::{Algorithm, Digest};
use naru_registry::artifacts::{OnRejection, Rejected, RejectionCause, Told};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::{Call, Owner};
use super::error::Failure;
use super::finish::{Answer, Outcome};
use super::input::Json;
use super::operation::Operations;
use super::views::time;
use storage::{NewStorage, StorageRecords, create_storage, list_storage};

/// The longest body, in bytes: thousands of deployments.
const LONGEST: usize = 8 << 20;
/// How many deployments one request sets at most, and one job (official description).
const MOST: usize = 1000;
const MOST_OF_JOB: usize = 5000;

const WRITE: &[Scope] = &[Scope::Repo, Scope::PublicRepo];

/// The operations of artifact metadata.
pub(super) fn routes(operations: &mut Operations) {
    operations
        .post(
            "/orgs/{org}/artifacts/metadata/deployment-record",
            create_deployment,
        )
        .id("orgs/create-artifact-deployment-record")
        .summary("Create an artifact deployment record")
        .needs(WRITE, "record a deployment")
        .body::<OneDeployment>()
        .answers::<DeploymentRecords>(200, "Recorded")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .post(
            "/orgs/{org}/artifacts/metadata/deployment-record/cluster/{cluster}",
            set_cluster,
        )
        .id("orgs/set-cluster-deployment-records")
        .summary("Set cluster deployment records")
        .needs(WRITE, "record a deployment")
        .body::<ClusterDeployments>()
        .answers::<DeploymentRecords>(200, "Recorded")
        .answers::<DeploymentRecords>(207, "Some of them recorded, with `partial_success`")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .post(
            "/orgs/{org}/artifacts/metadata/deployment-record/cluster/{cluster}/jobs",
            create_job,
        )
        .id("orgs/create-cluster-deployment-records-job")
        .summary("Create a cluster deployment records job")
        .description("The job has finished when it is answered; it is remembered for 30 days.")
        .needs(WRITE, "record a deployment")
        .body::<ClusterDeployments>()
        .answers::<CreatedJob>(202, "Done")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .get(
            "/orgs/{org}/artifacts/metadata/deployment-record/cluster/{cluster}/jobs/{job_id}",
            get_job,
        )
        .id("orgs/get-cluster-deployment-records-job")
        .summary("Get cluster deployment records job status")
        .description("Whoever made a job may see it.")
        .answers::<JobStatus>(200, "What became of it")
        .refuses(&[401, 404]);
    operations
        .post(
            "/orgs/{org}/artifacts/metadata/storage-record",
            create_storage,
        )
        .id("orgs/create-artifact-storage-record")
        .summary("Create artifact metadata storage record")
        .needs(WRITE, "record where an artifact is stored")
        .body::<NewStorage>()
        .answers::<StorageRecords>(200, "Recorded")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .get(
            "/orgs/{org}/artifacts/{subject_digest}/metadata/deployment-records",
            list_deployments,
        )
        .id("orgs/list-artifact-deployment-records")
        .summary("List artifact deployment records")
        .answers::<DeploymentRecords>(200, "Where it is deployed, a thousand places at most")
        .refuses(&[401, 404]);
    operations
        .get(
            "/orgs/{org}/artifacts/{subject_digest}/metadata/storage-records",
            list_storage,
        )
        .id("orgs/list-artifact-storage-records")
        .summary("List artifact storage records")
        .answers::<StorageRecords>(200, "Where it is stored, a thousand places at most")
        .refuses(&[401, 404]);
}

/// A deployment of an artifact.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = NewDeployment)]
struct NewDeployment {
    /// What the artifact is called.
    name: String,
    /// Which artifact it is: `sha256:…`.
    #[schema(pattern = "^sha256:[a-f0-9]{64}$")]
    digest: String,
    /// The artifact's version.
    version: Option<String>,
    /// `deployed` or `decommissioned`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    status: DeploymentStatus,
    /// What the deployment is called; unique in its cluster and environment.
    deployment_name: String,
    /// The repository that the artifact was built from, if no provenance attestation says it.
    github_repository: Option<String>,
    /// Words of one's own; five at most.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// `critical-resource`, `internet-exposed`, `lateral-movement`, `sensitive-data`.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    runtime_risks: BTreeSet<RuntimeRisk>,
}

/// A deployment and where it is.
#[derive(Deserialize, ToSchema)]
struct OneDeployment {
    #[serde(flatten)]
    deployment: NewDeployment,
    /// The stage.
    logical_environment: String,
    /// The region.
    #[serde(default)]
    physical_environment: String,
    /// The cluster.
    #[serde(default)]
    cluster: String,
    /// Whether the answer holds the record.
    #[serde(default = "yes")]
    return_records: bool,
}

/// The deployments in a cluster.
#[derive(Deserialize, ToSchema)]
struct ClusterDeployments {
    /// The stage.
    logical_environment: String,
    /// The region.
    #[serde(default)]
    physical_environment: String,
    deployments: Vec<NewDeployment>,
    /// Whether those that can be recorded are, if others cannot.
    #[serde(default)]
    partial_success: bool,
    /// Whether the answer holds the records.
    #[serde(default = "yes")]
    return_records: bool,
}

const fn yes() -> bool {
    true
}

/// What is recorded of deployments.
#[derive(Serialize, ToSchema)]
struct DeploymentRecords {
    total_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment_records: Option<Vec<DeploymentView>>,
    /// What could not be recorded, with `partial_success`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<RejectedView>,
}

/// A deployment record.
#[derive(Serialize, ToSchema)]
#[schema(as = ArtifactDeploymentRecord)]
struct DeploymentView {
    id: i64,
    digest: String,
    logical_environment: String,
    physical_environment: String,
    cluster: String,
    deployment_name: String,
    tags: BTreeMap<String, String>,
    runtime_risks: Vec<&'static str>,
    created_at: String,
    updated_at: String,
    /// The provenance attestation that says from which repository it is.
    attestation_id: Option<i64>,
}

/// A deployment that could not be recorded.
#[derive(Serialize, ToSchema)]
struct RejectedView {
    /// `unauthorized` or `not_found`.
    cause: &'static str,
    deployment: NewDeployment,
}

/// A job that was done.
#[derive(Serialize, ToSchema)]
struct CreatedJob {
    job_id: i64,
    errors: Vec<RejectedView>,
}

/// What became of a job.
#[derive(Serialize, ToSchema)]
struct JobStatus {
    job_id: i64,
    /// Always `completed`.
    status: &'static str,
    started_at: String,
    total_count: u64,
}

async fn create_deployment(call: Call, Json(body): Json<OneDeployment>) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let environment = Environment {
        logical: body.logical_environment,
        physical: body.physical_environment,
        cluster: body.cluster,
    };
    let told = vec![body.deployment.told()?];
    let recorded = call
        .registry()
        .record_deployments(
            call.caller(),
            owner.login(),
            &environment,
            told,
            OnRejection::Refuse,
        )
        .await?;
    call.ok(&deployments(&recorded.records, body.return_records))
}

async fn set_cluster(call: Call, Json(body): Json<ClusterDeployments, LONGEST>) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let environment = body.environment(&call)?;
    let told = body.told(MOST)?;
    let on_rejection = if body.partial_success {
        OnRejection::Skip
    } else {
        OnRejection::Refuse
    };
    let recorded = call
        .registry()
        .record_deployments(
            call.caller(),
            owner.login(),
            &environment,
            told,
            on_rejection,
        )
        .await?;
    let mut view = deployments(&recorded.records, body.return_records);
    view.errors = rejected(recorded.rejected);
    let status = if view.errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::MULTI_STATUS
    };
    Answer::json(status, &view)
}

async fn create_job(call: Call, Json(body): Json<ClusterDeployments, LONGEST>) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let environment = body.environment(&call)?;
    let told = body.told(MOST_OF_JOB)?;
    let (job, errors) = call
        .registry()
        .record_deployments_as_job(call.caller(), owner.login(), &environment, told)
        .await?;
    let view = CreatedJob {
        job_id: job.id.get(),
        errors: rejected(errors),
    };
    Answer::json(StatusCode::ACCEPTED, &view)
}

async fn get_job(call: Call) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let id = ClusterJobId::new(call.number("job_id")?);
    let job = call
        .registry()
        .deployment_job(call.caller(), owner.login(), call.text("cluster")?, id)
        .await?;
    call.ok(&JobStatus {
        job_id: job.id.get(),
        status: "completed",
        started_at: time(job.started_at),
        total_count: job.total,
    })
}

async fn list_deployments(call: Call) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let digest = call.part("subject_digest")?;
    let records = call
        .registry()
        .deployments_of(call.caller(), owner.login(), &digest)
        .await?;
    call.ok(&deployments(&records, true))
}

impl ClusterDeployments {
    fn environment(&self, call: &Call) -> Result<Environment, Failure> {
        Ok(Environment {
            logical: self.logical_environment.clone(),
            physical: self.physical_environment.clone(),
            cluster: call.text("cluster")?.to_owned(),
        })
    }

    fn told(&self, most: usize) -> Result<Vec<Told>, Failure> {
        if self.deployments.len() > most {
            let message = format!("{most} deployments at most");
            return Err(invalid("deployments", &message));
        }
        self.deployments.iter().map(NewDeployment::told).collect()
    }
}

impl NewDeployment {
    fn told(&self) -> Result<Told, Failure> {
        let deployment = Deployment {
            deployment_name: self.deployment_name.clone(),
            name: self.name.clone(),
            digest: sha256(&self.digest)?,
            version: self.version.clone().filter(|version| !version.is_empty()),
            status: self.status,
            tags: self.tags.clone(),
            runtime_risks: self.runtime_risks.clone(),
        };
        Ok(Told {
            deployment,
            repository: repository(self.github_repository.as_deref())?,
        })
    }

    fn of(told: Told) -> Self {
        let deployment = told.deployment;
        Self {
            name: deployment.name,
            digest: deployment.digest.to_string(),
            version: deployment.version,
            status: deployment.status,
            deployment_name: deployment.deployment_name,
            github_repository: told.repository.map(|name| name.to_string()),
            tags: deployment.tags,
            runtime_risks: deployment.runtime_risks,
        }
    }
}

fn repository(name: Option<&str>) -> Result<Option<SourceRepositoryName>, Failure> {
    let name = name.filter(|name| !name.is_empty()).map(str::parse);
    name.transpose()
        .map_err(|error| invalid("github_repository", &format!("{error}")))
}

fn sha256(text: &str) -> Result<Digest, Failure> {
    let digest = text.parse::<Digest>().ok();
    digest
        .filter(|digest| digest.algorithm() == Algorithm::Sha256)
        .ok_or_else(|| invalid("digest", "a digest is sha256: and 64 hex digits"))
}

fn deployments(records: &[DeploymentRecord], with_records: bool) -> DeploymentRecords {
    let view = |record: &DeploymentRecord| {
        let DeploymentRecord {
            environment,
            deployment,
            ..
        } = record;
        DeploymentView {
            id: record.id.get(),
            digest: deployment.digest.to_string(),
            logical_environment: environment.logical.clone(),
            physical_environment: environment.physical.clone(),
            cluster: environment.cluster.clone(),
            deployment_name: deployment.deployment_name.clone(),
            tags: deployment.tags.clone(),
            runtime_risks: deployment
                .runtime_risks
                .iter()
                .map(|risk| risk.as_str())
                .collect(),
            created_at: time(record.created_at),
            updated_at: time(record.updated_at),
            attestation_id: record.attestation.map(|id| id.get()),
        }
    };
    DeploymentRecords {
        total_count: records.len(),
        deployment_records: with_records.then(|| records.iter().map(view).collect()),
        errors: Vec::new(),
    }
}

fn rejected(rejected: Vec<Rejected>) -> Vec<RejectedView> {
    let view = |rejected: Rejected| RejectedView {
        cause: match rejected.cause {
            RejectionCause::Unauthorized => "unauthorized",
            RejectionCause::NotFound => "not_found",
        },
        deployment: NewDeployment::of(rejected.told),
    };
    rejected.into_iter().map(view).collect()
}

fn invalid(field: &str, message: &str) -> Failure {
    Failure::invalid("ArtifactMetadata", field, message)
}
