//! Listing tags (end-8a, end-8b).

use crate::kit::http::Answer;
use crate::kit::repo::{Repo, names};
use crate::kit::server::{plain, tight};

/// In the order of bytes: "ASCIIbetical".
const TAGS: [&str; 10] = [
    "0", "1.0", "1.10", "1.9", "A", "B", "_x", "a", "latest", "z",
];

/// A repository with all of [`TAGS`] on one manifest, pushed in another order.
fn tagged(about: &str) -> Repo<'static> {
    let repo = plain().repo(about);
    let image = repo.push_image("latest");
    let query: Vec<String> = TAGS.iter().rev().map(|tag| format!("tag={tag}")).collect();
    let path = format!("{}?{}", image.digest(), query.join("&"));
    repo.put_manifest(&path, &image.manifest).expect(201);
    repo
}

/// The target of `Link: <…>; rel="next"`.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link")?;
    let (target, relation) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
    assert!(
        relation.replace(' ', "").contains(";rel=\"next\""),
        "{link}"
    );
    Some(target.to_owned())
}

/// "Assuming a repository is found, this request MUST return a `200 OK` response code." and "Upon
/// success, the response MUST be a json body in the following format" (Listing Tags, end-8a)
///
/// "If the list is not empty, the tags MUST be in lexical (i.e. case-insensitive alphanumeric
/// order) or "ASCIIbetical" (Go's `sort.Strings`) order." (same place)
#[test]
fn tags_are_listed_in_lexical_order() {
    let repo = tagged("tags");
    let answer = repo.get("tags/list").send().expect(200);
    assert!(answer.the("content-type").starts_with("application/json"));
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().len(), 2);
    assert_eq!(body["name"], repo.name.as_str());
    assert_eq!(names(&body), TAGS);
    assert_eq!(answer.header("link"), None);
}

/// "The list of tags MAY be empty if there are no tags on the repository." (Listing Tags): it is an
/// empty list then, never null.
#[test]
fn a_repository_without_tags_has_an_empty_list() {
    let repo = plain().repo("no-tags");
    let image = repo.push_image("v1");
    repo.delete("manifests/v1").send().expect(202);
    let body = repo.get("tags/list").send().expect(200).json();
    assert_eq!(body["tags"], serde_json::json!([]));
    repo.get(&format!("manifests/{}", image.digest()))
        .send()
        .expect(200);
}

/// "An attempt to pull a nonexistent repository MUST return response code `404 Not Found`."
/// (Pushing Manifests); an upload alone makes no repository.
#[test]
fn a_repository_that_is_only_begun_lists_nothing_to_others() {
    let server = plain();
    let repo = server.repo("begun");
    repo.get("tags/list").send().refused(404, "NAME_UNKNOWN");
    repo.push_blob(b"only a blob");
    let stranger = repo.by(&server.someone("tags-stranger"));
    stranger
        .get("tags/list")
        .send()
        .refused(404, "NAME_UNKNOWN");
}

/// "The response to such a request MAY return fewer than `<int>` results, but only when the total
/// number of tags attached to the repository is less than `<int>` or a `Link` header is provided.
/// Otherwise, the response MUST include `<int>` results." and "If included, the `Link` header MUST
/// be set according to RFC 5988 with the Relation Type `rel="next"`." (Listing Tags, end-8b)
#[test]
fn tags_come_in_pages_that_link_to_the_next() {
    let repo = tagged("tag-pages");
    for n in [1, 2, 3, 9, 10, 11, 100_000] {
        let mut target = format!("tags/list?n={n}");
        let mut seen = Vec::new();
        loop {
            let answer = repo.get(&target).send().expect(200);
            let page = names(&answer.json());
            assert!(page.len() <= n);
            assert!(
                page.len() == n || seen.len() + page.len() == TAGS.len(),
                "{answer:?}"
            );
            seen.extend(page);
            match next(&answer) {
                Some(next) => target = next,
                None => break,
            }
        }
        assert_eq!(seen, TAGS, "n={n}");
    }
}

