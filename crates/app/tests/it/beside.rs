//! Commands beside a running server: what they do, print and refuse.

use serde_json::Value;
use tempfile::TempDir;

use crate::script::{check, fails, json, keys, server_with_people, succeeds, token};
use crate::support::{Server, naru, naru_on, run, stderr, stdout};

#[test]
fn no_command_makes_a_data_directory() {
    let scratch = TempDir::new().unwrap();
    let data = scratch.path().join("data");
    for line in ["user list", "gc run", "fsck", "migrate", "package list"] {
        let output = naru_on(&data).args(line.split(' ')).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(
            stderr(&output).contains("naru serve"),
            "{line}: {}",
            stderr(&output)
        );
        assert!(!data.exists(), "{line}");
    }
}

#[test]
fn a_list_is_tab_separated_in_a_pipe() {
    let server = server_with_people();
    let printed = succeeds(server.naru(), "org member list acme");
    assert_eq!(printed, "hubot\tmember\noctocat\tadmin\n");
}

#[test]
fn lists_have_the_names_of_the_rest_api_in_json() {
    let server = server_with_people();
    let users = json(&server, "user list");
    let octocat = users
        .as_array()
        .unwrap()
        .iter()
        .find(|user| user["login"] == "octocat")
        .unwrap();
    assert_eq!(
        keys(octocat),
        [
            "created_at",
            "id",
            "login",
            "name",
            "site_admin",
            "suspended_at",
            "type",
            "updated_at"
        ]
    );
    assert_eq!(json(&server, "org list")[0]["type"], "Organization");
    assert_eq!(json(&server, "org member list acme")[1]["role"], "admin");
    assert_eq!(json(&server, "team list acme")[0]["slug"], "core");
    assert_eq!(json(&server, "package list"), Value::Array(Vec::new()));
}

#[test]
fn what_is_made_is_printed_as_json_when_asked() {
    let server = Server::start();
    assert_eq!(json(&server, "user create octocat")["login"], "octocat");
    assert_eq!(
        json(&server, "org create acme --owner octocat")["login"],
        "acme"
    );
    let repository = json(&server, "repo create acme/app --visibility public");
    assert_eq!(repository["full_name"], "acme/app");
    let created = json(
        &server,
        "token create octocat --scope read:packages --note ci",
    );
    assert_eq!(created["scopes"], serde_json::json!(["read:packages"]));
    assert!(created["token"].as_str().unwrap().starts_with("ghp_"));
}

#[test]
fn a_new_token_is_printed_alone() {
    let server = server_with_people();
    let printed = succeeds(server.naru(), "token create octocat --scope write:packages");
    assert_eq!(printed.len(), 41);
    assert!(printed.starts_with("ghp_") && printed.ends_with('\n'));
}

#[test]
fn a_revoked_token_is_listed_as_such() {
    let server = server_with_people();
    token(&server, "octocat");
    let id = json(&server, "token list octocat")[0]["id"].clone();
    succeeds(server.naru(), &format!("token revoke octocat {id}"));
    assert_eq!(json(&server, "token list octocat")[0]["state"], "revoked");
}

#[test]
fn a_password_comes_from_standard_input_alone() {
    let server = Server::start();
    let with = |password: &str| {
        let mut command = server.naru();
        command.args(["user", "create", "octocat", "--password-stdin"]);
        command.write_stdin(password.to_owned()).output().unwrap()
    };
    let weak = with("12345678\n");
    assert_eq!(weak.status.code(), Some(1), "{}", stderr(&weak));
    assert_eq!(with("").status.code(), Some(1));
    let good = with("a long and quiet river\n");
    assert!(good.status.success(), "{}", stderr(&good));
}

#[test]
fn an_unknown_account_is_answered_with_where_to_look() {
    let server = Server::start();
    let said = fails(&server, "token create nobody --scope read:packages");
    assert!(said.contains("naru user list"), "{said}");
}

