//! Downloads: what counts, and what becomes of counts.

use std::sync::Arc;
use std::time::Duration;

use naru_metadata::accounts;
use naru_model::{Clock, VersionId, VersionState};
use naru_registry::statistics::{DAYS_KEPT, DailyDownloads};
use naru_registry::versions::VersionRef;
use naru_registry::{Caller, Error, Registry, Settings};

use crate::jobs::running;
use crate::kit::{APP, DAY, delete_manifest, delete_version, readable, versions_of};
use crate::world::{any, container};
use crate::{World, name};

/// As a client that GETs a manifest.
async fn download(registry: &Registry, caller: &Caller, package: &str, reference: &str) {
    let package = readable(registry, caller, package).await;
    let reference = reference.parse().unwrap();
    let manifest = registry
        .get_manifest(&package, &reference, &any())
        .await
        .unwrap();
    registry.count_download(&package, &manifest, &reference);
}

/// Lets this process write down what it has counted.
async fn written(registry: &Arc<Registry>) {
    running(registry, async || true).await;
}

async fn of_package(world: &World, caller: &Caller, days: i64) -> DailyDownloads {
    let path = container(APP);
    let downloads = world.registry.package_downloads(caller, &path, days).await;
    downloads.unwrap()
}

/// Downloads and pulls, over all time.
async fn total(world: &World, caller: &Caller) -> (u64, u64) {
    let total = of_package(world, caller, 1).await.total.downloads;
    (total.downloads, total.pulls)
}

async fn version(world: &World, caller: &Caller, digest: &str) -> VersionId {
    let listed = versions_of(world, caller, APP, VersionState::Listed).await;
    let mut listed = listed.unwrap().into_iter();
    let found = listed.find(|listed| listed.version.digest.as_str() == digest);
    found.unwrap().version.id
}

#[tokio::test]
async fn an_index_and_its_child_are_two_downloads_and_one_pull() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let child = world.push(&octocat, APP, "amd64").await;
    let index = world.push_index(&octocat, APP, "1", &[&child]).await;
    let registry = &world.registry;
    download(registry, &octocat, APP, "1").await;
    download(registry, &octocat, APP, child.digest.as_str()).await;
    written(registry).await;
    assert_eq!(total(&world, &octocat).await, (2, 1));

    // Clients that ask for the tag with HEAD fetch the index by its digest.
    download(registry, &octocat, APP, index.as_str()).await;
    download(registry, &octocat, APP, child.digest.as_str()).await;
    written(registry).await;
    assert_eq!(total(&world, &octocat).await, (4, 2));

    // A platform that has a tag of its own can be pulled by it.
    download(registry, &octocat, APP, "amd64").await;
    written(registry).await;
    assert_eq!(total(&world, &octocat).await, (5, 3));

    let path = container(APP);
    for (digest, expected) in [(&index, 2), (&child.digest, 3)] {
        let id = version(&world, &octocat, digest.as_str()).await;
        let found = registry.version_downloads(&octocat, &path, id, 30).await;
        let found = found.unwrap();
        assert_eq!(found.total.downloads.downloads, expected);
        assert_eq!(found.days.len(), 30);
        assert_eq!(found.days.last().unwrap().downloads.downloads, expected);
    }
}

#[tokio::test]
async fn a_signature_under_its_fallback_tag_is_a_download_and_no_pull() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let image = world.push(&octocat, APP, "1").await;
    let fallback = image.digest.as_str().replace(':', "-");
    world.push(&octocat, APP, &format!("{fallback}.sig")).await;
    download(&world.registry, &octocat, APP, &format!("{fallback}.sig")).await;
    written(&world.registry).await;
    assert_eq!(total(&world, &octocat).await, (1, 0));
}

#[tokio::test]
async fn two_processes_add_to_the_same_counts() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, APP, "1").await;
    let other = world.another().await;
    for _ in 0..3 {
        download(&world.registry, &octocat, APP, "1").await;
        download(&other, &octocat, APP, "1").await;
    }
    tokio::join!(written(&world.registry), written(&other));
    assert_eq!(total(&world, &octocat).await, (6, 6));
}

