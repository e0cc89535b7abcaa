//! What is remembered of manifests and blobs between requests.
//!
//! With one process on an embedded database every write passes through this process, so that a
//! remembered tag is known to be true until a write says otherwise. With several replicas a tag is
//! asked anew each time; only what a digest names, which never changes, could be remembered.
//!
//! Of blobs only those are remembered that a live version needs: they stay readable, and nobody has
//! to be promised anything, until a version of the package goes, and each such write says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use moka::sync::Cache;
use naru_model::{PackageId, VersionId};
use naru_oci::{Digest, MediaType, Reference};

use crate::blobs::BlobInfo;

/// A manifest ready to be sent.
#[derive(Clone, Debug)]
pub struct CachedManifest {
    /// The version's number.
    pub version: VersionId,
    /// The digest of `content`.
    pub digest: Digest,
    /// The type it was pushed with.
    pub media_type: MediaType,
    /// The bytes as they were pushed.
    pub content: Bytes,
}

/// How far the writes of a package had come when a reader began to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    package: u64,
    everything: u64,
}

/// Manifests by package and reference, blobs by package and digest.
pub(crate) struct ContentCache {
    /// `None` where another process may write too.
    manifests: Option<Cache<ManifestKey, Remembered<Arc<CachedManifest>>>>,
    /// As above.
    blobs: Option<Cache<(PackageId, Digest), Remembered<BlobInfo>>>,
    /// Rises with each write to a package; packages share counters, which forgets too much at
    /// worst.
    writes: Box<[AtomicU64]>,
    /// Rises when another process wrote something.
    everything: AtomicU64,
}

type ManifestKey = (PackageId, Reference);

#[derive(Clone)]
struct Remembered<T> {
    found: T,
    stamp: Stamp,
}

const COUNTERS: usize = 1024;

/// How many blobs are remembered at most; each takes some 300 bytes.
const BLOBS: u64 = 20_000;

impl ContentCache {
    /// A cache of about `capacity` bytes of manifests; one that remembers nothing where `shared`
    /// says that other processes write to the same database.
    pub(crate) fn new(capacity: u64, shared: bool) -> Self {
        let manifests = (!shared).then(|| {
            let weigh = |_: &ManifestKey, entry: &Remembered<Arc<CachedManifest>>| {
                const OVERHEAD: usize = 512;
                u32::try_from(entry.found.content.len() + OVERHEAD).unwrap_or(u32::MAX)
            };
            let builder = Cache::builder().max_capacity(capacity);
            builder.weigher(weigh).build()
        });
        let blobs = (!shared).then(|| Cache::new(BLOBS));
        let writes = (0..COUNTERS).map(|_| AtomicU64::new(0)).collect();
        Self {
            manifests,
            blobs,
            writes,
            everything: AtomicU64::new(0),
        }
    }

    /// What is remembered, or the stamp to hand back with what is found.
    pub(crate) fn get(
        &self,
        package: PackageId,
        reference: &Reference,
    ) -> Result<Arc<CachedManifest>, Stamp> {
        let stamp = self.stamp(package);
        let found = self.manifests.as_ref();
        let found = found.and_then(|known| known.get(&(package, reference.clone())));
        fresh(found, stamp)
    }

    /// Remembers what was found by a reader that began at `stamp`. If a write came between, the
    /// entry is out of date at once and nobody will be given it.
    pub(crate) fn put(
        &self,
        package: PackageId,
        reference: &Reference,
        manifest: CachedManifest,
        stamp: Stamp,
    ) -> Arc<CachedManifest> {
        let manifest = Arc::new(manifest);
        if let Some(manifests) = &self.manifests {
            let found = Arc::clone(&manifest);
            manifests.insert((package, reference.clone()), Remembered { found, stamp });
        }
        manifest
    }

    /// The same for a blob that a live version of the package needs.
    pub(crate) fn blob(&self, package: PackageId, digest: &Digest) -> Result<BlobInfo, Stamp> {
        let stamp = self.stamp(package);
        let found = self.blobs.as_ref();
        fresh(
            found.and_then(|known| known.get(&(package, digest.clone()))),
            stamp,
        )
    }

