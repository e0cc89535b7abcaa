//! Lists of packages: what a caller may read of an owner's, and what of the bin they may restore.

use naru_model::{AccountId, Moment, Package, PackageId, PackageType, Principal, Visibility};

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;
use crate::grants::{
    caller_number, effective_visibility, followed_repository, granted_to_user,
    join_followed_repository, legacy_repository, readable_by_anybody, readable_by_system,
    readable_by_user, readable_by_workflow, registry_is_open, registry_takes_changes,
};
use crate::page::{Cursor, Page};
use crate::teams::in_team;

/// What [`ListedPackage`] is read from.
macro_rules! listed_columns {
    () => {
        concat!(
            "p.id, p.owner_id, p.package_type, p.name, ",
            effective_visibility!(),
            " AS visibility, p.repository_id, p.inherit_access, p.description, p.link_note, \
             p.default_tag_rule, p.created_at, p.updated_at, p.published_at, p.deleted_at,
            (SELECT CAST(COUNT(*) AS BIGINT) FROM versions v
                WHERE v.package_id = p.id AND v.deleted_at IS NULL
                  AND v.withdrawn_at IS NULL) AS version_count"
        )
    };
}

pub(crate) use listed_columns;

/// A page of packages: first the numbers of those on it, as the rest says, in this order; only then
/// what is shown of each, so that those which are passed over cost nothing but their numbers.
macro_rules! page_of_packages {
    ($order:literal, $($numbers:expr),+ $(,)?) => {
        concat!(
            "SELECT ",
            listed_columns!(),
            " FROM (",
            $($numbers,)+
            ") page CROSS JOIN packages p WHERE p.id = page.page_id ORDER BY ",
            $order
        )
    };
}

