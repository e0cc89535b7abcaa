//! Lists are served by an index, however many versions there are: what the databases say of their
//! own plans.

use naru_metadata::db::{Arg, Conn, Dialect, FromRow, Row, Statement};
use naru_metadata::{Error, Result};

use crate::{Home, on_both};

on_both!(
    lists_of_versions_are_read_from_their_index_in_order,
    walks_over_the_graph_look_nowhere_else,
);

/// A line of a plan.
struct Line(String);

impl FromRow for Line {
    fn from_row(row: &Row) -> Result<Self> {
        // SQLite has the words in the fourth column.
        let words = row.get::<String>("detail");
        Ok(Self(words.or_else(|_: Error| row.get("QUERY PLAN"))?))
    }
}

/// What the database says about the statement of this name.
async fn plan(conn: &mut Conn, name: &str, args: &[Arg<'_>]) -> String {
    let mut all = naru_metadata::statements();
    let found = all.find(|statement| statement.name().ends_with(name));
    let found = found.unwrap_or_else(|| panic!("there is no {name}"));
    let explain = match conn.dialect() {
        Dialect::Sqlite => "EXPLAIN QUERY PLAN",
        Dialect::Postgres => "EXPLAIN",
    };
    let text = format!("{explain} {}", found.text(conn.dialect()));
    let statement: &'static Statement = Box::leak(Box::new(Statement::new(
        "PLAN",
        Box::leak(text.into_boxed_str()),
    )));
    let lines: Vec<Line> = conn.all(statement, args).await.unwrap();
    let lines: Vec<String> = lines.into_iter().map(|Line(line)| line).collect();
    lines.join("\n")
}

/// A database with so many versions that no plan is better for being simple.
async fn filled(home: &Home) -> Conn {
    static OWNER: Statement = Statement::new(
        "OWNER",
        "INSERT INTO accounts (id, kind, login, login_key, created_at, updated_at)
            VALUES (1, 'user', 'cat', 'cat', 0, 0)",
    );
    static PACKAGES: Statement = Statement::new(
        "PACKAGES",
        "INSERT INTO packages (id, owner_id, package_type, name, visibility, created_at, updated_at)
            WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 200)
            SELECT i, 1, 'container', 'image-' || CAST(i AS TEXT), 'private', 0, 0 FROM n",
    );
    static VERSIONS: Statement = Statement::new(
        "VERSIONS",
        "INSERT INTO versions (package_id, digest, media_type, subject, size, created_at, updated_at,
                deleted_at, withdrawn_at, content)
            WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
            SELECT CASE WHEN i % 2 = 0 THEN 7 ELSE 1 + i % 200 END, 'sha256:' || CAST(i AS TEXT), 'a/b',
                CASE WHEN i % 5 = 0 THEN 'sha256:' || CAST(i - 200 AS TEXT) END, 2, i, i,
                CASE WHEN i % 7 = 0 THEN i END, CASE WHEN i % 11 = 0 THEN i END, $1
            FROM n",
    );
    static CHILDREN: Statement = Statement::new(
        "CHILDREN",
        "INSERT INTO version_children (version_id, package_id, digest)
            SELECT v.id, v.package_id, w.digest FROM versions v
                JOIN versions w ON w.package_id = v.package_id AND w.id = v.id - 200
            WHERE v.id % 3 = 0",
    );
    static ANALYZE: Statement = Statement::new("ANALYZE", "ANALYZE");
    let db = home.open().await;
    let mut tx = db.write().await.unwrap();
    tx.execute(&OWNER, &[]).await.unwrap();
    tx.execute(&PACKAGES, &[]).await.unwrap();
    let content: &[u8] = b"{}";
    tx.execute(&VERSIONS, &[content.into()]).await.unwrap();
    tx.execute(&CHILDREN, &[]).await.unwrap();
    tx.execute(&ANALYZE, &[]).await.unwrap();
    tx.commit().await.unwrap();
    db.read().await.unwrap()
}

async fn lists_of_versions_are_read_from_their_index_in_order(home: Home) {
    let mut conn = filled(&home).await;
    let page = [
        7.into(),
        30.into(),
        0.into(),
        i64::MAX.into(),
        i64::MAX.into(),
    ];
    for (name, index) in [
        ("lists::LISTED", "versions_listed"),
        ("lists::SERVED", "versions_created"),
        ("lists::REMOVED", "versions_removed"),
    ] {
        let plan = plan(&mut conn, name, &page).await;
        assert!(plan.contains(index), "{name}:\n{plan}");
        // The page is put in order in the end; what it is cut from comes in order.
        let is_sort = |line: &&str| line.contains("Sort  (") || line.contains("TEMP B-TREE");
        assert!(plan.lines().filter(is_sort).count() <= 1, "{name}:\n{plan}");
    }
    let packages = [
        Arg::Int(None),
        1.into(),
        Arg::Text(None),
        i64::MAX.into(),
        30.into(),
        0.into(),
    ];
    for name in [
        "CONTAINERS_OF_USER",
        "CONTAINERS_OF_SYSTEM",
        "IMAGES_OF_USER",
    ] {
        let plan = plan(&mut conn, name, &packages).await;
        let is_small = conn.dialect() == Dialect::Postgres;
        assert!(
            is_small || plan.contains("packages_listed"),
            "{name}:\n{plan}"
        );
    }
    for name in ["COUNT_LISTED", "COUNT_SERVED", "COUNT_REMOVED"] {
        let plan = plan(&mut conn, name, &[8.into(), 10_001.into()]).await;
        assert!(is_bounded(&plan), "{name}:\n{plan}");
    }
}

async fn walks_over_the_graph_look_nowhere_else(home: Home) {
    let mut conn = filled(&home).await;
    let few: &[i64] = &[6, 600, 6000];
    let none: &[i64] = &[];
    for (name, args) in [
        ("graph::NODES", vec![7.into(), few.into()]),
        ("graph::CHILDREN", vec![7.into(), few.into()]),
        ("graph::REFERRERS", vec![7.into(), few.into()]),
        ("graph::SUBJECTS", vec![7.into(), few.into()]),
        (
            "graph::LISTED_PARENTS",
            vec![7.into(), few.into(), none.into()],
        ),
        (
            "graph::UNLISTED_PARENTS",
            vec![7.into(), few.into(), few.into()],
        ),
        ("states::FREED_BYTES", vec![few.into(), 1.into()]),
        ("tags::OF_VERSIONS", vec![few.into()]),
    ] {
        let plan = plan(&mut conn, name, &args).await;
        assert!(is_bounded(&plan), "{name}:\n{plan}");
    }
}

/// Whether no table that grows is read from end to end: only lists of parameters and subqueries are.
fn is_bounded(plan: &str) -> bool {
    const SMALL: [&str; 3] = ["json_each", "few", "CONSTANT ROW"];
    plan.lines().all(|line| {
        let scans_a_table = line.contains("Seq Scan on versions")
            || line.contains("Seq Scan on version_children")
            || (line.contains("SCAN ") && !SMALL.iter().any(|small| line.contains(small)));
        !scans_a_table
    })
}
