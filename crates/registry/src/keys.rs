//! Keys that sign registry tokens: made here, sealed in the database, renewed every 30 days.
//!
//! Every process on the database knows all of them. The newest signs; one that was renewed still
//! verifies until the last token it can have signed has expired.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jsonwebtoken::DecodingKey;
use naru_metadata::signing_keys::{self, SigningKeyRow};
use naru_metadata::{Conn, instance};
use naru_model::{EventKind, Moment};
use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::jwt::{LEEWAY, SigningKey};
use crate::sealing::{MasterKey, SealError, Sealer};
use crate::{Caller, Registry, events};

/// How long a key signs.
const ROTATION: Duration = Duration::from_secs(30 * 24 * 3600);

/// How often at most the keys are read again because a token names one that is not known.
const AGAIN: Duration = Duration::from_secs(1);

/// Notes in the database that the first key was made.
const FIRST_KEY_AT: &str = "first_signing_key_at";

/// The keys as this process knows them.
pub(crate) struct Keyring {
    master: MasterKey,
    keys: ArcSwapOption<Keys>,
    /// Whoever holds it reads the keys; when they were last read again.
    again_at: Mutex<Option<Moment>>,
}

/// Keys that were read and opened.
pub(crate) struct Keys {
    /// Signs.
    pub(crate) signing: SigningKey,
    /// Verify, by their id; the one that signs too.
    pub(crate) verifying: HashMap<String, DecodingKey>,
    signing_since: Moment,
}

impl Keyring {
    pub(crate) fn new(master: MasterKey) -> Self {
        Self {
            master,
            keys: ArcSwapOption::empty(),
            again_at: Mutex::new(None),
        }
    }

    /// What a key file holds, for a backup that is to open by itself.
    pub(crate) fn key_file(&self) -> SecretString {
        self.master.to_text()
    }

