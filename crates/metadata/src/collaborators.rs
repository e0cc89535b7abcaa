//! Everybody who has a role in a source repository, wherever it comes from.

use naru_model::{AccountId, RepositoryId, RepositoryRole, User};

use crate::accounts::account_columns;
use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;
use crate::grants::rank;
use crate::page::{Cursor, Page};

/// Somebody with a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collaborator {
    /// Who.
    pub user: User,
    /// The best of their roles.
    pub role: RepositoryRole,
}

impl FromRow for Collaborator {
    fn from_row(row: &Row) -> Result<Self> {
        let role = rank(row, "best", RepositoryRole::ALL)?;
        Ok(Self {
            user: User::from_row(row)?,
            role: role.ok_or_else(|| row.corrupt("best", "is null"))?,
        })
    }
}

/// Whose roles count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Affiliation {
    /// Everybody's.
    #[default]
    All,
    /// Roles that were given to the user in person.
    Direct,
    /// Those of users who are not in the owning organization.
    Outside,
}

/// Which collaborators are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollaboratorFilter {
    /// Whose roles count.
    pub affiliation: Affiliation,
    /// Only with at least this role.
    pub at_least: Option<RepositoryRole>,
}

/// The rank of the role of `c`.
macro_rules! rank_of {
    () => {
        "CASE c.role WHEN 'admin' THEN 5 WHEN 'maintain' THEN 4 WHEN 'write' THEN 3
            WHEN 'triage' THEN 2 ELSE 1 END"
    };
}

/// Everybody with a role in repository `$1`: in person, and, if `$2` is 0, by a team or as an owner.
macro_rules! everybody {
    () => {
        concat!(
            "(SELECT y.user_id, CAST(MAX(y.step) AS BIGINT) AS best FROM (
                SELECT c.user_id, ",
            rank_of!(),
            " AS step FROM repository_users c WHERE c.repository_id = $1
                UNION ALL
                SELECT tm.user_id, ",
            rank_of!(),
            " FROM repository_teams c JOIN team_members tm ON tm.team_id = c.team_id
                WHERE c.repository_id = $1 AND $2 = 0
                UNION ALL
                SELECT tm.user_id, ",
            rank_of!(),
            " FROM repository_teams c JOIN team_ancestors ta ON ta.ancestor_id = c.team_id
                    JOIN team_members tm ON tm.team_id = ta.team_id
                WHERE c.repository_id = $1 AND $2 = 0
                UNION ALL
                SELECT m.user_id, 5 FROM repositories r
                    JOIN organization_members m ON m.organization_id = r.owner_id
                WHERE r.id = $1 AND m.role = 'owner' AND $2 = 0
                UNION ALL
                SELECT o.id, 5 FROM repositories r JOIN accounts o ON o.id = r.owner_id
                WHERE r.id = $1 AND o.kind = 'user' AND $2 = 0) AS y
            GROUP BY y.user_id) AS x"
        )
    };
}

statements! {
    PAGE = concat!("SELECT ", account_columns!(), ", x.best
        FROM ", everybody!(), " JOIN accounts a ON a.id = x.user_id
        WHERE a.deleted_at IS NULL AND x.best >= $3
            AND ($4 = 0 OR NOT EXISTS (SELECT 1 FROM repositories r
                JOIN organization_members m ON m.organization_id = r.owner_id
                WHERE r.id = $1 AND m.user_id = a.id))
        ORDER BY a.id LIMIT $5 OFFSET $6");
    FIND = concat!("SELECT ", account_columns!(), ", x.best
        FROM ", everybody!(), " JOIN accounts a ON a.id = x.user_id
        WHERE a.deleted_at IS NULL AND a.id = $3");
}

/// Who has a role in a repository, oldest account first.
///
/// # Errors
/// Those of the database.
pub async fn page(
    conn: &mut Conn,
    repository: RepositoryId,
    filter: CollaboratorFilter,
    cursor: Cursor,
) -> Result<Page<Collaborator>> {
    let in_person = filter.affiliation != Affiliation::All;
    let at_least = filter.at_least.map_or(1, step);
    let args = [
        repository.into(),
        in_person.into(),
        at_least.into(),
        (filter.affiliation == Affiliation::Outside).into(),
        cursor.rows().into(),
        cursor.skipped().into(),
    ];
    let rows = conn.all(PAGE, &args).await?;
    Ok(Page::cut_counted(rows, cursor))
}

/// What a user has in a repository, wherever it comes from.
///
/// # Errors
/// Those of the database.
pub async fn find(
    conn: &mut Conn,
    repository: RepositoryId,
    user: AccountId,
) -> Result<Option<Collaborator>> {
    let args = [repository.into(), false.into(), user.into()];
    conn.optional(FIND, &args).await
}

/// The rank of a role, 1 being the least.
fn step(role: RepositoryRole) -> i64 {
    let below = RepositoryRole::ALL.iter().filter(|other| **other <= role);
    i64::try_from(below.count()).unwrap_or(i64::MAX)
}
