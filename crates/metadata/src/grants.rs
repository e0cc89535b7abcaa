//! Who has which role on which package, and the facts that every decision is made from.
//!
//! This is the one place below the policy that knows of permission: the statements load what
//! [`naru_model::policy`] needs, each in one question, and [`visible_packages`] says in SQL what
//! `decide_package` says of reading. A test builds small worlds and compares the two.

use naru_model::policy::{
    AccountFacts, Caller, ExistingPackage, Owner, PackageFacts, RepositoryFacts, RepositoryState,
    TeamFacts, TeamState, WorkflowRepository,
};
use naru_model::{
    AccountId, AccountName, Moment, Package, PackageId, PackageName, PackagePath, PackageSettings,
    PackageState, PackageType, Principal, Repository, RepositoryId, RepositoryPath, RepositoryRole,
    Role, Team, TeamId, TeamSlug, User, Visibility,
};

use crate::accounts::account_columns;
use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;
use crate::page::{Cursor, Page};
use crate::repositories::repository_columns;
use crate::teams::{in_team, team_columns};

/// The account `o` of the path, `$1` being its name: nothing or one row beside everything else.
macro_rules! from_owner {
    () => {
        "FROM (SELECT 1 AS one) AS base
            LEFT JOIN accounts o ON o.login_key = $1 AND o.deleted_at IS NULL
        "
    };
}

/// What [`owner`] reads.
macro_rules! owner_columns {
    () => {
        "o.id AS owner_id, o.kind AS owner_kind, o.members_create_public, \
         o.members_create_internal, o.members_create_private, o.members_create_repositories, \
         o.packages_inherit_access, o.public_is_final, o.refuse_needed_deletes"
    };
}

/// The caller: `$2` is a user, `$3` a workflow's repository; whichever it is not is null.
macro_rules! join_caller {
    () => {
        "LEFT JOIN accounts u ON u.id = $2 AND u.kind = 'user' AND u.deleted_at IS NULL
                AND u.suspended_at IS NULL
            LEFT JOIN organization_members m ON m.organization_id = o.id AND m.user_id = $2
            LEFT JOIN repositories w ON w.id = $3 AND w.deleted_at IS NULL
            LEFT JOIN accounts wo ON wo.id = w.owner_id AND wo.deleted_at IS NULL
                AND wo.suspended_at IS NULL
        "
    };
}

/// What [`caller`] reads.
macro_rules! caller_columns {
    () => {
        "u.id AS user_id, m.role AS organization_role, wo.id AS workflow_owner, \
         w.visibility AS workflow_visibility"
    };
}

/// The caller's explicit roles in the repository `r`, as ranks that can be compared.
macro_rules! repository_role_columns {
    () => {
        concat!(
            "(SELECT CAST(MAX(CASE x.role WHEN 'admin' THEN 5 WHEN 'maintain' THEN 4
                    WHEN 'write' THEN 3 WHEN 'triage' THEN 2 ELSE 1 END) AS BIGINT)
                FROM repository_users x
                WHERE x.repository_id = r.id AND x.user_id = $2) AS user_rank,
            (SELECT CAST(MAX(CASE x.role WHEN 'admin' THEN 5 WHEN 'maintain' THEN 4
                    WHEN 'write' THEN 3 WHEN 'triage' THEN 2 ELSE 1 END) AS BIGINT)
                FROM repository_teams x
                WHERE x.repository_id = r.id AND ",
            in_team!("x.team_id", "$2"),
            ") AS team_rank"
        )
    };
}

pub(crate) use repository_role_columns;

/// The repository `r` that the package `p` follows: the linked one, on the legacy registry the one
/// in its name. `REPO/IMAGE` has one slash; trimming everything else from the right leaves `REPO/`.
macro_rules! join_followed_repository {
    () => {
        "LEFT JOIN repositories r ON r.deleted_at IS NULL AND r.id = CASE
                WHEN p.package_type = 'container' THEN p.repository_id
                ELSE (SELECT y.id FROM repositories y
                      WHERE y.owner_id = p.owner_id AND y.deleted_at IS NULL AND y.name_key =
                          rtrim(rtrim(p.name, replace(p.name, '/', '')), '/'))
                END
        "
    };
}

