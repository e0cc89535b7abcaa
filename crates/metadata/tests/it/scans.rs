//! No statement reads a table from end to end, however much is stored: what both databases say of
//! their own plans, for every statement there is.
//!
//! Each table gets so many rows that no plan is better for being simple. What is read from end to
//! end all the same stands in [`READ_WHOLE`], with the reason.

use naru_metadata::db::{Arg, Conn, Dialect, FromRow, Row, Statement};
use naru_metadata::{Error, Result};

use crate::{Home, on_both};

on_both!(no_statement_reads_a_table_from_end_to_end);

/// How many rows each table gets, with the numbers 1 to this one in every column that has numbers.
const ROWS: i64 = 4000;

/// Every table that grows, in an order in which what is referred to comes first; for each row `i`,
/// what stands in its columns.
const TABLES: &[(&str, &str, &str)] = &[
    (
        "accounts",
        "id, kind, login, login_key, created_at, updated_at, deleted_at",
        "i, CASE i % 2 WHEN 0 THEN 'user' ELSE 'organization' END, 'a' || s, 'a' || s, i, i,
            CASE i % 9 WHEN 0 THEN i END",
    ),
    (
        "retired_names",
        "owner_key, package_type, name, kept_for",
        "'a' || s, 'container', s, i",
    ),
    (
        "organization_members",
        "organization_id, user_id, role, created_at, is_public",
        "i, i, 'member', i, i % 2",
    ),
    (
        "teams",
        "id, organization_id, slug, name, parent_id, created_at, updated_at",
        "i, i, s, s, CASE i % 5 WHEN 0 THEN i - 1 END, i, i",
    ),
    (
        "team_members",
        "team_id, user_id, role, created_at",
        "i, i, 'member', i",
    ),
    ("team_ancestors", "team_id, ancestor_id", "i, i"),
    ("profiles", "account_id", "i"),
    (
        "repositories",
        "id, owner_id, name, name_key, forge_url, visibility, created_at, updated_at, deleted_at",
        "i, i, s, s, s, 'private', i, i, CASE i % 7 WHEN 0 THEN i END",
    ),
    (
        "repository_users",
        "repository_id, user_id, role, created_at",
        "i, i, 'read', i",
    ),
    (
        "repository_teams",
        "repository_id, team_id, role, created_at",
        "i, i, 'read', i",
    ),
    (
        "repository_readmes",
        "repository_id, content, updated_at",
        "i, s, i",
    ),
    (
        "repository_redirects",
        "owner_id, name_key, repository_id",
        "i, s, i",
    ),
    (
        "packages",
        "id, owner_id, package_type, name, visibility, repository_id, created_by, created_at,
            updated_at, published_at, deleted_at",
        "i, i, 'container', s, 'private', i, i, i, i, CASE i % 400 WHEN 0 THEN NULL ELSE i END,
            CASE i % 40 WHEN 0 THEN i END",
    ),
    (
        "package_users",
        "package_id, user_id, role, created_at",
        "i, i, 'read', i",
    ),
    (
        "package_teams",
        "package_id, team_id, role, created_at",
        "i, i, 'read', i",
    ),
    (
        "package_repositories",
        "package_id, repository_id, role, created_at",
        "i, i, 'read', i",
    ),
    (
        "blobs",
        "digest, size, storage_key, created_at",
        "s, i, s, i",
    ),
    (
        "links",
        "package_id, digest, lease_until, readable_until, owner_id",
        "i, s, i, i, i",
    ),
    (
        "versions",
        "id, package_id, digest, media_type, subject, size, created_by, created_at, updated_at,
            deleted_at, withdrawn_at, content",
        "i, i, s, s, CASE i % 3 WHEN 0 THEN s END, i, i, i, i, CASE i % 7 WHEN 0 THEN i END,
            CASE i % 13 WHEN 0 THEN i END, $2",
    ),
    ("version_blobs", "version_id, package_id, digest", "i, i, s"),
    (
        "version_children",
        "version_id, package_id, digest",
        "i, i, s",
    ),
    (
        "version_gaps",
        "version_id, package_id, digest, kind",
        "i, i, s, 'blob'",
    ),
    (
        "tags",
        "package_id, name, version_id, created_at, updated_at",
        "i, s, i, i, i",
    ),
    (
        "tag_history",
        "package_id, name, version_id, at, reason",
        "i, s, i, i, 'push'",
    ),
    (
        "uploads",
        "id, package_id, principal, token_id, storage_key, epoch, byte_offset, created_at,
            expires_at",
        "s, i, s, i, s, i, i, i, i",
    ),
    (
        "trash",
        "storage_key, digest, reason, delete_after",
        "s, s, 'condemned', i",
    ),
    (
        "tokens",
        "kind, user_id, repository_id, hash, scopes, created_at, expires_at",
        "'personal', i, i, CAST(s AS {{BYTES}}), '', i, i",
    ),
    (
        "events",
        "at, kind, actor, account_id, package_id, version_id",
        "i, s, s, i, i, i",
    ),
    (
        "version_statistics",
        "version_id, package_id, downloads, downloaded_at",
        "i, i, i, i",
    ),
    ("version_downloads", "version_id, day, downloads", "i, i, i"),
    (
        "package_statistics",
        "package_id, downloads, pulls, downloaded_at",
        "i, i, i, i",
    ),
    (
        "package_downloads",
        "package_id, day, downloads, pulls",
        "i, i, i, i",
    ),
    (
        "tag_rules",
        "id, owner_id, package_id, pattern, immutable, created_at, updated_at",
        "i, i, CASE i % 2 WHEN 0 THEN i END, s, 0, i, i",
    ),
    ("tag_rule_users", "rule_id, action, user_id", "i, 'move', i"),
    ("tag_rule_teams", "rule_id, action, team_id", "i, 'move', i"),
    (
        "tag_rule_repositories",
        "rule_id, action, repository_id",
        "i, 'move', i",
    ),
    (
        "attestations",
        "id, repository_id, owner_id, predicate_type, initiator, created_at, size, bundle",
        "i, i, i, s, 'user', i, i, s",
    ),
    (
        "attestation_subjects",
        "attestation_id, digest, owner_id, repository_id",
        "i, s, i, i",
    ),
    (
        "deployment_records",
        "organization_id, repository_id, logical_environment, physical_environment, cluster,
            deployment_name, name, digest, status, tags, runtime_risks, attestation_id, created_at,
            updated_at",
        "i, i, s, s, s, s, s, s, 'deployed', '{}', '[]', i, i, i",
    ),
    (
        "storage_records",
        "organization_id, repository_id, digest, registry_url, repository, path, artifact_url,
            name, status, created_at, updated_at",
        "i, i, s, s, s, s, s, s, 'active', i, i",
    ),
    (
        "cluster_jobs",
        "organization_id, cluster, principal, total, started_at",
        "i, s, s, i, i",
    ),
    (
        "account_usage",
        "owner_id, live, pending, bin, blobs, versions, measured_at, measured_in",
        "i, i, i, i, i, i, i, i",
    ),
    ("quotas", "owner_id, updated_at", "i, i"),
    ("search_terms", "reach, term, package_id", "i, s, i"),
    ("search_queue", "package_id", "i"),
];

