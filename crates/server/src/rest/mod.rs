//! The REST face: GitHub's packages API and what Naru adds to it, in GitHub's shapes
//! (contract D, `EXTENSIONS`). Under `/api/v3` on the web host, at the root of the API host.
//!
//! Read in this order:
//! - [`routes`]: every operation, in reading order;
//! - [`operation`]: how an operation is declared, once;
//! - [`call`]: the request as a handler sees it; [`input`], [`paging`]: its parts as types;
//! - the nouns: [`packages`] and its like, each with its handlers and its lines of the table;
//! - [`views`]: what they answer with;
//! - [`error`]: how the outcomes of use cases look here;
//! - [`finish`], [`rate`]: what all answers have in common;
//! - `document`, [`mod@reference`]: what the API says of itself, for programs and for people.
//!
//! A handler has three movements: the request is read into types, one use case is called, a view
//! is rendered. It knows nothing of roles.

mod artifacts;
mod attestations;
mod billing;
mod call;
mod collaborators;
mod document;
mod error;
mod explain;
mod finish;
mod graphql;
mod input;
mod invitations;
mod members;
mod meta;
mod operation;
mod orgs;
mod owners;
mod package_access;
mod packages;
mod paging;
mod rate;
mod reference;
mod repo_lists;
mod repos;
mod routes;
mod search;
mod settings;
mod statistics;
mod tag_rules;
mod tags;
mod team_repos;
mod teams;
mod tokens;
mod turning;
mod usage;
mod users;
mod versions;
mod views;

use std::sync::Arc;

