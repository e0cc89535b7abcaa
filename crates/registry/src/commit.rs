//! The end of a change: it becomes durable, and what it makes untrue is forgotten, before the
//! answer.
//!
//! A request may be dropped at any await, because its client is gone or its stream was reset, also
//! while its commit is under way. The commit goes on then, and nobody would be left to forget. So
//! the two are one task, which ends whether or not somebody waits for it.

use std::sync::Arc;

use naru_metadata::{Error, Tx};
use naru_model::PackageId;

use crate::Registry;
use crate::access::FactsCache;
use crate::cache::ContentCache;
use crate::credentials::TokenCache;

/// What a change makes untrue of what is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outdated {
    manifests_of: Option<PackageId>,
    access: bool,
}

impl Outdated {
    /// Who may do what, and which packages and tokens there are.
    pub(crate) const ACCESS: Self = Self {
        manifests_of: None,
        access: true,
    };

    /// The manifests or tags of a package.
    pub(crate) const fn manifests(package: PackageId) -> Self {
        Self {
            manifests_of: Some(package),
            access: false,
        }
    }

    /// And access, if so.
    pub(crate) const fn and_access(self, access: bool) -> Self {
        Self {
            access: self.access || access,
            ..self
        }
    }
}

/// What a process remembers of the database.
struct Remembered {
    content: Arc<ContentCache>,
    facts: Arc<FactsCache>,
    tokens: Arc<TokenCache>,
}

impl Remembered {
    fn forget(&self, outdated: Outdated) {
        if let Some(package) = outdated.manifests_of {
            self.content.changed(package);
        }
        if outdated.access {
            self.facts.forget();
            self.tokens.forget();
        }
    }
}

impl Registry {
    /// Makes a change durable and forgets what it makes untrue; both happen even if this future is
    /// dropped.
    ///
    /// # Errors
    /// Those of [`Tx::commit`].
    pub(crate) async fn commit(&self, tx: Tx, outdated: Outdated) -> Result<(), Error> {
        let remembered = Remembered {
            content: Arc::clone(&self.content_cache),
            facts: Arc::clone(&self.facts_cache),
            tokens: Arc::clone(&self.token_cache),
        };
        let ended = tokio::spawn(async move {
            let outcome = tx.commit().await;
            // Whatever came of it: an error may hide a success.
            remembered.forget(outdated);
            outcome
        });
        ended
            .await
            .unwrap_or_else(|broken| Err(Error::CommitUnknown(broken.to_string())))
    }
}
