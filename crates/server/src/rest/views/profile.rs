//! Users with their profiles.

use naru_registry::profiles::AccountDetails;
use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{SimpleUser, Urls, either, schemas_of_either, time};

/// A user or an organization with its profile (official description: `public-user`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PublicUser {
    #[serde(flatten)]
    user: SimpleUser,
    name: Option<String>,
    company: Option<String>,
    blog: Option<String>,
    location: Option<String>,
    email: Option<String>,
    hireable: Option<bool>,
    bio: Option<String>,
    twitter_username: Option<String>,
    public_repos: u64,
    /// There are no gists here.
    public_gists: u64,
    /// Nobody follows anybody here.
    followers: u64,
    /// Nobody follows anybody here.
    following: u64,
    created_at: String,
    updated_at: String,
}

/// A user as only they see themselves (official description: `private-user`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PrivateUser {
    #[serde(flatten)]
    public: PublicUser,
    /// There are no gists here.
    private_gists: u64,
    total_private_repos: u64,
    owned_private_repos: u64,
    /// Kilobytes of source: none, because no source is kept here.
    disk_usage: u64,
    /// Other users with a role of their own in private repositories.
    collaborators: u64,
    two_factor_authentication: bool,
}

/// A user with as much as the caller may see.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum UserView {
    /// Themselves.
    Private(Box<PrivateUser>),
    /// Anybody.
    Public(Box<PublicUser>),
}

/// Whoever is a private user is a public one too, so it is any of the two and not one.
impl PartialSchema for UserView {
    fn schema() -> RefOr<Schema> {
        either::<PrivateUser, PublicUser>()
    }
}

impl ToSchema for UserView {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas_of_either::<PrivateUser, PublicUser>(schemas);
    }
}

impl UserView {
    /// A user, or an organization asked for as one.
    pub(crate) fn new(details: &AccountDetails, urls: &Urls) -> Self {
        let public = PublicUser::new(details, urls);
        let is_user = matches!(details.account, naru_model::Account::User(_));
        if !(details.is_private_view && is_user) {
            return Self::Public(Box::new(public));
        }
        Self::Private(Box::new(PrivateUser {
            public,
            private_gists: 0,
            total_private_repos: details.figures.private_repositories,
            owned_private_repos: details.figures.private_repositories,
            disk_usage: 0,
            collaborators: details.figures.collaborators,
            two_factor_authentication: false,
        }))
    }
}

impl PublicUser {
    fn new(details: &AccountDetails, urls: &Urls) -> Self {
        let (name, created_at, updated_at) = match &details.account {
            naru_model::Account::User(user) => (&user.name, user.created_at, user.updated_at),
            naru_model::Account::Organization(organization) => (
                &organization.name,
                organization.created_at,
                organization.updated_at,
            ),
        };
        let profile = details.profile.clone();
        Self {
            user: SimpleUser::new(&details.account, urls),
            name: name.clone(),
            company: profile.company,
            blog: profile.blog,
            location: profile.location,
            email: profile.email,
            hireable: profile.hireable,
            bio: profile.bio.or(profile.description),
            twitter_username: profile.twitter_username,
            public_repos: details.figures.public_repositories,
            public_gists: 0,
            followers: 0,
            following: 0,
            created_at: time(created_at),
            updated_at: time(updated_at),
        }
    }
}
