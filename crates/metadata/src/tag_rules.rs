//! Tag rules: who may create, move and delete which tags of a package, or of all packages of an
//! owner.

use std::collections::HashMap;

use naru_model::{
    AccountId, Moment, PackageId, RepositoryId, RepositoryPath, TagAction, TagAllowance,
    TagPattern, TagRule, TagRuleId, TagRuleSource, TeamId,
};

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

/// Whose rules are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesOf {
    /// One package's.
    Package(PackageId),
    /// An owner's, for all of its packages.
    Owner(AccountId),
}

/// What a rule says; what is said of users, teams and repositories counts by its numbers.
#[derive(Clone, Copy, Debug)]
pub struct RuleText<'a> {
    /// The tags that it is about,
    pub pattern: &'a TagPattern,
    /// but for these.
    pub except: Option<&'a TagPattern>,
    /// What it is for.
    pub description: Option<&'a str>,
    /// Whether nobody moves or deletes such tags.
    pub immutable: bool,
    /// Who creates them.
    pub creates: &'a TagAllowance,
    /// Who moves them.
    pub moves: &'a TagAllowance,
    /// Who deletes them.
    pub deletes: &'a TagAllowance,
}

/// What [`TagRule`] is read from.
macro_rules! rule_columns {
    () => {
        "r.id, r.package_id, r.pattern, r.exception, r.description, r.immutable, r.create_role, \
         r.move_role, r.delete_role, r.created_at, r.updated_at"
    };
}

