//! Migrations: forward only, embedded in the program, remembered with their checksums.

use std::time::{Duration, Instant};

use naru_oci::{Algorithm, Digest};

use super::{Conn, Db, Dialect, FromRow, Row, Tx, statements};
use crate::error::{Error, Result, SchemaError};

/// Every migration, oldest first. A released one is never changed: the next change is a new file.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "foundation",
        script: include_str!("../../migrations/0001_foundation.sql"),
    },
    Migration {
        version: 2,
        name: "statistics",
        script: include_str!("../../migrations/0002_statistics.sql"),
    },
    Migration {
        version: 3,
        name: "tag rules",
        script: include_str!("../../migrations/0003_tag_rules.sql"),
    },
    Migration {
        version: 4,
        name: "attestations",
        script: include_str!("../../migrations/0004_attestations.sql"),
    },
    Migration {
        version: 5,
        name: "usage",
        script: include_str!("../../migrations/0005_usage.sql"),
    },
    Migration {
        version: 6,
        name: "package lists",
        script: include_str!("../../migrations/0006_package_lists.sql"),
    },
    Migration {
        version: 7,
        name: "withdrawn versions",
        script: include_str!("../../migrations/0007_withdrawn_versions.sql"),
    },
    Migration {
        version: 8,
        name: "profiles",
        script: include_str!("../../migrations/0008_profiles.sql"),
    },
    Migration {
        version: 9,
        name: "search",
        script: include_str!("../../migrations/0009_search.sql"),
    },
    Migration {
        version: 10,
        name: "package settings",
        script: include_str!("../../migrations/0010_package_settings.sql"),
    },
    Migration {
        version: 11,
        name: "token lists",
        script: include_str!("../../migrations/0011_token_lists.sql"),
    },
    Migration {
        version: 12,
        name: "list speed",
        script: include_str!("../../migrations/0012_list_speed.sql"),
    },
    Migration {
        version: 13,
        name: "tag lists",
        script: include_str!("../../migrations/0013_tag_lists.sql"),
    },
    Migration {
        version: 14,
        name: "lists by type and grant",
        script: include_str!("../../migrations/0014_lists_by_type_and_grant.sql"),
    },
];

/// What may be done when the schema is not the one of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaPolicy {
    /// Make the database if there is none, and migrate an older one: `naru serve`.
    CreateOrMigrate,
    /// Migrate an older one, but make none: `naru migrate`.
    Migrate,
    /// Refuse: every other command.
    MustMatch,
}

#[derive(Clone, Copy)]
struct Migration {
    version: i64,
    name: &'static str,
    script: &'static str,
}

impl Migration {
    fn checksum(&self) -> String {
        Digest::of(Algorithm::Sha256, self.script.as_bytes())
            .as_str()
            .to_owned()
    }
}

/// The texts of all migrations.
pub(crate) fn scripts() -> impl Iterator<Item = &'static str> {
    MIGRATIONS.iter().map(|migration| migration.script)
}

statements! {
    SQLITE_TABLES = "SELECT name FROM sqlite_schema
        WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name";
    POSTGRES_TABLES = "SELECT CAST(tablename AS TEXT) FROM pg_catalog.pg_tables
        WHERE schemaname = current_schema() ORDER BY tablename";
    SQLITE_MARK = "PRAGMA application_id = 1312903765";
}

/// Statements on a table that is not there before the first migration.
mod applied {
    use crate::db::statements;

    statements! {
        ALL = "SELECT version, checksum FROM naru_migrations ORDER BY version";
        INSERT = "INSERT INTO naru_migrations (version, name, checksum) VALUES ($1, $2, $3)";
    }

    pub(super) const READ: &crate::db::Statement = ALL;
    pub(super) const NOTE: &crate::db::Statement = INSERT;
}

pub(crate) const APPLIED_STATEMENTS: &[&super::Statement] = applied::STATEMENTS;

const TABLE: &str = "CREATE TABLE naru_migrations (
    version  BIGINT NOT NULL PRIMARY KEY,
    name     {{TEXT}} NOT NULL,
    checksum {{TEXT}} NOT NULL
) {{STRICT}}";

