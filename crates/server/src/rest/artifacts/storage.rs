//! Storage records: where artifacts lie.

use naru_model::{StorageRecord, StorageStatus, Stored};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{repository, sha256, yes};
use crate::rest::call::{Call, Owner};
use crate::rest::finish::Outcome;
use crate::rest::input::Json;
use crate::rest::views::time;

/// A place where an artifact is stored.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewStorage {
    /// What the artifact is called.
    name: String,
    /// Which artifact it is: `sha256:…`.
    #[schema(pattern = "^sha256:[a-f0-9]{64}$")]
    digest: String,
    /// The artifact's version.
    version: Option<String>,
    /// The artifact's own address, with https.
    #[serde(default)]
    artifact_url: Option<String>,
    /// The path within the repository.
    #[serde(default)]
    path: Option<String>,
    /// The registry's address, with https.
    registry_url: String,
    /// The repository within the registry.
    #[serde(default)]
    repository: Option<String>,
    /// `active`, `eol` or `deleted`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    status: StorageStatus,
    /// The repository that the artifact was built from, if no provenance attestation says it.
    github_repository: Option<String>,
    /// Whether the answer holds the record.
    #[serde(default = "yes")]
    return_records: bool,
}

/// What is recorded of places.
#[derive(Serialize, ToSchema)]
pub(super) struct StorageRecords {
    total_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_records: Option<Vec<StorageView>>,
}

/// A storage record.
#[derive(Serialize, ToSchema)]
#[schema(as = ArtifactStorageRecord)]
struct StorageView {
    id: i64,
    name: String,
    digest: String,
    artifact_url: String,
    registry_url: String,
    repository: String,
    status: &'static str,
    created_at: String,
    updated_at: String,
}

pub(super) async fn create_storage(call: Call, Json(body): Json<NewStorage>) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let named = repository(body.github_repository.as_deref())?;
    let stored = Stored {
        name: body.name,
        digest: sha256(&body.digest)?,
        version: body.version,
        registry_url: body.registry_url,
        repository: body.repository.unwrap_or_default(),
        path: body.path.unwrap_or_default(),
        artifact_url: body.artifact_url.unwrap_or_default(),
        status: body.status,
    };
    let record = call
        .registry()
        .record_storage(call.caller(), owner.login(), stored, named)
        .await?;
    call.ok(&places(&[record], body.return_records))
}

pub(super) async fn list_storage(call: Call) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let digest = call.part("subject_digest")?;
    let records = call
        .registry()
        .storage_of(call.caller(), owner.login(), &digest)
        .await?;
    call.ok(&places(&records, true))
}

fn places(records: &[StorageRecord], with_records: bool) -> StorageRecords {
    let view = |record: &StorageRecord| StorageView {
        id: record.id.get(),
        name: record.stored.name.clone(),
        digest: record.stored.digest.to_string(),
        artifact_url: record.stored.artifact_url.clone(),
        registry_url: record.stored.registry_url.clone(),
        repository: record.stored.repository.clone(),
        status: record.stored.status.as_str(),
        created_at: time(record.created_at),
        updated_at: time(record.updated_at),
    };
    StorageRecords {
        total_count: records.len(),
        storage_records: with_records.then(|| records.iter().map(view).collect()),
    }
}
