//! Packages, listed.

use crate::kit::content::image;
use crate::kit::http::Credential;
use crate::kit::repo::Repo;
use crate::kit::server::plain;

/// Pushes an image with the tag `1` to each of these packages.
fn push(owner: &str, credential: &Credential, names: &[&str]) {
    let basic = Credential::basic(owner, credential.secret());
    for name in names {
        let repo = Repo::new(plain(), &format!("{owner}/{name}"), basic.clone());
        let config = format!("{{\"of\":\"{name}\"}}");
        repo.push_blob(config.as_bytes());
        repo.push("1", &image(config.as_bytes(), &[]));
    }
}

#[test]
fn packages_are_listed_newest_first_page_by_page() {
    let octo = plain().someone_with_all("rest-pages");
    push("rest-pages", &octo, &["a", "b/c", "d"]);
    let names = |url: &str| {
        let answer = plain().api("GET", url).signed(&octo).send().expect(200);
        let list = answer.json();
        let names = list.as_array().unwrap().iter();
        let names: Vec<_> = names
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect();
        (names, answer.page("next").map(str::to_owned))
    };
    let (first, next) = names("/users/rest-pages/packages?package_type=container&per_page=2");
    assert_eq!(first, ["d", "b/c"]);
    let odd = format!(
        "/user/packages?package_type=container&per_page=1&after={}~{}",
        i64::MAX,
        u64::MAX
    );
    assert_eq!(names(&odd).0, ["d"], "a place that no Link header gave");
    let first = "/user/packages?package_type=container&per_page=2";
    let first = plain().api("GET", first).signed(&octo).send().expect(200);
    assert!(first.page("last").unwrap().ends_with("page=2"));
    let second = plain().api("GET", first.page("last").unwrap());
    let second = second.signed(&octo).send().expect(200);
    assert_eq!((second.page("last"), second.page("next")), (None, None));
    assert!(second.page("prev").unwrap().ends_with("page=1"));
    let (second, next) = names(&next.unwrap());
    assert_eq!(second, ["a"]);
    assert_eq!(next, None);
    assert_eq!(
        names("/user/packages?package_type=container").0,
        ["d", "b/c", "a"]
    );
}

#[test]
fn whoever_has_not_signed_in_is_asked_to_before_anything_is_looked_up() {
    plain().someone("rest-there");
    for name in ["rest-there", "rest-nobody"] {
        let path = format!("/users/{name}/packages?package_type=container");
        let answer = plain().api("GET", &path).send().expect(401);
        assert_eq!(answer.message(), "Requires authentication");
    }
}

#[test]
fn a_list_of_packages_needs_a_type_that_there_is() {
    let octo = plain().someone_with_all("rest-types");
    for query in ["", "?package_type=", "?package_type=tarball"] {
        let path = format!("/user/packages{query}");
        plain().api("GET", &path).signed(&octo).send().expect(400);
    }
    for known in ["npm", "maven", "rubygems", "nuget", "docker", "container"] {
        let path = format!("/user/packages?package_type={known}");
        let answer = plain().api("GET", &path).signed(&octo).send().expect(200);
        assert_eq!(answer.text(), "[]");
    }
}

#[test]
fn a_list_of_packages_needs_its_scope_whatever_the_type() {
    plain().user("rest-scopeless");
    let narrow = Credential::bearer(&plain().token("rest-scopeless", &["read:org"]));
    for known in ["npm", "maven", "rubygems", "nuget", "docker", "container"] {
        let path = format!("/user/packages?package_type={known}");
        let refused = plain().api("GET", &path).signed(&narrow).send().expect(403);
        let expected = "You need at least read:packages scope to list packages.";
        assert_eq!(refused.message(), expected, "{known}");
    }
}
