//! Lists of packages: what a caller may read of an owner's, and what of the bin they may restore.

use naru_model::{AccountId, Moment, Package, PackageId, PackageType, Principal, Visibility};

use crate::db::{Arg, Conn, FromRow, Row, Statement, statements};
use crate::error::Result;
use crate::grants::{
    admits_anybody, admits_system, admits_user, admits_workflow, caller_number,
    effective_visibility, join_followed_repository, readable_by_anybody, readable_by_system,
    readable_by_user, readable_by_workflow, registry_takes_changes,
};
use crate::page::{Cursor, Page};
use crate::teams::in_team;

/// What [`ListedPackage`] is read from.
macro_rules! listed_columns {
    () => {
        concat!(
            "p.id, p.owner_id, p.package_type, p.name, ",
            effective_visibility!(any),
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

/// The packages of account `$2`, live, of this type: none if the caller `$1` is not let in.
macro_rules! from_type {
    ($type:ident, $admits:expr) => {
        concat!(
            " FROM packages p {{INDEXED BY packages_listed_",
            stringify!($type),
            "}}
            WHERE p.owner_id = (SELECT CAST($2 AS BIGINT) WHERE ",
            $admits,
            ") AND p.package_type = '",
            stringify!($type),
            "' AND p.deleted_at IS NULL AND p.published_at IS NOT NULL"
        )
    };
}

/// Those of them of visibility `$3` if given, below number `$4`, that are `$readable`.
macro_rules! from_visible {
    ($type:ident, $admits:expr, $readable:expr) => {
        concat!(
            from_type!($type, $admits),
            " AND (CAST($3 AS {{TEXT}}) IS NULL OR $3 = ",
            effective_visibility!($type),
            ")
            AND p.id < $4
            AND ",
            $readable
        )
    };
}

/// The newest `$5` of these, after the first `$6`.
macro_rules! visible {
    ($type:ident, $admits:expr, $readable:expr) => {
        page_of_packages!(
            "p.id DESC",
            "SELECT p.id AS page_id",
            from_visible!($type, $admits, $readable),
            " ORDER BY p.id DESC LIMIT $5 OFFSET $6"
        )
    };
}

/// How many these are; counted no further than `$5`.
macro_rules! count_visible {
    ($type:ident, $admits:expr, $readable:expr) => {
        concat!(
            "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM (SELECT 1 AS one",
            from_visible!($type, $admits, $readable),
            " LIMIT $5) AS few"
        )
    };
}

/// Of a package of the legacy registry: whether a package of the container registry has its name
/// too, as far as the caller may read that one: what they may not know of stands in nobody's way.
macro_rules! conflicting {
    ($readable:expr, $admits_container:expr, $container_readable:expr) => {
        concat!(
            $readable,
            " AND p.name IN (SELECT p.name",
            from_type!(container, $admits_container),
            " AND ",
            $container_readable,
            ")"
        )
    };
}

/// A list of the packages of a type that a caller may read, whom these two conditions are about.
macro_rules! of_type {
    ($list:ident, $type:ident, $admits:ident, $readable:ident $(, $owner:literal)?) => {
        $list!($type, $admits!($type), $readable!($type $(, $owner)?))
    };
}

/// The same of those that are in [`conflicting`].
macro_rules! in_conflict {
    ($list:ident, $admits:ident, $readable:ident $(, $owner:literal)?) => {
        $list!(
            docker,
            $admits!(docker),
            conflicting!(
                $readable!(docker $(, $owner)?),
                $admits!(container),
                $readable!(container $(, $owner)?)
            )
        )
    };
}

/// The deleted packages of account `$1`, since `$2`, of type `$5`, of visibility `$6` if given,
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
            AND p.package_type = $5
            AND (CAST($6 AS {{TEXT}}) IS NULL OR $6 = ",
            effective_visibility!(any),
            ")
            AND (p.deleted_at, p.id) < ($7, $8) AND ",
            $restorable,
            " ORDER BY p.deleted_at DESC, p.id DESC LIMIT $3 OFFSET $4"
        )
    };
}

statements! {
    CONTAINERS_OF_ANYBODY = of_type!(visible, container, admits_anybody, readable_by_anybody);
    CONTAINERS_OF_ANYBODY_COUNTED =
        of_type!(count_visible, container, admits_anybody, readable_by_anybody);
    IMAGES_OF_ANYBODY = of_type!(visible, docker, admits_anybody, readable_by_anybody);
    IMAGES_OF_ANYBODY_COUNTED =
        of_type!(count_visible, docker, admits_anybody, readable_by_anybody);
    CONFLICTS_OF_ANYBODY = in_conflict!(visible, admits_anybody, readable_by_anybody);
    CONFLICTS_OF_ANYBODY_COUNTED = in_conflict!(count_visible, admits_anybody, readable_by_anybody);
    CONTAINERS_OF_USER = of_type!(visible, container, admits_user, readable_by_user, "$2");
    CONTAINERS_OF_USER_COUNTED =
        of_type!(count_visible, container, admits_user, readable_by_user, "$2");
    IMAGES_OF_USER = of_type!(visible, docker, admits_user, readable_by_user, "$2");
    IMAGES_OF_USER_COUNTED = of_type!(count_visible, docker, admits_user, readable_by_user, "$2");
    CONFLICTS_OF_USER = in_conflict!(visible, admits_user, readable_by_user, "$2");
    CONFLICTS_OF_USER_COUNTED = in_conflict!(count_visible, admits_user, readable_by_user, "$2");
    CONTAINERS_OF_WORKFLOW = of_type!(visible, container, admits_workflow, readable_by_workflow);
    CONTAINERS_OF_WORKFLOW_COUNTED =
        of_type!(count_visible, container, admits_workflow, readable_by_workflow);
    IMAGES_OF_WORKFLOW = of_type!(visible, docker, admits_workflow, readable_by_workflow);
    IMAGES_OF_WORKFLOW_COUNTED =
        of_type!(count_visible, docker, admits_workflow, readable_by_workflow);
    CONFLICTS_OF_WORKFLOW = in_conflict!(visible, admits_workflow, readable_by_workflow);
    CONFLICTS_OF_WORKFLOW_COUNTED =
        in_conflict!(count_visible, admits_workflow, readable_by_workflow);
    CONTAINERS_OF_SYSTEM = of_type!(visible, container, admits_system, readable_by_system);
    CONTAINERS_OF_SYSTEM_COUNTED =
        of_type!(count_visible, container, admits_system, readable_by_system);
    IMAGES_OF_SYSTEM = of_type!(visible, docker, admits_system, readable_by_system);
    IMAGES_OF_SYSTEM_COUNTED = of_type!(count_visible, docker, admits_system, readable_by_system);
    CONFLICTS_OF_SYSTEM = in_conflict!(visible, admits_system, readable_by_system);
    CONFLICTS_OF_SYSTEM_COUNTED = in_conflict!(count_visible, admits_system, readable_by_system);

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
    /// Of which registry.
    pub package_type: PackageType,
    /// Only with this visibility; on the legacy registry that of the repository.
    pub visibility: Option<Visibility>,
    /// Of the legacy registry only those whose name a package of the container registry has too that
    /// may be read as well, so that they cannot migrate.
    pub conflicting: bool,
}

/// The statements that make a list for one sort of caller.
struct ListStatements {
    page: &'static Statement,
    count: &'static Statement,
}

macro_rules! list {
    ($page:ident, $count:ident) => {
        ListStatements {
            page: $page,
            count: $count,
        }
    };
}

impl PackageFilter {
    const fn statements(self, principal: &Principal) -> ListStatements {
        match self.package_type {
            PackageType::Container => containers(principal),
            PackageType::Docker if self.conflicting => conflicts(principal),
            PackageType::Docker => images(principal),
        }
    }
}

const fn containers(principal: &Principal) -> ListStatements {
    match principal {
        Principal::Anonymous { .. } => list!(CONTAINERS_OF_ANYBODY, CONTAINERS_OF_ANYBODY_COUNTED),
        Principal::User { .. } => list!(CONTAINERS_OF_USER, CONTAINERS_OF_USER_COUNTED),
        Principal::Workflow { .. } => list!(CONTAINERS_OF_WORKFLOW, CONTAINERS_OF_WORKFLOW_COUNTED),
        Principal::System => list!(CONTAINERS_OF_SYSTEM, CONTAINERS_OF_SYSTEM_COUNTED),
    }
}

const fn images(principal: &Principal) -> ListStatements {
    match principal {
        Principal::Anonymous { .. } => list!(IMAGES_OF_ANYBODY, IMAGES_OF_ANYBODY_COUNTED),
        Principal::User { .. } => list!(IMAGES_OF_USER, IMAGES_OF_USER_COUNTED),
        Principal::Workflow { .. } => list!(IMAGES_OF_WORKFLOW, IMAGES_OF_WORKFLOW_COUNTED),
        Principal::System => list!(IMAGES_OF_SYSTEM, IMAGES_OF_SYSTEM_COUNTED),
    }
}

const fn conflicts(principal: &Principal) -> ListStatements {
    match principal {
        Principal::Anonymous { .. } => list!(CONFLICTS_OF_ANYBODY, CONFLICTS_OF_ANYBODY_COUNTED),
        Principal::User { .. } => list!(CONFLICTS_OF_USER, CONFLICTS_OF_USER_COUNTED),
        Principal::Workflow { .. } => list!(CONFLICTS_OF_WORKFLOW, CONFLICTS_OF_WORKFLOW_COUNTED),
        Principal::System => list!(CONFLICTS_OF_SYSTEM, CONFLICTS_OF_SYSTEM_COUNTED),
    }
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
        filter.package_type.as_str().into(),
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
    let rows = conn.all(filter.statements(principal).page, &args).await?;
    Ok(Page::cut(rows, cursor, |listed: &ListedPackage| {
        listed.package.id.get()
    }))
}

fn about_visible(principal: &Principal, filter: PackageFilter, below: i64) -> Vec<Arg<'static>> {
    vec![
        caller_number(principal).into(),
        filter.owner.into(),
        filter.visibility.map(Visibility::as_str).into(),
        below.into(),
    ]
}

/// How many packages [`visible_packages`] finds in all; counts no further than
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
    let count: i64 = conn.one(filter.statements(principal).count, &args).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}
