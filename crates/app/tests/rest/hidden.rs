//! What somebody may not see is not named to them beside what they administer.

use serde_json::{Value, json};

use crate::kit::http::{Answer, Credential};
use crate::kit::repo::Repo;
use crate::kit::server::plain;
use crate::orgs::{delete, get, put};
use crate::package::push;

fn send(who: &Credential, method: &'static str, path: &str, body: &Value) -> Answer {
    plain().api(method, path).signed(who).json(body).send()
}

/// An organization with the secret team `ghosts`, the closed team `core`, the private repository
/// `vault`, the public one `open`, and the package `app`; its owner, and an admin of the package
/// who is in neither team and has a role in neither repository.
fn organization(name: &str) -> (Credential, Credential) {
    let owner = plain().organization(name);
    let login = format!("{name}-admin");
    let admin = plain().someone_with_all(&login);
    put(
        &format!("/orgs/{name}/memberships/{login}"),
        &owner,
        &json!({}),
    )
    .expect(200);
    let teams = format!("/orgs/{name}/teams");
    for (team, privacy) in [("ghosts", "secret"), ("core", "closed")] {
        let team = json!({ "name": team, "privacy": privacy });
        send(&owner, "POST", &teams, &team).expect(201);
    }
    for (repository, visibility) in [("vault", "private"), ("open", "public")] {
        let path = format!("{name}/{repository}");
        plain().naru(["repo", "create", &path, "--visibility", visibility]);
    }
    push(name, &owner, "app", "v1");
    let access = format!("/orgs/{name}/packages/container/app/access");
    let role = json!({ "role": "admin" });
    put(&format!("{access}/users/{login}"), &owner, &role).expect(204);
    (owner, admin)
}

#[test]
fn grants_to_whom_the_caller_may_not_see_are_counted_and_not_named() {
    let (owner, admin) = organization("hid-grants");
    let access = "/orgs/hid-grants/packages/container/app/access";
    let role = json!({ "role": "read" });
    for granted in [
        "teams/ghosts",
        "teams/core",
        "repositories/hid-grants/vault",
        "repositories/hid-grants/open",
    ] {
        put(&format!("{access}/{granted}"), &owner, &role).expect(204);
    }
    let named = |who: &Credential| {
        let found = get(access, who).expect(200).json();
        let of = |list: &str, pointer: &str| {
            let all = found[list].as_array().unwrap().iter();
            let names = all.map(|one| one.pointer(pointer).unwrap().as_str().unwrap().to_owned());
            names.collect::<Vec<_>>()
        };
        let (teams, repositories) = (
            of("teams", "/team/slug"),
            of("repositories", "/repository/name"),
        );
        (teams, repositories, found["hidden_count"].clone())
    };
    let words = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let all = (
        words(&["core", "ghosts"]),
        words(&["open", "vault"]),
        json!(0),
    );
    assert_eq!(named(&owner), all);
    assert_eq!(
        named(&admin),
        (words(&["core"]), words(&["open"]), json!(2))
    );
    // To name what one may see takes no scope of its own.
    let scopes = &["write:packages", "delete:packages"];
    let narrow = Credential::bearer(&plain().token("hid-grants-owner", scopes));
    assert_eq!(named(&narrow), all);
    put(&format!("{access}/teams/ghosts"), &narrow, &role).expect(204);

    // What is hidden is granted and taken like what is not there.
    for (hidden, absent) in [
        ("teams/ghosts", "teams/absent"),
        (
            "repositories/hid-grants/vault",
            "repositories/hid-grants/absent",
        ),
    ] {
        let both = |answer: &dyn Fn(&str) -> Answer| {
            let of = |path: &str| answer(&format!("{access}/{path}")).expect(404).text();
            assert_eq!(of(hidden), of(absent), "{hidden}");
        };
        both(&|path| put(path, &admin, &role));
        both(&|path| delete(path, &admin));
    }
    assert_eq!(named(&owner), all);
}

