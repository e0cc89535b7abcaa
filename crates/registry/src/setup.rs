//! The first start: one administrator, and one token to go on with.

use std::time::Duration;

use naru_metadata::accounts::{self, NewUser};
use naru_metadata::instance;
use naru_model::TokenSecret;
use naru_model::{AccountName, EventKind, Lifetime, Moment, Scope, Scopes, TokenHolder};

use crate::accounts::taken;
use crate::commit::Outdated;
use crate::error::{Error, Result};
use crate::tokens::Mint;
use crate::{Caller, Registry, events};

/// What must be told once, at the first start and never again.
#[derive(Debug)]
pub struct FirstStart {
    /// The administrator that was made. The account has no password.
    pub login: AccountName,
    /// A personal access token of theirs.
    pub token: TokenSecret,
    /// When that token stops working.
    pub expires_at: Moment,
}

/// The name of the administrator that the first start makes.
const ADMINISTRATOR: &str = "admin";

/// How long the token of the first start works.
const LIFE: Duration = Duration::from_secs(3600);

/// Notes in the database that the first start has been.
const SET_UP_AT: &str = "set_up_at";

impl Registry {
    /// Does what the very first start on a database does, and nothing on any later one. Of
    /// several that start at once, one does it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn first_start(&self) -> Result<Option<FirstStart>> {
        let mut conn = self.db.read().await?;
        if instance::get(&mut conn, SET_UP_AT).await?.is_some() {
            return Ok(None);
        }
        drop(conn);
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        if !instance::claim(&mut tx, SET_UP_AT, &now.to_string()).await? {
            return Ok(None);
        }
        let login: AccountName = ADMINISTRATOR
            .parse()
            .map_err(|_| Error::Internal("the name `admin`".to_owned()))?;
        let caller = Caller::system();
        let new = NewUser {
            login: &login,
            name: None,
            site_admin: true,
            password_hash: None,
            now,
        };
        let user = accounts::create_user(&mut tx, &new)
            .await?
            .ok_or_else(|| taken(&login))?;
        let event = caller
            .event(EventKind::InstanceCreated, now)
            .on_account(user);
        events::record(&mut tx, event.with("administrator", &login)).await?;
        let scopes: Scopes = [Scope::WritePackages, Scope::DeletePackages]
            .into_iter()
            .collect();
        let mint = Mint {
            account: user,
            holder: TokenHolder::User { user, scopes },
            note: "first start".to_owned(),
            lifetime: Lifetime::For(LIFE),
        };
        let created = self.mint_token(&mut tx, &caller, mint, now).await?;
        self.commit(tx, Outdated::ACCESS).await?;
        Ok(Some(FirstStart {
            login,
            token: created.secret,
            expires_at: now.plus(LIFE),
        }))
    }
}
