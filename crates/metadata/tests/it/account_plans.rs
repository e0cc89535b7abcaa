//! What is asked about accounts is served by an index: no table is read from end to end.

use naru_metadata::Result;
use naru_metadata::db::{Arg, FromRow, Row, Statement};

use crate::Home;

/// A line of a plan.
struct Line(String);

impl FromRow for Line {
    fn from_row(row: &Row) -> Result<Self> {
        row.get("detail").map(Self)
    }
}

const MODULES: [&str; 9] = [
    "::collaborators::",
    "::members::",
    "::organizations::",
    "::profiles::",
    "::readmes::",
    "::repositories::",
    "::repository_lists::",
    "::team_trees::",
    "::teams::",
];

/// How many parameters a statement has.
fn parameters(text: &str) -> usize {
    let named = |number: &usize| text.contains(&format!("${number}"));
    (1..=20).take_while(named).count()
}

/// What may be read from end to end: what the statement itself has just made.
fn is_its_own(line: &str) -> bool {
    [
        "CONSTANT ROW",
        "SCAN x",
        "SCAN y",
        "SCAN above",
        "SCAN below",
        "json_each",
    ]
    .iter()
    .any(|own| line.contains(own))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_question_about_accounts_reads_a_table_from_end_to_end() {
    let home = Home::sqlite();
    let db = home.open().await;
    let mut conn = db.read().await.unwrap();
    let mut looked_at = 0;
    for statement in naru_metadata::statements() {
        let name = statement.name();
        if !MODULES.iter().any(|module| name.contains(module)) {
            continue;
        }
        let text = statement.text(conn.dialect());
        // What is written is found by its key; beside that the plan tells of foreign keys.
        if !text.starts_with("SELECT") {
            continue;
        }
        let args = vec![Arg::Int(Some(1)); parameters(text)];
        let explain = format!("EXPLAIN QUERY PLAN {text}");
        let explain: &'static Statement = Box::leak(Box::new(Statement::new(
            "PLAN",
            Box::leak(explain.into_boxed_str()),
        )));
        let plan: Vec<Line> = conn.all(explain, &args).await.unwrap();
        for Line(line) in plan {
            let is_scan = line.starts_with("SCAN ") && !line.contains("USING");
            assert!(!is_scan || is_its_own(&line), "{name}: {line}\n{text}");
        }
        looked_at += 1;
    }
    assert!(looked_at > 45, "only {looked_at} statements");
}
