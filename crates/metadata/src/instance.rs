//! Facts about the instance as a whole, by key: when it was set up, how far time had come.

use naru_model::{InstanceSettings, PackageType, RegistryMode};

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

struct Modes(InstanceSettings);

impl FromRow for Modes {
    fn from_row(row: &Row) -> Result<Self> {
        let set = InstanceSettings::default();
        Ok(Self(InstanceSettings {
            container: row.optional_word("container")?.unwrap_or(set.container),
            docker: row.optional_word("docker")?.unwrap_or(set.docker),
        }))
    }
}

statements! {
    GET = "SELECT value FROM instance WHERE key = $1";
    CLAIM = "INSERT INTO instance (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
    PUT = "INSERT INTO instance (key, value) VALUES ($1, $2)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    REGISTRIES = "SELECT
            (SELECT i.value FROM instance i WHERE i.key = 'registry.container') AS container,
            (SELECT i.value FROM instance i WHERE i.key = 'registry.docker') AS docker";
}

/// The settings of the instance; what nobody changed is as on a new one.
///
/// # Errors
/// Those of the database.
pub async fn settings(conn: &mut Conn) -> Result<InstanceSettings> {
    let Modes(settings) = conn.one(REGISTRIES, &[]).await?;
    Ok(settings)
}

/// Opens or closes a registry.
///
/// # Errors
/// Those of the database.
pub async fn set_registry(
    conn: &mut Conn,
    registry: PackageType,
    mode: RegistryMode,
) -> Result<()> {
    put(conn, &format!("registry.{registry}"), mode.as_str()).await
}

/// What is stored under a key.
///
/// # Errors
/// Those of the database.
pub async fn get(conn: &mut Conn, key: &str) -> Result<Option<String>> {
    conn.optional(GET, &[key.into()]).await
}

/// Stores a value unless there is one. Returns whether it was the first: of several processes that
/// start together one hears yes, and the others wait for its transaction before they hear no.
///
/// # Errors
/// Those of the database.
pub async fn claim(conn: &mut Conn, key: &str, value: &str) -> Result<bool> {
    Ok(conn.execute(CLAIM, &[key.into(), value.into()]).await? > 0)
}

/// Stores a value in place of what was there.
///
/// # Errors
/// Those of the database.
pub async fn put(conn: &mut Conn, key: &str, value: &str) -> Result<()> {
    conn.execute(PUT, &[key.into(), value.into()]).await?;
    Ok(())
}