use http::header::{AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use naru_model::{Moment, Principal};
use naru_registry::authorization::Authorization;
use naru_registry::credentials::{Door, Identity};
use naru_registry::{BadCredential, Caller, Error, Registry};
use tower::ServiceExt;
use utoipa::openapi::OpenApi;

use crate::body::Body;
use crate::hosts::{Arrival, RestBase};
use crate::listen::RequestBody;
use crate::site::plain;

use call::Situation;
use error::Failure;
use finish::Finish;
use operation::Table;
use rate::Limiter;
use reference::Pages;
use views::Urls;

pub use rate::RestSettings;

/// The tables of the handbook's page about the REST API: every operation, with its scopes.
#[must_use]
pub fn reference_tables() -> String {
    reference::tables(&routes::table())
}

/// The REST API over one registry. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Rest(Arc<Parts>);

struct Parts {
    registry: Arc<Registry>,
    router: axum::Router,
    limiter: Limiter,
    pages: Pages,
}

/// What handlers are given besides the call.
#[derive(Clone)]
pub(crate) struct State {
    registry: Arc<Registry>,
    /// What the API says of itself, without the address of the server.
    document: Arc<OpenApi>,
    /// What can be asked by GraphQL.
    questions: graphql::Questions,
}

impl Rest {
    /// The face over `registry`.
    pub(crate) fn new(registry: Arc<Registry>, settings: RestSettings) -> Self {
        let table = routes::table();
        let pages = Pages::new(&table);
        let Table {
            router,
            operations,
            schemas,
        } = table;
        let state = State {
            registry: Arc::clone(&registry),
            document: Arc::new(document::document(&operations, &schemas)),
            questions: graphql::questions(),
        };
        let router = router
            .fallback(no_such_operation)
            .method_not_allowed_fallback(no_such_operation)
            .with_state(state);
        Self(Arc::new(Parts {
            registry,
            router,
            limiter: Limiter::new(settings),
            pages,
        }))
    }

    /// The reference of the API for people, and its style sheet; `None` for other paths.
    pub(crate) fn page(
        &self,
        arrival: &Arrival,
        request: &Request<RequestBody>,
    ) -> Option<Response<Body>> {
        let query = request.uri().query().unwrap_or_default();
        match request.uri().path() {
            reference::PATH => {
                let base = arrival.rest.unwrap_or(RestBase::Path);
                let urls = Urls::new(arrival, base);
                Some(self.0.pages.answer(query, request.headers(), &urls))
            }
            reference::STYLE_PATH => Some(reference::style(request.headers())),
            _ => None,
        }
    }

    /// Answers a request whose path begins with `base`.
    pub(crate) async fn answer(
        &self,
        arrival: &Arrival,
        base: RestBase,
        request_id: &str,
        request: Request<RequestBody>,
    ) -> Response<Body> {
        let headers = request.headers();
        if !has_user_agent(headers) {
            return plain(StatusCode::FORBIDDEN, NO_USER_AGENT);
        }
        let mut finish = Finish::new(request.method(), headers, arrival, request_id);
        let now = self.0.registry.now();
        let caller = match self.caller(headers, request_id).await {
            Ok(caller) => caller,
            Err(failure) => return finish.failure(&self.attempted(failure, arrival, now)),
        };
        finish.for_caller(&caller);
        if let Err(failure) = finish.check_version() {
            return finish.failure(&failure);
        }
        finish.expires(self.0.registry.token_expiry(&caller).await);
        let uri = base.strip(request.uri());
        let path = uri.as_ref().map_or("", |uri| uri.path()).to_owned();
        let cost = u64::from(path != "/rate_limit");
        let standing = self.0.limiter.take(&caller, arrival, now, cost);
        finish.rate(standing);
        if standing.is_some_and(|standing| standing.is_exceeded()) {
            return finish.failure(&Failure::rate_limited(&caller.principal, arrival));
        }
        let changes = changes_something(request.method(), &path);
        let _running = match self.0.limiter.begin(&caller, arrival, now, changes) {
            Ok(running) => running,
            Err(too_much) => {
                return finish.failure(&Failure::secondary_limit(too_much.retry_after));
            }
        };
        let situation = Situation::new(caller.clone(), arrival.clone(), base, standing);
        let response = self.route(situation, base, request).await;
        let response = finish.finish(response).await;
        let is_known = response.status() == StatusCode::NOT_MODIFIED && finish.names_entity_tags();
        if is_known && !caller.principal.is_anonymous() {
            self.0.limiter.give_back(&caller, arrival, now, cost);
        }
        response
    }

    /// A credential that is of no use counts too, or it could be guessed without end.
    fn attempted(&self, failure: Failure, arrival: &Arrival, now: Moment) -> Failure {
        let is_attempt = failure.status() == StatusCode::UNAUTHORIZED;
        if is_attempt && self.0.limiter.take_attempt(arrival, now) {
            return Failure::rate_limited(&Principal::ANONYMOUS, arrival);
        }
        failure
    }

    async fn route(
        &self,
        situation: Situation,
        base: RestBase,
        request: Request<RequestBody>,
    ) -> axum::response::Response {
        let (mut parts, body) = request.into_parts();
        match base.strip(&parts.uri) {
            Some(uri) => parts.uri = uri,
            None => return error::into_response(Failure::NOT_FOUND),
        }
        // So that both have the same entity tag; hyper leaves the body out.
        if parts.method == Method::HEAD {
            parts.method = Method::GET;
        }
        parts.extensions.insert(situation);
        let request = Request::from_parts(parts, axum::body::Body::new(body));
        match self.0.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Who is calling. A registry token is for the registry only.
    async fn caller(&self, headers: &HeaderMap, request_id: &str) -> Result<Caller, Failure> {
        let presented = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let identity = self
            .0
            .registry
            .identify(Door::Rest, &Authorization::parse(presented))
            .await?;
        let principal = match identity {
            Identity::Known(principal) if principal.access().is_none() => principal,
            Identity::Known(_) | Identity::Ignored(_) | Identity::TokenNotProvided => {
                return Err(Error::BadCredential(BadCredential::NotAToken).into());
            }
        };
        Ok(Caller {
            principal,
            request_id: Some(request_id.to_owned()),
        })
    }
}

/// What a program hears that does not tell its name.
const NO_USER_AGENT: &str = "Request forbidden by administrative rules. Please make sure your \
                             request has a User-Agent header.\n";

fn has_user_agent(headers: &HeaderMap) -> bool {
    headers
        .get(USER_AGENT)
        .is_some_and(|agent| !agent.is_empty())
}

/// Whether a request may change something. What is asked by GraphQL is only read.
fn changes_something(method: &Method, path: &str) -> bool {
    !matches!(*method, Method::GET | Method::HEAD) && path != "/graphql"
}

async fn no_such_operation() -> axum::response::Response {
    error::into_response(Failure::NOT_FOUND)
}