#[tokio::test]
async fn days_are_counted_apart_and_totals_outlive_them() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, APP, "1").await;
    download(&world.registry, &octocat, APP, "1").await;
    world.clock.advance(DAY);
    // Counted yesterday, written today.
    written(&world.registry).await;
    download(&world.registry, &octocat, APP, "1").await;
    download(&world.registry, &octocat, APP, "1").await;
    written(&world.registry).await;
    let days = of_package(&world, &octocat, 3).await.days;
    let told: Vec<u64> = days.iter().map(|day| day.downloads.downloads).collect();
    assert_eq!(told, [0, 1, 2]);

    let months = Duration::from_secs(24 * 3600 * u64::try_from(DAYS_KEPT).unwrap());
    world.clock.advance(months);
    written(&world.registry).await;
    world.clock.advance(DAY);
    let everything = async || {
        let found = of_package(&world, &octocat, DAYS_KEPT).await;
        found.days.iter().all(|day| day.downloads.downloads == 0)
    };
    running(&world.registry, everything).await;
    assert_eq!(total(&world, &octocat).await, (3, 3));
}

#[tokio::test]
async fn a_deleted_version_leaves_its_downloads_to_the_package() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let first = world.push(&octocat, APP, "1").await;
    world.push(&octocat, APP, "2").await;
    download(&world.registry, &octocat, APP, "1").await;
    written(&world.registry).await;
    let registry = &world.registry;
    // Counted while it is deleted and purged.
    download(registry, &octocat, APP, "1").await;
    let digest = VersionRef::Digest(first.digest.clone());
    delete_version(&world, &octocat, APP, &digest)
        .await
        .unwrap();
    world.clock.advance(31 * DAY);
    crate::kit::collect(&world, naru_registry::garbage_collection::Sweep::Full).await;
    written(registry).await;
    assert_eq!(total(&world, &octocat).await, (2, 2));
}

#[tokio::test]
async fn a_name_that_was_pulled_is_kept_for_its_owner_after_a_rename() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, APP, "1").await;
    download(&world.registry, &octocat, APP, "1").await;
    written(&world.registry).await;
    let db = world.db().await;
    let mut tx = db.write().await.unwrap();
    let owner = accounts::find(&mut tx, &name("octocat")).await.unwrap();
    let owner = owner.unwrap().id();
    accounts::rename(&mut tx, owner, &name("hubot"), world.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    db.close().await;
    world.registry.changed_elsewhere();
    let stranger = world.person("octocat").await;
    let refused = world
        .registry
        .authorize_push(&stranger, &container(APP))
        .await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn what_many_have_downloaded_cannot_be_deleted_where_the_settings_say_so() {
    let settings = Settings {
        undeletable_downloads: 2,
        ..Settings::default()
    };
    let world = World::with(settings).await;
    let octocat = world.person("octocat").await;
    let popular = world.push(&octocat, APP, "1").await;
    let other = world.push(&octocat, APP, "2").await;
    world.push(&octocat, APP, "3").await;
    for _ in 0..3 {
        download(&world.registry, &octocat, APP, "1").await;
    }
    written(&world.registry).await;
    let registry = &world.registry;
    let path = container(APP);
    let delete = async |caller: &Caller, digest: &naru_oci::Digest| {
        let version = VersionRef::Digest(digest.clone());
        delete_version(&world, caller, APP, &version).await
    };
    let public = naru_model::Visibility::Public;
    registry
        .set_package_visibility(&Caller::system(), &path, public)
        .await
        .unwrap();
    delete(&octocat, &other.digest).await.unwrap();
    for refused in [
        delete(&octocat, &popular.digest).await.err(),
        delete_manifest(&world, &octocat, APP, &popular.digest)
            .await
            .err(),
        registry.delete_package(&octocat, &path).await.err(),
    ] {
        let told = matches!(&refused, Some(Error::Undeletable(text)) if text.contains("more than 2 downloads"));
        assert!(told, "{refused:?}");
    }
    let private = naru_model::Visibility::Private;
    registry
        .set_package_visibility(&Caller::system(), &path, private)
        .await
        .unwrap();
    delete(&octocat, &popular.digest).await.unwrap();
}
