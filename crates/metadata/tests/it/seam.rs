//! The seam itself: transactions, errors, lists, stamps.

use std::time::Duration;

use crate::home::{ask, at, change};
use crate::{Home, on_both};
use naru_metadata::accounts::{self, NewUser};
use naru_metadata::db::Statement;
use naru_metadata::{Error, SchemaPolicy, changes, instance, jobs};
use naru_model::{AccountId, AccountName, OrganizationRole};

on_both!(
    what_is_committed_is_there_and_what_is_dropped_is_not,
    after_a_failed_statement_nothing_of_the_transaction_is_stored,
    a_statement_given_up_half_way_spoils_its_transaction,
    a_unique_index_is_told_by_its_name,
    a_missing_row_is_told_as_a_foreign_key,
    what_cannot_be_true_is_told_with_statement_and_column,
    another_process_that_changes_something_is_noticed,
    a_list_may_be_empty_and_may_hold_anything,
    two_processes_write_side_by_side,
);

async fn what_is_committed_is_there_and_what_is_dropped_is_not(home: Home) {
    let db = home.open().await;
    change(&db, async |tx| instance::put(tx, "kept", "1").await)
        .await
        .unwrap();
    let mut tx = db.write().await.unwrap();
    instance::put(&mut tx, "dropped", "1").await.unwrap();
    drop(tx);
    let found = ask(&db, async |conn| {
        Ok((
            instance::get(conn, "kept").await?,
            instance::get(conn, "dropped").await?,
        ))
    });
    assert_eq!(found.await, (Some("1".to_owned()), None));
}

static DUPLICATE: Statement = Statement::new(
    "DUPLICATE",
    "INSERT INTO instance (key, value) VALUES ('twice', '')",
);

async fn after_a_failed_statement_nothing_of_the_transaction_is_stored(home: Home) {
    let db = home.open().await;
    let mut tx = db.write().await.unwrap();
    tx.execute(&DUPLICATE, &[]).await.unwrap();
    tx.execute(&DUPLICATE, &[]).await.unwrap_err();
    assert_eq!(
        instance::put(&mut tx, "after", "1").await,
        Err(Error::Aborted)
    );
    assert_eq!(tx.commit().await, Err(Error::Aborted));
    let found = ask(&db, async |conn| instance::get(conn, "twice").await).await;
    assert_eq!(found, None);
}

static SLOW: Statement = Statement::new(
    "SLOW",
    "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL
            SELECT number + 1 FROM numbers WHERE number < 100000)
        SELECT CAST(COUNT(*) AS BIGINT) FROM numbers",
);

async fn a_statement_given_up_half_way_spoils_its_transaction(home: Home) {
    let db = home.open().await;
    let mut tx = db.write().await.unwrap();
    instance::put(&mut tx, "half", "1").await.unwrap();
    // Polled once, so that the statement is on its way, then dropped.
    let slow = Box::pin(tx.one::<i64>(&SLOW, &[]));
    assert_eq!(futures_util::future::poll_immediate(slow).await, None);
    assert_eq!(tx.commit().await, Err(Error::Aborted));
    let found = ask(&db, async |conn| instance::get(conn, "half").await).await;
    assert_eq!(found, None);
    change(&db, async |tx| instance::put(tx, "next", "1").await)
        .await
        .unwrap();
}

async fn a_unique_index_is_told_by_its_name(home: Home) {
    let db = home.open().await;
    let outcome = change(&db, async |tx| {
        tx.execute(&DUPLICATE, &[]).await?;
        tx.execute(&DUPLICATE, &[]).await
    });
    let constraint = "instance_pkey".to_owned();
    assert_eq!(outcome.await, Err(Error::Unique { constraint }));

    let user = |name: &str| name.parse::<AccountName>().unwrap();
    let (one, other) = (user("octocat"), user("hubot"));
    let new = |login| NewUser {
        login,
        name: None,
        site_admin: false,
        password_hash: None,
        now: at(1),
    };
    let outcome = change(&db, async |tx| {
        accounts::create_user(tx, &new(&one)).await?;
        let second = accounts::create_user(tx, &new(&other)).await?.unwrap();
        accounts::rename(tx, second, &one, at(2)).await
    });
    let constraint = "accounts_login".to_owned();
    assert_eq!(outcome.await, Err(Error::Unique { constraint }));
}

