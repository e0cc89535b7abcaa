//! Stored tokens: made, listed, revoked. Personal ones are never made by a token: credentials come
//! from people, or from the command line on the machine.

use std::time::Duration;

use naru_metadata::tokens::{self, NewToken};
use naru_metadata::{Conn, Cursor, Page, Tx, accounts, changes, uploads};
use naru_model::{
    AccountId, AccountName, AccountPermission, EventKind, Lifetime, Moment, RepositoryPath,
    RepositoryPermission, Scopes, Token, TokenHolder, TokenId, TokenSecret, WorkflowPackages,
};

use crate::account_access as access;
use crate::commit::Outdated;
use crate::error::{Error, Result};
use crate::{Caller, Registry, events};

/// A token that was just made. The secret exists here and nowhere else.
#[derive(Debug)]
pub struct CreatedToken {
    /// Its record.
    pub token: Token,
    /// To be shown once.
    pub secret: TokenSecret,
}

/// What a personal access token is to be like.
#[derive(Clone, Debug)]
pub struct TokenWish {
    /// What it may be used for at most.
    pub scopes: Scopes,
    /// How long it works.
    pub lifetime: Lifetime,
    /// What its owner writes beside it.
    pub note: String,
}

/// The longest note, in characters.
const LONGEST_NOTE: usize = 256;

