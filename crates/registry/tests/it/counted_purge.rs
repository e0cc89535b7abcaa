//! Versions are purged while their downloads are being written down.

use naru_metadata::db::{Dialect, Statement};
use naru_metadata::statistics::{self, Downloads};
use naru_metadata::{Conn, Db};
use naru_model::{Clock, Day, VersionId, VersionState};
use naru_registry::purge::{PurgeOptions, PurgeTarget};
use naru_registry::versions::VersionRef;
use naru_registry::{Caller, Registry, Result};
use tokio::sync::watch;

use crate::World;
use crate::kit::{APP, delete_version, eventually, push_artifact, versions_of};
use crate::world::container;

/// So many versions in the bin, and one that is not.
async fn binned(world: &World, count: usize) -> Vec<VersionId> {
    let octocat = world.person("octocat").await;
    world.push(&octocat, APP, "kept").await;
    for number in 0..count {
        let tag = format!("v{number}");
        push_artifact(world, &octocat, APP, &tag, &[tag.as_bytes()])
            .await
            .unwrap();
        delete_version(world, &octocat, APP, &VersionRef::Tag(tag))
            .await
            .unwrap();
    }
    let bin = versions_of(world, &octocat, APP, VersionState::Deleted).await;
    bin.unwrap().iter().map(|one| one.version.id).collect()
}

async fn purge(registry: &Registry, version: VersionId) -> Result<()> {
    let target = PurgeTarget::Version(container(APP), VersionRef::Id(version));
    let system = Caller::system();
    let options = PurgeOptions::default();
    registry.purge(&system, &target, options, &|_| {}).await?;
    Ok(())
}

/// Counts a download of each, in the order in which processes write them down.
async fn count(world: &World, conn: &mut Conn, versions: &[VersionId]) {
    let (now, day) = (world.clock.now(), Day::from(world.clock.now()));
    let mut versions = versions.to_vec();
    versions.sort_unstable();
    for version in versions {
        statistics::add_to_version(conn, version, day, 1, now)
            .await
            .unwrap();
    }
}

/// Whether somebody waits for a lock.
async fn somebody_waits(db: &Db) -> bool {
    static WAITING: Statement = Statement::new(
        "WAITING",
        "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM pg_stat_activity
         WHERE wait_event_type = 'Lock' AND datname = current_database()",
    );
    let mut conn = db.read().await.unwrap();
    let waiting: i64 = conn.one(&WAITING, &[]).await.unwrap();
    waiting > 0
}

#[tokio::test]
async fn a_version_whose_download_is_being_counted_is_purged_after_that() {
    let world = World::new().await;
    let bin = binned(&world, 1).await;
    let version = *bin.first().unwrap();
    let db = world.db().await;
    let mut tx = db.write().await.unwrap();
    count(&world, &mut tx, &bin).await;
    let registry = world.registry.clone();
    let purging = tokio::spawn(async move { purge(&registry, version).await });
    // On SQLite the purge waits for its turn to write, and has seen nothing yet.
    if tx.dialect() == Dialect::Postgres {
        eventually("the purge waits", async || somebody_waits(&db).await).await;
    }
    tx.commit().await.unwrap();
    purging.await.unwrap().unwrap();
    let mut conn = db.read().await.unwrap();
    let left = statistics::of_version(&mut conn, version).await.unwrap();
    assert_eq!(left.downloads, Downloads::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn purges_and_counts_of_many_versions_do_not_stand_in_each_others_way() {
    let world = World::new().await;
    let bin = binned(&world, 24).await;
    let (bin, registry) = (bin.as_slice(), &world.registry);
    // Counted once for each purge that begins: whoever writes without a pause leaves SQLite no
    // moment in which another connection could take its turn.
    let (begun, first) = watch::channel(());
    let second = first.clone();
    let purges = async move {
        let halves = bin.chunks(12).map(async |half| {
            for version in half {
                begun.send_replace(());
                purge(registry, *version).await.unwrap();
            }
        });
        futures_util::future::join_all(halves).await;
    };
    let counts = async |mut begun: watch::Receiver<()>| {
        let db = world.db().await;
        while begun.changed().await.is_ok() {
            let mut tx = db.write().await.unwrap();
            count(&world, &mut tx, bin).await;
            tx.commit().await.unwrap();
        }
    };
    tokio::join!(purges, counts(first), counts(second));
    let system = Caller::system();
    let left = versions_of(&world, &system, APP, VersionState::Deleted).await;
    assert_eq!(left.unwrap(), []);
}
