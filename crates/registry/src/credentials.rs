//! Who is calling: from what a client presents to a [`Principal`].
//!
//! Stored tokens are looked up by the hash of their secret. What was found is remembered until
//! this process changes anything that access depends on, or hears that another one did, so that a
//! revoked token, an expired one and a suspended account are refused within a second. A wrong
//! checksum is refused before any look-up.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use naru_metadata::tokens::{self, LiveToken};
use naru_model::{
    Credential, Moment, Principal, TokenError, TokenHolder, TokenId, TokenSecret, TokenState,
    Transport,
};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};

use crate::authorization::{Authorization, BearerCredential};
use crate::error::{BadCredential, Error, Result};
use crate::jwt::Subject;
use crate::{Caller, Registry};

/// Through which door a request came: each has its own way with credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `/v2/` of the container registry: an unusable bearer is quietly nobody.
    ContainerRegistry,
    /// `/v2/` of the legacy Docker registry.
    DockerRegistry,
    /// The token endpoint: a wrong credential is refused, also where none is needed.
    TokenEndpoint,
    /// The REST API.
    Rest,
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// This one; also nobody, without any credential.
    Known(Principal),
    /// Nobody: there was a bearer, but it is of no use. To be told to those who are refused.
    Ignored(BadCredential),
    /// `Bearer` with nothing after it: 401, "authentication token not provided".
    TokenNotProvided,
}

/// What is remembered of stored tokens.
pub(crate) struct TokenCache {
    by_hash: Cache<[u8; 32], (u64, Arc<LiveEntry>)>,
    by_id: Cache<TokenId, (u64, Arc<LiveEntry>)>,
    epoch: AtomicU64,
    /// Uses that are not written down yet.
    used: Mutex<HashMap<TokenId, Moment>>,
}

/// A stored token, and when its last use was noted.
#[derive(Debug)]
pub(crate) struct LiveEntry {
    pub(crate) live: LiveToken,
    noted: AtomicI64,
}

impl std::ops::Deref for LiveEntry {
    type Target = LiveToken;

    fn deref(&self) -> &LiveToken {
        &self.live
    }
}

impl TokenCache {
    /// A shared database is asked again after a second: another replica's change must bite within
    /// five. An embedded one only when something changed, or after a minute.
    pub(crate) fn new(shared: bool) -> Self {
        const MOST: u64 = 20_000;
        let keep = if shared {
            Duration::from_secs(1)
        } else {
            Duration::from_secs(60)
        };
        Self {
            by_hash: Cache::builder()
                .max_capacity(MOST)
                .time_to_live(keep)
                .build(),
            by_id: Cache::builder()
                .max_capacity(MOST)
                .time_to_live(keep)
                .build(),
            epoch: AtomicU64::new(0),
            used: Mutex::new(HashMap::new()),
        }
    }

    /// To be called after the commit of any change to tokens, accounts or repositories, before the
    /// answer.
    pub(crate) fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    fn put(&self, epoch: u64, live: LiveToken, hash: Option<[u8; 32]>) -> Arc<LiveEntry> {
        let noted = live.token.last_used_at.map_or(i64::MIN, Moment::as_micros);
        let id = live.token.id;
        let entry = Arc::new(LiveEntry {
            live,
            noted: AtomicI64::new(noted),
        });
        self.by_id.insert(id, (epoch, Arc::clone(&entry)));
        if let Some(hash) = hash {
            self.by_hash.insert(hash, (epoch, Arc::clone(&entry)));
        }
        entry
    }

    /// Notes a use in memory, at most once a minute.
    fn note_use(&self, entry: &LiveEntry, now: Moment) {
        const BETWEEN: i64 = 60_000_000;
        let noted = entry.noted.load(Ordering::Relaxed);
        if now.as_micros().saturating_sub(noted) >= BETWEEN {
            entry.noted.store(now.as_micros(), Ordering::Relaxed);
            self.used.lock().insert(entry.token.id, now);
        }
    }

    fn take_used(&self) -> Vec<(TokenId, Moment)> {
        self.used.lock().drain().collect()
    }
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

impl Registry {
    /// Says who is calling, from what they presented at `door`.
    ///
    /// # Errors
    /// [`Error::BadCredential`] for one that is of no use; [`Error::Unavailable`] when it could
    /// not be looked up, which is never taken for nobody.
    pub async fn identify(&self, door: Door, authorization: &Authorization) -> Result<Identity> {
        match authorization {
            Authorization::Absent => Ok(Identity::Known(Principal::ANONYMOUS)),
            Authorization::EmptyBearer => Ok(Identity::TokenNotProvided),
            Authorization::Unreadable => Err(BadCredential::NotAToken.into()),
            Authorization::Basic { password, .. } => {
                let secret = parse_secret(password)?;
                self.by_secret(&secret, Transport::Basic)
                    .await
                    .map(Identity::Known)
            }
            Authorization::Bearer(credential) => match self.bearer(credential).await {
                Err(Error::BadCredential(why)) if door == Door::ContainerRegistry => {
                    Ok(Identity::Ignored(why))
                }
                outcome => outcome.map(Identity::Known),
            },
        }
    }

    async fn bearer(&self, credential: &BearerCredential) -> Result<Principal> {
        match credential {
            BearerCredential::RegistryToken(text) => self.by_registry_token(text).await,
            BearerCredential::Token(secret) => self.by_secret(secret, Transport::Bearer).await,
            BearerCredential::NoToken(error) => Err(bad(error).into()),
        }
    }

