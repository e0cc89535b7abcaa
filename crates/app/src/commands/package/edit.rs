//! `naru package edit`.

use anyhow::Result;
use clap::Args;
use naru_model::{PackagePath, RepositoryPath, Visibility};
use naru_oci::RepositoryName;
use naru_registry::packages::PackageChange;

use super::rows::PackageDetailsRow;
use crate::commands::{Instance, or_none, something, words, yes_or_no};
use crate::output::Output;

/// What is to be different about a package.
#[derive(Debug, Args)]
pub(super) struct EditArgs {
    /// OWNER/NAME
    pub(super) package: RepositoryName,
    /// Who may read it: everybody, every account, or those with a role
    #[arg(long, value_parser = words(Visibility::ALL))]
    visibility: Option<Visibility>,
    /// What it is, in at most 512 characters; an empty text for nothing
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// OWNER/NAME of the source repository that it is linked to; an empty text for none
    #[arg(long, value_name = "REPOSITORY")]
    repository: Option<String>,
    /// Whether roles in the repository count as roles on the package
    #[arg(long, value_name = "YES/NO", value_parser = yes_or_no())]
    inherit_access: Option<bool>,
    /// Whether published versions of a package of the legacy registry are immutable
    #[arg(long, value_name = "YES/NO", value_parser = yes_or_no())]
    default_tag_rule: Option<bool>,
}

impl EditArgs {
    fn change(self) -> Result<PackageChange> {
        let repository = match or_none(self.repository) {
            Some(Some(path)) => Some(Some(path.parse::<RepositoryPath>()?)),
            Some(None) => Some(None),
            None => None,
        };
        something(PackageChange {
            visibility: self.visibility,
            description: or_none(self.description),
            repository,
            inherit_access: self.inherit_access,
            default_tag_rule: self.default_tag_rule,
        })
    }
}

/// Changes a package: all that is said, or nothing.
pub(super) async fn edit(
    instance: &Instance,
    path: &PackagePath,
    wanted: EditArgs,
    output: Output,
) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let package = wanted.package.clone();
    let change = wanted.change()?;
    registry.change_package(caller, path, change).await?;
    let now = registry.package_details(caller, path, &[]).await?;
    output.made(
        &PackageDetailsRow::new(&path.owner, &now),
        format_args!("{package} is changed"),
    )
}
