//! What is remembered of manifests between requests.
//!
//! With one process on an embedded database every write passes through this process, so that a
//! remembered tag is known to be true until a write says otherwise. With several replicas a tag is
//! asked anew each time; only what a digest names, which never changes, could be remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use moka::sync::Cache;
use naru_model::{PackageId, VersionId};
use naru_oci::{Digest, MediaType, Reference};

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

/// Manifests by package and reference.
pub(crate) struct ManifestCache {
    /// `None` where another process may write too.
    entries: Option<Cache<Key, Entry>>,
    /// Rises with each write to a package; packages share counters, which forgets too much at
    /// worst.
    writes: Box<[AtomicU64]>,
    /// Rises when another process wrote something.
    everything: AtomicU64,
}

type Key = (PackageId, Reference);

#[derive(Clone)]
struct Entry {
    manifest: Arc<CachedManifest>,
    stamp: Stamp,
}

const COUNTERS: usize = 1024;

impl ManifestCache {
    /// A cache of about `capacity` bytes; one that remembers nothing where `shared` says that
    /// other processes write to the same database.
    pub(crate) fn new(capacity: u64, shared: bool) -> Self {
        let entries = (!shared).then(|| {
            Cache::builder()
                .max_capacity(capacity)
                .weigher(|_: &Key, entry: &Entry| {
                    const OVERHEAD: usize = 512;
                    u32::try_from(entry.manifest.content.len() + OVERHEAD).unwrap_or(u32::MAX)
                })
                .build()
        });
        let writes = (0..COUNTERS).map(|_| AtomicU64::new(0)).collect();
        Self {
            entries,
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
        let Some(entries) = &self.entries else {
            return Err(stamp);
        };
        match entries.get(&(package, reference.clone())) {
            Some(entry) if entry.stamp == stamp => Ok(entry.manifest),
            _ => Err(stamp),
        }
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
        if let Some(entries) = &self.entries {
            let entry = Entry {
                manifest: Arc::clone(&manifest),
                stamp,
            };
            entries.insert((package, reference.clone()), entry);
        }
        manifest
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

impl std::fmt::Debug for ManifestCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManifestCache").finish_non_exhaustive()
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
        let cache = ManifestCache::new(1 << 20, false);
        let package = PackageId::new(7);
        let tag: Reference = "latest".parse().unwrap();
        let stamp = cache.get(package, &tag).unwrap_err();
        cache.changed(package);
        cache.put(package, &tag, manifest("old"), stamp);
        assert!(cache.get(package, &tag).is_err());
    }

    #[test]
    fn what_is_remembered_is_found_until_it_changes() {
        let cache = ManifestCache::new(1 << 20, false);
        let package = PackageId::new(7);
        let tag: Reference = "latest".parse().unwrap();
        let stamp = cache.get(package, &tag).unwrap_err();
        cache.put(package, &tag, manifest("new"), stamp);
        assert_eq!(cache.get(package, &tag).unwrap().content, "new");
        cache.changed_elsewhere();
        assert!(cache.get(package, &tag).is_err());
    }

    #[test]
    fn a_shared_database_is_asked_each_time() {
        let cache = ManifestCache::new(1 << 20, true);
        let package = PackageId::new(7);
        let tag: Reference = "latest".parse().unwrap();
        let stamp = cache.get(package, &tag).unwrap_err();
        cache.put(package, &tag, manifest("new"), stamp);
        assert!(cache.get(package, &tag).is_err());
    }
}
