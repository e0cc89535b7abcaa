//! What rows must not say of each other. The schema refuses most of it; a damaged file or a
//! restored one may still hold it, and `naru fsck` looks.

use naru_model::VersionId;
use naru_oci::Digest;

use crate::db::{Conn, Statement, statements};
use crate::error::Result;

/// Rows that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// What must not be, in a few words.
    pub check: &'static str,
    /// Which rows say it.
    pub detail: String,
}

statements! {
    BLOB_IN_TRASH = "SELECT b.digest || ' lies at ' || b.storage_key
        FROM blobs b JOIN trash t ON t.storage_key = b.storage_key ORDER BY b.digest LIMIT $1";
    BLOB_IN_UPLOAD = "SELECT b.digest || ' lies at ' || b.storage_key
        FROM blobs b JOIN uploads u ON u.storage_key = b.storage_key ORDER BY b.digest LIMIT $1";
    TAG_ASTRAY = "SELECT 'tag ' || t.name || ' of package ' || CAST(t.package_id AS {{TEXT}})
        FROM tags t LEFT JOIN versions v ON v.id = t.version_id
        WHERE v.id IS NULL OR v.package_id <> t.package_id OR v.deleted_at IS NOT NULL
            OR v.withdrawn_at IS NOT NULL
        ORDER BY t.package_id, t.name LIMIT $1";
    LINK_WITHOUT_BLOB = "SELECT l.digest || ' in package ' || CAST(l.package_id AS {{TEXT}})
        FROM links l LEFT JOIN blobs b ON b.digest = l.digest
        WHERE b.digest IS NULL ORDER BY l.package_id, l.digest LIMIT $1";
    REFERENCE_WITHOUT_LINK = "SELECT r.digest || ' in version ' || CAST(r.version_id AS {{TEXT}})
        FROM version_blobs r
            LEFT JOIN links l ON l.package_id = r.package_id AND l.digest = r.digest
        WHERE l.digest IS NULL ORDER BY r.version_id, r.digest LIMIT $1";
    CHILD_WITHOUT_VERSION = "SELECT c.digest || ' in index ' || CAST(c.version_id AS {{TEXT}})
        FROM version_children c
            LEFT JOIN versions v ON v.package_id = c.package_id AND v.digest = c.digest
        WHERE v.id IS NULL ORDER BY c.version_id, c.digest LIMIT $1";
    CHILD_IN_BIN = "SELECT c.digest || ' in index ' || CAST(c.version_id AS {{TEXT}})
        FROM version_children c
            JOIN versions p ON p.id = c.version_id
            JOIN versions v ON v.package_id = c.package_id AND v.digest = c.digest
        WHERE p.deleted_at IS NULL AND v.deleted_at IS NOT NULL
        ORDER BY c.version_id, c.digest LIMIT $1";
    KEPT_BY_NOTHING = "SELECT v.digest || ' in package ' || CAST(v.package_id AS {{TEXT}})
        FROM versions v
        WHERE v.withdrawn_at IS NOT NULL AND v.deleted_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM versions s
                          WHERE s.package_id = v.package_id AND s.digest = v.subject
                            AND s.deleted_at IS NULL)
          AND NOT EXISTS (SELECT 1 FROM version_children c JOIN versions p ON p.id = c.version_id
                          WHERE c.package_id = v.package_id AND c.digest = v.digest
                            AND p.deleted_at IS NULL)
        ORDER BY v.id LIMIT $1";
    REFERENCE_ASTRAY = "SELECT r.digest || ' in version ' || CAST(r.version_id AS {{TEXT}})
        FROM version_blobs r JOIN versions v ON v.id = r.version_id
        WHERE v.package_id <> r.package_id ORDER BY r.version_id, r.digest LIMIT $1";
    LINKED_ASTRAY = "SELECT 'package ' || CAST(p.id AS {{TEXT}}) || ' and repository '
            || CAST(r.id AS {{TEXT}})
        FROM packages p JOIN repositories r ON r.id = p.repository_id
        WHERE r.owner_id <> p.owner_id ORDER BY p.id LIMIT $1";
    OWNERLESS = "SELECT a.login FROM accounts a
        WHERE a.kind = 'organization' AND a.deleted_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM organization_members m
                          WHERE m.organization_id = a.id AND m.role = 'owner')
        ORDER BY a.login_key LIMIT $1";
    HELD = "SELECT digest FROM version_blobs WHERE version_id = $1
        UNION SELECT digest FROM version_children WHERE version_id = $1
        UNION SELECT digest FROM version_gaps WHERE version_id = $1";
}

/// What must not be, and the statement that finds it.
const CHECKS: [(&str, &Statement); 11] = [
    ("a blob's bytes are in the trash", BLOB_IN_TRASH),
    ("a blob's bytes belong to an upload", BLOB_IN_UPLOAD),
    (
        "a tag points at nothing, into another package, or at a deleted version",
        TAG_ASTRAY,
    ),
    ("a link names no blob", LINK_WITHOUT_BLOB),
    (
        "a version needs a blob that its package has no link to",
        REFERENCE_WITHOUT_LINK,
    ),
    (
        "an index needs a version that is not there",
        CHILD_WITHOUT_VERSION,
    ),
    (
        "an index that is not deleted needs a version that is",
        CHILD_IN_BIN,
    ),
    (
        "a version was withdrawn and is served, but nothing keeps it",
        KEPT_BY_NOTHING,
    ),
    (
        "a version needs a blob of another package",
        REFERENCE_ASTRAY,
    ),
    (
        "a package is linked to a repository of another owner",
        LINKED_ASTRAY,
    ),
    ("an organization has no owner", OWNERLESS),
];

/// Every contradiction, at most `limit` of each kind.
///
/// # Errors
/// Those of the database.
pub async fn contradictions(conn: &mut Conn, limit: i64) -> Result<Vec<Contradiction>> {
    let mut found = Vec::new();
    for (check, statement) in CHECKS {
        let details: Vec<String> = conn.all(statement, &[limit.into()]).await?;
        found.extend(
            details
                .into_iter()
                .map(|detail| Contradiction { check, detail }),
        );
    }
    Ok(found)
}

/// Every digest that a version holds or is known to lack: what its manifest names must be among
/// them, or the collector would not know of it.
///
/// # Errors
/// Those of the database.
pub async fn held(conn: &mut Conn, version: VersionId) -> Result<Vec<Digest>> {
    conn.all(HELD, &[version.into()]).await
}
