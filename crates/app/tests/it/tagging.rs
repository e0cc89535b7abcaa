//! Commands about tags, tag rules, and many versions at once.

use serde_json::{Value, json as value};

use crate::script::{check, fails, json, server_with_people, succeeds, token};
use crate::support::{Server, naru, stdout};

/// A server with the package acme/app of two tagged versions; answers their tags, the older first.
fn with_two_versions() -> (Server, [String; 2]) {
    let server = server_with_people();
    check(&server, "octocat", "acme/app");
    check(&server, "octocat", "acme/app");
    let deleted = json(&server, "package versions acme/app --deleted");
    let ids = deleted.as_array().unwrap().iter();
    let mut ids: Vec<i64> = ids.map(|version| version["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    let line = format!(
        "package restore-versions acme/app --version {} --version {}",
        ids[0], ids[1]
    );
    let restored = json(&server, &line);
    let tag_of = |id: i64| {
        let all = restored.as_array().unwrap();
        let one = all.iter().find(|version| version["id"] == id).unwrap();
        one["tags"][0].as_str().unwrap().to_owned()
    };
    let tags = [tag_of(ids[0]), tag_of(ids[1])];
    (server, tags)
}

#[test]
fn a_tag_is_set_moved_and_put_back_by_its_history() {
    let (server, [older, newer]) = with_two_versions();
    let set = json(&server, &format!("tag set acme/app:stable --like {older}"));
    let before = set["version_id"].clone();
    let moved = json(&server, &format!("tag set acme/app:stable --like {newer}"));
    assert_ne!(moved["version_id"], before);
    let history = json(&server, "tag history acme/app:stable");
    assert_eq!(history[0]["version_id"], moved["version_id"]);
    assert_eq!(history[0]["credential"], "system");
    assert_eq!(history[1]["version_id"], before);
    succeeds(
        server.naru(),
        &format!("tag set acme/app:stable --version {before}"),
    );
    assert_eq!(
        json(&server, "tag show acme/app:stable")["version_id"],
        before
    );
    let names = succeeds(server.naru(), "tag list acme/app --by-name");
    assert_eq!(names.lines().count(), 3, "{names}");
    let newest = json(&server, "tag list acme/app");
    assert_eq!(newest[0]["name"], "stable");
    let holding = json(&server, "tag list acme/app --holding STAB");
    assert_eq!(holding.as_array().unwrap().len(), 1);
    succeeds(server.naru(), "tag delete acme/app:stable");
    let said = fails(&server, "tag show acme/app:stable");
    assert!(said.contains("stable"), "{said}");
}

#[test]
fn a_rule_of_an_organization_binds_pushes_until_it_is_gone() {
    let server = server_with_people();
    check(&server, "octocat", "acme/app");
    let made = json(
        &server,
        "tag-rule create acme naru-check-* --create team:core --create user:hubot --move nobody",
    );
    assert_eq!(made["create"]["users"], value!(["hubot"]));
    assert_eq!(made["create"]["role"], Value::Null);
    assert_eq!(made["delete"]["role"], "write", "left to roles and scopes");
    let push = || {
        let check = naru()
            .args(["check", &server.url, "--user", "octocat"])
            .args(["--password-stdin", "--image", "acme/app"])
            .write_stdin(token(&server, "octocat"))
            .output()
            .unwrap();
        (check.status.code(), stdout(&check))
    };
    let (status, said) = push();
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("naru-check-*"), "{said}");
    let lines = succeeds(server.naru(), "tag-rule list acme/app");
    let id = made["id"].to_string();
    let shown =
        format!("{id}\torganization\tnaru-check-*\t\tno\tuser:hubot,team:core\tnobody\twrite");
    assert!(lines.starts_with(&shown), "{lines}");
    let edited = json(&server, &format!("tag-rule edit acme {id} --create write"));
    assert_eq!(edited["create"]["role"], "write");
    assert_eq!(edited["move"], made["move"], "what is not named stays");
    let (status, said) = push();
    assert_eq!(status, Some(0), "{said}");
    succeeds(server.naru(), &format!("tag-rule delete acme {id}"));
    assert_eq!(json(&server, "tag-rule list acme/app"), value!([]));
    let said = fails(&server, &format!("tag-rule delete acme {id}"));
    assert!(said.contains("naru tag-rule list"), "{said}");
}

#[test]
fn many_versions_are_deleted_by_a_filter_and_restored() {
    let (server, [older, newer]) = with_two_versions();
    let line = "package delete-versions acme/app --tag naru-check-* --keep-newest 1";
    let preview = json(&server, &format!("{line} --dry-run"));
    assert_eq!(preview[0]["tags"], value!([older]));
    let listed = || json(&server, "package versions acme/app");
    assert_eq!(listed().as_array().unwrap().len(), 2);
    assert_eq!(json(&server, line), preview);
    assert_eq!(listed()[0]["tags"], value!([newer]));
    let kept = json(
        &server,
        &format!("package delete-versions acme/app --tagged --keep-tag {newer}"),
    );
    assert_eq!(kept, value!([]));
    let id = preview[0]["id"].to_string();
    let restore = format!("package restore-versions acme/app --version {id}");
    let would = json(&server, &format!("{restore} --dry-run"));
    assert_eq!(listed().as_array().unwrap().len(), 1);
    assert_eq!(json(&server, &restore), would);
    assert_eq!(listed().as_array().unwrap().len(), 2);
}

#[test]
fn not_every_version_is_meant_by_accident() {
    let (server, _) = with_two_versions();
    let said = fails(&server, "package delete-versions acme/app");
    assert!(said.contains("say which versions"), "{said}");
    let said = fails(
        &server,
        "package delete-versions acme/app --version 1 --untagged",
    );
    assert!(said.contains("by number or by the other flags"), "{said}");
    let said = fails(&server, "package delete-versions acme/app --version 4711");
    assert!(said.contains("there is no such version: 4711"), "{said}");
    let listed = json(&server, "package versions acme/app");
    assert_eq!(listed.as_array().unwrap().len(), 2);
}
