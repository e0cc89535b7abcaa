//! Accounts, as others see them.

use naru_model::{Account, User};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Urls, node_id};

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
    followers_url: String,
    following_url: String,
    gists_url: String,
    starred_url: String,
    subscriptions_url: String,
    organizations_url: String,
    repos_url: String,
    events_url: String,
    received_events_url: String,
    #[serde(rename = "type")]
    kind: String,
    user_view_type: String,
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
            followers_url: format!("{url}/followers"),
            following_url: format!("{url}/following{{/other_user}}"),
            gists_url: format!("{url}/gists{{/gist_id}}"),
            starred_url: format!("{url}/starred{{/owner}}{{/repo}}"),
            subscriptions_url: format!("{url}/subscriptions"),
            organizations_url: format!("{url}/orgs"),
            repos_url: format!("{url}/repos"),
            events_url: format!("{url}/events{{/privacy}}"),
            received_events_url: format!("{url}/received_events"),
            kind: account.kind().rest_word().to_owned(),
            user_view_type: "public".to_owned(),
            site_admin,
            url,
        }
    }
}