    /// Remembers a blob that a live version of the package needs, and whose bytes are sound.
    pub(crate) fn put_blob(&self, package: PackageId, blob: &BlobInfo, stamp: Stamp) {
        if let Some(blobs) = &self.blobs {
            let found = blob.clone();
            blobs.insert((package, blob.digest.clone()), Remembered { found, stamp });
        }
    }

    /// To be called after the commit of each write to a package's manifests or tags, before the
    /// answer.
    pub(crate) fn changed(&self, package: PackageId) {
        if let Some(counter) = self.counter(package) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// To be called when another process has written.
    pub(crate) fn changed_elsewhere(&self) {
        self.everything.fetch_add(1, Ordering::SeqCst);
    }

    fn stamp(&self, package: PackageId) -> Stamp {
        Stamp {
            package: self
                .counter(package)
                .map_or(0, |counter| counter.load(Ordering::SeqCst)),
            everything: self.everything.load(Ordering::SeqCst),
        }
    }

    fn counter(&self, package: PackageId) -> Option<&AtomicU64> {
        let index = usize::try_from(package.get()).unwrap_or_default() % COUNTERS;
        self.writes.get(index)
    }
}

/// What was remembered, if no write has come since.
fn fresh<T>(found: Option<Remembered<T>>, stamp: Stamp) -> Result<T, Stamp> {
    match found {
        Some(entry) if entry.stamp == stamp => Ok(entry.found),
        _ => Err(stamp),
    }
}

impl std::fmt::Debug for ContentCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentCache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_oci::Algorithm;

    fn manifest(text: &'static str) -> CachedManifest {
        CachedManifest {
            version: VersionId::new(1),
            digest: Digest::of(Algorithm::Sha256, text.as_bytes()),
            media_type: "application/vnd.oci.image.manifest.v1+json"
                .parse()
                .unwrap(),
            content: Bytes::from_static(text.as_bytes()),
        }
    }

    #[test]
    fn a_write_between_looking_and_remembering_is_not_missed() {
        let cache = ContentCache::new(1 << 20, false);
        let package = PackageId::new(7);
        let tag: Reference = "latest".parse().unwrap();
        let stamp = cache.get(package, &tag).unwrap_err();
        cache.changed(package);
        cache.put(package, &tag, manifest("old"), stamp);
        assert!(cache.get(package, &tag).is_err());
    }

    #[test]
    fn what_is_remembered_is_found_until_it_changes() {
        let cache = ContentCache::new(1 << 20, false);
        let package = PackageId::new(7);
        let tag: Reference = "latest".parse().unwrap();
        let stamp = cache.get(package, &tag).unwrap_err();
        cache.put(package, &tag, manifest("new"), stamp);
        assert_eq!(cache.get(package, &tag).unwrap().content, "new");
        cache.changed_elsewhere();
        assert!(cache.get(package, &tag).is_err());
    }

    #[test]
    fn a_remembered_blob_is_forgotten_with_each_write_to_its_package() {
        let cache = ContentCache::new(1 << 20, false);
        let package = PackageId::new(7);
        let blob = BlobInfo::example(b"a layer");
        let look = || cache.blob(package, &blob.digest);
        cache.put_blob(package, &blob, look().unwrap_err());
        assert_eq!(look().unwrap().size, 7);
        assert!(cache.blob(PackageId::new(8), &blob.digest).is_err());
        cache.changed(package);
        let stamp = look().unwrap_err();
        cache.changed_elsewhere();
        cache.put_blob(package, &blob, stamp);
        assert!(look().is_err(), "a write came between");
    }

    #[test]
    fn a_shared_database_is_asked_each_time() {
        let cache = ContentCache::new(1 << 20, true);
        let package = PackageId::new(7);
        let tag: Reference = "latest".parse().unwrap();
        let stamp = cache.get(package, &tag).unwrap_err();
        cache.put(package, &tag, manifest("new"), stamp);
        assert!(cache.get(package, &tag).is_err());
    }
}
