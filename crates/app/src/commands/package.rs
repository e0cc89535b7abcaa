//! `naru package`.

mod bulk;
mod deletion;
mod edit;
mod grants;
mod list;
mod rows;
mod statistics;
mod target;
mod versions;

use anyhow::{Error, Result, anyhow};
use clap::{Args, Subcommand};
use naru_model::{
    AccountName, Cascade, PackagePath, PackageType, Refusal, RepositoryPath, Role, Visibility,
};
use naru_oci::RepositoryName;
use naru_registry::statistics::DAYS_KEPT;
use naru_registry::versions::VersionRef;

use super::{Instance, beside, words};
use crate::cli::Global;
use crate::output::Output;
use grants::GrantArgs;
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
        /// Those of the legacy registry whose name a package of the container registry has too
        #[arg(long, conflicts_with = "deleted")]
        conflicting: bool,
    },
    /// Show a package
    #[command(after_help = "Example:\n  naru package show octocat/hello")]
    Show {
        /// OWNER/NAME
        package: RepositoryName,
    },
    /// Change what is said of a package, who may read it, and the repository it is linked to
    #[command(
        after_help = "Examples:\n  naru package edit acme/app --description \"What we run\"\n  naru package edit acme/app --repository acme/app --inherit-access yes"
    )]
    Edit(edit::EditArgs),
    /// Show how often a package or a version was downloaded, and what its bytes are made of
    #[command(
        after_help = "Examples:\n  naru package statistics acme/app\n  naru package statistics acme/app:1.0"
    )]
    Statistics {
        /// OWNER/NAME, OWNER/NAME:TAG or OWNER/NAME@DIGEST
        target: Target,
        /// The version with this number
        #[arg(long, value_name = "NUMBER")]
        version: Option<i64>,
    },
    /// List how often a package was downloaded on each of the last days, today last
    #[command(after_help = "Example:\n  naru package downloads acme/app --days 90")]
    Downloads {
        /// OWNER/NAME
        package: RepositoryName,
        /// How many days, in UTC, today included
        #[arg(long, value_name = "NUMBER", default_value_t = statistics::MONTH, value_parser = clap::value_parser!(i64).range(1..=DAYS_KEPT))]
        days: i64,
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
    /// Delete many versions of a package; they can be restored for 30 days
    #[command(
        after_help = "Examples:\n  naru package delete-versions acme/app --untagged --older-than 30d --dry-run\n  naru package delete-versions acme/app --tag 'pr-*' --keep-newest 5\n  naru package delete-versions acme/app --version 17 --version 18\n\nA version that something needs is withdrawn: it leaves the lists and stays served by digest."
    )]
    DeleteVersions(bulk::DeleteArgs),
    /// Restore many versions of a package
    #[command(
        after_help = "Examples:\n  naru package restore-versions acme/app --version 17 --version 18\n  naru package restore-versions acme/app --older-than 1h --dry-run"
    )]
    RestoreVersions(bulk::RestoreArgs),
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
        after_help = "Examples:\n  naru package grant octocat/hello --user hubot --role read\n  naru package grant acme/app --team core-team --role admin\n  naru package grant acme/app --repository acme/tools --role read"
    )]
    Grant {
        /// OWNER/NAME
        package: RepositoryName,
        #[command(flatten)]
        whom: GrantArgs,
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
        whom: GrantArgs,
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
            Self::Delete { target, .. }
            | Self::Restore { target }
            | Self::Statistics { target, .. } => Some(&target.package),
            Self::Edit(edit::EditArgs { package, .. })
            | Self::DeleteVersions(bulk::DeleteArgs { package, .. })
            | Self::RestoreVersions(bulk::RestoreArgs { package, .. })
            | Self::Downloads { package, .. }
            | Self::Show { package }
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
            Self::List {
                owner,
                deleted,
                conflicting,
            } => {
                let which = list::Which {
                    deleted,
                    conflicting,
                };
                let found = list::find(instance, owner, which).await?;
                let is_wanted = |row: &PackageRow| only.is_none_or(|only| row.package_type == only);
                let rows: Vec<_> = found.into_iter().filter(is_wanted).collect();
                output.list(&rows)
            }
            Self::Show { package } => show(instance, &path(&package)?, output).await,
            Self::Edit(wanted) => {
                edit::edit(instance, &path(&wanted.package)?, wanted, output).await
            }
            Self::Statistics { target, version } => {
                let target = target.or_version(version)?;
                let (path, version) = (path(&target.package)?, target.version.as_ref());
                statistics::show(instance, &path, version, output).await
            }
            Self::Downloads { package, days } => {
                statistics::by_day(instance, &path(&package)?, days, output).await
            }
            Self::DeleteVersions(wanted) => {
                bulk::delete(instance, &path(&wanted.package)?, wanted, output).await
            }
            Self::RestoreVersions(wanted) => {
                bulk::restore(instance, &path(&wanted.package)?, wanted, output).await
            }
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
                let to = whom.grant_to()?;
                grants::give(instance, &path(&package)?, &to, role, output).await
            }
            Self::Revoke { package, whom } => {
                let from = whom.grant_to()?;
                grants::take(instance, &path(&package)?, &from, output).await
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
    let found = instance
        .registry
        .package_details(&instance.caller, path, &[]);
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
