//! What goes with repositories and organizations whose time in the bin is over: what was said in
//! them. Their rows stay, because others name them.

use naru_model::{AttestationId, Moment, RepositoryId};

use crate::artifacts;
use crate::attestations;
use crate::db::{Conn, statements};
use crate::error::Result;

/// Whether something was said in the repository `r`. Each question ends at the first row, so that
/// no database answers it for all repositories at once.
macro_rules! something_said {
    () => {
        "COALESCE(
            (SELECT a.repository_id FROM attestations a WHERE a.repository_id = r.id LIMIT 1),
            (SELECT d.repository_id FROM deployment_records d WHERE d.repository_id = r.id LIMIT 1),
            (SELECT s.repository_id FROM storage_records s WHERE s.repository_id = r.id LIMIT 1),
            (SELECT m.repository_id FROM repository_readmes m WHERE m.repository_id = r.id LIMIT 1)
            ) IS NOT NULL"
    };
}

statements! {
    DELETED = concat!("SELECT r.id FROM repositories r
        WHERE r.deleted_at IS NOT NULL AND r.deleted_at < $1 AND ", something_said!(), "
        ORDER BY r.deleted_at, r.id LIMIT $2");
    OF_DELETED = concat!("SELECT r.id FROM accounts o CROSS JOIN repositories r
        WHERE o.deleted_at IS NOT NULL AND o.deleted_at < $1
            AND r.owner_id = o.id AND r.deleted_at IS NULL AND ", something_said!(), "
        ORDER BY o.deleted_at, o.id, r.id LIMIT $2");
    ATTESTATIONS = "SELECT id FROM attestations WHERE repository_id = $1 ORDER BY id LIMIT $2";
    DROP_README = "DELETE FROM repository_readmes WHERE repository_id = $1";
    END_BIN_TIME = "UPDATE repositories SET deleted_at = $1
        WHERE deleted_at IS NOT NULL AND deleted_at > $1";
    END_BIN_TIME_OF_ORGANIZATIONS = "UPDATE accounts SET deleted_at = $1
        WHERE kind = 'organization' AND deleted_at IS NOT NULL AND deleted_at > $1";
}

/// Repositories that can no longer be restored because they, or their owner, were deleted before
/// `deleted_before`, and in which something was said; at most `limit`.
///
/// # Errors
/// Those of the database.
pub async fn repositories(
    conn: &mut Conn,
    deleted_before: Moment,
    limit: i64,
) -> Result<Vec<RepositoryId>> {
    let args = [deleted_before.into(), limit.into()];
    let found: Vec<RepositoryId> = conn.all(DELETED, &args).await?;
    if !found.is_empty() {
        return Ok(found);
    }
    conn.all(OF_DELETED, &args).await
}

/// Removes what was said in a repository that has gone for good, at most `limit` attestations of
/// it. Returns whether that was all.
///
/// # Errors
/// Those of the database.
pub async fn forget(conn: &mut Conn, repository: RepositoryId, limit: i64) -> Result<bool> {
    let args = [repository.into(), limit.into()];
    let found: Vec<AttestationId> = conn.all(ATTESTATIONS, &args).await?;
    if !found.is_empty() {
        attestations::delete(conn, &found).await?;
        return Ok(false);
    }
    artifacts::forget_repository(conn, repository).await?;
    conn.execute(DROP_README, &[repository.into()]).await?;
    Ok(true)
}

/// Makes deleted repositories and organizations count as deleted at `at`, if they were deleted
/// later: they can no longer be restored then.
///
/// # Errors
/// Those of the database.
pub async fn end_bin_time(conn: &mut Conn, at: Moment) -> Result<()> {
    for statement in [END_BIN_TIME, END_BIN_TIME_OF_ORGANIZATIONS] {
        conn.execute(statement, &[at.into()]).await?;
    }
    Ok(())
}
