//! Everything at once: pushes, mounts, deletes and pulls beside a collector whose clock races.
//!
//! The clock runs a day in a fraction of a second, so that leases and delays end in the middle of
//! pushes. A push may then be told that a layer is unknown, and is repeated; what was acknowledged
//! must be there, byte for byte, until it is deleted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use naru_oci::Digest;
use naru_registry::garbage_collection::Sweep;
use naru_registry::{Caller, Error, Result};

use crate::World;
use crate::kit::{
    DAY, HOUR, collect, delete_manifest, digest_of, manifest_of, mount, objects, push_blob,
    put_manifest, stat,
};
use crate::world::blob;

const PUSHERS: usize = 32;
const ROUNDS: usize = 8;

/// Layers that everybody pushes.
const SHARED: [&[u8]; 3] = [
    b"one layer of all",
    b"another layer of all",
    b"a third layer",
];

/// Makes a blob be there as clients do: asks, mounts, or uploads.
async fn bring(
    world: &World,
    caller: &Caller,
    package: &str,
    content: &[u8],
    how: usize,
) -> Result<()> {
    let digest = digest_of(content);
    let path = crate::world::container(package);
    let read = naru_model::PackagePermission::Read;
    let known = match world.registry.authorize(caller, &path, read).await {
        Ok(found) => world.registry.stat_blob(&found, &digest).await.is_ok(),
        Err(_) => false,
    };
    if known || (how == 0 && mount(&world.registry, caller, package, &digest, None).await) {
        return Ok(());
    }
    push_blob(world, caller, package, content).await;
    Ok(())
}

/// Pushes an image until it is acknowledged.
async fn push(
    world: &World,
    caller: &Caller,
    package: &str,
    tag: &str,
    layers: &[&[u8]],
    how: usize,
) -> Digest {
    for _ in 0..100 {
        bring(world, caller, package, b"{}", how).await.unwrap();
        for layer in layers {
            bring(world, caller, package, layer, how).await.unwrap();
        }
        match put_manifest(world, caller, package, tag, manifest_of(layers)).await {
            Ok(digest) => return digest,
            // The clock jumped past a lease between the two.
            Err(Error::ManifestBlobUnknown(_)) => tokio::task::yield_now().await,
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("a hundred pushes were refused");
}

async fn check(
    world: &World,
    caller: &Caller,
    package: &str,
    tag: &str,
    image: &Digest,
    layers: &[&[u8]],
) {
    assert_eq!(
        world.pull(caller, package, tag).await.unwrap(),
        *image,
        "{package}:{tag}"
    );
    for layer in layers {
        let found = blob(&world.registry, caller, package, &digest_of(layer)).await;
        assert_eq!(found.unwrap(), *layer, "{package}:{tag}");
    }
}

async fn pusher(
    world: Arc<World>,
    caller: Caller,
    number: usize,
) -> Option<(String, Digest, Vec<u8>)> {
    // Four to a package.
    let package = format!("octocat/app{}", number / 4);
    let tag = format!("t{number}");
    let mut last = None;
    for round in 0..ROUNDS {
        let own = format!("layer {number} {round}").into_bytes();
        let layers: Vec<&[u8]> = SHARED.iter().copied().chain([own.as_slice()]).collect();
        let image = push(
            &world,
            &caller,
            &package,
            &tag,
            &layers,
            (number + round) % 2,
        )
        .await;
        check(&world, &caller, &package, &tag, &image, &layers).await;
        last = Some((package.clone(), image.clone(), own.clone()));
        if (number + round).is_multiple_of(3) {
            delete_manifest(&world, &caller, &package, &image)
                .await
                .unwrap();
            last = None;
        }
    }
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_stays_beside_a_collector_whose_clock_races() {
    let world = Arc::new(World::new().await);
    let octocat = world.person("octocat").await;
    let stop = Arc::new(AtomicBool::new(false));
    let collector = tokio::spawn({
        let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
        async move {
            let mut removed = 0;
            for run in 0_u32.. {
                if stop.load(Ordering::Relaxed) {
                    return removed;
                }
                world.clock.advance(6 * HOUR);
                let sweep = if run % 4 == 0 {
                    Sweep::Full
                } else {
                    Sweep::Quick
                };
                removed += collect(&world, sweep).await.removed;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            removed
        }
    });
    let pushers: Vec<_> = (0..PUSHERS)
        .map(|number| tokio::spawn(pusher(Arc::clone(&world), octocat.clone(), number)))
        .collect();
    let mut kept = Vec::new();
    for (number, pusher) in pushers.into_iter().enumerate() {
        kept.extend(
            pusher
                .await
                .unwrap()
                .map(|image| (format!("t{number}"), image)),
        );
    }
    stop.store(true, Ordering::Relaxed);
    collector.await.unwrap();

    // Now everything that can go goes, and nothing else.
    for _ in 0..12 {
        world.clock.advance(5 * DAY);
        collect(&world, Sweep::Full).await;
    }
    for (tag, (package, image, own)) in &kept {
        let layers: Vec<&[u8]> = SHARED.iter().copied().chain([own.as_slice()]).collect();
        check(&world, &octocat, package, tag, image, &layers).await;
    }
    assert!(!kept.is_empty());
    let gone = format!("layer {} {}", 0, 0);
    assert!(
        stat(
            &world.registry,
            &octocat,
            "octocat/app0",
            &digest_of(gone.as_bytes())
        )
        .await
        .is_err()
    );
    // Untagged images stay until somebody deletes them: each pusher deleted a third of its own.
    let deleted = (0..PUSHERS)
        .flat_map(|number| (0..ROUNDS).map(move |round| number + round))
        .filter(|sum| sum % 3 == 0)
        .count();
    let images = PUSHERS * ROUNDS - deleted;
    assert_eq!(objects(&world).await, images + SHARED.len() + 1);
}
