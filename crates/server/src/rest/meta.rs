//! What the API says of itself: its root, its versions, its limits, its description (contract D9,
//! D10).

use std::collections::BTreeMap;

use naru_model::Principal;
use serde::Serialize;
use utoipa::ToSchema;

use super::call::Call;
use super::error::Failure;
use super::finish::{ENTERPRISE_VERSION, Outcome, VERSIONS};
use super::operation::Operations;
use super::rate::Standing;

/// The operations about the API itself.
pub(super) fn routes(operations: &mut Operations) {
    operations
        .get("/", root)
        .id("meta/root")
        .summary("API root")
        .description("Where things are. Some of the addresses lead to what Naru does not have.")
        .answers::<Root>(200, "Addresses by name")
        .refuses(&[401]);
    operations
        .get("/meta", meta)
        .id("meta/get")
        .summary("Get meta information")
        .answers::<Meta>(200, "What this instance is")
        .refuses(&[401]);
    operations
        .get("/versions", versions)
        .id("meta/get-all-versions")
        .summary("Get all API versions")
        .lists::<String>("The versions that X-GitHub-Api-Version may name")
        .refuses(&[401]);
    operations
        .get("/rate_limit", rate_limit)
        .id("rate-limit/get")
        .summary("Get rate limit status for the authenticated user")
        .description("Asking costs nothing. 404 where nothing is counted.")
        .answers::<RateLimits>(200, "How much of the hour is left")
        .refuses(&[401, 404]);
    operations
        .get("/openapi.json", description)
        .own("meta/get-description")
        .summary("Get the description of this API")
        .description("OpenAPI 3.1, made from the operations themselves.")
        .answers::<OpenApiDocument>(200, "The description")
        .refuses(&[401]);
    operations
        .post(
            "/app/installations/{installation_id}/access_tokens",
            no_apps,
        )
        .id("apps/create-installation-access-token")
        .summary("Create an installation access token for an app")
        .description(
            "There are no GitHub Apps here, so no JSON Web Token is good for this: always 401. \
             Tokens for workflows are made with `repos/create-workflow-token`.",
        )
        .ends(201, "Never")
        .refuses(&[401]);
}

/// Addresses of the API, some of them with places in braces (RFC 6570), by name.
#[derive(Serialize, ToSchema)]
struct Root {
    #[serde(flatten)]
    addresses: BTreeMap<&'static str, String>,
}

/// An OpenAPI document.
#[derive(ToSchema)]
#[schema(as = OpenApi)]
#[expect(dead_code, reason = "it describes what the document describes itself")]
struct OpenApiDocument {
    /// The version of OpenAPI.
    openapi: String,
    #[schema(value_type = Object)]
    info: (),
    #[schema(value_type = Object)]
    paths: (),
    #[schema(value_type = Object)]
    components: (),
}

/// The addresses of the root, by the names that the vendor gives them.
const ADDRESSES: &[(&str, &str)] = &[
    ("current_user_url", "/user"),
    ("authorizations_url", "/authorizations"),
    (
        "code_search_url",
        "/search/code?q={query}{&page,per_page,sort,order}",
    ),
    (
        "commit_search_url",
        "/search/commits?q={query}{&page,per_page,sort,order}",
    ),
    ("emails_url", "/user/emails"),
    ("emojis_url", "/emojis"),
    ("events_url", "/events"),
    ("feeds_url", "/feeds"),
    ("followers_url", "/user/followers"),
    ("following_url", "/user/following{/target}"),
    ("gists_url", "/gists{/gist_id}"),
    ("hub_url", "/hub"),
    (
        "issue_search_url",
        "/search/issues?q={query}{&page,per_page,sort,order}",
    ),
    ("issues_url", "/issues"),
    ("keys_url", "/user/keys"),
    (
        "label_search_url",
        "/search/labels?q={query}&repository_id={repository_id}{&page,per_page}",
    ),
    ("notifications_url", "/notifications"),
    ("organization_url", "/orgs/{org}"),
    (
        "organization_repositories_url",
        "/orgs/{org}/repos{?type,page,per_page,sort}",
    ),
    ("organization_teams_url", "/orgs/{org}/teams"),
    ("public_gists_url", "/gists/public"),
    ("rate_limit_url", "/rate_limit"),
    ("repository_url", "/repos/{owner}/{repo}"),
    (
        "repository_search_url",
        "/search/repositories?q={query}{&page,per_page,sort,order}",
    ),
    (
        "current_user_repositories_url",
        "/user/repos{?type,page,per_page,sort}",
    ),
    ("starred_url", "/user/starred{/owner}{/repo}"),
    ("starred_gists_url", "/gists/starred"),
    (
        "topic_search_url",
        "/search/topics?q={query}{&page,per_page}",
    ),
    ("user_url", "/users/{user}"),
    ("user_organizations_url", "/user/orgs"),
    (
        "user_repositories_url",
        "/users/{user}/repos{?type,page,per_page,sort}",
    ),
    (
        "user_search_url",
        "/search/users?q={query}{&page,per_page,sort,order}",
    ),
    ("openapi_url", "/openapi.json"),
];

