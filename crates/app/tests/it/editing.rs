//! Commands that show and change accounts, repositories, settings and packages.

use serde_json::{Value, json as value};

use crate::script::{check, fails, json, keys, server_with_people, succeeds};
use crate::support::{Server, stderr, stdout};

/// Runs a command of words with spaces in them; it succeeds.
fn does<const N: usize>(server: &Server, words: [&str; N]) -> Value {
    let output = server.naru().args(words).arg("--json").output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

#[test]
fn the_profile_of_a_user_is_changed_and_shown() {
    let server = server_with_people();
    let octocat = ["user", "edit", "octocat", "--name", "The Octocat"];
    let changed = does(&server, octocat);
    assert_eq!(changed["name"], "The Octocat");
    succeeds(
        server.naru(),
        "user edit octocat --bio hi --email o@example.com --hireable yes",
    );
    let shown = json(&server, "user show octocat");
    assert_eq!(
        (&shown["bio"], &shown["email"], &shown["hireable"]),
        (&value!("hi"), &value!("o@example.com"), &value!(true))
    );
    assert_eq!(shown["name"], "The Octocat", "what is not named stays");
    does(&server, ["user", "edit", "octocat", "--bio", ""]);
    assert_eq!(json(&server, "user show octocat")["bio"], Value::Null);
    let said = fails(&server, "user edit octocat --email nowhere");
    assert!(said.contains("is no mail address"), "{said}");
    let said = fails(&server, "user edit acme --bio hi");
    assert!(said.contains("there is no user `acme`"), "{said}");
}

#[test]
fn the_profile_of_an_organization_is_changed_and_shown() {
    let server = server_with_people();
    succeeds(
        server.naru(),
        "org edit acme --description everything --members-create-repositories no",
    );
    let shown = json(&server, "org show acme");
    assert_eq!(shown["type"], "Organization");
    assert_eq!(shown["description"], "everything");
    assert_eq!(shown["members_can_create_repositories"], false);
    let lines = succeeds(server.naru(), "org show acme");
    assert!(lines.contains("description\teverything\n"), "{lines}");
}

#[test]
fn a_change_of_nothing_is_refused() {
    let server = server_with_people();
    for line in [
        "user edit octocat",
        "org edit acme",
        "team edit acme/core",
        "repo edit acme/app",
        "package edit acme/app",
        "settings set-account acme",
        "tag-rule edit acme 1",
    ] {
        let said = fails(&server, line);
        assert!(said.contains("nothing is to change"), "{line}: {said}");
    }
}

#[test]
fn a_deleted_organization_comes_back_with_its_packages() {
    let server = server_with_people();
    check(&server, "octocat", "acme/app");
    succeeds(server.naru(), "org delete acme");
    assert_eq!(json(&server, "org list"), value!([]));
    let said = fails(&server, "org create acme --owner octocat");
    assert!(said.contains("exists already"), "{said}");
    succeeds(server.naru(), "org restore acme");
    assert_eq!(json(&server, "org list")[0]["login"], "acme");
    assert_eq!(json(&server, "package list acme")[0]["name"], "app");
    let said = fails(&server, "org restore acme");
    assert!(said.contains("there is no deleted organization"), "{said}");
}

#[test]
fn a_team_is_renamed_hidden_and_put_below_another() {
    let server = server_with_people();
    succeeds(server.naru(), "team create acme Everybody");
    let renamed = json(&server, "team edit acme/core --name Release");
    assert_eq!(renamed["slug"], "release");
    let hidden = json(&server, "team edit acme/release --privacy secret");
    assert_eq!(hidden["privacy"], "secret");
    let said = fails(&server, "team edit acme/release --parent nobody");
    assert!(said.contains("there is no such team"), "{said}");
    succeeds(server.naru(), "team edit acme/release --privacy closed");
    succeeds(server.naru(), "team edit acme/release --parent everybody");
}

#[test]
fn a_repository_is_renamed_deleted_and_restored() {
    let server = server_with_people();
    succeeds(server.naru(), "repo create acme/app");
    let edited = [
        "repo",
        "edit",
        "acme/app",
        "--name",
        "application",
        "--topics",
        "Rust registry",
    ];
    let edited = does(&server, edited);
    assert_eq!(edited["full_name"], "acme/application");
    assert_eq!(edited["topics"], value!(["rust", "registry"]));
    let shown = succeeds(server.naru(), "repo show acme/application");
    assert!(shown.contains("topics\trust registry\n"), "{shown}");
    succeeds(server.naru(), "repo delete acme/application");
    assert_eq!(json(&server, "repo list acme"), value!([]));
    succeeds(server.naru(), "repo restore acme/application");
    // A restore is a change too, so only the moment of the last one may differ.
    let mut restored = json(&server, "repo list acme")[0].clone();
    restored["updated_at"] = edited["updated_at"].clone();
    assert_eq!(restored, edited);
}

#[test]
fn a_readme_is_written_shown_and_taken_away() {
    let server = server_with_people();
    succeeds(server.naru(), "repo create acme/app");
    let set = ["repo", "readme", "set", "acme/app", "-"];
    let output = server.naru().args(set).write_stdin("# App\n").output();
    assert!(output.unwrap().status.success());
    assert_eq!(
        succeeds(server.naru(), "repo readme show acme/app"),
        "# App\n"
    );
    succeeds(server.naru(), "repo readme delete acme/app");
    let said = fails(&server, "repo readme show acme/app");
    assert!(said.contains("naru repo readme set"), "{said}");
    let said = fails(&server, "repo readme set acme/app /nowhere/README.md");
    assert!(said.contains("cannot read /nowhere/README.md"), "{said}");
}

#[test]
fn package_settings_of_an_account_are_changed_and_shown() {
    let server = server_with_people();
    let before = json(&server, "settings show acme");
    assert_eq!(before["members_can_create_public_packages"], true);
    let line = "settings set-account acme --members-create-public no --undeletable-downloads 5";
    let after = json(&server, line);
    assert_eq!(after["members_can_create_public_packages"], false);
    assert_eq!(after["undeletable_downloads"], 5);
    assert_eq!(after["public_is_final"], before["public_is_final"]);
    assert_eq!(json(&server, "settings show acme"), after);
    let line = "settings set-account acme --undeletable-downloads default";
    assert_eq!(json(&server, line)["undeletable_downloads"], Value::Null);
    let lines = succeeds(server.naru(), "settings show octocat");
    assert!(
        lines.contains("undeletable downloads\tdefault\n"),
        "{lines}"
    );
    assert_eq!(
        keys(&json(&server, "settings show")),
        ["container", "docker"]
    );
}

#[test]
fn a_package_is_described_linked_and_granted_to_workflows() {
    let server = server_with_people();
    check(&server, "octocat", "acme/app");
    succeeds(server.naru(), "repo create acme/source");
    succeeds(server.naru(), "repo create acme/tools");
    does(
        &server,
        [
            "package",
            "edit",
            "acme/app",
            "--description",
            "What we run",
            "--repository",
            "acme/source",
        ],
    );
    let shown = json(&server, "package show acme/app");
    assert_eq!(shown["description"], "What we run");
    assert_eq!(shown["repository"]["full_name"], "acme/source");
    succeeds(
        server.naru(),
        "package grant acme/app --repository acme/tools --role write",
    );
    let grants = json(&server, "package grants acme/app").to_string();
    assert!(grants.contains("tools"), "{grants}");
    succeeds(
        server.naru(),
        "package revoke acme/app --repository acme/tools",
    );
    does(&server, ["package", "edit", "acme/app", "--repository", ""]);
    let shown = json(&server, "package show acme/app");
    assert_eq!(shown["repository"], Value::Null);
    let said = fails(&server, "package edit acme/app --inherit-access yes");
    assert!(said.contains("repository"), "{said}");
}

#[test]
fn a_package_is_found_by_its_words_and_counted() {
    let server = server_with_people();
    check(&server, "octocat", "acme/app");
    let described = ["package", "edit", "acme/app", "--description", "marmalade"];
    does(&server, described);
    // The running server writes its index a moment later.
    let found = std::iter::repeat_with(|| json(&server, "search marmal owner:acme"));
    let found = found.take(200).find(|found| *found != value!([]));
    assert_eq!(found.unwrap()[0]["name"], "app");
    assert_eq!(json(&server, "search marmal owner:octocat"), value!([]));
    let said = fails(&server, "search colour:red");
    assert!(said.contains("there is no qualifier colour:"), "{said}");
    let statistics = json(&server, "package statistics acme/app");
    assert_eq!(statistics["bytes"]["complete"], true);
    assert!(statistics["pulls"].is_u64());
    let days = json(&server, "package downloads acme/app --days 7");
    assert_eq!(days.as_array().unwrap().len(), 7);
    let output = server
        .naru()
        .args(["package", "downloads", "acme/app", "--days", "0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
}
