//! `naru package`.

mod deletion;
mod grants;
mod list;
mod rows;
mod target;
mod versions;

use anyhow::{Error, Result, anyhow};
use clap::{Args, Subcommand};
use naru_model::{
    AccountName, Cascade, PackagePath, PackageType, Refusal, RepositoryPath, Role, Visibility,
};
use naru_oci::RepositoryName;
use naru_registry::versions::VersionRef;

use super::{GranteeArgs, Instance, beside, words};
use crate::cli::Global;
use crate::output::Output;
use grants::grant_to;
use rows::PackageDetailsRow;
pub(super) use rows::PackageRow;
pub(super) use target::Target;

/// Packages: list, show, delete, restore; who may do what with them.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  naru package list\n  naru package visibility octocat/hello public\n  naru package grant acme/app --team core-team --role write"
)]
pub struct PackageCommand {
    /// Which registry the package belongs to: `container`, or `docker` for the legacy one; lists
    /// have both unless one is named
    #[arg(long = "type", global = true, value_name = "TYPE", value_parser = words(PackageType::ALL))]
    package_type: Option<PackageType>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List packages
    #[command(after_help = "Examples:\n  naru package list\n  naru package list octocat --deleted")]
    List {
        /// Of this user or organization; without it, of all
        owner: Option<AccountName>,
        /// Those that were deleted and can be restored
        #[arg(long)]
        deleted: bool,
    },
    /// Show a package
    #[command(after_help = "Example:\n  naru package show octocat/hello")]
    Show {
        /// OWNER/NAME
        package: RepositoryName,
    },
    /// List the versions of a package with their tags
    #[command(
        after_help = "Example:\n  naru package versions octocat/hello --json | jq '.[0].tags'"
    )]
    Versions {
        /// OWNER/NAME
        package: RepositoryName,
        /// Those that were deleted and can be restored
        #[arg(long)]
        deleted: bool,
    },
    /// Delete a package, or one version of it; it can be restored for 30 days
    #[command(
        after_help = "Examples:\n  naru package delete octocat/hello\n  naru package delete octocat/hello:1.0 --cascade all --dry-run\n  naru package delete octocat/hello --version 17\n\nA version that an index needs, or that refers to a listed version, is not deleted; the error \nnames what keeps it. The REST API withdraws it instead: it leaves the lists and stays served."
    )]
    Delete {
        /// OWNER/NAME, OWNER/NAME:TAG or OWNER/NAME@DIGEST
        target: Target,
        /// The version with this number
        #[arg(long, value_name = "NUMBER")]
        version: Option<i64>,
        /// What goes along with a version, unless something else keeps it: its children if it is
        /// an index, what refers to it, or both
        #[arg(long, default_value = "none", value_parser = words(Cascade::ALL))]
        cascade: Cascade,
        /// Only say what would go and why, and how many bytes become free
        #[arg(long)]
        dry_run: bool,
    },
    /// Restore a package, or one version of it
    #[command(
        after_help = "Examples:\n  naru package restore octocat/hello\n  naru package restore octocat/hello@sha256:…"
    )]
    Restore {
        /// OWNER/NAME or OWNER/NAME@DIGEST
        target: Target,
    },
    /// Make a package public, internal or private
    #[command(after_help = "Example:\n  naru package visibility octocat/hello public")]
    Visibility {
        /// OWNER/NAME
        package: RepositoryName,
        /// Who may read it: everybody, every account, or those with a role
        #[arg(value_parser = words(Visibility::ALL))]
        visibility: Visibility,
    },
    /// Grant a role on a package
    #[command(
        after_help = "Examples:\n  naru package grant octocat/hello --user hubot --role read\n  naru package grant acme/app --team core-team --role admin"
    )]
    Grant {
        /// OWNER/NAME
        package: RepositoryName,
        #[command(flatten)]
        whom: GranteeArgs,
        /// What they may do
        #[arg(long, value_parser = words(Role::ALL))]
        role: Role,
    },
    /// Take a granted role away
    #[command(after_help = "Example:\n  naru package revoke octocat/hello --user hubot")]
    Revoke {
        /// OWNER/NAME
        package: RepositoryName,
        #[command(flatten)]
        whom: GranteeArgs,
    },
    /// List who has been granted a role
    #[command(after_help = "Example:\n  naru package grants acme/app")]
    Grants {
        /// OWNER/NAME
        package: RepositoryName,
    },
    /// Link a package to a source repository of its owner
    #[command(after_help = "Example:\n  naru package link acme/app acme/app --inherit-access")]
    Link {
        /// OWNER/NAME
        package: RepositoryName,
        /// OWNER/NAME of the repository
        repository: RepositoryPath,
        /// Let roles in the repository count as roles on the package
        #[arg(long)]
        inherit_access: bool,
    },
    /// Undo the link to a source repository
    #[command(after_help = "Example:\n  naru package unlink acme/app")]
    Unlink {
        /// OWNER/NAME
        package: RepositoryName,
    },
}

impl PackageCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let output = global.output();
        let Self {
            package_type,
            action,
        } = self;
        let package = action.package().cloned();
        beside(global, async |instance| {
            let done = action.run(instance, package_type, output).await;
            done.map_err(|error| absent(error, package))
        })
    }
}

