//! Usage and quotas.

use serde_json::json;

use crate::kit::content::{digest, image};
use crate::kit::http::Credential;
use crate::kit::repo::Repo;
use crate::kit::server::plain;

/// An administrator of the instance with a token for that.
fn administrator(name: &str) -> Credential {
    plain().naru(["user", "create", name, "--admin"]);
    Credential::bearer(&plain().token(name, &["site_admin"]))
}

#[test]
fn a_quota_refuses_a_push_with_a_text_that_says_whom_to_ask() {
    let admin = administrator("quota-admin");
    let octo = plain().someone_with_all("quota-octo");
    let basic = Credential::basic("quota-octo", octo.secret());
    let repo = Repo::new(plain(), "quota-octo/app", basic);
    let config = b"{\"of\":\"quota-octo\"}";
    repo.push_blob(config);
    repo.push("1", &image(config, &[]));
    let usage = "/user/settings/packages/usage";
    let usage = plain().api("GET", usage).signed(&octo).send().expect(200);
    let used = usage.json();
    assert_eq!(
        (&used["login"], &used["versions"]),
        (&"quota-octo".into(), &1.into())
    );
    assert!(used["quota"]["live_limit"].is_null());
    let live = used["live_bytes"].as_u64().unwrap();

    let path = "/enterprise/settings/packages/quotas/quota-octo";
    let limit = json!({ "live_limit": live });
    let set = plain().api("PUT", path).signed(&admin).json(&limit);
    let set = set.send().expect(200).json();
    assert_eq!(set["quota"]["live_limit"], live);
    let listed = plain()
        .api("GET", "/enterprise/settings/packages/quotas?per_page=100")
        .signed(&admin)
        .send()
        .expect(200)
        .json();
    let listed = listed.as_array().unwrap().iter();
    assert!(
        listed
            .clone()
            .any(|one| one["login"] == "quota-octo" && one["live_limit"] == live)
    );

    let more = b"one blob more";
    let refused = repo.post("blobs/uploads/").send().expect(403).json();
    let error = &refused["errors"][0];
    assert_eq!(error["code"], "DENIED");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.starts_with("quota exceeded: the packages of quota-octo hold")
            && message.contains("ask an administrator"),
        "{message}"
    );
    assert_eq!(
        (&error["detail"]["used"], &error["detail"]["limit"]),
        (&live.into(), &live.into())
    );
    let whole = repo.post(&format!("blobs/uploads/?digest={}", digest(more)));
    whole.body(more.to_vec()).send().expect(403);

    let none = json!({ "live_limit": null });
    plain()
        .api("PUT", path)
        .signed(&admin)
        .json(&none)
        .send()
        .expect(200);
    repo.push_blob(more);
}

#[test]
fn quotas_are_for_administrators_of_the_instance() {
    let octo = plain().someone_with_all("quota-none");
    let path = "/enterprise/settings/packages/quotas/quota-none";
    for answer in [
        plain().api("GET", path).signed(&octo).send().expect(403),
        plain()
            .api("PUT", path)
            .signed(&octo)
            .json(&json!({}))
            .send()
            .expect(403),
        plain()
            .api("GET", "/enterprise/settings/packages/quotas")
            .signed(&octo)
            .send()
            .expect(403),
    ] {
        assert!(answer.message().contains("administrator"), "{answer:?}");
    }
    plain().api("GET", path).send().expect(401);
    plain()
        .api("GET", "/user/settings/packages/usage")
        .send()
        .expect(401);
}

#[test]
fn usage_of_an_organization_is_for_its_owners_and_a_quota_for_administrators() {
    let admin = administrator("usage-admin");
    let owner = plain().organization("usage-org");
    let stranger = plain().someone_with_all("usage-stranger");
    crate::package::push("usage-org", &owner, "app", "1");
    let get = |who: &Credential, path: &str| plain().api("GET", path).signed(who).send();
    let usage = "/orgs/usage-org/settings/packages/usage";
    let used = get(&owner, usage).expect(200).json();
    assert_eq!(
        (&used["login"], &used["versions"]),
        (&"usage-org".into(), &1.into())
    );
    get(&stranger, usage).expect(403);
    let quota = "/enterprise/settings/packages/quotas/usage-org";
    assert_eq!(get(&admin, quota).expect(200).json(), used);
    get(&owner, quota).expect(403);
    let settings = get(&admin, "/enterprise/settings/packages")
        .expect(200)
        .json();
    assert_eq!(settings["registries"]["container"], "enabled");
}
