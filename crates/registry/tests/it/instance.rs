//! Registries that administrators close.

use naru_metadata::instance;
use naru_model::policy::Refusal;
use naru_model::{PackagePermission, PackageType, RegistryMode};
use naru_registry::{Caller, Error};

use crate::World;
use crate::kit::{APP, readable};
use crate::world::{container, nobody};

async fn set(world: &World, mode: RegistryMode) {
    let system = Caller::system();
    world
        .registry
        .set_registry_mode(&system, PackageType::Container, mode)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_read_only_registry_serves_pulls_and_refuses_pushes_and_deletes() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let image = world.push(&octocat, APP, "1").await;
    set(&world, RegistryMode::ReadOnly).await;
    assert_eq!(world.pull(&octocat, APP, "1").await.unwrap(), image.digest);
    let path = container(APP);
    let free = container("octocat/free");
    let registry = &world.registry;
    for refused in [
        registry.authorize_push(&octocat, &path).await.err(),
        registry.authorize_push(&octocat, &free).await.err(),
        registry.delete_package(&octocat, &path).await.err(),
    ] {
        let Some(Error::Refused(refusal)) = refused else {
            panic!("{refused:?}");
        };
        let told = refusal.explanation();
        assert!(told.contains("the registry is read-only"), "{told}");
    }
    set(&world, RegistryMode::Enabled).await;
    world.push(&octocat, APP, "2").await;
}

#[tokio::test]
async fn a_disabled_registry_answers_as_if_it_held_nothing() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, APP, "1").await;
    readable(&world.registry, &octocat, APP).await;
    set(&world, RegistryMode::Disabled).await;
    let registry = &world.registry;
    let read = PackagePermission::Read;
    for path in [container(APP), container("octocat/absent")] {
        let refused = registry.authorize(&octocat, &path, read).await.err();
        assert!(
            matches!(refused, Some(Error::Refused(Refusal::Unknown))),
            "{refused:?}"
        );
        let refused = registry.authorize_push(&octocat, &path).await.err();
        assert!(
            matches!(refused, Some(Error::Refused(Refusal::Unknown))),
            "{refused:?}"
        );
        let refused = registry.authorize(&nobody(), &path, read).await.err();
        let told = matches!(refused, Some(Error::Refused(Refusal::Unauthenticated)));
        assert!(told, "{refused:?}");
    }
    let found = registry
        .find_registry(&octocat, PackageType::Container)
        .await;
    assert!(matches!(found, Err(Error::NotFound { .. })));
    registry
        .find_registry(&octocat, PackageType::Docker)
        .await
        .unwrap();
}

#[tokio::test]
async fn only_administrators_of_the_instance_open_and_close_registries() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let registry = &world.registry;
    let refused = registry
        .set_registry_mode(&octocat, PackageType::Docker, RegistryMode::Disabled)
        .await;
    assert!(matches!(refused, Err(Error::Refused(_))));
    let refused = registry.instance_settings(&octocat).await;
    assert!(matches!(refused, Err(Error::Refused(_))));
}

#[tokio::test]
async fn a_ping_remembers_which_registries_are_open_until_it_hears_of_a_change() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let registry = &world.registry;
    let ping = async || {
        registry
            .find_registry(&octocat, PackageType::Container)
            .await
    };
    ping().await.unwrap();
    set(&world, RegistryMode::Disabled).await;
    assert!(ping().await.is_err(), "its own change");
    set(&world, RegistryMode::Enabled).await;
    ping().await.unwrap();

    let db = world.db().await;
    let mut tx = db.write().await.unwrap();
    let container = PackageType::Container;
    instance::set_registry(&mut tx, container, RegistryMode::Disabled)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    // A shared database is asked again after a second, which may be over.
    if !db.is_shared() {
        ping().await.unwrap();
    }
    db.close().await;
    registry.changed_elsewhere();
    assert!(ping().await.is_err(), "another process's change");
}
