//! Words of GitHub accounts and packages; pure, no I/O.
//!
//! Read in this order: identifiers and time, what may be done, what exists.

mod clock;
mod id;
mod package;
mod permission;

pub use clock::{Clock, ManualClock, Moment, NoRandomness, Random, SystemClock, SystemRandom};
pub use id::{AccountId, EventId, PackageId, RepositoryId, TeamId, TokenId, VersionId};
pub use package::{PackageType, Visibility};
pub use permission::{Role, UnknownWord};
