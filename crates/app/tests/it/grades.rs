//! The command line on every database and blob store there is.

use naru_testkit::naru::{Plan, Server};
use naru_testkit::services::grade::{Blobstore, Database, Grade};

fn on(database: Database, blobstore: Blobstore) -> Option<Server> {
    let grade = Grade {
        database,
        blobstore,
    };
    Server::start(Plan::new(env!("CARGO_BIN_EXE_naru")).on(grade))
}

/// Checks the registry from outside, then looks at what that left from beside.
fn check(database: Database, blobstore: Blobstore) {
    let Some(server) = on(database, blobstore) else {
        return;
    };
    let user = server.user("octocat");
    let url = server.url().to_owned();
    let steps = server.naru_told(
        &user.token,
        ["check", &url, "--user", "octocat", "--password-stdin"],
    );
    assert!(!steps.contains("\tfailed\t"), "{steps}");
    assert!(
        server
            .naru(["package", "list", "octocat"])
            .starts_with("octocat/naru-check\t")
    );
    server.naru(["gc", "run", "--full"]);
    assert_eq!(server.naru(["fsck", "--content", "--json"]), "[]");
    server.naru(["migrate"]);
}

#[test]
fn everything_works_on_sqlite_and_a_directory() {
    check(Database::Sqlite, Blobstore::Directory);
}

#[test]
fn everything_works_on_sqlite_and_s3() {
    check(Database::Sqlite, Blobstore::S3);
}

#[test]
fn everything_works_on_postgresql_and_a_directory() {
    check(Database::Postgres, Blobstore::Directory);
}

#[test]
fn everything_works_on_postgresql_and_s3() {
    check(Database::Postgres, Blobstore::S3);
}

#[test]
fn postgresql_is_backed_up_by_its_own_tools_and_this_is_said() {
    let Some(server) = on(Database::Postgres, Blobstore::Directory) else {
        return;
    };
    let output = server
        .command()
        .args(["backup", "somewhere"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("pg_dump") || said.contains("own tools"),
        "{said}"
    );
}