#[test]
fn an_absent_package_is_said_to_be_absent_whatever_was_asked() {
    let server = server_with_people();
    for line in [
        "package show octocat/app",
        "package versions octocat/app",
        "package delete octocat/app",
        "package restore octocat/app",
        "package visibility octocat/app public",
        "package grant octocat/app --user hubot --role read",
        "package revoke octocat/app --user hubot",
        "package grants nobody/app",
        "package link octocat/app octocat/app",
        "package unlink octocat/app",
        "package edit octocat/app --description it",
        "package statistics octocat/app",
        "package downloads octocat/app",
        "package delete-versions octocat/app --untagged",
        "package restore-versions octocat/app --untagged",
        "tag list octocat/app",
        "tag show octocat/app:latest",
        "tag set octocat/app:latest --version 1",
        "tag delete octocat/app:latest",
        "tag history octocat/app:latest",
        "tag-rule list octocat/app",
        "tag-rule create octocat/app v*",
    ] {
        let said = fails(&server, line);
        assert!(said.contains("there is no package `"), "{line}: {said}");
        assert!(said.contains("naru package list"), "{line}: {said}");
    }
}

#[test]
fn what_is_no_backup_is_answered_with_how_to_make_one() {
    let server = Server::start();
    let said = fails(&server, "backup --check nowhere");
    assert!(said.contains("naru backup DIR"), "{said}");
}

#[test]
fn a_check_says_what_it_leaves_behind() {
    let server = server_with_people();
    let left = |steps: &[Value]| {
        let detail = steps.last().unwrap()["detail"].as_str().unwrap();
        detail.contains("naru package delete octocat/made-here")
    };
    assert!(left(&check(&server, "octocat", "octocat/made-here")));
    assert!(
        !left(&check(&server, "octocat", "octocat/made-here")),
        "it was there before"
    );
}

#[test]
fn a_package_is_shown_with_the_repository_it_is_linked_to() {
    let server = server_with_people();
    check(&server, "octocat", "octocat/app");
    let shown = json(&server, "package show octocat/app");
    assert_eq!(
        (&shown["repository"], &shown["inherit_access"]),
        (&Value::Null, &Value::Bool(false))
    );
    for line in [
        "repo create octocat/source --visibility public",
        "package link octocat/app octocat/source --inherit-access",
    ] {
        succeeds(server.naru(), line);
    }
    let shown = json(&server, "package show octocat/app");
    assert_eq!(shown["repository"]["full_name"], "octocat/source");
    assert_eq!(shown["inherit_access"], true);
    let lines = succeeds(server.naru(), "package show octocat/app");
    assert!(lines.contains("repository\toctocat/source\n"), "{lines}");
    assert!(lines.contains("inherits access\tyes\n"), "{lines}");
}

#[test]
fn access_is_explained_also_to_names_that_are_free() {
    let server = server_with_people();
    let explain = |rest: &str| {
        json(
            &server,
            &format!("explain acme/app {rest} --permission write"),
        )
    };
    let member = explain("--user hubot");
    assert_eq!(member["allowed"], true);
    assert_eq!(member["exists"], false);
    let reason = "may create it, as a member of the organization";
    assert_eq!(member["reason"], reason);
    succeeds(server.naru(), "user create stranger");
    let stranger = explain("--user stranger");
    assert_eq!(stranger["allowed"], false);
    let reason = stranger["reason"].as_str().unwrap();
    assert!(reason.starts_with("create_package is missing"), "{reason}");
    let token = json(&server, "token create octocat --scope read:packages");
    let narrow = explain(&format!("--token {}", token["id"]));
    let reason = "create_package needs the scope write:packages, which the token lacks; make a \
                  token with it";
    assert_eq!(narrow["reason"], reason);
    let said = fails(&server, "explain acme/app --user nobody");
    assert!(said.contains("there is no account `nobody`"), "{said}");
}

#[test]
fn a_purge_can_be_previewed() {
    let server = server_with_people();
    check(&server, "octocat", "octocat/app");
    let deleted = || json(&server, "package versions octocat/app --deleted");
    let before = deleted();
    let digest = before[0]["name"].as_str().unwrap();
    let rows = succeeds(server.naru(), "purge octocat/app --dry-run");
    assert!(
        rows.starts_with(&format!("octocat/app\t{digest}\t")),
        "{rows}"
    );
    let preview = json(&server, "purge --all --at-once --dry-run");
    assert_eq!(preview["versions"][0]["digest"], digest);
    assert_eq!(preview["blobs"], 2);
    assert_eq!(deleted(), before);
    let purged = json(&server, "purge --all --at-once --yes");
    assert_eq!(purged["collected"]["removed"], 2);
    assert_eq!(deleted(), Value::Array(Vec::new()));
}

