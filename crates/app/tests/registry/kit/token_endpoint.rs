//! The token endpoint, as a client uses it.

use super::http::{Answer, Credential, Request, in_query};
use super::repo::Repo;
use super::server::Server;

impl Server {
    /// Asks for a registry token with these scopes.
    pub(crate) fn ask_token(&self, credential: &Credential, scopes: &[&str]) -> Request {
        let scopes: String = scopes
            .iter()
            .map(|scope| format!("&scope={}", in_query(scope)))
            .collect();
        self.get(&format!("/token?service={}{scopes}", self.address))
            .signed(credential)
    }

    /// A registry token with these scopes, as far as they are granted.
    #[track_caller]
    pub(crate) fn registry_token(&self, credential: &Credential, scopes: &[&str]) -> Credential {
        token_in(&self.ask_token(credential, scopes).send().expect(200))
    }
}

impl Repo<'_> {
    /// The scope of these actions on the repository.
    pub(crate) fn scope(&self, actions: &str) -> String {
        format!("repository:{}:{actions}", self.name)
    }

    /// The same repository, asked with a registry token for these actions.
    #[track_caller]
    pub(crate) fn with_token(&self, actions: &str) -> Self {
        self.by(&self
            .server
            .registry_token(&self.credential, &[&self.scope(actions)]))
    }
}

/// The token in the endpoint's answer.
#[track_caller]
pub(crate) fn token_in(answer: &Answer) -> Credential {
    let json = answer.json();
    Credential::bearer(
        json["token"]
            .as_str()
            .unwrap_or_else(|| panic!("no token in {answer:?}")),
    )
}
