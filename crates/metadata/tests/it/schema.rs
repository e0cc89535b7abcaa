//! How the schema is made, recognised and refused.

use crate::home::{change, settings};
use crate::{Home, on_both};
use naru_metadata::db::Statement;
use naru_metadata::{Db, Error, SchemaError, SchemaPolicy, instance};

on_both!(
    the_first_start_makes_the_schema_and_later_ones_keep_it,
    processes_that_start_together_make_one_schema,
    a_schema_of_a_newer_program_is_refused,
    a_schema_from_another_text_is_refused,
    commands_beside_a_server_make_no_database,
    somebody_elses_database_is_refused,
);

async fn the_first_start_makes_the_schema_and_later_ones_keep_it(home: Home) {
    let db = home.open().await;
    change(&db, async |tx| instance::put(tx, "set_up", "yes").await)
        .await
        .unwrap();
    db.close().await;
    for policy in [
        SchemaPolicy::MustMatch,
        SchemaPolicy::Migrate,
        SchemaPolicy::CreateOrMigrate,
    ] {
        let db = home.open_as(policy).await.unwrap();
        let mut conn = db.read().await.unwrap();
        assert_eq!(
            instance::get(&mut conn, "set_up").await.unwrap().as_deref(),
            Some("yes")
        );
        drop(conn);
        db.close().await;
    }
}

async fn processes_that_start_together_make_one_schema(home: Home) {
    let starts = (0..6).map(|_| home.open_as(SchemaPolicy::CreateOrMigrate));
    let opened = futures_util::future::join_all(starts).await;
    let mut first = 0;
    for (number, db) in opened.into_iter().enumerate() {
        let db = db.unwrap();
        let name = number.to_string();
        first += u8::from(
            change(&db, async |tx| instance::claim(tx, "admin", &name).await)
                .await
                .unwrap(),
        );
    }
    assert_eq!(first, 1);
}

async fn a_schema_of_a_newer_program_is_refused(home: Home) {
    static NEWER: Statement = Statement::new(
        "NEWER",
        "INSERT INTO naru_migrations (version, name, checksum) VALUES (9999, 'later', '')",
    );
    let db = home.open().await;
    change(&db, async |tx| tx.execute(&NEWER, &[]).await)
        .await
        .unwrap();
    db.close().await;
    for policy in [SchemaPolicy::MustMatch, SchemaPolicy::CreateOrMigrate] {
        let error = home.open_as(policy).await.unwrap_err();
        assert!(
            matches!(error, Error::Schema(SchemaError::Newer { found: 9999, .. })),
            "{error}"
        );
    }
}

async fn a_schema_from_another_text_is_refused(home: Home) {
    static CHANGED: Statement = Statement::new(
        "CHANGED",
        "UPDATE naru_migrations SET checksum = 'sha256:00'",
    );
    let db = home.open().await;
    change(&db, async |tx| tx.execute(&CHANGED, &[]).await)
        .await
        .unwrap();
    db.close().await;
    let error = home
        .open_as(SchemaPolicy::CreateOrMigrate)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Schema(SchemaError::Changed { version: 1 })),
        "{error}"
    );
}

async fn commands_beside_a_server_make_no_database(home: Home) {
    for policy in [SchemaPolicy::MustMatch, SchemaPolicy::Migrate] {
        let error = home.open_as(policy).await.unwrap_err();
        assert!(
            matches!(error, Error::Schema(SchemaError::Missing { .. })),
            "{error}"
        );
    }
    assert!(!home.data().join("naru.db").exists());
}

async fn somebody_elses_database_is_refused(home: Home) {
    static FORGET: Statement = Statement::new("FORGET", "DROP TABLE naru_migrations");
    let db = home.open().await;
    change(&db, async |tx| tx.execute(&FORGET, &[]).await)
        .await
        .unwrap();
    db.close().await;
    let error = home
        .open_as(SchemaPolicy::CreateOrMigrate)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Schema(SchemaError::NotNaru { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_by_name() {
    let home = Home::sqlite();
    std::fs::write(
        home.data().join("naru.db"),
        "this is no database at all, but text ".repeat(99),
    )
    .unwrap();
    let error = home
        .open_as(SchemaPolicy::CreateOrMigrate)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Schema(SchemaError::NotADatabase { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_loses_what_it_acknowledged_is_refused() {
    let Some(home) = Home::postgres() else { return };
    let honest = naru_metadata::DatabaseSettings {
        allow_data_loss: false,
        ..home.settings().clone()
    };
    let opened = Db::open(&honest, home.data(), SchemaPolicy::CreateOrMigrate).await;
    let error = opened.unwrap_err();
    assert!(error.to_string().contains("allow_data_loss"), "{error}");
}

#[tokio::test]
async fn a_database_that_the_server_does_not_have_is_asked_for_by_name() {
    let Some(home) = Home::postgres() else { return };
    let url = home.url();
    let (server, _) = url.rsplit_once('/').unwrap();
    let settings = settings(&format!("{server}/naru_nowhere"));
    let opened = Db::open(&settings, home.data(), SchemaPolicy::CreateOrMigrate).await;
    let error = opened.unwrap_err().to_string();
    assert!(
        error.contains("/naru_nowhere; make an empty one"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_within_five_seconds() {
    let began = std::time::Instant::now();
    let settings = settings("postgres://naru@127.0.0.1:1/naru");
    let opened = Db::open(
        &settings,
        std::path::Path::new(""),
        SchemaPolicy::CreateOrMigrate,
    )
    .await;
    assert!(matches!(opened.unwrap_err(), Error::Unavailable(_)));
    assert!(began.elapsed().as_secs() < 5);
}
