//! Who has which role on which package, and the facts that every decision is made from.
//!
//! This is the one place below the policy that knows of permission: the statements load what
//! [`naru_model::policy`] needs, each in one question, and `grants/readable.rs` says in SQL what
//! `decide_package` says of reading. A test builds small worlds and compares the two.

mod facts;
mod readable;
mod roles;

use naru_model::{PackageId, PackageName, PackagePath, Principal};

use crate::db::{Conn, FromRow, Row, Statement, statements};
use crate::error::Result;

pub use facts::{
    account_facts, caller_facts, facts_of_repositories, package_facts, repository_facts, team_facts,
};
pub(crate) use facts::{rank, repository_role_columns};
pub(crate) use readable::{
    admits_anybody, admits_system, admits_user, admits_workflow, by_type, effective_visibility,
    granted_to_user, join_followed_repository, legacy_repository, of_any_type, readable_by_anybody,
    readable_by_system, readable_by_user, readable_by_workflow, readable_without_role,
    registry_is_open, registry_takes_changes, repositories_of_user,
};
pub use roles::{
    remove_repository, remove_team, remove_user, repositories, set_repository, set_team, set_user,
    teams, users,
};

/// The statements of the modules below.
pub(crate) const STATEMENTS_BELOW: &[&[&Statement]] = &[facts::STATEMENTS, roles::STATEMENTS];

statements! {
    PACKAGE_PATH = "SELECT p.package_type, o.login, p.name
        FROM packages p JOIN accounts o ON o.id = p.owner_id
        WHERE p.id = $1 AND p.deleted_at IS NULL AND o.deleted_at IS NULL";
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

/// `$1` of the conditions of `readable`.
pub(crate) fn caller_number(principal: &Principal) -> Option<i64> {
    match principal {
        Principal::User { user, .. } => Some(user.get()),
        Principal::Workflow { repository, .. } => Some(repository.get()),
        Principal::Anonymous { .. } | Principal::System => None,
    }
}