/// What the policy calls unknown to the machine itself, which may know everything, is not there.
pub(super) fn absent(error: Error, package: Option<RepositoryName>) -> Error {
    let what = "package";
    match (error.downcast_ref(), package) {
        (Some(naru_registry::Error::Refused(Refusal::Unknown)), Some(package)) => {
            let name = package.to_string();
            naru_registry::Error::NotFound { what, name }.into()
        }
        _ => error,
    }
}

impl Action {
    /// The package that it is about.
    const fn package(&self) -> Option<&RepositoryName> {
        match self {
            Self::List { .. } => None,
            Self::Delete { target, .. } | Self::Restore { target } => Some(&target.package),
            Self::Show { package }
            | Self::Versions { package, .. }
            | Self::Visibility { package, .. }
            | Self::Grant { package, .. }
            | Self::Revoke { package, .. }
            | Self::Grants { package }
            | Self::Link { package, .. }
            | Self::Unlink { package } => Some(package),
        }
    }

    async fn run(
        self,
        instance: &Instance,
        only: Option<PackageType>,
        output: Output,
    ) -> Result<()> {
        let Instance {
            registry, caller, ..
        } = instance;
        let package_type = only.unwrap_or(PackageType::Container);
        let path = |name: &RepositoryName| PackagePath::new(package_type, name);
        match self {
            Self::List { owner, deleted } => {
                let found = list::find(instance, owner, deleted).await?;
                let is_wanted = |row: &PackageRow| only.is_none_or(|only| row.package_type == only);
                let rows: Vec<_> = found.into_iter().filter(is_wanted).collect();
                output.list(&rows)
            }
            Self::Show { package } => show(instance, &path(&package)?, output).await,
            Self::Versions { package, deleted } => {
                versions::list(instance, &path(&package)?, deleted, output).await
            }
            Self::Delete {
                target,
                version,
                cascade,
                dry_run,
            } => {
                let target = target.or_version(version)?;
                let path = path(&target.package)?;
                let how = How { cascade, dry_run };
                delete(instance, &path, target, how, output).await
            }
            Self::Restore { target } => {
                restore(instance, &path(&target.package)?, target, output).await
            }
            Self::Visibility {
                package,
                visibility,
            } => {
                let path = path(&package)?;
                registry
                    .set_package_visibility(caller, &path, visibility)
                    .await?;
                output.say(format_args!("{package} is {visibility}"));
                Ok(())
            }
            Self::Grant {
                package,
                whom,
                role,
            } => {
                let to = grant_to(whom.grantee()?);
                registry
                    .grant_package(caller, &path(&package)?, &to, role)
                    .await?;
                output.say(format_args!("{to} has the role {role} on {package}"));
                Ok(())
            }
            Self::Revoke { package, whom } => {
                let from = grant_to(whom.grantee()?);
                registry
                    .revoke_package_grant(caller, &path(&package)?, &from)
                    .await?;
                output.say(format_args!(
                    "{from} has no granted role on {package} any more"
                ));
                Ok(())
            }
            Self::Grants { package } => grants::list(instance, &path(&package)?, output).await,
            Self::Link {
                package,
                repository,
                inherit_access,
            } => {
                let path = path(&package)?;
                registry
                    .link_package(caller, &path, &repository, inherit_access)
                    .await?;
                output.say(format_args!("{package} is linked to {repository}"));
                Ok(())
            }
            Self::Unlink { package } => {
                registry.unlink_package(caller, &path(&package)?).await?;
                output.say(format_args!("{package} is linked to no repository"));
                Ok(())
            }
        }
    }
}

async fn show(instance: &Instance, path: &PackagePath, output: Output) -> Result<()> {
    let found = instance.registry.package_details(&instance.caller, path);
    output.record(&PackageDetailsRow::new(&path.owner, &found.await?))
}

/// How a version is to be deleted.
#[derive(Clone, Copy, Debug)]
struct How {
    cascade: Cascade,
    dry_run: bool,
}

async fn delete(
    instance: &Instance,
    path: &PackagePath,
    target: Target,
    how: How,
    output: Output,
) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let days = registry.settings().restore_days;
    let package = target.package;
    match target.version {
        None if how.cascade != Cascade::None => Err(anyhow!(
            "`--cascade` is about one version: name it by tag, digest or number"
        )),
        None if how.dry_run => versions::preview_package(instance, path, output).await,
        None => {
            registry.delete_package(caller, path).await?;
            output.say(format_args!(
                "{package} is deleted; for {days} days it can be restored: naru package restore {package}"
            ));
            Ok(())
        }
        Some(version) => versions::delete(instance, path, &version, how, output).await,
    }
}

async fn restore(
    instance: &Instance,
    path: &PackagePath,
    target: Target,
    output: Output,
) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let package = target.package;
    match target.version {
        None => {
            registry.restore_package(caller, path).await?;
            output.say(format_args!("{package} is back"));
        }
        Some(VersionRef::Tag(_)) => {
            return Err(anyhow!(
                "a deleted version has no tags; name it by its digest: naru package versions \
                 {package} --deleted"
            ));
        }
        Some(version) => {
            let restored = registry.restore_version(caller, path, &version).await?;
            output.say(format_args!(
                "{version} of {package} is back with its tags: {}",
                restored.tags().join(", ")
            ));
        }
    }
    Ok(())
}
