//! The token endpoint: `GET` as Docker's token specification has it, `POST` in the form of OAuth2.
//!
//! Unknown parameters are ignored, as clients send many (`account`, `client_id`, `offline_token`).

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use naru_oci::{ErrorCode, ErrorInfo, ErrorResponse, Scopes, headers};
use naru_registry::authorization::Authorization;
use naru_registry::credentials::Door;
use naru_registry::registry_tokens::IssuedToken;
use naru_registry::{Caller, Error, Registry};
use serde::Serialize;

use super::error::{Refused, Situation, reason};
use super::{WithHeader, json};
use crate::body::Body;
use crate::hosts::Arrival;
use crate::listen::RequestBody;

/// A form larger than this is not one that a client of ours sends.
const FORM_LIMIT: usize = 64 << 10;

/// What the client asks for.
#[derive(Default)]
struct Asked {
    scopes: Vec<String>,
    username: Option<String>,
    password: Option<String>,
}

/// What the client gets. Only `token` is dependable elsewhere; here all of them are.
#[derive(Serialize)]
struct TokenAnswer<'a> {
    token: &'a str,
    access_token: &'a str,
    expires_in: u64,
    issued_at: String,
}

/// Answers `/token`.
pub(crate) async fn answer_token(
    registry: &Registry,
    arrival: &Arrival,
    request_id: &str,
    request: Request<RequestBody>,
) -> Response<Body> {
    let situation = Situation::new(arrival, &Method::GET, None);
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return json(
            StatusCode::METHOD_NOT_ALLOWED,
            error_body(ErrorCode::Unsupported, None),
        )
        .with(headers::allow("GET, POST"));
    }
    match issue(registry, arrival, request_id, request).await {
        Ok(issued) => render(&issued),
        Err(Refused::UseCase(Error::BadCredential(bad))) => {
            // docker prints `denied: denied` for a credential that is of no use (contract C6).
            let body = error_body(ErrorCode::Denied, Some(&reason(bad, arrival)));
            json(StatusCode::FORBIDDEN, body)
        }
        Err(refused) => situation.answer(request_id, &refused),
    }
}

async fn issue(
    registry: &Registry,
    arrival: &Arrival,
    request_id: &str,
    request: Request<RequestBody>,
) -> Result<IssuedToken, Refused> {
    let (parts, body) = request.into_parts();
    let mut asked = Asked::default();
    if let Some(query) = parts.uri.query() {
        asked.read(query.as_bytes());
    }
    if parts.method == Method::POST {
        asked.read(&form(body).await?);
    }
    let presented = parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let authorization = asked
        .credential()
        .unwrap_or_else(|| Authorization::parse(presented));
    let identity = registry
        .identify(Door::TokenEndpoint, &authorization)
        .await?;
    let principal = identity.into_principal();
    let caller = Caller {
        principal,
        request_id: Some(request_id.to_owned()),
    };
    let scopes = Scopes::parse(asked.scopes.iter().map(String::as_str));
    Ok(registry
        .issue_registry_token(&caller, arrival.registry, &scopes)
        .await?)
}

impl Asked {
    fn read(&mut self, form: &[u8]) {
        for (name, value) in url::form_urlencoded::parse(form) {
            let value = Cow::into_owned(value);
            match &*name {
                "scope" => self.scopes.push(value),
                "username" => self.username = Some(value),
                "password" | "refresh_token" => self.password = Some(value),
                _ => {}
            }
        }
    }

    /// OAuth2's form carries the credential in the body.
    fn credential(&self) -> Option<Authorization> {
        let password = self.password.as_ref()?;
        Some(Authorization::from_parts(
            self.username.as_deref().unwrap_or("token"),
            password,
        ))
    }
}

async fn form(body: RequestBody) -> Result<Bytes, Refused> {
    let too_large = || Error::TooLarge {
        what: "the form",
        limit: 64 << 10,
    };
    let collected = Limited::new(body, FORM_LIMIT).collect().await;
    Ok(collected.map_err(|_| too_large())?.to_bytes())
}

fn render(issued: &IssuedToken) -> Response<Body> {
    let answer = TokenAnswer {
        token: &issued.token,
        access_token: &issued.token,
        expires_in: issued.expires_in.as_secs(),
        issued_at: issued.issued_at.to_string(),
    };
    let body = serde_json::to_vec(&answer).unwrap_or_default();
    let mut response = json(StatusCode::OK, body);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn error_body(code: ErrorCode, reason: Option<&str>) -> Vec<u8> {
    let info = match (code, reason) {
        (ErrorCode::Denied, Some(reason)) => {
            ErrorInfo::new(code, "denied").with_detail(serde_json::json!({ "reason": reason }))
        }
        _ => code.into(),
    };
    ErrorResponse::from(info).to_body()
}
