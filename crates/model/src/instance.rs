//! What administrators decide for the whole instance.

use crate::package::PackageType;
use crate::word::words;

/// Whether a registry of the instance is open (GitHub Enterprise Server documentation, "Configuring
/// package ecosystem support for your enterprise").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RegistryMode {
    /// Packages are pulled and pushed.
    Enabled,
    /// Packages are pulled; what is in them stays as it is.
    ReadOnly,
    /// Nobody reaches its packages, and nobody hears that there are any.
    #[default]
    Disabled,
}

words!(
    RegistryMode,
    "mode of a registry",
    Enabled = "enabled",
    ReadOnly = "read-only",
    Disabled = "disabled"
);

/// The settings of the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceSettings {
    /// The container registry.
    pub container: RegistryMode,
    /// The legacy Docker registry.
    pub docker: RegistryMode,
}

impl Default for InstanceSettings {
    /// What a new instance has.
    fn default() -> Self {
        Self {
            container: RegistryMode::Enabled,
            docker: RegistryMode::Enabled,
        }
    }
}

impl InstanceSettings {
    /// Whether a registry is open.
    #[must_use]
    pub const fn mode(&self, registry: PackageType) -> RegistryMode {
        match registry {
            PackageType::Container => self.container,
            PackageType::Docker => self.docker,
        }
    }
}
