//! Every statement is understood by both databases, which stands in for checking them when the
//! program is compiled.

use crate::{Home, on_both};
use naru_metadata::db::Dialect;

on_both!(every_statement_is_understood);

async fn every_statement_is_understood(home: Home) {
    let db = home.open().await;
    let of_the_other = match db.dialect() {
        Dialect::Sqlite => "::POSTGRES_",
        Dialect::Postgres => "::SQLITE_",
    };
    let mut conn = db.read().await.unwrap();
    let mut wrong = Vec::new();
    for statement in naru_metadata::statements() {
        if statement.name().contains(of_the_other) {
            continue;
        }
        if let Err(error) = conn.prepare(statement).await {
            wrong.push(error.to_string());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_with_statements_is_in_the_list() {
    let listed: Vec<_> = naru_metadata::statements()
        .map(|statement| statement.name())
        .collect();
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let below = ["", "db", "grants", "repositories", "usage", "versions"];
    for directory in below.map(|below| source.join(below)) {
        for file in std::fs::read_dir(directory).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            if text.lines().any(|line| line == "statements! {") {
                let module = path.file_stem().unwrap().to_str().unwrap();
                let is_listed = listed
                    .iter()
                    .any(|name| name.contains(&format!("::{module}::")));
                assert!(is_listed, "{module} is not in naru_metadata::statements()");
            }
        }
    }
}

#[test]
fn no_two_statements_share_a_name() {
    let mut names: Vec<_> = naru_metadata::statements()
        .map(|statement| statement.name())
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count > 150, "only {count} statements");
}
