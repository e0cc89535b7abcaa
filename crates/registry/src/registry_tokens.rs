//! Registry tokens: what the token endpoint gives, and what comes back with each request.
//!
//! Docker's "Token Authentication Specification". A token lists what was granted when it was made
//! and names the stored token that it was made from. It is an upper bound and never a decision:
//! on use the live rights of its holder are asked, and the list can only narrow them.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use naru_model::policy::{Decision, Grounds, Refusal, Remedy};
use naru_model::{
    AccessList, Action, Actions, Moment, PackagePath, PackagePermission, PackageType, Permission,
    Principal,
};
use naru_oci::{Scope, Scopes};

use crate::error::{BadCredential, Error, Result};
use crate::jwt::{self, JwtError, RegistryToken, Subject};
use crate::{Caller, Registry};

/// A registry token, ready to be handed over.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// The token itself.
    pub token: String,
    /// When it was made, in whole seconds.
    pub issued_at: Moment,
    /// How long it is good from then on.
    pub expires_in: Duration,
    /// What it was given for.
    pub granted: AccessList,
}

impl std::fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedToken")
            .field("granted", &self.granted)
            .finish_non_exhaustive()
    }
}

/// Tokens whose signature was checked, by that signature: a client sends the same one with every
/// request, and the check costs a hundred times as much as the look-up.
pub(crate) struct VerifiedTokens(Cache<Signature, Arc<Verified>>);

/// Ed25519 makes 64 bytes, which are 86 characters in base64.
type Signature = [u8; 86];

/// A token that was found genuine. Its time is looked at with every use.
#[derive(Debug)]
pub(crate) struct Verified {
    text: String,
    pub(crate) token: RegistryToken,
}

impl VerifiedTokens {
    /// Remembers as long as a token can live.
    pub(crate) fn new(token_seconds: u64) -> Self {
        const MOST: u64 = 20_000;
        let life = Duration::from_secs(token_seconds) + jwt::LEEWAY;
        Self(
            Cache::builder()
                .max_capacity(MOST)
                .time_to_live(life)
                .build(),
        )
    }

    fn get(&self, text: &str) -> Option<Arc<Verified>> {
        // The same signature under another text is a forgery.
        self.0
            .get(&signature(text)?)
            .filter(|verified| verified.text == text)
    }

    fn put(&self, verified: Arc<Verified>) {
        if let Some(signature) = signature(&verified.text) {
            self.0.insert(signature, verified);
        }
    }
}

impl std::fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedTokens").finish_non_exhaustive()
    }
}

fn signature(text: &str) -> Option<Signature> {
    text.as_bytes().last_chunk().copied()
}

impl Registry {
    /// The token endpoint: a token for what is granted of `scopes` on the registry of
    /// `package_type`. Whoever signed in gets one whatever that is, also for nothing, as at
    /// `docker login`.
    ///
    /// # Errors
    /// [`Refusal::Unauthenticated`] when nobody signed in and nothing of what was asked for is
    /// public; [`Error::Refused`] for a caller who came with a registry token, which makes no
    /// other; those of the database.
    pub async fn issue_registry_token(
        &self,
        caller: &Caller,
        package_type: PackageType,
        scopes: &Scopes,
    ) -> Result<IssuedToken> {
        let subject = subject(&caller.principal)?;
        let granted = self.grant(&caller.principal, package_type, scopes).await?;
        let asked_in_vain = !scopes.is_empty() && granted.iter().next().is_none();
        if caller.principal.is_anonymous() && asked_in_vain {
            return Err(Error::Refused(Refusal::Unauthenticated));
        }
        let issued_at = Moment::from_seconds(self.clock.now().as_seconds());
        let expires_at = self.token_end(&caller.principal, issued_at).await?;
        let token = RegistryToken {
            subject,
            access: granted.clone(),
            issued_at,
            expires_at,
            id: self.new_token_id()?,
        };
        let keys = self.signing_keys().await?;
        let text = jwt::sign(&token, &keys.signing)
            .map_err(|error| Error::Internal(format!("a registry token: {error}")))?;
        if text.len() > jwt::LONGEST {
            return Err(Error::Invalid(
                "too many scopes are asked for at once".to_owned(),
            ));
        }
        Ok(IssuedToken {
            token: text,
            issued_at,
            expires_in: expires_at.since(issued_at),
            granted,
        })
    }

    /// What the live rights allow of what is asked for.
    async fn grant(
        &self,
        principal: &Principal,
        package_type: PackageType,
        scopes: &Scopes,
    ) -> Result<AccessList> {
        let mut granted = AccessList::new();
        for scope in scopes.iter() {
            let Scope::Repository { name, actions } = scope else {
                continue;
            };
            let Ok(path) = PackagePath::new(package_type, name) else {
                continue;
            };
            let actions = self.grant_on(principal, &path, *actions).await?;
            if !actions.is_empty() {
                granted.add(path, actions);
            }
        }
        Ok(granted)
    }

