//! What comes out of the bin counts for the quota again, by whichever door it comes.

use naru_model::VersionState;
use naru_registry::quotas::Limit;
use naru_registry::versions::VersionRef;
use naru_registry::versions::bulk::{Selection, VersionFilter};
use naru_registry::{Caller, Error};

use crate::World;
use crate::kit::{
    APP, delete_version, digest_of, manifest_of, manifest_with, noise, push_artifact, push_blob,
    put_manifest, target, versions_of,
};
use crate::usage::{exceeded, limit, usage};
use crate::world::container;

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

fn tag(name: &str) -> VersionRef {
    VersionRef::Tag(name.to_owned())
}

/// A package with a version of 3000 bytes in the bin, and an owner who may hold as much as before
/// it was deleted.
async fn one_deleted(world: &World, octocat: &Caller) -> VersionRef {
    let old = push_artifact(world, octocat, APP, "old", &[&noise("old", 3000)])
        .await
        .unwrap();
    push_artifact(world, octocat, APP, "tiny", &[b"tiny"])
        .await
        .unwrap();
    let used = usage(world, "octocat").await.live;
    limit(world, "octocat", Some(used), None).await;
    delete_version(world, octocat, APP, &tag("old"))
        .await
        .unwrap();
    world.clock.advance(SECOND);
    VersionRef::Digest(old)
}

#[tokio::test]
async fn a_version_comes_back_only_if_it_fits() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let old = one_deleted(&world, &octocat).await;
    let path = container(APP);
    let restore = async || world.registry.restore_version(&octocat, &path, &old).await;
    push_artifact(&world, &octocat, APP, "new", &[&noise("new", 1000)])
        .await
        .unwrap();
    let held = usage(&world, "octocat").await.live;
    let Err(Error::QuotaExceeded(told)) = restore().await else {
        panic!("it fits nowhere");
    };
    assert_eq!((told.which, told.used), (Limit::Live, held));
    let bin = versions_of(&world, &octocat, APP, VersionState::Deleted).await;
    assert_eq!(bin.unwrap().len(), 1, "it stays where it was");
    delete_version(&world, &octocat, APP, &tag("new"))
        .await
        .unwrap();
    world.clock.advance(SECOND);
    restore().await.unwrap();
    let whole = usage(&world, "octocat").await;
    assert_eq!(told.limit, whole.live, "to the byte");
}

#[tokio::test]
async fn many_versions_come_back_only_if_they_fit_and_a_preview_says_so() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    one_deleted(&world, &octocat).await;
    push_artifact(&world, &octocat, APP, "new", &[&noise("new", 1000)])
        .await
        .unwrap();
    let path = container(APP);
    let all = Selection::Filter(VersionFilter::default());
    let registry = &world.registry;
    let previewed = registry.preview_restore_versions(&octocat, &path, &all);
    assert_eq!(exceeded(previewed.await), Limit::Live);
    let restored = registry.restore_versions(&octocat, &path, &all).await;
    assert_eq!(exceeded(restored), Limit::Live);
    limit(&world, "octocat", Some(1_000_000), None).await;
    let restored = registry.restore_versions(&octocat, &path, &all).await;
    assert_eq!(restored.unwrap().restoration.versions.len(), 1);
}

#[tokio::test]
async fn a_package_comes_back_only_if_it_fits() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let (shared, own) = (noise("shared", 2000), noise("own", 700));
    let other = "octocat/other";
    push_artifact(&world, &octocat, other, "1", &[&shared])
        .await
        .unwrap();
    push_artifact(&world, &octocat, APP, "1", &[&shared, &own])
        .await
        .unwrap();
    let whole = usage(&world, "octocat").await.live;
    let path = container(APP);
    let registry = &world.registry;
    registry.delete_package(&octocat, &path).await.unwrap();
    limit(&world, "octocat", Some(whole - 1), None).await;
    world.clock.advance(SECOND);
    let refused = registry.restore_package(&octocat, &path).await;
    assert_eq!(exceeded(refused), Limit::Live);
    assert!(world.pull(&octocat, APP, "1").await.is_err());
    // What the other package holds too costs nothing.
    limit(&world, "octocat", Some(whole), None).await;
    world.clock.advance(SECOND);
    registry.restore_package(&octocat, &path).await.unwrap();
    assert_eq!(usage(&world, "octocat").await.live, whole);
}

#[tokio::test]
async fn a_full_bin_stops_no_restore() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let old = one_deleted(&world, &octocat).await;
    limit(&world, "octocat", Some(1_000_000), Some(0)).await;
    let path = container(APP);
    let restored = world.registry.restore_version(&octocat, &path, &old).await;
    assert_eq!(restored.unwrap().tags(), ["old"]);
}

#[tokio::test]
async fn a_blob_that_only_the_bin_has_costs_its_length_when_it_is_uploaded_again() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    one_deleted(&world, &octocat).await;
    let there = target(&world.registry, &octocat, APP).await;
    let old = noise("old", 3000);
    world.upload(&octocat, &there, &old).await.unwrap();
    world.clock.advance(SECOND);
    let more = world.upload(&octocat, &there, &noise("more", 3000)).await;
    assert_eq!(exceeded(more), Limit::Live);
    assert_eq!(usage(&world, "octocat").await.pending, 3000);
}

#[tokio::test]
async fn a_manifest_pays_for_blobs_that_it_takes_out_of_the_bin() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    one_deleted(&world, &octocat).await;
    push_artifact(&world, &octocat, APP, "new", &[&noise("new", 1000)])
        .await
        .unwrap();
    // Whoever was told that the layer is there may name it for a day.
    let again = manifest_with(&[&noise("old", 3000)], ",\"annotations\":{\"a\":\"b\"}");
    assert_ne!(
        digest_of(again.as_bytes()),
        digest_of(manifest_of(&[&noise("old", 3000)]).as_bytes())
    );
    let pushed = put_manifest(&world, &octocat, APP, "again", again.clone()).await;
    assert_eq!(exceeded(pushed), Limit::Live);
    limit(&world, "octocat", Some(1_000_000), None).await;
    put_manifest(&world, &octocat, APP, "again", again)
        .await
        .unwrap();
    push_blob(&world, &octocat, APP, b"more").await;
}
