//! Every route of the registry, with what it needs and what it answers when that is given.
//!
//! Two tests keep the list whole. One takes the words of the endpoints from `naru_oci`, by a match
//! without a catch-all, and the methods of each from the running server's `Allow`. The other takes
//! the routes of the site from the table at the top of the server's `site.rs`. A route that stands
//! there and not here fails.

use std::collections::{BTreeMap, BTreeSet};

use naru_oci::Endpoint;

use crate::kit::content::{digest, unknown_digest};
use crate::kit::http::Method;
use crate::kit::server::plain;

use super::oracle::Realm;

/// What a route needs of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Needs {
    Read,
    Push,
    Delete,
}

/// What is sent along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sends {
    Nothing,
    /// A few bytes.
    Bytes,
    /// The manifest that is there already.
    Manifest,
}

/// A route of `/v2/<name>/`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) method: Method,
    /// What follows the name, with `$manifest`, `$child`, `$layer`, `$bytes`, `$unknown` for digests, `$name`
    /// for the repository and `$spare` for a tag that nobody else uses.
    pub(super) rest: &'static str,
    pub(super) needs: Needs,
    pub(super) sends: Sends,
    /// The status for those who may, where the package is there.
    pub(super) granted: u16,
    /// The status for those who may create the package, where it is not.
    pub(super) created: u16,
}

impl Route {
    /// The status for those who may, on the registry of `realm`: published tags of the legacy one
    /// stay where they are.
    pub(super) fn granted_in(&self, realm: Realm) -> u16 {
        if realm == Realm::Legacy && self.rest.ends_with("$spare") {
            409
        } else {
            self.granted
        }
    }
}

/// What is sent as [`Sends::Bytes`].
pub(super) const BYTES: &[u8] = b"a few bytes";

const fn read(method: Method, rest: &'static str) -> Route {
    Route {
        method,
        rest,
        needs: Needs::Read,
        sends: Sends::Nothing,
        granted: 200,
        created: 0,
    }
}

const fn push(
    method: Method,
    rest: &'static str,
    sends: Sends,
    granted: u16,
    created: u16,
) -> Route {
    Route {
        method,
        rest,
        needs: Needs::Push,
        sends,
        granted,
        created,
    }
}

const fn delete(rest: &'static str, granted: u16) -> Route {
    let sends = Sends::Nothing;
    Route {
        method: "DELETE",
        rest,
        needs: Needs::Delete,
        sends,
        granted,
        created: 0,
    }
}

/// An upload that never began.
const UPLOAD: &str = "blobs/uploads/0192d3f0-7c1e-7000-8000-000000000000";

/// Every route, in the order of the specification. Those that change something are asked in a way
/// that leaves the package as it is: what is needed cannot be deleted, what is there is pushed
/// again, an upload that never began cannot be gone on with.
pub(super) const ROUTES: [Route; 26] = [
    read("GET", "blobs/$layer"),
    read("HEAD", "blobs/$layer"),
    read("GET", "manifests/v1"),
    read("HEAD", "manifests/v1"),
    read("GET", "manifests/$manifest"),
    read("HEAD", "manifests/$manifest"),
    push("POST", "blobs/uploads/", Sends::Nothing, 202, 202),
    push(
        "POST",
        "blobs/uploads/?digest=$bytes",
        Sends::Bytes,
        201,
        201,
    ),
    push(
        "POST",
        "blobs/uploads/?mount=$layer&from=$name",
        Sends::Nothing,
        201,
        202,
    ),
    push("GET", UPLOAD, Sends::Nothing, 404, 404),
    push("HEAD", UPLOAD, Sends::Nothing, 404, 404),
    push("PATCH", UPLOAD, Sends::Bytes, 404, 404),
    push(
        "PUT",
        "blobs/uploads/0192d3f0-7c1e-7000-8000-000000000000?digest=$unknown",
        Sends::Bytes,
        404,
        404,
    ),
    push("DELETE", UPLOAD, Sends::Nothing, 404, 404),
    push("PUT", "manifests/v1", Sends::Manifest, 201, 400),
    push("PUT", "manifests/$manifest", Sends::Manifest, 201, 400),
    push(
        "PUT",
        "manifests/$manifest?tag=v1",
        Sends::Manifest,
        201,
        400,
    ),
    read("GET", "tags/list"),
    read("HEAD", "tags/list"),
    read("GET", "tags/list?n=1&last=a"),
    read("GET", "referrers/$manifest"),
    read("HEAD", "referrers/$manifest"),
    read("GET", "referrers/$manifest?artifactType=a%2Fb"),
    delete("manifests/$spare", 202),
    delete("manifests/$child", 409),
    delete("blobs/$layer", 409),
];

/// Routes without a repository name: the base and the catalogue.
pub(super) const NAMELESS: [(Method, &str); 4] = [
    ("GET", "/v2/"),
    ("HEAD", "/v2/"),
    ("GET", "/v2/_catalog"),
    ("HEAD", "/v2/_catalog"),
];

