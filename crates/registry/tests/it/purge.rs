//! Purging frees space.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::TryStreamExt;
use naru_registry::purge::{PurgeOptions, PurgeTarget, Purged};
use naru_registry::versions::VersionRef;
use naru_registry::{Caller, Error, Result};

use crate::World;
use crate::kit::{
    APP, delete_manifest, delete_version, digest_of, manifest_with, push_blob, put_manifest,
};
use crate::world::container;

async fn purge(world: &World, target: &PurgeTarget, at_once: bool) -> Result<Purged> {
    let options = PurgeOptions { at_once };
    world
        .registry
        .purge(&Caller::system(), target, options, &|_| {})
        .await
}

/// How many objects the store holds.
async fn objects(world: &World) -> usize {
    let settings = naru_blobstore::BlobStoreSettings::default();
    let store = naru_blobstore::BlobStore::new(&settings, world.data()).unwrap();
    store
        .list(u64::MAX)
        .try_collect::<Vec<_>>()
        .await
        .unwrap()
        .len()
}

#[tokio::test]
async fn purging_at_once_frees_the_bytes_now() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, "octocat/app", "1").await;
    world.push(&octocat, "octocat/other", "1").await;
    world
        .registry
        .delete_package(&octocat, &container("octocat/app"))
        .await
        .unwrap();
    let target = PurgeTarget::Package(container("octocat/app"));
    world.clock.advance(std::time::Duration::from_secs(1));
    let purged = purge(&world, &target, true).await.unwrap();
    assert_eq!((purged.versions, purged.kept), (1, 0));
    // The layer of the one, and the second copy of the configuration that both share.
    assert_eq!(purged.collected.removed, 2);
    if world.is_embedded() {
        assert_eq!(objects(&world).await, 2);
    }
    assert!(world.pull(&octocat, "octocat/other", "1").await.is_ok());
    let restored = world
        .registry
        .restore_package(&octocat, &container("octocat/app"))
        .await;
    assert!(restored.is_err());
}

#[tokio::test]
async fn purging_everything_at_once_frees_what_an_earlier_purge_left_for_later() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, "octocat/app", "1").await;
    world.push(&octocat, "octocat/other", "1").await;
    world
        .registry
        .delete_package(&octocat, &container("octocat/app"))
        .await
        .unwrap();
    let later = purge(&world, &PurgeTarget::Bin, false).await.unwrap();
    assert_eq!((later.versions, later.collected.condemned), (1, 0));
    // Its leases are over, and what it held waits in the trash.
    world.clock.advance(std::time::Duration::from_hours(25));
    let later = purge(&world, &PurgeTarget::Bin, false).await.unwrap();
    assert_eq!(later.collected.condemned, 1);
    world
        .registry
        .delete_package(&octocat, &container("octocat/other"))
        .await
        .unwrap();
    let later = purge(&world, &PurgeTarget::Bin, false).await.unwrap();
    assert_eq!((later.versions, later.collected.condemned), (1, 0));

    let options = PurgeOptions { at_once: true };
    let preview = world
        .registry
        .preview_purge(&Caller::system(), &PurgeTarget::Bin, options)
        .await
        .unwrap();
    assert_eq!((preview.versions.len(), preview.blobs), (0, 2));
    let purged = purge(&world, &PurgeTarget::Bin, true).await.unwrap();
    assert_eq!(purged.collected.condemned, 2);
    assert_eq!(
        purged.collected.removed,
        preview.blobs + preview.trash,
        "what was previewed goes"
    );
    if world.is_embedded() {
        assert_eq!(objects(&world).await, 0);
    }
}

#[tokio::test]
async fn a_preview_says_what_would_go_and_lets_it_stay() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let path = container("octocat/app");
    let image = world.push(&octocat, "octocat/app", "1").await;
    world.push(&octocat, "octocat/other", "1").await;
    world
        .registry
        .delete_package(&octocat, &path)
        .await
        .unwrap();
    world.clock.advance(std::time::Duration::from_secs(1));
    let digest = VersionRef::Digest(image.digest.clone());
    for target in [PurgeTarget::Bin, PurgeTarget::Package(path.clone())] {
        let preview = world
            .registry
            .preview_purge(&Caller::system(), &target, PurgeOptions::default())
            .await
            .unwrap();
        let versions: Vec<_> = preview
            .versions
            .iter()
            .map(|version| (version.package.as_str(), &version.digest))
            .collect();
        assert_eq!(versions, [("octocat/app", &image.digest)]);
        // The other package needs the configuration, which both share.
        assert_eq!((preview.blobs, preview.has_more), (1, false));
        assert!(preview.bytes > 0);
    }
    world
        .registry
        .restore_package(&octocat, &path)
        .await
        .unwrap();
    assert!(world.pull(&octocat, "octocat/app", "1").await.is_ok());

    world.push(&octocat, "octocat/app", "2").await;
    delete_version(&world, &octocat, "octocat/app", &digest)
        .await
        .unwrap();
    let target = PurgeTarget::Version(path.clone(), digest.clone());
    let preview = world
        .registry
        .preview_purge(&Caller::system(), &target, PurgeOptions::default())
        .await
        .unwrap();
    assert_eq!((preview.versions.len(), preview.blobs), (1, 1));
    assert!(
        world
            .registry
            .restore_version(&octocat, &path, &digest)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn purging_keeps_the_delays_unless_told() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, "octocat/app", "1").await;
    world
        .registry
        .delete_package(&octocat, &container("octocat/app"))
        .await
        .unwrap();
    let purged = purge(&world, &PurgeTarget::Bin, false).await.unwrap();
    assert_eq!((purged.versions, purged.collected.removed), (1, 0));
    if world.is_embedded() {
        assert_eq!(objects(&world).await, 2);
    }
}

