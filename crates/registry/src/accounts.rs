//! Users: made, listed, suspended, promoted; their passwords.

use naru_metadata::accounts::{self, NewUser as NewUserRow};
use naru_metadata::{Conn, changes};
use naru_model::{
    Account, AccountName, AccountPermission, EventKind, Moment, NewEvent, Principal, User,
};
use secrecy::SecretString;

use crate::account_access as access;
use crate::commit::Outdated;
use crate::error::{BadCredential, Error, Result};
use crate::passwords::{NewPassword, Verdict};
use crate::{Caller, Registry, events};

/// A user about to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The account name, as it is to be shown.
    pub login: AccountName,
    /// What the person is called.
    pub name: Option<String>,
    /// Whether they administer the instance.
    pub site_admin: bool,
    /// What opens the pages; without one only tokens work.
    pub password: Option<SecretString>,
}

impl Registry {
    /// Makes a user.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance; [`Error::Exists`];
    /// [`Error::Invalid`] for a reserved name or a weak password.
    pub async fn create_user(&self, caller: &Caller, new: NewUser) -> Result<User> {
        let login = registrable(&new.login)?;
        let hash = match new.password {
            Some(password) => Some(self.hash_password(password, &login).await?),
            None => None,
        };
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        access::instance(&mut tx, caller).await?;
        let row = NewUserRow {
            login: &login,
            name: new.name.as_deref(),
            site_admin: new.site_admin,
            password_hash: hash.as_deref(),
            now,
        };
        let id = accounts::create_user(&mut tx, &row)
            .await?
            .ok_or_else(|| taken(&login))?;
        let event = caller.event(EventKind::UserCreated, now).on_account(id);
        events::record(&mut tx, event.with("login", &login)).await?;
        changes::bump_access(&mut tx).await?;
        let user = accounts::user(&mut tx, id).await?;
        self.commit(tx, Outdated::ACCESS).await?;
        user.ok_or_else(|| Error::AccountUnknown(login.to_string()))
    }

    /// All users in the order of their names; `limit` of them, after the first `offset`.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance.
    pub async fn list_users(&self, caller: &Caller, limit: i64, offset: i64) -> Result<Vec<User>> {
        let mut conn = self.db.read().await?;
        access::instance(&mut conn, caller).await?;
        Ok(accounts::users(&mut conn, limit, offset).await?)
    }

    /// A user or an organization by name, for whoever has signed in.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::AccountUnknown`].
    pub async fn account(&self, caller: &Caller, login: &AccountName) -> Result<Account> {
        let mut conn = self.db.read().await?;
        access::profile(&mut conn, caller, login).await
    }

    /// The caller's own account.
    ///
    /// # Errors
    /// [`Error::Refused`] for who is no user.
    pub async fn me(&self, caller: &Caller) -> Result<User> {
        let mut conn = self.db.read().await?;
        access::myself(&mut conn, caller).await
    }

    /// Suspends a user: from now on nothing may be done with the account.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance; [`Error::Conflict`] for the
    /// last administrator.
    pub async fn suspend_user(&self, caller: &Caller, login: &AccountName) -> Result<()> {
        self.change_user(caller, login, Change::Suspend).await
    }

    /// Lifts a suspension.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance.
    pub async fn unsuspend_user(&self, caller: &Caller, login: &AccountName) -> Result<()> {
        self.change_user(caller, login, Change::Unsuspend).await
    }

    /// Makes a user an administrator of the instance.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller is one.
    pub async fn promote_user(&self, caller: &Caller, login: &AccountName) -> Result<()> {
        self.change_user(caller, login, Change::Promote).await
    }

    /// Makes an administrator of the instance an ordinary user.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller is one; [`Error::Conflict`] for the last one.
    pub async fn demote_user(&self, caller: &Caller, login: &AccountName) -> Result<()> {
        self.change_user(caller, login, Change::Demote).await
    }

