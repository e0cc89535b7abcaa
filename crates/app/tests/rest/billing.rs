//! Billing usage: what is stored, for nothing.

use crate::attestations::organization;
use crate::kit::content::image;
use crate::kit::http::Credential;
use crate::kit::repo::Repo;
use crate::kit::server::plain;

#[test]
fn what_is_stored_is_reported_for_nothing() {
    let owner = organization(plain(), "billed-owner", "billed");
    let basic = Credential::basic("billed-owner", owner.secret());
    let repo = Repo::new(plain(), "billed/app", basic);
    let config = b"{\"of\":\"billing\"}";
    repo.push_blob(config);
    let manifest = image(config, &[]);
    repo.push("1", &manifest);
    let get = |path: &str| plain().api("GET", path).signed(&owner).send();
    let report = get("/organizations/billed/settings/billing/usage")
        .expect(200)
        .json();
    let line = &report["usageItems"][0];
    assert!(
        line["quantity"].as_u64().unwrap() >= config.len() as u64,
        "{line}"
    );
    assert_eq!(line["netAmount"], 0.0);
    assert_eq!(line["organizationName"], "billed");
    let past = "/organizations/billed/settings/billing/usage?year=2020";
    assert_eq!(get(past).expect(200).text(), r#"{"usageItems":[]}"#);
    let path = "/organizations/billed/settings/billing/usage/summary?product=actions";
    assert_eq!(
        get(path).expect(200).json()["usageItems"],
        serde_json::json!([])
    );
    let own = get("/users/billed-owner/settings/billing/usage").expect(200);
    let own = own.json()["usageItems"][0].clone();
    assert_eq!(own["quantity"], 0, "what the organization has is its own");
    let path = "/users/billed-owner/settings/billing/usage/summary";
    assert_eq!(get(path).expect(200).json()["user"], "billed-owner");
}

#[test]
fn what_others_store_is_for_their_administrators() {
    organization(plain(), "thrifty", "thrifty-org");
    let stranger = plain().someone_with_all("nosy");
    for path in [
        "/organizations/thrifty-org/settings/billing/usage",
        "/users/thrifty/settings/billing/usage",
    ] {
        plain()
            .api("GET", path)
            .signed(&stranger)
            .send()
            .expect(403);
        plain().api("GET", path).send().expect(401);
    }
    let absent = "/organizations/thrifty/settings/billing/usage";
    plain()
        .api("GET", absent)
        .signed(&stranger)
        .send()
        .expect(404);
}
