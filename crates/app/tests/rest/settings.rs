//! Package settings of accounts and of the instance.

use serde_json::json;

use crate::kit::content::image;
use crate::kit::http::Credential;
use crate::kit::repo::Repo;
use crate::kit::server::{Server, plain};

#[test]
fn an_organization_says_what_its_members_may_do_and_what_holds_for_its_packages() {
    let octo = plain().someone_with_all("settings-octo");
    plain().naru(["org", "create", "settings-org", "--owner", "settings-octo"]);
    let path = "/orgs/settings-org/settings/packages";
    let read = || {
        plain()
            .api("GET", path)
            .signed(&octo)
            .send()
            .expect(200)
            .json()
    };
    let before = read();
    assert_eq!(before["members_can_create_public_packages"], true);
    assert_eq!(
        (&before["public_is_final"], &before["undeletable_downloads"]),
        (&false.into(), &json!(null))
    );
    let change = json!({
        "members_can_create_public_packages": false,
        "public_is_final": true,
        "refuse_needed_deletes": true,
        "undeletable_downloads": 5000,
    });
    let patch = plain().api("PATCH", path).signed(&octo).json(&change);
    let changed = patch.send().expect(200).json();
    assert_eq!(changed, read());
    assert_eq!(changed["members_can_create_public_packages"], false);
    assert_eq!(changed["members_can_create_private_packages"], true);
    assert_eq!(
        (
            &changed["public_is_final"],
            &changed["undeletable_downloads"]
        ),
        (&true.into(), &5000.into())
    );
    let back = json!({ "undeletable_downloads": null });
    let patch = plain().api("PATCH", path).signed(&octo).json(&back);
    let changed = patch.send().expect(200).json();
    assert_eq!(
        (
            &changed["public_is_final"],
            &changed["undeletable_downloads"]
        ),
        (&true.into(), &json!(null))
    );
    let wrong = json!({ "public_is_final": "yes" });
    plain()
        .api("PATCH", path)
        .signed(&octo)
        .json(&wrong)
        .send()
        .expect(422);
    let stranger = plain().someone_with_all("settings-stranger");
    plain()
        .api("GET", path)
        .signed(&stranger)
        .send()
        .expect(403);
    plain().api("GET", path).send().expect(401);
    let own = plain().api("GET", "/user/settings/packages").signed(&octo);
    assert_eq!(own.send().expect(200).json()["public_is_final"], false);
}

#[test]
fn administrators_close_registries_and_clients_are_told_or_hear_nothing() {
    // Others would feel it on a server that is shared.
    let server = Server::start(&[]);
    server.naru(["user", "create", "root", "--admin"]);
    let admin = Credential::bearer(&server.token("root", &["site_admin"]));
    let octo = server.someone_with_all("octo");
    let repo = Repo::new(
        &server,
        "octo/app",
        Credential::basic("octo", octo.secret()),
    );
    let config = b"{\"of\":\"settings\"}";
    repo.push_blob(config);
    repo.push("1", &image(config, &[]));
    let path = "/enterprise/settings/packages";
    let set = |mode: &str| {
        let change = json!({ "registries": { "container": mode } });
        let patch = server.api("PATCH", path).signed(&admin).json(&change);
        let settings = patch.send().expect(200).json();
        assert_eq!(
            settings["registries"],
            json!({ "container": mode, "docker": "enabled" })
        );
    };
    set("read-only");
    repo.get("manifests/1").send().expect(200);
    let refused = repo.post("blobs/uploads/").send().expect(403).json();
    assert_eq!(refused["errors"][0]["code"], "DENIED");
    let reason = refused["errors"][0]["detail"]["reason"].as_str().unwrap();
    assert!(reason.contains("the registry is read-only"), "{reason}");
    let record = "/user/packages/container/app";
    server.api("GET", record).signed(&octo).send().expect(200);
    let deleted = server
        .api("DELETE", record)
        .signed(&octo)
        .send()
        .expect(403);
    assert!(deleted.message().contains("read-only"), "{deleted:?}");

    set("disabled");
    let there = repo.get("manifests/1").send().expect(404);
    let absent = Repo::new(
        &server,
        "octo/absent",
        Credential::basic("octo", octo.secret()),
    );
    assert_eq!(
        there.body,
        absent.get("manifests/1").send().expect(404).body
    );
    repo.post("blobs/uploads/").send().expect(404);
    server.api("GET", record).signed(&octo).send().expect(404);
    let list = "/user/packages?package_type=container";
    let list = server.api("GET", list).signed(&octo).send().expect(200);
    assert_eq!(list.json(), json!([]));
    let base = server
        .request("GET", "/v2/")
        .signed(&Credential::basic("octo", octo.secret()));
    base.send().expect(404);

    set("enabled");
    repo.get("manifests/1").send().expect(200);
    let wrong = json!({ "registries": { "container": "closed" } });
    server
        .api("PATCH", path)
        .signed(&admin)
        .json(&wrong)
        .send()
        .expect(422);
    server.api("GET", path).signed(&octo).send().expect(403);
}