/// The packages of account `$2`, live, of type `$3` and visibility `$4` if given, below number
/// `$5`; `visible` is the rest of the condition, about the caller `$1`.
macro_rules! from_visible {
    ($visible:expr) => {
        concat!(
            " FROM accounts o CROSS JOIN packages p {{INDEXED BY packages_listed}}
            WHERE o.id = $2 AND p.owner_id = $2
            AND p.deleted_at IS NULL AND p.published_at IS NOT NULL
            AND (CAST($3 AS {{TEXT}}) IS NULL OR p.package_type = $3)
            AND (CAST($4 AS {{TEXT}}) IS NULL OR $4 = ",
            effective_visibility!(),
            ")
            AND p.id < $5
            AND ",
            $visible
        )
    };
}

/// The newest `$6` of these, after the first `$7`.
macro_rules! visible {
    ($visible:expr) => {
        page_of_packages!(
            "p.id DESC",
            "SELECT p.id AS page_id",
            from_visible!($visible),
            " ORDER BY p.id DESC LIMIT $6 OFFSET $7"
        )
    };
}

/// How many these are; counted no further than `$6`.
macro_rules! count_visible {
    ($visible:expr) => {
        concat!(
            "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM (SELECT 1 AS one",
            from_visible!($visible),
            " LIMIT $6) AS few"
        )
    };
}

/// Of those only the ones whose name a package of the container registry has too, as far as the
/// caller may read that one: what they may not know of stands in nobody's way.
macro_rules! conflicting {
    ($visible:expr) => {
        visible!(concat!(
            $visible,
            " AND p.name IN (SELECT p.name FROM packages p JOIN accounts o ON o.id = p.owner_id
                ",
            join_followed_repository!(),
            "WHERE p.owner_id = $2 AND p.package_type = 'container' AND p.deleted_at IS NULL
                    AND p.published_at IS NOT NULL AND ",
            $visible,
            ")"
        ))
    };
}

/// The deleted packages of account `$1`, since `$2`, of type `$5` and visibility `$6` if given,
/// deleted before `$7`, and with a lower number than `$8` if at this moment; at most `$3` after the
/// first `$4`, the last one first; `restorable` is the rest of the condition, about the caller `$9`.
macro_rules! deleted {
    ($restorable:expr) => {
        page_of_packages!(
            "p.deleted_at DESC, p.id DESC",
            "SELECT p.id AS page_id FROM packages p JOIN accounts o ON o.id = p.owner_id
            ",
            join_followed_repository!(),
            "WHERE p.owner_id = $1 AND p.deleted_at >= $2 AND p.published_at IS NOT NULL
            AND (CAST($5 AS {{TEXT}}) IS NULL OR p.package_type = $5)
            AND (CAST($6 AS {{TEXT}}) IS NULL OR $6 = ",
            effective_visibility!(),
            ")
            AND (p.deleted_at, p.id) < ($7, $8) AND ",
            $restorable,
            " ORDER BY p.deleted_at DESC, p.id DESC LIMIT $3 OFFSET $4"
        )
    };
}

statements! {
    VISIBLE_TO_ANYBODY = visible!(readable_by_anybody!());
    VISIBLE_TO_USER = visible!(readable_by_user!("$2"));
    VISIBLE_TO_WORKFLOW = visible!(readable_by_workflow!());
    VISIBLE_TO_SYSTEM = visible!(readable_by_system!());
    CONFLICTING_TO_ANYBODY = conflicting!(readable_by_anybody!());
    CONFLICTING_TO_USER = conflicting!(readable_by_user!("$2"));
    CONFLICTING_TO_WORKFLOW = conflicting!(readable_by_workflow!());
    CONFLICTING_TO_SYSTEM = conflicting!(readable_by_system!());
    COUNT_VISIBLE_TO_ANYBODY = count_visible!(readable_by_anybody!());
    COUNT_VISIBLE_TO_USER = count_visible!(readable_by_user!("$2"));
    COUNT_VISIBLE_TO_WORKFLOW = count_visible!(readable_by_workflow!());
    COUNT_VISIBLE_TO_SYSTEM = count_visible!(readable_by_system!());

    RESTORABLE_BY_USER = deleted!(concat!(registry_takes_changes!(), "
            AND EXISTS (SELECT 1 FROM accounts u WHERE u.id = $9 AND u.kind = 'user'
                AND u.deleted_at IS NULL AND u.suspended_at IS NULL)
            AND ((o.kind = 'user' AND o.id = $9)
                OR (o.kind = 'organization' AND EXISTS (SELECT 1 FROM organization_members m
                    WHERE m.organization_id = o.id AND m.user_id = $9 AND m.role = 'owner'))
                OR (p.package_type = 'container'
                    AND (o.kind = 'user' OR p.visibility = 'public'
                        OR EXISTS (SELECT 1 FROM organization_members m
                            WHERE m.organization_id = o.id AND m.user_id = $9))
                    AND EXISTS (SELECT 1 FROM package_users g
                        WHERE g.package_id = p.id AND g.user_id = $9 AND g.role = 'admin'))
                OR (p.package_type = 'container'
                    AND (o.kind = 'user' OR EXISTS (SELECT 1 FROM organization_members m
                        WHERE m.organization_id = o.id AND m.user_id = $9))
                    AND EXISTS (SELECT 1 FROM package_teams g
                        WHERE g.package_id = p.id AND g.role = 'admin' AND ",
                        in_team!("g.team_id", "$9"), "))
                OR ((p.package_type = 'docker' OR p.inherit_access = 1)
                    AND (EXISTS (SELECT 1 FROM repository_users c
                            WHERE c.repository_id = r.id AND c.user_id = $9 AND c.role = 'admin')
                        OR EXISTS (SELECT 1 FROM repository_teams c
                            WHERE c.repository_id = r.id AND c.role = 'admin' AND ",
                            in_team!("c.team_id", "$9"), "))))"));
    RESTORABLE_BY_WORKFLOW = deleted!(concat!(registry_takes_changes!(), "
            AND EXISTS (SELECT 1 FROM repositories w JOIN accounts wo ON wo.id = w.owner_id
                WHERE w.id = $9 AND w.deleted_at IS NULL AND wo.deleted_at IS NULL
                    AND wo.suspended_at IS NULL
                    AND ((p.package_type = 'docker' AND r.id = w.id)
                        OR (p.package_type = 'container' AND w.owner_id = p.owner_id
                            AND EXISTS (SELECT 1 FROM package_repositories g
                                WHERE g.package_id = p.id AND g.repository_id = w.id
                                    AND g.role = 'admin'))))"));
    RESTORABLE_BY_SYSTEM = deleted!("1 = 1");
    LISTED = concat!("SELECT ", listed_columns!(), " FROM packages p WHERE p.id = $1");
}

/// A package as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPackage {
    /// Its record.
    pub package: Package,
    /// How many versions it has, deleted ones not counted.
    pub version_count: u64,
}

impl FromRow for ListedPackage {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            package: Package::from_row(row)?,
            version_count: row.get("version_count")?,
        })
    }
}

/// Which packages of an account are asked for.
#[derive(Clone, Copy, Debug)]
pub struct PackageFilter {
    /// Whose.
    pub owner: AccountId,
    /// Only of this registry.
    pub package_type: Option<PackageType>,
    /// Only with this visibility; on the legacy registry that of the repository.
    pub visibility: Option<Visibility>,
    /// Only those whose name a package of the container registry has too that may be read as well,
    /// so that they cannot migrate.
    pub conflicting: bool,
}

/// A package as lists show it, whatever its state.
///
/// # Errors
/// Those of the database.
pub async fn listed(conn: &mut Conn, package: PackageId) -> Result<Option<ListedPackage>> {
    conn.optional(LISTED, &[package.into()]).await
}

/// Which part of a list of deleted packages is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BinSlice {
    /// Only those deleted since then.
    pub since: Moment,
    /// At most so many.
    pub limit: i64,
    /// How many are passed over.
    pub offset: i64,
    /// Only those deleted before, and with a lower number if at this moment.
    pub below: Option<(Moment, PackageId)>,
}

/// The deleted packages of an account that `principal` may restore, the last one first. What the
/// credential allows is not looked at, nor whether a name is in conflict.
///
/// # Errors
/// Those of the database.
pub async fn restorable_packages(
    conn: &mut Conn,
    principal: &Principal,
    filter: PackageFilter,
    slice: BinSlice,
) -> Result<Vec<ListedPackage>> {
    let below = slice.below.map(|(at, id)| (at.as_micros(), id.get()));
    let (deleted_at, id) = below.unwrap_or((i64::MAX, i64::MAX));
    let mut args = vec![
        filter.owner.into(),
        slice.since.into(),
        slice.limit.into(),
        slice.offset.into(),
        filter.package_type.map(PackageType::as_str).into(),
        filter.visibility.map(Visibility::as_str).into(),
        deleted_at.into(),
        id.into(),
    ];
    let statement = match principal {
        Principal::Anonymous { .. } => return Ok(Vec::new()),
        Principal::User { user, .. } => {
            args.push((*user).into());
            RESTORABLE_BY_USER
        }
        Principal::Workflow { repository, .. } => {
            args.push((*repository).into());
            RESTORABLE_BY_WORKFLOW
        }
        Principal::System => RESTORABLE_BY_SYSTEM,
    };
    conn.all(statement, &args).await
}

/// The published packages of an account that `principal` may read, newest first. What the
/// credential allows, such as scopes, is not looked at: it is the same for all of them.
///
/// # Errors
/// Those of the database.
pub async fn visible_packages(
    conn: &mut Conn,
    principal: &Principal,
    filter: PackageFilter,
    cursor: Cursor,
) -> Result<Page<ListedPackage>> {
    let mut args = about_visible(principal, filter, cursor.below());
    args.push(cursor.rows().into());
    args.push(cursor.skipped().into());
    let statement = match (principal, filter.conflicting) {
        (Principal::Anonymous { .. }, false) => VISIBLE_TO_ANYBODY,
        (Principal::User { .. }, false) => VISIBLE_TO_USER,
        (Principal::Workflow { .. }, false) => VISIBLE_TO_WORKFLOW,
        (Principal::System, false) => VISIBLE_TO_SYSTEM,
        (Principal::Anonymous { .. }, true) => CONFLICTING_TO_ANYBODY,
        (Principal::User { .. }, true) => CONFLICTING_TO_USER,
        (Principal::Workflow { .. }, true) => CONFLICTING_TO_WORKFLOW,
        (Principal::System, true) => CONFLICTING_TO_SYSTEM,
    };
    let rows = conn.all(statement, &args).await?;
    Ok(Page::cut(rows, cursor, |listed: &ListedPackage| {
        listed.package.id.get()
    }))
}

fn about_visible(
    principal: &Principal,
    filter: PackageFilter,
    below: i64,
) -> Vec<crate::db::Arg<'static>> {
    vec![
        caller_number(principal).into(),
        filter.owner.into(),
        filter.package_type.map(PackageType::as_str).into(),
        filter.visibility.map(Visibility::as_str).into(),
        below.into(),
    ]
}

/// How many packages [`visible_packages`] finds in all, in conflict or not; counts no further than
/// `limit`.
///
/// # Errors
/// Those of the database.
pub async fn count_visible_packages(
    conn: &mut Conn,
    principal: &Principal,
    filter: PackageFilter,
    limit: i64,
) -> Result<u64> {
    let mut args = about_visible(principal, filter, i64::MAX);
    args.push(limit.into());
    let statement = match principal {
        Principal::Anonymous { .. } => COUNT_VISIBLE_TO_ANYBODY,
        Principal::User { .. } => COUNT_VISIBLE_TO_USER,
        Principal::Workflow { .. } => COUNT_VISIBLE_TO_WORKFLOW,
        Principal::System => COUNT_VISIBLE_TO_SYSTEM,
    };
    let count: i64 = conn.one(statement, &args).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}