/// Statements that read a table from end to end, or an index without a condition, and why they may:
/// each is reviewed.
const READ_WHOLE: &[(&str, &str)] = &[
    (
        "accounts::ADMINISTRATORS",
        "an index that has nobody else in it",
    ),
    ("checks::", "the check of all content looks at all of it"),
    (
        "collector::LOOSE_BLOBS",
        "whether there are any is learnt from each blob; mostly there are none",
    ),
    ("collector::TRASH_SIZE", "a figure for operators counts it"),
    (
        "members::PAGE",
        "an index that has nobody but those whose accounts are in the bin",
    ),
    (
        "packages::CATALOG",
        "walks over the accounts in order, and stops where the page is full",
    ),
    (
        "packages::EMPTY",
        "an index that has nothing but packages without a manifest",
    ),
    (
        "quotas::LIST",
        "walks over both in order, and stops where the page is full",
    ),
    (
        "search::OWNERS",
        "whoever works on the machine itself searches with every owner, of whom an index has all",
    ),
    (
        "search::QUEUED",
        "takes the first of a queue, which are soon gone",
    ),
    (
        "uploads::CLOSE_OF_TOKEN",
        "uploads that are open, which end by themselves",
    ),
];

/// A database in which every table has rows, and knows it.
async fn filled(home: &Home) -> Conn {
    let db = home.open().await;
    let bytes = match db.dialect() {
        Dialect::Sqlite => "BLOB",
        Dialect::Postgres => "BYTEA",
    };
    let mut tx = db.write().await.unwrap();
    let content: &[u8] = b"{}";
    for (table, columns, values) in TABLES {
        let text = format!(
            "INSERT INTO {table} ({columns})
                WITH RECURSIVE n (i, s) AS (SELECT CAST(1 AS BIGINT), '1' UNION ALL
                    SELECT i + 1, CAST(i + 1 AS TEXT) FROM n WHERE i < $1)
                SELECT {} FROM n",
            values.replace("{{BYTES}}", bytes)
        );
        let args = [ROWS.into(), content.into()];
        let needed = if values.contains("$2") { 2 } else { 1 };
        tx.execute(leaked(text), &args[..needed])
            .await
            .unwrap_or_else(|error| panic!("{table}: {error}"));
    }
    // A server does so by itself; nobody does it for a file.
    if db.is_shared() {
        tx.execute(leaked("ANALYZE".to_owned()), &[]).await.unwrap();
    }
    tx.commit().await.unwrap();
    db.read().await.unwrap()
}

