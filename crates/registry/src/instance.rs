//! What administrators decide for the whole instance: which registries are open.
//!
//! Whether a registry is open is a fact of every decision about its packages, so it binds within
//! the same bounds as a change of roles does.

use naru_metadata::instance;
use naru_model::{EventKind, InstanceSettings, PackageType, Principal, RegistryMode};

use crate::error::{Error, Result};
use crate::{Caller, Registry, account_access};

impl Registry {
    /// The settings of the instance.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance.
    pub async fn instance_settings(&self, caller: &Caller) -> Result<InstanceSettings> {
        let mut conn = self.db.read().await?;
        account_access::instance(&mut conn, caller).await?;
        Ok(instance::settings(&mut conn).await?)
    }

    /// Opens or closes a registry; effective at once, also for tokens that are out.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance.
    pub async fn set_registry_mode(
        &self,
        caller: &Caller,
        registry: PackageType,
        mode: RegistryMode,
    ) -> Result<InstanceSettings> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        account_access::instance(&mut tx, caller).await?;
        instance::set_registry(&mut tx, registry, mode).await?;
        let settings = instance::settings(&mut tx).await?;
        let event = caller
            .event(EventKind::InstanceSettingsChanged, now)
            .with("registry", registry)
            .with("mode", mode);
        self.commit_access_change(tx, event).await?;
        Ok(settings)
    }

    /// Whether there is such a registry, as far as this caller is told.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is disabled.
    pub async fn find_registry(&self, caller: &Caller, registry: PackageType) -> Result<()> {
        let mode = self.registry_modes().await?.mode(registry);
        if mode == RegistryMode::Disabled && caller.principal != Principal::System {
            return Err(Error::NotFound {
                what: "registry",
                name: registry.to_string(),
            });
        }
        Ok(())
    }

    /// Which registries are open: every ping asks, so it is remembered as other facts are.
    async fn registry_modes(&self) -> Result<InstanceSettings> {
        if let Some(known) = self.facts_cache.instance() {
            return Ok(known);
        }
        let epoch = self.facts_cache.epoch();
        let settings = instance::settings(&mut self.db.read().await?).await?;
        self.facts_cache.remember_instance(epoch, settings);
        Ok(settings)
    }
}
