//! Naru as a new user has it: SQLite, a directory, authentication and fsync on.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use super::output_of;
use crate::client::{Request, Want, ask};

/// Who pushes and pulls; also the first part of every repository's name.
pub(crate) const USER: &str = "bench";
/// The configuration file beside the data, where there is one.
pub(crate) const SETTINGS: &str = "naru.toml";

/// A user with a personal access token.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    basic: String,
    /// The path of the token endpoint, with `service`.
    endpoint: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: String,
}

/// `naru serve`.
pub(super) fn command(binary: &Path, directory: &Path, address: SocketAddr) -> Command {
    let mut command = on_data(binary, directory, &["serve"]);
    command.arg("--listen").arg(address.to_string());
    command
}

/// A command of Naru on the data directory below `directory`.
fn on_data(binary: &Path, directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command
        .args(words)
        .arg("--data")
        .arg(directory.join("data"));
    let settings = directory.join(SETTINGS);
    if settings.exists() {
        command.arg("--config").arg(settings);
    }
    command
}

/// Makes a user on the machine, as an administrator would.
pub(super) fn create_user(binary: &Path, directory: &Path, login: &str) -> Result<()> {
    let words = ["user", "create", login, "--password-stdin"];
    let create = on_data(binary, directory, &words);
    output_of(create, &format!("{}\n", password()?)).context("creating the user")?;
    Ok(())
}

/// Makes a personal access token on the machine.
pub(super) fn create_token(
    binary: &Path,
    directory: &Path,
    login: &str,
    scopes: &[&str],
) -> Result<String> {
    let mut words = vec!["token", "create", login];
    words.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
    let token = output_of(on_data(binary, directory, &words), "").context("making a token")?;
    Ok(token.trim().to_owned())
}

impl Account {
    /// Makes the user and a token on the machine, as an administrator would.
    pub(super) fn create(binary: &Path, directory: &Path, address: SocketAddr) -> Result<Self> {
        create_user(binary, directory, USER)?;
        let scopes = ["write:packages", "delete:packages"];
        let token = create_token(binary, directory, USER, &scopes)?;
        let basic = BASE64.encode(format!("{USER}:{token}"));
        Ok(Self {
            basic,
            endpoint: endpoint(address)?,
        })
    }

    /// The request for a registry token that allows these scopes.
    pub(crate) fn token_request(&self, scopes: &[&str]) -> Request {
        let mut target = self.endpoint.clone();
        for scope in scopes {
            target.push_str("&scope=");
            target.push_str(scope);
        }
        let headers = format!("Authorization: Basic {}\r\n", self.basic);
        Request::new("GET", &target, &headers, Want::status(200).keep())
    }

    /// The header line with such a token.
    pub(super) fn authorization(&self, address: SocketAddr, scopes: &[&str]) -> Result<String> {
        let answer = ask(address, self.token_request(scopes)).context("asking for a token")?;
        Ok(format!(
            "Authorization: Bearer {}\r\n",
            token_in(&answer.body)?
        ))
    }
}

/// The token in an answer of the token endpoint.
///
/// # Errors
/// There is none.
pub(crate) fn token_in(body: &[u8]) -> Result<String> {
    let answer: TokenAnswer = serde_json::from_slice(body).context("no token in the answer")?;
    Ok(answer.token)
}

/// Where the challenge sends a client for tokens.
fn endpoint(address: SocketAddr) -> Result<String> {
    let answer = ask(
        address,
        Request::new("GET", "/v2/", "", Want::status(401).keep()),
    )?;
    let challenge = answer.needed("www-authenticate")?;
    let realm = parameter(challenge, "realm").context("a challenge without a realm")?;
    let service = parameter(challenge, "service").context("a challenge without a service")?;
    let (_, path) = realm
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .context("the realm is no URL with a path")?;
    Ok(format!("/{path}?service={service}"))
}

/// `name="value"` in a challenge.
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = challenge.split_once(&format!("{name}=\""))?;
    value.split_once('"').map(|(value, _)| value)
}

/// A password that nobody will ever type.
fn password() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_taken_apart() {
        let challenge = r#"Bearer realm="http://127.0.0.1:5000/token",service="127.0.0.1""#;
        assert_eq!(
            parameter(challenge, "realm"),
            Some("http://127.0.0.1:5000/token")
        );
        assert_eq!(parameter(challenge, "service"), Some("127.0.0.1"));
        assert_eq!(parameter(challenge, "scope"), None);
    }

    #[test]
    fn an_answer_without_a_token_is_an_error() {
        assert_eq!(
            token_in(br#"{"token":"abc","expires_in":300}"#).unwrap(),
            "abc"
        );
        assert!(token_in(br#"{"errors":[]}"#).is_err());
    }
}
