//! The request as a handler sees it: who calls, which operation, its parts as types, and where
//! addresses in the answer lead.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, RawPathParams};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri};
use naru_model::{
    Account, AccountName, PackageName, PackagePath, PackageType, RepositoryPath, TeamSlug,
};
use naru_registry::{Caller, Error, Registry};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::openapi::OpenApi;

use super::State;
use super::document;
use super::error::{Failure, FieldError};
use super::finish::{Answer, VERSIONS};
use super::graphql::Questions;
use super::operation::Operation;
use super::rate::Standing;
use super::views::Urls;
use crate::hosts::{Arrival, RestBase};

/// What is known of a request before its operation is.
#[derive(Clone)]
pub(super) struct Situation {
    caller: Caller,
    arrival: Arrival,
    base: RestBase,
    standing: Option<Standing>,
}

impl Situation {
    pub(super) const fn new(
        caller: Caller,
        arrival: Arrival,
        base: RestBase,
        standing: Option<Standing>,
    ) -> Self {
        Self {
            caller,
            arrival,
            base,
            standing,
        }
    }

    /// Who is calling.
    pub(super) const fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// One request to one operation.
pub(crate) struct Call {
    state: State,
    situation: Situation,
    operation: Arc<Operation>,
    /// The parts of the path that vary, decoded once, in their order.
    values: Vec<String>,
    uri: Uri,
    headers: HeaderMap,
}

impl FromRequestParts<State> for Call {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Failure> {
        let raw = RawPathParams::from_request_parts(parts, state).await;
        let raw = raw.map_err(|_| Failure::NOT_FOUND)?;
        let extensions = &parts.extensions;
        let lost = || Error::Internal("the request lost what it came with".to_owned());
        let situation = extensions.get::<Situation>().ok_or_else(lost)?;
        let operation = extensions.get::<Arc<Operation>>().ok_or_else(lost)?;
        Ok(Self {
            state: state.clone(),
            situation: situation.clone(),
            operation: Arc::clone(operation),
            values: raw.iter().map(|(_, value)| value.to_owned()).collect(),
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
        })
    }
}

impl Call {
    /// What can be asked by GraphQL.
    pub(super) fn questions(&self) -> Questions {
        self.state.questions.clone()
    }

    /// The use cases.
    pub(super) fn registry(&self) -> &Registry {
        &self.state.registry
    }

    /// What the API says of itself, with the addresses by which the caller reaches it.
    pub(super) fn description(&self) -> OpenApi {
        let urls = self.urls();
        document::for_server(&self.state.document, &urls.api, &urls.web)
    }

    /// Who is calling.
    pub(super) const fn caller(&self) -> &Caller {
        &self.situation.caller
    }

    /// How much of the caller's hour is left; none where nothing is counted.
    pub(super) const fn standing(&self) -> Option<Standing> {
        self.situation.standing
    }

    /// A header of the request, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The query as it came.
    pub(super) fn raw_query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// The query as a type that knows every parameter: for what must not be misspelt.
    ///
    /// # Errors
    /// 422 for a parameter that is not known, and for a value that cannot be.
    pub(super) fn strict_query<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        match Query::<T>::try_from_uri(&self.uri) {
            Ok(Query(query)) => Ok(query),
            Err(error) => {
                let error = FieldError::custom("", "query", &error.body_text());
                Err(Failure::validation(vec![error]))
            }
        }
    }

    /// Where addresses in the answer lead.
    pub(super) fn urls(&self) -> Urls {
        Urls::new(&self.situation.arrival, self.situation.base)
    }

    /// The full address of this operation with another query.
    pub(super) fn address(&self, query: &str) -> String {
        let path = self.uri.path();
        let api = self.urls().api;
        if query.is_empty() {
            format!("{api}{path}")
        } else {
            format!("{api}{path}?{query}")
        }
    }

    /// The part of the path called `name`, as text.
    ///
    /// # Errors
    /// [`Failure::NOT_FOUND`] for an operation whose path has no such part.
    pub(super) fn text(&self, name: &str) -> Result<&str, Failure> {
        let place = self.operation.parameters().position(|known| known == name);
        let value = place.and_then(|place| self.values.get(place));
        // No name has a NUL in it, and PostgreSQL no place for one.
        let value = value.filter(|value| !value.contains('\0'));
        value.map(String::as_str).ok_or(Failure::NOT_FOUND)
    }

    /// The part of the path called `name`: text that is no such thing names nothing.
    ///
    /// # Errors
    /// [`Failure::NOT_FOUND`].
    pub(super) fn part<T: FromStr>(&self, name: &str) -> Result<T, Failure> {
        self.text(name)?.parse().map_err(|_| Failure::NOT_FOUND)
    }

