//! A database for one test.

use std::path::Path;

use naru_metadata::{Conn, DatabaseSettings, Db, Result, SchemaPolicy, Tx};
use naru_model::Moment;
use naru_testkit::services::postgres;

/// A database of the test's own, and the way to open it again.
pub(crate) struct Home {
    settings: DatabaseSettings,
    directory: tempfile::TempDir,
    server: Option<postgres::Database>,
}

impl Home {
    pub(crate) fn sqlite() -> Self {
        Self {
            settings: DatabaseSettings::default(),
            directory: tempfile::tempdir().unwrap(),
            server: None,
        }
    }

    /// `None`, said loudly, where the machine has no PostgreSQL.
    pub(crate) fn postgres() -> Option<Self> {
        let server = postgres::database()?;
        Some(Self {
            settings: settings(&server.url()),
            directory: tempfile::tempdir().unwrap(),
            server: Some(server),
        })
    }

    pub(crate) async fn open_as(&self, policy: SchemaPolicy) -> Result<Db> {
        Db::open(&self.settings, self.data(), policy).await
    }

    /// Opens it, making the schema at the first time.
    pub(crate) async fn open(&self) -> Db {
        self.open_as(SchemaPolicy::CreateOrMigrate).await.unwrap()
    }

    pub(crate) fn data(&self) -> &Path {
        self.directory.path()
    }

    /// Of the server's database; empty for a file.
    pub(crate) fn url(&self) -> String {
        self.server
            .as_ref()
            .map(postgres::Database::url)
            .unwrap_or_default()
    }

    pub(crate) fn settings(&self) -> &DatabaseSettings {
        &self.settings
    }
}

/// A server of the tests is not durable, for speed.
pub(crate) fn settings(url: &str) -> DatabaseSettings {
    DatabaseSettings {
        allow_data_loss: true,
        ..DatabaseSettings::with_url(url)
    }
}

/// `test_name(home)` on each of the two databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                Box::pin(super::$name($crate::Home::sqlite())).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                if let Some(home) = $crate::Home::postgres() {
                    Box::pin(super::$name(home)).await;
                }
            }
        }
    )+};
}

pub(crate) use on_both;

/// Runs changes in a transaction of their own.
pub(crate) async fn change<T>(db: &Db, work: impl AsyncFnOnce(&mut Tx) -> Result<T>) -> Result<T> {
    let mut tx = db.write().await?;
    let value = work(&mut tx).await?;
    tx.commit().await?;
    Ok(value)
}

/// Runs questions.
pub(crate) async fn ask<T>(db: &Db, work: impl AsyncFnOnce(&mut Conn) -> Result<T>) -> T {
    work(&mut db.read().await.unwrap()).await.unwrap()
}

pub(crate) const fn at(seconds: i64) -> Moment {
    Moment::from_seconds(seconds)
}