/// Routes of the site besides `/v2/` and REST, which has a matrix of its own, with their methods.
/// Who may ask them is tested with each.
const SITE: [(&str, &[&str]); 5] = [
    ("/token", &["GET", "POST"]),
    ("/livez", &["GET"]),
    ("/readyz", &["GET"]),
    ("/metrics", &["GET"]),
    ("/", &["GET", "HEAD"]),
];

/// The rest with its placeholders filled in.
pub(super) fn filled(rest: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(rest.to_owned(), |rest, (name, value)| {
        rest.replace(name, value)
    })
}

fn example(rest: &str) -> String {
    let unknown = unknown_digest();
    let bytes = digest(BYTES);
    filled(
        rest,
        &[
            ("$manifest", &unknown),
            ("$child", &unknown),
            ("$layer", &unknown),
            ("$bytes", &bytes),
            ("$unknown", &unknown),
            ("$name", "octo/app"),
            ("$spare", "spare"),
        ],
    )
}

/// The word of an endpoint. Without a catch-all: an endpoint that is new in `naru_oci` must be
/// given its routes here.
const fn word(endpoint: &Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Base => "base",
        Endpoint::Blob { .. } => "blob",
        Endpoint::Manifest { .. } => "manifest",
        Endpoint::TagsList { .. } => "tags",
        Endpoint::Uploads { .. } => "uploads",
        Endpoint::Upload { .. } => "upload",
        Endpoint::Referrers { .. } => "referrers",
        Endpoint::Catalog { .. } => "catalog",
    }
}

/// Every word that [`word`] knows.
const WORDS: [&str; 8] = [
    "base",
    "blob",
    "catalog",
    "manifest",
    "referrers",
    "tags",
    "upload",
    "uploads",
];

fn every_path() -> Vec<(Method, String)> {
    let named = ROUTES.iter().map(|route| {
        (
            route.method,
            format!("/v2/octo/app/{}", example(route.rest)),
        )
    });
    let nameless = NAMELESS
        .iter()
        .map(|(method, path)| (*method, (*path).to_owned()));
    named.chain(nameless).collect()
}

#[test]
fn no_endpoint_and_no_method_of_the_registry_is_missing_here() {
    let mut methods: BTreeMap<&str, (BTreeSet<&str>, String)> = BTreeMap::new();
    for (method, path) in every_path() {
        let (bare, query) = path
            .split_once('?')
            .map_or((&*path, None), |(p, q)| (p, Some(q)));
        let endpoint = Endpoint::parse(&method.parse().unwrap(), bare, query).unwrap();
        let entry = methods.entry(word(&endpoint)).or_default();
        entry.0.insert(method);
        entry.1 = bare.to_owned();
    }
    assert_eq!(methods.keys().copied().collect::<Vec<_>>(), WORDS);
    let server = plain();
    for (word, (known, path)) in methods {
        // A method that no endpoint takes is told which ones it does.
        let answer = server
            .request("QUERY", &path)
            .signed(&server.octo())
            .send()
            .expect(405);
        let taken: BTreeSet<&str> = answer.the("allow").split(", ").collect();
        assert_eq!(taken, known, "methods of `{word}`");
    }
}

/// The table at the top of the server's `site.rs` is its list of routes.
#[test]
fn no_route_of_the_site_is_missing_here() {
    let source = include_str!("../../../../server/src/site.rs");
    let rows = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `/"));
    let mut listed = BTreeSet::new();
    for row in rows {
        let cell = row.split(" | ").next().unwrap();
        let paths = format!("`/{cell}");
        listed.extend(
            paths
                .split('`')
                .filter(|text| text.starts_with('/'))
                .map(str::to_owned),
        );
    }
    let known: BTreeSet<String> = SITE
        .iter()
        .map(|(path, _)| (*path).to_owned())
        .chain(["/v2/…", "/api/v3/…", "/api/graphql", "/docs/rest"].map(str::to_owned))
        .collect();
    assert_eq!(listed, known);
}

/// What is no `/v2/` route: health is for everybody, figures for administrators, the rest absent.
#[test]
fn the_other_routes_of_the_site_answer_those_they_are_for() {
    let server = plain();
    let octo = server.octo();
    let administrator = server.process.administrator();
    let administrator =
        crate::kit::http::Credential::basic(&administrator.name, &administrator.token);
    let nobody = crate::kit::http::Credential::Absent;
    for credential in [&nobody, &octo, &administrator] {
        for path in ["/livez", "/readyz", "/"] {
            server.get(path).signed(credential).send().expect(200);
        }
        let figures = server.get("/metrics").signed(credential).send();
        let absent = server.get("/nothing").signed(credential).send().expect(404);
        if credential == &administrator {
            figures.expect(200);
        } else {
            assert_eq!(figures.lasting(), absent.lasting());
        }
    }
    for (path, methods) in SITE {
        for method in ["PUT", "PATCH", "DELETE", "QUERY"] {
            let answer = server.request(method, path).signed(&octo).send();
            let refused = answer.status == 404 || answer.status == 405;
            // Health is told to whoever asks, however.
            assert!(refused || path.ends_with('z'), "{methods:?} {answer:?}");
        }
    }
}