/// What the root no longer names since 2026-03-10.
const LEFT: [&str; 2] = ["authorizations_url", "hub_url"];

async fn root(call: Call) -> Outcome {
    let urls = call.urls();
    let is_new = call.is_since("2026-03-10");
    let named = ADDRESSES
        .iter()
        .filter(|(name, _)| !(is_new && LEFT.contains(name)));
    let mut addresses: BTreeMap<&'static str, String> = named
        .map(|(name, path)| (*name, format!("{}{path}", urls.api)))
        .collect();
    let connections = format!(
        "{}/settings/connections/applications{{/client_id}}",
        urls.web
    );
    addresses.insert("current_user_authorizations_html_url", connections);
    addresses.insert("documentation_url", format!("{}/docs/rest", urls.web));
    call.ok(&Root { addresses })
}

/// What this instance is.
#[derive(Serialize, ToSchema)]
struct Meta {
    /// Never: passwords are for the sign-in page.
    verifiable_password_authentication: bool,
    /// The version of GitHub Enterprise Server whose behaviour is followed.
    installed_version: &'static str,
    /// The version of Naru.
    naru_version: &'static str,
    domains: Domains,
}

/// The names of this instance. Its networks are left out: a process does not know them.
#[derive(Serialize, ToSchema)]
struct Domains {
    website: Vec<String>,
    packages: Vec<String>,
}

async fn meta(call: Call) -> Outcome {
    let urls = call.urls();
    let host = urls.web.split_once("://").map_or("", |(_, host)| host);
    call.ok(&Meta {
        verifiable_password_authentication: false,
        installed_version: ENTERPRISE_VERSION,
        naru_version: env!("CARGO_PKG_VERSION"),
        domains: Domains {
            website: vec![host.to_owned()],
            packages: vec![urls.containers],
        },
    })
}

async fn versions(call: Call) -> Outcome {
    call.ok(&VERSIONS)
}

/// How much of the hour is left.
#[derive(Serialize, ToSchema)]
struct RateLimits {
    resources: Resources,
    /// The same as `core`; left out from version 2026-03-10 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<RateLimit>,
}

/// Everything is counted in one: the three say the same.
#[derive(Serialize, ToSchema)]
struct Resources {
    core: RateLimit,
    search: RateLimit,
    graphql: RateLimit,
}

/// A count of requests.
#[derive(Clone, Copy, Serialize, ToSchema)]
struct RateLimit {
    limit: u64,
    remaining: u64,
    /// When counting begins anew, in seconds since 1970.
    reset: i64,
    used: u64,
}

impl From<Standing> for RateLimit {
    fn from(standing: Standing) -> Self {
        Self {
            limit: standing.limit,
            remaining: standing.remaining(),
            reset: standing.reset.as_seconds(),
            used: standing.used_with_this(),
        }
    }
}

async fn rate_limit(call: Call) -> Outcome {
    let standing = call.standing().ok_or(Failure::NOT_FOUND)?;
    let core = RateLimit::from(standing);
    let resources = Resources {
        core,
        search: core,
        graphql: core,
    };
    let rate = (!call.is_since("2026-03-10")).then_some(core);
    call.ok(&RateLimits { resources, rate })
}

async fn description(call: Call) -> Outcome {
    call.ok(&call.description())
}

async fn no_apps(call: Call) -> Outcome {
    Err(match call.caller().principal {
        Principal::Anonymous { .. } => Failure::UNAUTHENTICATED,
        _ => Failure::text(
            http::StatusCode::UNAUTHORIZED,
            "A JSON web token could not be decoded",
        ),
    })
}
