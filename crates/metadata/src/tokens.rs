//! Stored tokens: only the hash of the secret, and whom it speaks for.

use naru_model::{
    AccountId, Moment, RepositoryId, Scopes, Token, TokenHolder, TokenId, TokenKind,
    WorkflowPackages,
};

use crate::db::{Conn, FromRow, Row, Statement, statements};
use crate::error::Result;
use crate::page::{Cursor, Page};

/// What [`Token`] is read from.
macro_rules! token_columns {
    () => {
        "t.id, t.kind, t.user_id, t.repository_id, t.scopes, t.note, t.created_at, t.expires_at, \
         t.last_used_at, t.revoked_at"
    };
}

/// The tokens with what they speak for: the user, or the repository and its owner.
macro_rules! live_tokens {
    () => {
        concat!(
            "SELECT ",
            token_columns!(),
            ", COALESCE(u.site_admin, CAST(0 AS BIGINT)) AS site_admin,
            CASE WHEN (t.user_id IS NOT NULL AND u.id IS NOT NULL)
                    OR (t.repository_id IS NOT NULL AND o.id IS NOT NULL)
                THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS holder_active
        FROM tokens t
            LEFT JOIN accounts u ON u.id = t.user_id AND u.deleted_at IS NULL
                AND u.suspended_at IS NULL
            LEFT JOIN repositories r ON r.id = t.repository_id AND r.deleted_at IS NULL
            LEFT JOIN accounts o ON o.id = r.owner_id AND o.deleted_at IS NULL
                AND o.suspended_at IS NULL
        "
        )
    };
}

impl FromRow for Token {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            holder: holder(row)?,
            note: row.get("note")?,
            created_at: row.get("created_at")?,
            expires_at: row.get("expires_at")?,
            last_used_at: row.get("last_used_at")?,
            revoked_at: row.get("revoked_at")?,
        })
    }
}

fn holder(row: &Row) -> Result<TokenHolder> {
    Ok(match row.word("kind")? {
        TokenKind::Personal => TokenHolder::User {
            user: row.get("user_id")?,
            scopes: row.word("scopes")?,
        },
        TokenKind::Workflow => {
            let packages: String = row.get("scopes")?;
            let packages = (!packages.is_empty())
                .then(|| row.word("scopes"))
                .transpose()?;
            TokenHolder::Repository {
                repository: row.get("repository_id")?,
                packages,
            }
        }
    })
}

/// A token with what else decides whether it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveToken {
    /// Its record.
    pub token: Token,
    /// Whether whom it speaks for is still there and not suspended; for a workflow, its
    /// repository and the repository's owner.
    pub holder_active: bool,
    /// Whether the user administers the instance.
    pub site_admin: bool,
}

impl FromRow for LiveToken {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            token: Token::from_row(row)?,
            holder_active: row.get("holder_active")?,
            site_admin: row.get("site_admin")?,
        })
    }
}

/// A token about to be stored.
#[derive(Clone, Debug)]
pub struct NewToken<'a> {
    /// Whom it speaks for.
    pub holder: TokenHolder,
    /// SHA-256 of the secret.
    pub hash: &'a [u8],
    /// What its owner wrote beside it.
    pub note: &'a str,
    /// When it stops working.
    pub expires_at: Option<Moment>,
    /// When it is made.
    pub now: Moment,
}

