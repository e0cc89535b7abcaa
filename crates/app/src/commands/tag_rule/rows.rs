//! What is printed about tag rules.

use naru_model::{TagAllowance, TagRule};
use serde::Serialize;

use crate::output::Row;

/// A tag rule, with the names of the REST API.
#[derive(Debug, Serialize)]
pub(super) struct TagRuleRow {
    id: i64,
    source: &'static str,
    pattern: String,
    except: Option<String>,
    description: Option<String>,
    immutable: bool,
    create: AllowanceRow,
    r#move: AllowanceRow,
    delete: AllowanceRow,
    created_at: Option<String>,
    updated_at: Option<String>,
}

/// Whom a rule lets.
#[derive(Debug, Serialize)]
struct AllowanceRow {
    role: Option<&'static str>,
    users: Vec<String>,
    teams: Vec<String>,
    repositories: Vec<String>,
}

impl From<&TagAllowance> for AllowanceRow {
    fn from(allowance: &TagAllowance) -> Self {
        let users = allowance.users.iter().map(|(_, login)| login.to_string());
        let teams = allowance.teams.iter().map(|(_, slug, _)| slug.to_string());
        let repositories = allowance.repositories.iter();
        Self {
            role: allowance.role.map(|role| role.as_str()),
            users: users.collect(),
            teams: teams.collect(),
            repositories: repositories.map(|(_, path)| path.to_string()).collect(),
        }
    }
}

impl AllowanceRow {
    /// As it is typed.
    fn words(&self) -> String {
        let role = self.role.into_iter().map(str::to_owned);
        let users = self.users.iter().map(|name| format!("user:{name}"));
        let teams = self.teams.iter().map(|name| format!("team:{name}"));
        let repositories = self.repositories.iter().map(|path| format!("repo:{path}"));
        let all: Vec<_> = role.chain(users).chain(teams).chain(repositories).collect();
        if all.is_empty() {
            return "nobody".to_owned();
        }
        all.join(",")
    }
}

impl From<&TagRule> for TagRuleRow {
    fn from(rule: &TagRule) -> Self {
        // The registry's own has no number and no history.
        let is_stored = rule.id.get() != 0;
        Self {
            id: rule.id.get(),
            source: rule.source.as_str(),
            pattern: rule.pattern.to_string(),
            except: rule.except.as_ref().map(ToString::to_string),
            description: rule.description.clone(),
            immutable: rule.immutable,
            create: (&rule.creates).into(),
            r#move: (&rule.moves).into(),
            delete: (&rule.deletes).into(),
            created_at: is_stored.then(|| rule.created_at.to_string()),
            updated_at: is_stored.then(|| rule.updated_at.to_string()),
        }
    }
}

impl Row for TagRuleRow {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "OF",
        "PATTERN",
        "EXCEPT",
        "IMMUTABLE",
        "CREATE",
        "MOVE",
        "DELETE",
        "DESCRIPTION",
    ];

    fn cells(&self) -> Vec<String> {
        let immutable = if self.immutable { "yes" } else { "no" };
        vec![
            self.id.to_string(),
            self.source.to_owned(),
            self.pattern.clone(),
            self.except.clone().unwrap_or_default(),
            immutable.to_owned(),
            self.create.words(),
            self.r#move.words(),
            self.delete.words(),
            self.description.clone().unwrap_or_default(),
        ]
    }
}
