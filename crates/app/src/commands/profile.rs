//! What `naru user` and `naru org` have in common: an account with what it says of itself.

use clap::Args;
use naru_model::Account;
use naru_registry::profiles::{AccountDetails, ProfileChange};
use serde::Serialize;

use super::or_none;
use crate::output::Row;

/// What users and organizations say of themselves.
#[derive(Debug, Args)]
pub(super) struct ProfileArgs {
    /// What it is called; here and below an empty text takes away what was there
    #[arg(id = "full_name", long = "name", value_name = "TEXT")]
    name: Option<String>,
    /// Where they work
    #[arg(long, value_name = "TEXT")]
    company: Option<String>,
    /// The address of a page of theirs
    #[arg(long, value_name = "URL")]
    blog: Option<String>,
    /// Where they are
    #[arg(long, value_name = "TEXT")]
    location: Option<String>,
    /// The mail address that everybody sees who sees the profile
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Their name at X, once Twitter
    #[arg(long, value_name = "NAME")]
    twitter: Option<String>,
}

impl ProfileArgs {
    pub(super) fn change(self) -> ProfileChange {
        ProfileChange {
            name: or_none(self.name),
            company: or_none(self.company),
            blog: or_none(self.blog),
            location: or_none(self.location),
            email: or_none(self.email),
            twitter_username: or_none(self.twitter),
            ..ProfileChange::default()
        }
    }
}

/// An account with its profile, with the names of GitHub's REST API.
#[derive(Debug, Serialize)]
pub(super) struct ProfileRow {
    login: String,
    id: i64,
    r#type: &'static str,
    name: Option<String>,
    company: Option<String>,
    blog: Option<String>,
    location: Option<String>,
    email: Option<String>,
    twitter_username: Option<String>,
    bio: Option<String>,
    hireable: Option<bool>,
    description: Option<String>,
    billing_email: Option<String>,
    members_can_create_repositories: Option<bool>,
    public_repos: u64,
    total_private_repos: u64,
    created_at: String,
    updated_at: String,
}

impl From<&AccountDetails> for ProfileRow {
    fn from(details: &AccountDetails) -> Self {
        let (profile, account) = (details.profile.clone(), &details.account);
        let (name, created_at, updated_at) = match account {
            Account::User(user) => (&user.name, user.created_at, user.updated_at),
            Account::Organization(org) => (&org.name, org.created_at, org.updated_at),
        };
        let members_can_create_repositories = match account {
            Account::User(_) => None,
            Account::Organization(org) => Some(org.packages.members_create_repositories),
        };
        Self {
            login: account.login().to_string(),
            id: account.id().get(),
            r#type: account.kind().rest_word(),
            name: name.clone(),
            company: profile.company,
            blog: profile.blog,
            location: profile.location,
            email: profile.email,
            twitter_username: profile.twitter_username,
            bio: profile.bio,
            hireable: profile.hireable,
            description: profile.description,
            billing_email: profile.billing_email,
            members_can_create_repositories,
            public_repos: details.figures.public_repositories,
            total_private_repos: details.figures.private_repositories,
            created_at: created_at.to_string(),
            updated_at: updated_at.to_string(),
        }
    }
}

impl Row for ProfileRow {
    const COLUMNS: &'static [&'static str] = &[
        "NAME",
        "TYPE",
        "CALLED",
        "COMPANY",
        "BLOG",
        "LOCATION",
        "EMAIL",
        "TWITTER",
        "BIO",
        "DESCRIPTION",
        "BILLING EMAIL",
        "CREATED",
        "UPDATED",
    ];

    fn cells(&self) -> Vec<String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![
            self.login.clone(),
            self.r#type.to_owned(),
            text(&self.name),
            text(&self.company),
            text(&self.blog),
            text(&self.location),
            text(&self.email),
            text(&self.twitter_username),
            text(&self.bio),
            text(&self.description),
            text(&self.billing_email),
            self.created_at.clone(),
            self.updated_at.clone(),
        ]
    }
}
