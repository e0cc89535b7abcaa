//! Purging frees space.

use futures_util::TryStreamExt;
use naru_registry::purge::{PurgeOptions, PurgeTarget, Purged};
use naru_registry::versions::VersionRef;
use naru_registry::{Caller, Error, Result};

use crate::World;
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
    world
        .registry
        .delete_version(&octocat, &path, &digest)
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
    world
        .registry
        .delete_version(&octocat, &path, &parent)
        .await
        .unwrap();
    world
        .registry
        .delete_version(&octocat, &path, &child)
        .await
        .unwrap();
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
