//! Organizations, and who is in them.

use serde_json::{Value, json};

use crate::kit::http::{Answer, Credential};
use crate::kit::server::{Server, plain};

impl Server {
    /// An organization and the token of its owner.
    pub(crate) fn organization(&self, name: &str) -> Credential {
        let login = format!("{name}-owner");
        let owner = self.someone_with_all(&login);
        self.naru(["org", "create", name, "--owner", &login]);
        owner
    }
}

pub(crate) fn get(path: &str, who: &Credential) -> Answer {
    plain().api("GET", path).signed(who).send()
}

pub(crate) fn put(path: &str, who: &Credential, body: &Value) -> Answer {
    plain().api("PUT", path).signed(who).json(body).send()
}

pub(crate) fn delete(path: &str, who: &Credential) -> Answer {
    plain().api("DELETE", path).signed(who).send()
}

pub(crate) fn logins(answer: &Answer) -> Vec<String> {
    let list = answer.json();
    let list = list.as_array().unwrap().iter();
    list.map(|one| one["login"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn owners_change_an_organization_and_see_more_of_it_than_others() {
    let owner = plain().organization("change-org");
    let stranger = plain().someone_with_all("change-org-stranger");
    let patch = |who: &Credential, body: &Value| {
        plain()
            .api("PATCH", "/orgs/change-org")
            .signed(who)
            .json(body)
            .send()
    };
    let change = json!({
        "name": "Change", "description": "Changes", "billing_email": "bill@change.example",
        "members_can_create_repositories": false
    });
    let changed = patch(&owner, &change).expect(200).json();
    assert_eq!(changed["description"], "Changes");
    assert_eq!(changed["members_can_create_repositories"], false);
    assert_eq!(changed["default_repository_permission"], "none");
    let seen = get("/orgs/change-org", &stranger).expect(200).json();
    assert_eq!(seen["name"], "Change");
    assert!(seen.get("billing_email").is_none());
    let refused = patch(&stranger, &change).expect(403);
    assert!(
        refused.message().contains("owner of the organization"),
        "{refused:?}"
    );
    let body = json!({"default_repository_permission": "read"});
    assert_eq!(
        patch(&owner, &body).expect(422).json()["errors"][0]["field"],
        "default_repository_permission"
    );
}

#[test]
fn a_membership_is_set_changed_and_ended_at_once() {
    let owner = plain().organization("member-org");
    let member = plain().someone_with_all("member-org-member");
    let path = "/orgs/member-org/memberships/member-org-member";
    get(path, &owner).expect(404);
    get(path, &member).expect(403);
    let made = put(path, &owner, &json!({})).expect(200).json();
    assert_eq!(
        (&made["state"], &made["role"]),
        (&json!("active"), &json!("member"))
    );
    assert_eq!(
        put(path, &owner, &json!({"role": "admin"}))
            .expect(200)
            .json()["role"],
        "admin"
    );
    put(path, &owner, &json!({"role": "billing_manager"})).expect(422);
    put(path, &owner, &json!({"role": "member"})).expect(200);
    put(path, &member, &json!({"role": "admin"})).expect(403);
    let mine = get("/user/memberships/orgs/member-org", &member)
        .expect(200)
        .json();
    assert_eq!(mine["organization"]["login"], "member-org");
    assert_eq!(
        logins(&get("/user/orgs", &member).expect(200)),
        ["member-org"]
    );
    assert_eq!(
        get("/user/memberships/orgs?state=pending", &member)
            .expect(200)
            .text(),
        "[]"
    );
    let accept = plain()
        .api("PATCH", "/user/memberships/orgs/member-org")
        .signed(&member)
        .json(&json!({"state": "active"}));
    accept.send().expect(200);
    delete(path, &owner).expect(204);
    get("/user/memberships/orgs/member-org", &member).expect(404);
    delete(path, &owner).expect(404);
}

#[test]
fn the_last_owner_stays() {
    let owner = plain().organization("last-org");
    let path = "/orgs/last-org/memberships/last-org-owner";
    let refused = delete(path, &owner).expect(403);
    assert!(
        refused.message().contains("without an owner"),
        "{refused:?}"
    );
    delete("/orgs/last-org/members/last-org-owner", &owner).expect(403);
    put(path, &owner, &json!({"role": "member"})).expect(422);
    assert_eq!(get(path, &owner).expect(200).json()["role"], "admin");
}

#[test]
fn outsiders_see_only_members_who_show_it() {
    let owner = plain().organization("public-org");
    let member = plain().someone_with_all("public-org-member");
    let stranger = plain().someone_with_all("public-org-stranger");
    put(
        "/orgs/public-org/memberships/public-org-member",
        &owner,
        &json!({}),
    )
    .expect(200);
    let members = "/orgs/public-org/members";
    assert_eq!(
        logins(&get(members, &member).expect(200)),
        ["public-org-owner", "public-org-member"]
    );
    assert_eq!(
        logins(&get("/orgs/public-org/members?role=admin", &member).expect(200)),
        ["public-org-owner"]
    );
    assert_eq!(get(members, &stranger).expect(200).text(), "[]");
    let shown = "/orgs/public-org/public_members/public-org-member";
    put(shown, &owner, &json!({})).expect(403);
    put(shown, &member, &json!({})).expect(204);
    assert_eq!(
        logins(&get(members, &stranger).expect(200)),
        ["public-org-member"]
    );
    get(shown, &stranger).expect(204);
    assert_eq!(
        logins(&get("/users/public-org-member/orgs", &stranger).expect(200)),
        ["public-org"]
    );
    let check = "/orgs/public-org/members/public-org-member";
    get(check, &member).expect(204);
    get("/orgs/public-org/members/public-org-stranger", &member).expect(404);
    let asked = get(check, &stranger).expect(302);
    assert!(asked.the("location").ends_with(shown), "{asked:?}");
    delete(shown, &member).expect(204);
    get(shown, &stranger).expect(404);
}

#[test]
fn an_invitation_is_a_membership_from_the_start_and_none_ever_waits() {
    let owner = plain().organization("invite-org");
    let guest = plain().someone_with_all("invite-org-guest");
    let id = get("/user", &guest).json()["id"].clone();
    let team = json!({"name": "Crew", "privacy": "closed"});
    let team = plain()
        .api("POST", "/orgs/invite-org/teams")
        .signed(&owner)
        .json(&team)
        .send();
    let team = team.expect(201).json()["id"].clone();
    let invite = |who: &Credential, body: &Value| {
        plain()
            .api("POST", "/orgs/invite-org/invitations")
            .signed(who)
            .json(body)
            .send()
    };
    let made = invite(&owner, &json!({"invitee_id": id, "team_ids": [team]}))
        .expect(201)
        .json();
    assert_eq!(made["login"], "invite-org-guest");
    get(
        "/orgs/invite-org/teams/crew/memberships/invite-org-guest",
        &guest,
    )
    .expect(200);
    assert_eq!(
        get("/orgs/invite-org/invitations", &owner)
            .expect(200)
            .text(),
        "[]"
    );
    assert_eq!(
        get("/orgs/invite-org/teams/crew/invitations", &owner)
            .expect(200)
            .text(),
        "[]"
    );
    get("/orgs/invite-org/invitations/1/teams", &owner).expect(404);
    delete("/orgs/invite-org/invitations/1", &owner).expect(404);
    for (body, field) in [
        (json!({}), "invitee_id"),
        (json!({"email": "a@b.example"}), "email"),
        (json!({"invitee_id": 999_999}), "invitee_id"),
        (json!({"invitee_id": id, "role": "billing_manager"}), "role"),
        (json!({"invitee_id": id, "team_ids": [999_999]}), "team_ids"),
        (
            json!({"invitee_id": id, "team_ids": vec![team.clone(); 101]}),
            "team_ids",
        ),
    ] {
        let answer = invite(&owner, &body).expect(422);
        assert_eq!(answer.json()["errors"][0]["field"], field, "{answer:?}");
    }
    invite(&guest, &json!({"invitee_id": id})).expect(403);
    get("/orgs/invite-org/invitations", &guest).expect(403);
}

#[test]
fn a_deleted_organization_is_out_of_reach_and_can_be_restored_by_an_administrator() {
    let owner = plain().organization("gone-org");
    plain().user("gone-admin");
    plain().naru(["user", "promote", "gone-admin"]);
    let admin = Credential::bearer(&plain().token("gone-admin", &["site_admin"]));
    let repository = json!({"name": "app"});
    let made = plain()
        .api("POST", "/orgs/gone-org/repos")
        .signed(&owner)
        .json(&repository);
    made.send().expect(201);
    delete("/orgs/gone-org", &admin).expect(403);
    assert_eq!(delete("/orgs/gone-org", &owner).expect(202).text(), "{}");
    for path in ["/orgs/gone-org", "/users/gone-org", "/repos/gone-org/app"] {
        get(path, &owner).expect(404);
    }
    let restore = |who: &Credential| {
        plain()
            .api("POST", "/orgs/gone-org/restore")
            .signed(who)
            .json(&json!({}))
            .send()
    };
    restore(&owner).expect(403);
    restore(&admin).expect(204);
    get("/orgs/gone-org", &owner).expect(200);
    get("/repos/gone-org/app", &owner).expect(200);
    restore(&admin).expect(404);
}

#[test]
fn a_member_who_shows_it_is_listed_to_everybody_until_they_are_removed() {
    let owner = plain().organization("shown-org");
    let member = plain().someone_with_all("shown-org-member");
    let stranger = plain().someone_with_all("shown-org-stranger");
    let membership = "/orgs/shown-org/memberships/shown-org-member";
    put(membership, &owner, &json!({})).expect(200);
    let shown = || logins(&get("/orgs/shown-org/public_members", &stranger).expect(200));
    assert_eq!(shown(), [""; 0]);
    let public = "/orgs/shown-org/public_members/shown-org-member";
    put(public, &member, &json!({})).expect(204);
    assert_eq!(shown(), ["shown-org-member"]);
    let one = "/orgs/shown-org/members/shown-org-member";
    delete(one, &stranger).expect(403);
    delete(one, &owner).expect(204);
    assert_eq!(shown(), [""; 0]);
    get(one, &owner).expect(404);
}
