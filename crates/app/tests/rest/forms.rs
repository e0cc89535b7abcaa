//! The life of a package by each of the ways in which its owner is named: `/orgs/{org}`,
//! `/users/{username}` and `/user` serve the same operations.

use serde_json::{Value, json};

use crate::kit::http::{Answer, Credential};
use crate::kit::repo::Repo;
use crate::kit::server::plain;

/// A package `app` with the tags `1` and `2`, and a way to it.
struct Way {
    /// Whose packages: `/orgs/LOGIN` and its like.
    owner: String,
    login: String,
    credential: Credential,
    repo: Repo<'static>,
}

impl Way {
    fn new(owner: &str, login: &str, credential: Credential) -> Self {
        let basic = Credential::basic("anybody", credential.secret());
        let repo = Repo::new(plain(), &format!("{login}/app"), basic);
        repo.push_image("1");
        repo.push_image("2");
        plain().naru(["repo", "create", &format!("{login}/source")]);
        Self {
            owner: owner.to_owned(),
            login: login.to_owned(),
            credential,
            repo,
        }
    }

    fn ask(&self, method: &'static str, path: &str) -> Answer {
        let path = format!("{}{path}", self.owner);
        plain().api(method, &path).signed(&self.credential).send()
    }

    fn tell(&self, method: &'static str, path: &str, body: &Value) -> Answer {
        let path = format!("{}{path}", self.owner);
        let call = plain().api(method, &path).signed(&self.credential);
        call.json(body).send()
    }

    /// The same below the package.
    fn get(&self, rest: &str) -> Value {
        let path = format!("/packages/container/app{rest}");
        self.ask("GET", &path).expect(200).json()
    }

    fn delete(&self, rest: &str) -> Answer {
        self.ask("DELETE", &format!("/packages/container/app{rest}"))
    }

    fn send(&self, method: &'static str, rest: &str, body: &Value) -> Answer {
        self.tell(method, &format!("/packages/container/app{rest}"), body)
    }

    fn names(&self, rest: &str) -> Vec<String> {
        let list = self.get(rest);
        let list = list.as_array().unwrap().iter();
        list.map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn record_and_access(&self) {
        let list = "/packages?package_type=container";
        let list = self.ask("GET", list).expect(200).json();
        assert_eq!((&list[0]["name"], list.get(1)), (&json!("app"), None));
        let change = json!({ "description": "An app", "visibility": "public" });
        let changed = self.send("PATCH", "", &change).expect(200).json();
        assert_eq!(changed, self.get(""));
        assert_eq!(changed["description"], "An app");
        assert_eq!(
            self.ask("GET", "/docker/conflicts").expect(200).text(),
            "[]"
        );

        let role = json!({ "role": "read" });
        let source = format!("/access/repositories/{}/source", self.login);
        let mut granted = vec!["/access/users/form-friend", source.as_str()];
        let team = "/access/teams/crew";
        if self.owner.starts_with("/orgs/") {
            granted.push(team);
        } else {
            // Users have no teams.
            self.send("PUT", team, &role).expect(404);
            self.delete(team).expect(404);
        }
        for path in &granted {
            self.send("PUT", path, &role).expect(204);
        }
        let count = || {
            let access = self.get("/access");
            let lists = ["users", "teams", "repositories"];
            lists.map(|list| access[list].as_array().unwrap().len())
        };
        // Who pushed it first is an admin of it.
        assert_eq!(count(), [2, granted.len() - 2, 1]);
        for path in &granted {
            self.delete(path).expect(204);
        }
        assert_eq!(count(), [1, 0, 0]);
    }

    fn explanations(&self) {
        let may = self.get("/access/explain?permission=delete");
        assert_eq!(
            (&may["allowed"], &may["exists"]),
            (&json!(true), &json!(true))
        );
        let free = "/packages/explain?name=free&permission=write";
        let free = self.ask("GET", free).expect(200).json();
        assert_eq!(
            (&free["allowed"], &free["exists"]),
            (&json!(true), &json!(false))
        );
    }

    fn tags_and_rules(&self) {
        assert_eq!(self.names("/tags"), ["2", "1"]);
        let first = self.get("/tags/1");
        let to = json!({ "version_id": first["version_id"] });
        let moved = self.send("PUT", "/tags/moved", &to).expect(200).json();
        assert_eq!(moved["digest"], first["digest"]);
        let history = self.get("/tags/moved/history");
        assert_eq!(history.as_array().unwrap().len(), 1);

        let rule = json!({ "pattern": "moved", "immutable": true });
        let made = self.send("POST", "/tag-rules", &rule).expect(201).json();
        let one = format!("/tag-rules/{}", made["id"]);
        assert_eq!(self.get("/tag-rules"), json!([made]));
        assert_eq!(self.get(&one), made);
        self.delete("/tags/moved").expect(409);
        let lifted = json!({ "immutable": false });
        let lifted = self.send("PATCH", &one, &lifted).expect(200).json();
        assert_eq!(lifted["immutable"], false);
        self.delete("/tags/moved").expect(204);
        self.delete(&one).expect(204);
        assert_eq!(self.get("/tag-rules"), json!([]));
    }

    fn versions(&self) {
        let versions = self.get("/versions");
        let ids: Vec<_> = versions.as_array().unwrap().iter().collect();
        assert_eq!(ids.len(), 2);
        let id = ids[1]["id"].clone();
        let one = format!("/versions/{id}");
        assert_eq!(self.get(&one), *ids[1]);
        assert!(self.get(&format!("{one}/statistics"))["downloads"].is_u64());
        self.delete(&one).expect(204);
        assert_eq!(self.get("/versions?state=deleted")[0]["id"], id);
        self.send("POST", &format!("{one}/restore"), &json!({}))
            .expect(204);
        for (request, left) in [("delete-request", 1), ("restore-request", 2)] {
            let body = json!({ "ids": [id], "dry_run": false });
            let path = format!("/versions/{request}");
            let done = self.send("POST", &path, &body).expect(200).json();
            assert_eq!(done["versions"][0]["id"], id, "{request}");
            assert_eq!(self.names("/versions").len(), left, "{request}");
        }
        assert_eq!(self.repo.tags(), ["1", "2"]);
    }

    fn end_and_return(&self) {
        assert!(self.get("/statistics")["downloads"].is_u64());
        let days = self.get("/statistics/downloads?per=day&days=3");
        assert_eq!(days.as_array().unwrap().len(), 3);
        self.delete("").expect(204);
        self.ask("GET", "/packages/container/app").expect(404);
        self.send("POST", "/restore", &json!({})).expect(204);
        assert_eq!(self.get("")["version_count"], 2);
    }
}

#[test]
fn a_package_lives_by_every_way_to_its_owner() {
    let organizations = plain().organization("form-org");
    plain().naru(["team", "create", "form-org", "Crew"]);
    plain().user("form-friend");
    let users = plain().someone_with_all("form-user");
    let own = plain().someone_with_all("form-own");
    for way in [
        Way::new("/orgs/form-org", "form-org", organizations),
        Way::new("/users/form-user", "form-user", users),
        Way::new("/user", "form-own", own),
    ] {
        way.record_and_access();
        way.explanations();
        way.tags_and_rules();
        way.versions();
        way.end_and_return();
    }
}
