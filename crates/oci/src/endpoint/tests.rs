use http::{Method, StatusCode, Uri};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::error::ErrorCode;
use crate::name::NameError;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn parse(method: &str, url: &str) -> Result<Endpoint, EndpointError> {
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    Endpoint::parse(&method.parse().unwrap(), path, query)
}

/// Every row of the specification's table: id, method, URL with `$D` for a digest, and the scope
/// a client needs, where `$R` is `repository:o/i`.
const ROWS: [(&str, &str, &str, &str); 22] = [
    ("end-1", "GET", "/v2/", ""),
    ("end-2", "GET", "/v2/o/i/blobs/$D", "$R:pull"),
    ("end-2", "HEAD", "/v2/o/i/blobs/$D", "$R:pull"),
    ("end-3", "GET", "/v2/o/i/manifests/latest", "$R:pull"),
    ("end-3", "HEAD", "/v2/o/i/manifests/$D", "$R:pull"),
    ("end-4a", "POST", "/v2/o/i/blobs/uploads/", "$R:push,pull"),
    (
        "end-4b",
        "POST",
        "/v2/o/i/blobs/uploads/?digest=$D",
        "$R:push,pull",
    ),
    (
        "end-4c",
        "POST",
        "/v2/o/i/blobs/uploads/?digest-algorithm=sha512",
        "$R:push,pull",
    ),
    (
        "end-5",
        "PATCH",
        "/v2/o/i/blobs/uploads/u-1",
        "$R:push,pull",
    ),
    (
        "end-6",
        "PUT",
        "/v2/o/i/blobs/uploads/u-1?digest=$D",
        "$R:push,pull",
    ),
    ("end-7a", "PUT", "/v2/o/i/manifests/v1", "$R:push,pull"),
    (
        "end-7b",
        "PUT",
        "/v2/o/i/manifests/$D?tag=1&tag=2&tag=3",
        "$R:push,pull",
    ),
    ("end-8a", "GET", "/v2/o/i/tags/list", "$R:pull"),
    ("end-8b", "GET", "/v2/o/i/tags/list?last=v1&n=10", "$R:pull"),
    ("end-9", "DELETE", "/v2/o/i/manifests/v1", "$R:delete"),
    ("end-10", "DELETE", "/v2/o/i/blobs/$D", "$R:delete"),
    (
        "end-11",
        "POST",
        "/v2/o/i/blobs/uploads/?mount=$D&from=b",
        "$R:push,pull repository:b:pull",
    ),
    ("end-12a", "GET", "/v2/o/i/referrers/$D", "$R:pull"),
    (
        "end-12b",
        "GET",
        "/v2/o/i/referrers/$D?artifactType=a/spdx%2Bjson",
        "$R:pull",
    ),
    ("end-13", "GET", "/v2/o/i/blobs/uploads/u-1", "$R:push,pull"),
    (
        "end-14",
        "DELETE",
        "/v2/o/i/blobs/uploads/u-1",
        "$R:push,pull",
    ),
    (
        "Docker",
        "GET",
        "/v2/_catalog?last=o/i&n=5",
        "registry:catalog:*",
    ),
];

#[test]
fn every_row_of_the_specification_goes_through_both_directions() {
    for (row, method, url, scopes) in ROWS {
        let url = url.replace("$D", &format!("sha256:{HEX}"));
        let endpoint = parse(method, &url).unwrap();
        assert_eq!(endpoint.to_string(), url, "{row}");
        let scopes = scopes.replace("$R", "repository:o/i");
        assert_eq!(
            endpoint.scopes(&method.parse().unwrap()).to_string(),
            scopes,
            "{row}"
        );
    }
}

#[test]
fn names_may_contain_the_words_of_the_routes() {
    let name_in = |url: &str| parse("GET", url).unwrap().name().unwrap().to_string();
    assert_eq!(
        name_in("/v2/a/blobs/uploads/manifests/latest"),
        "a/blobs/uploads"
    );
    assert_eq!(name_in("/v2/a/manifests/tags/list"), "a/manifests");
    assert_eq!(name_in("/v2/manifests/manifests/manifests"), "manifests");
    assert_eq!(name_in("/v2/tags/list/tags/list"), "tags/list");
    assert_eq!(name_in("/v2/a/blobs/uploads/list"), "a");
    assert_eq!(
        name_in(&format!("/v2/a/referrers/blobs/sha256:{HEX}")),
        "a/referrers"
    );
    let uploads = parse("POST", "/v2/a/blobs/uploads/blobs/uploads/").unwrap();
    assert_eq!(uploads.name().unwrap().as_str(), "a/blobs/uploads");
}