#[test]
fn tag_rules_count_whom_the_caller_may_not_see_and_keep_them_in_a_change() {
    let (owner, admin) = organization("hid-rules");
    let rules = "/orgs/hid-rules/packages/container/app/tag-rules";
    let rule = json!({ "pattern": "v*", "create": {
        "teams": ["core", "ghosts"],
        "repositories": ["hid-rules/vault", "hid-rules/open"],
    } });
    let made = send(&owner, "POST", rules, &rule).expect(201).json();
    assert_eq!(made["create"]["hidden_count"], 0);
    let seen = json!({
        "role": null,
        "users": [],
        "teams": ["core"],
        "repositories": ["hid-rules/open"],
        "hidden_count": 2,
    });
    let one = format!("{rules}/{}", made["id"]);
    assert_eq!(get(rules, &admin).expect(200).json()[0]["create"], seen);
    assert_eq!(get(&one, &admin).expect(200).json()["create"], seen);
    let change = json!({ "description": "releases" });
    let changed = send(&admin, "PATCH", &one, &change).expect(200).json();
    assert_eq!(changed["create"], seen);
    let kept = get(&one, &owner).expect(200).json();
    assert_eq!(kept["create"], made["create"]);
    assert_eq!(kept["description"], "releases");

    let naming = |team: &str| {
        let rule = json!({ "pattern": "w*", "move": { "teams": [team] } });
        send(&admin, "POST", rules, &rule).expect(404).text()
    };
    assert_eq!(naming("ghosts"), naming("absent"));
}

#[test]
fn the_teams_of_a_repository_are_those_that_the_caller_may_see() {
    let (owner, member) = organization("hid-teams");
    let outside = plain().someone_with_all("hid-teams-outside");
    for (login, role) in [("hid-teams-outside", "push"), ("hid-teams-admin", "push")] {
        let path = format!("/repos/hid-teams/vault/collaborators/{login}");
        put(&path, &owner, &json!({ "permission": role })).expect(204);
    }
    for team in ["ghosts", "core"] {
        let path = format!("/orgs/hid-teams/teams/{team}/repos/hid-teams/vault");
        put(&path, &owner, &json!({ "permission": "pull" })).expect(204);
    }
    let slugs = |who: &Credential| {
        let answer = get("/repos/hid-teams/vault/teams", who).expect(200).json();
        let all = answer.as_array().unwrap().iter();
        let slugs = all.map(|one| one["slug"].as_str().unwrap().to_owned());
        slugs.collect::<Vec<_>>()
    };
    assert_eq!(slugs(&owner), ["core", "ghosts"]);
    assert_eq!(slugs(&member), ["core"]);
    assert_eq!(slugs(&outside), [""; 0]);
}

#[test]
fn a_conflict_with_what_the_caller_may_not_see_is_none() {
    let owner = plain().organization("hid-conflict");
    let reader = plain().someone_with_all("hid-conflict-reader");
    let basic = Credential::basic("anybody", owner.secret());
    let legacy = Repo::new(plain(), "hid-conflict/source/image", basic);
    legacy.at_host("docker.localhost").push_image("1.0");
    plain().naru(["repo", "visibility", "hid-conflict/source", "public"]);
    let conflicts = |who: &Credential| {
        let path = "/orgs/hid-conflict/docker/conflicts";
        let found = get(path, who).expect(200).json();
        found.as_array().unwrap().len()
    };
    // What is only being uploaded is in nobody's way.
    let repo = legacy.named("hid-conflict/source/image");
    repo.begin();
    assert_eq!((conflicts(&owner), conflicts(&reader)), (0, 0));
    repo.push_image("1.0");
    assert_eq!((conflicts(&owner), conflicts(&reader)), (1, 0));
    plain().set_visibility("hid-conflict/source/image", "public");
    assert_eq!((conflicts(&owner), conflicts(&reader)), (1, 1));
}
