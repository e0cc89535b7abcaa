//! The facts that every decision is made from, each in one question.

use naru_model::policy::{
    AccountFacts, Caller, ExistingPackage, Owner, PackageFacts, RepositoryFacts, RepositoryState,
    TeamFacts, TeamState, WorkflowRepository,
};
use naru_model::{
    AccountId, AccountName, Moment, PackagePath, PackageSettings, PackageState, PackageType,
    Principal, RepositoryId, RepositoryPath, RepositoryRole, Role, TeamSlug,
};

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;
use crate::teams::in_team;

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

statements! {
    #[short]
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
    #[short]
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
