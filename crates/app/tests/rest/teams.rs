//! Teams: secret and closed, in one another, managed by their maintainers.

use serde_json::{Value, json};

use crate::kit::content::image;
use crate::kit::http::{Answer, Credential};
use crate::kit::repo::Repo;
use crate::kit::server::plain;
use crate::orgs::{delete, get, logins, put};

fn post(path: &str, who: &Credential, body: &Value) -> Answer {
    plain().api("POST", path).signed(who).json(body).send()
}

fn patch(path: &str, who: &Credential, body: &Value) -> Answer {
    plain().api("PATCH", path).signed(who).json(body).send()
}

fn slugs(answer: &Answer) -> Vec<String> {
    let list = answer.json();
    let list = list.as_array().unwrap().iter();
    list.map(|one| one["slug"].as_str().unwrap().to_owned())
        .collect()
}

/// A member of the organization with a token for everything.
fn member(organization: &str, owner: &Credential, name: &str) -> Credential {
    let login = format!("{organization}-{name}");
    let member = plain().someone_with_all(&login);
    put(
        &format!("/orgs/{organization}/memberships/{login}"),
        owner,
        &json!({}),
    )
    .expect(200);
    member
}

#[test]
fn a_team_is_made_changed_and_deleted() {
    let owner = plain().organization("team-life");
    let member = member("team-life", &owner, "member");
    let teams = "/orgs/team-life/teams";
    post(teams, &member, &json!({"name": "Mine"})).expect(403);
    let new = json!({
        "name": "Core Team", "description": "The core", "privacy": "closed",
        "maintainers": ["team-life-member"]
    });
    let made = post(teams, &owner, &new).expect(201).json();
    assert_eq!(
        (&made["slug"], &made["members_count"]),
        (&json!("core-team"), &json!(1))
    );
    post(teams, &owner, &new).expect(422);
    post(teams, &owner, &json!({})).expect(422);
    post(
        teams,
        &owner,
        &json!({"name": "X", "maintainers": ["team-life-nobody"]}),
    )
    .expect(404);
    let path = "/orgs/team-life/teams/core-team";
    patch(path, &member, &json!({"description": "The core"})).expect(200);
    let changed = patch(
        path,
        &member,
        &json!({"name": "Kernel", "description": null}),
    );
    assert_eq!(changed.expect(201).json()["slug"], "kernel");
    get(path, &member).expect(404);
    assert_eq!(slugs(&get(teams, &member).expect(200)), ["kernel"]);
    assert_eq!(slugs(&get("/user/teams", &member).expect(200)), ["kernel"]);
    let seen = get("/orgs/team-life/teams/Kernel", &member)
        .expect(200)
        .json();
    assert_eq!(seen["organization"]["login"], "team-life");
    delete("/orgs/team-life/teams/kernel", &member).expect(204);
    get("/orgs/team-life/teams/kernel", &owner).expect(404);
}

#[test]
fn a_secret_team_is_nobodys_business_but_its_own() {
    let owner = plain().organization("team-secret");
    let inside = member("team-secret", &owner, "inside");
    let outside = member("team-secret", &owner, "outside");
    let stranger = plain().someone_with_all("team-secret-stranger");
    post("/orgs/team-secret/teams", &owner, &json!({"name": "Hush"})).expect(201);
    let path = "/orgs/team-secret/teams/hush";
    assert_eq!(get(path, &owner).expect(200).json()["privacy"], "secret");
    put(
        &format!("{path}/memberships/team-secret-inside"),
        &owner,
        &json!({}),
    )
    .expect(200);
    get(path, &inside).expect(200);
    assert_eq!(
        slugs(&get("/orgs/team-secret/teams", &inside).expect(200)),
        ["hush"]
    );
    assert_eq!(
        get("/orgs/team-secret/teams", &outside).expect(200).text(),
        "[]"
    );
    for who in [&outside, &stranger] {
        let hidden = get(path, who).expect(404);
        let absent = get("/orgs/team-secret/teams/none", who).expect(404);
        assert_eq!(hidden.text(), absent.text());
        get(&format!("{path}/members"), who).expect(404);
        put(
            &format!("{path}/memberships/team-secret-outside"),
            who,
            &json!({}),
        )
        .expect(404);
    }
    get("/orgs/team-secret/teams", &stranger).expect(403);
}

#[test]
fn maintainers_say_who_is_in_their_team() {
    let owner = plain().organization("team-maintain");
    let lead = member("team-maintain", &owner, "lead");
    let other = member("team-maintain", &owner, "other");
    plain().user("team-maintain-stranger");
    let new = json!({"name": "Crew", "privacy": "closed", "maintainers": ["team-maintain-lead"]});
    post("/orgs/team-maintain/teams", &owner, &new).expect(201);
    let of = |login: &str| format!("/orgs/team-maintain/teams/crew/memberships/{login}");
    let refused = put(&of("team-maintain-other"), &other, &json!({})).expect(403);
    assert!(
        refused.message().contains("maintainer of the team"),
        "{refused:?}"
    );
    let made = put(
        &of("team-maintain-other"),
        &lead,
        &json!({"role": "maintainer"}),
    );
    assert_eq!(made.expect(200).json()["role"], "maintainer");
    put(&of("team-maintain-other"), &lead, &json!({"role": "boss"})).expect(422);
    put(&of("team-maintain-stranger"), &lead, &json!({})).expect(422);
    let maintainers = "/orgs/team-maintain/teams/crew/members?role=maintainer";
    assert_eq!(
        logins(&get(maintainers, &lead).expect(200)),
        ["team-maintain-lead", "team-maintain-other"]
    );
    delete(&of("team-maintain-other"), &lead).expect(204);
    get(&of("team-maintain-other"), &lead).expect(404);
}

