//! Package versions: one manifest each, tagged or not.

use naru_oci::{Digest, Tag};

use crate::clock::Moment;
use crate::id::{AccountId, PackageId, VersionId};

/// A package version's record. Its name in REST is the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageVersion {
    /// The identifier.
    pub id: VersionId,
    /// The package it is a version of.
    pub package: PackageId,
    /// The digest of the manifest.
    pub digest: Digest,
    /// The media type the manifest was pushed with.
    pub media_type: String,
    /// What kind of artifact it is, if the manifest says so (OCI image-spec, "artifactType").
    pub artifact_type: Option<String>,
    /// The manifest it refers to (OCI image-spec, "subject").
    pub subject: Option<Digest>,
    /// Length of the manifest in bytes.
    pub size: u64,
    /// The tags that point at it now, in lexical order.
    pub tags: Vec<Tag>,
    /// Who pushed it; none if a workflow did.
    pub created_by: Option<AccountId>,
    /// When it was pushed, or pushed again after it had been deleted.
    pub created_at: Moment,
    /// When it or its tags last changed.
    pub updated_at: Moment,
    /// When it was deleted; it can be restored for 30 days.
    pub deleted_at: Option<Moment>,
}
