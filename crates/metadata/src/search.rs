//! Search: the terms that packages are found by, and the questions asked of them.
//!
//! A term is a letter, a colon and a text in lower case: `n:` the whole name, `w:` a word of the
//! name, the description, a tag, a label or the linked repository, `t:` a tag, `l:` a label as
//! `key=value`, `d:` the hex digits of a digest, `r:` the linked repository, `o:` the owner's
//! number, `k:` the type. One index serves equality and beginnings on both databases.
//!
//! Candidates are taken from the parts of the index that the caller may see anyway, so how many there
//! are of what they may not see changes nothing; the condition of [`crate::grants`] decides in the
//! end.

use naru_model::{AccountId, PackageId, PackageName, Principal, RepositoryId, Visibility};

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;
use crate::grants::{
    caller_number, effective_visibility, join_followed_repository, readable_by_anybody,
    readable_by_system, readable_by_user, readable_by_workflow,
};
use crate::package_lists::{ListedPackage, listed_columns};

/// To whom a package may be shown by what it is, as the index has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reach(i64);

impl Reach {
    /// Everybody.
    pub const PUBLIC: Self = Self(0);
    /// Whoever has signed in.
    pub const INTERNAL: Self = Self(-1);

    /// Whether packages of this visibility are there.
    #[must_use]
    pub const fn has(self, visibility: Visibility) -> bool {
        match visibility {
            Visibility::Public => self.0 == 0,
            Visibility::Internal => self.0 == -1,
            Visibility::Private => self.0 > 0,
        }
    }

    /// Those who may see everything of this owner.
    #[must_use]
    pub const fn of_owner(owner: AccountId) -> Self {
        Self(owner.get())
    }
}

/// Terms from the first, included, to the last, excluded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    from: String,
    to: String,
}

impl Range {
    /// Exactly this term. Terms have no control characters.
    #[must_use]
    pub fn is(term: &str) -> Self {
        Self {
            from: term.to_owned(),
            to: format!("{term}\u{1}"),
        }
    }

    /// Every term that begins so.
    #[must_use]
    pub fn begins(term: &str) -> Self {
        Self {
            from: term.to_owned(),
            to: format!("{term}\u{10FFFF}"),
        }
    }
}

/// A package that was found and may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The package.
    pub package: PackageId,
    /// Its name, to order hits by.
    pub name: PackageName,
}

impl FromRow for Hit {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            package: row.get("id")?,
            name: row.word("name")?,
        })
    }
}

/// What of a package stands in the index besides its own record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// Who may read it without a role; on the legacy registry as the repository says.
    pub visibility: Visibility,
    /// The linked repository, `OWNER/NAME`.
    pub repository: Option<String>,
}

impl FromRow for Indexed {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            visibility: row.word("visibility")?,
            repository: row.get("repository")?,
        })
    }
}

struct Entry(Reach, String);

impl FromRow for Entry {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self(Reach(row.get("reach")?), row.get("term")?))
    }
}

