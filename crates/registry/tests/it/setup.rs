//! The first start.

use std::time::Duration;

use naru_model::Principal;

use crate::World;
use crate::world::{basic, container};

#[tokio::test]
async fn the_first_start_makes_one_administrator_with_a_token_for_an_hour() {
    let world = World::new().await;
    let first = world.registry.first_start().await.unwrap().unwrap();
    assert_eq!(first.login.as_str(), "admin");
    let secret = basic(first.token.expose());
    let admin = world.caller_of(&secret).await;
    assert!(matches!(
        admin.principal,
        Principal::User {
            site_admin: true,
            ..
        }
    ));
    world.push(&admin, "admin/app", "1").await;
    world
        .registry
        .delete_package(&admin, &container("admin/app"))
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(3600));
    assert!(
        world
            .identify(naru_registry::credentials::Door::Rest, &secret)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn later_starts_make_nothing() {
    let world = World::new().await;
    assert!(world.registry.first_start().await.unwrap().is_some());
    assert!(world.registry.first_start().await.unwrap().is_none());
    assert!(world.another().await.first_start().await.unwrap().is_none());
}

#[tokio::test]
async fn of_two_first_starts_at_once_one_makes_the_administrator() {
    let world = World::new().await;
    let other = world.another().await;
    let (one, two) = tokio::join!(world.registry.first_start(), other.first_start());
    let made = [one.unwrap(), two.unwrap()].into_iter().flatten().count();
    assert_eq!(made, 1);
}