async fn a_missing_row_is_told_as_a_foreign_key(home: Home) {
    let db = home.open().await;
    let nobody = AccountId::new(404);
    let outcome = change(&db, async |tx| {
        accounts::set_member(tx, nobody, nobody, OrganizationRole::Owner, at(1)).await
    });
    assert!(matches!(outcome.await, Err(Error::ForeignKey { .. })));
}

async fn what_cannot_be_true_is_told_with_statement_and_column(home: Home) {
    static IMPOSSIBLE: Statement = Statement::new(
        "IMPOSSIBLE",
        "INSERT INTO accounts (kind, login, login_key, created_at, updated_at)
         VALUES ('user', '--', '--', 0, 0)",
    );
    let db = home.open().await;
    change(&db, async |tx| tx.execute(&IMPOSSIBLE, &[]).await)
        .await
        .unwrap();
    let mut conn = db.read().await.unwrap();
    let error = accounts::users(&mut conn, 10, 0).await.unwrap_err();
    let Error::Corrupt {
        statement, column, ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (statement, column.as_str()),
        ("naru_metadata::accounts::LIST", "login")
    );
}

async fn another_process_that_changes_something_is_noticed(home: Home) {
    let here = home.open().await;
    let there = home.open_as(SchemaPolicy::MustMatch).await.unwrap();
    let before = here.changes().await.unwrap();
    assert_eq!(here.changes().await.unwrap(), before);
    change(&there, async |tx| {
        instance::put(tx, "changed", "elsewhere").await?;
        changes::bump_access(tx).await
    })
    .await
    .unwrap();
    let after = here.changes().await.unwrap();
    assert_ne!(after, before);
    assert_eq!(here.changes().await.unwrap(), after);
}

async fn a_list_may_be_empty_and_may_hold_anything(home: Home) {
    let db = home.open().await;
    let odd = ["\"", "'; DROP TABLE jobs; --", "나루", "{}", "a,b", "\\"];
    change(&db, async |tx| {
        for name in odd {
            jobs::ensure(tx, name, at(1)).await?;
        }
        Ok(())
    })
    .await
    .unwrap();
    for name in odd {
        let claimed = change(&db, async |tx| {
            jobs::claim(tx, &[name], "me", at(2), at(3)).await
        })
        .await;
        assert_eq!(claimed.unwrap().unwrap().name, name);
    }
    let none = change(&db, async |tx| {
        jobs::claim(tx, &[], "me", at(9), at(10)).await
    })
    .await;
    assert_eq!(none.unwrap(), None);
}

async fn two_processes_write_side_by_side(home: Home) {
    let server = home.open().await;
    let command = home.open_as(SchemaPolicy::MustMatch).await.unwrap();
    let write = async |db: &naru_metadata::Db, who: &str| {
        for number in 0..40 {
            let key = format!("{who}{number}");
            change(db, async |tx| instance::put(tx, &key, who).await)
                .await
                .unwrap();
        }
    };
    tokio::join!(write(&server, "server"), write(&command, "command"));
    let found = ask(&server, async |conn| instance::get(conn, "command39").await).await;
    assert_eq!(found.as_deref(), Some("command"));
}

#[tokio::test]
async fn whoever_finds_the_file_locked_hears_so_within_five_seconds() {
    let home = Home::sqlite();
    let server = home.open().await;
    let command = home.open_as(SchemaPolicy::MustMatch).await.unwrap();
    let mut held = command.write().await.unwrap();
    instance::put(&mut held, "held", "1").await.unwrap();
    let began = std::time::Instant::now();
    let waiting = (0..20).map(|_| server.write());
    for outcome in futures_util::future::join_all(waiting).await {
        assert_eq!(outcome.unwrap_err(), Error::Busy);
    }
    assert!(
        began.elapsed() < Duration::from_millis(5500),
        "{:?}",
        began.elapsed()
    );
    held.commit().await.unwrap();
    change(&server, async |tx| instance::put(tx, "free", "1").await)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_reading_connection_cannot_write() {
    let home = Home::sqlite();
    let db = home.open().await;
    let mut conn = db.read().await.unwrap();
    assert!(instance::put(&mut conn, "written", "1").await.is_err());
    drop(conn);
    assert_eq!(
        ask(&db, async |conn| instance::get(conn, "written").await).await,
        None
    );
}

#[tokio::test]
async fn nothing_is_asked_of_a_closed_database() {
    let home = Home::sqlite();
    let db = home.open().await;
    db.close().await;
    assert!(matches!(
        db.read().await.unwrap_err(),
        Error::Unavailable(_)
    ));
    assert!(matches!(
        db.write().await.unwrap_err(),
        Error::Unavailable(_)
    ));
}
