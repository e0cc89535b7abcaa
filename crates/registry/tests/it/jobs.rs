//! Work in the background.

use std::sync::Arc;
use std::time::Duration;

use naru_metadata::jobs;
use naru_model::{Clock, Moment};
use naru_oci::Scopes;
use naru_registry::credentials::Door;
use naru_registry::garbage_collection::Sweep;
use naru_registry::jobs::Runner;
use naru_registry::{Caller, Error, Registry};
use tokio_util::sync::CancellationToken;

use crate::world::{PACKAGES, basic, bearer};
use crate::{World, name};

/// Runs the jobs and chores of a process while `wait` looks for what they are to bring about.
pub(crate) async fn running(registry: &Arc<Registry>, wait: impl AsyncFn() -> bool) {
    let stop = CancellationToken::new();
    let runner = Runner::new(Arc::clone(registry)).unwrap();
    let running = tokio::spawn(runner.run(stop.clone()));
    let patience = async {
        while !wait().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), patience)
        .await
        .expect("it came about");
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), running)
        .await
        .unwrap()
        .unwrap();
}

async fn rows(world: &World) -> Vec<jobs::JobRow> {
    let db = world.db().await;
    let rows = jobs::all(&mut db.read().await.unwrap()).await.unwrap();
    db.close().await;
    rows
}

#[tokio::test]
async fn every_job_runs_when_it_is_due_and_its_result_is_noted() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, "octocat/app", "1").await;
    running(&world.registry, async || rows(&world).await.len() == 6).await;
    assert!(
        rows(&world).await.iter().all(|row| row.last_at.is_none()),
        "a start is quiet"
    );
    world.clock.advance(Duration::from_secs(3600));
    running(&world.registry, async || {
        rows(&world).await.iter().all(|row| row.last_at.is_some())
    })
    .await;
    for row in rows(&world).await {
        let result = row.last_result.unwrap();
        assert!(!result.starts_with("failed"), "{}: {result}", row.name);
        assert!(row.next_at > world.clock.now() && row.lease_until == Moment::from_micros(0));
    }
}

#[tokio::test]
async fn the_last_use_of_a_token_is_written_down_behind_the_requests() {
    let world = World::new().await;
    world.user("octocat").await;
    let pat = world.pat("octocat", PACKAGES).await;
    let last_use = async || {
        let tokens = world
            .registry
            .list_tokens(&Caller::system(), &name("octocat"))
            .await;
        tokens.unwrap()[0].last_used_at
    };
    world
        .identify(Door::Rest, &basic(&pat.secret))
        .await
        .unwrap();
    assert_eq!(last_use().await, None);
    running(&world.registry, async || last_use().await.is_some()).await;
    assert_eq!(last_use().await, Some(crate::world::START));
    world.clock.advance(Duration::from_secs(59));
    world
        .identify(Door::Rest, &basic(&pat.secret))
        .await
        .unwrap();
    running(&world.registry, async || true).await;
    assert_eq!(
        last_use().await,
        Some(crate::world::START),
        "once a minute is enough"
    );
    world.clock.advance(Duration::from_secs(1));
    world
        .identify(Door::Rest, &basic(&pat.secret))
        .await
        .unwrap();
    running(&world.registry, async || true).await;
    let later = crate::world::START.plus(Duration::from_secs(60));
    assert_eq!(
        last_use().await,
        Some(later),
        "what was remembered is written when it stops"
    );
}

#[tokio::test]
async fn a_process_hears_what_another_one_revoked() {
    let world = World::new().await;
    let other = world.another().await;
    world.user("octocat").await;
    let pat = world.pat("octocat", PACKAGES).await;
    let form = basic(&pat.secret);
    assert!(other.identify(Door::Rest, &form).await.is_ok());
    let is_refused = async || other.identify(Door::Rest, &form).await.is_err();
    let revoked = std::cell::Cell::new(false);
    running(&other, async || {
        if !revoked.get() {
            tokio::time::sleep(Duration::from_millis(600)).await;
            let system = Caller::system();
            world
                .registry
                .revoke_token(&system, &name("octocat"), pat.id)
                .await
                .unwrap();
            revoked.set(true);
        }
        is_refused().await
    })
    .await;
}

#[tokio::test]
async fn keys_are_renewed_every_thirty_days_and_old_tokens_outlive_them() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.registry.prepare_keys().await.unwrap();
    let issue = async || {
        let (container, scopes) = (naru_model::PackageType::Container, Scopes::default());
        let issued = world
            .registry
            .issue_registry_token(&octocat, container, &scopes)
            .await;
        issued.unwrap().token
    };
    running(&world.registry, async || rows(&world).await.len() == 6).await;
    world
        .clock
        .advance(Duration::from_secs(30 * 24 * 3600 - 10));
    let old = issue().await;
    world.clock.advance(Duration::from_secs(20));
    let is_rotated = async || {
        let rows = rows(&world).await;
        let row = rows
            .iter()
            .find(|row| row.name == "rotate signing keys")
            .unwrap();
        row.last_result.as_deref() == Some("a new key signs")
    };
    running(&world.registry, is_rotated).await;
    let new = issue().await;
    let kid = |token: &str| token.split('.').next().unwrap().to_owned();
    assert_ne!(kid(&old), kid(&new));
    for token in [&old, &new] {
        assert!(world.identify(Door::Rest, &bearer(token)).await.is_ok());
    }
}

#[tokio::test]
async fn a_clock_that_jumps_stops_the_collector_until_it_is_run_by_hand() {
    const HOUR: Duration = Duration::from_secs(3600);
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let collector = async || {
        let rows = rows(&world).await;
        rows.into_iter().find(|row| row.name == "collect").unwrap()
    };
    let ended_with = async |after: Option<Moment>, text: &str| {
        let row = collector().await;
        row.last_at > after && row.last_result.is_some_and(|result| result.contains(text))
    };
    running(&world.registry, async || rows(&world).await.len() == 6).await;
    world.clock.advance(HOUR);
    running(&world.registry, async || {
        ended_with(None, "\"removed\":0").await
    })
    .await;

    let jumped = std::cell::Cell::new(false);
    running(&world.registry, async || {
        if !jumped.replace(true) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            world.clock.advance(48 * HOUR);
        }
        ended_with(None, "the clock jumped").await
    })
    .await;
    let held_since = collector().await.last_at;
    world.clock.advance(HOUR);
    running(&world.registry, async || {
        ended_with(held_since, "the clock jumped").await
    })
    .await;

    let refused = world
        .registry
        .collect_by_hand(&octocat, Sweep::Quick, &|_| {})
        .await;
    assert!(matches!(refused, Err(Error::Refused(_))));
    world
        .registry
        .collect_by_hand(&Caller::system(), Sweep::Quick, &|_| {})
        .await
        .unwrap();
    let held_since = collector().await.last_at;
    world.clock.advance(HOUR);
    running(&world.registry, async || {
        ended_with(held_since, "\"removed\":0").await
    })
    .await;
}
