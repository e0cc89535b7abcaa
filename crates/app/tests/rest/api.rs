//! Requests to the REST API as its clients make them. [`Call::send`] judges each answer by the
//! contract and fails the test where it is not what the description promises.

use serde_json::Value;

use crate::contract::{self, Observed};
use crate::kit::http::{Answer, Credential, Method, Request};
use crate::kit::server::Server;

/// Where the API is on the web host.
pub(crate) const BASE: &str = "/api/v3";

/// Every scope that has to do with packages, repositories and organizations.
pub(crate) const SCOPES: &[&str] = &[
    "repo",
    "delete_repo",
    "write:packages",
    "delete:packages",
    "admin:org",
    "user",
];

/// A request that is being put together.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    /// Below [`BASE`], without the query.
    path: String,
    request: Request,
}

impl Server {
    /// A request to `target`, a path below the base of the API, or a URL that an answer gave.
    /// `%` and `?` in it go over the wire as they stand.
    pub(crate) fn api(&self, method: Method, target: &str) -> Call {
        self.api_as("naru-tests", method, target)
    }

    /// The same by a client that calls itself `agent`.
    pub(crate) fn api_as(&self, agent: &str, method: Method, target: &str) -> Call {
        let target = match target.split_once(BASE) {
            Some((_, rest)) => rest,
            None => target,
        };
        let path = target.split('?').next().unwrap_or_default();
        Call {
            method,
            path: path.to_owned(),
            request: self
                .request(method, &format!("{BASE}{target}"))
                .with("User-Agent", agent),
        }
    }

    /// A user with a token for everything: `Authorization: token …`, as most clients send it.
    pub(crate) fn someone_with_all(&self, name: &str) -> Credential {
        self.user(name);
        Credential::bearer(&self.token(name, SCOPES))
    }
}

impl Call {
    /// As whom.
    pub(crate) fn signed(mut self, credential: &Credential) -> Self {
        self.request = self.request.signed(credential);
        self
    }

    /// With a header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.with(name, value);
        self
    }

    /// With a body in JSON.
    pub(crate) fn json(mut self, body: &Value) -> Self {
        let request = self.request.with("Content-Type", "application/json");
        self.request = request.body(body.to_string());
        self
    }

    /// With a body that says it is JSON.
    pub(crate) fn text(mut self, body: &str) -> Self {
        let request = self.request.with("Content-Type", "application/json");
        self.request = request.body(body);
        self
    }

    /// Sends it; the answer must be what the description promises.
    #[track_caller]
    pub(crate) fn send(self) -> Answer {
        let (answer, faults) = self.judged();
        assert!(faults.is_empty(), "{}\n{answer:?}", faults.join("\n"));
        answer
    }

    /// Sends it; answers also what is wrong with the answer.
    pub(crate) fn judged(self) -> (Answer, Vec<String>) {
        let answer = self.request.send();
        let faults = contract::faults(&Observed {
            method: self.method,
            path: &self.path,
            status: answer.status,
            headers: answer.all_headers(),
            body: &answer.body,
        });
        (answer, faults)
    }
}

impl Answer {
    /// The sentence of an error.
    #[track_caller]
    pub(crate) fn message(&self) -> String {
        let json = self.json();
        let message = json["message"].as_str();
        message
            .unwrap_or_else(|| panic!("no message in {self:?}"))
            .to_owned()
    }

    /// The page that a relation of the `Link` header leads to.
    pub(crate) fn page(&self, relation: &str) -> Option<&str> {
        let links = self.header("link")?.split(", ");
        let wanted = format!(">; rel=\"{relation}\"");
        let mut urls = links.filter_map(|link| link.strip_suffix(&wanted)?.strip_prefix('<'));
        urls.next()
    }
}
