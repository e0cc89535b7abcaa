//! A PostgreSQL that goes away, stands still and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use crate::home::{change, settings};
use naru_metadata::{Db, Error, SchemaPolicy, instance};
use naru_testkit::services::postgres;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

const PASSES: u8 = 0;
const CUTS: u8 = 1;
const HANGS: u8 = 2;

/// Stands between Naru and the server, and can cut or silence every connection.
struct Between {
    port: u16,
    mode: Arc<AtomicU8>,
}

impl Between {
    async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = Arc::new(AtomicU8::new(PASSES));
        let shared = Arc::clone(&mode);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, Arc::clone(&shared)));
            }
        });
        Self { port, mode }
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

async fn carry(mut client: TcpStream, server: u16, mode: Arc<AtomicU8>) {
    if mode.load(Ordering::SeqCst) == CUTS {
        return;
    }
    let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let watch = async {
        while mode.load(Ordering::SeqCst) == PASSES {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        mode.load(Ordering::SeqCst)
    };
    let stopped = tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => CUTS,
        stopped = watch => stopped,
    };
    if stopped == HANGS {
        // Holds the connection and says nothing, until the end of the test.
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
}

async fn behind() -> Option<(Between, Db, postgres::Database)> {
    let server = postgres::database()?;
    let url = server.url();
    let port = url.rsplit(':').next()?.split('/').next()?.parse().ok()?;
    let between = Between::start(port).await;
    let through = url.replace(&format!(":{port}/"), &format!(":{}/", between.port));
    let data = std::path::Path::new("");
    let db = Db::open(&settings(&through), data, SchemaPolicy::CreateOrMigrate)
        .await
        .unwrap();
    Some((between, db, server))
}

async fn write(db: &Db, key: &str) -> Result<(), Error> {
    change(db, async |tx| instance::put(tx, key, "1").await).await
}

async fn works_again_within(db: &Db, limit: Duration) {
    let began = Instant::now();
    while let Err(error) = write(db, "again").await {
        assert!(began.elapsed() < limit, "still {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() < limit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cuts_its_connections_is_unavailable_and_soon_well_again() {
    let Some((between, db, _server)) = behind().await else {
        return;
    };
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(db.read().await.unwrap());
    }
    drop(held);
    between.set(CUTS);
    tokio::time::sleep(Duration::from_millis(50)).await;
    for _ in 0..3 {
        let began = Instant::now();
        let error = write(&db, "lost").await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
    }
    between.set(PASSES);
    works_again_within(&db, Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_is_unavailable_within_its_time() {
    let Some((between, db, _server)) = behind().await else {
        return;
    };
    let mut conn = db.read().await.unwrap();
    between.set(HANGS);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    let error = instance::get(&mut conn, "key").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(
        began.elapsed() < Duration::from_millis(5500),
        "{:?}",
        began.elapsed()
    );
    drop(conn);
    between.set(PASSES);
    works_again_within(&db, Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_an_answer_is_told_as_unknown() {
    let Some((between, db, _server)) = behind().await else {
        return;
    };
    let mut tx = db.write().await.unwrap();
    instance::put(&mut tx, "perhaps", "1").await.unwrap();
    between.set(CUTS);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = tx.commit().await.unwrap_err();
    assert!(matches!(error, Error::CommitUnknown(_)), "{error}");
    between.set(PASSES);
    works_again_within(&db, Duration::from_secs(10)).await;
}
