//! Where tags pointed, since when, and who moved them with which credential.

use naru_model::{AccountName, Moment, PackageId, RepositoryPath, TokenKind, VersionId};
use naru_oci::Digest;

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;
use crate::page::{Cursor, Page};
use crate::tags::TagReason;

/// Something that happened to a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagChanged {
    /// Rises with time.
    pub id: i64,
    /// When.
    pub at: Moment,
    /// Why.
    pub reason: TagReason,
    /// The version that it pointed at from then on, or that it lost; none for a tag that was
    /// removed alone.
    pub version: Option<VersionId>,
    /// That version's digest.
    pub digest: Option<Digest>,
    /// The user who did it, by the present name.
    pub user: Option<AccountName>,
    /// The kind of token they used; none for a browser, and for the machine itself.
    pub token: Option<TokenKind>,
    /// The repository whose workflow it was.
    pub repository: Option<RepositoryPath>,
}

impl FromRow for TagChanged {
    fn from_row(row: &Row) -> Result<Self> {
        let owner: Option<AccountName> = row.optional_word("repository_owner")?;
        let repository = match owner {
            Some(owner) => Some(RepositoryPath {
                owner,
                name: row.word("repository_name")?,
            }),
            None => None,
        };
        Ok(Self {
            id: row.get("id")?,
            at: row.get("at")?,
            reason: row.word("reason")?,
            version: row.get("version_id")?,
            digest: row.get("digest")?,
            user: row.optional_word("login")?,
            token: row.optional_word("kind")?,
            repository,
        })
    }
}

statements! {
    OF_TAG = "SELECT h.id, h.at, h.reason, h.version_id, v.digest, a.login, t.kind,
            o.login AS repository_owner, r.name AS repository_name
        FROM tag_history h
            LEFT JOIN versions v ON v.id = h.version_id
            LEFT JOIN accounts a ON a.id = h.by_account
            LEFT JOIN tokens t ON t.id = h.by_token
            LEFT JOIN repositories r ON r.id = t.repository_id
            LEFT JOIN accounts o ON o.id = r.owner_id
        WHERE h.package_id = $1 AND h.name = $2 AND h.id < $3
        ORDER BY h.id DESC LIMIT $4 OFFSET $5";
}

/// What happened to a tag, the last first.
///
/// # Errors
/// Those of the database.
pub async fn of_tag(
    conn: &mut Conn,
    package: PackageId,
    name: &str,
    cursor: Cursor,
) -> Result<Page<TagChanged>> {
    let args = [
        package.into(),
        name.into(),
        cursor.below().into(),
        cursor.rows().into(),
        cursor.skipped().into(),
    ];
    let rows = conn.all(OF_TAG, &args).await?;
    Ok(Page::cut(rows, cursor, |change: &TagChanged| change.id))
}
