//! Accounts, as others see them.

use std::sync::Arc;

use naru_model::{Account, User};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Below, Urls, node_id};

/// A user or an organization in few words (official description: `simple-user`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SimpleUser {
    login: String,
    id: i64,
    node_id: String,
    avatar_url: String,
    gravatar_id: Option<String>,
    url: String,
    html_url: String,
    #[schema(value_type = String)]
    followers_url: Below,
    #[schema(value_type = String)]
    following_url: Below,
    #[schema(value_type = String)]
    gists_url: Below,
    #[schema(value_type = String)]
    starred_url: Below,
    #[schema(value_type = String)]
    subscriptions_url: Below,
    #[schema(value_type = String)]
    organizations_url: Below,
    #[schema(value_type = String)]
    repos_url: Below,
    #[schema(value_type = String)]
    events_url: Below,
    #[schema(value_type = String)]
    received_events_url: Below,
    #[serde(rename = "type")]
    kind: &'static str,
    user_view_type: &'static str,
    site_admin: bool,
}

impl SimpleUser {
    /// A user.
    pub(crate) fn of_user(user: &User, urls: &Urls) -> Self {
        Self::new(&Account::User(user.clone()), urls)
    }

    /// A user or an organization.
    pub(crate) fn new(account: &Account, urls: &Urls) -> Self {
        let login = account.login();
        let url = urls.user(login);
        let base: Arc<str> = url.as_str().into();
        let below = |rest| Below::new(&base, rest);
        let site_admin = matches!(
            account,
            Account::User(User {
                site_admin: true,
                ..
            })
        );
        Self {
            login: login.to_string(),
            id: account.id().get(),
            node_id: node_id(account.kind().rest_word(), account.id().get()),
            avatar_url: format!("{}/avatars/{login}", urls.web),
            gravatar_id: Some(String::new()),
            html_url: urls.account_page(login),
            followers_url: below("/followers"),
            following_url: below("/following{/other_user}"),
            gists_url: below("/gists{/gist_id}"),
            starred_url: below("/starred{/owner}{/repo}"),
            subscriptions_url: below("/subscriptions"),
            organizations_url: below("/orgs"),
            repos_url: below("/repos"),
            events_url: below("/events{/privacy}"),
            received_events_url: below("/received_events"),
            kind: account.kind().rest_word(),
            user_view_type: "public",
            site_admin,
            url,
        }
    }
}