#[test]
fn whoever_is_in_a_team_has_what_was_granted_to_the_teams_above_it() {
    let owner = plain().organization("team-nest");
    let low = member("team-nest", &owner, "low");
    let teams = "/orgs/team-nest/teams";
    let upper = post(
        teams,
        &owner,
        &json!({"name": "Upper", "privacy": "closed"}),
    );
    let upper = upper.expect(201).json()["id"].clone();
    let lower = json!({"name": "Lower", "parent_team_id": upper});
    let lower = post(teams, &owner, &lower).expect(201).json();
    assert_eq!(
        (&lower["privacy"], &lower["parent"]["slug"]),
        (&json!("closed"), &json!("upper"))
    );
    put(
        "/orgs/team-nest/teams/lower/memberships/team-nest-low",
        &owner,
        &json!({}),
    )
    .expect(200);

    let basic = Credential::basic("team-nest-owner", owner.secret());
    let repo = Repo::new(plain(), "team-nest/app", basic);
    repo.push_blob(b"{}");
    repo.push("1", &image(b"{}", &[]));
    let package = "/orgs/team-nest/packages?package_type=container";
    assert_eq!(get(package, &low).expect(200).text(), "[]");
    plain().naru([
        "package",
        "grant",
        "team-nest/app",
        "--team",
        "upper",
        "--role",
        "read",
    ]);
    assert_eq!(get(package, &low).expect(200).json()[0]["name"], "app");

    let members = get("/orgs/team-nest/teams/upper/members", &low)
        .expect(200)
        .json();
    assert_eq!(members[0]["login"], "team-nest-low");
    assert_eq!(members[0]["inherited"], true);
    assert_eq!(
        slugs(&get("/orgs/team-nest/teams/upper/teams", &low).expect(200)),
        ["lower"]
    );
    let cycle = json!({"parent_team_slug": "lower"});
    patch("/orgs/team-nest/teams/upper", &owner, &cycle).expect(422);
    patch(
        "/orgs/team-nest/teams/upper",
        &owner,
        &json!({"privacy": "secret"}),
    )
    .expect(422);
    patch(
        "/orgs/team-nest/teams/lower",
        &owner,
        &json!({"parent_team_id": null}),
    )
    .expect(201);
    assert_eq!(get(package, &low).expect(200).text(), "[]");
    patch(
        "/orgs/team-nest/teams/lower",
        &owner,
        &json!({"parent_team_id": upper}),
    )
    .expect(201);
    delete("/orgs/team-nest/teams/upper", &owner).expect(204);
    get("/orgs/team-nest/teams/lower", &owner).expect(404);
}

#[test]
fn a_team_has_a_role_in_a_repository_until_it_is_taken() {
    let owner = plain().organization("team-repo");
    let low = member("team-repo", &owner, "low");
    let new = json!({"name": "app", "private": true});
    post("/orgs/team-repo/repos", &owner, &new).expect(201);
    post(
        "/orgs/team-repo/teams",
        &owner,
        &json!({"name": "Crew", "privacy": "closed"}),
    )
    .expect(201);
    put(
        "/orgs/team-repo/teams/crew/memberships/team-repo-low",
        &owner,
        &json!({}),
    )
    .expect(200);
    let path = "/orgs/team-repo/teams/crew/repos/team-repo/app";
    get("/repos/team-repo/app", &low).expect(404);
    get(path, &owner).expect(404);
    put(path, &low, &json!({"permission": "push"})).expect(404);
    put(path, &owner, &json!({"permission": "king"})).expect(422);
    put(path, &owner, &json!({"permission": "push"})).expect(204);
    get(path, &owner).expect(204);
    let told = plain()
        .api("GET", path)
        .signed(&low)
        .with("Accept", "application/vnd.github.v3.repository+json")
        .send();
    assert_eq!(told.expect(200).json()["role_name"], "write");
    let seen = get("/repos/team-repo/app", &low).expect(200).json();
    assert_eq!(
        (&seen["permissions"]["push"], &seen["permissions"]["admin"]),
        (&json!(true), &json!(false))
    );
    let listed = get("/orgs/team-repo/teams/crew/repos", &low)
        .expect(200)
        .json();
    assert_eq!(listed[0]["full_name"], "team-repo/app");
    let teams = get("/repos/team-repo/app/teams", &low).expect(200).json();
    assert_eq!(
        (&teams[0]["slug"], &teams[0]["permission"]),
        (&json!("crew"), &json!("push"))
    );
    delete(path, &low).expect(403);
    delete(path, &owner).expect(204);
    get("/repos/team-repo/app", &low).expect(404);
}
