//! Who has which role on a package, and why access is what it is (`P/access…`,
//! `O/packages/explain`).

use serde_json::{Value, json};

use crate::kit::http::Credential;
use crate::kit::server::plain;
use crate::package::push;

fn get(credential: &Credential, path: &str) -> Value {
    let answer = plain().api("GET", path).signed(credential).send();
    answer.expect(200).json()
}

#[test]
fn roles_are_granted_to_users_teams_and_repositories_and_taken_back() {
    let owner = plain().someone_with_all("acc-owner");
    for user in ["acc-member", "acc-outsider"] {
        plain().user(user);
    }
    plain().naru(["org", "create", "acc-org", "--owner", "acc-owner"]);
    plain().naru(["org", "member", "add", "acc-org", "acc-member"]);
    plain().naru(["team", "create", "acc-org", "Core"]);
    plain().naru(["repo", "create", "acc-org/src", "--visibility", "private"]);
    push("acc-org", &owner, "app", "1");
    let access = "/orgs/acc-org/packages/container/app/access";
    let put = |rest: &str, role: Value| {
        plain()
            .api("PUT", &format!("{access}/{rest}"))
            .signed(&owner)
            .json(&json!({ "role": role }))
            .send()
    };
    put("users/acc-member", json!("read")).expect(204);
    put("users/acc-member", json!("write")).expect(204);
    put("teams/core", json!("admin")).expect(204);
    put("repositories/acc-org/src", json!("read")).expect(204);
    let found = get(&owner, access);
    let users = found["users"].as_array().unwrap();
    let roles: Vec<_> = users
        .iter()
        .map(|one| {
            (
                one["user"]["login"].as_str().unwrap(),
                one["role"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(roles, [("acc-member", "write"), ("acc-owner", "admin")]);
    assert_eq!(found["teams"][0]["team"]["slug"], "core");
    assert_eq!(found["teams"][0]["role"], "admin");
    assert_eq!(
        found["repositories"][0]["repository"]["full_name"],
        "acc-org/src"
    );

    // A private package of an organization takes its members only.
    let refused = put("users/acc-outsider", json!("read")).expect(422);
    assert!(refused.text().contains("not a member"), "{refused:?}");
    put("users/acc-member", json!("owner")).expect(422);
    put("users/acc-member", Value::Null).expect(422);
    for absent in [
        "users/acc-nobody",
        "teams/none",
        "repositories/acc-org/none",
    ] {
        put(absent, json!("read")).expect(404);
    }

    let delete = |rest: &str| {
        let path = format!("{access}/{rest}");
        plain().api("DELETE", &path).signed(&owner).send()
    };
    for granted in ["users/acc-member", "teams/core", "repositories/acc-org/src"] {
        delete(granted).expect(204);
        delete(granted).expect(404);
    }
}

#[test]
fn an_explanation_says_what_allows_or_what_is_missing_as_the_registry_does() {
    let octo = plain().someone_with_all("exp-octo");
    let hubot = plain().someone_with_all("exp-hubot");
    push("exp-octo", &octo, "app", "1");
    let one = "/users/exp-octo/packages/container/app";
    let explain = |credential: &Credential, query: &str| {
        get(credential, &format!("{one}/access/explain?{query}"))
    };
    let own = explain(&octo, "permission=delete");
    assert_eq!(
        (&own["allowed"], &own["role"]),
        (&json!(true), &json!("admin"))
    );
    assert_eq!(own["reason"], "role admin, as the owner");

    // An admin hears of somebody who has nothing what would give it.
    let about = explain(&octo, "user=exp-hubot&permission=write");
    assert_eq!(
        (&about["allowed"], &about["exists"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(about["missing_permission"], "write_package");
    assert_eq!(about["remedy"], "an admin of the package can grant write");

    let grant = plain()
        .api("PUT", &format!("{one}/access/users/exp-hubot"))
        .signed(&octo)
        .json(&json!({ "role": "read" }));
    grant.send().expect(204);
    // Who is refused on the registry hears there what is explained here.
    let explained = explain(&hubot, "permission=write");
    let basic = Credential::basic("exp-hubot", hubot.secret());
    let refused = plain()
        .request("POST", "/v2/exp-octo/app/blobs/uploads/")
        .signed(&basic)
        .send()
        .expect(403);
    assert_eq!(refused.error().detail["reason"], explained["reason"]);
    assert_eq!(explained["role"], "read");

    // A token is asked about by its number, by its owner.
    let (secret, number) = plain().numbered_token("exp-octo", &["read:packages"]);
    let narrow = explain(&octo, &format!("token_id={number}&permission=write"));
    assert_eq!(narrow["missing_scope"], "write:packages");
    let by_itself = explain(&Credential::bearer(&secret), "permission=write");
    assert_eq!(by_itself["reason"], narrow["reason"]);
    let path = format!("{one}/access/explain?token_id={number}");
    plain().api("GET", &path).signed(&hubot).send().expect(404);
}

#[test]
fn only_those_who_may_know_ask_about_others() {
    let octo = plain().someone_with_all("ask-octo");
    let reader = plain().someone_with_all("ask-reader");
    let stranger = plain().someone_with_all("ask-stranger");
    push("ask-octo", &octo, "app", "1");
    let one = "/users/ask-octo/packages/container/app";
    let grant = plain()
        .api("PUT", &format!("{one}/access/users/ask-reader"))
        .signed(&octo)
        .json(&json!({ "role": "read" }));
    grant.send().expect(204);
    let ask = |credential: &Credential, path: &str, query: &str| {
        let path = format!("{path}?{query}");
        plain().api("GET", &path).signed(credential).send()
    };
    let by_access = format!("{one}/access/explain");
    let by_name = "/users/ask-octo/packages/explain";
    ask(&reader, &by_access, "user=ask-octo").expect(403);
    ask(&stranger, &by_access, "user=ask-octo").expect(404);
    ask(&stranger, by_name, "name=app&user=ask-octo").expect(404);
    ask(&stranger, by_name, "name=free&user=ask-octo").expect(404);
    plain().api("GET", &by_access).send().expect(401);

    // To a stranger, what is there and what is not explain alike.
    let explained = |name: &str, permission: &str| {
        let query = format!("name={name}&permission={permission}");
        let text = ask(&stranger, by_name, &query).expect(200).text();
        text.replace(name, "NAME")
    };
    for permission in ["read", "write", "delete", "admin", "make_public"] {
        assert_eq!(explained("app", permission), explained("free", permission));
    }
    // A name that is free can be asked about by who owns the namespace.
    let free = ask(
        &octo,
        by_name,
        "name=free&user=ask-stranger&permission=write",
    )
    .expect(200);
    let free = free.json();
    assert_eq!(
        (&free["allowed"], &free["exists"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(free["missing_permission"], "create_package");
    let own = ask(&octo, by_name, "name=free&permission=write")
        .expect(200)
        .json();
    assert_eq!(
        own["reason"],
        "may create it, as the owner of the namespace"
    );

    for unclear in ["user=a&token_id=1", "permission=fly", "token_id=x"] {
        ask(&octo, &by_access, unclear).expect(400);
    }
}
