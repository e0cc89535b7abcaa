//! Limits and choices of the registry: the `[registry]` section of the configuration.

use std::time::Duration;

use naru_model::PackageType;
use serde::Deserialize;

use crate::blobs::Leases;

/// The `[registry]` section. Sizes are bytes, times are seconds unless the name says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The largest blob that the container registry takes.
    pub layer_limit: u64,
    /// The largest blob that the legacy Docker registry takes.
    pub legacy_layer_limit: u64,
    /// The largest manifest.
    pub manifest_limit: u64,
    /// The largest bundle of an attestation.
    pub attestation_limit: u64,
    /// Whether manifests may name content that the package lacks (sparse indexes and images).
    pub sparse_indexes: bool,
    /// Whether a published tag other than `latest` is immutable on the legacy registry.
    pub legacy_immutable_tags: bool,
    /// How many tags a page has when the client does not say.
    pub tags_page: u64,
    /// How many tags a page has at most.
    pub tags_page_limit: u64,
    /// After how many hours without a request an upload is given up.
    pub upload_expiry_hours: u64,
    /// How many hours an answer "exists" or "created" keeps the collector away (L).
    pub lease_hours: u64,
    /// How many hours a blob can be read, and its lease renewed, without a manifest.
    pub pin_hours: u64,
    /// How many hours a condemned object waits before it is removed (D): at least the age of the
    /// oldest database backup that one would restore.
    pub trash_hours: u64,
    /// How many days deleted packages and versions can be restored.
    pub restore_days: u64,
    /// A public package of which a version was downloaded more often than this cannot be deleted,
    /// nor can such a version; 0 lets everything be deleted. The vendor has 5000.
    pub undeletable_downloads: u64,
    /// How many minutes lie between two runs of the collector.
    pub collect_minutes: u64,
    /// How many bytes of manifests are remembered.
    pub manifest_cache: u64,
    /// How many seconds a registry token is good for.
    pub token_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            layer_limit: 10_000_000_000,
            legacy_layer_limit: 5_000_000_000,
            manifest_limit: 4 << 20,
            attestation_limit: 4 << 20,
            sparse_indexes: false,
            legacy_immutable_tags: true,
            tags_page: 100,
            tags_page_limit: 10_000,
            upload_expiry_hours: 24,
            lease_hours: 24,
            pin_hours: 7 * 24,
            trash_hours: 7 * 24,
            restore_days: 30,
            undeletable_downloads: 0,
            collect_minutes: 60,
            manifest_cache: 64 << 20,
            token_seconds: 300,
        }
    }
}

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours.saturating_mul(3600))
}

impl Settings {
    pub(crate) const fn leases(&self) -> Leases {
        Leases {
            lease: hours(self.lease_hours),
            pin: hours(self.pin_hours),
        }
    }

    /// The largest blob that a registry takes.
    pub(crate) const fn layer_limit_of(&self, registry: PackageType) -> u64 {
        match registry {
            PackageType::Container => self.layer_limit,
            PackageType::Docker => self.legacy_layer_limit,
        }
    }

    pub(crate) const fn upload_expiry(&self) -> Duration {
        hours(self.upload_expiry_hours)
    }

    pub(crate) const fn trash_delay(&self) -> Duration {
        hours(self.trash_hours)
    }

    pub(crate) const fn bin_time(&self) -> Duration {
        hours(self.restore_days.saturating_mul(24))
    }
}