/// Something of the repository `y` whose name is the beginning of that of the package `p`, which
/// only a package of the legacy registry follows; see [`join_followed_repository`].
macro_rules! legacy_repository {
    ($column:literal) => {
        concat!(
            "(SELECT y.",
            $column,
            " FROM repositories y
                WHERE y.owner_id = p.owner_id AND y.deleted_at IS NULL AND y.name_key =
                    rtrim(rtrim(p.name, replace(p.name, '/', '')), '/'))"
        )
    };
}

/// The number of the repository that the package `p` follows, deleted or not: for lists, which pass
/// over many packages, cheaper than [`join_followed_repository`].
macro_rules! followed_repository {
    () => {
        concat!(
            "CASE p.package_type WHEN 'container' THEN p.repository_id ELSE ",
            legacy_repository!("id"),
            " END"
        )
    };
}

/// Who may read the package `p` without a role; on the legacy registry as its repository says.
macro_rules! effective_visibility {
    () => {
        concat!(
            "CASE p.package_type WHEN 'container' THEN p.visibility ELSE COALESCE(",
            legacy_repository!("visibility"),
            ", 'private') END"
        )
    };
}

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

/// Whether the registry of the package `p` is open at all. The list of the others is made once for
/// all packages: behind `registry.` stands the type.
macro_rules! registry_is_open {
    () => {
        "p.package_type NOT IN (SELECT substr(i.key, 10) FROM instance i
                WHERE i.key IN ('registry.container', 'registry.docker')
                    AND i.value = 'disabled')"
    };
}

/// Whether the registry of the package `p` is neither closed nor read-only.
macro_rules! registry_takes_changes {
    () => {
        "p.package_type NOT IN (SELECT substr(i.key, 10) FROM instance i
                WHERE i.key IN ('registry.container', 'registry.docker')
                    AND i.value <> 'enabled')"
    };
}

/// Whether nobody in particular may read the package `p`: what `decide_package` says of reading.
/// `$1`, the caller, is null. This and its like stand behind the owner `o`.
macro_rules! readable_by_anybody {
    () => {
        concat!(
            "CAST($1 AS BIGINT) IS NULL
            AND p.package_type = 'container' AND p.visibility = 'public' AND ",
            registry_is_open!()
        )
    };
}

/// What a grant in one of these tables gives a user, in person or by a team: a list that is made
/// once, however many packages or repositories are looked at.
macro_rules! granted_to_user {
    ($user:literal, $column:literal, $users:literal, $teams:literal) => {
        concat!(
            "(SELECT g.",
            $column,
            " FROM ",
            $users,
            " g WHERE g.user_id = ",
            $user,
            " UNION ALL SELECT g.",
            $column,
            " FROM (SELECT tm.team_id FROM team_members tm WHERE tm.user_id = ",
            $user,
            " UNION SELECT ta.ancestor_id FROM team_members tm
                        JOIN team_ancestors ta ON ta.team_id = tm.team_id
                    WHERE tm.user_id = ",
            $user,
            ") mine JOIN ",
            $teams,
            " g ON g.team_id = mine.team_id)"
        )
    };
}

/// Whether the user `$1` may read the package `p`. What does not depend on the package stands in
/// subqueries that are answered once, and what most packages are decided by comes first.
macro_rules! readable_by_user {
    () => {
        concat!(
            registry_is_open!(),
            "
            AND EXISTS (SELECT 1 FROM accounts u WHERE u.id = $1 AND u.kind = 'user'
                AND u.deleted_at IS NULL AND u.suspended_at IS NULL)
            AND (p.owner_id = $1
                OR p.owner_id IN (SELECT m.organization_id FROM organization_members m
                    WHERE m.user_id = $1 AND m.role = 'owner')
                OR ",
            effective_visibility!(),
            " <> 'private'
                OR (p.package_type = 'container'
                    AND (o.kind = 'user' OR p.owner_id IN (SELECT m.organization_id
                        FROM organization_members m WHERE m.user_id = $1))
                    AND p.id IN ",
            granted_to_user!("$1", "package_id", "package_users", "package_teams"),
            ")
                OR ((p.package_type = 'docker' OR p.inherit_access = 1)
                    AND ",
            followed_repository!(),
            " IN ",
            granted_to_user!(
                "$1",
                "repository_id",
                "repository_users",
                "repository_teams"
            ),
            " AND (p.package_type = 'docker' OR (SELECT r.deleted_at IS NULL
                        FROM repositories r WHERE r.id = p.repository_id))))"
        )
    };
}

