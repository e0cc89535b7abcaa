//! What is counted about connections.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counts of connections and requests. Clones count into the same place.
#[derive(Clone, Debug, Default)]
pub struct ListenMetrics {
    /// Connections that are open.
    pub connections_open: Gauge,
    /// Connections accepted since the start.
    pub connections: Counter,
    /// Requests between their head and the last byte of their answer.
    pub requests_running: Gauge,
    /// Requests since the start.
    pub requests: Counter,
    /// TLS handshakes that failed or took too long.
    pub handshakes_failed: Counter,
    /// Bodies given up because the client stood still.
    pub stalled: Counter,
}

impl ListenMetrics {
    /// Makes the counts part of `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "connections_open",
            "Open connections",
            self.connections_open.clone(),
        );
        registry.register(
            "connections",
            "Connections accepted",
            self.connections.clone(),
        );
        registry.register(
            "requests_running",
            "Requests whose answer is not complete",
            self.requests_running.clone(),
        );
        registry.register("requests", "Requests received", self.requests.clone());
        registry.register(
            "tls_handshakes_failed",
            "TLS handshakes that failed or took too long",
            self.handshakes_failed.clone(),
        );
        registry.register(
            "bodies_stalled",
            "Bodies given up because the client stood still",
            self.stalled.clone(),
        );
    }
}