statements! {
    INSERT = "INSERT INTO tokens
            (kind, user_id, repository_id, hash, scopes, note, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        RETURNING id";
    FIND = concat!("SELECT ", token_columns!(), " FROM tokens t WHERE t.id = $1");
    OF_USER = concat!("SELECT ", token_columns!(), " FROM tokens t
        WHERE t.user_id = $1 ORDER BY t.id DESC");
    PAGE_OF_USER = concat!("SELECT ", token_columns!(), " FROM tokens t
        WHERE t.user_id = $1 AND t.id < $2 ORDER BY t.id DESC LIMIT $3 OFFSET $4");
    PAGE_OF_REPOSITORY = concat!("SELECT ", token_columns!(), " FROM tokens t
        WHERE t.repository_id = $1 AND t.id < $2 ORDER BY t.id DESC LIMIT $3 OFFSET $4");
    #[short]
    LIVE_BY_HASH = concat!(live_tokens!(), "WHERE t.hash = $1");
    #[short]
    LIVE_BY_ID = concat!(live_tokens!(), "WHERE t.id = $1");
    REVOKE = "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    REVOKE_OF_REPOSITORY = "UPDATE tokens SET revoked_at = $2
        WHERE repository_id = $1 AND revoked_at IS NULL";
    NOTE_USE = "UPDATE tokens SET last_used_at = $2
        WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
}

/// Stores a token.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such user or repository.
pub async fn insert(conn: &mut Conn, new: &NewToken<'_>) -> Result<TokenId> {
    let (user, repository, scopes) = columns(&new.holder);
    let args = [
        new.holder.kind().as_str().into(),
        user.into(),
        repository.into(),
        new.hash.into(),
        scopes.as_str().into(),
        new.note.into(),
        new.now.into(),
        new.expires_at.into(),
    ];
    conn.one(INSERT, &args).await
}

fn columns(holder: &TokenHolder) -> (Option<AccountId>, Option<RepositoryId>, String) {
    match holder {
        TokenHolder::User { user, scopes } => (Some(*user), None, Scopes::to_string(scopes)),
        TokenHolder::Repository {
            repository,
            packages,
        } => {
            let word = packages.map_or("", WorkflowPackages::as_str);
            (None, Some(*repository), word.to_owned())
        }
    }
}

/// The token with this number, whatever its state.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, token: TokenId) -> Result<Option<Token>> {
    conn.optional(FIND, &[token.into()]).await
}

/// The tokens of a user, newest first; expired and revoked ones too.
///
/// # Errors
/// Those of the database.
pub async fn of_user(conn: &mut Conn, user: AccountId) -> Result<Vec<Token>> {
    conn.all(OF_USER, &[user.into()]).await
}

/// A part of the tokens of a user, newest first; expired and revoked ones too.
///
/// # Errors
/// Those of the database.
pub async fn page_of_user(conn: &mut Conn, user: AccountId, cursor: Cursor) -> Result<Page<Token>> {
    page(conn, PAGE_OF_USER, user.get(), cursor).await
}

/// A part of the tokens of a repository's workflows, newest first; expired and revoked ones too.
///
/// # Errors
/// Those of the database.
pub async fn page_of_repository(
    conn: &mut Conn,
    repository: RepositoryId,
    cursor: Cursor,
) -> Result<Page<Token>> {
    page(conn, PAGE_OF_REPOSITORY, repository.get(), cursor).await
}

async fn page(
    conn: &mut Conn,
    statement: &'static Statement,
    holder: i64,
    cursor: Cursor,
) -> Result<Page<Token>> {
    let args = [
        holder.into(),
        cursor.below().into(),
        cursor.rows().into(),
        cursor.skipped().into(),
    ];
    let rows = conn.all(statement, &args).await?;
    Ok(Page::cut(rows, cursor, |token: &Token| token.id.get()))
}

/// The token whose secret has this hash, whatever its state.
///
/// # Errors
/// Those of the database.
pub async fn live_by_hash(conn: &mut Conn, hash: &[u8]) -> Result<Option<LiveToken>> {
    conn.optional(LIVE_BY_HASH, &[hash.into()]).await
}

/// The token with this number, whatever its state.
///
/// # Errors
/// Those of the database.
pub async fn live_by_id(conn: &mut Conn, token: TokenId) -> Result<Option<LiveToken>> {
    conn.optional(LIVE_BY_ID, &[token.into()]).await
}

/// Ends a token for good. Returns whether it had not been ended before.
///
/// # Errors
/// Those of the database.
pub async fn revoke(conn: &mut Conn, token: TokenId, now: Moment) -> Result<bool> {
    Ok(conn.execute(REVOKE, &[token.into(), now.into()]).await? > 0)
}

/// Ends every token of a repository's workflows. Returns how many.
///
/// # Errors
/// Those of the database.
pub async fn revoke_of_repository(
    conn: &mut Conn,
    repository: RepositoryId,
    now: Moment,
) -> Result<u64> {
    conn.execute(REVOKE_OF_REPOSITORY, &[repository.into(), now.into()])
        .await
}

/// Notes when a token was used; an older note never takes the place of a newer one.
///
/// # Errors
/// Those of the database.
pub async fn note_use(conn: &mut Conn, token: TokenId, at: Moment) -> Result<()> {
    conn.execute(NOTE_USE, &[token.into(), at.into()]).await?;
    Ok(())
}