    /// Sets the password of a user: their own in person, or anybody's by an administrator of the
    /// instance.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::Invalid`] for a weak password.
    pub async fn set_password(
        &self,
        caller: &Caller,
        login: &AccountName,
        password: SecretString,
    ) -> Result<()> {
        let mut conn = self.db.read().await?;
        may_set_password(&mut conn, caller, login).await?;
        drop(conn);
        let hash = self.hash_password(password, login).await?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        may_set_password(&mut tx, caller, login).await?;
        let user = find_user(&mut tx, login).await?;
        accounts::set_password_hash(&mut tx, user.id, Some(&hash), now).await?;
        let event = caller
            .event(EventKind::PasswordChanged, now)
            .on_account(user.id);
        events::record(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whose password this is. Takes as long for a name that nobody has.
    ///
    /// # Errors
    /// [`BadCredential::Unknown`] whatever was wrong, [`BadCredential::Suspended`] only after the
    /// right password; [`Error::TooMany`].
    pub async fn check_password(
        &self,
        caller: &Caller,
        login: &str,
        password: SecretString,
    ) -> Result<User> {
        let mut conn = self.db.read().await?;
        let found = match login.parse() {
            Ok(name) => accounts::user_with_password(&mut conn, &name).await?,
            Err(_) => None,
        };
        drop(conn);
        let (user, hash) = found.unzip();
        let verdict = self
            .passwords
            .verify(password.clone(), hash.flatten())
            .await?;
        let outcome = match (user, verdict) {
            (Some(user), Verdict::Right) => Ok(user),
            (Some(user), Verdict::RightButWeak) => {
                self.strengthen(&user, password).await?;
                Ok(user)
            }
            _ => Err(BadCredential::Unknown),
        };
        let outcome = outcome.and_then(|user| match user.suspended_at {
            None => Ok(user),
            Some(_) => Err(BadCredential::Suspended),
        });
        self.note_sign_in(caller, login, outcome.as_ref().ok())
            .await?;
        outcome.map_err(Error::from)
    }

    async fn note_sign_in(&self, caller: &Caller, login: &str, user: Option<&User>) -> Result<()> {
        let now = self.clock.now();
        let event = match user {
            Some(user) => caller.event(EventKind::SignedIn, now).on_account(user.id),
            None => {
                let shown: String = login.chars().take(AccountName::MAX_LEN).collect();
                caller
                    .event(EventKind::SignInFailed, now)
                    .with("login", shown.escape_default())
            }
        };
        let mut tx = self.db.write().await?;
        events::record(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn strengthen(&self, user: &User, password: SecretString) -> Result<()> {
        let hash = self
            .passwords
            .rehash(password, self.random.as_ref())
            .await?;
        let mut tx = self.db.write().await?;
        accounts::set_password_hash(&mut tx, user.id, Some(&hash), self.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn hash_password(&self, password: SecretString, login: &AccountName) -> Result<String> {
        let password = NewPassword::new(password, login)?;
        self.passwords.hash(password, self.random.as_ref()).await
    }

    async fn change_user(
        &self,
        caller: &Caller,
        login: &AccountName,
        change: Change,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        access::instance(&mut tx, caller).await?;
        let user = find_user(&mut tx, login).await?;
        if change.is_made(&user) {
            return Ok(());
        }
        if change.takes_an_administrator(&user)
            && accounts::count_active_administrators(&mut tx).await? <= 1
        {
            return Err(Error::Conflict(format!(
                "{login} is the last administrator; promote somebody else first"
            )));
        }
        change.make(&mut tx, &user, now).await?;
        self.commit_access_change(tx, change.event(caller, &user, now))
            .await
    }
}

/// A change to a user that an administrator of the instance makes.
#[derive(Clone, Copy, Debug)]
enum Change {
    Suspend,
    Unsuspend,
    Promote,
    Demote,
}

impl Change {
    const fn is_made(self, user: &User) -> bool {
        match self {
            Self::Suspend => user.suspended_at.is_some(),
            Self::Unsuspend => user.suspended_at.is_none(),
            Self::Promote => user.site_admin,
            Self::Demote => !user.site_admin,
        }
    }

    const fn takes_an_administrator(self, user: &User) -> bool {
        let is_one = user.site_admin && user.suspended_at.is_none();
        is_one && matches!(self, Self::Suspend | Self::Demote)
    }

    async fn make(self, conn: &mut Conn, user: &User, now: Moment) -> Result<()> {
        match self {
            Self::Suspend => accounts::set_suspended(conn, user.id, Some(now), now).await?,
            Self::Unsuspend => accounts::set_suspended(conn, user.id, None, now).await?,
            Self::Promote => accounts::set_site_admin(conn, user.id, true, now).await?,
            Self::Demote => accounts::set_site_admin(conn, user.id, false, now).await?,
        }
        Ok(())
    }

    fn event(self, caller: &Caller, user: &User, now: Moment) -> NewEvent {
        let kind = match self {
            Self::Suspend => EventKind::UserSuspended,
            Self::Unsuspend => EventKind::UserUnsuspended,
            Self::Promote => EventKind::UserPromoted,
            Self::Demote => EventKind::UserDemoted,
        };
        caller
            .event(kind, now)
            .on_account(user.id)
            .with("login", &user.login)
    }
}

async fn may_set_password(conn: &mut Conn, caller: &Caller, login: &AccountName) -> Result<()> {
    let is_system = caller.principal == Principal::System;
    if !is_system && access::administers_instance(conn, caller).await? {
        return Ok(());
    }
    let permission = AccountPermission::ManageCredentials;
    access::account(conn, caller, login, permission)
        .await
        .map(|_| ())
}

/// A name that may be registered: in the grammar and not one of the server's own.
pub(crate) fn registrable(login: &AccountName) -> Result<AccountName> {
    AccountName::for_new_account(login.as_str()).map_err(|error| Error::Invalid(error.to_string()))
}

pub(crate) fn taken(login: &AccountName) -> Error {
    Error::Exists {
        what: "account",
        name: login.to_string(),
    }
}

pub(crate) async fn find(conn: &mut Conn, login: &AccountName) -> Result<Account> {
    let found = accounts::find(conn, login).await?;
    found.ok_or_else(|| Error::AccountUnknown(login.to_string()))
}

/// The user of this name.
pub(crate) async fn find_user(conn: &mut Conn, login: &AccountName) -> Result<User> {
    match find(conn, login).await? {
        Account::User(user) => Ok(user),
        Account::Organization(_) => Err(Error::NotFound {
            what: "user",
            name: login.to_string(),
        }),
    }
}
