//! Searching packages.

use std::time::{Duration, Instant};

use crate::kit::content::image;
use crate::kit::http::{Answer, Credential};
use crate::kit::repo::Repo;
use crate::kit::server::plain;

/// How long a change may take to be found, and a little more.
const SOON: Duration = Duration::from_secs(15);

fn push(owner: &str, credential: &Credential, package: &str) {
    let basic = Credential::basic(owner, credential.secret());
    let repo = Repo::new(plain(), &format!("{owner}/{package}"), basic);
    let config = format!("{{\"of\":\"{owner}/{package}\"}}");
    repo.push_blob(config.as_bytes());
    repo.push("1", &image(config.as_bytes(), &[]));
}

fn search(query: &str, caller: Option<&Credential>) -> Answer {
    let call = plain().api("GET", &format!("/search/packages?{query}"));
    match caller {
        Some(caller) => call.signed(caller).send(),
        None => call.send(),
    }
}

/// Searches until so many are found.
fn found(query: &str, caller: Option<&Credential>, count: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let body = search(query, caller).expect(200).json();
        let items = body["items"].as_array().unwrap();
        if items.len() == count {
            assert_eq!(body["total_count"], count);
            assert_eq!(body["incomplete_results"], false);
            let names = items.iter().map(|item| item["name"].as_str().unwrap());
            return names.map(str::to_owned).collect();
        }
        assert!(begun.elapsed() < SOON, "{body}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn packages_are_found_by_those_who_may_read_them() {
    let octo = plain().someone_with_all("search-octo");
    let stranger = plain().someone_with_all("search-stranger");
    push("search-octo", &octo, "findable-one");
    push("search-octo", &octo, "findable-two");
    let query = "q=findable+user:search-octo";
    assert_eq!(
        found(query, Some(&octo), 2),
        ["findable-two", "findable-one"]
    );
    found(query, Some(&stranger), 0);
    found(query, None, 0);
    plain().set_visibility("search-octo/findable-one", "public");
    assert_eq!(found(query, Some(&stranger), 1), ["findable-one"]);
    assert_eq!(found(query, None, 1), ["findable-one"]);
    assert_eq!(
        found(&format!("{query}+is:private"), Some(&octo), 1),
        ["findable-two"]
    );
    assert_eq!(found(&format!("{query}+tag:1"), Some(&octo), 2).len(), 2);
    let page = search(&format!("{query}&per_page=1"), Some(&octo)).expect(200);
    assert_eq!(page.json()["total_count"], 2);
    let next = page.page("next").unwrap().to_owned();
    let next = plain()
        .api("GET", &next)
        .signed(&octo)
        .send()
        .expect(200)
        .json();
    assert_eq!(next["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_query_that_cannot_be_understood_is_refused_with_what_was_expected() {
    let octo = plain().someone_with_all("search-wrong");
    for query in [
        "",
        "q=",
        "q=type:npm",
        "q=digest:abc",
        "q=a&page=11&per_page=100",
    ] {
        let answer = search(query, Some(&octo)).expect(422);
        let error = &answer.json()["errors"][0];
        assert_eq!(
            (&error["resource"], &error["code"]),
            (&"Search".into(), &"invalid".into())
        );
        assert!(!error["message"].as_str().unwrap().is_empty());
    }
}
