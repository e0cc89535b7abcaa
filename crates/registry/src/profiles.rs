//! Profiles: what is shown of users and organizations, and what they say of themselves.

pub use naru_metadata::profiles::AccountFigures;
use naru_metadata::{Conn, Tx, accounts, profiles};
use naru_model::{
    Account, AccountId, AccountName, AccountPermission, EventKind, Profile, ProfileError, User,
    check_text,
};

use crate::account_access as access;
use crate::error::{Error, Result};
use crate::{Caller, Registry, events};

/// An account with its profile and figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDetails {
    /// The record.
    pub account: Account,
    /// What its owner says about it.
    pub profile: Profile,
    /// How much it owns.
    pub figures: AccountFigures,
    /// Whether the caller sees what only the account itself sees, or the owners of the
    /// organization.
    pub is_private_view: bool,
}

/// What is to change of a profile. `None` leaves it, `Some(None)` takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// What the account is called.
    pub name: Option<Option<String>>,
    /// See [`Profile::company`].
    pub company: Option<Option<String>>,
    /// See [`Profile::blog`].
    pub blog: Option<Option<String>>,
    /// See [`Profile::location`].
    pub location: Option<Option<String>>,
    /// See [`Profile::email`].
    pub email: Option<Option<String>>,
    /// See [`Profile::twitter_username`].
    pub twitter_username: Option<Option<String>>,
    /// See [`Profile::bio`].
    pub bio: Option<Option<String>>,
    /// See [`Profile::hireable`].
    pub hireable: Option<Option<bool>>,
    /// See [`Profile::description`].
    pub description: Option<Option<String>>,
    /// See [`Profile::billing_email`].
    pub billing_email: Option<Option<String>>,
}

impl ProfileChange {
    /// Changes a name and a profile. Empty texts are none.
    pub(crate) fn make(
        &self,
        name: &mut Option<String>,
        profile: &mut Profile,
    ) -> Result<(), ProfileError> {
        set(name, &self.name);
        set(&mut profile.company, &self.company);
        set(&mut profile.blog, &self.blog);
        set(&mut profile.location, &self.location);
        set(&mut profile.email, &self.email);
        set(&mut profile.twitter_username, &self.twitter_username);
        set(&mut profile.bio, &self.bio);
        set(&mut profile.description, &self.description);
        set(&mut profile.billing_email, &self.billing_email);
        if let Some(hireable) = self.hireable {
            profile.hireable = hireable;
        }
        check_text("name", name.as_deref(), Profile::LONGEST)?;
        profile.check()
    }
}

#[expect(
    clippy::ref_option,
    clippy::option_option,
    reason = "a field of a change, as it stands there"
)]
fn set(field: &mut Option<String>, change: &Option<Option<String>>) {
    if let Some(value) = change {
        *field = value.clone().filter(|text| !text.trim().is_empty());
    }
}

impl Registry {
    /// A user or an organization with its profile, for whoever has signed in.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::AccountUnknown`].
    pub async fn account_details(
        &self,
        caller: &Caller,
        login: &AccountName,
    ) -> Result<AccountDetails> {
        let mut conn = self.db.read().await?;
        let account = access::profile(&mut conn, caller, login).await?;
        details(&mut conn, caller, account).await
    }

    /// The caller's own account with its profile.
    ///
    /// # Errors
    /// [`Error::Refused`] for who is no user.
    pub async fn my_details(&self, caller: &Caller) -> Result<AccountDetails> {
        let mut conn = self.db.read().await?;
        let user = access::myself(&mut conn, caller).await?;
        details(&mut conn, caller, Account::User(user)).await
    }

    /// Changes the caller's own profile.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::InvalidField`] for a text that cannot be shown.
    pub async fn update_my_profile(
        &self,
        caller: &Caller,
        change: &ProfileChange,
    ) -> Result<AccountDetails> {
        let mut tx = self.db.write().await?;
        let me = access::myself(&mut tx, caller).await?;
        self.change_profile(tx, caller, &me.login, change).await
    }

    /// Changes the profile of a user.
    ///
    /// # Errors
    /// As [`Registry::update_my_profile`]; [`Error::NotFound`] for what is no user.
    pub async fn update_user_profile(
        &self,
        caller: &Caller,
        login: &AccountName,
        change: &ProfileChange,
    ) -> Result<AccountDetails> {
        let tx = self.db.write().await?;
        self.change_profile(tx, caller, login, change).await
    }

    async fn change_profile(
        &self,
        mut tx: Tx,
        caller: &Caller,
        login: &AccountName,
        change: &ProfileChange,
    ) -> Result<AccountDetails> {
        let now = self.clock.now();
        let permission = AccountPermission::Administer;
        let id = access::account(&mut tx, caller, login, permission)
            .await?
            .id();
        // The whole profile is written back, so nobody may change it meanwhile.
        accounts::lock(&mut tx, id).await?;
        let User { mut name, .. } = live_user(&mut tx, id, login).await?;
        let mut profile = profiles::find(&mut tx, id).await?;
        change.make(&mut name, &mut profile).map_err(invalid)?;
        accounts::set_name(&mut tx, id, name.as_deref(), now).await?;
        profiles::put(&mut tx, id, &profile).await?;
        let event = caller.event(EventKind::UserUpdated, now).on_account(id);
        events::record(&mut tx, event).await?;
        let user = live_user(&mut tx, id, login).await?;
        let details = details(&mut tx, caller, Account::User(user)).await?;
        tx.commit().await?;
        Ok(details)
    }

    /// Users and organizations in the order in which they were made, at most `limit` after number
    /// `since`, for whoever has signed in.
    ///
    /// # Errors
    /// [`Error::Refused`] for nobody.
    pub async fn list_accounts(
        &self,
        caller: &Caller,
        since: AccountId,
        limit: usize,
    ) -> Result<Vec<Account>> {
        let mut conn = self.db.read().await?;
        access::signed_in(caller)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(accounts::after(&mut conn, since, limit).await?)
    }
}

/// The record of a user; an organization has none.
async fn live_user(conn: &mut Conn, id: AccountId, login: &AccountName) -> Result<User> {
    let user = accounts::user(conn, id).await?;
    user.ok_or_else(|| Error::NotFound {
        what: "user",
        name: login.to_string(),
    })
}

/// What the caller sees of an account.
pub(crate) async fn details(
    conn: &mut Conn,
    caller: &Caller,
    account: Account,
) -> Result<AccountDetails> {
    let permission = match account {
        Account::User(_) => AccountPermission::ReadProfile,
        Account::Organization(_) => AccountPermission::Administer,
    };
    let is_private_view = access::may(conn, caller, account.login(), permission).await?;
    Ok(AccountDetails {
        is_private_view,
        ..public_details(conn, account).await?
    })
}

/// What everybody sees of an account who may see it at all.
pub(crate) async fn public_details(conn: &mut Conn, account: Account) -> Result<AccountDetails> {
    Ok(AccountDetails {
        profile: profiles::find(conn, account.id()).await?,
        figures: profiles::figures(conn, account.id()).await?,
        is_private_view: false,
        account,
    })
}

pub(crate) fn invalid(error: ProfileError) -> Error {
    Error::InvalidField {
        field: error.field(),
        message: error.to_string(),
    }
}
