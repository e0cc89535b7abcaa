//! Tag rules.

use naru_model::{TagAllowance, TagRule};
use serde::Serialize;
use utoipa::ToSchema;

use super::time;

/// A tag rule.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TagRule)]
pub(crate) struct TagRuleView {
    /// Its number; 0 for the registry's own.
    id: i64,
    /// Whose it is: `package`, `organization`, or `registry` for the rule that published versions
    /// of the older Docker registry are immutable.
    source: String,
    /// The tags that it is about: a glob over the whole name.
    pattern: String,
    /// Tags that are not meant, although the pattern names them.
    except: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Whether nobody moves or deletes such a tag once it is there.
    immutable: bool,
    /// Who creates such tags.
    create: AllowanceView,
    /// Who moves them.
    #[serde(rename = "move")]
    moves: AllowanceView,
    /// Who deletes them.
    delete: AllowanceView,
    created_at: Option<String>,
    updated_at: Option<String>,
}

/// Whom a rule lets: whoever has the role, and those who are named. Nobody if there is neither.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TagAllowance)]
struct AllowanceView {
    /// Whoever has at least this role on the package.
    role: Option<String>,
    /// Users by name.
    users: Vec<String>,
    /// Teams by slug.
    teams: Vec<String>,
    /// Repositories whose workflows are meant, as `OWNER/NAME`.
    repositories: Vec<String>,
    /// How many teams and repositories are named besides, which the caller may not see.
    hidden_count: usize,
}

impl AllowanceView {
    fn new(allowance: &TagAllowance) -> Self {
        let users = allowance.users.iter().map(|(_, login)| login.to_string());
        let teams = allowance.teams.iter().map(|(_, slug, _)| slug.to_string());
        let repositories = allowance.repositories.iter();
        Self {
            role: allowance.role.map(|role| role.to_string()),
            users: users.collect(),
            teams: teams.collect(),
            repositories: repositories.map(|(_, path)| path.to_string()).collect(),
            hidden_count: allowance.unseen,
        }
    }
}

impl TagRuleView {
    /// A rule; the registry's own has no history.
    pub(crate) fn new(rule: &TagRule) -> Self {
        let is_stored = rule.id.get() != 0;
        Self {
            id: rule.id.get(),
            source: rule.source.to_string(),
            pattern: rule.pattern.to_string(),
            except: rule.except.as_ref().map(ToString::to_string),
            description: rule.description.clone(),
            immutable: rule.immutable,
            create: AllowanceView::new(&rule.creates),
            moves: AllowanceView::new(&rule.moves),
            delete: AllowanceView::new(&rule.deletes),
            created_at: is_stored.then(|| time(rule.created_at)),
            updated_at: is_stored.then(|| time(rule.updated_at)),
        }
    }
}
