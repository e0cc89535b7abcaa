//! One type per kind of identifier, so that two of them cannot be swapped.
//!
//! Identifiers are 64-bit, positive, chosen by the database, and stay below 2^53 so that JSON
//! carries them unharmed. Versions and packages stay below 2^31 as long as possible, because some
//! clean-up tools read them into 32 bits.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Wraps a number that the database gave.
            #[must_use]
            pub const fn new(id: i64) -> Self {
                Self(id)
            }

            /// The number as the database knows it.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

identifiers! {
    /// A user or an organization: both live in one namespace.
    AccountId,
    /// A team of an organization.
    TeamId,
    /// A source repository.
    RepositoryId,
    /// A package.
    PackageId,
    /// A package version, that is one manifest of a package.
    VersionId,
    /// A token of any kind.
    TokenId,
    /// A tag rule.
    TagRuleId,
    /// An event.
    EventId,
    /// An attestation.
    AttestationId,
    /// A deployment record of an artifact.
    DeploymentRecordId,
    /// A storage record of an artifact.
    StorageRecordId,
    /// A job that set the deployment records of a cluster.
    ClusterJobId,
}
