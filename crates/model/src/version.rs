//! Package versions: one manifest each, tagged or not; how they are listed and deleted.

use crate::word::words;

/// Which versions of a package are listed (GitHub REST API, "List package versions"; `listed` is
/// what its default is).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VersionState {
    /// Those that nobody deleted.
    #[default]
    Listed,
    /// Also those that were withdrawn and are still served.
    Active,
    /// Those that somebody deleted and that can be restored.
    Deleted,
}

words!(
    VersionState,
    "state of versions",
    Listed = "listed",
    Active = "active",
    Deleted = "deleted"
);

/// What becomes of a version that is to be deleted while a listed index, or its listed subject,
/// keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Needed {
    /// It leaves the lists, and is served as long as something keeps it.
    Withdraw,
    /// It is not deleted.
    Refuse,
}

words!(
    Needed,
    "choice for what is needed",
    Withdraw = "withdraw",
    Refuse = "refuse"
);

/// What goes together with a version that is deleted, unless something else keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cascade {
    /// Nothing that is listed.
    #[default]
    None,
    /// The children of an index, and theirs.
    Children,
    /// What refers to it, natively or by a fallback tag, and what refers to that.
    Referrers,
    /// Both.
    All,
}

words!(
    Cascade,
    "choice of what goes along",
    None = "none",
    Children = "children",
    Referrers = "referrers",
    All = "all"
);

impl Cascade {
    /// Whether children go along.
    #[must_use]
    pub const fn takes_children(self) -> bool {
        matches!(self, Self::Children | Self::All)
    }

    /// Whether referrers go along.
    #[must_use]
    pub const fn takes_referrers(self) -> bool {
        matches!(self, Self::Referrers | Self::All)
    }
}
