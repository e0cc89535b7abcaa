//! The collector and its promises: what is live or promised stays, what nobody needs goes.

use std::sync::Arc;

use naru_metadata::links;
use naru_model::VersionState;
use naru_registry::Error;
use naru_registry::garbage_collection::{Collected, Sweep};
use naru_registry::purge::{PurgeOptions, PurgeTarget};
use naru_registry::versions::VersionRef;

use crate::World;
use crate::kit::{
    APP, DAY, HOUR, append, begin, chunk, collect, delete_blob, delete_manifest, digest_of,
    is_unknown, manifest_of, mount, noise, objects, push_artifact, push_blob, put_manifest, stat,
    target, versions_of,
};
use crate::world::{START, blob, container};

/// A layer that no other test has.
const LAYER: &[u8] = b"a layer of several words";

#[tokio::test]
async fn a_blob_that_no_manifest_names_goes_after_its_lease_and_its_bytes_after_the_delay() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_blob(&world, &octocat, APP, LAYER).await;
    world.clock.advance(23 * HOUR);
    assert_eq!(collect(&world, Sweep::Full).await, Collected::default());
    world.clock.advance(2 * HOUR);
    let collected = collect(&world, Sweep::Full).await;
    assert_eq!(
        (collected.links, collected.condemned, collected.removed),
        (1, 1, 0)
    );
    assert_eq!(
        objects(&world).await,
        1,
        "an older copy of the database may name it"
    );
    world.clock.advance(7 * DAY + HOUR);
    assert_eq!(collect(&world, Sweep::Full).await.removed, 1);
    assert_eq!(objects(&world).await, 0);
    assert_eq!(collect(&world, Sweep::Full).await, Collected::default());
}

#[tokio::test]
async fn exists_is_a_promise_for_half_a_lease() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_blob(&world, &octocat, APP, b"{}").await;
    let layer = push_blob(&world, &octocat, APP, LAYER).await;
    // Asked again and again, it lasts longer than the lease that its upload was given.
    for _ in 0..10 {
        world.clock.advance(13 * HOUR);
        for digest in [&layer, &digest_of(b"{}")] {
            stat(&world.registry, &octocat, APP, digest).await.unwrap();
        }
        collect(&world, Sweep::Full).await;
    }
    world.clock.advance(11 * HOUR);
    collect(&world, Sweep::Full).await;
    put_manifest(&world, &octocat, APP, "1", manifest_of(&[LAYER]))
        .await
        .unwrap();
    assert_eq!(
        blob(&world.registry, &octocat, APP, &layer).await.unwrap(),
        LAYER
    );
}

#[tokio::test]
async fn a_reader_who_may_not_push_renews_nothing() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    push_artifact(&world, &octocat, APP, "1", &[b"shown"])
        .await
        .unwrap();
    world
        .registry
        .set_package_visibility(&octocat, &container(APP), naru_model::Visibility::Public)
        .await
        .unwrap();
    let layer = push_blob(&world, &octocat, APP, LAYER).await;
    for _ in 0..3 {
        world.clock.advance(9 * HOUR);
        stat(&world.registry, &hubot, APP, &layer).await.unwrap();
    }
    assert_eq!(collect(&world, Sweep::Quick).await.links, 1);
}

#[tokio::test]
async fn pinning_without_a_manifest_ends_after_seven_days() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let layer = push_blob(&world, &octocat, APP, LAYER).await;
    for _ in 0..13 {
        world.clock.advance(12 * HOUR);
        stat(&world.registry, &octocat, APP, &layer).await.unwrap();
        assert!(mount(&world.registry, &octocat, APP, &layer, Some(APP)).await);
        assert!(
            mount(
                &world.registry,
                &octocat,
                "octocat/other",
                &layer,
                Some(APP)
            )
            .await
        );
        assert!(
            mount(
                &world.registry,
                &octocat,
                APP,
                &layer,
                Some("octocat/other")
            )
            .await
        );
    }
    world.clock.advance(12 * HOUR);
    for package in [APP, "octocat/other"] {
        assert!(
            is_unknown(&stat(&world.registry, &octocat, package, &layer).await),
            "{package}"
        );
    }
    assert!(!mount(&world.registry, &octocat, APP, &layer, None).await);
    world.clock.advance(25 * HOUR);
    assert_eq!(collect(&world, Sweep::Quick).await.condemned, 1);
}

