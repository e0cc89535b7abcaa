//! The database of the server: made, filled by bulk statements, dropped.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::questions::Stock;
use crate::process;
use crate::say::say;

/// The statements that fill it, in the order in which rows refer to each other.
const FILL: &str = include_str!("fill.sql");
/// About as long as most images' manifests are.
const MANIFEST_LENGTH: usize = 1_500;

/// Where the rows are.
pub(super) enum Database {
    /// In a file of the server's data directory.
    Sqlite,
    /// In a database of this server, which goes with the value.
    Postgres {
        /// Of a database that is there, to make and drop the other one from.
        server: String,
        /// The one that was made.
        name: String,
    },
}

impl Database {
    /// An empty database: on the PostgreSQL server with this address, if one is given.
    ///
    /// # Errors
    /// Those of the server.
    pub(super) fn make(server: Option<&str>) -> Result<Self> {
        let Some(server) = server else {
            return Ok(Self::Sqlite);
        };
        let name = format!("naru_bench_{}", std::process::id());
        let create = format!("CREATE DATABASE {name} TEMPLATE template0");
        on_postgres(server, &[create])?;
        Ok(Self::Postgres {
            server: server.to_owned(),
            name,
        })
    }

    /// What the table calls it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres { .. } => "PostgreSQL",
        }
    }

    /// The configuration of a server on it; its master key goes to `home`.
    pub(super) fn settings(&self, home: &Path) -> Result<String> {
        let uncounted = "[rest]\nrate_limit = false\n";
        let Some(url) = self.url()? else {
            return Ok(uncounted.to_owned());
        };
        let key = home.join("master.key");
        std::fs::write(&key, "0f".repeat(32))?;
        std::fs::set_permissions(&key, Permissions::from_mode(0o600))?;
        Ok(format!(
            "{uncounted}[database]\nurl = \"{url}\"\nallow_data_loss = true\n[secrets]\n\
             master_key_file = \"{}\"\n",
            key.display()
        ))
    }

    /// The address of the database, where it has one.
    fn url(&self) -> Result<Option<String>> {
        let Self::Postgres { server, name } = self else {
            return Ok(None);
        };
        let (place, _) = server
            .rsplit_once('/')
            .filter(|(place, _)| !place.ends_with('/'))
            .context("the URL names no database: postgres://user@host:port/database")?;
        Ok(Some(format!("{place}/{name}")))
    }

    /// Fills it; the server has made the tables and does not run.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) fn fill(&self, home: &Path, stock: Stock) -> Result<()> {
        match self.url()? {
            None => on_sqlite(&home.join("data/naru.db"), &statements(stock, "BLOB")),
            Some(url) => {
                // A server counts its rows by itself now and then; here nobody waits for it.
                let counted = statements(stock, "BYTEA").into_iter().flat_map(|text| {
                    let table = text.split_whitespace().nth(2).map(str::to_owned);
                    [Some(text), table.map(|table| format!("ANALYZE {table}"))]
                });
                let mut all: Vec<String> = counted.flatten().collect();
                all.push("VACUUM ANALYZE".to_owned());
                on_postgres(&url, &all)
            }
        }
    }

    /// The first process of the database server, where it has processes of its own.
    ///
    /// # Errors
    /// It is not on this machine.
    pub(super) fn process(&self) -> Result<Option<u32>> {
        let Self::Postgres { server, .. } = self else {
            return Ok(None);
        };
        let serving: i32 = runtime()?.block_on(async {
            let mut connection = PgConnection::connect(server).await?;
            sqlx::query_scalar("SELECT pg_backend_pid()")
                .fetch_one(&mut connection)
                .await
        })?;
        let first = process::parent(u32::try_from(serving)?)?;
        ensure!(first > 1, "the PostgreSQL server is not on this machine");
        Ok(Some(first))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Self::Postgres { server, name } = self else {
            return;
        };
        let text = format!("DROP DATABASE {name} WITH (FORCE)");
        if let Err(error) = on_postgres(server, &[text]) {
            say!("the database {name} stays: {error:#}");
        }
    }
}

/// The statements that fill a database, without the words in braces.
fn statements(stock: Stock, bytes: &str) -> Vec<String> {
    let text: Vec<&str> = FILL
        .lines()
        .filter(|line| !line.starts_with("--"))
        .collect();
    let text = text
        .join("\n")
        .replace("{packages}", &stock.packages.to_string())
        .replace("{versions}", &stock.in_largest.to_string())
        .replace("{zeros}", &"0".repeat(64))
        .replace("{content}", &" ".repeat(MANIFEST_LENGTH))
        .replace("{BYTES}", bytes);
    let statements = text.split(';').map(str::trim);
    let statements = statements.filter(|statement| !statement.is_empty());
    statements.map(str::to_owned).collect()
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}

fn on_sqlite(file: &Path, statements: &[String]) -> Result<()> {
    let connection = rusqlite::Connection::open(file)?;
    connection.execute_batch("PRAGMA foreign_keys = off; PRAGMA cache_size = -200000; BEGIN")?;
    for statement in statements {
        connection.execute_batch(statement)?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(())
}

fn on_postgres(url: &str, statements: &[String]) -> Result<()> {
    runtime()?.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        for statement in statements {
            let text = AssertSqlSafe(statement.clone());
            connection.execute(sqlx::raw_sql(text)).await?;
        }
        connection.close().await?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_in_braces_is_replaced() {
        let all = statements(Stock::new(2_000), "BLOB");
        assert!(all.len() > 10, "{}", all.len());
        for statement in &all {
            assert!(!statement.contains(['{', '}', ';']), "{statement}");
        }
    }

    #[test]
    fn the_database_that_is_made_has_an_address_on_the_same_server() {
        let database = |server: &str| {
            std::mem::ManuallyDrop::new(Database::Postgres {
                server: server.to_owned(),
                name: "made".to_owned(),
            })
        };
        let url = database("postgres://me@127.0.0.1:5432/postgres").url();
        assert_eq!(url.unwrap().unwrap(), "postgres://me@127.0.0.1:5432/made");
        assert!(database("postgres://me@127.0.0.1:5432").url().is_err());
    }
}