/// "When `n` is zero, this endpoint MUST return an empty list, and MUST NOT include a `Link`
/// header." (Listing Tags)
#[test]
fn a_page_of_no_tags_is_empty_and_leads_nowhere() {
    let repo = tagged("tag-page-zero");
    for query in ["n=0", "n=0&last=a"] {
        let answer = repo.get(&format!("tags/list?{query}")).send().expect(200);
        assert!(names(&answer.json()).is_empty());
        assert_eq!(answer.header("link"), None);
    }
}

/// "A request of this sort will return up to `<int>` tags, beginning non-inclusively with
/// `<tagname>`. That is to say, `<tagname>` will not be included in the results, but up to `<int>`
/// tags *after* `<tagname>` will be returned." (Listing Tags, end-8b)
///
/// "When using the `last` query parameter, the `n` parameter is OPTIONAL." (same place)
#[test]
fn tags_after_a_tag_are_listed_whether_or_not_it_exists() {
    let repo = tagged("tags-last");
    let after = |query: &str| {
        names(
            &repo
                .get(&format!("tags/list?{query}"))
                .send()
                .expect(200)
                .json(),
        )
    };
    assert_eq!(after("last=1.10"), &TAGS[3..]);
    assert_eq!(after("n=2&last=1.10"), &TAGS[3..5]);
    assert_eq!(after("last=0&n=3"), &TAGS[1..4]);
    assert_eq!(after("last=1.5"), &TAGS[3..]);
    assert!(after("last=z").is_empty());
    assert!(after("last=zzz").is_empty());
    assert_eq!(after(""), TAGS);
}

/// "`<tagname>` MUST NOT be a numerical index, but rather it MUST be a proper tag." (Listing Tags)
#[test]
fn what_is_no_tag_or_no_number_is_refused() {
    let repo = tagged("tags-invalid");
    for query in [
        "n=-1",
        "n=x",
        "n=1.5",
        "n=%20",
        "last=-x",
        "last=a%20b",
        "last=a%0d%0aX-Evil:1",
    ] {
        let answer = repo.get(&format!("tags/list?{query}")).send().expect(400);
        assert_eq!(answer.header("x-evil"), None);
    }
    let huge = repo
        .get("tags/list?n=99999999999999999999")
        .send()
        .expect(200);
    assert_eq!(names(&huge.json()), TAGS);
}

/// A client that asks for more than a page may have gets a page and a `Link`.
#[test]
fn a_page_is_bounded_and_says_how_to_go_on() {
    let repo = tight().repo("tags-bounded");
    let image = repo.push_image("t0");
    for number in 1..8 {
        repo.put_manifest(&format!("t{number}"), &image.manifest)
            .expect(201);
    }
    for (query, length) in [("", 3), ("?n=4", 4), ("?n=1000", 5)] {
        let answer = repo.get(&format!("tags/list{query}")).send().expect(200);
        assert_eq!(names(&answer.json()).len(), length, "{query}");
        let more = repo.get(&next(&answer).unwrap()).send().expect(200);
        assert_eq!(names(&more.json())[0], format!("t{length}"));
    }
}

/// A tag appears with the push that makes it and goes with its manifest.
#[test]
fn the_list_is_what_is_there_now() {
    let repo = plain().repo("tags-now");
    let (one, two) = (repo.push_image("one"), repo.push_image("two"));
    repo.put_manifest("again", &one.manifest).expect(201);
    assert_eq!(repo.tags(), ["again", "one", "two"]);
    repo.delete(&format!("manifests/{}", one.digest()))
        .send()
        .expect(202);
    assert_eq!(repo.tags(), ["two"]);
    repo.put_manifest("three", &two.manifest).expect(201);
    assert_eq!(repo.tags(), ["three", "two"]);
}
