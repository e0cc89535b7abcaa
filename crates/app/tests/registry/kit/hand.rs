//! The command line beside the server: how a person on the machine makes users, organizations,
//! tokens, and changes who may do what.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use serde_json::Value;

use super::http::Credential;
use super::server::Server;

/// All that the registry asks for to push, pull and delete.
pub(crate) const ALL_SCOPES: &[&str] = &["write:packages", "delete:packages", "repo"];

impl Server {
    /// Runs `naru` on the server's data; answers what it printed.
    pub(crate) fn naru<const N: usize>(&self, arguments: [&str; N]) -> String {
        self.process.naru(arguments)
    }

    /// Makes a user without a password.
    pub(crate) fn user(&self, name: &str) {
        self.naru(["user", "create", name]);
    }

    /// Makes a personal access token.
    pub(crate) fn token(&self, user: &str, scopes: &[&str]) -> String {
        let scopes = scopes.join(",");
        self.naru(["token", "create", user, "--scope", &scopes])
    }

    /// Makes a personal access token and says its number too, by which it is revoked.
    pub(crate) fn numbered_token(&self, user: &str, scopes: &[&str]) -> (String, String) {
        let scopes = scopes.join(",");
        let made = self.naru(["token", "create", user, "--scope", &scopes, "--json"]);
        let made: Value = serde_json::from_str(&made).unwrap();
        (
            made["token"].as_str().unwrap().to_owned(),
            made["id"].to_string(),
        )
    }

    /// A user with a token for everything about packages; made once for each server and name.
    pub(crate) fn someone(&self, name: &str) -> Credential {
        static KNOWN: Mutex<Option<HashMap<(SocketAddr, String), String>>> = Mutex::new(None);
        // Held while the user is made, so that two tests do not make the same one.
        let mut known = KNOWN
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = known.get_or_insert_with(HashMap::new);
        let token = known
            .entry((self.address, name.to_owned()))
            .or_insert_with(|| {
                self.user(name);
                self.token(name, ALL_SCOPES)
            });
        Credential::basic(name, token)
    }

    /// The user whose repositories most tests push to.
    pub(crate) fn octo(&self) -> Credential {
        self.someone("octo")
    }

    /// Changes who may read a package without a role.
    pub(crate) fn set_visibility(&self, package: &str, visibility: &str) {
        self.naru(["package", "visibility", package, visibility]);
    }
}
