//! Transactions that share a flush: none is told that it is stored before it is, and none suffers
//! from what another one does.

use std::time::Duration;

use crate::home::{ask, change};
use crate::{Home, on_both};
use naru_metadata::db::Statement;
use naru_metadata::{Db, Error, Result, SchemaPolicy, instance};

on_both!(
    what_was_acknowledged_among_two_hundred_writers_is_there_after_reopening,
    a_writer_that_fails_or_vanishes_takes_nobody_along,
    a_writer_that_gives_up_waiting_leaves_the_way_free,
);

static CLASH: Statement = Statement::new(
    "CLASH",
    "INSERT INTO instance (key, value) VALUES ('clash', '')",
);

/// What a writer does, by its number.
async fn write(db: &Db, number: usize) -> Result<()> {
    let mut tx = db.write().await?;
    instance::put(&mut tx, &format!("first{number}"), "").await?;
    tokio::task::yield_now().await;
    match number % 5 {
        // Fails, and so nothing of it may be there.
        1 => {
            tx.execute(&CLASH, &[]).await?;
        }
        // Leaves without a word.
        2 => return Err(Error::Other("left".to_owned())),
        _ => {}
    }
    instance::put(&mut tx, &format!("second{number}"), "").await?;
    tx.commit().await
}

async fn is_there(db: &Db, number: usize) -> bool {
    let [first, second] = ask(db, async |conn| {
        Ok([
            instance::get(conn, &format!("first{number}")).await?,
            instance::get(conn, &format!("second{number}")).await?,
        ])
    })
    .await;
    assert_eq!(first, second, "half of {number} is there");
    first.is_some()
}

async fn what_was_acknowledged_among_two_hundred_writers_is_there_after_reopening(home: Home) {
    let db = home.open().await;
    change(&db, async |tx| tx.execute(&CLASH, &[]).await)
        .await
        .unwrap();
    let writers: Vec<_> = (0..200)
        .map(|number| {
            let db = db.clone();
            tokio::spawn(async move { write(&db, number).await })
        })
        .collect();
    let mut acknowledged = Vec::new();
    for (number, writer) in writers.into_iter().enumerate() {
        // Some are cut off wherever they are.
        if number % 5 == 3 {
            tokio::time::sleep(Duration::from_micros(200)).await;
            writer.abort();
        }
        if let Ok(Ok(())) = writer.await {
            acknowledged.push(number);
        }
    }
    db.close().await;
    let db = home.open_as(SchemaPolicy::MustMatch).await.unwrap();
    for number in 0..200 {
        let stored = is_there(&db, number).await;
        match number % 5 {
            1 | 2 => assert!(!stored, "{number} failed and is there"),
            // Cut off: told so or not, but whole.
            3 => assert!(stored || !acknowledged.contains(&number)),
            _ => assert!(stored && acknowledged.contains(&number), "{number}"),
        }
    }
}

async fn a_writer_that_fails_or_vanishes_takes_nobody_along(home: Home) {
    let db = home.open().await;
    change(&db, async |tx| tx.execute(&CLASH, &[]).await)
        .await
        .unwrap();
    for round in 0..10 {
        let writers = (0..5).map(|number| write(&db, round * 5 + number));
        let outcomes = futures_util::future::join_all(writers).await;
        let told: Vec<_> = outcomes.iter().map(Result::is_ok).collect();
        assert_eq!(told, [true, false, false, true, true]);
        assert!(matches!(outcomes[1], Err(Error::Unique { .. })));
    }
}

async fn a_writer_that_gives_up_waiting_leaves_the_way_free(home: Home) {
    let db = home.open().await;
    for _ in 0..50 {
        let held = db.write().await.unwrap();
        let impatient = db.write();
        tokio::select! {
            biased;
            // On PostgreSQL nobody waits.
            granted = impatient => drop(granted),
            () = tokio::time::sleep(Duration::from_micros(100)) => {}
        }
        drop(held);
    }
    change(&db, async |tx| instance::put(tx, "free", "1").await)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_wait_for_one_another_share_flushes() {
    let home = Home::sqlite();
    let db = home.open().await;
    let began = std::time::Instant::now();
    let alone = {
        for number in 0..20 {
            let key = number.to_string();
            change(&db, async |tx| instance::put(tx, &key, "").await)
                .await
                .unwrap();
        }
        began.elapsed() / 20
    };
    let began = std::time::Instant::now();
    let together = (0..400).map(|number| {
        let db = db.clone();
        tokio::spawn(async move {
            let key = number.to_string();
            change(&db, async |tx| instance::put(tx, &key, "").await).await
        })
    });
    for outcome in futures_util::future::join_all(together).await {
        outcome.unwrap().unwrap();
    }
    let shared = began.elapsed() / 400;
    println!("alone {alone:?}, shared {shared:?} a transaction");
}