#[test]
fn spellings_that_clients_use_mean_the_same() {
    let blob = parse("GET", &format!("/v2/o/i/blobs/sha256:{HEX}"));
    assert_eq!(parse("GET", &format!("/v2/o/i/blobs/sha256%3A{HEX}")), blob);
    assert_eq!(
        parse(
            "GET",
            &format!("/v2/%6F/i/blobs/sha256%3a{HEX}?ns=docker.io")
        ),
        blob
    );
    assert_eq!(parse("GET", "/v2"), Ok(Endpoint::Base));
    assert_eq!(
        parse("POST", "/v2/o/i/blobs/uploads"),
        parse("POST", "/v2/o/i/blobs/uploads/")
    );
    let filter = |text: &str| parse("GET", &format!("/v2/o/i/referrers/sha256:{HEX}?{text}"));
    assert_eq!(
        filter("artifactType=a%2Fb%2Bc"),
        filter("artifactType=a/b+c")
    );
    assert_eq!(filter("artifactType="), filter(""));
}

#[test]
fn attacks_on_the_path_are_answered_with_400_or_404() {
    let invalid = [
        "/v2//manifests/latest",
        "/v2/manifests/latest",
        "/v2/a//b/manifests/latest",
        "/v2//a/manifests/latest",
        "/v2/a/../b/manifests/latest",
        "/v2/../a/manifests/latest",
        "/v2/%2e%2e/a/manifests/latest",
        "/v2/a%2Fb/manifests/latest",
        "/v2/a%00/manifests/latest",
        "/v2/a%ff/manifests/latest",
        "/v2/a%/manifests/latest",
        "/v2/a\\b/manifests/latest",
        "/v2/ä/manifests/latest",
        "/v2/a b/tags/list",
    ];
    for url in invalid {
        let error = parse("GET", url).unwrap_err();
        assert_eq!(
            (error.status(), error.code()),
            (StatusCode::BAD_REQUEST, ErrorCode::NameInvalid),
            "{url}"
        );
    }
    let absent = [
        "",
        "/",
        "/v1/",
        "/v2x",
        "//v2/",
        "/v2//",
        "/V2/",
        "/v2/a",
        "/v2/a/tags",
        "/v2/a/tags/list/",
        "/v2/a/tags/List",
        "/v2/a/%6Danifests/latest",
        "/v2/_catalog/",
        "/v2/a/uploads/x",
        "/v2/a/blobs",
        "/v2/token",
    ];
    for url in absent {
        assert_eq!(parse("GET", url), Err(EndpointError::NotFound), "{url}");
    }
}

#[test]
fn bad_references_and_digests_are_answered_with_their_code() {
    let cases = [
        (
            "GET",
            "/v2/a/manifests/sha256:baddigeststring",
            ErrorCode::DigestInvalid,
        ),
        (
            "PUT",
            "/v2/a/manifests/sha256:baddigeststring",
            ErrorCode::DigestInvalid,
        ),
        ("GET", "/v2/a/manifests/", ErrorCode::TagInvalid),
        ("GET", "/v2/a/manifests/..", ErrorCode::TagInvalid),
        ("GET", "/v2/a/manifests/a%2Fb", ErrorCode::TagInvalid),
        ("GET", "/v2/a/manifests/a%00", ErrorCode::TagInvalid),
        ("GET", "/v2/a/blobs/", ErrorCode::DigestInvalid),
        ("GET", "/v2/a/blobs/latest", ErrorCode::DigestInvalid),
        (
            "GET",
            "/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e",
            ErrorCode::DigestInvalid,
        ),
        ("GET", "/v2/a/referrers/latest", ErrorCode::DigestInvalid),
        (
            "POST",
            "/v2/a/blobs/uploads/?digest=x",
            ErrorCode::DigestInvalid,
        ),
        (
            "POST",
            "/v2/a/blobs/uploads/?mount=x",
            ErrorCode::DigestInvalid,
        ),
        (
            "POST",
            "/v2/a/blobs/uploads/?from=A",
            ErrorCode::NameInvalid,
        ),
        (
            "POST",
            "/v2/a/blobs/uploads/?digest-algorithm=md5",
            ErrorCode::DigestInvalid,
        ),
        ("PUT", "/v2/a/blobs/uploads/u", ErrorCode::DigestInvalid),
        (
            "PUT",
            "/v2/a/blobs/uploads/u?digest=",
            ErrorCode::DigestInvalid,
        ),
        (
            "GET",
            "/v2/a/tags/list?n=-1",
            ErrorCode::PaginationNumberInvalid,
        ),
        (
            "GET",
            "/v2/a/tags/list?n=ten",
            ErrorCode::PaginationNumberInvalid,
        ),
        (
            "GET",
            "/v2/a/tags/list?last=a%0D%0Ab",
            ErrorCode::TagInvalid,
        ),
    ];
    for (method, url, code) in cases {
        let error = parse(method, url).unwrap_err();
        assert_eq!(
            (error.status(), error.code()),
            (StatusCode::BAD_REQUEST, code),
            "{url}"
        );
        assert_eq!(error.to_info().code, code);
    }
    let filter = parse(
        "GET",
        &format!("/v2/a/referrers/sha256:{HEX}?artifactType=%00"),
    );
    assert_eq!(filter.unwrap_err().status(), StatusCode::BAD_REQUEST);
}