/// Whether a workflow of the repository `$1` may read the package `p`.
macro_rules! readable_by_workflow {
    () => {
        concat!(
            registry_is_open!(),
            "
            AND EXISTS (SELECT 1 FROM repositories w JOIN accounts wo ON wo.id = w.owner_id
                WHERE w.id = $1 AND w.deleted_at IS NULL AND wo.deleted_at IS NULL
                    AND wo.suspended_at IS NULL
                    AND (",
            effective_visibility!(),
            " <> 'private'
                        OR (p.package_type = 'docker' AND ",
            legacy_repository!("id"),
            " = w.id)
                        OR (p.package_type = 'container' AND w.owner_id = p.owner_id
                            AND EXISTS (SELECT 1 FROM package_repositories g
                                WHERE g.package_id = p.id AND g.repository_id = w.id))))"
        )
    };
}

/// The machine itself may read everything; `$1` is null.
macro_rules! readable_by_system {
    () => {
        "CAST($1 AS BIGINT) IS NULL"
    };
}

pub(crate) use {
    effective_visibility, followed_repository, granted_to_user, join_followed_repository,
    legacy_repository, listed_columns, readable_by_anybody, readable_by_system, readable_by_user,
    readable_by_workflow, registry_is_open,
};

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
            " FROM accounts o CROSS JOIN packages p
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
    PACKAGE_FACTS = concat!("SELECT ", owner_columns!(), ", ", caller_columns!(), ", ",
            repository_role_columns!(), ",
            p.id AS package_id, p.package_type, p.visibility AS package_visibility,
            p.inherit_access, p.published_at, p.deleted_at,
            r.id AS repository_id, r.visibility AS repository_visibility,
            COALESCE((SELECT i.value FROM instance i WHERE i.key = 'registry.' || $4), 'enabled')
                AS registry_mode,
            COALESCE(g.role, wg.role) AS grant_role,
            (SELECT CAST(MAX(CASE x.role WHEN 'admin' THEN 3 WHEN 'write' THEN 2 ELSE 1 END)
                    AS BIGINT)
                FROM package_teams x
                WHERE x.package_id = p.id AND ", in_team!("x.team_id", "$2"), ") AS team_grant,
            CASE WHEN EXISTS (SELECT 1 FROM retired_names n
                    WHERE n.owner_key = $1 AND n.package_type = $4 AND n.name = $5
                        AND n.kept_for <> COALESCE(o.id, 0))
                THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS name_retired
        ", from_owner!(), join_caller!(),
        "LEFT JOIN packages p ON p.id = COALESCE(
                (SELECT x.id FROM packages x WHERE x.owner_id = o.id AND x.package_type = $4
                    AND x.name = $5 AND x.deleted_at IS NULL),
                (SELECT x.id FROM packages x WHERE x.owner_id = o.id AND x.package_type = $4
                    AND x.name = $5 AND x.deleted_at IS NOT NULL
                    ORDER BY x.deleted_at DESC, x.id DESC LIMIT 1))
            LEFT JOIN repositories r ON r.deleted_at IS NULL AND r.id = CASE
                WHEN CAST($6 AS {{TEXT}}) IS NULL THEN p.repository_id
                ELSE (SELECT y.id FROM repositories y
                      WHERE y.owner_id = o.id AND y.name_key = $6 AND y.deleted_at IS NULL)
                END
            LEFT JOIN package_users g ON g.package_id = p.id AND g.user_id = $2
            LEFT JOIN package_repositories wg ON wg.package_id = p.id AND wg.repository_id = w.id");
    ACCOUNT_FACTS = concat!("SELECT ", owner_columns!(), ", ", caller_columns!(), " ",
        from_owner!(), join_caller!());
    REPOSITORY_FACTS = concat!("SELECT ", owner_columns!(), ", ", caller_columns!(), ", ",
            repository_role_columns!(), ",
            r.id AS repository_id, r.visibility AS repository_visibility
        ", from_owner!(), join_caller!(),
        "LEFT JOIN repositories r ON r.owner_id = o.id AND r.name_key = $4
                AND r.deleted_at IS NULL");
    REPOSITORIES_FACTS = concat!("SELECT o.login, r.name, ", owner_columns!(), ", ",
            caller_columns!(), ", ", repository_role_columns!(), ",
            r.id AS repository_id, r.visibility AS repository_visibility
        FROM repositories r JOIN accounts o ON o.id = r.owner_id AND o.deleted_at IS NULL
            ", join_caller!(), "WHERE r.id {{IN $1}} AND r.deleted_at IS NULL ORDER BY r.id");
    TEAM_FACTS = concat!("SELECT ", owner_columns!(), ", ", caller_columns!(), ",
            t.id AS team_id, t.privacy, tm.role AS team_role,
            CASE WHEN ", in_team!("t.id", "$2"), "
                THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS includes_caller
        ", from_owner!(), join_caller!(),
        "LEFT JOIN teams t ON t.organization_id = o.id AND t.slug = $4
            LEFT JOIN team_members tm ON tm.team_id = t.id AND tm.user_id = $2");
    PACKAGE_PATH = "SELECT p.package_type, o.login, p.name
        FROM packages p JOIN accounts o ON o.id = p.owner_id
        WHERE p.id = $1 AND p.deleted_at IS NULL AND o.deleted_at IS NULL";

    VISIBLE_TO_ANYBODY = visible!(readable_by_anybody!());
    VISIBLE_TO_USER = visible!(readable_by_user!());
    VISIBLE_TO_WORKFLOW = visible!(readable_by_workflow!());
    VISIBLE_TO_SYSTEM = visible!(readable_by_system!());
    CONFLICTING_TO_ANYBODY = conflicting!(readable_by_anybody!());
    CONFLICTING_TO_USER = conflicting!(readable_by_user!());
    CONFLICTING_TO_WORKFLOW = conflicting!(readable_by_workflow!());
    CONFLICTING_TO_SYSTEM = conflicting!(readable_by_system!());
    COUNT_VISIBLE_TO_ANYBODY = count_visible!(readable_by_anybody!());
    COUNT_VISIBLE_TO_USER = count_visible!(readable_by_user!());
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

    PUT_USER = "INSERT INTO package_users (package_id, user_id, role, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (package_id, user_id) DO UPDATE SET role = excluded.role";
    REMOVE_USER = "DELETE FROM package_users WHERE package_id = $1 AND user_id = $2";
    USERS = concat!("SELECT ", account_columns!(), ", g.role
        FROM package_users g JOIN accounts a ON a.id = g.user_id
        WHERE g.package_id = $1 AND a.deleted_at IS NULL ORDER BY a.login_key");
    PUT_TEAM = "INSERT INTO package_teams (package_id, team_id, role, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (package_id, team_id) DO UPDATE SET role = excluded.role";
    REMOVE_TEAM = "DELETE FROM package_teams WHERE package_id = $1 AND team_id = $2";
    TEAMS = concat!("SELECT ", team_columns!(), ", g.role
        FROM package_teams g JOIN teams t ON t.id = g.team_id
        WHERE g.package_id = $1 ORDER BY t.slug");
    PUT_REPOSITORY = "INSERT INTO package_repositories (package_id, repository_id, role, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (package_id, repository_id) DO UPDATE SET role = excluded.role";
    REMOVE_REPOSITORY = "DELETE FROM package_repositories
        WHERE package_id = $1 AND repository_id = $2";
    REPOSITORIES = concat!("SELECT ", repository_columns!(), ", g.role
        FROM package_repositories g JOIN repositories r ON r.id = g.repository_id
        WHERE g.package_id = $1 AND r.deleted_at IS NULL ORDER BY r.name_key, r.id");
}

/// Everything that a decision about the package at `path` needs to know, in one question.
///
/// # Errors
/// Those of the database.
pub async fn package_facts(
    conn: &mut Conn,
    principal: &Principal,
    path: &PackagePath,
) -> Result<PackageFacts> {
    let (user, workflow) = ids(principal);
    let legacy = match path.package_type {
        PackageType::Container => None,
        PackageType::Docker => path.name.legacy_repository(),
    };
    let args = [
        path.owner.key().into(),
        user.into(),
        workflow.into(),
        path.package_type.as_str().into(),
        path.name.as_str().into(),
        legacy
            .as_ref()
            .map(naru_model::SourceRepositoryName::key)
            .into(),
    ];
    conn.one(PACKAGE_FACTS, &args).await
}

/// Everything that a decision about the account `name` needs to know, in one question.
///
/// # Errors
/// Those of the database.
pub async fn account_facts(
    conn: &mut Conn,
    principal: &Principal,
    name: &AccountName,
) -> Result<AccountFacts> {
    let (user, workflow) = ids(principal);
    conn.one(
        ACCOUNT_FACTS,
        &[name.key().into(), user.into(), workflow.into()],
    )
    .await
}

/// Everything that a decision about the source repository at `path` needs to know, in one
/// question.
///
/// # Errors
/// Those of the database.
pub async fn repository_facts(
    conn: &mut Conn,
    principal: &Principal,
    path: &RepositoryPath,
) -> Result<RepositoryFacts> {
    let (user, workflow) = ids(principal);
    let args = [
        path.owner.key().into(),
        user.into(),
        workflow.into(),
        path.name.key().into(),
    ];
    conn.one(REPOSITORY_FACTS, &args).await
}

/// The same about those of the source repositories that are there, in the order of their numbers,
/// in one question for all of them.
///
/// # Errors
/// Those of the database.
pub async fn facts_of_repositories(
    conn: &mut Conn,
    principal: &Principal,
    repositories: &[RepositoryId],
) -> Result<Vec<(RepositoryPath, RepositoryFacts)>> {
    let (user, workflow) = ids(principal);
    let numbers: Vec<i64> = repositories.iter().map(|id| id.get()).collect();
    let args = [numbers.as_slice().into(), user.into(), workflow.into()];
    let found: Vec<At> = conn.all(REPOSITORIES_FACTS, &args).await?;
    Ok(found
        .into_iter()
        .map(|At(path, facts)| (path, facts))
        .collect())
}

struct At(RepositoryPath, RepositoryFacts);

impl FromRow for At {
    fn from_row(row: &Row) -> Result<Self> {
        let path = RepositoryPath::from_row(row)?;
        Ok(Self(path, RepositoryFacts::from_row(row)?))
    }
}

/// Everything that a decision about a team of the organization `name` needs to know, in one
/// question.
///
/// # Errors
/// Those of the database.
pub async fn team_facts(
    conn: &mut Conn,
    principal: &Principal,
    name: &AccountName,
    slug: &TeamSlug,
) -> Result<TeamFacts> {
    let (user, workflow) = ids(principal);
    let args = [
        name.key().into(),
        user.into(),
        workflow.into(),
        slug.as_str().into(),
    ];
    conn.one(TEAM_FACTS, &args).await
}

/// What there is to know about the caller, seen from nowhere in particular: for decisions about the
/// instance.
///
/// # Errors
/// Those of the database.
pub async fn caller_facts(conn: &mut Conn, principal: &Principal) -> Result<Caller> {
    let (user, workflow) = ids(principal);
    // No account has the empty name.
    let facts: AccountFacts = conn
        .one(ACCOUNT_FACTS, &["".into(), user.into(), workflow.into()])
        .await?;
    Ok(facts.caller)
}

const fn ids(principal: &Principal) -> (Option<AccountId>, Option<RepositoryId>) {
    match principal {
        Principal::User { user, .. } => (Some(*user), None),
        Principal::Workflow { repository, .. } => (None, Some(*repository)),
        Principal::Anonymous { .. } | Principal::System => (None, None),
    }
}

impl FromRow for PackageFacts {
    fn from_row(row: &Row) -> Result<Self> {
        let repository = repository(row)?;
        let caller = Caller {
            grant: row.optional_word("grant_role")?,
            team_grant: rank(row, "team_grant", Role::ALL)?,
            repository_role: repository_role(row, repository.as_ref())?,
            ..caller(row)?
        };
        Ok(Self {
            registry: row.word("registry_mode")?,
            owner: owner(row)?,
            package: existing(row)?,
            repository,
            name_retired: row.get("name_retired")?,
            caller,
        })
    }
}

impl FromRow for AccountFacts {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            account: owner(row)?,
            caller: caller(row)?,
        })
    }
}

impl FromRow for TeamFacts {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            organization: owner(row)?,
            team: team(row)?,
            caller: caller(row)?,
        })
    }
}