    async fn by_secret(&self, secret: &TokenSecret, transport: Transport) -> Result<Principal> {
        let entry = self.live_token_by_hash(secret.hash()).await?;
        self.admit(&entry, transport)
    }

    /// The signature and time of a registry token are good; its holder must be so too, now.
    async fn by_registry_token(&self, text: &str) -> Result<Principal> {
        let verified = self.verify_registry_token(text).await?;
        let access = verified.token.access.clone();
        let (id, holds) = match verified.token.subject {
            Subject::Anonymous => {
                return Ok(Principal::Anonymous {
                    access: Some(access),
                });
            }
            Subject::User(user, id) => (id, HolderId::User(user)),
            Subject::Workflow(repository, id) => (id, HolderId::Repository(repository)),
        };
        let entry = self.live_token(id).await?;
        if HolderId::from(&entry.token.holder) != holds {
            return Err(BadCredential::Unknown.into());
        }
        self.admit(&entry, Transport::RegistryToken(access))
    }

    /// Turns a stored token into a principal, if it works now.
    fn admit(&self, entry: &LiveEntry, transport: Transport) -> Result<Principal> {
        let now = self.clock.now();
        let principal = principal_of(entry, transport, now)?;
        self.token_cache.note_use(entry, now);
        Ok(principal)
    }

    async fn live_token_by_hash(&self, hash: [u8; 32]) -> Result<Arc<LiveEntry>> {
        let epoch = self.token_cache.epoch();
        if let Some((at, entry)) = self.token_cache.by_hash.get(&hash)
            && at == epoch
        {
            return Ok(entry);
        }
        let mut conn = self.db.read().await?;
        let live = tokens::live_by_hash(&mut conn, &hash).await?;
        drop(conn);
        let live = live.ok_or(BadCredential::Unknown)?;
        Ok(self.token_cache.put(epoch, live, Some(hash)))
    }

    /// The stored token with this number, as it is now.
    pub(crate) async fn live_token(&self, id: TokenId) -> Result<Arc<LiveEntry>> {
        let epoch = self.token_cache.epoch();
        if let Some((at, entry)) = self.token_cache.by_id.get(&id)
            && at == epoch
        {
            return Ok(entry);
        }
        let mut conn = self.db.read().await?;
        let live = tokens::live_by_id(&mut conn, id).await?;
        drop(conn);
        let live = live.ok_or(BadCredential::Unknown)?;
        Ok(self.token_cache.put(epoch, live, None))
    }

    /// When the token behind a call stops working; `None` where there is none, or where it works
    /// until it is revoked.
    pub async fn token_expiry(&self, caller: &Caller) -> Option<Moment> {
        let entry = self.live_token(caller.principal.token()?).await.ok()?;
        entry.token.expires_at
    }

    /// Writes down which tokens were used since the last time: in the background, never while a
    /// request waits. What is lost in a crash is a minute of "last used".
    pub(crate) async fn write_token_uses(&self) -> Result<usize> {
        let used = self.token_cache.take_used();
        if used.is_empty() {
            return Ok(0);
        }
        let mut tx = self.db.write().await?;
        for (token, at) in &used {
            tokens::note_use(&mut tx, *token, *at).await?;
        }
        tx.commit().await?;
        Ok(used.len())
    }
}

#[derive(PartialEq, Eq)]
enum HolderId {
    User(naru_model::AccountId),
    Repository(naru_model::RepositoryId),
}

impl From<&TokenHolder> for HolderId {
    fn from(holder: &TokenHolder) -> Self {
        match holder {
            TokenHolder::User { user, .. } => Self::User(*user),
            TokenHolder::Repository { repository, .. } => Self::Repository(*repository),
        }
    }
}

/// The principal that a stored token makes, if it works at `now`.
///
/// # Errors
/// [`Error::BadCredential`].
pub(crate) fn principal_of(
    live: &LiveToken,
    transport: Transport,
    now: Moment,
) -> Result<Principal> {
    match live.token.state(now) {
        TokenState::Active => {}
        TokenState::Expired => return Err(BadCredential::Expired.into()),
        TokenState::Revoked => return Err(BadCredential::Unknown.into()),
    }
    if !live.holder_active {
        return Err(BadCredential::Suspended.into());
    }
    Ok(principal(live, transport))
}

fn principal(live: &LiveToken, transport: Transport) -> Principal {
    match live.token.holder {
        TokenHolder::User { user, scopes } => Principal::User {
            user,
            site_admin: live.site_admin,
            credential: Credential::personal(live.token.id, scopes, transport),
        },
        TokenHolder::Repository {
            repository,
            packages,
        } => Principal::Workflow {
            repository,
            packages,
            token: live.token.id,
            transport,
        },
    }
}

fn parse_secret(password: &SecretString) -> Result<TokenSecret> {
    TokenSecret::parse(password.expose_secret()).map_err(|error| bad(&error).into())
}

const fn bad(error: &TokenError) -> BadCredential {
    match error {
        TokenError::NotAToken | TokenError::ForeignKind { .. } => BadCredential::NotAToken,
        TokenError::WrongShape { .. } | TokenError::WrongChecksum { .. } => BadCredential::Checksum,
    }
}

impl From<BadCredential> for Error {
    fn from(bad: BadCredential) -> Self {
        Self::BadCredential(bad)
    }
}

impl Identity {
    /// The principal to go on with.
    #[must_use]
    pub fn into_principal(self) -> Principal {
        match self {
            Self::Known(principal) => principal,
            Self::Ignored(_) | Self::TokenNotProvided => Principal::ANONYMOUS,
        }
    }
}
