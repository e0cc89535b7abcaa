//! Lists of source repositories: what a caller may see of an owner's, and what is theirs.
//!
//! The predicate `seen!` says in SQL what `decide_repository` says of reading; a test builds small
//! worlds and compares the two.

use naru_model::{
    AccountId, Moment, Principal, Repository, RepositoryId, RepositoryRole, TeamId, Visibility,
};

use crate::db::{Arg, Conn, FromRow, Row, Statement, statements};
use crate::error::Result;
use crate::grants::{granted_to_user, rank, repository_role_columns};
use crate::page::{BothWays, Cursor, Edge, Page};
use crate::repositories::repository_columns;
use crate::teams::in_team;

/// A repository in a list, with what the caller is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its record.
    pub repository: Repository,
    /// The caller's best explicit role; of owners of the account none is stored.
    pub role: Option<RepositoryRole>,
    /// When something was last pushed to a package that is linked to it.
    pub pushed_at: Option<Moment>,
}

impl FromRow for Listed {
    fn from_row(row: &Row) -> Result<Self> {
        let own = rank(row, "user_rank", RepositoryRole::ALL)?;
        let team = rank(row, "team_rank", RepositoryRole::ALL)?;
        Ok(Self {
            repository: Repository::from_row(row)?,
            role: own.max(team),
            pushed_at: row.get("pushed_at")?,
        })
    }
}

/// By what a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// When it was made.
    #[default]
    Created,
    /// When its record changed last.
    Updated,
    /// Owner and name.
    FullName,
}

/// How a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: SortBy,
    /// From the highest down.
    pub descending: bool,
}

/// Which visibilities are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// All.
    #[default]
    All,
    /// Only this one.
    Only(Visibility),
    /// Internal and private, which REST calls private.
    NotPublic,
}

impl Shown {
    const fn word(self) -> Option<&'static str> {
        match self {
            Self::All => None,
            Self::Only(visibility) => Some(visibility.as_str()),
            Self::NotPublic => Some("not public"),
        }
    }
}

/// Which of a user's repositories are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affiliations {
    /// Those they own.
    pub owner: bool,
    /// Those that they were given a role in, in person.
    pub collaborator: bool,
    /// Those they reach as owners of an organization or by a team.
    pub organization_member: bool,
}

/// When something was last pushed to a package that is linked to the repository `r`.
macro_rules! pushed_at_column {
    () => {
        "(SELECT MAX(p.updated_at) FROM packages p
            WHERE p.repository_id = r.id AND p.deleted_at IS NULL) AS pushed_at"
    };
}

/// The filter on visibility, `$1` being [`Shown::word`].
macro_rules! shown {
    () => {
        "(CAST($1 AS {{TEXT}}) IS NULL OR r.visibility = $1
            OR ($1 = 'not public' AND r.visibility <> 'public'))"
    };
}

