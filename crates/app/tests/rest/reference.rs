//! The reference of the API that the server shows.

use crate::kit::server::plain;

#[test]
fn the_documentation_that_a_refusal_names_is_there() {
    let refused = plain()
        .api("GET", "/user/packages?package_type=container")
        .send();
    let url = refused.json()["documentation_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let (page, anchor) = url.split_once('#').unwrap();
    let target = page.split_once("://").unwrap().1;
    let target = &target[target.find('/').unwrap()..];
    let page = plain().get(target).send().expect(200);
    assert!(
        page.text().contains(&format!("<article id=\"{anchor}\"")),
        "{anchor}"
    );
    assert!(
        page.the("content-security-policy")
            .starts_with("default-src 'none'")
    );
    plain().get("/docs/rest.css").send().expect(200);
}

#[test]
fn the_reference_speaks_korean_to_those_who_ask_for_it() {
    let page = plain()
        .get("/docs/rest")
        .with("Accept-Language", "ko-KR,ko;q=0.9");
    let page = page.send().expect(200);
    assert_eq!(page.the("content-language"), "ko");
    assert!(page.text().contains("매개변수"));
    let known = page.the("etag").to_owned();
    let again = plain()
        .get("/docs/rest")
        .with("Accept-Language", "ko-KR,ko;q=0.9")
        .with("If-None-Match", &known);
    again.send().expect(304);
}