/// Which of the packages `$2` the caller `$1` may read, of the visibility `$3` if given.
macro_rules! readable_among {
    ($readable:expr) => {
        concat!(
            "SELECT p.id, p.name FROM packages p JOIN accounts o ON o.id = p.owner_id
            WHERE p.id {{IN $2}} AND p.deleted_at IS NULL AND p.published_at IS NOT NULL
                AND o.deleted_at IS NULL
                AND (CAST($3 AS {{TEXT}}) IS NULL OR $3 = ",
            effective_visibility!(any),
            ") AND ",
            $readable
        )
    };
}

statements! {
    #[short]
    ENQUEUE = "INSERT INTO search_queue (package_id) VALUES ($1)
        ON CONFLICT (package_id) DO NOTHING";
    ENQUEUE_LEGACY = "INSERT INTO search_queue (package_id)
        SELECT p.id FROM repositories y JOIN packages p ON p.owner_id = y.owner_id
            AND p.package_type = 'docker' AND p.deleted_at IS NULL
            AND p.name > y.name_key || '/' AND p.name < y.name_key || '0'
        WHERE y.id = $1
        ON CONFLICT (package_id) DO NOTHING";
    QUEUED = "SELECT package_id FROM search_queue ORDER BY package_id LIMIT $1";
    DEQUEUE = "DELETE FROM search_queue WHERE package_id = $1";

    INDEXED = concat!("SELECT ", effective_visibility!(any), " AS visibility,
            ro.login || '/' || r.name AS repository
        FROM packages p
            ", join_followed_repository!(), "
            LEFT JOIN accounts ro ON ro.id = r.owner_id
        WHERE p.id = $1");
    NEWEST_TAGS = "SELECT name FROM tags WHERE package_id = $1
        ORDER BY updated_at DESC LIMIT $2";
    NEWEST_DIGESTS = "SELECT digest FROM versions WHERE package_id = $1 AND deleted_at IS NULL
        ORDER BY created_at DESC, id DESC LIMIT $2";
    NEWEST_TAGGED = "SELECT t.version_id FROM tags t WHERE t.package_id = $1
        ORDER BY t.updated_at DESC LIMIT $2";
    TERMS = "SELECT reach, term FROM search_terms WHERE package_id = $1 ORDER BY term";
    FORGET = "DELETE FROM search_terms WHERE package_id = $1";
    REMOVE = "DELETE FROM search_terms WHERE package_id = $1 AND term {{IN $2}}";
    ADD = "INSERT INTO search_terms (reach, term, package_id)
        SELECT CAST($1 AS BIGINT), value, CAST($2 AS BIGINT) FROM {{LIST $3}}
        ON CONFLICT (reach, term, package_id) DO NOTHING";

    REACHES = "SELECT m.organization_id FROM organization_members m
        WHERE m.user_id = $1 AND m.role = 'owner' ORDER BY m.organization_id LIMIT $2";
    OWNERS = "SELECT DISTINCT owner_id FROM packages WHERE published_at IS NOT NULL
        ORDER BY owner_id";
    COUNT = "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM
        (SELECT 1 AS one FROM search_terms
         WHERE reach = $1 AND term >= $2 AND term < $3 LIMIT $4) AS found";
    WITHIN_REACH = "SELECT t.package_id FROM search_terms t
        WHERE t.reach = $1 AND t.term >= $2 AND t.term < $3
        ORDER BY t.term, t.package_id LIMIT $4";
    GRANTED_TO_USER = "WITH mine (team_id) AS
            (SELECT tm.team_id FROM team_members tm WHERE tm.user_id = $1
             UNION SELECT ta.ancestor_id FROM team_members tm
                JOIN team_ancestors ta ON ta.team_id = tm.team_id WHERE tm.user_id = $1)
        SELECT x.id FROM
            (SELECT g.package_id AS id FROM package_users g WHERE g.user_id = $1
             UNION SELECT g.package_id FROM mine CROSS JOIN package_teams g
                WHERE g.team_id = mine.team_id
             UNION SELECT p.id FROM repository_users c
                JOIN packages p ON p.repository_id = c.repository_id WHERE c.user_id = $1
             UNION SELECT p.id FROM mine CROSS JOIN repository_teams c CROSS JOIN packages p
                WHERE c.team_id = mine.team_id AND p.repository_id = c.repository_id
             UNION SELECT p.id FROM repository_users c
                JOIN repositories y ON y.id = c.repository_id
                JOIN packages p ON p.owner_id = y.owner_id AND p.package_type = 'docker'
                    AND p.deleted_at IS NULL
                    AND p.name > y.name_key || '/' AND p.name < y.name_key || '0'
                WHERE c.user_id = $1
             UNION SELECT p.id FROM mine CROSS JOIN repository_teams c CROSS JOIN repositories y
                    CROSS JOIN packages p
                WHERE c.team_id = mine.team_id AND y.id = c.repository_id
                    AND p.owner_id = y.owner_id AND p.package_type = 'docker'
                    AND p.deleted_at IS NULL
                    AND p.name > y.name_key || '/' AND p.name < y.name_key || '0'
                ) x
        WHERE EXISTS (SELECT 1 FROM search_terms t
            WHERE t.package_id = x.id AND t.term >= $2 AND t.term < $3)
        ORDER BY x.id DESC LIMIT $4";
    GRANTED_TO_WORKFLOW = "SELECT x.id FROM
            (SELECT g.package_id AS id FROM package_repositories g WHERE g.repository_id = $1
             UNION SELECT p.id FROM repositories y
                JOIN packages p ON p.owner_id = y.owner_id AND p.package_type = 'docker'
                    AND p.deleted_at IS NULL
                    AND p.name > y.name_key || '/' AND p.name < y.name_key || '0'
                WHERE y.id = $1) x
        WHERE EXISTS (SELECT 1 FROM search_terms t
            WHERE t.package_id = x.id AND t.term >= $2 AND t.term < $3)
        ORDER BY x.id DESC LIMIT $4";
    AMONG = "SELECT DISTINCT t.package_id FROM search_terms t
        WHERE t.package_id {{IN $1}} AND t.term >= $2 AND t.term < $3";

    READABLE_BY_ANYBODY = readable_among!(readable_by_anybody!(any));
    READABLE_BY_USER = readable_among!(readable_by_user!(any, "p.owner_id"));
    READABLE_BY_WORKFLOW = readable_among!(readable_by_workflow!(any));
    READABLE_BY_SYSTEM = readable_among!(readable_by_system!(any));
    FETCH = concat!("SELECT ", listed_columns!(), " FROM packages p WHERE p.id {{IN $1}}");
}

/// Notes that the terms of a package are to be written anew. Part of every change that has an event
/// about a package.
///
/// # Errors
/// Those of the database.
pub(crate) async fn enqueue(conn: &mut Conn, package: PackageId) -> Result<()> {
    conn.execute(ENQUEUE, &[package.into()]).await?;
    Ok(())
}

/// As `enqueue`, for the packages of the legacy registry that follow a repository.
///
/// # Errors
/// Those of the database.
pub async fn enqueue_legacy(conn: &mut Conn, repository: RepositoryId) -> Result<()> {
    conn.execute(ENQUEUE_LEGACY, &[repository.into()]).await?;
    Ok(())
}

/// Packages whose terms are to be written anew, at most `limit`.
///
/// # Errors
/// Those of the database.
pub async fn queued(conn: &mut Conn, limit: i64) -> Result<Vec<PackageId>> {
    conn.all(QUEUED, &[limit.into()]).await
}

/// Takes a package off the queue, after it was locked: whoever changes it later puts it back.
/// Returns whether it was there.
///
/// # Errors
/// Those of the database.
pub async fn dequeue(conn: &mut Conn, package: PackageId) -> Result<bool> {
    Ok(conn.execute(DEQUEUE, &[package.into()]).await? > 0)
}

/// What of a package stands in the index besides its own record.
///
/// # Errors
/// Those of the database.
pub async fn indexed(conn: &mut Conn, package: PackageId) -> Result<Option<Indexed>> {
    conn.optional(INDEXED, &[package.into()]).await
}

/// The tags of a package that were changed last.
///
/// # Errors
/// Those of the database.
pub async fn newest_tags(conn: &mut Conn, package: PackageId, limit: i64) -> Result<Vec<String>> {
    conn.all(NEWEST_TAGS, &[package.into(), limit.into()]).await
}

/// The digests of the newest versions of a package.
///
/// # Errors
/// Those of the database.
pub async fn newest_digests(
    conn: &mut Conn,
    package: PackageId,
    limit: i64,
) -> Result<Vec<naru_oci::Digest>> {
    conn.all(NEWEST_DIGESTS, &[package.into(), limit.into()])
        .await
}

/// The versions that the tags changed last point at.
///
/// # Errors
/// Those of the database.
pub async fn newest_tagged(
    conn: &mut Conn,
    package: PackageId,
    limit: i64,
) -> Result<Vec<naru_model::VersionId>> {
    conn.all(NEWEST_TAGGED, &[package.into(), limit.into()])
        .await
}

/// Makes `terms` the terms of a package, which was locked. Without a reach it is found by nobody.
///
/// # Errors
/// Those of the database.
pub async fn put_terms(
    conn: &mut Conn,
    package: PackageId,
    reach: Option<Reach>,
    terms: &std::collections::BTreeSet<String>,
) -> Result<()> {
    let known: Vec<Entry> = conn.all(TERMS, &[package.into()]).await?;
    let Some(reach) = reach else {
        conn.execute(FORGET, &[package.into()]).await?;
        return Ok(());
    };
    let moved = known.iter().any(|Entry(known, _)| *known != reach);
    if moved {
        conn.execute(FORGET, &[package.into()]).await?;
    }
    let kept = |term: &str| !moved && known.iter().any(|Entry(_, known)| known == term);
    let gone: Vec<&str> = known
        .iter()
        .map(|Entry(_, term)| term.as_str())
        .filter(|term| !moved && !terms.contains(*term))
        .collect();
    if !gone.is_empty() {
        conn.execute(REMOVE, &[package.into(), gone.as_slice().into()])
            .await?;
    }
    let new: Vec<&str> = terms
        .iter()
        .map(String::as_str)
        .filter(|term| !kept(term))
        .collect();
    if !new.is_empty() {
        let args = [reach.0.into(), package.into(), new.as_slice().into()];
        conn.execute(ADD, &args).await?;
    }
    Ok(())
}

/// The parts of the index that `principal` may see all of.
///
/// # Errors
/// Those of the database.
pub async fn reaches(conn: &mut Conn, principal: &Principal) -> Result<Vec<Reach>> {
    const MOST: i64 = 50;
    Ok(match principal {
        Principal::Anonymous { .. } => vec![Reach::PUBLIC],
        Principal::Workflow { .. } => vec![Reach::PUBLIC, Reach::INTERNAL],
        Principal::System => {
            let owners: Vec<AccountId> = conn.all(OWNERS, &[]).await?;
            let owners = owners.into_iter().map(Reach::of_owner);
            owners.chain([Reach::PUBLIC, Reach::INTERNAL]).collect()
        }
        Principal::User { user, .. } => {
            let owned: Vec<AccountId> = conn.all(REACHES, &[(*user).into(), MOST.into()]).await?;
            let owned = owned.into_iter().map(Reach::of_owner);
            let own = [Reach::of_owner(*user)].into_iter().chain(owned);
            own.chain([Reach::PUBLIC, Reach::INTERNAL]).collect()
        }
    })
}

/// How many terms of a range there are within a reach, counted up to `limit`.
///
/// # Errors
/// Those of the database.
pub async fn count(conn: &mut Conn, reach: Reach, range: &Range, limit: i64) -> Result<i64> {
    let args = [
        reach.0.into(),
        range.from.as_str().into(),
        range.to.as_str().into(),
        limit.into(),
    ];
    conn.one(COUNT, &args).await
}

/// The packages with a term of the range within a reach, at most `limit`, in the order of terms; one
/// may come several times.
///
/// # Errors
/// Those of the database.
pub async fn within_reach(
    conn: &mut Conn,
    reach: Reach,
    range: &Range,
    limit: i64,
) -> Result<Vec<PackageId>> {
    let args = [
        reach.0.into(),
        range.from.as_str().into(),
        range.to.as_str().into(),
        limit.into(),
    ];
    conn.all(WITHIN_REACH, &args).await
}

/// The packages with a term of the range on which something was granted to `principal`, or which
/// follow a repository where it was; newest first, at most `limit`.
///
/// # Errors
/// Those of the database.
pub async fn granted(
    conn: &mut Conn,
    principal: &Principal,
    range: &Range,
    limit: i64,
) -> Result<Vec<PackageId>> {
    let statement = match principal {
        Principal::User { .. } => GRANTED_TO_USER,
        Principal::Workflow { .. } => GRANTED_TO_WORKFLOW,
        Principal::Anonymous { .. } | Principal::System => return Ok(Vec::new()),
    };
    let args = [
        caller_number(principal).into(),
        range.from.as_str().into(),
        range.to.as_str().into(),
        limit.into(),
    ];
    conn.all(statement, &args).await
}

/// Which of `packages` have a term of the range.
///
/// # Errors
/// Those of the database.
pub async fn among(
    conn: &mut Conn,
    packages: &[PackageId],
    range: &Range,
) -> Result<Vec<PackageId>> {
    let ids = numbers(packages);
    let args = [
        ids.as_slice().into(),
        range.from.as_str().into(),
        range.to.as_str().into(),
    ];
    conn.all(AMONG, &args).await
}

/// Which of `packages` `principal` may read, with this visibility if one is given. What the
/// credential allows, such as scopes, is not looked at: it is the same for all of them.
///
/// # Errors
/// Those of the database.
pub async fn readable(
    conn: &mut Conn,
    principal: &Principal,
    packages: &[PackageId],
    visibility: Option<Visibility>,
) -> Result<Vec<Hit>> {
    let statement = match principal {
        Principal::Anonymous { .. } => READABLE_BY_ANYBODY,
        Principal::User { .. } => READABLE_BY_USER,
        Principal::Workflow { .. } => READABLE_BY_WORKFLOW,
        Principal::System => READABLE_BY_SYSTEM,
    };
    let ids = numbers(packages);
    let args = [
        caller_number(principal).into(),
        ids.as_slice().into(),
        visibility.map(Visibility::as_str).into(),
    ];
    conn.all(statement, &args).await
}

/// The records of packages, in no order.
///
/// # Errors
/// Those of the database.
pub async fn fetch(conn: &mut Conn, packages: &[PackageId]) -> Result<Vec<ListedPackage>> {
    conn.all(FETCH, &[numbers(packages).as_slice().into()])
        .await
}

fn numbers(packages: &[PackageId]) -> Vec<i64> {
    packages.iter().map(|package| package.get()).collect()
}