fn team(row: &Row) -> Result<Option<TeamState>> {
    let Some(id) = row.get("team_id")? else {
        return Ok(None);
    };
    Ok(Some(TeamState {
        id,
        privacy: row.word("privacy")?,
        role: row.optional_word("team_role")?,
        includes_caller: row.get("includes_caller")?,
    }))
}

impl FromRow for RepositoryFacts {
    fn from_row(row: &Row) -> Result<Self> {
        let repository = repository(row)?;
        let repository_role = repository_role(row, repository.as_ref())?;
        let caller = Caller {
            repository_role,
            ..caller(row)?
        };
        Ok(Self {
            owner: owner(row)?,
            repository,
            caller,
        })
    }
}

fn owner(row: &Row) -> Result<Option<Owner>> {
    let Some(id) = row.get("owner_id")? else {
        return Ok(None);
    };
    let settings = PackageSettings::from_row(row)?;
    Ok(Some(Owner {
        id,
        kind: row.word("owner_kind")?,
        settings,
    }))
}

fn caller(row: &Row) -> Result<Caller> {
    let user: Option<AccountId> = row.get("user_id")?;
    let workflow_owner: Option<AccountId> = row.get("workflow_owner")?;
    let workflow = match workflow_owner {
        Some(owner) => Some(WorkflowRepository {
            owner,
            visibility: row.word("workflow_visibility")?,
        }),
        None => None,
    };
    Ok(Caller {
        active: user.is_some() || workflow.is_some(),
        organization_role: row.optional_word("organization_role")?,
        workflow,
        ..Caller::default()
    })
}

