//! What happened: a row in the transaction that made it happen.

use std::collections::BTreeMap;

use naru_model::{AccountId, Actor, Event, EventId, NewEvent, PackageId, RepositoryId, TokenId};

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;
use crate::page::{Cursor, Page};
use crate::search;

impl FromRow for Event {
    fn from_row(row: &Row) -> Result<Self> {
        let detail: String = row.get("detail")?;
        let detail: BTreeMap<String, String> =
            serde_json::from_str(&detail).map_err(|error| row.corrupt("detail", error))?;
        let event = NewEvent {
            kind: row.word("kind")?,
            at: row.get("at")?,
            actor: actor(row)?,
            account: row.get("account_id")?,
            package: row.get("package_id")?,
            version: row.get("version_id")?,
            request_id: row.get("request_id")?,
            detail,
        };
        Ok(Self {
            id: row.get("id")?,
            event,
        })
    }
}

fn actor(row: &Row) -> Result<Actor> {
    let text: String = row.get("actor")?;
    let token: Option<TokenId> = row.get("token_id")?;
    let wrong = || row.corrupt("actor", format!("`{text}` is nobody"));
    let (kind, number) = text.split_once(':').unwrap_or((&text, ""));
    match (kind, number.parse(), token) {
        ("anonymous", Err(_), None) => Ok(Actor::Anonymous),
        ("system", Err(_), None) => Ok(Actor::System),
        ("user", Ok(user), token) => Ok(Actor::User(AccountId::new(user), token)),
        ("repository", Ok(repository), Some(token)) => {
            Ok(Actor::Workflow(RepositoryId::new(repository), token))
        }
        _ => Err(wrong()),
    }
}

const fn token(actor: &Actor) -> Option<TokenId> {
    match actor {
        Actor::User(_, token) => *token,
        Actor::Workflow(_, token) => Some(*token),
        Actor::Anonymous | Actor::System => None,
    }
}

statements! {
    #[short]
    INSERT = "INSERT INTO events
            (at, kind, actor, token_id, account_id, package_id, version_id, request_id, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        RETURNING id";
    LIST = "SELECT id, at, kind, actor, token_id, account_id, package_id, version_id, request_id,
            detail
        FROM events WHERE id < $1 ORDER BY id DESC LIMIT $2";
    OF_ACCOUNT = "SELECT id, at, kind, actor, token_id, account_id, package_id, version_id,
            request_id, detail
        FROM events WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    OF_PACKAGE = "SELECT id, at, kind, actor, token_id, account_id, package_id, version_id,
            request_id, detail
        FROM events WHERE package_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
}

/// Writes down what happened.
///
/// # Errors
/// Those of the database.
pub async fn insert(conn: &mut Conn, event: &NewEvent) -> Result<EventId> {
    let actor = event.actor.to_string();
    let detail = serde_json::json!(event.detail).to_string();
    let args = [
        event.at.into(),
        event.kind.as_str().into(),
        actor.as_str().into(),
        token(&event.actor).into(),
        event.account.into(),
        event.package.into(),
        event.version.into(),
        event.request_id.as_deref().into(),
        detail.as_str().into(),
    ];
    let id = conn.one(INSERT, &args).await?;
    if let Some(package) = event.package {
        search::enqueue(conn, package).await?;
    }
    Ok(id)
}

/// What happened anywhere, the last first.
///
/// # Errors
/// Those of the database.
pub async fn all(conn: &mut Conn, cursor: Cursor) -> Result<Page<Event>> {
    let rows = conn
        .all(LIST, &[cursor.below().into(), cursor.rows().into()])
        .await?;
    Ok(cut(rows, cursor))
}

/// What happened to an account and to what it owns, the last first.
///
/// # Errors
/// Those of the database.
pub async fn of_account(
    conn: &mut Conn,
    account: AccountId,
    cursor: Cursor,
) -> Result<Page<Event>> {
    let args = [account.into(), cursor.below().into(), cursor.rows().into()];
    Ok(cut(conn.all(OF_ACCOUNT, &args).await?, cursor))
}

/// What happened to a package, the last first.
///
/// # Errors
/// Those of the database.
pub async fn of_package(
    conn: &mut Conn,
    package: PackageId,
    cursor: Cursor,
) -> Result<Page<Event>> {
    let args = [package.into(), cursor.below().into(), cursor.rows().into()];
    Ok(cut(conn.all(OF_PACKAGE, &args).await?, cursor))
}

fn cut(rows: Vec<Event>, cursor: Cursor) -> Page<Event> {
    Page::cut(rows, cursor, |event| event.id.get())
}
