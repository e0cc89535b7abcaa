//! Blobs and manifests to be pushed, and their digests.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub(crate) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// Which hash names content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    pub(crate) const BOTH: [Self; 2] = [Self::Sha256, Self::Sha512];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    pub(crate) fn of(self, bytes: &[u8]) -> String {
        match self {
            Self::Sha256 => format!("sha256:{}", hex::encode(Sha256::digest(bytes))),
            Self::Sha512 => format!("sha512:{}", hex::encode(Sha512::digest(bytes))),
        }
    }
}

/// The digest that nearly everybody uses.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Hash::Sha256.of(bytes)
}

/// A digest of content that nobody has.
pub(crate) fn unknown_digest() -> String {
    digest(b"nobody has ever pushed this")
}

/// Bytes that no other test has, of this length and always the same for the same seed.
pub(crate) fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 64);
    let mut block = Sha512::digest(seed.as_bytes());
    while bytes.len() < length {
        bytes.extend(block);
        block = Sha512::digest(block);
    }
    bytes.truncate(length);
    bytes
}

/// A descriptor of some bytes.
pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    descriptor_by(Hash::Sha256, media_type, bytes)
}

/// A descriptor of some bytes, named by this hash.
pub(crate) fn descriptor_by(hash: Hash, media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": hash.of(bytes), "size": bytes.len() })
}

/// A manifest on its way: the bytes, exactly, and the type they are sent as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: String,
}

impl Pushed {
    /// A document, printed once; its bytes are never touched again.
    pub(crate) fn new(document: &Value) -> Self {
        let media_type = document["mediaType"].as_str().unwrap_or(OCI_MANIFEST);
        Self::exactly(media_type, document.to_string().as_bytes())
    }

    /// These bytes and no others.
    pub(crate) fn exactly(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            bytes: bytes.to_vec(),
            digest: digest(bytes),
        }
    }

    /// The reference that makes it identifiable by another hash.
    pub(crate) fn digest_by(&self, hash: Hash) -> String {
        hash.of(&self.bytes)
    }

    /// How an index or a referrers list names it.
    pub(crate) fn descriptor(&self) -> Value {
        descriptor(&self.media_type, &self.bytes)
    }
}

/// An OCI image with this configuration and these layers.
pub(crate) fn image(config: &[u8], layers: &[&[u8]]) -> Value {
    let layers: Vec<Value> = layers
        .iter()
        .map(|layer| descriptor(OCI_LAYER, layer))
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, config),
        "layers": layers,
    })
}

/// An OCI index of these manifests.
pub(crate) fn index(children: &[&Pushed]) -> Value {
    let children: Vec<Value> = children.iter().map(|child| child.descriptor()).collect();
    json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children })
}

/// An artifact in the form of image-spec 1.1: an image with the empty configuration.
pub(crate) fn artifact(artifact_type: &str, layer: &[u8]) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": descriptor(OCI_EMPTY, EMPTY),
        "layers": [descriptor("application/octet-stream", layer)],
    })
}

/// The content of the empty descriptor (OCI image-spec, "Guidance for an Empty Descriptor").
pub(crate) const EMPTY: &[u8] = b"{}";