/// Whether the repository `r` may be seen by the user `$2` or the workflow of repository `$3`;
/// whichever the caller is not is null. `$4` is 1 for the machine.
macro_rules! seen {
    () => {
        concat!(
            "($4 = 1
            OR (CAST($2 AS BIGINT) IS NULL AND CAST($3 AS BIGINT) IS NULL
                AND r.visibility = 'public')
            OR (EXISTS (SELECT 1 FROM repositories w JOIN accounts wo ON wo.id = w.owner_id
                    WHERE w.id = $3 AND w.deleted_at IS NULL AND wo.deleted_at IS NULL
                        AND wo.suspended_at IS NULL)
                AND (r.visibility <> 'private' OR r.id = $3))
            OR (EXISTS (SELECT 1 FROM accounts u WHERE u.id = $2 AND u.kind = 'user'
                    AND u.deleted_at IS NULL AND u.suspended_at IS NULL)
                AND (r.visibility <> 'private' OR r.owner_id = $2
                OR r.owner_id IN (SELECT m.organization_id FROM organization_members m
                    WHERE m.user_id = $2 AND m.role = 'owner')
                OR r.id IN ",
            granted_to_user!(
                "$2",
                "repository_id",
                "repository_users",
                "repository_teams"
            ),
            ")))"
        )
    };
}

/// A page of repositories: first the numbers of those on it, as the rest says, in this order; only
/// then what is shown of each, so that those which are passed over cost nothing but their numbers.
macro_rules! page_of_repositories {
    ($order:literal, $($numbers:expr),+ $(,)?) => {
        concat!(
            "SELECT ",
            repository_columns!(),
            ", ",
            repository_role_columns!(),
            ", ",
            pushed_at_column!(),
            " FROM (",
            $($numbers,)+
            ") page CROSS JOIN repositories r JOIN accounts o ON o.id = r.owner_id
            WHERE r.id = page.page_id ORDER BY ",
            $order
        )
    };
}

/// The repositories of account `$5`.
macro_rules! of_owner {
    ($order:literal) => {
        page_of_repositories!(
            $order,
            "SELECT r.id AS page_id FROM repositories r
            WHERE r.owner_id = $5 AND r.deleted_at IS NULL AND ",
            shown!(),
            " AND ",
            seen!(),
            " ORDER BY ",
            $order,
            " LIMIT $6 OFFSET $7"
        )
    };
}

/// The repositories of user `$2` in whatever way: `$3` to `$5` are 1 where the way counts; changed
/// after `$6` and before `$7`.
macro_rules! of_user {
    ($order:literal) => {
        page_of_repositories!(
            $order,
            "SELECT r.id AS page_id FROM repositories r JOIN accounts o ON o.id = r.owner_id
            WHERE r.deleted_at IS NULL AND o.deleted_at IS NULL AND r.id IN (
                SELECT own.id FROM repositories own
                    WHERE $3 = 1 AND own.owner_id = $2 AND own.deleted_at IS NULL
                UNION SELECT x.repository_id FROM repository_users x
                    WHERE $4 = 1 AND x.user_id = $2
                UNION SELECT own.id FROM organization_members m
                        JOIN repositories own ON own.owner_id = m.organization_id
                    WHERE $5 = 1 AND m.user_id = $2 AND m.role = 'owner'
                        AND own.deleted_at IS NULL
                UNION SELECT x.repository_id FROM team_members tm
                        JOIN repository_teams x ON x.team_id = tm.team_id
                    WHERE $5 = 1 AND tm.user_id = $2
                UNION SELECT x.repository_id FROM team_members tm
                        JOIN team_ancestors ta ON ta.team_id = tm.team_id
                        JOIN repository_teams x ON x.team_id = ta.ancestor_id
                    WHERE $5 = 1 AND tm.user_id = $2)
                AND r.updated_at > $6 AND r.updated_at < $7 AND ",
            shown!(),
            " ORDER BY ",
            $order,
            " LIMIT $8 OFFSET $9"
        )
    };
}

/// The repositories of account `$5` that have attestations, of type or kind `$6` if given, with
/// numbers between `$7` and `$8`; `$9` of them at most.
macro_rules! attested {
    ($order:literal) => {
        concat!(
            "SELECT ",
            repository_columns!(),
            " FROM repositories r
            WHERE r.owner_id = $5 AND r.deleted_at IS NULL AND r.id > $7 AND r.id < $8
                AND EXISTS (SELECT 1 FROM attestations a WHERE a.repository_id = r.id
                    AND (CAST($6 AS {{TEXT}}) IS NULL OR a.predicate_type = $6
                        OR a.predicate_kind = $6))
                AND ",
            shown!(),
            " AND ",
            seen!(),
            " ORDER BY ",
            $order,
            " LIMIT $9"
        )
    };
}

statements! {
    BY_CREATION = of_owner!("r.created_at, r.id");
    BY_CREATION_DOWN = of_owner!("r.created_at DESC, r.id DESC");
    BY_CHANGE = of_owner!("r.updated_at, r.id");
    BY_CHANGE_DOWN = of_owner!("r.updated_at DESC, r.id DESC");
    BY_NAME = of_owner!("r.name_key");
    BY_NAME_DOWN = of_owner!("r.name_key DESC");
    MINE_BY_CREATION = of_user!("r.created_at, r.id");
    MINE_BY_CREATION_DOWN = of_user!("r.created_at DESC, r.id DESC");
    MINE_BY_CHANGE = of_user!("r.updated_at, r.id");
    MINE_BY_CHANGE_DOWN = of_user!("r.updated_at DESC, r.id DESC");
    MINE_BY_NAME = of_user!("o.login_key, r.name_key");
    MINE_BY_NAME_DOWN = of_user!("o.login_key DESC, r.name_key DESC");
    PUSHED_AT = concat!("SELECT ", pushed_at_column!(), " FROM repositories r WHERE r.id = $1");
    OF_TEAM = concat!("SELECT ", repository_columns!(), ", ", pushed_at_column!(), ",
            CAST(NULL AS BIGINT) AS user_rank,
            (SELECT CAST(MAX(CASE x.role WHEN 'admin' THEN 5 WHEN 'maintain' THEN 4
                    WHEN 'write' THEN 3 WHEN 'triage' THEN 2 ELSE 1 END) AS BIGINT)
                FROM repository_teams x WHERE x.repository_id = r.id AND x.team_id IN (
                    SELECT ta.ancestor_id FROM team_ancestors ta WHERE ta.team_id = $5
                    UNION SELECT CAST($5 AS BIGINT))) AS team_rank
        FROM repositories r
        WHERE r.deleted_at IS NULL AND r.id IN (
                SELECT c.repository_id FROM repository_teams c WHERE c.team_id IN (
                    SELECT ta.ancestor_id FROM team_ancestors ta WHERE ta.team_id = $5
                    UNION SELECT CAST($5 AS BIGINT)))
            AND ", shown!(), " AND ", seen!(), "
        ORDER BY r.id LIMIT $6 OFFSET $7");
    ATTESTED = attested!("r.id");
    ATTESTED_BACKWARDS = attested!("r.id DESC");
    ONE = concat!("SELECT ", repository_columns!(), ", ", repository_role_columns!(), ", ",
            pushed_at_column!(), "
        FROM repositories r WHERE r.id = $5 AND r.deleted_at IS NULL
            AND ", shown!(), " AND ", seen!(), "
        ORDER BY r.id LIMIT $6 OFFSET $7");
    AMONG = concat!("SELECT ", repository_columns!(), ", ", repository_role_columns!(), ", ",
            pushed_at_column!(), "
        FROM repositories r WHERE r.id {{IN $5}} AND r.deleted_at IS NULL
            AND ", shown!(), " AND ", seen!(), "
        ORDER BY r.id LIMIT $6 OFFSET $7");
}

struct PushedAt(Option<Moment>);

impl FromRow for PushedAt {
    fn from_row(row: &Row) -> Result<Self> {
        row.get("pushed_at").map(Self)
    }
}

/// When something was last pushed to a package that is linked to a repository.
///
/// # Errors
/// Those of the database.
pub async fn pushed_at(conn: &mut Conn, repository: RepositoryId) -> Result<Option<Moment>> {
    let found: Option<PushedAt> = conn.optional(PUSHED_AT, &[repository.into()]).await?;
    Ok(found.and_then(|PushedAt(at)| at))
}

/// The repositories of an account that `principal` may see. What the credential allows, such as
/// scopes, is not looked at.
///
/// # Errors
/// Those of the database.
pub async fn of_owner(
    conn: &mut Conn,
    principal: &Principal,
    owner: AccountId,
    shown: Shown,
    order: Order,
    cursor: Cursor,
) -> Result<Page<Listed>> {
    let statement = match (order.by, order.descending) {
        (SortBy::Created, false) => BY_CREATION,
        (SortBy::Created, true) => BY_CREATION_DOWN,
        (SortBy::Updated, false) => BY_CHANGE,
        (SortBy::Updated, true) => BY_CHANGE_DOWN,
        (SortBy::FullName, false) => BY_NAME,
        (SortBy::FullName, true) => BY_NAME_DOWN,
    };
    seen(conn, statement, principal, owner.into(), shown, cursor).await
}

/// The repositories in which a team has a role, its own or one of a team above it, as far as
/// `principal` may see them; with the team's role in place of the caller's.
///
/// # Errors
/// Those of the database.
pub async fn of_team(
    conn: &mut Conn,
    principal: &Principal,
    team: TeamId,
    shown: Shown,
    cursor: Cursor,
) -> Result<Page<Listed>> {
    seen(conn, OF_TEAM, principal, team.into(), shown, cursor).await
}

/// Those of these repositories that `principal` may see.
///
/// # Errors
/// Those of the database.
pub async fn among(
    conn: &mut Conn,
    principal: &Principal,
    ids: &[RepositoryId],
) -> Result<Vec<Listed>> {
    let numbers: Vec<i64> = ids.iter().map(|id| id.get()).collect();
    let cursor = Cursor::first(ids.len());
    // Of one, as a package has, PostgreSQL keeps the plan; of a list it makes one each time.
    let (statement, of) = match *ids {
        [one] => (ONE, one.into()),
        _ => (AMONG, numbers.as_slice().into()),
    };
    let page = seen(conn, statement, principal, of, Shown::All, cursor).await?;
    Ok(page.items)
}

/// Those of an account's repositories that have attestations, of a predicate type or kind if one is
/// given, and that `principal` may see, in the order of their numbers.
///
/// # Errors
/// Those of the database.
pub async fn attested(
    conn: &mut Conn,
    principal: &Principal,
    owner: AccountId,
    predicate: Option<&str>,
    shown: Shown,
    edge: Edge,
    limit: usize,
) -> Result<BothWays<Repository>> {
    let (statement, after, before) = match edge {
        Edge::Start => (ATTESTED, 0, i64::MAX),
        Edge::After(number) => (ATTESTED, number, i64::MAX),
        Edge::Before(number) => (ATTESTED_BACKWARDS, 0, number),
    };
    let args = [
        shown.word().into(),
        principal.user().into(),
        workflow(principal).into(),
        (*principal == Principal::System).into(),
        owner.into(),
        predicate.into(),
        after.into(),
        before.into(),
        i64::try_from(limit)
            .unwrap_or(i64::MAX)
            .saturating_add(1)
            .into(),
    ];
    let rows = conn.all(statement, &args).await?;
    Ok(BothWays::cut(rows, edge, limit, |row: &Repository| {
        row.id.get()
    }))
}

const fn workflow(principal: &Principal) -> Option<RepositoryId> {
    match principal {
        Principal::Workflow { repository, .. } => Some(*repository),
        _ => None,
    }
}

async fn seen(
    conn: &mut Conn,
    statement: &'static Statement,
    principal: &Principal,
    of: Arg<'_>,
    shown: Shown,
    cursor: Cursor,
) -> Result<Page<Listed>> {
    let args = [
        shown.word().into(),
        principal.user().into(),
        workflow(principal).into(),
        (*principal == Principal::System).into(),
        of,
        cursor.rows().into(),
        cursor.skipped().into(),
    ];
    let rows = conn.all(statement, &args).await?;
    Ok(Page::cut_counted(rows, cursor))
}

/// When a repository was changed, for it to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// After this moment.
    pub after: Moment,
    /// Before this moment.
    pub before: Moment,
}

impl Default for Changed {
    fn default() -> Self {
        Self {
            after: Moment::from_micros(i64::MIN),
            before: Moment::from_micros(i64::MAX),
        }
    }
}

/// A list of a user's own repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnList {
    /// In which way they are theirs.
    pub affiliations: Affiliations,
    /// Of which visibility.
    pub shown: Shown,
    /// When they were changed.
    pub changed: Changed,
    /// How it is sorted.
    pub order: Order,
}

/// The repositories that a user owns or has a role in.
///
/// # Errors
/// Those of the database.
pub async fn of_user(
    conn: &mut Conn,
    user: AccountId,
    list: OwnList,
    cursor: Cursor,
) -> Result<Page<Listed>> {
    let statement = match (list.order.by, list.order.descending) {
        (SortBy::Created, false) => MINE_BY_CREATION,
        (SortBy::Created, true) => MINE_BY_CREATION_DOWN,
        (SortBy::Updated, false) => MINE_BY_CHANGE,
        (SortBy::Updated, true) => MINE_BY_CHANGE_DOWN,
        (SortBy::FullName, false) => MINE_BY_NAME,
        (SortBy::FullName, true) => MINE_BY_NAME_DOWN,
    };
    let args = [
        list.shown.word().into(),
        user.into(),
        list.affiliations.owner.into(),
        list.affiliations.collaborator.into(),
        list.affiliations.organization_member.into(),
        list.changed.after.into(),
        list.changed.before.into(),
        cursor.rows().into(),
        cursor.skipped().into(),
    ];
    let rows = conn.all(statement, &args).await?;
    Ok(Page::cut_counted(rows, cursor))
}
