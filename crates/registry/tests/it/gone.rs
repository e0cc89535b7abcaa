//! What cannot be restored any more takes with it what was said in it.

use std::collections::{BTreeMap, BTreeSet};

use naru_metadata::gone;
use naru_model::{Clock, Deployment, DeploymentStatus, Environment, RepositoryId, RepositoryPath};
use naru_registry::artifacts::{OnRejection, Told};
use naru_registry::garbage_collection::Sweep;
use naru_registry::purge::{PurgeOptions, PurgeTarget};
use naru_registry::{Caller, Error};

use crate::attestations::{bundle, digest, octo, person};
use crate::kit::{DAY, collect};
use crate::usage::usage;
use crate::world::repository;
use crate::{World, name};

/// Says something in a repository: an attestation and a deployment.
async fn say(world: &World, path: &RepositoryPath) {
    let owner = person(world, "owner").await;
    let registry = &world.registry;
    let bundle = bundle(&digest("app"));
    let said = registry.create_attestation(&owner, path, &bundle);
    said.await.unwrap();
    let told = Told {
        deployment: Deployment {
            deployment_name: path.name.to_string(),
            name: "app".to_owned(),
            digest: digest("app"),
            version: None,
            status: DeploymentStatus::Deployed,
            tags: BTreeMap::new(),
            runtime_risks: BTreeSet::new(),
        },
        repository: Some(path.name.clone()),
    };
    let environment = Environment {
        logical: "production".to_owned(),
        physical: String::new(),
        cluster: "one".to_owned(),
    };
    let refuse = OnRejection::Refuse;
    registry
        .record_deployments(&owner, &path.owner, &environment, vec![told], refuse)
        .await
        .unwrap();
}

/// Deleted repositories in which something is still said.
async fn left(world: &World) -> Vec<RepositoryId> {
    let db = world.db().await;
    let mut conn = db.read().await.unwrap();
    let future = world.clock.now().plus(DAY);
    gone::repositories(&mut conn, future, 10).await.unwrap()
}

#[tokio::test]
async fn a_repository_keeps_what_was_said_in_it_for_as_long_as_it_can_be_restored() {
    let world = octo().await;
    let (open, closed) = (repository("octo/open"), repository("octo/closed"));
    say(&world, &open).await;
    say(&world, &closed).await;
    let size = usage(&world, "octo").await.live / 2;
    let system = Caller::system();
    let registry = &world.registry;
    registry.delete_repository(&system, &open).await.unwrap();
    world
        .clock
        .advance(30 * DAY - std::time::Duration::from_secs(60));
    collect(&world, Sweep::Quick).await;
    assert_eq!(usage(&world, "octo").await.bin, size);
    world.clock.advance(DAY);
    collect(&world, Sweep::Quick).await;
    let measured = usage(&world, "octo").await;
    assert_eq!((measured.live, measured.bin), (size, 0));
    assert_eq!(left(&world).await, []);
    let late = registry.restore_repository(&system, &open).await;
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
}

#[tokio::test]
async fn an_organization_takes_what_was_said_in_its_repositories() {
    let world = octo().await;
    say(&world, &repository("octo/open")).await;
    let system = Caller::system();
    let octo = name("octo");
    let registry = &world.registry;
    registry.delete_organization(&system, &octo).await.unwrap();
    assert_eq!(left(&world).await.len(), 1);
    world.clock.advance(31 * DAY);
    collect(&world, Sweep::Quick).await;
    assert_eq!(left(&world).await, []);
    let late = registry.restore_organization(&system, &octo).await;
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
}

#[tokio::test]
async fn what_was_purged_with_the_whole_bin_is_not_restored() {
    let world = octo().await;
    let owner = person(&world, "owner").await;
    let (open, closed) = (repository("octo/open"), repository("octo/closed"));
    say(&world, &open).await;
    world.user("other").await;
    world.organization("kept", "other").await;
    let system = Caller::system();
    let registry = &world.registry;
    registry.delete_repository(&system, &open).await.unwrap();
    registry.delete_repository(&system, &closed).await.unwrap();
    registry.restore_repository(&owner, &closed).await.unwrap();
    let kept = name("kept");
    registry.delete_organization(&system, &kept).await.unwrap();
    registry
        .purge(&system, &PurgeTarget::Bin, PurgeOptions::default(), &|_| {})
        .await
        .unwrap();
    assert_eq!(left(&world).await, []);
    let late = registry.restore_repository(&owner, &open).await;
    assert!(
        matches!(&late, Err(Error::Conflict(text)) if text.contains("octo/open")),
        "{late:?}"
    );
    let late = registry.restore_organization(&system, &kept).await;
    assert!(
        matches!(&late, Err(Error::Conflict(text)) if text.contains("kept")),
        "{late:?}"
    );
}
