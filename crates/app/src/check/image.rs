//! A small image that no registry has yet: one layer with one file.

use anyhow::Result;
use naru_model::Random;
use naru_oci::{Algorithm, Digest};
use serde_json::json;

/// The media type of an OCI image manifest.
pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Bytes and their digest.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Self {
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        Self { bytes, digest }
    }
}

/// The image.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) manifest: Blob,
    /// The configuration and the layer.
    pub(super) blobs: [Blob; 2],
    pub(super) tag: String,
}

impl Image {
    /// An image with a random file in it, so that each check uploads something new.
    pub(super) fn new(random: &dyn Random) -> Result<Self> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes)?;
        let unique = hex::encode(bytes);
        let layer = Blob::new(tar("naru-check.txt", &format!("{unique}\n")));
        let config = Blob::new(serde_json::to_vec(&json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
        }))?);
        let manifest = Blob::new(serde_json::to_vec(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
        }))?);
        let tag = format!("naru-check-{}", unique.get(..8).unwrap_or(&unique));
        Ok(Self {
            manifest,
            blobs: [config, layer],
            tag,
        })
    }
}

fn descriptor(media_type: &str, blob: &Blob) -> serde_json::Value {
    json!({"mediaType": media_type, "digest": blob.digest, "size": blob.bytes.len()})
}

/// A tar archive (POSIX.1-1988 `ustar`) with one short text file.
fn tar(name: &str, contents: &str) -> Vec<u8> {
    const BLOCK: usize = 512;
    let size = format!("{:011o}\0", contents.len());
    let fields: [(usize, &[u8]); 8] = [
        (0, name.as_bytes()),
        (100, b"0000644\0"),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, size.as_bytes()),
        (136, b"00000000000\0"),
        // While the checksum is computed, its field holds spaces.
        (148, b"        0"),
        (257, b"ustar\x0000"),
    ];
    let mut header = [0_u8; BLOCK];
    for (offset, field) in fields {
        write_at(&mut header, offset, field);
    }
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    write_at(&mut header, 148, format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(contents.as_bytes());
    // The file is filled up to a block; two empty blocks end the archive.
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

fn write_at(header: &mut [u8], offset: usize, field: &[u8]) {
    if let Some(place) = header.get_mut(offset..offset + field.len()) {
        place.copy_from_slice(field);
    }
}
