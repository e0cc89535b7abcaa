//! What is printed about packages and their versions.

use naru_model::{AccountName, Package, PackageType, Visibility};
use naru_oci::Digest;
use naru_registry::packages::PackageDetails;
use naru_registry::versions::ListedVersion;
use serde::Serialize;

use super::super::repo::RepositoryRow;
use crate::output::Row;

/// A package, with the names of GitHub's REST API.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct PackageRow {
    id: i64,
    name: String,
    owner: String,
    pub(super) package_type: PackageType,
    visibility: Visibility,
    description: Option<String>,
    created_at: String,
    updated_at: String,
    deleted_at: Option<String>,
}

impl PackageRow {
    pub(in crate::commands) fn new(owner: &AccountName, package: &Package) -> Self {
        Self {
            id: package.id.get(),
            name: package.name.to_string(),
            owner: owner.to_string(),
            package_type: package.package_type,
            visibility: package.visibility,
            description: package.description.clone(),
            created_at: package.created_at.to_string(),
            updated_at: package.updated_at.to_string(),
            deleted_at: package.deleted_at.map(|at| at.to_string()),
        }
    }
}

impl Row for PackageRow {
    const COLUMNS: &'static [&'static str] =
        &["PACKAGE", "TYPE", "VISIBILITY", "CREATED", "UPDATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            format!("{}/{}", self.owner.to_ascii_lowercase(), self.name),
            self.package_type.to_string(),
            self.visibility.to_string(),
            self.created_at.clone(),
            self.updated_at.clone(),
        ]
    }
}

/// A package shown alone: also where it is linked to.
#[derive(Debug, Serialize)]
pub(super) struct PackageDetailsRow {
    #[serde(flatten)]
    package: PackageRow,
    version_count: u64,
    /// The source repository that it is linked to.
    repository: Option<RepositoryRow>,
    /// Whether roles in that repository count as roles on the package.
    inherit_access: bool,
    /// Why the source label of an image did not link it.
    link_note: Option<String>,
}

impl PackageDetailsRow {
    pub(super) fn new(owner: &AccountName, found: &PackageDetails) -> Self {
        let package = &found.listed.package;
        let repository = found.repository.as_ref();
        Self {
            package: PackageRow::new(owner, package),
            version_count: found.listed.version_count,
            repository: repository.map(|found| RepositoryRow::new(owner, &found.repository)),
            inherit_access: package.inherit_access,
            link_note: package.link_note.clone(),
        }
    }
}

impl Row for PackageDetailsRow {
    const COLUMNS: &'static [&'static str] = &[
        "PACKAGE",
        "TYPE",
        "VISIBILITY",
        "CREATED",
        "UPDATED",
        "DESCRIPTION",
        "REPOSITORY",
        "INHERITS ACCESS",
        "NOTE",
    ];

    fn cells(&self) -> Vec<String> {
        let mut cells = self.package.cells();
        let repository = self.repository.as_ref();
        let inherits = match repository {
            None => String::new(),
            Some(_) if self.inherit_access => "yes".to_owned(),
            Some(_) => "no".to_owned(),
        };
        cells.extend([
            self.package.description.clone().unwrap_or_default(),
            repository
                .map(|found| found.full_name.clone())
                .unwrap_or_default(),
            inherits,
            self.link_note.clone().unwrap_or_default(),
        ]);
        cells
    }
}

/// A package version.
#[derive(Debug, Serialize)]
pub(super) struct VersionRow {
    id: i64,
    name: String,
    tags: Vec<String>,
    media_type: String,
    artifact_type: Option<String>,
    subject: Option<String>,
    size: u64,
    created_at: String,
    updated_at: String,
    withdrawn_at: Option<String>,
    deleted_at: Option<String>,
}

impl From<&ListedVersion> for VersionRow {
    fn from(ListedVersion { version, tags }: &ListedVersion) -> Self {
        Self {
            id: version.id.get(),
            name: version.digest.to_string(),
            tags: tags.clone(),
            media_type: version.media_type.clone(),
            artifact_type: version.artifact_type.clone(),
            subject: version.subject.as_ref().map(Digest::to_string),
            size: version.size,
            created_at: version.created_at.to_string(),
            updated_at: version.updated_at.to_string(),
            withdrawn_at: version.withdrawn_at.map(|at| at.to_string()),
            deleted_at: version.deleted_at.map(|at| at.to_string()),
        }
    }
}

impl Row for VersionRow {
    const COLUMNS: &'static [&'static str] = &["DIGEST", "TAGS", "TYPE", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.tags.join(","),
            self.media_type.clone(),
            self.created_at.clone(),
        ]
    }
}
