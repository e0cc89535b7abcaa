//! Package versions (contract D3).

use naru_model::{Account, PackagePath, PackageType};
use naru_registry::versions::ListedVersion;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Urls, time};

/// A version's record (official description: `package-version`).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PackageVersion)]
pub(crate) struct VersionView {
    /// The number of the version.
    id: i64,
    /// The digest of its manifest.
    name: String,
    /// This record.
    url: String,
    /// The page of the package.
    package_html_url: String,
    /// Its page.
    html_url: String,
    /// The annotation `org.opencontainers.image.licenses` of the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<String>,
    /// The annotation `org.opencontainers.image.description` of the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// When it was pushed, anew after it had been deleted.
    created_at: String,
    /// When its tags last changed.
    updated_at: String,
    /// When somebody deleted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<String>,
    /// What only versions of its type have.
    metadata: VersionMetadata,
}

/// What only versions of one type of package have.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PackageVersionMetadata)]
pub(crate) struct VersionMetadata {
    /// `container`, or `docker` for the older Docker registry.
    package_type: String,
    /// Of the container registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<ContainerMetadata>,
    /// Of the older Docker registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    docker: Option<DockerMetadata>,
}

/// The tags of a version of the container registry.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ContainerMetadata {
    /// The tags that point at it, the one changed last first; empty for none.
    tags: Vec<String>,
}

/// The tags of a version of the older Docker registry, by both names that the vendor has for them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DockerMetadata {
    /// The tags.
    tag: Vec<String>,
    /// The same.
    tags: Vec<String>,
}

impl VersionView {
    /// A version of the package at `path`.
    pub(crate) fn new(
        listed: &ListedVersion,
        owner: &Account,
        path: &PackagePath,
        urls: &Urls,
    ) -> Self {
        let version = &listed.version;
        let (kind, name) = (path.package_type, &path.name);
        let annotation = |key: &str| annotation(version.annotations.as_deref(), key);
        Self {
            id: version.id.get(),
            name: version.digest.to_string(),
            url: urls.version(owner, kind, name, version.id),
            package_html_url: urls.package_page(owner, kind, name),
            html_url: urls.version_page(owner, kind, name, version.id),
            license: annotation("org.opencontainers.image.licenses"),
            description: annotation("org.opencontainers.image.description"),
            created_at: time(version.created_at),
            updated_at: time(version.updated_at),
            deleted_at: version.removed_at().map(time),
            metadata: VersionMetadata::new(kind, &listed.tags),
        }
    }
}

impl VersionMetadata {
    fn new(kind: PackageType, tags: &[String]) -> Self {
        let container = || ContainerMetadata {
            tags: tags.to_vec(),
        };
        let docker = || DockerMetadata {
            tag: tags.to_vec(),
            tags: tags.to_vec(),
        };
        Self {
            package_type: kind.to_string(),
            container: (kind == PackageType::Container).then(container),
            docker: (kind == PackageType::Docker).then(docker),
        }
    }
}

/// One of the annotations of a manifest, which are a JSON object of texts.
fn annotation(annotations: Option<&str>, key: &str) -> Option<String> {
    let all: serde_json::Value = serde_json::from_str(annotations?).ok()?;
    all.get(key)?.as_str().map(str::to_owned)
}
