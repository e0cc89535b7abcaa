//! What can be asked of a package: the vendor's operations and Naru's own, with the role and the
//! scopes that each needs, and what it answers to those who have them.
//!
//! Those that change something are asked in a way that leaves the package as it is: a preview, a
//! version that there is not, a tag that nobody has.

use super::oracle::Level;
use crate::kit::http::Method;

/// A scope that a token needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Read,
    Write,
    Delete,
}

/// What is looked at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// Whether the caller has the right.
    Right,
    /// What was sent: it is refused with 422 before anything is looked up.
    Sent,
    /// Who asks: everybody is told about themselves, also about what is not there.
    Caller,
    /// Whether the caller may push: as in the registry, whoever may create packages here learns
    /// whether the name is taken, and everybody else is told to push elsewhere.
    Namespace,
}

/// One way of asking an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) method: Method,
    /// What follows the package, with `$version` for the id of a version that is there.
    pub(super) rest: &'static str,
    pub(super) needs: Level,
    pub(super) scopes: &'static [Scope],
    /// The status for those who may.
    pub(super) granted: u16,
    pub(super) body: Option<&'static str>,
    /// Whether it is a reading like a pull, for which public content needs no scope.
    pub(super) pulls: bool,
    /// Who is answered as if they had the right.
    pub(super) first: First,
}

impl Row {
    const fn answers(self, granted: u16) -> Self {
        Self { granted, ..self }
    }

    const fn with(self, body: &'static str) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    const fn like_a_pull(self) -> Self {
        Self {
            pulls: true,
            ..self
        }
    }

    const fn looking_first(self, first: First) -> Self {
        Self { first, ..self }
    }

    /// The path of the row without its query, and with the names of parameters that the
    /// description has, below a package.
    pub(super) fn template(&self) -> String {
        let path = self.rest.split('?').next().unwrap_or_default();
        let parts = path.split('/').map(|part| match part {
            "$version" | "4000000" | "v1" | "spare" | "nobody-there" | "none" | "source" => "{}",
            "acc-member" | "acc-org" | "acc-per" => "{}",
            other => other,
        });
        parts.collect::<Vec<_>>().join("/")
    }
}

const fn row(method: Method, rest: &'static str, needs: Level, scopes: &'static [Scope]) -> Row {
    Row {
        method,
        rest,
        needs,
        scopes,
        granted: 200,
        body: None,
        pulls: false,
        first: First::Right,
    }
}

const READ: &[Scope] = &[Scope::Read];
const WRITE: &[Scope] = &[Scope::Write];
const DELETE: &[Scope] = &[Scope::Read, Scope::Delete];
const RESTORE: &[Scope] = &[Scope::Write];
const ADMINISTER: &[Scope] = &[Scope::Write, Scope::Delete];

/// A version that nobody has.
const NONE: &str = "/versions/4000000";

/// Every operation, in the order of the description.
pub(super) const ROWS: &[Row] = &[
    row("GET", "", Level::Read, READ),
    row("DELETE", "?dry_run=true", Level::Admin, DELETE),
    row("DELETE", "?surprise=true", Level::Admin, DELETE)
        .answers(422)
        .looking_first(First::Sent),
    row("PATCH", "", Level::Admin, ADMINISTER).with("{}"),
    row("GET", "/versions", Level::Read, READ),
    row("GET", "/versions?per_page=1&page=1", Level::Read, READ),
    row("GET", "/versions?state=active", Level::Read, READ),
    row("GET", "/versions?state=deleted", Level::Admin, RESTORE),
    row("GET", "/versions/$version", Level::Read, READ),
    row("GET", NONE, Level::Read, READ).answers(404),
    row(
        "DELETE",
        "/versions/$version?dry_run=true",
        Level::Admin,
        DELETE,
    ),
    row("DELETE", NONE, Level::Admin, DELETE).answers(404),
    row("POST", "/versions/4000000/restore", Level::Admin, RESTORE).answers(404),
    row("POST", "/versions/delete-request", Level::Admin, DELETE)
        .with("{\"ids\":[4000000],\"dry_run\":true}"),
    row("POST", "/versions/restore-request", Level::Admin, RESTORE)
        .with("{\"ids\":[4000000],\"dry_run\":true}"),
    row("GET", "/access", Level::Admin, ADMINISTER),
    row(
        "PUT",
        "/access/users/nobody-there",
        Level::Admin,
        ADMINISTER,
    )
    .with("{\"role\":\"read\"}")
    .answers(404),
    row(
        "DELETE",
        "/access/users/nobody-there",
        Level::Admin,
        ADMINISTER,
    )
    .answers(404),
    row("PUT", "/access/teams/none", Level::Admin, ADMINISTER)
        .with("{\"role\":\"read\"}")
        .answers(404),
    row("DELETE", "/access/teams/none", Level::Admin, ADMINISTER).answers(404),
    row(
        "PUT",
        "/access/repositories/acc-org/none",
        Level::Admin,
        ADMINISTER,
    )
    .with("{\"role\":\"read\"}")
    .answers(404),
    row(
        "DELETE",
        "/access/repositories/acc-org/none",
        Level::Admin,
        ADMINISTER,
    )
    .answers(404),
    row("GET", "/access/explain", Level::Read, &[]).looking_first(First::Caller),
    row("POST", "/restore", Level::Admin, RESTORE).answers(404),
    row("GET", "/tags", Level::Read, READ),
    row("GET", "/tags?sort=name&q=v", Level::Read, READ),
    row("GET", "/tags/v1", Level::Read, READ),
    row("GET", "/tags/none", Level::Read, READ).answers(404),
    row("GET", "/tags/v1/history", Level::Read, READ),
    row("PUT", "/tags/spare", Level::Write, WRITE)
        .with("{\"version_id\":4000000}")
        .answers(422)
        .looking_first(First::Namespace),
    row("DELETE", "/tags/none", Level::Admin, DELETE).answers(404),
    row("GET", "/statistics", Level::Read, READ).like_a_pull(),
    row("GET", "/statistics/downloads?per=day", Level::Read, READ).like_a_pull(),
    row("GET", "/versions/$version/statistics", Level::Read, READ).like_a_pull(),
    row("GET", "/tag-rules", Level::Admin, ADMINISTER),
    row("POST", "/tag-rules", Level::Admin, ADMINISTER)
        .with("{\"pattern\":\"[\"}")
        .answers(422)
        .looking_first(First::Sent),
    row("GET", "/tag-rules/4000000", Level::Admin, ADMINISTER).answers(404),
    row("PATCH", "/tag-rules/4000000", Level::Admin, ADMINISTER)
        .with("{}")
        .answers(404),
    row("DELETE", "/tag-rules/4000000", Level::Admin, ADMINISTER).answers(404),
];
