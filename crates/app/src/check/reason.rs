//! Why a step failed, in plain words, and what to do about it.

use std::error::Error;
use std::fmt;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

/// Why a step did not work, and the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) why: String,
    pub(crate) fix: String,
}

impl Reason {
    pub(super) fn new(why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            fix: fix.into(),
        }
    }

    /// Why no answer came.
    pub(crate) fn no_answer(error: &reqwest::Error) -> Self {
        let place = error.url().map_or_else(String::new, |url| {
            let port = url.port_or_known_default().unwrap_or_default();
            format!("{}:{port}", url.host_str().unwrap_or_default())
        });
        let causes = causes(error);
        let says = |words: &[&str]| words.iter().any(|word| causes.contains(word));
        if says(&["dns error", "failed to lookup"]) {
            Self::new(
                format!("the name in {place} does not resolve"),
                "check its spelling, and that this machine's DNS knows it",
            )
        } else if says(&["Connection refused"]) {
            Self::new(
                format!("nothing listens at {place}"),
                "start the server, and check its address and port (`[listen] address`)",
            )
        } else if says(&["UnknownIssuer", "SelfSigned", "CaUsedAsEndEntity"]) {
            Self::new(
                format!("this machine does not trust the certificate of {place}"),
                "name its authority with `--ca-file ca.pem`; for docker put it into \
                 /etc/docker/certs.d/HOST:PORT/ca.crt",
            )
        } else if says(&["NotValidForName"]) {
            Self::new(
                format!("the certificate of {place} is for another name"),
                "use a name that is in the certificate, or make one for this name",
            )
        } else if says(&["Expired", "NotValidYet"]) {
            Self::new(
                format!("the certificate of {place} is not valid now"),
                "renew it, and check the clock of this machine",
            )
        } else if says(&["InvalidContentType", "corrupt message", "wrong version"]) {
            Self::new(
                format!("{place} does not speak TLS"),
                "write `http://` in front, or configure `[tls]` on the server",
            )
        } else if error.is_timeout() {
            Self::new(
                format!("{place} did not answer in time"),
                "check for a firewall in between, and the log of the server",
            )
        } else {
            Self::new(
                format!("no answer from {place}: {causes}"),
                "try it with `curl -v`; if the server has TLS, write `https://` in front",
            )
        }
    }

    /// Why nobody can be logged in with this user and password.
    pub(super) fn no_login(answer: &Answer, user: &str) -> Self {
        match answer.status {
            // GitHub answers a useless password with the latter.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::new(
                answer.to_string(),
                format!(
                    "check user and password; the password is a token. On Naru make one with \
                     `naru token create {user} --scope write:packages --scope delete:packages`"
                ),
            ),
            _ => Self::refused(answer, user),
        }
    }

    /// Why an answer is not the one that was hoped for.
    pub(super) fn refused(answer: &Answer, user: &str) -> Self {
        let why = answer.to_string();
        let fix = match answer.status {
            StatusCode::UNAUTHORIZED => {
                format!("this needs more than {user} was given: check the scopes of the token")
            }
            // What GitHub's registry and Naru call it, wherever it stands in the answer.
            StatusCode::FORBIDDEN if why.contains("create_package") => format!(
                "name an image of an owner for whom {user} may create packages, such as \
                 `--image {}/naru-check`",
                user.to_ascii_lowercase()
            ),
            StatusCode::FORBIDDEN => format!(
                "give {user} the write role on the package, and use a token with the scope \
                 write:packages"
            ),
            StatusCode::NOT_FOUND => {
                "check the name given by `--image`: is the owner an account here, spelled like \
                 this?"
                    .to_owned()
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                "a reverse proxy in front limits bodies; in nginx say `client_max_body_size 0`"
                    .to_owned()
            }
            StatusCode::TOO_MANY_REQUESTS => "wait, then try again".to_owned(),
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
                "a reverse proxy answers in the place of the registry; is the server behind it up?"
                    .to_owned()
            }
            status if status.is_server_error() => {
                "the log of the server says more; look for the request id above".to_owned()
            }
            _ => "the log of the server says more".to_owned(),
        };
        Self { why, fix }
    }
}

fn causes(error: &dyn Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.dedup();
    causes.join(": ")
}

/// An answer that was not the one hoped for.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) what: String,
    pub(super) status: StatusCode,
    pub(super) request_id: Option<String>,
    pub(super) body: Vec<u8>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was answered {}", self.what, self.status)?;
        if let Some(said) = said(&self.body) {
            write!(f, ": {said}")?;
        }
        match &self.request_id {
            Some(id) if self.status.is_server_error() => write!(f, " (request {id})"),
            _ => Ok(()),
        }
    }
}

/// What the body of an error says, by the distribution specification or as GitHub's REST API.
fn said(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        errors: Vec<OneError>,
        message: Option<String>,
    }
    #[derive(Deserialize)]
    struct OneError {
        code: Option<String>,
        message: Option<String>,
        detail: Option<Value>,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    let Some(error) = body.errors.into_iter().next() else {
        return body.message;
    };
    let parts = [error.code, error.message, error.detail.and_then(in_words)];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

/// What stands in a `detail`, of which the specification says only that it is JSON.
fn in_words(detail: Value) -> Option<String> {
    match detail {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Object(fields) => {
            let texts = fields.into_iter().filter_map(|(name, value)| {
                let text = in_words(value)?;
                Some(format!("{name}: {text}"))
            });
            Some(format!("({})", texts.collect::<Vec<_>>().join(", ")))
        }
        other => Some(other.to_string()),
    }
}
