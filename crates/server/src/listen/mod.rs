//! Connections: from the listening socket to the service that answers requests.
//!
//! hyper has no limit that is not asked for, and `axum::serve` asks for none; so this is an accept
//! loop of our own. From outside to inside:
//!
//! - `socket`: listening sockets, ours or systemd's;
//! - `shutdown`: the switch that stops everything in order;
//! - `connection`: handshake, choice of protocol, and end of one connection;
//! - `tls`: certificates from files and by ACME;
//! - `stream`, `pace`: clients that stand still;
//! - `service`, `request`, `state`: what surrounds each request;
//! - `settings`, `metrics`.
//!
//! ```no_run
//! # use naru_server::listen::*;
//! # async fn start<S: HttpService>(service: S, settings: ListenSettings, limits: LimitsSettings)
//! # -> Result<(), ListenError> {
//! let shutdown = Shutdown::new();
//! let listener = Listener::bind(settings.address).await?;
//! let endpoint = Endpoint::new(listener, limits, ListenMetrics::default());
//! tokio::spawn(endpoint.serve(service, shutdown.clone()));
//! // … when the signal to stop has come:
//! shutdown.drain(std::time::Duration::from_secs(settings.drain_seconds)).await;
//! # Ok(()) }
//! ```

mod connection;
mod metrics;
mod pace;
mod request;
mod service;
mod settings;
mod shutdown;
mod socket;
mod state;
mod stream;
pub mod tls;

use std::sync::Arc;

use tokio::sync::Semaphore;

pub use metrics::ListenMetrics;
pub use request::{RequestBody, RequestBodyError};
pub use service::HttpService;
pub use settings::{AcmeSettings, CertificateFiles, LimitsSettings, ListenSettings, TlsSettings};
pub use shutdown::{Drained, Shutdown};
pub use socket::{ListenError, Listener};
pub use state::ConnectionInfo;
pub use tls::{Tls, TlsError};

/// A listening socket and how to talk to those who connect to it.
#[derive(Debug)]
pub struct Endpoint {
    listener: Listener,
    common: connection::Common,
}

impl Endpoint {
    /// An endpoint for plain HTTP/1.
    #[must_use]
    pub fn new(listener: Listener, limits: LimitsSettings, metrics: ListenMetrics) -> Self {
        let limits = Arc::new(limits);
        let common = connection::Common {
            tls: None,
            cleartext_http2: false,
            limits,
            metrics,
        };
        Self { listener, common }
    }

    /// Speaks TLS to those who come by TCP, and offers them HTTP/1.1 before HTTP/2: a byte costs a
    /// quarter less over the former.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.common.tls = Some(tls);
        self
    }

    /// Accepts HTTP/2 without TLS from clients that begin with it.
    #[must_use]
    pub fn with_cleartext_http2(mut self, accept: bool) -> Self {
        self.common.cleartext_http2 = accept;
        self
    }

    /// Accepts connections and serves them until `shutdown` begins; then closes the socket and
    /// returns, while the connections finish (see [`Shutdown::drain`]).
    pub async fn serve<S: HttpService>(self, service: S, shutdown: Shutdown) {
        let places = Arc::new(Semaphore::new(self.common.limits.connections));
        loop {
            // The semaphore is never closed, so there is always a place to wait for.
            let next = async {
                let place = places.clone().acquire_owned().await.ok();
                (place, self.listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                next = next => next,
                () = shutdown.begun() => return,
            };
            let (service, common) = (service.clone(), self.common.clone());
            let orders = shutdown.orders();
            shutdown.spawn(async move {
                connection::serve(accepted, service, common, orders).await;
                drop(place);
            });
        }
    }
}