fn existing(row: &Row) -> Result<Option<ExistingPackage>> {
    let Some(id) = row.get("package_id")? else {
        return Ok(None);
    };
    let published_at: Option<Moment> = row.get("published_at")?;
    let deleted_at: Option<Moment> = row.get("deleted_at")?;
    let state = match (published_at, deleted_at) {
        (_, Some(_)) => PackageState::Deleted,
        (None, None) => PackageState::Hidden,
        (Some(_), None) => PackageState::Live,
    };
    Ok(Some(ExistingPackage {
        id,
        package_type: row.word("package_type")?,
        state,
        visibility: row.word("package_visibility")?,
        inherit_access: row.get("inherit_access")?,
    }))
}

fn repository(row: &Row) -> Result<Option<RepositoryState>> {
    let Some(id) = row.get("repository_id")? else {
        return Ok(None);
    };
    Ok(Some(RepositoryState {
        id,
        visibility: row.word("repository_visibility")?,
    }))
}

/// The better of the own role and the teams' best, where there is a repository.
fn repository_role(
    row: &Row,
    repository: Option<&RepositoryState>,
) -> Result<Option<RepositoryRole>> {
    if repository.is_none() {
        return Ok(None);
    }
    let own = rank(row, "user_rank", RepositoryRole::ALL)?;
    let team = rank(row, "team_rank", RepositoryRole::ALL)?;
    Ok(own.max(team))
}