    /// The number that the part of the path called `name` is.
    ///
    /// # Errors
    /// [`Failure::NOT_FOUND`] for what is no positive number.
    pub(super) fn number(&self, name: &str) -> Result<i64, Failure> {
        let text = self.text(name)?;
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_digits.then(|| text.parse().ok()).flatten();
        number
            .filter(|number| *number > 0)
            .ok_or(Failure::NOT_FOUND)
    }

    /// Whether the version of the API that is asked for is this one or a later one.
    pub(super) fn is_since(&self, version: &str) -> bool {
        // They are dates, which are compared as text.
        self.header("x-github-api-version").unwrap_or(VERSIONS[0]) >= version
    }

    /// As [`Call::part`], for what only those may ask for who have signed in: whoever has not is
    /// asked to, whether or not there could be such a thing.
    ///
    /// # Errors
    /// [`Failure::NOT_FOUND`], [`Failure::UNAUTHENTICATED`].
    pub(super) fn named<T: FromStr>(&self, name: &str) -> Result<T, Failure> {
        self.part(name).map_err(|failure| {
            if self.caller().principal.is_anonymous() {
                Failure::UNAUTHENTICATED
            } else {
                failure
            }
        })
    }

    /// The team that the path names with `{team_slug}`, in any case.
    ///
    /// # Errors
    /// Those of [`Call::named`].
    pub(super) fn team(&self) -> Result<TeamSlug, Failure> {
        let slug = self.text("team_slug")?.to_ascii_lowercase();
        match slug.parse() {
            Ok(slug) => Ok(slug),
            Err(_) => self.named("team_slug"),
        }
    }

    /// The source repository that the path names with `{owner}` and `{repo}`.
    ///
    /// # Errors
    /// Those of [`Call::named`].
    pub(super) fn repository(&self) -> Result<RepositoryPath, Failure> {
        Ok(RepositoryPath {
            owner: self.named("owner")?,
            name: self.named("repo")?,
        })
    }

    /// Whether the request only reads.
    pub(super) fn is_read(&self) -> bool {
        self.operation.method == Method::GET
    }

    /// The path below the base, as it came.
    pub(super) fn path(&self) -> &str {
        self.uri.path()
    }

    /// The account whose things are asked for: `/orgs/{org}` serves organizations alone,
    /// `/users/{username}` everybody, `/user` the caller (PRODUCT, "owner forms").
    ///
    /// # Errors
    /// Those of [`Registry::account`]; 404 for a user under `/orgs`.
    pub(super) async fn owner(&self) -> Result<Owner, Failure> {
        if let Ok(name) = self.text("org") {
            let account = self.account(name).await?;
            return match account {
                Account::Organization(_) => Ok(Owner(account)),
                Account::User(_) => Err(Failure::NOT_FOUND),
            };
        }
        if let Ok(name) = self.text("username") {
            return Ok(Owner(self.account(name).await?));
        }
        Ok(Owner(Account::User(
            self.registry().me(self.caller()).await?,
        )))
    }

    /// The account of this name, for whoever has signed in.
    async fn account(&self, name: &str) -> Result<Account, Failure> {
        // Who has not signed in is asked to, whether or not there could be such a name.
        if self.caller().principal.is_anonymous() {
            return Err(Failure::UNAUTHENTICATED);
        }
        let name: AccountName = name.parse().map_err(|_| Failure::NOT_FOUND)?;
        Ok(self.registry().account(self.caller(), &name).await?)
    }

    /// The package that the path names with `{package_type}` and `{package_name}`.
    ///
    /// # Errors
    /// 404 for what cannot be one.
    pub(super) fn package(&self, owner: &Owner) -> Result<PackagePath, Failure> {
        let package_type: PackageType = self.part("package_type")?;
        let name: PackageName = self.part("package_name")?;
        if package_type == PackageType::Docker && name.legacy_repository().is_none() {
            return Err(Failure::NOT_FOUND);
        }
        Ok(PackagePath {
            package_type,
            owner: owner.0.login().clone(),
            name,
        })
    }

    /// 200 with a body.
    pub(super) fn ok(&self, view: &impl Serialize) -> Result<Answer, Failure> {
        Answer::json(StatusCode::OK, view)
    }
}

/// The account whose things are asked for.
pub(super) struct Owner(pub(super) Account);

/// A value of a query, decoded (application/x-www-form-urlencoded).
pub(super) fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}
