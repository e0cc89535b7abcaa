//! [`ManifestKind`]: image, index or artifact; decided from types and fields that must agree.

use std::fmt;

use crate::manifest::ManifestError;
use crate::manifest::parse::Document;
use crate::media_type::MediaType;
use crate::text::excerpt;

/// What a manifest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ManifestKind {
    /// A configuration and layers.
    Image,
    /// A list of manifests.
    Index,
    /// A list of blobs, in the form that image-spec 1.1 had before its release.
    Artifact,
}

impl ManifestKind {
    fn of(media_type: &MediaType) -> Option<Self> {
        if media_type.is_image() {
            Some(Self::Image)
        } else if media_type.is_index() {
            Some(Self::Index)
        } else {
            media_type
                .is(&MediaType::OCI_ARTIFACT)
                .then_some(Self::Artifact)
        }
    }
}

impl fmt::Display for ManifestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "image manifest",
            Self::Index => "image index",
            Self::Artifact => "artifact manifest",
        })
    }
}

/// Decides what a document is. All that tells it must tell the same, or else one program reads
/// an image where another reads an index (CVE-2021-41190).
pub(super) fn decide(
    document: &Document,
    content_type: Option<&str>,
) -> Result<(ManifestKind, MediaType), ManifestError> {
    if document.schema_version == Some(1) {
        return Err(ManifestError::Schema1);
    }
    let told = told_type(document, content_type)?;
    let media_type = told.map_or_else(|| deduced_type(document), Ok)?;
    let kind = ManifestKind::of(&media_type).ok_or_else(|| ManifestError::UnsupportedType {
        given: excerpt(media_type.as_str()),
    })?;
    check_fields(document, kind)?;
    Ok((kind, canonical(media_type)))
}

/// What `Content-Type` and `mediaType` say, where they say anything.
fn told_type(
    document: &Document,
    content_type: Option<&str>,
) -> Result<Option<MediaType>, ManifestError> {
    let header = header_type(content_type)?;
    let field = document.media_type.clone();
    if [&header, &field]
        .into_iter()
        .flatten()
        .any(MediaType::is_schema1)
    {
        return Err(ManifestError::Schema1);
    }
    match (header, field) {
        (Some(header), Some(field)) if !header.is(&field) => Err(ManifestError::TypesDiffer {
            content_type: excerpt(header.as_str()),
            media_type: excerpt(field.as_str()),
        }),
        (header, field) => Ok(header.or(field)),
    }
}

/// The type in the header, without parameters; `None` for one that could be of any JSON.
fn header_type(content_type: Option<&str>) -> Result<Option<MediaType>, ManifestError> {
    let essence = content_type
        .map(crate::media_type::essence)
        .filter(|text| !text.is_empty());
    let header: Option<MediaType> = essence
        .map(|text| {
            text.parse().map_err(|_| ManifestError::UnsupportedType {
                given: excerpt(text),
            })
        })
        .transpose()?;
    Ok(header.filter(|header| !header.is_generic()))
}

fn deduced_type(document: &Document) -> Result<MediaType, ManifestError> {
    if document.manifests.is_some() {
        return Ok(MediaType::OCI_INDEX);
    }
    if document.blobs.is_some() {
        return Ok(MediaType::OCI_ARTIFACT);
    }
    match &document.config {
        Some(config) if config.media_type.is(&MediaType::DOCKER_CONFIG) => {
            Ok(MediaType::DOCKER_MANIFEST)
        }
        Some(_) => Ok(MediaType::OCI_MANIFEST),
        None => Err(ManifestError::NoType),
    }
}

fn check_fields(document: &Document, kind: ManifestKind) -> Result<(), ManifestError> {
    if let Some(field) = foreign_field(document, kind) {
        return Err(ManifestError::Ambiguous { kind, field });
    }
    if kind == ManifestKind::Image && document.config.is_none() {
        return Err(ManifestError::NoConfig);
    }
    match document.schema_version {
        Some(2) => Ok(()),
        None if kind == ManifestKind::Artifact => Ok(()),
        found => Err(ManifestError::SchemaVersion { found }),
    }
}

/// A field that belongs to another kind.
fn foreign_field(document: &Document, kind: ManifestKind) -> Option<&'static str> {
    use ManifestKind::{Artifact, Image, Index};
    let fields = [
        ("config", document.config.is_some(), kind == Image),
        ("layers", document.layers.is_some(), kind == Image),
        ("manifests", document.manifests.is_some(), kind == Index),
        ("blobs", document.blobs.is_some(), kind == Artifact),
        ("fsLayers", document.fs_layers.is_some(), false),
    ];
    let foreign = fields
        .into_iter()
        .find(|(_, present, own)| *present && !own);
    foreign.map(|(field, ..)| field)
}

/// The specification's own spelling of a type, whatever case it came in.
fn canonical(media_type: MediaType) -> MediaType {
    let known = [
        MediaType::OCI_MANIFEST,
        MediaType::OCI_INDEX,
        MediaType::OCI_ARTIFACT,
        MediaType::DOCKER_MANIFEST,
        MediaType::DOCKER_LIST,
    ];
    known
        .into_iter()
        .find(|known| known.is(&media_type))
        .unwrap_or(media_type)
}
