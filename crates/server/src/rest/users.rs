//! Users: who one is, what one says of oneself, who there is.

use naru_model::{AccountId, AccountName, Scope};
use naru_registry::profiles::ProfileChange;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::call::Call;
use super::error::Failure;
use super::finish::Outcome;
use super::input::{Json, Query, given};
use super::operation::Operations;
use super::views::{SimpleUser, UserView};

/// The operations of users.
pub(super) fn routes(operations: &mut Operations) {
    operations
        .get("/user", me)
        .id("users/get-authenticated")
        .summary("Get the authenticated user")
        .description("What only the user sees of themselves is shown to a token with `read:user`.")
        .needs(&[], "see who you are")
        .answers::<UserView>(200, "The caller's own account")
        .refuses(&[401, 403]);
    operations
        .patch("/user", update_me)
        .id("users/update-authenticated")
        .summary("Update the authenticated user")
        .needs(&[Scope::User], "change your profile")
        .body::<UpdateUser>()
        .answers::<UserView>(200, "The profile as it is now")
        .refuses(&[400, 401, 403, 422]);
    operations
        .get("/users", list)
        .id("users/list")
        .summary("List users")
        .description("Users and organizations in the order in which they were made.")
        .query::<ListUsers>()
        .lists::<SimpleUser>("Accounts after number `since`")
        .refuses(&[400, 401]);
    operations
        .get("/users/{username}", show)
        .id("users/get-by-username")
        .summary("Get a user")
        .description("An organization can be asked for as a user too.")
        .answers::<UserView>(200, "The account and its profile")
        .refuses(&[401, 404]);
}

async fn me(call: Call) -> Outcome {
    let found = call.registry().my_details(call.caller()).await?;
    call.ok(&UserView::new(&found, &call.urls()))
}

/// What is to change of the caller's profile; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct UpdateUser {
    /// What the person is called.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// The mail address that everybody who sees the profile sees.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// The address of a page of theirs.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    blog: Option<Option<String>>,
    /// Their name at X, once Twitter.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    twitter_username: Option<Option<String>>,
    /// Where they work.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    company: Option<Option<String>>,
    /// Where they are.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    location: Option<Option<String>>,
    /// Whether they look for work.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    hireable: Option<Option<bool>>,
    /// A few words about themselves.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    bio: Option<Option<String>>,
}

impl From<UpdateUser> for ProfileChange {
    fn from(update: UpdateUser) -> Self {
        Self {
            name: update.name,
            email: update.email,
            blog: update.blog,
            twitter_username: update.twitter_username,
            company: update.company,
            location: update.location,
            hireable: update.hireable,
            bio: update.bio,
            ..Self::default()
        }
    }
}

async fn update_me(call: Call, Json(update): Json<UpdateUser>) -> Outcome {
    let change = ProfileChange::from(update);
    let found = call
        .registry()
        .update_my_profile(call.caller(), &change)
        .await?;
    call.ok(&UserView::new(&found, &call.urls()))
}

/// Which accounts are asked for.
#[derive(Debug, Deserialize, IntoParams)]
struct ListUsers {
    /// Only accounts with a number above this one.
    #[param(value_type = Option<i64>, minimum = 0)]
    since: Option<String>,
    /// The number of results per page (max 100). Default 30.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    per_page: Option<String>,
}

async fn list(call: Call, Query(wanted): Query<ListUsers>) -> Outcome {
    let since = number("since", wanted.since.as_deref())?.unwrap_or(0);
    let per_page = number("per_page", wanted.per_page.as_deref())?.unwrap_or(30);
    let limit = usize::try_from(per_page.clamp(1, 100)).unwrap_or(30);
    let found = call
        .registry()
        .list_accounts(call.caller(), AccountId::new(since), limit)
        .await?;
    let urls = call.urls();
    let views: Vec<SimpleUser> = found
        .iter()
        .map(|account| SimpleUser::new(account, &urls))
        .collect();
    let last = found.last().filter(|_| found.len() == limit);
    let link = last.map(|last| {
        let next = call.address(&format!("since={}&per_page={limit}", last.id()));
        let first = format!("{}/users{{?since}}", urls.api);
        format!("<{next}>; rel=\"next\", <{first}>; rel=\"first\"")
    });
    Ok(call.ok(&views)?.linked(link))
}

fn number(name: &str, text: Option<&str>) -> Result<Option<i64>, Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let number = text.parse::<i64>().map_err(|_| {
        Failure::bad_request(format!("{name} must be a whole number, not `{text}`."))
    })?;
    Ok(Some(number.max(0)))
}

async fn show(call: Call) -> Outcome {
    let login: AccountName = call.named("username")?;
    let found = call
        .registry()
        .account_details(call.caller(), &login)
        .await?;
    call.ok(&UserView::new(&found, &call.urls()))
}
