//! `naru package list`.

use anyhow::Result;
use naru_model::{AccountName, Package, PackageType};
use naru_registry::Cursor;
use naru_registry::packages::{BinPart, WantedPackages};

use super::rows::PackageRow;
use crate::commands::{Instance, all_accounts, pages};

/// Which packages of an account are meant; without either those that are there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Which {
    /// Those that can be restored.
    pub(super) deleted: bool,
    /// Those of the legacy registry whose name is taken in the container registry.
    pub(super) conflicting: bool,
}

/// The packages of an account, or of all.
pub(super) async fn find(
    instance: &Instance,
    owner: Option<AccountName>,
    which: Which,
) -> Result<Vec<PackageRow>> {
    let owners = match owner {
        Some(owner) => vec![owner],
        None => all_accounts(instance).await?,
    };
    let mut rows = Vec::new();
    for owner in &owners {
        let packages = if which.deleted {
            deleted_of(instance, owner).await?
        } else {
            packages_of(instance, owner, which.conflicting).await?
        };
        rows.extend(
            packages
                .iter()
                .map(|package| PackageRow::new(owner, package)),
        );
    }
    Ok(rows)
}

/// Newest first, those of both registries among each other.
async fn packages_of(
    instance: &Instance,
    owner: &AccountName,
    conflicting: bool,
) -> Result<Vec<Package>> {
    let Instance {
        registry, caller, ..
    } = instance;
    let types = match conflicting {
        true => &[PackageType::Docker],
        false => PackageType::ALL,
    };
    let mut packages: Vec<Package> = Vec::new();
    for package_type in types {
        let mut next = Some(Cursor::first(500));
        while let Some(cursor) = next {
            let wanted = WantedPackages {
                conflicting,
                ..WantedPackages::all_of(*package_type)
            };
            let page = registry
                .list_packages(caller, owner, wanted, cursor)
                .await?;
            packages.extend(page.items.into_iter().map(|listed| listed.package));
            next = page.next;
        }
    }
    packages.sort_by_key(|package| std::cmp::Reverse(package.id));
    Ok(packages)
}

/// The last one deleted first, those of both registries among each other.
async fn deleted_of(instance: &Instance, owner: &AccountName) -> Result<Vec<Package>> {
    let Instance {
        registry, caller, ..
    } = instance;
    let mut packages: Vec<Package> = Vec::new();
    for package_type in PackageType::ALL {
        let page = async |limit, skip| {
            let part = BinPart {
                limit,
                skip,
                after: None,
            };
            let all = WantedPackages::all_of(*package_type);
            registry
                .list_deleted_packages(caller, owner, all, part)
                .await
        };
        let found = pages(page).await?;
        packages.extend(found.into_iter().map(|listed| listed.package));
    }
    packages.sort_by_key(|package| std::cmp::Reverse((package.deleted_at, package.id)));
    Ok(packages)
}
