//! `naru package versions`, and deleting one of them.

use anyhow::Result;
use naru_model::{Needed, PackagePath, VersionId, VersionState};
use naru_registry::versions::delete::DeleteOptions;
use naru_registry::versions::plan::{Deletion, Fate};
use naru_registry::versions::{ListedVersion, VersionRef, WantedVersions};

use super::How;
use super::deletion::DeletionRow;
use super::rows::VersionRow;
use crate::commands::Instance;
use crate::output::Output;

/// Prints the versions of a package, or those that were deleted.
pub(super) async fn list(
    instance: &Instance,
    path: &PackagePath,
    deleted: bool,
    output: Output,
) -> Result<()> {
    let state = if deleted {
        VersionState::Deleted
    } else {
        VersionState::Listed
    };
    let found = all(instance, path, state).await?;
    let rows: Vec<_> = found.iter().map(VersionRow::from).collect();
    output.list(&rows)
}

async fn all(
    instance: &Instance,
    path: &PackagePath,
    state: VersionState,
) -> Result<Vec<ListedVersion>> {
    let Instance {
        registry, caller, ..
    } = instance;
    let mut found = Vec::new();
    let mut after: Option<VersionId> = None;
    loop {
        let wanted = WantedVersions {
            state,
            after,
            ..WantedVersions::first(500)
        };
        let page = registry.list_versions(caller, path, wanted).await?;
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// Deletes a version, or says what would go.
pub(super) async fn delete(
    instance: &Instance,
    path: &PackagePath,
    version: &VersionRef,
    how: How,
    output: Output,
) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let options = DeleteOptions {
        needed: Some(Needed::Refuse),
        cascade: how.cascade,
    };
    if how.dry_run {
        let preview = registry.preview_delete_version(caller, path, version, options);
        return print(&preview.await?, "would become free", output);
    }
    let done = registry.delete_version(caller, path, version, options);
    let done = done.await?;
    if output.is_json() || how.cascade != naru_model::Cascade::None {
        print(&done, "become free when that time is over", output)?;
    }
    let days = registry.settings().restore_days;
    let along = along(&done);
    output.say(format_args!(
        "{version} of {path} is deleted{along}; it can be restored for {days} days"
    ));
    Ok(())
}

/// Says what would go with a package.
pub(super) async fn preview_package(
    instance: &Instance,
    path: &PackagePath,
    output: Output,
) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let preview = registry.preview_delete_package(caller, path).await?;
    print(&preview.deletion, "would become free", output)?;
    if preview.more {
        output.say(format_args!("only the newest versions are shown"));
    }
    Ok(())
}

/// What else went, in words.
fn along(done: &Deletion) -> String {
    match done.deleted().len().saturating_sub(1) {
        0 => String::new(),
        1 => ", and 1 other with it".to_owned(),
        others => format!(", and {others} others with it"),
    }
}

pub(super) fn print(deletion: &Deletion, free: &str, output: Output) -> Result<()> {
    let rows: Vec<_> = deletion.versions.iter().map(DeletionRow::from).collect();
    output.list(&rows)?;
    let gone = deletion.deleted().len();
    let stay = deletion.versions.iter();
    let stay = stay.filter(|version| version.fate != Fate::Deleted).count();
    output.say(format_args!(
        "{gone} to go, {stay} to stay; {} bytes that nothing else of the owner needs {free}",
        deletion.freed_bytes
    ));
    Ok(())
}
