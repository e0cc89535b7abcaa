//! What lies in the registries before anything is measured.

use std::cell::OnceCell;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::client::{Cycle, Framing, Request, Script, Want, drive};
use crate::payload::Payload;
use crate::servers::Server;
use crate::sizes::Sizes;
use crate::upload::{Blob, Way, dealt, push};

/// The repository that most operations use.
pub(crate) const IMAGES: &str = "bench/images";
/// The media type of the manifests.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// How many manifests, and how many small blobs, are pulled in turn.
const PULLED: u64 = 64;
/// How many layers a manifest has: it is then about 1.3 kB long, as most images' are.
const LAYERS: usize = 6;
/// How many connections push the stock.
const PUSHERS: usize = 16;
/// After how many tags a new token is fetched, well before the old one expires.
const PER_TOKEN: usize = 2_000;

/// A part of the stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stock {
    /// Blobs of 4 and 64 KiB, and tagged manifests over them.
    Images,
    /// The blobs that are pulled at the same time.
    Large,
    /// The one huge blob.
    Huge,
    /// The blobs that are mounted.
    Mounted,
    /// The repository with this many tags, by its place in [`Sizes::tags`].
    Tags(usize),
}

/// A manifest and its tag.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// Its tag.
    pub(crate) tag: String,
    /// Its bytes and digest.
    pub(crate) blob: Blob,
}

/// Everything that is pushed to both registries, made once.
pub(crate) struct Shelf {
    /// The sizes of the run.
    pub(crate) sizes: Sizes,
    small: OnceCell<Vec<Blob>>,
    medium: OnceCell<Vec<Blob>>,
    large: OnceCell<Vec<Blob>>,
    huge: OnceCell<Vec<Blob>>,
    mounted: OnceCell<Vec<Blob>>,
}

impl Shelf {
    /// An empty shelf: what is needed is made when it is asked for.
    pub(crate) fn new(sizes: Sizes) -> Self {
        Self {
            sizes,
            small: OnceCell::new(),
            medium: OnceCell::new(),
            large: OnceCell::new(),
            huge: OnceCell::new(),
            mounted: OnceCell::new(),
        }
    }

    /// Blobs of 4 KiB.
    pub(crate) fn small(&self) -> &[Blob] {
        self.small.get_or_init(|| blobs(1, PULLED, 4 << 10))
    }

    /// Blobs of 64 KiB.
    pub(crate) fn medium(&self) -> &[Blob] {
        self.medium.get_or_init(|| blobs(2, PULLED, 64 << 10))
    }

    /// The blobs that are pulled at the same time.
    pub(crate) fn large(&self) -> &[Blob] {
        let (count, length) = self.sizes.pulls;
        self.large.get_or_init(|| blobs(3, count, length))
    }

    /// The one huge blob.
    pub(crate) fn huge(&self) -> &[Blob] {
        self.huge.get_or_init(|| blobs(4, 1, self.sizes.huge))
    }

    /// The blobs that are mounted.
    pub(crate) fn mounted(&self) -> &[Blob] {
        self.mounted
            .get_or_init(|| blobs(5, self.sizes.mounts, 1 << 10))
    }

    /// The manifests that are pulled.
    pub(crate) fn manifests(&self) -> Vec<Manifest> {
        (0..PULLED)
            .map(|number| self.manifest(&format!("v{number}")))
            .collect()
    }

    /// A manifest of its own for this tag, over some small blobs.
    pub(crate) fn manifest(&self, tag: &str) -> Manifest {
        let some = self.small().iter().take(1 + LAYERS);
        Self::manifest_of(tag, some)
    }

    /// A manifest that needs every small and medium blob: what people pull is part of an image.
    fn manifest_of_all(&self) -> Manifest {
        Self::manifest_of("all", self.small().iter().chain(self.medium()))
    }