/// The role at a rank, 1 being the least.
pub(crate) fn rank<T: Copy>(row: &Row, column: &'static str, roles: &[T]) -> Result<Option<T>> {
    let Some(rank) = row.get::<Option<u64>>(column)? else {
        return Ok(None);
    };
    let place = usize::try_from(rank)
        .ok()
        .and_then(|rank| rank.checked_sub(1));
    let role = place.and_then(|place| roles.get(place)).copied();
    role.map(Some)
        .ok_or_else(|| row.corrupt(column, format!("{rank} is no rank")))
}

/// Where a live or hidden package is, by its number.
///
/// # Errors
/// Those of the database.
pub async fn package_path(conn: &mut Conn, package: PackageId) -> Result<Option<PackagePath>> {
    conn.optional(PACKAGE_PATH, &[package.into()]).await
}

impl FromRow for PackagePath {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            package_type: row.word("package_type")?,
            owner: row.word("login")?,
            name: row.word::<PackageName>("name")?,
        })
    }
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

/// `$1` of the conditions above.
pub(crate) fn caller_number(principal: &Principal) -> Option<i64> {
    match principal {
        Principal::User { user, .. } => Some(user.get()),
        Principal::Workflow { repository, .. } => Some(repository.get()),
        Principal::Anonymous { .. } | Principal::System => None,
    }
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

/// Grants a user a role, in place of the one they had.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such user or package.
pub async fn set_user(
    conn: &mut Conn,
    package: PackageId,
    user: AccountId,
    role: Role,
    now: Moment,
) -> Result<()> {
    let args = [
        package.into(),
        user.into(),
        role.as_str().into(),
        now.into(),
    ];
    conn.execute(PUT_USER, &args).await?;
    Ok(())
}

/// Takes what was granted to a user. Returns whether there was something.
///
/// # Errors
/// Those of the database.
pub async fn remove_user(conn: &mut Conn, package: PackageId, user: AccountId) -> Result<bool> {
    Ok(conn
        .execute(REMOVE_USER, &[package.into(), user.into()])
        .await?
        > 0)
}

/// What was granted to users, in the order of their names.
///
/// # Errors
/// Those of the database.
pub async fn users(conn: &mut Conn, package: PackageId) -> Result<Vec<(User, Role)>> {
    conn.all(USERS, &[package.into()]).await
}

/// Grants a team a role, in place of the one it had.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such team or package.
pub async fn set_team(
    conn: &mut Conn,
    package: PackageId,
    team: TeamId,
    role: Role,
    now: Moment,
) -> Result<()> {
    let args = [
        package.into(),
        team.into(),
        role.as_str().into(),
        now.into(),
    ];
    conn.execute(PUT_TEAM, &args).await?;
    Ok(())
}

/// Takes what was granted to a team. Returns whether there was something.
///
/// # Errors
/// Those of the database.
pub async fn remove_team(conn: &mut Conn, package: PackageId, team: TeamId) -> Result<bool> {
    Ok(conn
        .execute(REMOVE_TEAM, &[package.into(), team.into()])
        .await?
        > 0)
}

/// What was granted to teams, in the order of their slugs.
///
/// # Errors
/// Those of the database.
pub async fn teams(conn: &mut Conn, package: PackageId) -> Result<Vec<(Team, Role)>> {
    conn.all(TEAMS, &[package.into()]).await
}

/// Grants a repository's workflows a role, in place of the one they had ("Actions access").
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such repository or package.
pub async fn set_repository(
    conn: &mut Conn,
    package: PackageId,
    repository: RepositoryId,
    role: Role,
    now: Moment,
) -> Result<()> {
    let args = [
        package.into(),
        repository.into(),
        role.as_str().into(),
        now.into(),
    ];
    conn.execute(PUT_REPOSITORY, &args).await?;
    Ok(())
}

/// Takes what was granted to a repository's workflows. Returns whether there was something.
///
/// # Errors
/// Those of the database.
pub async fn remove_repository(
    conn: &mut Conn,
    package: PackageId,
    repository: RepositoryId,
) -> Result<bool> {
    Ok(conn
        .execute(REMOVE_REPOSITORY, &[package.into(), repository.into()])
        .await?
        > 0)
}

/// What was granted to the workflows of repositories, in the order of their names.
///
/// # Errors
/// Those of the database.
pub async fn repositories(conn: &mut Conn, package: PackageId) -> Result<Vec<(Repository, Role)>> {
    conn.all(REPOSITORIES, &[package.into()]).await
}
