//! `naru explain`.

use anyhow::Result;
use clap::Args;
use naru_model::{
    AccountName, PackagePath, PackagePermission, PackageType, RepositoryPath, TokenId,
};
use naru_oci::RepositoryName;
use naru_registry::explain::{ExplainedSubject, Explanation};
use serde::Serialize;

use super::{beside, words};
use crate::cli::Global;
use crate::output::Row;

/// Why somebody may do something with a package, or what is missing and what would give it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  naru explain acme/app --user octocat --permission write\n  naru explain acme/app --token 7 --permission delete\n  naru explain acme/new-app --repository acme/app --permission write"
)]
pub struct ExplainCommand {
    /// OWNER/NAME, also one that is free
    package: RepositoryName,
    #[command(flatten)]
    subject: SubjectArgs,
    /// What they would do: read, write, delete, restore, admin, make_public …
    #[arg(long, default_value = "read", value_parser = permission)]
    permission: PackagePermission,
    /// Which registry the package belongs to: `container`, or `docker` for the legacy one
    #[arg(long = "type", value_name = "TYPE", default_value = "container", value_parser = words(PackageType::ALL))]
    package_type: PackageType,
}

/// Whom the question is about.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
struct SubjectArgs {
    /// A user
    #[arg(long)]
    user: Option<AccountName>,
    /// A token, by the number in `naru token list`
    #[arg(long, value_name = "NUMBER")]
    token: Option<i64>,
    /// The workflows of a repository, with `packages: write`
    #[arg(long, value_name = "OWNER/NAME")]
    repository: Option<RepositoryPath>,
}

fn permission(word: &str) -> Result<PackagePermission, naru_model::UnknownWord> {
    word.parse()
}

impl SubjectArgs {
    fn subject(self) -> ExplainedSubject {
        match (self.user, self.token, self.repository) {
            (Some(login), _, _) => ExplainedSubject::User(login),
            (None, Some(id), _) => ExplainedSubject::Token(TokenId::new(id)),
            (None, None, Some(path)) => ExplainedSubject::Repository(path),
            (None, None, None) => ExplainedSubject::Caller,
        }
    }
}

impl ExplainCommand {
    /// Prints why.
    ///
    /// # Errors
    /// When nobody of that name is there, or the data cannot be read.
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let output = global.output();
        let path = PackagePath::new(self.package_type, &self.package)?;
        let (subject, permission) = (self.subject.subject(), self.permission);
        beside(global, async |instance| {
            let (registry, caller) = (&instance.registry, &instance.caller);
            let found = registry.explain(caller, &path, &subject, permission);
            output.record(&ExplanationRow::new(&path, &subject, &found.await?))
        })
    }
}

/// The answer, with the names of the REST API.
#[derive(Debug, Serialize)]
struct ExplanationRow {
    package: String,
    package_type: PackageType,
    exists: bool,
    subject: String,
    permission: &'static str,
    allowed: bool,
    reason: String,
}

impl ExplanationRow {
    fn new(path: &PackagePath, subject: &ExplainedSubject, found: &Explanation) -> Self {
        Self {
            package: path.to_string(),
            package_type: path.package_type,
            exists: found.exists,
            subject: subject.to_string(),
            permission: found.permission.as_str(),
            allowed: found.allowed,
            reason: found.reason.clone(),
        }
    }
}

impl Row for ExplanationRow {
    const COLUMNS: &'static [&'static str] =
        &["PACKAGE", "WHO", "PERMISSION", "ALLOWED", "BECAUSE"];

    fn cells(&self) -> Vec<String> {
        let allowed = if self.allowed { "yes" } else { "no" };
        vec![
            self.package.clone(),
            self.subject.clone(),
            self.permission.to_owned(),
            allowed.to_owned(),
            self.reason.clone(),
        ]
    }
}