impl Registry {
    /// Makes a personal access token for `user`.
    ///
    /// # Errors
    /// [`Error::Refused`] unless it is the user in person, or the machine; [`Error::Invalid`] for
    /// an organization, which has no tokens, and for a note that is too long; [`Error::Conflict`]
    /// for a suspended user, whose tokens would not work.
    pub async fn create_token(
        &self,
        caller: &Caller,
        user: &AccountName,
        wish: TokenWish,
    ) -> Result<CreatedToken> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let permission = AccountPermission::ManageCredentials;
        let account = access::account(&mut tx, caller, user, permission).await?;
        match accounts::user(&mut tx, account.id()).await? {
            Some(found) if found.suspended_at.is_none() => {}
            Some(_) => {
                let text = format!("{user} is suspended, so a token would not work");
                return Err(Error::Conflict(text));
            }
            None => {
                let text = format!("{user} is an organization; only users have tokens");
                return Err(Error::Invalid(text));
            }
        }
        let holder = TokenHolder::User {
            user: account.id(),
            scopes: wish.scopes,
        };
        let mint = Mint {
            account: account.id(),
            holder,
            note: wish.note,
            lifetime: wish.lifetime,
        };
        let created = self.mint_token(&mut tx, caller, mint, now).await?;
        tx.commit().await?;
        Ok(created)
    }

    /// Makes a token for the workflows of a repository, good for a day at most (GitHub:
    /// `GITHUB_TOKEN`).
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the repository; [`Error::Invalid`] for a
    /// longer life.
    pub async fn create_workflow_token(
        &self,
        caller: &Caller,
        repository: &RepositoryPath,
        packages: Option<WorkflowPackages>,
        life: Duration,
    ) -> Result<CreatedToken> {
        const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);
        if life > LONGEST_LIFE {
            return Err(Error::Invalid(
                "a workflow's token lives for 24 hours at most".to_owned(),
            ));
        }
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let permission = RepositoryPermission::Administer;
        let found = access::repository(&mut tx, caller, repository, permission).await?;
        let holder = TokenHolder::Repository {
            repository: found.id(),
            packages,
        };
        let mint = Mint {
            account: found.owner(),
            holder,
            note: format!("workflow of {repository}"),
            lifetime: Lifetime::For(life),
        };
        let created = self.mint_token(&mut tx, caller, mint, now).await?;
        tx.commit().await?;
        Ok(created)
    }

    /// The tokens of a user, newest first; revoked ones too.
    ///
    /// # Errors
    /// [`Error::Refused`] unless it is the user in person, with a token of the scope `user`, or the
    /// machine.
    pub async fn list_tokens(&self, caller: &Caller, user: &AccountName) -> Result<Vec<Token>> {
        let mut conn = self.db.read().await?;
        let permission = AccountPermission::ReviewCredentials;
        let account = access::account(&mut conn, caller, user, permission).await?;
        Ok(tokens::of_user(&mut conn, account.id()).await?)
    }

    /// A part of the tokens of a user, newest first; revoked ones too.
    ///
    /// # Errors
    /// [`Error::Refused`] unless it is the user in person, with a token of the scope `user`, or the
    /// machine.
    pub async fn list_tokens_page(
        &self,
        caller: &Caller,
        user: &AccountName,
        cursor: Cursor,
    ) -> Result<Page<Token>> {
        let mut conn = self.db.read().await?;
        let permission = AccountPermission::ReviewCredentials;
        let account = access::account(&mut conn, caller, user, permission).await?;
        Ok(tokens::page_of_user(&mut conn, account.id(), cursor).await?)
    }

    /// A part of the tokens of a repository's workflows, newest first; revoked ones too.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the repository.
    pub async fn list_workflow_tokens(
        &self,
        caller: &Caller,
        repository: &RepositoryPath,
        cursor: Cursor,
    ) -> Result<Page<Token>> {
        let mut conn = self.db.read().await?;
        let permission = RepositoryPermission::Administer;
        let found = access::repository(&mut conn, caller, repository, permission).await?;
        Ok(tokens::page_of_repository(&mut conn, found.id(), cursor).await?)
    }

    /// Ends a token of a repository's workflows for good, and every upload that was begun with it.
    /// Repeating it changes nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the repository; [`Error::NotFound`].
    pub async fn revoke_workflow_token(
        &self,
        caller: &Caller,
        repository: &RepositoryPath,
        token: TokenId,
    ) -> Result<()> {
        let mut tx = self.db.write().await?;
        let permission = RepositoryPermission::Administer;
        let found = access::repository(&mut tx, caller, repository, permission).await?;
        let id = found.id();
        let own = |token: &Token| {
            matches!(token.holder,
            TokenHolder::Repository { repository, .. } if repository == id)
        };
        if !tokens::find(&mut tx, token)
            .await?
            .as_ref()
            .is_some_and(own)
        {
            return Err(absent(token));
        }
        self.end_token(tx, caller, found.owner(), token).await
    }

    /// Ends a token of a user for good, and every upload that was begun with it. Repeating it
    /// changes nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] unless it is the user in person, with a token of the scope `user`, or the
    /// machine; [`Error::NotFound`].
    pub async fn revoke_token(
        &self,
        caller: &Caller,
        user: &AccountName,
        token: TokenId,
    ) -> Result<()> {
        let mut tx = self.db.write().await?;
        let permission = AccountPermission::ReviewCredentials;
        let account = access::account(&mut tx, caller, user, permission).await?;
        let own = |token: &Token| {
            matches!(token.holder,
            TokenHolder::User { user, .. } if user == account.id())
        };
        if !tokens::find(&mut tx, token)
            .await?
            .as_ref()
            .is_some_and(own)
        {
            return Err(absent(token));
        }
        self.end_token(tx, caller, account.id(), token).await
    }

    /// Ends a token and what was begun with it.
    async fn end_token(
        &self,
        mut tx: Tx,
        caller: &Caller,
        account: AccountId,
        token: TokenId,
    ) -> Result<()> {
        let now = self.clock.now();
        if tokens::revoke(&mut tx, token, now).await? {
            uploads::end_those_of_token(&mut tx, token, now).await?;
            changes::bump_access(&mut tx).await?;
            let event = caller
                .event(EventKind::TokenRevoked, now)
                .on_account(account);
            events::record(&mut tx, event.with("token", token)).await?;
        }
        self.commit(tx, Outdated::ACCESS).await?;
        Ok(())
    }

    /// Makes a secret, stores its hash, and tells the event.
    pub(crate) async fn mint_token(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        mint: Mint,
        now: Moment,
    ) -> Result<CreatedToken> {
        let Mint {
            account,
            holder,
            note,
            lifetime,
        } = mint;
        if note.chars().count() > LONGEST_NOTE {
            return Err(Error::Invalid(format!(
                "a note has at most {LONGEST_NOTE} characters"
            )));
        }
        let secret = TokenSecret::generate(holder.kind(), self.random.as_ref())
            .map_err(|error| Error::Internal(error.to_string()))?;
        let hash = secret.hash();
        let expires_at = lifetime.expiry(now);
        let new = NewToken {
            holder,
            hash: &hash,
            note: &note,
            expires_at,
            now,
        };
        let id = tokens::insert(conn, &new).await?;
        let event = caller
            .event(EventKind::TokenCreated, now)
            .on_account(account);
        events::record(conn, event.with("token", id).with("kind", holder.kind())).await?;
        let token = Token {
            id,
            holder,
            note,
            created_at: now,
            expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        Ok(CreatedToken { token, secret })
    }
}

fn absent(token: TokenId) -> Error {
    Error::NotFound {
        what: "token",
        name: token.to_string(),
    }
}

/// A token about to be made.
pub(crate) struct Mint {
    /// The account that the event is told about.
    pub(crate) account: AccountId,
    pub(crate) holder: TokenHolder,
    pub(crate) note: String,
    pub(crate) lifetime: Lifetime,
}
