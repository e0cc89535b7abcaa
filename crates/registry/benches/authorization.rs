//! What a decision costs that is made from remembered facts: `cargo bench -p naru-registry`.
//!
//! The dearest kind there is: a private package of an organization, asked for by a member who reads
//! it by a role of their own. Nothing else runs on the thread, so that the time is CPU time. Beside
//! it the same decision when nothing is remembered, which is one question to the database.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark may fail loudly, and says what it measured"
)]

#[path = "../tests/it/world.rs"]
#[expect(dead_code, reason = "tests need more of the world")]
mod world;

use std::hint::black_box;
use std::time::{Duration, Instant};

use naru_model::{OrganizationRole, PackagePermission, Role};
use naru_registry::Caller;
use naru_registry::packages::GrantTo;

use self::world::{World, container, name};

const ROUNDS: usize = 7;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let world = World::new().await;
    let owner = world.person("octocat").await;
    let member = world.person("hubot").await;
    world.organization("acme", "octocat").await;
    let registry = &world.registry;
    registry
        .set_member(
            &Caller::system(),
            &name("acme"),
            &name("hubot"),
            OrganizationRole::Member,
        )
        .await
        .unwrap();
    world.push(&owner, "acme/team/app", "latest").await;
    let path = container("acme/team/app");
    registry
        .grant_package(&owner, &path, &GrantTo::User(name("hubot")), Role::Read)
        .await
        .unwrap();
    let ask = async || {
        let permission = PackagePermission::Read;
        black_box(
            registry
                .authorize(&member, &path, permission)
                .await
                .unwrap(),
        );
    };
    ask().await;
    let remembered = middle(200_000, &ask).await;
    println!("remembered: {} ns", remembered.as_nanos());
    let asked = middle(2_000, async || {
        registry.changed_elsewhere();
        ask().await;
    })
    .await;
    println!("asked anew: {} ns", asked.as_nanos());
}

/// The middle of some rounds: how long one of so many takes.
async fn middle(times: u32, work: impl AsyncFn()) -> Duration {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..times {
            work().await;
        }
        rounds.push(begun.elapsed() / times);
    }
    rounds.sort();
    rounds[ROUNDS / 2]
}
