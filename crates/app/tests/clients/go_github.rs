//! google/go-github, in a program of our own on it (`tools/github`).

use std::process::Command;

use naru_testkit::naru::Server;
use naru_testkit::services::absent;

use crate::stock;
use crate::support::{Person, fails, plain, secure, speaks_of, succeeds};

fn go_github(person: &Person, words: &[&str]) -> Option<Command> {
    let mut command = person.command(&absent::built("go-github")?);
    if let Some(authority) = person.server.authority() {
        command.arg("-ca").arg(authority);
    }
    command.args(["-url", person.server.url(), "-token", &person.user.token]);
    command.args(words);
    Some(command)
}

/// The words of each line.
fn table(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split(' ').collect()).collect()
}

fn packages(server: Option<&'static Server>) {
    let Some(server) = server else { return };
    let person = stock::arrive(server, "go");
    if go_github(&person, &[]).is_none() {
        return;
    }
    let org = stock::organization(&person);
    let user = person.user.name.clone();
    for (owner, package) in [(&user, "app"), (&user, "tools/app"), (&org, "tools/app")] {
        if stock::push(&person, owner, package, 5).is_none() {
            return;
        }
    }
    let go = |words: &[&str]| succeeds(&mut go_github(&person, words).unwrap());
    assert_eq!(go(&["whoami"]), format!("{user} User"));
    assert_eq!(go(&["limits"]), "5000");

    let listed = go(&["packages", "user"]);
    let names: Vec<_> = table(&listed).iter().map(|row| row[1]).collect();
    assert_eq!(names, ["tools/app", "app"]);
    assert_eq!(go(&["packages", &format!("users/{user}")]), listed);
    let one = go(&["package", "user", "tools/app"]);
    assert_eq!(
        table(&one)[0][1..],
        ["tools/app", "private", user.as_str(), "5"]
    );

    for owner in [
        "user".to_owned(),
        format!("orgs/{org}"),
        format!("users/{user}"),
    ] {
        // The library's list for the caller does not escape the slash in a name.
        let package = if owner.starts_with("orgs/") {
            "tools/app"
        } else {
            "app"
        };
        let go = |command: &str, rest: &[&str]| go(&[&[command, &owner, package], rest].concat());
        let listed = go("versions", &[]);
        let rows = table(&listed);
        let tags: Vec<_> = rows.iter().map(|row| row[2]).collect();
        assert_eq!(tags, ["5", "4", "3", "2", "1"], "{owner}");
        let oldest = rows[4][0];
        assert_eq!(go("version", &[oldest]), listed.lines().last().unwrap());
        go("delete", &[oldest]);
        assert_eq!(table(&go("versions", &[])).len(), 4);
        go("restore", &[oldest]);
        assert_eq!(go("versions", &[]), listed);
        go("delete", &[]);
        speaks_of(
            &fails(&mut go_github(&person, &["package", &owner, package]).unwrap()),
            &["404"],
        );
        go("restore", &[]);
        assert_eq!(go("versions", &[]), listed);
    }
}

#[test]
fn go_github_lists_deletes_and_restores_packages_over_plain_http() {
    packages(plain());
}

#[test]
fn go_github_lists_deletes_and_restores_packages_over_tls() {
    packages(secure());
}

#[test]
fn go_github_keeps_organizations_teams_and_repositories() {
    let Some(server) = plain() else { return };
    let person = stock::arrive(server, "go-org");
    if go_github(&person, &[]).is_none() {
        return;
    }
    let friend = Person::arrive(server, "go-friend").user.name;
    let org = stock::organization(&person);
    let go = |words: &[&str]| succeeds(&mut go_github(&person, words).unwrap());
    assert_eq!(go(&["member", &org, &friend, "member"]), "member active");
    let mut members: Vec<_> = go(&["members", &org]).lines().map(str::to_owned).collect();
    members.sort();
    let mut everybody = [person.user.name.clone(), friend.clone()];
    everybody.sort();
    assert_eq!(members, everybody);

    assert_eq!(go(&["create-team", &org, "Sea Pilots"]), "sea-pilots");
    assert_eq!(go(&["teams", &org]), "sea-pilots");
    assert_eq!(
        go(&["team-member", &org, "sea-pilots", &friend]),
        "member active"
    );
    assert_eq!(go(&["team-members", &org, "sea-pilots"]), friend);

    assert_eq!(
        go(&["create-repo", &org, "charts"]),
        format!("{org}/charts true")
    );
    assert_eq!(
        go(&["repo", &org, "charts"]),
        format!("{org}/charts private")
    );
    assert_eq!(go(&["repos", &org]), format!("{org}/charts"));
    go(&["collaborate", &org, "charts", &friend, "push"]);
    assert_eq!(go(&["permission", &org, "charts", &friend]), "write");

    go(&["remove-member", &org, &friend]);
    assert_eq!(go(&["members", &org]), person.user.name);
    speaks_of(
        &fails(&mut go_github(&person, &["repo", &org, "absent"]).unwrap()),
        &["404"],
    );
}