#[test]
fn a_name_that_is_taken_is_said_to_be() {
    let server = server_with_people();
    let said = fails(&server, "user create OctoCat");
    assert!(said.contains("exists already"), "{said}");
}

#[test]
fn purging_asks_for_a_yes() {
    let server = Server::start();
    let said = fails(&server, "purge --all");
    assert!(said.contains("--yes"), "{said}");
    succeeds(server.naru(), "purge --all --yes");
}

#[test]
fn the_collector_and_the_check_run_beside_a_server() {
    let server = Server::start();
    assert!(json(&server, "gc run --full")["removed"].is_number());
    assert_eq!(json(&server, "fsck --content"), Value::Array(Vec::new()));
    succeeds(server.naru(), "migrate");
}

#[test]
fn a_pushed_package_is_listed_made_public_and_granted() {
    let server = server_with_people();
    let steps = check(&server, "octocat", "acme/app");
    let names: Vec<_> = steps
        .iter()
        .map(|step| step["step"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "reach",
            "challenge",
            "log in",
            "push",
            "pull",
            "tags",
            "list by REST",
            "scopes by REST",
            "versions by REST",
            "delete"
        ]
    );
    assert_eq!(json(&server, "package list acme")[0]["name"], "app");
    succeeds(server.naru(), "package visibility acme/app public");
    assert_eq!(
        json(&server, "package show acme/app")["visibility"],
        "public"
    );
    succeeds(
        server.naru(),
        "package grant acme/app --team core --role write",
    );
    let grants = json(&server, "package grants acme/app");
    let granted = |kind: &str| {
        let grants = grants.as_array().unwrap();
        grants.iter().find(|grant| grant["kind"] == kind).unwrap()["role"].clone()
    };
    // Whoever pushes first administers the package.
    assert_eq!(
        (granted("user"), granted("team")),
        ("admin".into(), "write".into())
    );
    succeeds(server.naru(), "package delete acme/app");
    assert_eq!(
        json(&server, "package list acme --deleted")[0]["name"],
        "app"
    );
    succeeds(server.naru(), "package restore acme/app");
}

#[test]
fn a_wrong_password_is_told_with_the_fix() {
    let server = server_with_people();
    let check = naru()
        .args([
            "check",
            &server.url,
            "--user",
            "octocat",
            "--password-stdin",
        ])
        .write_stdin("hunter2")
        .output()
        .unwrap();
    assert_eq!(check.status.code(), Some(1));
    let printed = stdout(&check);
    let line = printed
        .lines()
        .find(|line| line.starts_with("log in\tfailed"))
        .unwrap();
    assert!(line.contains("naru token create octocat"), "{printed}");
}

#[test]
fn a_namespace_of_somebody_else_is_told_with_one_of_ones_own() {
    let server = server_with_people();
    let check = naru()
        .args(["check", &server.url, "--user", "hubot", "--password-stdin"])
        .args(["--image", "octocat/app"])
        .write_stdin(token(&server, "hubot"))
        .output()
        .unwrap();
    assert_eq!(check.status.code(), Some(1));
    let printed = stdout(&check);
    assert!(printed.contains("--image hubot/naru-check"), "{printed}");
}

#[test]
fn nothing_at_an_address_is_told_with_the_fix() {
    let check = naru()
        .args([
            "check",
            "http://127.0.0.1:1",
            "--user",
            "octocat",
            "--password-stdin",
        ])
        .write_stdin("x")
        .output()
        .unwrap();
    assert_eq!(check.status.code(), Some(1));
    assert!(
        stdout(&check).contains("nothing listens at 127.0.0.1:1"),
        "{}",
        stdout(&check)
    );
}

#[test]
fn a_check_without_a_password_is_not_understood() {
    let output = run(naru(), ["check", "http://127.0.0.1:1", "--user", "octocat"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_backup_is_sound_and_can_be_served() {
    let scratch = TempDir::new().unwrap();
    let backup = scratch.path().join("backup");
    let server = server_with_people();
    let line = format!("backup {}", backup.display());
    assert_eq!(json(&server, &line)["master_key"], true);
    succeeds(naru(), &format!("backup --check {}", backup.display()));
    drop(server);
    let restored = Server::start_on(&backup, &[]);
    assert!(succeeds(restored.naru(), "user list").contains("octocat"));
    assert!(
        !restored.said.iter().any(|line| line.contains("ghp_")),
        "it is no first start"
    );
}
