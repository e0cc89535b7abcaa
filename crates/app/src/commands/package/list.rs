//! `naru package list`.

use anyhow::Result;
use naru_model::{AccountName, Package};
use naru_registry::Cursor;
use naru_registry::packages::{BinPart, WantedPackages};

use super::rows::PackageRow;
use crate::commands::{Instance, all_accounts, pages};

/// The packages of an account, or of all.
pub(super) async fn find(
    instance: &Instance,
    owner: Option<AccountName>,
    deleted: bool,
) -> Result<Vec<PackageRow>> {
    let owners = match owner {
        Some(owner) => vec![owner],
        None => all_accounts(instance).await?,
    };
    let mut rows = Vec::new();
    for owner in &owners {
        let packages = if deleted {
            deleted_of(instance, owner).await?
        } else {
            packages_of(instance, owner).await?
        };
        rows.extend(
            packages
                .iter()
                .map(|package| PackageRow::new(owner, package)),
        );
    }
    Ok(rows)
}

async fn packages_of(instance: &Instance, owner: &AccountName) -> Result<Vec<Package>> {
    let Instance {
        registry, caller, ..
    } = instance;
    let mut packages = Vec::new();
    let mut next = Some(Cursor::first(500));
    while let Some(cursor) = next {
        let wanted = WantedPackages::default();
        let page = registry
            .list_packages(caller, owner, wanted, cursor)
            .await?;
        packages.extend(page.items.into_iter().map(|listed| listed.package));
        next = page.next;
    }
    Ok(packages)
}

async fn deleted_of(instance: &Instance, owner: &AccountName) -> Result<Vec<Package>> {
    let Instance {
        registry, caller, ..
    } = instance;
    let page = async |limit, skip| {
        let part = BinPart {
            limit,
            skip,
            after: None,
        };
        let all = WantedPackages::default();
        registry
            .list_deleted_packages(caller, owner, all, part)
            .await
    };
    let found = pages(page).await?;
    Ok(found.into_iter().map(|listed| listed.package).collect())
}