impl FromRow for TagRule {
    fn from_row(row: &Row) -> Result<Self> {
        let package: Option<PackageId> = row.get("package_id")?;
        Ok(Self {
            id: row.get("id")?,
            source: match package {
                Some(_) => TagRuleSource::Package,
                None => TagRuleSource::Organization,
            },
            pattern: row.word("pattern")?,
            except: row.optional_word("exception")?,
            description: row.get("description")?,
            immutable: row.get("immutable")?,
            creates: allowance(row, "create_role")?,
            moves: allowance(row, "move_role")?,
            deletes: allowance(row, "delete_role")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

/// The role alone; who is named comes from other rows.
fn allowance(row: &Row, column: &'static str) -> Result<TagAllowance> {
    Ok(TagAllowance {
        role: row.optional_word(column)?,
        ..TagAllowance::default()
    })
}

statements! {
    #[short]
    BINDING = concat!("SELECT ", rule_columns!(), " FROM tag_rules r WHERE r.package_id = $1
        UNION ALL SELECT ", rule_columns!(), " FROM tag_rules r
            WHERE r.owner_id = $2 AND r.package_id IS NULL
        ORDER BY id");
    OF_PACKAGE = concat!("SELECT ", rule_columns!(), " FROM tag_rules r
        WHERE r.package_id = $1 ORDER BY r.id");
    OF_OWNER = concat!("SELECT ", rule_columns!(), " FROM tag_rules r
        WHERE r.owner_id = $1 AND r.package_id IS NULL ORDER BY r.id");
    FIND_OF_PACKAGE = concat!("SELECT ", rule_columns!(), " FROM tag_rules r
        WHERE r.id = $2 AND r.package_id = $1");
    FIND_OF_OWNER = concat!("SELECT ", rule_columns!(), " FROM tag_rules r
        WHERE r.id = $2 AND r.owner_id = $1 AND r.package_id IS NULL");
    NAMED = "SELECT n.rule_id, n.action, 'user' AS kind, a.id, a.login AS beside, a.login AS name
            FROM tag_rule_users n JOIN accounts a ON a.id = n.user_id
            WHERE n.rule_id {{IN $1}} AND a.deleted_at IS NULL
        UNION ALL SELECT n.rule_id, n.action, 'team' AS kind, t.id, t.privacy, t.slug
            FROM tag_rule_teams n JOIN teams t ON t.id = n.team_id
            WHERE n.rule_id {{IN $1}}
        UNION ALL SELECT n.rule_id, n.action, 'repository' AS kind, s.id, o.login, s.name
            FROM tag_rule_repositories n JOIN repositories s ON s.id = n.repository_id
                JOIN accounts o ON o.id = s.owner_id
            WHERE n.rule_id {{IN $1}} AND s.deleted_at IS NULL AND o.deleted_at IS NULL
        ORDER BY name, id";
    CREATE = "INSERT INTO tag_rules (owner_id, package_id, pattern, exception, description,
            immutable, create_role, move_role, delete_role, created_by, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
        RETURNING id";
    CHANGE = "UPDATE tag_rules SET pattern = $2, exception = $3, description = $4, immutable = $5,
            create_role = $6, move_role = $7, delete_role = $8, updated_at = $9
        WHERE id = $1";
    NAME_USER = "INSERT INTO tag_rule_users (rule_id, action, user_id) VALUES ($1, $2, $3)
        ON CONFLICT (rule_id, action, user_id) DO NOTHING";
    NAME_TEAM = "INSERT INTO tag_rule_teams (rule_id, action, team_id) VALUES ($1, $2, $3)
        ON CONFLICT (rule_id, action, team_id) DO NOTHING";
    NAME_REPOSITORY = "INSERT INTO tag_rule_repositories (rule_id, action, repository_id)
        VALUES ($1, $2, $3)
        ON CONFLICT (rule_id, action, repository_id) DO NOTHING";
    DROP_USERS_OF = "DELETE FROM tag_rule_users WHERE rule_id = $1 AND action = $2";
    DROP_TEAMS_OF = "DELETE FROM tag_rule_teams WHERE rule_id = $1 AND action = $2";
    DROP_REPOSITORIES_OF = "DELETE FROM tag_rule_repositories WHERE rule_id = $1 AND action = $2";
    DROP_USERS = "DELETE FROM tag_rule_users WHERE rule_id = $1";
    DROP_TEAMS = "DELETE FROM tag_rule_teams WHERE rule_id = $1";
    DROP_REPOSITORIES = "DELETE FROM tag_rule_repositories WHERE rule_id = $1";
    DROP = "DELETE FROM tag_rules WHERE id = $1";
    TEAMS_OF_USER = "SELECT t.id FROM team_members m JOIN teams t ON t.id = m.team_id
        WHERE m.user_id = $1 AND t.organization_id = $2
        UNION SELECT t.id FROM team_members m JOIN team_ancestors ta ON ta.team_id = m.team_id
            JOIN teams t ON t.id = ta.ancestor_id
        WHERE m.user_id = $1 AND t.organization_id = $2
        ORDER BY 1";
    DEFAULT_BINDS = "SELECT default_tag_rule FROM packages WHERE id = $1";
    SET_DEFAULT = "UPDATE packages SET default_tag_rule = $2, updated_at = $3 WHERE id = $1";
}

/// The rules that bind the tags of a package: its own and its owner's, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn binding(
    conn: &mut Conn,
    package: PackageId,
    owner: AccountId,
) -> Result<Vec<TagRule>> {
    let rules = conn.all(BINDING, &[package.into(), owner.into()]).await?;
    with_names(conn, rules).await
}

/// The rules of a package or an owner, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, of: RulesOf) -> Result<Vec<TagRule>> {
    let rules = match of {
        RulesOf::Package(package) => conn.all(OF_PACKAGE, &[package.into()]).await?,
        RulesOf::Owner(owner) => conn.all(OF_OWNER, &[owner.into()]).await?,
    };
    with_names(conn, rules).await
}

/// One rule of a package or an owner.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, of: RulesOf, id: TagRuleId) -> Result<Option<TagRule>> {
    let found: Option<TagRule> = match of {
        RulesOf::Package(package) => {
            conn.optional(FIND_OF_PACKAGE, &[package.into(), id.into()])
                .await?
        }
        RulesOf::Owner(owner) => {
            conn.optional(FIND_OF_OWNER, &[owner.into(), id.into()])
                .await?
        }
    };
    let rules = with_names(conn, found.into_iter().collect()).await?;
    Ok(rules.into_iter().next())
}

/// Makes a rule for the packages of `owner`, or one of them.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when something that it names is gone.
pub async fn create(
    conn: &mut Conn,
    owner: AccountId,
    package: Option<PackageId>,
    text: RuleText<'_>,
    by: Option<AccountId>,
    now: Moment,
) -> Result<TagRuleId> {
    let args = [
        owner.into(),
        package.into(),
        text.pattern.as_str().into(),
        text.except.map(TagPattern::as_str).into(),
        text.description.into(),
        text.immutable.into(),
        role(text.creates).into(),
        role(text.moves).into(),
        role(text.deletes).into(),
        by.into(),
        now.into(),
    ];
    let id: TagRuleId = conn.one(CREATE, &args).await?;
    name_all(conn, id, text, TagAction::ALL).await?;
    Ok(id)
}

/// Lets a rule say something else. Whom it names is written anew for the actions in `named` alone:
/// for the others those too keep their place who are in the bin, from where they may come back.
///
/// # Errors
/// As [`create`].
pub async fn change(
    conn: &mut Conn,
    id: TagRuleId,
    text: RuleText<'_>,
    named: &[TagAction],
    now: Moment,
) -> Result<()> {
    let args = [
        id.into(),
        text.pattern.as_str().into(),
        text.except.map(TagPattern::as_str).into(),
        text.description.into(),
        text.immutable.into(),
        role(text.creates).into(),
        role(text.moves).into(),
        role(text.deletes).into(),
        now.into(),
    ];
    conn.execute(CHANGE, &args).await?;
    for action in named {
        for statement in [DROP_USERS_OF, DROP_TEAMS_OF, DROP_REPOSITORIES_OF] {
            conn.execute(statement, &[id.into(), action.as_str().into()])
                .await?;
        }
    }
    name_all(conn, id, text, named).await
}

/// Removes a rule.
///
/// # Errors
/// Those of the database.
pub async fn delete(conn: &mut Conn, id: TagRuleId) -> Result<()> {
    for statement in [DROP_USERS, DROP_TEAMS, DROP_REPOSITORIES, DROP] {
        conn.execute(statement, &[id.into()]).await?;
    }
    Ok(())
}

/// The teams of an organization that a user is in.
///
/// # Errors
/// Those of the database.
pub async fn teams_of_user(
    conn: &mut Conn,
    user: AccountId,
    organization: AccountId,
) -> Result<Vec<TeamId>> {
    conn.all(TEAMS_OF_USER, &[user.into(), organization.into()])
        .await
}

/// Whether the registry's own rule binds a package; a package that is not there is bound.
///
/// # Errors
/// Those of the database.
pub async fn default_binds(conn: &mut Conn, package: PackageId) -> Result<bool> {
    let found: Option<bool> = conn.optional(DEFAULT_BINDS, &[package.into()]).await?;
    Ok(found.unwrap_or(true))
}

/// Lets the registry's own rule bind a package, or lifts it.
///
/// # Errors
/// Those of the database.
pub async fn set_default(
    conn: &mut Conn,
    package: PackageId,
    binds: bool,
    now: Moment,
) -> Result<()> {
    conn.execute(SET_DEFAULT, &[package.into(), binds.into(), now.into()])
        .await?;
    Ok(())
}

fn role(allowance: &TagAllowance) -> Option<&'static str> {
    allowance.role.map(naru_model::Role::as_str)
}

async fn name_all(
    conn: &mut Conn,
    id: TagRuleId,
    text: RuleText<'_>,
    actions: &[TagAction],
) -> Result<()> {
    for action in actions {
        let allowance = match action {
            TagAction::Create => text.creates,
            TagAction::Move => text.moves,
            TagAction::Delete => text.deletes,
        };
        for (user, _) in &allowance.users {
            let args = [id.into(), action.as_str().into(), (*user).into()];
            conn.execute(NAME_USER, &args).await?;
        }
        for (team, ..) in &allowance.teams {
            let args = [id.into(), action.as_str().into(), (*team).into()];
            conn.execute(NAME_TEAM, &args).await?;
        }
        for (repository, _) in &allowance.repositories {
            let args = [id.into(), action.as_str().into(), (*repository).into()];
            conn.execute(NAME_REPOSITORY, &args).await?;
        }
    }
    Ok(())
}

/// Somebody whom a rule names.
struct Named {
    rule: TagRuleId,
    action: TagAction,
    whom: Whom,
}

enum Whom {
    User(AccountId, naru_model::AccountName),
    Team(TeamId, naru_model::TeamSlug, naru_model::TeamPrivacy),
    Repository(RepositoryId, RepositoryPath),
}

impl FromRow for Named {
    fn from_row(row: &Row) -> Result<Self> {
        let kind: String = row.get("kind")?;
        let whom = match kind.as_str() {
            "user" => Whom::User(row.get("id")?, row.word("name")?),
            "team" => Whom::Team(row.get("id")?, row.word("name")?, row.word("beside")?),
            "repository" => {
                let path = RepositoryPath {
                    owner: row.word("beside")?,
                    name: row.word("name")?,
                };
                Whom::Repository(row.get("id")?, path)
            }
            other => return Err(row.corrupt("kind", format!("`{other}` is nobody"))),
        };
        Ok(Self {
            rule: row.get("rule_id")?,
            action: row.word("action")?,
            whom,
        })
    }
}

async fn with_names(conn: &mut Conn, mut rules: Vec<TagRule>) -> Result<Vec<TagRule>> {
    if rules.is_empty() {
        return Ok(rules);
    }
    let ids: Vec<i64> = rules.iter().map(|rule| rule.id.get()).collect();
    let named: Vec<Named> = conn.all(NAMED, &[ids.as_slice().into()]).await?;
    let mut by_rule: HashMap<TagRuleId, Vec<Named>> = HashMap::new();
    for one in named {
        by_rule.entry(one.rule).or_default().push(one);
    }
    for rule in &mut rules {
        for one in by_rule.remove(&rule.id).unwrap_or_default() {
            name(rule, one);
        }
    }
    Ok(rules)
}

fn name(rule: &mut TagRule, named: Named) {
    let allowance = match named.action {
        TagAction::Create => &mut rule.creates,
        TagAction::Move => &mut rule.moves,
        TagAction::Delete => &mut rule.deletes,
    };
    match named.whom {
        Whom::User(id, login) => allowance.users.push((id, login)),
        Whom::Team(id, slug, privacy) => allowance.teams.push((id, slug, privacy)),
        Whom::Repository(id, path) => allowance.repositories.push((id, path)),
    }
}
