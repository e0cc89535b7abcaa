//! Checks of a store that was damaged on purpose.

use std::path::PathBuf;
use std::time::Duration;

use naru_model::PackagePermission;
use naru_oci::Digest;
use naru_registry::fsck::{Depth, Finding, Observer, Progress};
use naru_registry::{Caller, Error};

use crate::World;
use crate::world::{blob, container};

struct Quiet;

impl Observer for Quiet {
    fn progress(&self, _: &Progress) {}
    fn found(&self, _: &Finding) {}
}

async fn check(world: &World, depth: Depth) -> Vec<Finding> {
    world.registry.fsck(depth, &Quiet).await.unwrap()
}

/// The file that holds a blob, found by its content.
pub(crate) fn file_of(world: &World, content: &[u8]) -> PathBuf {
    let mut directories = vec![world.data().join("blobs")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if std::fs::read(&path).unwrap() == content {
                return path;
            }
        }
    }
    panic!("no file holds that");
}

/// Makes a file that blobs lie in writable, as a failing disk would not ask.
pub(crate) fn overwrite(path: &PathBuf, content: &[u8]) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, content).unwrap();
}

const LAYER: &[u8] = b"layer of octocat/app:1";

#[tokio::test]
async fn a_sound_instance_has_no_findings() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let image = world.push(&octocat, "octocat/app", "1").await;
    world
        .push_index(&octocat, "octocat/app", "2", &[&image])
        .await;
    world
        .registry
        .delete_package(&octocat, &container("octocat/app"))
        .await
        .unwrap();
    world.push(&octocat, "octocat/app", "3").await;
    assert_eq!(check(&world, Depth::Content).await, []);
}

#[tokio::test]
async fn a_missing_a_truncated_and_a_flipped_blob_are_found_and_told_apart() {
    let world = World::new().await;
    if !world.is_embedded() {
        return;
    }
    let octocat = world.person("octocat").await;
    let image = world.push(&octocat, "octocat/app", "1").await;
    let file = file_of(&world, LAYER);

    let mut flipped = LAYER.to_vec();
    flipped[3] ^= 1;
    overwrite(&file, &flipped);
    assert_eq!(
        check(&world, Depth::Presence).await,
        [],
        "the length is right"
    );
    let found = check(&world, Depth::Content).await;
    assert!(matches!(&found[..], [Finding::DamagedBlob { digest, .. }] if *digest == image.layer));

    overwrite(&file, &LAYER[..5]);
    let found = check(&world, Depth::Presence).await;
    assert!(matches!(
        &found[..],
        [Finding::TruncatedBlob {
            expected: 22,
            found: 5,
            ..
        }]
    ));

    std::fs::remove_file(&file).unwrap();
    let found = check(&world, Depth::Presence).await;
    assert!(matches!(&found[..], [Finding::MissingBlob { .. }]));
    assert!(found[0].is_damage() && found[0].remedy().contains("push"));
}

#[tokio::test]
async fn a_damaged_blob_is_absent_to_pushers_and_healed_by_the_next_push() {
    let world = World::new().await;
    if !world.is_embedded() {
        return;
    }
    let octocat = world.person("octocat").await;
    let image = world.push(&octocat, "octocat/app", "1").await;
    std::fs::remove_file(file_of(&world, LAYER)).unwrap();
    assert_eq!(check(&world, Depth::Presence).await.len(), 1);
    let path = container("octocat/app");
    let pusher = world
        .registry
        .authorize(&octocat, &path, PackagePermission::Write)
        .await
        .unwrap();
    let absent = world.registry.stat_blob(&pusher, &image.layer).await;
    assert!(matches!(absent, Err(Error::BlobUnknown(_))));
    world.push(&octocat, "octocat/app", "1").await;
    assert_eq!(check(&world, Depth::Content).await, []);
    let read = blob(&world.registry, &octocat, "octocat/app", &image.layer)
        .await
        .unwrap();
    assert_eq!(read, LAYER);
}

#[tokio::test]
async fn an_object_that_no_row_knows_is_found_when_it_is_no_longer_young() {
    let world = World::new().await;
    if !world.is_embedded() {
        return;
    }
    let millis = u64::try_from(crate::world::START.as_micros() / 1000).unwrap();
    let key = naru_blobstore::StorageKey::fresh(millis, [9; 12]);
    let path = world.data().join(key.to_string());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, b"lost").unwrap();
    assert_eq!(
        check(&world, Depth::Presence).await,
        [],
        "it may belong to an upload"
    );
    world.clock.advance(Duration::from_secs(3601));
    let found = check(&world, Depth::Presence).await;
    assert!(
        matches!(&found[..], [Finding::UnknownObject { size: 4, .. }]),
        "{found:?}"
    );
    assert!(!found[0].is_damage());
}

#[tokio::test]
async fn a_manifest_whose_row_was_changed_is_found() {
    let world = World::new().await;
    if !world.is_embedded() {
        return;
    }
    let octocat = world.person("octocat").await;
    let image = world.push(&octocat, "octocat/app", "1").await;
    damage(&world, "UPDATE versions SET content = x'7b7d'").await;
    let found = check(&world, Depth::Presence).await;
    let is_it = |digest: &Digest| *digest == image.digest;
    assert!(matches!(&found[..], [Finding::DamagedManifest { digest, .. }] if is_it(digest)));
}

#[tokio::test]
async fn rows_that_contradict_each_other_are_found() {
    let world = World::new().await;
    if !world.is_embedded() {
        return;
    }
    let octocat = world.person("octocat").await;
    world.push(&octocat, "octocat/app", "1").await;
    damage(&world, "UPDATE versions SET deleted_at = 1").await;
    damage(&world, "DELETE FROM version_blobs").await;
    damage(
        &world,
        "INSERT INTO trash (storage_key, reason, delete_after)
             SELECT storage_key, 'orphan', 0 FROM blobs LIMIT 1",
    )
    .await;
    let found = check(&world, Depth::Presence).await;
    let rows = found
        .iter()
        .filter(|one| matches!(one, Finding::Rows { .. }))
        .count();
    let unheld = found
        .iter()
        .filter(|one| matches!(one, Finding::Unheld { .. }))
        .count();
    assert_eq!((rows, unheld), (2, 2), "{found:#?}");
    assert!(found.iter().all(|one| !one.to_string().is_empty()));
    drop(Caller::system());
}

/// Changes the database behind everybody's back.
pub(crate) async fn damage(world: &World, sql: &'static str) {
    use naru_metadata::db::Statement;
    let db = world.db().await;
    let statement: &'static Statement = Box::leak(Box::new(Statement::new("damage", sql)));
    let mut tx = db.write().await.unwrap();
    tx.execute(statement, &[]).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await;
}