#[tokio::test]
async fn two_who_renew_at_once_both_hear_that_it_exists() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let layer = push_blob(&world, &octocat, APP, LAYER).await;
    world.clock.advance(13 * HOUR);
    let requests = (0..16).map(|_| {
        let (registry, octocat, layer) =
            (Arc::clone(&world.registry), octocat.clone(), layer.clone());
        tokio::spawn(async move { stat(&registry, &octocat, APP, &layer).await })
    });
    for request in requests.collect::<Vec<_>>() {
        request.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn after_a_delete_nobody_reads_the_blob_but_a_push_that_was_promised_it_goes_through() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_blob(&world, &octocat, APP, b"{}").await;
    let layer = push_blob(&world, &octocat, APP, LAYER).await;
    delete_blob(&world, &octocat, APP, &layer).await.unwrap();
    assert!(is_unknown(
        &stat(&world.registry, &octocat, APP, &layer).await
    ));
    assert!(is_unknown(
        &delete_blob(&world, &octocat, APP, &layer).await
    ));
    assert!(
        !mount(
            &world.registry,
            &octocat,
            "octocat/other",
            &layer,
            Some(APP)
        )
        .await
    );
    world.clock.advance(11 * HOUR);
    collect(&world, Sweep::Full).await;
    put_manifest(&world, &octocat, APP, "1", manifest_of(&[LAYER]))
        .await
        .unwrap();
    assert_eq!(
        blob(&world.registry, &octocat, APP, &layer).await.unwrap(),
        LAYER
    );
    let needed = delete_blob(&world, &octocat, APP, &layer).await;
    assert!(matches!(needed, Err(Error::StillNeeded { .. })));
}

#[tokio::test]
async fn a_push_that_was_told_exists_goes_through_although_the_last_reference_goes() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let first = push_artifact(&world, &octocat, APP, "1", &[LAYER])
        .await
        .unwrap();
    world.clock.advance(100 * DAY);
    stat(&world.registry, &octocat, APP, &digest_of(LAYER))
        .await
        .unwrap();
    delete_manifest(&world, &octocat, APP, &first)
        .await
        .unwrap();
    assert!(is_unknown(
        &stat(&world.registry, &octocat, APP, &digest_of(LAYER)).await
    ));
    world.clock.advance(12 * HOUR);
    collect(&world, Sweep::Full).await;
    let other = manifest_of(&[LAYER, LAYER]);
    put_manifest(&world, &octocat, APP, "2", other)
        .await
        .unwrap();
    assert_eq!(
        blob(&world.registry, &octocat, APP, &digest_of(LAYER))
            .await
            .unwrap(),
        LAYER
    );
}

#[tokio::test]
async fn what_only_the_bin_holds_is_to_be_uploaded_again() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let first = push_artifact(&world, &octocat, APP, "1", &[LAYER])
        .await
        .unwrap();
    push_artifact(&world, &octocat, APP, "other", &[b"other"])
        .await
        .unwrap();
    delete_manifest(&world, &octocat, APP, &first)
        .await
        .unwrap();
    world.clock.advance(25 * HOUR);
    collect(&world, Sweep::Full).await;
    // Neither for another manifest nor for the very same one.
    for content in [manifest_of(&[LAYER, b"other"]), manifest_of(&[LAYER])] {
        let refused = put_manifest(&world, &octocat, APP, "2", content).await;
        let missing = vec![digest_of(LAYER)];
        assert!(matches!(refused, Err(Error::ManifestBlobUnknown(digests)) if digests == missing));
    }
    assert!(is_unknown(
        &stat(&world.registry, &octocat, APP, &digest_of(LAYER)).await
    ));
    push_blob(&world, &octocat, APP, LAYER).await;
    for content in [manifest_of(&[LAYER, b"other"]), manifest_of(&[LAYER])] {
        put_manifest(&world, &octocat, APP, "2", content)
            .await
            .unwrap();
    }
    assert_eq!(world.pull(&octocat, APP, "2").await.unwrap(), first);
    let deleted = versions_of(&world, &octocat, APP, VersionState::Deleted).await;
    assert_eq!(deleted.unwrap(), [], "it came back");
}