fn leaked(text: String) -> &'static Statement {
    let text: &'static str = Box::leak(text.into_boxed_str());
    Box::leak(Box::new(Statement::new("PLAN", text)))
}

/// A line of a plan, or a type of a parameter.
struct Line(String);

impl FromRow for Line {
    fn from_row(row: &Row) -> Result<Self> {
        let words = row.get::<String>("detail");
        Ok(Self(words.or_else(|_: Error| row.get("QUERY PLAN"))?))
    }
}

/// How many parameters a statement has.
fn parameters(text: &str) -> usize {
    let named = |number: &usize| text.contains(&format!("${number}"));
    (1..=30).take_while(named).count()
}

/// What SQLite says of a statement.
async fn sqlite_plan(conn: &mut Conn, text: &str) -> Vec<String> {
    let args = vec![Arg::Int(Some(7)); parameters(text)];
    let explain = leaked(format!("EXPLAIN QUERY PLAN {text}"));
    let plan: Vec<Line> = conn.all(explain, &args).await.unwrap();
    plan.into_iter().map(|Line(line)| line).collect()
}

/// What PostgreSQL says of a statement. The types of its parameters are its own to find.
async fn postgres_plan(conn: &mut Conn, statement: &'static Statement) -> Vec<String> {
    let explain = postgres_explain(conn, statement.text(Dialect::Postgres)).await;
    let explain = if statement.is_planned_anew() {
        format!("{{{{PLANNED ANEW}}}} {explain}")
    } else {
        explain
    };
    let plan: Vec<Line> = conn.all(leaked(explain), &[]).await.unwrap();
    conn.execute(leaked("DEALLOCATE looked_at".to_owned()), &[])
        .await
        .unwrap();
    plan.into_iter().map(|Line(line)| line).collect()
}

async fn postgres_explain(conn: &mut Conn, text: &str) -> String {
    conn.execute(leaked(format!("PREPARE looked_at AS {text}")), &[])
        .await
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    let types: Vec<Type> = conn
        .all(
            leaked(
                "SELECT CAST(t.type AS TEXT) AS type FROM pg_prepared_statements p,
                    unnest(p.parameter_types) WITH ORDINALITY AS t (type, place)
                WHERE p.name = 'looked_at' ORDER BY t.place"
                    .to_owned(),
            ),
            &[],
        )
        .await
        .unwrap();
    let value = |(at, Type(kind)): (usize, &Type)| {
        let is_number_of_rows = ["LIMIT", "OFFSET"]
            .iter()
            .any(|word| text.contains(&format!("{word} ${}", at + 1)));
        if kind.ends_with("[]") {
            "'{7,8,9}'"
        } else if text.contains(&format!("kind = ${}", at + 1)) {
            "'user'"
        } else if text.contains(&format!("package_type = ${}", at + 1)) {
            "'container'"
        } else if is_number_of_rows {
            "'30'"
        } else {
            "'7'"
        }
    };
    let values: Vec<&str> = types.iter().enumerate().map(value).collect();
    let values = if values.is_empty() {
        String::new()
    } else {
        format!("({})", values.join(", "))
    };
    format!("EXPLAIN EXECUTE looked_at{values}")
}

