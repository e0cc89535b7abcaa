//! What would go with a package, before it is deleted.

use naru_metadata::versions::{self, Slice, Which};
use naru_model::{PackagePath, PackagePermission};

use crate::error::Result;
use crate::usage::bytes_of_package;
use crate::versions::plan::{Because, Deletion, Fate, PlannedVersion};
use crate::versions::{ListedVersion, with_tags};
use crate::{Caller, Registry};

/// What deleting a package would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageDeletion {
    /// The versions that would go with it, the newest 1000 of them.
    pub deletion: Deletion,
    /// Whether there are more.
    pub more: bool,
}

/// How many versions are shown of what would go.
const MOST_SHOWN: i64 = 1000;

impl Registry {
    /// What [`Registry::delete_package`] would put into the bin: its versions, the newest of them,
    /// and how many bytes nothing else of the owner needs.
    ///
    /// # Errors
    /// As [`Registry::delete_package`].
    pub async fn preview_delete_package(
        &self,
        caller: &Caller,
        path: &PackagePath,
    ) -> Result<PackageDeletion> {
        let permission = PackagePermission::Delete;
        let package = self.authorize(caller, path, permission).await?;
        let mut conn = self.db.read().await?;
        self.refuse_deleting(&mut conn, caller, &package).await?;
        let slice = Slice::first(MOST_SHOWN + 1);
        let mut found = versions::slice(&mut conn, package.id(), Which::Served, slice).await?;
        let most = usize::try_from(MOST_SHOWN).unwrap_or(usize::MAX);
        let more = found.len() > most;
        found.truncate(most);
        let found = with_tags(&mut conn, found).await?;
        let now = self.clock.now();
        let bytes = bytes_of_package(&mut conn, package.id(), now).await?;
        Ok(PackageDeletion {
            deletion: Deletion {
                versions: found.into_iter().map(with_package).collect(),
                freed_bytes: bytes.freeable,
            },
            more,
        })
    }
}

fn with_package(listed: ListedVersion) -> PlannedVersion {
    let ListedVersion { version, tags } = listed;
    PlannedVersion {
        id: version.id,
        digest: version.digest,
        media_type: version.media_type,
        artifact_type: version.artifact_type,
        created_at: version.created_at,
        tags,
        because: Because::WithPackage,
        fate: Fate::Deleted,
    }
}