    /// A manifest of its own for this tag, of these blobs: the configuration, then layers.
    fn manifest_of<'a>(tag: &str, mut blobs: impl Iterator<Item = &'a Blob>) -> Manifest {
        let descriptor = |kind: &str, blob: &Blob| {
            let (digest, size) = (&blob.digest, blob.payload.len());
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.{kind}","digest":"{digest}","size":{size}}}"#
            )
        };
        let config = blobs
            .next()
            .map(|blob| descriptor("config.v1+json", blob))
            .unwrap_or_default();
        let layers: Vec<String> = blobs
            .map(|blob| descriptor("layer.v1.tar+gzip", blob))
            .collect();
        let json = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{}],"annotations":{{"org.opencontainers.image.version":"{tag}"}}}}"#,
            layers.join(",")
        );
        Manifest {
            tag: tag.to_owned(),
            blob: Blob::new(Payload::from(json.into_bytes())),
        }
    }

    /// Puts a part of the stock into a registry.
    ///
    /// # Errors
    /// It refuses.
    pub(crate) fn put(&self, server: &Server, stock: Stock) -> Result<()> {
        match stock {
            Stock::Images => {
                push_blobs(server, IMAGES, self.small())?;
                push_blobs(server, IMAGES, self.medium())?;
                push_manifests(server, IMAGES, &[self.manifest_of_all()])?;
                push_manifests(server, IMAGES, &self.manifests())
            }
            Stock::Large => push_blobs(server, IMAGES, self.large()),
            Stock::Huge => push_blobs(server, IMAGES, self.huge()),
            Stock::Mounted => push_blobs(server, IMAGES, self.mounted()),
            Stock::Tags(index) => self.put_tags(server, self.tag_count(index)?),
        }
    }

    /// How many tags the repository has.
    pub(crate) fn tag_count(&self, index: usize) -> Result<u64> {
        self.sizes
            .tags
            .get(index)
            .copied()
            .context("a repository with tags")
    }

    /// One manifest under many tags.
    fn put_tags(&self, server: &Server, count: u64) -> Result<()> {
        let repository = tags_repository(count);
        push_blobs(server, &repository, self.small())?;
        let manifest = self.manifest("tags");
        let tagged = |number| Manifest {
            tag: tag_name(number),
            blob: manifest.blob.clone(),
        };
        push_manifests(
            server,
            &repository,
            &(0..count).map(tagged).collect::<Vec<_>>(),
        )
    }
}

/// The repository with this many tags.
pub(crate) fn tags_repository(count: u64) -> String {
    format!("bench/tags-{count}")
}

/// The tags of such a repository, in the order of listings.
pub(crate) fn tag_name(number: u64) -> String {
    format!("t{number:07}")
}

/// What a token must allow to push to and pull from a repository.
pub(crate) fn push_scope(repository: &str) -> String {
    format!("repository:{repository}:pull,push")
}

/// The request that pushes a manifest under its tag (end-7).
pub(crate) fn put_manifest(repository: &str, headers: &str, manifest: &Manifest) -> Request {
    let target = format!("/v2/{repository}/manifests/{}", manifest.tag);
    let headers = format!("{headers}Content-Type: {MANIFEST}\r\n");
    let want = Want::status(201).digest(&manifest.blob.digest);
    let body = (manifest.blob.payload.clone(), Framing::Length);
    Request::with_body("PUT", &target, &headers, body, want)
}

/// Every request once, dealt out to so many connections.
pub(crate) fn once_each(requests: &[Arc<Request>], connections: usize) -> Vec<Box<dyn Script>> {
    let script = |share: Vec<Arc<Request>>| -> Box<dyn Script> {
        let count = share.len() as u64;
        Box::new(Cycle::count(&share.into(), 0, count))
    };
    dealt(requests, connections)
        .into_iter()
        .map(script)
        .collect()
}

fn push_blobs(server: &Server, repository: &str, blobs: &[Blob]) -> Result<()> {
    let headers = server.authorization(&[&push_scope(repository)])?;
    push(
        server.address,
        repository,
        &headers,
        Way::Put,
        (blobs, PUSHERS),
    )?;
    Ok(())
}

fn push_manifests(server: &Server, repository: &str, manifests: &[Manifest]) -> Result<()> {
    for some in manifests.chunks(PER_TOKEN) {
        let headers = server.authorization(&[&push_scope(repository)])?;
        let requests: Vec<_> = some
            .iter()
            .map(|manifest| Arc::new(put_manifest(repository, &headers, manifest)))
            .collect();
        drive(server.address, once_each(&requests, PUSHERS))?;
    }
    Ok(())
}

/// `count` blobs of one length, which no other kind repeats.
pub(crate) fn blobs(kind: u64, count: u64, length: u64) -> Vec<Blob> {
    (0..count)
        .map(|number| Blob::new(Payload::pattern((kind << 32) + number, length)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_json_of_a_usual_size_and_differs_by_its_tag() {
        let shelf = Shelf::new(Sizes::quick());
        let (one, two) = (shelf.manifest("one"), shelf.manifest("two"));
        assert_ne!(one.blob.digest, two.blob.digest);
        assert!((1_000..1_600).contains(&one.blob.payload.len()));
        let Payload::Bytes(bytes) = &one.blob.payload else {
            panic!("manifests lie in memory")
        };
        let json: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(json["layers"].as_array().unwrap().len(), LAYERS);
        assert_eq!(json["layers"][0]["digest"], *shelf.small()[1].digest);
    }

    #[test]
    fn blobs_of_two_kinds_never_are_the_same() {
        assert_ne!(blobs(1, 1, 64)[0].digest, blobs(2, 1, 64)[0].digest);
    }
}
