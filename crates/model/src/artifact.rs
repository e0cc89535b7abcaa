//! Artifact metadata: where an artifact is deployed, and where it is stored.
//!
//! Records are told by others (a deployment controller, another registry) and kept beside the
//! source repository that the artifact was built from. Naru only remembers them.

use std::collections::{BTreeMap, BTreeSet};

use naru_oci::Digest;

use crate::clock::Moment;
use crate::id::{AttestationId, ClusterJobId, DeploymentRecordId, StorageRecordId};
use crate::word::words;

/// Whether an artifact runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeploymentStatus {
    /// It runs.
    #[default]
    Deployed,
    /// It ran.
    Decommissioned,
}

words!(
    DeploymentStatus,
    "status of a deployment",
    Deployed = "deployed",
    Decommissioned = "decommissioned"
);

/// What makes a running artifact worth looking at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each is documented by its word, the vendor's own"
)]
pub enum RuntimeRisk {
    CriticalResource,
    InternetExposed,
    LateralMovement,
    SensitiveData,
}

words!(
    RuntimeRisk,
    "runtime risk",
    CriticalResource = "critical-resource",
    InternetExposed = "internet-exposed",
    LateralMovement = "lateral-movement",
    SensitiveData = "sensitive-data",
);

/// Whether a stored artifact is to be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StorageStatus {
    /// It is.
    #[default]
    Active,
    /// It is there, but at the end of its life.
    Eol,
    /// It is gone.
    Deleted,
}

words!(
    StorageStatus,
    "status of a stored artifact",
    Active = "active",
    Eol = "eol",
    Deleted = "deleted"
);

/// Where something is deployed. What is not said is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Environment {
    /// The stage: production, staging.
    pub logical: String,
    /// The region.
    pub physical: String,
    /// The cluster.
    pub cluster: String,
}

/// One deployment of an artifact in an environment, by its name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// What it is called; unique in the environment.
    pub deployment_name: String,
    /// What the artifact is called.
    pub name: String,
    /// Which artifact it is.
    pub digest: Digest,
    /// The artifact's version.
    pub version: Option<String>,
    /// Whether it runs.
    pub status: DeploymentStatus,
    /// Words of whoever tells it.
    pub tags: BTreeMap<String, String>,
    /// What makes it worth looking at.
    pub runtime_risks: BTreeSet<RuntimeRisk>,
}

/// A deployment as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentRecord {
    /// The identifier; stays the same while the deployment gets other artifacts.
    pub id: DeploymentRecordId,
    /// Where.
    pub environment: Environment,
    /// What.
    pub deployment: Deployment,
    /// The provenance attestation that says from which repository the artifact is.
    pub attestation: Option<AttestationId>,
    /// When it was first told.
    pub created_at: Moment,
    /// When it was told last.
    pub updated_at: Moment,
}

/// A place where an artifact lies. What is not said is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What the artifact is called.
    pub name: String,
    /// Which artifact it is.
    pub digest: Digest,
    /// The artifact's version.
    pub version: Option<String>,
    /// The registry's address.
    pub registry_url: String,
    /// The repository within the registry.
    pub repository: String,
    /// The path within it.
    pub path: String,
    /// The artifact's own address.
    pub artifact_url: String,
    /// Whether it is to be used.
    pub status: StorageStatus,
}

/// A stored artifact as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageRecord {
    /// The identifier.
    pub id: StorageRecordId,
    /// What is told of it.
    pub stored: Stored,
    /// When it was first told.
    pub created_at: Moment,
    /// When it was told last.
    pub updated_at: Moment,
}

/// A job that set the deployment records of a cluster. It has ended when it is first seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterJob {
    /// The identifier.
    pub id: ClusterJobId,
    /// The cluster.
    pub cluster: String,
    /// How many records it set.
    pub total: u64,
    /// When it ran.
    pub started_at: Moment,
}

/// A record does not keep to the limits of its fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {expected}")]
pub struct RecordError {
    /// The field, as REST calls it.
    pub field: &'static str,
    /// What it should be.
    pub expected: String,
}

fn wrong(field: &'static str, expected: impl Into<String>) -> RecordError {
    RecordError {
        field,
        expected: expected.into(),
    }
}