    fn sealer(&self) -> Result<Sealer> {
        Sealer::new(&self.master).map_err(|error| Error::Internal(error.to_string()))
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl Registry {
    /// Reads the signing keys, and makes the first one at the first start. To be called before
    /// requests are taken, so that a wrong master key is found then.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the keys were sealed with another master key; those of the
    /// database.
    pub async fn prepare_keys(&self) -> Result<()> {
        self.signing_keys().await.map(|_| ())
    }

    pub(crate) async fn signing_keys(&self) -> Result<Arc<Keys>> {
        if let Some(keys) = self.keyring.keys.load_full() {
            return Ok(keys);
        }
        let _turn = self.keyring.again_at.lock().await;
        match self.keyring.keys.load_full() {
            Some(keys) => Ok(keys),
            None => self.load_keys().await,
        }
    }

    /// The keys read again, because another process may have made one; unless that was done a
    /// moment ago, so that made-up tokens do not keep the database busy.
    pub(crate) async fn signing_keys_again(&self) -> Result<Arc<Keys>> {
        let mut again_at = self.keyring.again_at.lock().await;
        let now = self.clock.now();
        let is_recent = again_at.is_some_and(|at| at <= now && now.since(at) < AGAIN);
        match self.keyring.keys.load_full() {
            Some(keys) if is_recent => Ok(keys),
            _ => {
                *again_at = Some(now);
                self.load_keys().await
            }
        }
    }

    async fn load_keys(&self) -> Result<Arc<Keys>> {
        let mut conn = self.db.read().await?;
        let mut rows = signing_keys::all(&mut conn).await?;
        drop(conn);
        if !rows.iter().any(|row| row.retired_at.is_none()) {
            rows = self.make_first_key().await?;
        }
        let keys = Arc::new(self.open_keys(&rows)?);
        self.keyring.keys.store(Some(Arc::clone(&keys)));
        Ok(keys)
    }

    /// Several processes may come here at once: one makes the key while the others wait for its
    /// transaction.
    async fn make_first_key(&self) -> Result<Vec<SigningKeyRow>> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        instance::claim(&mut tx, FIRST_KEY_AT, &now.to_string()).await?;
        let rows = signing_keys::all(&mut tx).await?;
        if rows.iter().any(|row| row.retired_at.is_none()) {
            return Ok(rows);
        }
        self.make_key(&mut tx, now).await?;
        let rows = signing_keys::all(&mut tx).await?;
        tx.commit().await?;
        Ok(rows)
    }

    async fn make_key(&self, conn: &mut Conn, now: Moment) -> Result<String> {
        let mut seed = [0; SigningKey::SEED_LEN];
        self.random
            .fill(&mut seed)
            .map_err(|error| Error::Internal(error.to_string()))?;
        let key = SigningKey::from_seed(seed)
            .ok_or_else(|| Error::Internal("a signing key could not be made".to_owned()))?;
        let sealer = self.keyring.sealer()?;
        let sealed = sealer
            .seal(&purpose(key.kid()), key.expose_seed(), self.random.as_ref())
            .map_err(|error| Error::Internal(error.to_string()))?;
        signing_keys::insert(conn, key.kid(), &sealed, now).await?;
        Ok(key.kid().to_owned())
    }

    fn open_keys(&self, rows: &[SigningKeyRow]) -> Result<Keys> {
        let sealer = self.keyring.sealer()?;
        let mut verifying = HashMap::new();
        let mut signing: Option<(Moment, SigningKey)> = None;
        for row in rows {
            let key = open_key(&sealer, row)?;
            verifying.extend([key.verifying()]);
            let is_newer = signing
                .as_ref()
                .is_none_or(|(since, _)| *since <= row.created_at);
            if row.retired_at.is_none() && is_newer {
                signing = Some((row.created_at, key));
            }
        }
        let (signing_since, signing) =
            signing.ok_or_else(|| Error::Internal("there is no signing key".to_owned()))?;
        Ok(Keys {
            signing,
            verifying,
            signing_since,
        })
    }

    /// Makes a new key if the one that signs is 30 days old, and forgets those that no living
    /// token can have been signed with. Returns whether a key was made.
    pub(crate) async fn rotate_signing_keys(&self) -> Result<bool> {
        let now = self.clock.now();
        let keys = self.signing_keys().await?;
        let mut tx = self.db.write().await?;
        let is_due = now.since(keys.signing_since) >= ROTATION;
        if is_due {
            signing_keys::retire_all(&mut tx, now).await?;
            let kid = self.make_key(&mut tx, now).await?;
            let event = Caller::system().event(EventKind::SigningKeyRotated, now);
            events::record(&mut tx, event.with("kid", kid)).await?;
        }
        signing_keys::forget_retired_before(&mut tx, now.minus(self.longest_token())).await?;
        tx.commit().await?;
        if is_due {
            let _turn = self.keyring.again_at.lock().await;
            self.load_keys().await?;
        }
        Ok(is_due)
    }

    /// How long after a key stopped signing a token may still come: its life, the leeway, and a
    /// while in which another process had not heard of the rotation.
    fn longest_token(&self) -> Duration {
        const UNHEARD: Duration = Duration::from_secs(3600);
        Duration::from_secs(self.settings.token_seconds) + LEEWAY + UNHEARD
    }
}

fn purpose(kid: &str) -> String {
    format!("signing key {kid}")
}

fn open_key(sealer: &Sealer, row: &SigningKeyRow) -> Result<SigningKey> {
    let seed = sealer.open(&purpose(&row.kid), &row.sealed).map_err(|error| match error {
        SealError::CannotOpen => Error::Conflict(format!(
            "the signing key {} cannot be opened: {error}; every process on one database needs the \
             master key that the first one was started with",
            row.kid
        )),
        other => Error::Internal(other.to_string()),
    })?;
    seed.try_into()
        .ok()
        .and_then(SigningKey::from_seed)
        .filter(|key| key.kid() == row.kid)
        .ok_or_else(|| Error::Internal(format!("the signing key {} is damaged", row.kid)))
}