#[tokio::test]
async fn a_mounted_blob_stays_although_its_source_goes() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let first = push_artifact(&world, &octocat, APP, "1", &[LAYER])
        .await
        .unwrap();
    let layer = digest_of(LAYER);
    push_blob(&world, &octocat, "octocat/other", b"{}").await;
    assert!(
        mount(
            &world.registry,
            &octocat,
            "octocat/other",
            &layer,
            Some(APP)
        )
        .await
    );
    delete_manifest(&world, &octocat, APP, &first)
        .await
        .unwrap();
    let at_once = PurgeOptions { at_once: true };
    let app = PurgeTarget::Package(container(APP));
    let system = naru_registry::Caller::system();
    world
        .registry
        .purge(&system, &app, at_once, &|_| {})
        .await
        .unwrap();
    world.clock.advance(12 * HOUR);
    collect(&world, Sweep::Full).await;
    put_manifest(
        &world,
        &octocat,
        "octocat/other",
        "1",
        manifest_of(&[LAYER]),
    )
    .await
    .unwrap();
    world.clock.advance(90 * DAY);
    collect(&world, Sweep::Full).await;
    let found = blob(&world.registry, &octocat, "octocat/other", &layer).await;
    assert_eq!(found.unwrap(), LAYER);
}

#[tokio::test]
async fn nothing_is_mounted_from_where_the_caller_may_not_read() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    push_artifact(&world, &octocat, APP, "1", &[LAYER])
        .await
        .unwrap();
    let layer = digest_of(LAYER);
    assert!(!mount(&world.registry, &hubot, "hubot/app", &layer, None).await);
    let own = target(&world.registry, &hubot, "hubot/app").await;
    world.upload(&hubot, &own, b"{}").await.unwrap();
    let refused = put_manifest(&world, &hubot, "hubot/app", "1", manifest_of(&[LAYER])).await;
    assert!(matches!(refused, Err(Error::ManifestBlobUnknown(_))));
    world
        .registry
        .set_package_visibility(&octocat, &container(APP), naru_model::Visibility::Public)
        .await
        .unwrap();
    assert!(mount(&world.registry, &hubot, "hubot/app", &layer, None).await);
}

#[tokio::test]
async fn what_a_live_or_a_deleted_manifest_holds_is_never_taken() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let live = push_artifact(&world, &octocat, APP, "live", &[b"live"])
        .await
        .unwrap();
    let binned = push_artifact(&world, &octocat, APP, "binned", &[LAYER])
        .await
        .unwrap();
    world.clock.advance(365 * DAY);
    assert_eq!(
        collect(&world, Sweep::Full).await,
        Collected {
            removed: 1,
            ..Collected::default()
        }
    );
    delete_manifest(&world, &octocat, APP, &binned)
        .await
        .unwrap();
    for _ in 0..29 {
        world.clock.advance(DAY);
        let collected = collect(&world, Sweep::Full).await;
        assert_eq!((collected.links, collected.condemned), (0, 0));
    }
    let version = VersionRef::Digest(binned.clone());
    let path = container(APP);
    let tags = world
        .registry
        .restore_version(&octocat, &path, &version)
        .await
        .unwrap();
    assert_eq!(tags.tags(), ["binned"]);
    for (tag, digest, layer) in [("live", live, &b"live"[..]), ("binned", binned, LAYER)] {
        assert_eq!(world.pull(&octocat, APP, tag).await.unwrap(), digest);
        let found = blob(&world.registry, &octocat, APP, &digest_of(layer)).await;
        assert_eq!(found.unwrap(), layer);
    }
}