#[tokio::test]
async fn one_version_is_purged_and_what_an_index_needs_is_not() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let path = container("octocat/app");
    let image = world.push(&octocat, "octocat/app", "amd64").await;
    let index = world
        .push_index(&octocat, "octocat/app", "1", &[&image])
        .await;
    world.push(&octocat, "octocat/app", "other").await;
    let parent = VersionRef::Digest(index);
    let child = VersionRef::Digest(image.digest);
    for version in [&parent, &child] {
        delete_version(&world, &octocat, "octocat/app", version)
            .await
            .unwrap();
    }
    let one = |version: &VersionRef| PurgeTarget::Version(path.clone(), version.clone());
    let needed = purge(&world, &one(&child), false).await;
    assert!(matches!(needed, Err(Error::StillNeeded { .. })));
    purge(&world, &one(&parent), false).await.unwrap();
    purge(&world, &one(&child), false).await.unwrap();
    let again = purge(&world, &one(&child), false).await;
    assert!(matches!(again, Err(Error::ManifestUnknown { .. })));
    let live = purge(&world, &one(&VersionRef::Tag("other".to_owned())), false).await;
    assert!(
        matches!(live, Err(Error::ManifestUnknown { .. })),
        "only what is in the bin"
    );
}

#[tokio::test]
async fn only_administrators_of_the_instance_purge() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let options = PurgeOptions::default();
    let purged = world
        .registry
        .purge(&octocat, &PurgeTarget::Bin, options, &|_| {})
        .await;
    assert!(matches!(purged, Err(Error::Refused(_))));
}

/// Both touch the links of the same blobs; in another order each would wait for the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_purge_and_the_pushes_beside_it_do_not_keep_each_other_from_their_end() {
    let world = Arc::new(World::new().await);
    let octocat = world.person("octocat").await;
    push_blob(&world, &octocat, APP, b"{}").await;
    let stop = Arc::new(AtomicBool::new(false));
    let purger = tokio::spawn({
        let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
        async move {
            let package = PurgeTarget::Package(container(APP));
            let mut purged = 0;
            while !stop.load(Ordering::Relaxed) {
                world.clock.advance(std::time::Duration::from_millis(10));
                for target in [&PurgeTarget::Bin, &package] {
                    purged += purge(&world, target, false).await.unwrap().versions;
                }
            }
            purged
        }
    });
    let pushers: Vec<_> = (0..6)
        .map(|number| {
            let (world, octocat) = (Arc::clone(&world), octocat.clone());
            tokio::spawn(async move { push_and_delete(&world, &octocat, number).await })
        })
        .collect();
    for pusher in pushers {
        pusher.await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    assert!(purger.await.unwrap() > 0, "something was purged meanwhile");
}

/// Artifacts of one layer each, then one of all these layers; and deletes them.
async fn push_and_delete(world: &World, caller: &Caller, number: usize) {
    let layers: Vec<Vec<u8>> = (0..6)
        .map(|layer| format!("layer {layer} of {number}").into_bytes())
        .collect();
    let mut layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    for layer in &layers {
        push_blob(world, caller, APP, layer).await;
    }
    for round in 0..12 {
        layers.rotate_left(1);
        let mut pushed = Vec::new();
        for named in layers.chunks(1).chain([layers.as_slice()]) {
            let note = format!(",\"annotations\":{{\"of\":\"{number} {round}\"}}");
            let content = manifest_with(named, &note);
            pushed.push(digest_of(content.as_bytes()));
            let tag = format!("t{number}");
            put_manifest(world, caller, APP, &tag, content)
                .await
                .unwrap();
            if pushed.len() == layers.len() {
                for digest in pushed.drain(..) {
                    delete_manifest(world, caller, APP, &digest).await.unwrap();
                }
            }
        }
        for digest in pushed {
            delete_manifest(world, caller, APP, &digest).await.unwrap();
        }
    }
}