/// How long a field may be, in characters.
struct ArtifactText(&'static str, std::ops::RangeInclusive<usize>);

impl ArtifactText {
    fn check(&self, text: &str) -> Result<(), RecordError> {
        let Self(field, length) = self;
        if length.contains(&text.chars().count()) {
            return Ok(());
        }
        let (least, most) = (length.start(), length.end());
        Err(wrong(field, format!("has {least} to {most} characters")))
    }
}

impl Environment {
    /// Keeps to the limits of the vendor's description.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn check(&self) -> Result<(), RecordError> {
        ArtifactText("logical_environment", 1..=128).check(&self.logical)?;
        ArtifactText("physical_environment", 0..=128).check(&self.physical)?;
        ArtifactText("cluster", 0..=128).check(&self.cluster)
    }
}

impl Deployment {
    /// How many tags one has at most.
    pub const MOST_TAGS: usize = 5;

    /// Keeps to the limits of the vendor's description.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn check(&self) -> Result<(), RecordError> {
        ArtifactText("deployment_name", 1..=256).check(&self.deployment_name)?;
        check_artifact(&self.name, self.version.as_deref())?;
        if self.tags.len() > Self::MOST_TAGS {
            return Err(wrong("tags", format!("has {} at most", Self::MOST_TAGS)));
        }
        for (key, value) in &self.tags {
            ArtifactText("tags", 1..=256).check(key)?;
            ArtifactText("tags", 0..=256).check(value)?;
        }
        Ok(())
    }
}

impl Stored {
    /// Keeps to the limits of the vendor's description.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn check(&self) -> Result<(), RecordError> {
        check_artifact(&self.name, self.version.as_deref())?;
        ArtifactText("registry_url", 1..=256).check(&self.registry_url)?;
        check_https("registry_url", &self.registry_url)?;
        ArtifactText("repository", 0..=128).check(&self.repository)?;
        ArtifactText("path", 0..=512).check(&self.path)?;
        ArtifactText("artifact_url", 0..=152).check(&self.artifact_url)?;
        if self.artifact_url.is_empty() {
            return Ok(());
        }
        check_https("artifact_url", &self.artifact_url)
    }
}

fn check_artifact(name: &str, version: Option<&str>) -> Result<(), RecordError> {
    ArtifactText("name", 1..=256).check(name)?;
    version.map_or(Ok(()), |version| {
        ArtifactText("version", 1..=100).check(version)
    })
}

/// The address is shown as a link.
fn check_https(field: &'static str, text: &str) -> Result<(), RecordError> {
    let is_https = text.starts_with("https://") && url::Url::parse(text).is_ok();
    is_https
        .then_some(())
        .ok_or_else(|| wrong(field, "is an address that begins with https://"))
}

#[cfg(test)]
mod tests {
    use naru_oci::Algorithm;

    use super::*;

    fn deployment() -> Deployment {
        Deployment {
            deployment_name: "shop-web-app".to_owned(),
            name: "app".to_owned(),
            digest: Digest::of(Algorithm::Sha256, b"app"),
            version: None,
            status: DeploymentStatus::Deployed,
            tags: BTreeMap::new(),
            runtime_risks: BTreeSet::new(),
        }
    }

    fn stored(registry_url: &str) -> Stored {
        Stored {
            name: "app".to_owned(),
            digest: Digest::of(Algorithm::Sha256, b"app"),
            version: None,
            registry_url: registry_url.to_owned(),
            repository: String::new(),
            path: String::new(),
            artifact_url: String::new(),
            status: StorageStatus::Active,
        }
    }

    #[test]
    fn a_field_outside_its_limits_is_named() {
        assert_eq!(deployment().check(), Ok(()));
        let nameless = Deployment {
            name: String::new(),
            ..deployment()
        };
        assert_eq!(nameless.check().unwrap_err().field, "name");
        let long = Deployment {
            version: Some("1".repeat(101)),
            ..deployment()
        };
        assert_eq!(long.check().unwrap_err().field, "version");
        let tagged = Deployment {
            tags: (0..6).map(|n| (n.to_string(), String::new())).collect(),
            ..deployment()
        };
        assert_eq!(tagged.check().unwrap_err().field, "tags");
        let nowhere = Environment::default();
        assert_eq!(nowhere.check().unwrap_err().field, "logical_environment");
    }

    #[test]
    fn an_address_is_https() {
        assert_eq!(stored("https://registry.example.com").check(), Ok(()));
        for address in [
            "http://registry.example.com",
            "javascript:alert(1)",
            "https://",
            "",
        ] {
            let error = stored(address).check().unwrap_err();
            assert_eq!(error.field, "registry_url", "{address}");
        }
    }
}
