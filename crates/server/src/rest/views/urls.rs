//! Where addresses in answers lead: always to the public origin.

use std::fmt;
use std::sync::Arc;

use naru_model::{
    Account, AccountKind, AccountName, PackageName, PackageType, RepositoryPath, TeamSlug,
    VersionId,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, Serializer};

use crate::hosts::{Arrival, RestBase};

/// What stands for itself in one part of a path (RFC 3986, section 2.3).
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The beginnings of addresses.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    /// `https://HOST/api/v3`, or `https://api.HOST`.
    pub(crate) api: String,
    /// `https://HOST`.
    pub(crate) web: String,
    /// What stands before a repository name of the container registry: `HOST`.
    pub(crate) containers: String,
}

impl Urls {
    /// As the request arrived.
    pub(crate) fn new(arrival: &Arrival, base: RestBase) -> Self {
        Self {
            api: arrival.api_origin(base),
            web: arrival.web_origin(),
            containers: arrival.containers.clone(),
        }
    }

    /// A user's or an organization's record, as a user.
    pub(crate) fn user(&self, login: &AccountName) -> String {
        format!("{}/users/{login}", self.api)
    }

    /// The page of an account.
    pub(crate) fn account_page(&self, login: &AccountName) -> String {
        format!("{}/{login}", self.web)
    }

    /// An organization's record.
    pub(crate) fn organization(&self, login: &AccountName) -> String {
        format!("{}/orgs/{login}", self.api)
    }

    /// A team's record.
    pub(crate) fn team(&self, organization: &AccountName, slug: &TeamSlug) -> String {
        format!("{}/teams/{slug}", self.organization(organization))
    }

    /// The page of a team.
    pub(crate) fn team_page(&self, organization: &AccountName, slug: &TeamSlug) -> String {
        format!("{}/orgs/{organization}/teams/{slug}", self.web)
    }

    /// A source repository's record.
    pub(crate) fn repository(&self, path: &RepositoryPath) -> String {
        format!("{}/repos/{path}", self.api)
    }

    /// The page of a source repository.
    pub(crate) fn repository_page(&self, path: &RepositoryPath) -> String {
        format!("{}/{path}", self.web)
    }

    /// The packages of an account: `/orgs/NAME` or `/users/NAME`, whichever way it was asked for.
    pub(crate) fn packages(&self, owner: &Account) -> String {
        format!("{}/{}/packages", self.api, owned(owner))
    }

    /// A package's record.
    pub(crate) fn package(&self, owner: &Account, kind: PackageType, name: &PackageName) -> String {
        format!("{}/{kind}/{}", self.packages(owner), part(name.as_str()))
    }

    /// The page of a package.
    pub(crate) fn package_page(
        &self,
        owner: &Account,
        kind: PackageType,
        name: &PackageName,
    ) -> String {
        let owner = owned(owner);
        let name = part(name.as_str());
        format!("{}/{owner}/packages/{kind}/package/{name}", self.web)
    }

    /// A version's record.
    pub(crate) fn version(
        &self,
        owner: &Account,
        kind: PackageType,
        name: &PackageName,
        version: VersionId,
    ) -> String {
        format!("{}/versions/{version}", self.package(owner, kind, name))
    }

    /// The page of a version.
    pub(crate) fn version_page(
        &self,
        owner: &Account,
        kind: PackageType,
        name: &PackageName,
        version: VersionId,
    ) -> String {
        let owner = owned(owner);
        let name = part(name.as_str());
        format!("{}/{owner}/packages/{kind}/{name}/{version}", self.web)
    }
}

/// An address below another: put together when it is written, because an answer may have thousands.
#[derive(Clone, Debug)]
pub(super) struct Below {
    base: Arc<str>,
    rest: &'static str,
}

impl Below {
    /// `base`, followed by `rest` as it is.
    pub(super) fn new(base: &Arc<str>, rest: &'static str) -> Self {
        Self {
            base: Arc::clone(base),
            rest,
        }
    }
}

impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)?;
        f.write_str(self.rest)
    }
}

impl Serialize for Below {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `orgs/NAME` or `users/NAME`.
fn owned(owner: &Account) -> String {
    match owner.kind() {
        AccountKind::Organization => format!("orgs/{}", owner.login()),
        AccountKind::User => format!("users/{}", owner.login()),
    }
}

/// Text as one part of a path: slashes are encoded (contract D4).
pub(crate) fn part(text: &str) -> impl fmt::Display {
    utf8_percent_encode(text, PART)
}