struct Applied {
    version: i64,
    checksum: String,
}

impl FromRow for Applied {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            version: row.get("version")?,
            checksum: row.get("checksum")?,
        })
    }
}

/// Brings the schema to this program's, or refuses, as `policy` says.
pub(super) async fn prepare(db: &Db, policy: SchemaPolicy, place: &str) -> Result<()> {
    bring_to(MIGRATIONS, db, policy, place).await
}

async fn bring_to(
    migrations: &[Migration],
    db: &Db,
    policy: SchemaPolicy,
    place: &str,
) -> Result<()> {
    let mut conn = db.read().await?;
    let applied = applied(&mut conn).await?;
    drop(conn);
    match check(migrations, applied.as_deref(), place) {
        Ok(()) => return Ok(()),
        Err(SchemaError::Missing { .. }) if policy == SchemaPolicy::CreateOrMigrate => {}
        Err(SchemaError::Older { .. }) if policy != SchemaPolicy::MustMatch => {}
        Err(error) => return Err(error.into()),
    }
    let mut tx = write_when_free(db).await?;
    lock(&mut tx).await?;
    migrate(migrations, &mut tx, place).await?;
    tx.commit().await
}

/// Another process may be migrating, which takes longer than anybody else may hold the database.
async fn write_when_free(db: &Db) -> Result<Tx> {
    const PATIENCE: Duration = Duration::from_secs(120);
    let begun = Instant::now();
    loop {
        match db.write().await {
            Err(Error::Busy) if begun.elapsed() < PATIENCE => {}
            outcome => return outcome,
        }
    }
}

/// Processes that start together migrate one after the other, and a migration may take long. On
/// SQLite whoever writes is alone.
async fn lock(conn: &mut Conn) -> Result<()> {
    const POSTGRES: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;
        SELECT pg_advisory_xact_lock(5638181003)";
    match conn.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => conn.run_script(POSTGRES.to_owned()).await,
    }
}