#[tokio::test]
async fn after_thirty_days_in_the_bin_everything_goes_in_its_order() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "1", &[b"kept"])
        .await
        .unwrap();
    let image = world.push(&octocat, APP, "amd64").await;
    let index = world.push_index(&octocat, APP, "2", &[&image]).await;
    delete_manifest(&world, &octocat, APP, &index)
        .await
        .unwrap();
    delete_manifest(&world, &octocat, APP, &image.digest)
        .await
        .unwrap();
    world.clock.advance(30 * DAY + HOUR);
    let collected = collect(&world, Sweep::Quick).await;
    assert_eq!(collected.versions, 2, "the index, and then its child");
    assert_eq!(
        collected.condemned, 0,
        "a push may have been promised a layer until now"
    );
    world.clock.advance(25 * HOUR);
    assert_eq!(collect(&world, Sweep::Quick).await.condemned, 2);
    world.clock.advance(8 * DAY);
    assert_eq!(collect(&world, Sweep::Quick).await.removed, 2);
    assert_eq!(objects(&world).await, 2);
    assert!(world.pull(&octocat, APP, "1").await.is_ok());
}

#[tokio::test]
async fn a_deleted_package_goes_after_thirty_days_with_all_its_bytes() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "1", &[LAYER])
        .await
        .unwrap();
    world
        .registry
        .delete_package(&octocat, &container(APP))
        .await
        .unwrap();
    let late = put_manifest(&world, &octocat, APP, "2", manifest_of(&[LAYER])).await;
    assert!(
        matches!(late, Err(Error::ManifestBlobUnknown(_))),
        "it is another package now"
    );
    let mut packages = 0;
    for _ in 0..45 {
        world.clock.advance(DAY);
        packages += collect(&world, Sweep::Full).await.packages;
    }
    assert_eq!((packages, objects(&world).await), (1, 0));
}

#[tokio::test]
async fn a_damaged_blob_is_healed_by_the_next_push() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let manifest = push_artifact(&world, &octocat, APP, "1", &[LAYER])
        .await
        .unwrap();
    let layer = digest_of(LAYER);
    let db = world.db().await;
    let mut tx = db.write().await.unwrap();
    let row = links::blob(&mut tx, &layer).await.unwrap().unwrap();
    assert!(
        links::mark_damaged(&mut tx, &layer, &row.storage_key, START)
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    db.close().await;
    assert!(
        is_unknown(&stat(&world.registry, &octocat, APP, &layer).await),
        "to pushers"
    );
    assert!(
        !mount(
            &world.registry,
            &octocat,
            "octocat/other",
            &layer,
            Some(APP)
        )
        .await
    );
    let refused = put_manifest(&world, &octocat, APP, "2", manifest_of(&[LAYER, b""])).await;
    assert!(matches!(refused, Err(Error::ManifestBlobUnknown(_))));
    push_blob(&world, &octocat, APP, LAYER).await;
    assert_eq!(
        blob(&world.registry, &octocat, APP, &layer).await.unwrap(),
        LAYER
    );
    assert_eq!(world.pull(&octocat, APP, "1").await.unwrap(), manifest);
    world.clock.advance(8 * DAY);
    assert_eq!(
        collect(&world, Sweep::Full).await.removed,
        1,
        "the damaged bytes"
    );
    assert_eq!(
        blob(&world.registry, &octocat, APP, &layer).await.unwrap(),
        LAYER
    );
}

