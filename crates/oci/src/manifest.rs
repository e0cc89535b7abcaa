//! [`Manifest`]: a document put under `/manifests/`, and what it refers to.
//!
//! OCI image-spec, "Image Manifest" and "Image Index"; Docker's image manifest version 2,
//! schema 2. The bytes themselves are never changed; this is only what they say.
//!
//! Reading is lenient where tools differ (`null` lists, no `layers`, fields nobody defined) and
//! strict where two programs could read two different things: see [`ManifestError`].

mod error;
mod kind;
mod parse;
mod structure;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use crate::descriptor::Descriptor;
use crate::digest::Digest;
use crate::media_type::MediaType;

pub use error::ManifestError;
pub use kind::ManifestKind;

/// A manifest that was read and found sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    kind: ManifestKind,
    media_type: MediaType,
    artifact_type: Option<MediaType>,
    config: Option<Descriptor>,
    layers: Vec<Descriptor>,
    manifests: Vec<Descriptor>,
    blobs: Vec<Descriptor>,
    subject: Option<Descriptor>,
    annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// The largest manifest taken, in bytes: 4 MiB.
    pub const MAX_BYTES: usize = 4 * 1024 * 1024;
    /// The most descriptors in one manifest.
    pub const MAX_DESCRIPTORS: usize = 10_000;
    /// How deep objects and lists may be nested, the document itself being 1.
    pub const MAX_DEPTH: usize = 64;

    /// What kind of document it is.
    #[must_use]
    pub const fn kind(&self) -> ManifestKind {
        self.kind
    }

    /// Its type, to be sent as `Content-Type`: that of the push, else its own `mediaType`, else
    /// what its fields say.
    #[must_use]
    pub const fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// The configuration of an image.
    #[must_use]
    pub const fn config(&self) -> Option<&Descriptor> {
        self.config.as_ref()
    }

    /// The layers of an image, lowest first.
    #[must_use]
    pub fn layers(&self) -> &[Descriptor] {
        &self.layers
    }

    /// The entries of an index, manifests or not.
    #[must_use]
    pub fn entries(&self) -> &[Descriptor] {
        &self.manifests
    }

    /// What it is attached to; need not exist.
    #[must_use]
    pub const fn subject(&self) -> Option<&Descriptor> {
        self.subject.as_ref()
    }

    /// Notes of any kind.
    #[must_use]
    pub const fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    /// The type of the artifact as the referrers list tells it: `artifactType`, for an image
    /// else the type of the configuration (distribution-spec, "Listing Referrers").
    #[must_use]
    pub fn artifact_type(&self) -> Option<&MediaType> {
        let of_config = || self.config.as_ref().map(|config| &config.media_type);
        self.artifact_type.as_ref().or_else(of_config)
    }

    /// The manifests an index lists, each once.
    ///
    /// An entry of another type is a blob: BuildKit exports its cache as an index of layers.
    #[must_use]
    pub fn children(&self) -> Vec<&Descriptor> {
        once_each(
            self.manifests
                .iter()
                .filter(|entry| entry.media_type.is_manifest()),
        )
    }

    /// The blobs that must be in the repository, each once: configuration, layers that are not
    /// foreign, the blobs of an artifact, and entries of an index that are no manifests.
    #[must_use]
    pub fn required_blobs(&self) -> Vec<&Descriptor> {
        once_each(
            self.blobs()
                .filter(|blob| !blob.media_type.is_foreign_layer()),
        )
    }

    /// The blobs that clients fetch from elsewhere and that may be here, each once.
    #[must_use]
    pub fn foreign_blobs(&self) -> Vec<&Descriptor> {
        let required: HashSet<&Digest> = self
            .required_blobs()
            .iter()
            .map(|blob| &blob.digest)
            .collect();
        let foreign = self
            .blobs()
            .filter(|blob| blob.media_type.is_foreign_layer());
        once_each(foreign.filter(|blob| !required.contains(&blob.digest)))
    }

    /// How it stands in the referrers list of its subject, given its own digest and size in
    /// bytes.
    #[must_use]
    pub fn to_referrer(&self, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            annotations: self.annotations.clone(),
            artifact_type: self.artifact_type().cloned(),
            ..Descriptor::new(self.media_type.clone(), digest, size)
        }
    }

    fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let entries = self
            .manifests
            .iter()
            .filter(|entry| !entry.media_type.is_manifest());
        self.config
            .iter()
            .chain(&self.layers)
            .chain(&self.blobs)
            .chain(entries)
    }
}

/// The first descriptor of each digest, in order.
fn once_each<'m>(descriptors: impl Iterator<Item = &'m Descriptor>) -> Vec<&'m Descriptor> {
    let mut seen = HashSet::new();
    descriptors
        .filter(|descriptor| seen.insert(&descriptor.digest))
        .collect()
}
