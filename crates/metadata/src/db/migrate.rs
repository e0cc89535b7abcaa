//! Migrations: forward only, embedded in the program, remembered with their checksums.

use naru_oci::{Algorithm, Digest};

use super::{Conn, Db, Dialect, FromRow, Row, statements};
use crate::error::{Result, SchemaError};

/// Every migration, oldest first. A released one is never changed: the next change is a new file.
const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "foundation",
    script: include_str!("../../migrations/0001_foundation.sql"),
}];

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

/// The schema of this program.
fn wanted() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
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
    POSTGRES_LOCK = "SELECT pg_advisory_xact_lock(5638181003)";
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
    let mut conn = db.read().await?;
    let applied = applied(&mut conn).await?;
    drop(conn);
    match check(applied.as_deref(), place) {
        Ok(()) => return Ok(()),
        Err(SchemaError::Missing { .. }) if policy == SchemaPolicy::CreateOrMigrate => {}
        Err(SchemaError::Older { .. }) if policy != SchemaPolicy::MustMatch => {}
        Err(error) => return Err(error.into()),
    }
    let mut tx = db.write().await?;
    lock(&mut tx, db.dialect()).await?;
    migrate(&mut tx, db.dialect(), place).await?;
    tx.commit().await
}

/// Processes that start together migrate one after the other. On SQLite whoever writes is alone.
async fn lock(conn: &mut Conn, dialect: Dialect) -> Result<()> {
    if dialect == Dialect::Postgres {
        conn.execute(POSTGRES_LOCK, &[]).await?;
    }
    Ok(())
}

async fn migrate(conn: &mut Conn, dialect: Dialect, place: &str) -> Result<()> {
    let applied = applied(conn).await?;
    let found = applied
        .as_ref()
        .and_then(|all| all.last())
        .map_or(0, |last| last.version);
    match check(applied.as_deref(), place) {
        // Another process was faster.
        Ok(()) => return Ok(()),
        Err(SchemaError::Missing { .. }) => create_table(conn, dialect).await?,
        Err(SchemaError::Older { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    for migration in MIGRATIONS
        .iter()
        .filter(|migration| migration.version > found)
    {
        tracing::info!(
            version = migration.version,
            name = migration.name,
            "migrating the schema"
        );
        conn.run_script(dialect.script(migration.script)).await?;
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

async fn create_table(conn: &mut Conn, dialect: Dialect) -> Result<()> {
    if dialect == Dialect::Sqlite {
        conn.execute(SQLITE_MARK, &[]).await?;
    }
    conn.run_script(dialect.script(TABLE)).await
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

fn check(applied: Option<&[Applied]>, place: &str) -> Result<(), SchemaError> {
    let Some(applied) = applied else {
        return Err(SchemaError::Missing {
            place: place.to_owned(),
        });
    };
    let found = applied.last().map_or(0, |last| last.version);
    if found > wanted() {
        return Err(SchemaError::Newer {
            found,
            wanted: wanted(),
        });
    }
    for (migration, applied) in MIGRATIONS.iter().zip(applied) {
        if migration.version != applied.version || migration.checksum() != applied.checksum {
            return Err(SchemaError::Changed {
                version: applied.version,
            });
        }
    }
    if found < wanted() {
        return Err(SchemaError::Older {
            found,
            wanted: wanted(),
        });
    }
    Ok(())
}
