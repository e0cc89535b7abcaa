//! What two sections must agree on.

use super::{Config, Problem};

/// Checks what concerns more than one section.
///
/// # Errors
/// The first contradiction, with a way out of it.
pub fn check(_config: &Config) -> Result<(), Problem> {
    Ok(())
}
