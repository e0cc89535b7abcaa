//! Recurring work: one row a job, claimed by a lease, so that it happens once however many
//! processes run. A process that dies loses its lease when the time is over, and another goes on.

use naru_model::Moment;

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

/// A job as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// Its name in the list of jobs.
    pub name: String,
    /// When it is to run.
    pub next_at: Moment,
    /// Until when somebody is at it.
    pub lease_until: Moment,
    /// Who.
    pub lease_by: Option<String>,
    /// When it last ended.
    pub last_at: Option<Moment>,
    /// How it last ended, in words.
    pub last_result: Option<String>,
}

impl FromRow for JobRow {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.get("name")?,
            next_at: row.get("next_at")?,
            lease_until: row.get("lease_until")?,
            lease_by: row.get("lease_by")?,
            last_at: row.get("last_at")?,
            last_result: row.get("last_result")?,
        })
    }
}

statements! {
    ENSURE = "INSERT INTO jobs (name, next_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    CLAIM = "UPDATE jobs SET lease_until = $4, lease_by = $3
        WHERE name = (SELECT j.name FROM jobs j
            WHERE j.name {{IN $1}} AND j.next_at <= $2 AND j.lease_until <= $2
            ORDER BY j.next_at, j.name LIMIT 1 {{SKIP LOCKED OF j}})
        RETURNING name, next_at, lease_until, lease_by, last_at, last_result";
    RENEW = "UPDATE jobs SET lease_until = $3 WHERE name = $1 AND lease_by = $2";
    FINISH = "UPDATE jobs SET lease_until = 0, lease_by = NULL, last_at = $3, last_result = $4,
            next_at = $5
        WHERE name = $1 AND lease_by = $2";
    RELEASE = "UPDATE jobs SET lease_until = 0, lease_by = NULL WHERE lease_by = $1";
    HURRY = "UPDATE jobs SET next_at = $2 WHERE name = $1 AND next_at > $2";
    ALL = "SELECT name, next_at, lease_until, lease_by, last_at, last_result
        FROM jobs ORDER BY name";
}

/// Makes the row of a job unless there is one.
///
/// # Errors
/// Those of the database.
pub async fn ensure(conn: &mut Conn, name: &str, next_at: Moment) -> Result<()> {
    conn.execute(ENSURE, &[name.into(), next_at.into()]).await?;
    Ok(())
}

/// Claims the job among `names` that has been due longest and that nobody is at. `None` when there
/// is none.
///
/// # Errors
/// Those of the database.
pub async fn claim(
    conn: &mut Conn,
    names: &[&str],
    by: &str,
    now: Moment,
    lease_until: Moment,
) -> Result<Option<JobRow>> {
    conn.optional(
        CLAIM,
        &[names.into(), now.into(), by.into(), lease_until.into()],
    )
    .await
}

/// Prolongs a lease. Returns false when it was lost: whoever hears that stops.
///
/// # Errors
/// Those of the database.
pub async fn renew(conn: &mut Conn, name: &str, by: &str, lease_until: Moment) -> Result<bool> {
    Ok(conn
        .execute(RENEW, &[name.into(), by.into(), lease_until.into()])
        .await?
        > 0)
}

/// How a job ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// When.
    pub now: Moment,
    /// In words.
    pub result: &'a str,
    /// When it is to run again.
    pub next_at: Moment,
}

/// Ends a claim. Returns false when the lease was lost, in which case nothing is noted.
///
/// # Errors
/// Those of the database.
pub async fn finish(conn: &mut Conn, name: &str, by: &str, ending: Ending<'_>) -> Result<bool> {
    let args = [
        name.into(),
        by.into(),
        ending.now.into(),
        ending.result.into(),
        ending.next_at.into(),
    ];
    Ok(conn.execute(FINISH, &args).await? > 0)
}

/// Gives back every lease of a process that shuts down.
///
/// # Errors
/// Those of the database.
pub async fn release_all(conn: &mut Conn, by: &str) -> Result<()> {
    conn.execute(RELEASE, &[by.into()]).await?;
    Ok(())
}

/// Lets a job run at `at` if it were to run later.
///
/// # Errors
/// Those of the database.
pub async fn hurry(conn: &mut Conn, name: &str, at: Moment) -> Result<()> {
    conn.execute(HURRY, &[name.into(), at.into()]).await?;
    Ok(())
}

/// Every job in the order of their names.
///
/// # Errors
/// Those of the database.
pub async fn all(conn: &mut Conn) -> Result<Vec<JobRow>> {
    conn.all(ALL, &[]).await
}
