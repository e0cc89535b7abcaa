//! Artifact metadata: told by a deployment controller, asked for by digest.

use serde_json::{Value, json};

use crate::attestations::organization;
use crate::kit::http::{Answer, Credential};
use crate::kit::server::plain;

fn digest(letter: &str) -> String {
    format!("sha256:{}", letter.repeat(64))
}

fn post(who: &Credential, path: &str, body: &Value) -> Answer {
    plain().api("POST", path).signed(who).json(body).send()
}

fn get(who: &Credential, path: &str) -> Answer {
    plain().api("GET", path).signed(who).send()
}

#[test]
fn a_deployment_is_recorded_listed_and_updated() {
    let owner = organization(plain(), "deployer", "deployed");
    let mut body = json!({
        "name": "app", "digest": digest("a"), "status": "deployed",
        "logical_environment": "prod", "deployment_name": "web",
        "github_repository": "app", "tags": { "team": "blue" },
        "runtime_risks": ["internet-exposed"],
    });
    let path = "/orgs/deployed/artifacts/metadata/deployment-record";
    let first = post(&owner, path, &body).expect(200).json();
    let list = format!(
        "/orgs/deployed/artifacts/{}/metadata/deployment-records",
        digest("a")
    );
    let listed = get(&owner, &list).expect(200).json();
    assert_eq!(listed["deployment_records"], first["deployment_records"]);
    body["status"] = json!("decommissioned");
    body["return_records"] = json!(false);
    let second = post(&owner, path, &body).expect(200).json();
    assert_eq!(second, json!({ "total_count": 1 }));
    let listed = get(&owner, &list).expect(200).json();
    assert_eq!(listed["total_count"], 1);
    body["runtime_risks"] = json!(["boredom"]);
    post(&owner, path, &body).expect(422);
}

#[test]
fn a_clusters_deployments_are_set_as_far_as_they_can_be() {
    let owner = organization(plain(), "cluster-owner", "cluster-org");
    let deployment = |name: &str, repository: &str| {
        json!({ "name": "app", "digest": digest("b"), "deployment_name": name,
            "github_repository": repository })
    };
    let mut body = json!({ "logical_environment": "prod",
        "deployments": [deployment("web", "app"), deployment("db", "absent")] });
    let path = "/orgs/cluster-org/artifacts/metadata/deployment-record/cluster/moda-1";
    post(&owner, path, &body).expect(404);
    body["partial_success"] = json!(true);
    let some = post(&owner, path, &body).expect(207).json();
    assert_eq!(some["total_count"], 1);
    assert_eq!(some["errors"][0]["cause"], "not_found");
    assert_eq!(some["errors"][0]["deployment"]["deployment_name"], "db");
    let job = post(&owner, &format!("{path}/jobs"), &body)
        .expect(202)
        .json();
    let id = job["job_id"].as_i64().unwrap();
    let done = get(&owner, &format!("{path}/jobs/{id}")).expect(200).json();
    assert_eq!(
        (&done["status"], &done["total_count"]),
        (&json!("completed"), &json!(1))
    );
    let stranger = plain().someone_with_all("cluster-stranger");
    get(&stranger, &format!("{path}/jobs/{id}")).expect(404);
}

#[test]
fn a_stored_artifact_is_recorded_and_listed() {
    let owner = organization(plain(), "storer", "stored-org");
    let body = json!({
        "name": "lib", "digest": digest("c"), "version": "1.2.3",
        "registry_url": "https://registry.example.com/", "repository": "bar",
        "artifact_url": "https://registry.example.com/bar/lib", "github_repository": "app",
    });
    let path = "/orgs/stored-org/artifacts/metadata/storage-record";
    let made = post(&owner, path, &body).expect(200).json();
    let list = format!(
        "/orgs/stored-org/artifacts/{}/metadata/storage-records",
        digest("c")
    );
    let listed = get(&owner, &list).expect(200).json();
    assert_eq!(listed, made);
    let stranger = plain().someone_with_all("storer-stranger");
    assert_eq!(get(&stranger, &list).expect(200).json()["total_count"], 0);
    let odd = json!({ "name": "lib", "digest": digest("c"), "registry_url": "javascript:alert(1)",
        "github_repository": "app" });
    post(&owner, path, &odd).expect(422);
}