async fn migrate(migrations: &[Migration], conn: &mut Conn, place: &str) -> Result<()> {
    let applied = applied(conn).await?;
    let found = applied
        .as_ref()
        .and_then(|all| all.last())
        .map_or(0, |last| last.version);
    match check(migrations, applied.as_deref(), place) {
        // Another process was faster.
        Ok(()) => return Ok(()),
        Err(SchemaError::Missing { .. }) => create_table(conn).await?,
        Err(SchemaError::Older { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    for migration in migrations
        .iter()
        .filter(|migration| migration.version > found)
    {
        tracing::info!(
            version = migration.version,
            name = migration.name,
            "migrating the schema"
        );
        conn.run_script(conn.dialect().script(migration.script))
            .await?;
        let checksum = migration.checksum();
        let args = [
            migration.version.into(),
            migration.name.into(),
            checksum.as_str().into(),
        ];
        conn.execute(applied::NOTE, &args).await?;
    }
    Ok(())
}

async fn create_table(conn: &mut Conn) -> Result<()> {
    if conn.dialect() == Dialect::Sqlite {
        conn.execute(SQLITE_MARK, &[]).await?;
    }
    conn.run_script(conn.dialect().script(TABLE)).await
}

/// The migrations that were applied; `None` if the database is empty.
async fn applied(conn: &mut Conn) -> Result<Option<Vec<Applied>>> {
    let list = match conn.dialect() {
        Dialect::Sqlite => SQLITE_TABLES,
        Dialect::Postgres => POSTGRES_TABLES,
    };
    let tables: Vec<String> = conn.all(list, &[]).await?;
    if tables.iter().any(|table| table == "naru_migrations") {
        return conn.all(applied::READ, &[]).await.map(Some);
    }
    match tables.into_iter().next() {
        None => Ok(None),
        Some(table) => Err(SchemaError::NotNaru { table }.into()),
    }
}

fn check(
    migrations: &[Migration],
    applied: Option<&[Applied]>,
    place: &str,
) -> Result<(), SchemaError> {
    let Some(applied) = applied else {
        return Err(SchemaError::Missing {
            place: place.to_owned(),
        });
    };
    let wanted = migrations.last().map_or(0, |last| last.version);
    let found = applied.last().map_or(0, |last| last.version);
    if found > wanted {
        return Err(SchemaError::Newer { found, wanted });
    }
    for (migration, applied) in migrations.iter().zip(applied) {
        if migration.version != applied.version || migration.checksum() != applied.checksum {
            return Err(SchemaError::Changed {
                version: applied.version,
            });
        }
    }
    if found < wanted {
        return Err(SchemaError::Older { found, wanted });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use naru_testkit::services::postgres;

    use super::*;
    use crate::{DatabaseSettings, Error, instance};

    fn version_of(migrations: &[Migration]) -> i64 {
        migrations.last().map_or(0, |last| last.version)
    }

    /// The migrations of the program after this one.
    fn with_next() -> Vec<Migration> {
        let next = Migration {
            version: version_of(MIGRATIONS) + 1,
            name: "next",
            script: "ALTER TABLE instance ADD COLUMN note {{TEXT}} NOT NULL DEFAULT 'none';
                CREATE TABLE later (id {{ID}}, at BIGINT) {{STRICT}};
                INSERT INTO later (at) VALUES (1);",
        };
        [MIGRATIONS, &[next]].concat()
    }

    #[test]
    fn migrations_are_numbered_without_a_gap() {
        for (number, migration) in (1..).zip(MIGRATIONS) {
            assert_eq!(migration.version, number, "{}", migration.name);
        }
    }

    /// What the program after this one does with a database of this one.
    async fn upgrade(db: &Db) {
        static NOTES: super::super::Statement =
            super::super::Statement::new("NOTES", "SELECT note FROM instance");
        let migrations = with_next();
        let (found, wanted) = (version_of(MIGRATIONS), version_of(&migrations));
        let mut tx = db.write().await.unwrap();
        instance::put(&mut tx, "kept", "value").await.unwrap();
        tx.commit().await.unwrap();

        let refused = bring_to(&migrations, db, SchemaPolicy::MustMatch, "here").await;
        let older = SchemaError::Older { found, wanted };
        assert_eq!(refused, Err(Error::Schema(older)));
        // Two processes of the new program start at once.
        let start = || bring_to(&migrations, db, SchemaPolicy::Migrate, "here");
        let (one, other) = tokio::join!(start(), start());
        assert_eq!((one, other), (Ok(()), Ok(())));
        let mut conn = db.read().await.unwrap();
        assert_eq!(
            instance::get(&mut conn, "kept").await.unwrap().as_deref(),
            Some("value")
        );
        let notes: Vec<String> = conn.all(&NOTES, &[]).await.unwrap();
        assert_eq!(notes, ["none"]);
        drop(conn);

        let refused = prepare(db, SchemaPolicy::CreateOrMigrate, "here").await;
        let newer = SchemaError::Newer {
            found: wanted,
            wanted: found,
        };
        assert_eq!(refused, Err(Error::Schema(newer)));
    }

    #[tokio::test]
    async fn a_migration_keeps_the_data_of_the_version_before_on_sqlite() {
        let directory = tempfile::tempdir().unwrap();
        let settings = DatabaseSettings::default();
        let policy = SchemaPolicy::CreateOrMigrate;
        let db = Db::open(&settings, directory.path(), policy).await.unwrap();
        upgrade(&db).await;
    }

    #[tokio::test]
    async fn a_migration_keeps_the_data_of_the_version_before_on_postgres() {
        let Some(server) = postgres::database() else {
            return;
        };
        let settings = DatabaseSettings {
            allow_data_loss: true,
            ..DatabaseSettings::with_url(&server.url())
        };
        let policy = SchemaPolicy::CreateOrMigrate;
        let db = Db::open(&settings, std::path::Path::new(""), policy)
            .await
            .unwrap();
        upgrade(&db).await;
    }
}