#[test]
fn an_upload_id_that_cannot_exist_is_unknown() {
    for url in ["/v2/a/blobs/uploads/..", "/v2/a/blobs/uploads/a%2Fb"] {
        let error = parse("PATCH", url).unwrap_err();
        assert_eq!(error.status(), StatusCode::NOT_FOUND);
        assert_eq!(error.to_info(), ErrorCode::BlobUploadUnknown.into());
    }
}

#[test]
fn an_upper_case_name_is_told_its_lower_case_form() {
    let error = parse("GET", "/v2/Octo/Image/manifests/V1").unwrap_err();
    assert_eq!(
        error,
        NameError::UpperCase {
            lower_case: "octo/image".to_owned()
        }
        .into()
    );
    assert!(error.to_info().message.contains("octo/image"));
}

#[test]
fn other_methods_are_told_which_apply() {
    let cases = [
        ("POST", "/v2/", "GET, HEAD"),
        ("POST", "/v2/a/manifests/v1", "GET, HEAD, PUT, DELETE"),
        ("PUT", "/v2/a/blobs/x", "GET, HEAD, DELETE"),
        ("GET", "/v2/a/blobs/uploads/", "POST"),
        (
            "POST",
            "/v2/a/blobs/uploads/u",
            "GET, HEAD, PATCH, PUT, DELETE",
        ),
        ("DELETE", "/v2/a/tags/list", "GET, HEAD"),
        ("get", "/v2/", "GET, HEAD"),
    ];
    for (method, url, allow) in cases {
        let error = parse(method, url).unwrap_err();
        assert_eq!(
            error,
            EndpointError::MethodNotAllowed { allow },
            "{method} {url}"
        );
        assert_eq!(error.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[test]
fn tag_parameters_count_only_when_pushing_by_digest() {
    let tags = |method: &str, url: &str| match parse(method, url).unwrap() {
        Endpoint::Manifest { tags, .. } => tags.len(),
        other => panic!("{other:?}"),
    };
    let by_digest = format!("/v2/a/manifests/sha256:{HEX}?tag=1&x=y&tag=2&tag=1&tag=");
    assert_eq!(tags("PUT", &by_digest), 2);
    assert_eq!(tags("GET", &by_digest), 0);
    assert_eq!(tags("PUT", "/v2/a/manifests/v1?tag=-bad"), 0);
    let bad = parse("PUT", &format!("/v2/a/manifests/sha256:{HEX}?tag=-bad")).unwrap_err();
    assert_eq!(bad.code(), ErrorCode::TagInvalid);
}

#[test]
fn more_tags_than_allowed_are_too_long_a_uri() {
    let push = |count: usize| {
        let tags: Vec<_> = (0..count).map(|n| format!("tag=t{n}")).collect();
        parse(
            "PUT",
            &format!("/v2/a/manifests/sha256:{HEX}?{}", tags.join("&")),
        )
    };
    assert!(push(Endpoint::MAX_TAGS).is_ok());
    assert_eq!(
        push(Endpoint::MAX_TAGS + 1).unwrap_err().status(),
        StatusCode::URI_TOO_LONG
    );
}

#[test]
fn a_huge_page_size_is_the_largest_one() {
    let endpoint = parse("GET", "/v2/a/tags/list?n=99999999999999999999").unwrap();
    assert!(matches!(
        endpoint,
        Endpoint::TagsList {
            n: Some(u32::MAX),
            ..
        }
    ));
    let zero = parse("GET", "/v2/a/tags/list?n=0").unwrap();
    assert!(matches!(zero, Endpoint::TagsList { n: Some(0), .. }));
}

fn names() -> impl Strategy<Value = RepositoryName> {
    "(blobs|uploads|manifests|tags|list|[a-z0-9]{1,4}(-[a-z0-9]{1,3})?)(/(blobs|uploads|manifests|tags|list|referrers|v2|a)){0,4}"
        .prop_map(|text| text.parse().unwrap())
}

fn digests() -> impl Strategy<Value = Digest> {
    ("[a-z]{0,3}", any::<bool>()).prop_map(|(text, long)| {
        let algorithm = if long {
            Algorithm::Sha512
        } else {
            Algorithm::Sha256
        };
        Digest::of(algorithm, text.as_bytes())
    })
}

fn tag_texts() -> impl Strategy<Value = Tag> {
    "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,9}|list|uploads".prop_map(|text| text.parse().unwrap())
}

fn endpoints() -> impl Strategy<Value = (Method, Endpoint)> {
    let references = prop_oneof![
        tag_texts().prop_map(Reference::Tag),
        digests().prop_map(Reference::Digest)
    ];
    let types = "[!-~]{1,20}".prop_map(|text| text.parse::<MediaType>().unwrap());
    let ids = "[a-zA-Z0-9_-]{1,36}|list|uploads|blobs";
    let algorithms = prop_oneof![Just(Algorithm::Sha256), Just(Algorithm::Sha512)];
    prop_oneof![
        Just((Method::GET, Endpoint::Base)),
        (names(), digests())
            .prop_map(|(name, digest)| (Method::DELETE, Endpoint::Blob { name, digest })),
        (names(), references).prop_map(|(name, reference)| {
            (
                Method::GET,
                Endpoint::Manifest {
                    name,
                    reference,
                    tags: Vec::new(),
                },
            )
        }),
        (names(), digests(), tag_texts(), tag_texts()).prop_map(|(name, digest, one, two)| {
            let mut tags = vec![one, two];
            tags.dedup();
            (
                Method::PUT,
                Endpoint::Manifest {
                    name,
                    reference: digest.into(),
                    tags,
                },
            )
        }),
        (names(), option::of(any::<u32>()), option::of(tag_texts()))
            .prop_map(|(name, n, last)| (Method::GET, Endpoint::TagsList { name, n, last })),
        (
            names(),
            option::of(digests()),
            option::of(names()),
            option::of(digests()),
            option::of(algorithms)
        )
            .prop_map(|(name, mount, from, digest, algorithm)| {
                (
                    Method::POST,
                    Endpoint::Uploads {
                        name,
                        mount,
                        from,
                        digest,
                        algorithm,
                    },
                )
            }),
        (names(), ids, digests()).prop_map(|(name, id, digest)| {
            let id = id.parse().unwrap();
            (
                Method::PUT,
                Endpoint::Upload {
                    name,
                    id,
                    digest: Some(digest),
                },
            )
        }),
        (
            names(),
            digests(),
            option::of(types),
            option::of(any::<u32>()),
            option::of(digests())
        )
            .prop_map(|(name, digest, artifact_type, n, last)| {
                (
                    Method::GET,
                    Endpoint::Referrers {
                        name,
                        digest,
                        artifact_type,
                        n,
                        last,
                    },
                )
            }),
        (option::of(any::<u32>()), option::of(names()))
            .prop_map(|(n, last)| (Method::GET, Endpoint::Catalog { n, last })),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same((method, endpoint) in endpoints()) {
        let url = endpoint.to_string();
        let uri: Uri = url.parse().unwrap();
        prop_assert_eq!(Endpoint::parse(&method, uri.path(), uri.query()), Ok(endpoint));
    }

    #[test]
    fn no_request_line_makes_the_parser_panic(
        path in "\\PC*|/v2/[a-z%/.:]{0,30}|/v2/a/(manifests|blobs|referrers|blobs/uploads)/\\PC{0,9}",
        query in option::of("\\PC*|(n|last|tag|digest|mount|from)=\\PC{0,9}"),
    ) {
        for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE] {
            match Endpoint::parse(&method, &path, query.as_deref()) {
                Ok(endpoint) => prop_assert!(!endpoint.kind().is_empty()),
                Err(error) => prop_assert!(error.status().is_client_error()),
            }
        }
    }
}