    /// A push reads what it wrote, so `pull` comes with `push`. Whoever may create the package is
    /// its administrator a moment later, so all that was asked for is granted there; whether it
    /// may be done is decided when it is.
    async fn grant_on(
        &self,
        principal: &Principal,
        path: &PackagePath,
        asked: naru_oci::Actions,
    ) -> Result<Actions> {
        let asked = asked_actions(asked);
        let mut granted = Actions::NONE;
        if asked.contains(Action::Push) {
            match self
                .decide(principal, path, PackagePermission::Write)
                .await?
            {
                Decision::Allowed(Grounds::Creation(_)) => return Ok(asked),
                Decision::Allowed(_) => granted = granted.with(Action::Push),
                Decision::Refused(_) => {}
            }
        }
        for (action, permission) in [
            (Action::Pull, PackagePermission::Read),
            (Action::Delete, PackagePermission::Delete),
        ] {
            let comes_along = action == Action::Pull && granted.contains(Action::Push);
            if asked.contains(action)
                && (comes_along || self.decide(principal, path, permission).await?.is_allowed())
            {
                granted = granted.with(action);
            }
        }
        Ok(granted)
    }

    /// A registry token does not outlive the token that it is made from.
    async fn token_end(&self, principal: &Principal, issued_at: Moment) -> Result<Moment> {
        let end = issued_at.plus(Duration::from_secs(self.settings.token_seconds));
        let Some(token) = principal.token() else {
            return Ok(end);
        };
        let live = self.live_token(token).await?;
        Ok(live.token.expires_at.map_or(end, |expiry| expiry.min(end)))
    }

    fn new_token_id(&self) -> Result<String> {
        let mut id = [0; 16];
        self.random
            .fill(&mut id)
            .map_err(|error| Error::Internal(error.to_string()))?;
        Ok(hex::encode(id))
    }

    /// A registry token that came with a request, if it is genuine and its time is not over.
    pub(crate) async fn verify_registry_token(&self, text: &str) -> Result<Arc<Verified>> {
        if let Some(verified) = self.verified_tokens.get(text) {
            return timely(verified, self.clock.now());
        }
        let token = self.check_signature(text).await?;
        let verified = Arc::new(Verified {
            text: text.to_owned(),
            token,
        });
        self.verified_tokens.put(Arc::clone(&verified));
        Ok(verified)
    }

    async fn check_signature(&self, text: &str) -> Result<RegistryToken> {
        let keys = self.signing_keys().await?;
        let outcome = match jwt::verify(text, &keys.verifying, self.clock.now()) {
            // Another process may have made the key a moment ago.
            Err(JwtError::UnknownKey) => {
                let keys = self.signing_keys_again().await?;
                jwt::verify(text, &keys.verifying, self.clock.now())
            }
            outcome => outcome,
        };
        outcome.map_err(|error| {
            tracing::debug!(%error, "a registry token is refused");
            Error::BadCredential(match error {
                JwtError::Time => BadCredential::Expired,
                _ => BadCredential::Unknown,
            })
        })
    }
}

fn timely(verified: Arc<Verified>, now: Moment) -> Result<Arc<Verified>> {
    if jwt::is_timely(&verified.token, now) {
        Ok(verified)
    } else {
        Err(Error::BadCredential(BadCredential::Expired))
    }
}

/// Whom the token is to speak for. A registry token makes no other, or it could live for ever; a
/// browser session has no use for one.
fn subject(principal: &Principal) -> Result<Subject> {
    match principal {
        Principal::Anonymous { access: None } => return Ok(Subject::Anonymous),
        Principal::User {
            user, credential, ..
        } if principal.access().is_none() => {
            if let Some(token) = credential.token {
                return Ok(Subject::User(*user, token));
            }
        }
        Principal::Workflow {
            repository, token, ..
        } if principal.access().is_none() => {
            return Ok(Subject::Workflow(*repository, *token));
        }
        _ => {}
    }
    Err(Error::Refused(Refusal::Role {
        missing: Permission::ManageCredentials,
        have: None,
        remedy: Remedy::PersonalTokenItself,
    }))
}

fn asked_actions(asked: naru_oci::Actions) -> Actions {
    [
        (naru_oci::Actions::PULL, Action::Pull),
        (naru_oci::Actions::PUSH, Action::Push),
        (naru_oci::Actions::DELETE, Action::Delete),
    ]
    .into_iter()
    .filter(|(word, _)| asked.contains(*word))
    .map(|(_, action)| action)
    .collect()
}