#[tokio::test]
async fn objects_that_no_row_knows_go_after_two_days_and_the_delay() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "1", &[LAYER])
        .await
        .unwrap();
    // A crash between the bytes and their row leaves this.
    let began = u64::try_from(START.as_seconds() * 1000).unwrap();
    let key = naru_blobstore::StorageKey::fresh(began, [5; 12]);
    let mut orphan = world.blobs().begin(key).unwrap();
    orphan
        .append(bytes::Bytes::from_static(b"orphan"))
        .await
        .unwrap();
    orphan.finish(&digest_of(b"orphan")).await.unwrap();
    world.clock.advance(47 * HOUR);
    assert_eq!(collect(&world, Sweep::Full).await.orphans, 0);
    let id = begin(&world.registry, &octocat, APP).await;
    append(
        &world.registry,
        &octocat,
        APP,
        &id,
        chunk(&noise("open", 1000)),
    )
    .await
    .unwrap();
    world.clock.advance(2 * HOUR);
    assert_eq!(collect(&world, Sweep::Full).await.orphans, 1);
    assert_eq!(objects(&world).await, 4);
    world.clock.advance(7 * DAY + HOUR);
    let collected = collect(&world, Sweep::Full).await;
    assert_eq!((collected.orphans, collected.uploads), (0, 1));
    assert_eq!(objects(&world).await, 2);
    assert_eq!(
        blob(&world.registry, &octocat, APP, &digest_of(LAYER))
            .await
            .unwrap(),
        LAYER
    );
}

#[tokio::test]
async fn what_a_crash_left_between_link_and_blob_is_found_by_a_full_sweep() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let layer = push_blob(&world, &octocat, APP, LAYER).await;
    let db = world.db().await;
    let mut tx = db.write().await.unwrap();
    let later = START.plus(25 * HOUR);
    let loose = naru_metadata::collector::unlink(&mut tx, later, 9)
        .await
        .unwrap();
    assert_eq!(loose, std::slice::from_ref(&layer));
    tx.commit().await.unwrap();
    db.close().await;
    assert_eq!(collect(&world, Sweep::Quick).await.condemned, 0);
    assert_eq!(collect(&world, Sweep::Full).await.condemned, 1);
}

#[tokio::test]
async fn a_digest_that_comes_back_while_its_old_bytes_wait_gets_new_ones() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let layer = push_blob(&world, &octocat, APP, LAYER).await;
    world.clock.advance(25 * HOUR);
    assert_eq!(collect(&world, Sweep::Quick).await.condemned, 1);
    push_artifact(&world, &octocat, APP, "1", &[LAYER])
        .await
        .unwrap();
    world.clock.advance(8 * DAY);
    assert_eq!(collect(&world, Sweep::Full).await.removed, 1);
    assert_eq!(
        blob(&world.registry, &octocat, APP, &layer).await.unwrap(),
        LAYER
    );
}

/// What is due is asked anew for each batch, so a jump in the middle of a run counts as one before.
#[tokio::test]
async fn a_clock_that_jumps_in_the_middle_of_a_run_ends_it_before_the_next_batch() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let layer = push_blob(&world, &octocat, APP, LAYER).await;
    let clock = world.clock.clone();
    let jumped = std::sync::Once::new();
    let jumps = |_: &Collected| jumped.call_once(|| clock.advance(48 * HOUR));
    let ended = world.registry.collect_garbage(Sweep::Full, &jumps).await;
    let Err(Error::Conflict(text)) = ended else {
        panic!("{ended:?}");
    };
    assert!(text.contains("minutes ahead"), "{text}");
    world.clock.set(START);
    assert_eq!(
        stat(&world.registry, &octocat, APP, &layer).await.unwrap(),
        LAYER.len() as u64
    );
}

#[tokio::test]
async fn a_blob_that_is_remembered_is_forgotten_with_the_last_version_that_needs_it() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let layer = digest_of(LAYER);
    let mut images = Vec::new();
    for tag in ["1", "2"] {
        let layers = [LAYER, tag.as_bytes()];
        let image = push_artifact(&world, &octocat, APP, tag, &layers).await;
        images.push(image.unwrap());
    }
    for image in &images {
        // Asked twice: the second answer may come from memory.
        for _ in 0..2 {
            let size = stat(&world.registry, &octocat, APP, &layer).await.unwrap();
            assert_eq!(size, LAYER.len() as u64);
        }
        delete_manifest(&world, &octocat, APP, image).await.unwrap();
    }
    assert!(is_unknown(
        &stat(&world.registry, &octocat, APP, &layer).await
    ));
}
