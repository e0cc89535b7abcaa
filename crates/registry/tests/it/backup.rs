//! Backups of a running instance.

use naru_blobstore::{BlobStore, BlobStoreSettings};
use naru_metadata::{DatabaseSettings, Db, SchemaPolicy};
use naru_model::SystemRandom;
use naru_registry::backup::{BackupOptions, verify_backup};
use naru_registry::{Caller, Error, MasterKey, Parts, Registry, Settings};

use crate::World;
use crate::world::{basic, bearer, blob, pull};

const WITH_KEY: BackupOptions = BackupOptions {
    with_master_key: true,
};

#[tokio::test]
async fn starting_on_a_backup_serves_what_was_there() {
    let world = World::new().await;
    if !world.is_embedded() {
        return;
    }
    world.user("octocat").await;
    let pat = world.pat("octocat", crate::world::PACKAGES).await;
    let octocat = world.caller(&pat).await;
    let image = world.push(&octocat, "octocat/app", "1").await;
    world.registry.prepare_keys().await.unwrap();
    let issued = world
        .registry
        .issue_registry_token(
            &octocat,
            naru_model::PackageType::Container,
            &Default::default(),
        )
        .await
        .unwrap();
    let to = tempfile::tempdir().unwrap();
    let system = Caller::system();
    let made = world
        .registry
        .back_up(&system, to.path(), WITH_KEY, &|_| {})
        .await
        .unwrap();
    assert_eq!(made.blobs, 2);
    world.push(&octocat, "octocat/app", "2").await;

    let check = verify_backup(to.path(), &|_| {}).await.unwrap();
    assert_eq!((check.sound, check.problems), (2, Vec::new()));
    let key = std::fs::read(to.path().join("master.key")).unwrap();
    let restored = Registry::new(Parts {
        db: Db::open(
            &DatabaseSettings::default(),
            to.path(),
            SchemaPolicy::CreateOrMigrate,
        )
        .await
        .unwrap(),
        blobs: BlobStore::new(&BlobStoreSettings::default(), to.path()).unwrap(),
        clock: std::sync::Arc::new(world.clock.clone()),
        random: std::sync::Arc::new(SystemRandom),
        settings: Settings::default(),
        master_key: MasterKey::from_file_content(&key).unwrap(),
        hosts: Vec::new(),
    });
    restored.prepare_keys().await.unwrap();
    let door = naru_registry::credentials::Door::Rest;
    assert!(
        restored
            .identify(door, &bearer(&issued.token))
            .await
            .is_ok(),
        "keys came along"
    );
    let identity = restored.identify(door, &basic(&pat.secret)).await.unwrap();
    let caller = Caller {
        principal: identity.into_principal(),
        request_id: None,
    };
    assert_eq!(
        pull(&restored, &caller, "octocat/app", "1").await.unwrap(),
        image.digest
    );
    assert!(
        pull(&restored, &caller, "octocat/app", "2").await.is_err(),
        "came after"
    );
    let layer = blob(&restored, &caller, "octocat/app", &image.layer)
        .await
        .unwrap();
    assert_eq!(layer, "layer of octocat/app:1");
}

#[tokio::test]
async fn a_backup_is_brought_up_to_date() {
    let world = World::new().await;
    if !world.is_embedded() {
        return;
    }
    let octocat = world.person("octocat").await;
    let to = tempfile::tempdir().unwrap();
    let system = Caller::system();
    let options = BackupOptions::default();
    world.push(&octocat, "octocat/app", "1").await;
    world
        .registry
        .back_up(&system, to.path(), options, &|_| {})
        .await
        .unwrap();
    world.push(&octocat, "octocat/app", "2").await;
    let made = world
        .registry
        .back_up(&system, to.path(), options, &|_| {})
        .await
        .unwrap();
    assert_eq!(made.blobs, 4);
    assert!(!to.path().join("master.key").exists());
    assert_eq!(
        verify_backup(to.path(), &|_| {}).await.unwrap().problems,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_damaged_backup_is_found_out() {
    let world = World::new().await;
    if !world.is_embedded() {
        return;
    }
    let octocat = world.person("octocat").await;
    world.push(&octocat, "octocat/app", "1").await;
    let to = tempfile::tempdir().unwrap();
    let options = BackupOptions::default();
    world
        .registry
        .back_up(&Caller::system(), to.path(), options, &|_| {})
        .await
        .unwrap();
    std::fs::remove_dir_all(to.path().join("blobs")).unwrap();
    let check = verify_backup(to.path(), &|_| {}).await.unwrap();
    assert_eq!((check.sound, check.problems.len()), (0, 2));
    std::fs::remove_file(to.path().join("backup.json")).unwrap();
    let unfinished = verify_backup(to.path(), &|_| {}).await;
    assert!(matches!(unfinished, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_damaged_blob_keeps_no_backup_from_being_made_but_is_named_in_it() {
    let world = World::new().await;
    if !world.is_embedded() {
        return;
    }
    let octocat = world.person("octocat").await;
    let image = world.push(&octocat, "octocat/app", "1").await;
    let file = crate::fsck::file_of(&world, b"layer of octocat/app:1");
    crate::fsck::overwrite(&file, b"layer of octocat/app:2");
    let to = tempfile::tempdir().unwrap();
    let options = BackupOptions::default();
    let made = world
        .registry
        .back_up(&Caller::system(), to.path(), options, &|_| {})
        .await;
    let made = made.unwrap();
    assert_eq!((made.blobs, made.damaged), (1, vec![image.layer]));
    let check = verify_backup(to.path(), &|_| {}).await.unwrap();
    assert_eq!((check.sound, check.problems.len()), (1, 1));
}

#[tokio::test]
async fn a_directory_with_something_else_in_it_is_left_alone() {
    let world = World::new().await;
    if !world.is_embedded() {
        return;
    }
    let to = tempfile::tempdir().unwrap();
    std::fs::write(to.path().join("letter.txt"), "dear").unwrap();
    let options = BackupOptions::default();
    let made = world
        .registry
        .back_up(&Caller::system(), to.path(), options, &|_| {})
        .await;
    assert!(matches!(made, Err(Error::Conflict(_))));
    assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn postgresql_is_told_to_use_its_own_tools() {
    let world = World::new().await;
    if world.is_embedded() {
        return;
    }
    let to = tempfile::tempdir().unwrap();
    let options = BackupOptions::default();
    let made = world
        .registry
        .back_up(&Caller::system(), to.path(), options, &|_| {})
        .await;
    assert!(made.is_ok() || matches!(made, Err(Error::Conflict(_))));
}
