//! Open blob uploads, so that they survive a restart and go on in another process.
//!
//! The epoch fences: whoever goes on with an upload raises it, and the write of a half-dead
//! connection, which still has the older number, is refused.

use naru_model::{Moment, PackageId, TokenId};

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

/// An open upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRow {
    /// Its id, at least 122 random bits, as the client has it in the path.
    pub id: String,
    /// The package that the blob is to be linked to.
    pub package: PackageId,
    /// Whose it is: `user:7`, `repository:9`.
    pub principal: String,
    /// The token it was begun with: its revocation ends the upload, its expiry does not.
    pub token: Option<TokenId>,
    /// Where the bytes go.
    pub storage_key: String,
    /// The number of the writer that may write.
    pub epoch: i64,
    /// Bytes that are durable.
    pub offset: u64,
    /// What the blob store needs to go on.
    pub state: Option<Vec<u8>>,
    /// When it is given up.
    pub expires_at: Moment,
}

impl FromRow for UploadRow {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            package: PackageId::new(row.get("package_id")?),
            principal: row.get("principal")?,
            token: row.get::<Option<i64>>("token_id")?.map(TokenId::new),
            storage_key: row.get("storage_key")?,
            epoch: row.get("epoch")?,
            offset: row.get("byte_offset")?,
            state: row.get("state")?,
            expires_at: row.get("expires_at")?,
        })
    }
}

statements! {
    #[short]
    INSERT = "INSERT INTO uploads (id, package_id, principal, token_id, storage_key, epoch,
            byte_offset, state, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    FIND = "SELECT id, package_id, principal, token_id, storage_key, epoch, byte_offset, state,
            expires_at
        FROM uploads WHERE id = $1";
    CLAIM = "UPDATE uploads SET epoch = epoch + 1, expires_at = $5
        WHERE id = $1 AND principal = $2 AND package_id = $3 AND expires_at > $4
        RETURNING id, package_id, principal, token_id, storage_key, epoch, byte_offset, state,
            expires_at";
    #[short]
    SAVE = "UPDATE uploads SET byte_offset = $3, state = $4, expires_at = $5
        WHERE id = $1 AND epoch = $2";
    #[short]
    CLOSE = "DELETE FROM uploads WHERE id = $1 AND epoch = $2";
    EXPIRED = "SELECT id, package_id, principal, token_id, storage_key, epoch, byte_offset, state,
            expires_at
        FROM uploads WHERE expires_at < $1 ORDER BY expires_at, id LIMIT $2";
    CLOSE_OF_TOKEN = "UPDATE uploads SET expires_at = $2, epoch = epoch + 1 WHERE token_id = $1";
    COUNT_OF_PACKAGE = "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM uploads WHERE package_id = $1";
}

/// Records a new upload.
///
/// # Errors
/// Those of the database.
pub async fn insert(conn: &mut Conn, upload: &UploadRow, now: Moment) -> Result<()> {
    let args = [
        upload.id.as_str().into(),
        upload.package.get().into(),
        upload.principal.as_str().into(),
        upload.token.map(TokenId::get).into(),
        upload.storage_key.as_str().into(),
        upload.epoch.into(),
        byte_count(upload.offset).into(),
        upload.state.as_deref().into(),
        now.as_micros().into(),
        upload.expires_at.as_micros().into(),
    ];
    conn.execute(INSERT, &args).await?;
    Ok(())
}

/// The upload with this id.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, id: &str) -> Result<Option<UploadRow>> {
    conn.optional(FIND, &[id.into()]).await
}

/// Who goes on with an upload, and until when it then lasts.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Whose it must be: `user:7`, `repository:9`.
    pub principal: &'a str,
    /// The package it must be of.
    pub package: PackageId,
    /// It must not have been given up before.
    pub now: Moment,
    /// When it is given up if nobody goes on.
    pub expires_at: Moment,
}

/// Takes the upload over: the answer carries a higher epoch, and older writers are refused. One
/// statement, so that an upload which is ended at the same moment stays ended.
///
/// # Errors
/// Those of the database.
pub async fn claim(conn: &mut Conn, id: &str, claim: Claim<'_>) -> Result<Option<UploadRow>> {
    let args = [
        id.into(),
        claim.principal.into(),
        claim.package.get().into(),
        claim.now.as_micros().into(),
        claim.expires_at.as_micros().into(),
    ];
    conn.optional(CLAIM, &args).await
}
/// Saves how far the bytes are durable. Returns false when another writer has taken over.
///
/// # Errors
/// Those of the database.
pub async fn save(
    conn: &mut Conn,
    id: &str,
    epoch: i64,
    offset: u64,
    state: &[u8],
    expires_at: Moment,
) -> Result<bool> {
    let args = [
        id.into(),
        epoch.into(),
        byte_count(offset).into(),
        state.into(),
        expires_at.as_micros().into(),
    ];
    Ok(conn.execute(SAVE, &args).await? > 0)
}

/// Ends the upload. Returns false when another writer has taken over or ended it: there is one
/// winner.
///
/// # Errors
/// Those of the database.
pub async fn close(conn: &mut Conn, id: &str, epoch: i64) -> Result<bool> {
    Ok(conn.execute(CLOSE, &[id.into(), epoch.into()]).await? > 0)
}

/// Uploads that were given up before `now`, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn expired(conn: &mut Conn, now: Moment, limit: i64) -> Result<Vec<UploadRow>> {
    conn.all(EXPIRED, &[now.as_micros().into(), limit.into()])
        .await
}

/// Ends every upload that was begun with a token that is revoked now.
///
/// # Errors
/// Those of the database.
pub async fn end_those_of_token(conn: &mut Conn, token: TokenId, now: Moment) -> Result<u64> {
    let before = now.minus(std::time::Duration::from_micros(1));
    conn.execute(
        CLOSE_OF_TOKEN,
        &[token.get().into(), before.as_micros().into()],
    )
    .await
}

/// How many uploads a package has open.
///
/// # Errors
/// Those of the database.
pub async fn count_of_package(conn: &mut Conn, package: PackageId) -> Result<i64> {
    conn.one(COUNT_OF_PACKAGE, &[package.get().into()]).await
}

fn byte_count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