struct Type(String);

impl FromRow for Type {
    fn from_row(row: &Row) -> Result<Self> {
        row.get("type").map(Self)
    }
}

/// The tables that a plan of SQLite reads from end to end. What the statement itself has just made
/// is none.
fn whole_in_sqlite(text: &str, plan: &[String]) -> Vec<String> {
    let scanned = plan.iter().filter_map(|line| line.strip_prefix("SCAN "));
    let named = |line: &str| {
        let alias = line.split(' ').next().unwrap_or_default();
        let grown = TABLES
            .iter()
            .map(|(table, ..)| *table)
            .find(|table| calls(text, table, alias));
        grown.map(|table| format!("{table}: {line}"))
    };
    scanned.filter_map(named).collect()
}

/// Whether a statement calls a table so.
fn calls(text: &str, table: &str, alias: &str) -> bool {
    let is_end = |c: char| c.is_whitespace() || "(),;".contains(c);
    let mut words = text.split(is_end).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        if word == table && (alias == table || words.clone().next() == Some(alias)) {
            return true;
        }
    }
    false
}

/// The tables that a plan of PostgreSQL reads from end to end: also by an index that is given no
/// condition.
fn whole_in_postgres(plan: &[String]) -> Vec<String> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut whole = Vec::new();
    for (at, line) in plan.iter().enumerate() {
        let Some((how, what)) = line.split_once(" on ") else {
            continue;
        };
        let table = what.split(' ').next().unwrap_or_default();
        if !TABLES.iter().any(|(grown, ..)| *grown == table) {
            continue;
        }
        let own = plan.iter().skip(at + 1);
        let narrowed = own
            .take_while(|below| depth(below) > depth(line) && !below.contains("->"))
            .any(|below| below.contains("Index Cond"));
        let by_index = how.contains("Index Scan using") || how.contains("Index Only Scan using");
        if how.contains("Seq Scan") || (by_index && !narrowed) {
            whole.push(line.trim().to_owned());
        }
    }
    whole
}

/// Whether the statement is in the list of those that may.
fn may_read_whole(name: &str) -> bool {
    READ_WHOLE.iter().any(|(known, _)| name.contains(known))
}

/// Tables that do not grow with what is stored: a few rows for each instance.
const SMALL: &[&str] = &["instance", "jobs", "changes", "signing_keys"];

#[test]
fn every_table_that_grows_is_filled() {
    let migrations = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    for file in std::fs::read_dir(migrations).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let made = text
            .lines()
            .filter_map(|line| line.strip_prefix("CREATE TABLE "));
        for table in made.filter_map(|rest| rest.split([' ', '(']).next()) {
            let is_filled = TABLES.iter().any(|(known, ..)| *known == table);
            assert!(is_filled || SMALL.contains(&table), "{table} is not filled");
        }
    }
}

async fn no_statement_reads_a_table_from_end_to_end(home: Home) {
    let mut conn = filled(&home).await;
    let dialect = conn.dialect();
    let of_the_other = match dialect {
        Dialect::Sqlite => "::POSTGRES_",
        Dialect::Postgres => "::SQLITE_",
    };
    let mut wrong = Vec::new();
    for statement in naru_metadata::statements() {
        if statement.name().contains(of_the_other) {
            continue;
        }
        let whole = match dialect {
            Dialect::Sqlite => {
                let text = statement.text(dialect);
                whole_in_sqlite(text, &sqlite_plan(&mut conn, text).await)
            }
            Dialect::Postgres => whole_in_postgres(&postgres_plan(&mut conn, statement).await),
        };
        if !whole.is_empty() && !may_read_whole(statement.name()) {
            wrong.push(format!("{}: {}", statement.name(), whole.join(" | ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
