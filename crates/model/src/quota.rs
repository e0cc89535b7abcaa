//! Quotas: how much an owner may hold.

/// How many bytes an owner may hold. The default is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Quota {
    /// What is served and what is being uploaded, each blob once.
    pub live: Option<u64>,
    /// What can be restored and is needed by nothing else.
    pub bin: Option<u64>,
}
