//! What three widely used clean-up tools ask of GitHub, request by request, as programs of our own:
//! the same paths, headers, order and demands on answers, and the same choice of what to delete.
//!
//! - [`delete_package_versions`]: the action of that name by GitHub itself, as of 4dbb860;
//! - [`ghcr_cleanup_action`]: the one by dataaxiom, as of f092b48;
//! - [`container_retention_policy`]: the one by snok, as of 54bd23d;
//! - [`fleet`]: a package as builds leave it behind, and whether everything tagged is still whole.
//!
//! A tool that would stop, or end its run as failed, is a failed test here.

pub(crate) mod container_retention_policy;
pub(crate) mod delete_package_versions;
pub(crate) mod fleet;
pub(crate) mod ghcr_cleanup_action;

use serde_json::Value;

use crate::api::Call;
use crate::kit::http::{Answer, Method};
use crate::kit::server::Server;

/// The package that a tool is to clean, and with which token.
#[derive(Clone, Debug)]
pub(crate) struct Job<'s> {
    pub(crate) server: &'s Server,
    pub(crate) token: String,
    pub(crate) owner: String,
    pub(crate) is_organization: bool,
    /// The name under the owner, with its slashes.
    pub(crate) package: String,
}

impl Job<'_> {
    /// The name as one part of a path.
    fn encoded(&self) -> String {
        self.package.replace('/', "%2F")
    }

    /// A request as octokit sends it.
    fn octokit(&self, method: Method, path: &str) -> Call {
        self.server
            .api_as("octokit-rest.js/21.0.2 octokit-core.js/6.1.2", method, path)
            .with("Accept", "application/vnd.github.v3+json")
            .with("Authorization", &format!("token {}", self.token))
    }
}

/// A version, with the fields that the tools read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// One of the tools has no room for more than 32 bits.
    pub(crate) id: u32,
    pub(crate) digest: String,
    pub(crate) tags: Vec<String>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

impl Version {
    /// Reads a version as strictly as the tools do.
    fn read(version: &Value) -> Self {
        let text = |field: &str| version[field].as_str().unwrap().to_owned();
        let tags = version["metadata"]["container"]["tags"].as_array().unwrap();
        Self {
            id: version["id"].as_u64().unwrap().try_into().unwrap(),
            digest: text("name"),
            tags: tags
                .iter()
                .map(|tag| tag.as_str().unwrap().to_owned())
                .collect(),
            created_at: text("created_at"),
            updated_at: text("updated_at"),
        }
    }

    fn list(answer: &Answer) -> Vec<Self> {
        let list = answer.json();
        list.as_array().unwrap().iter().map(Self::read).collect()
    }
}
