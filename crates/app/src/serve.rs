//! `naru serve`: from the configuration to a server that drains when it is told to stop.

mod first_start;
mod signals;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use naru_registry::jobs::Runner;
use naru_server::listen::{Drained, Endpoint, Listener, Shutdown, Tls};
use naru_server::{Metrics, Site, SiteDoor, SiteSettings};
use sd_notify::NotifyState;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::cli::Global;
use crate::compose::Instance;
use crate::config::Config;
use crate::data::{self, DataDirectory};
use crate::failure::Hint;
use crate::logging::{self, Announcer};
use signals::{Signal, Signals};

/// Serves until a signal says to stop, and running requests have finished.
///
/// # Errors
/// When something that is needed to serve cannot be had; the message says what.
pub fn run(global: &Global, config: &Config) -> Result<()> {
    logging::start(&config.log)?;
    data::make_everything_private();
    let directory = DataDirectory::create(&global.data)?;
    let _lock = directory.lock()?;
    let runtime = runtime()?;
    let served = runtime.block_on(serve(global, config, &directory));
    // What was cut off may still wait for the disk; nobody waits for it any more.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

/// One thread for each processor. Threads that waited for the disk end soon when they have nothing
/// to do, and give their memory back.
fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("naru")
        .thread_keep_alive(Duration::from_secs(2))
        .build()
        .context("cannot start the runtime")
}

async fn serve(global: &Global, config: &Config, directory: &DataDirectory) -> Result<()> {
    let instance = Instance::of_server(config, directory).await?;
    let shutdown = Shutdown::new();
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let doors = Doors::open(config, directory, &instance, &shutdown).await?;
    let announcer = Announcer::new(&config.log);
    if let Some(words) = first_start::words(global, config, &instance, &doors.urls).await? {
        announcer.tell_person(&words, instance.clock.as_ref());
    }
    let stop_jobs = CancellationToken::new();
    let jobs = Runner::new(Arc::clone(&instance.registry))?.run(stop_jobs.clone());
    let jobs = tokio::spawn(jobs);
    let tls = doors.tls.clone();
    let urls = doors.start(config, &instance, &shutdown)?;
    for url in urls {
        announcer.announce(&format!("listening on {url}"), instance.clock.as_ref());
    }
    notify(&[NotifyState::Ready]);
    keep_watchdog_calm();
    stop_when_told(&mut signals, config, &shutdown, tls.as_ref()).await;
    // Jobs go on while requests finish, so that nothing waits for them needlessly.
    stop_jobs.cancel();
    jobs.await.context("a job broke off")?;
    instance.close().await;
    Ok(())
}

/// The sockets that clients come in by.
struct Doors {
    public: Vec<Endpoint>,
    internal: Option<Endpoint>,
    metrics: Arc<Metrics>,
    urls: Vec<String>,
    tls: Option<Tls>,
}

impl Doors {
    async fn open(
        config: &Config,
        directory: &DataDirectory,
        instance: &Instance,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let metrics = Arc::new(Metrics::default());
        let tls = tls(config, directory, instance, shutdown)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let mut doors = Self {
            public: Vec::new(),
            internal: None,
            metrics,
            urls: Vec::new(),
            tls,
        };
        for listener in public_listeners(config).await? {
            if let Some(address) = listener.address() {
                doors.urls.push(format!("{scheme}://{address}"));
            }
            let endpoint = doors.endpoint(config, listener);
            let endpoint = endpoint.with_cleartext_http2(config.listen.cleartext_http2);
            doors.public.push(match &doors.tls {
                Some(tls) => endpoint.with_tls(tls.clone()),
                None => endpoint,
            });
        }
        if doors.tls.is_none() {
            warn_of_plain_http(config);
        }
        if let Some(address) = config.listen.internal {
            let listener = bind(address).await?;
            doors.internal = Some(doors.endpoint(config, listener));
        }
        Ok(doors)
    }

    fn endpoint(&self, config: &Config, listener: Listener) -> Endpoint {
        Endpoint::new(listener, config.limits.clone(), self.metrics.listen.clone())
    }

    /// Begins to accept connections; returns where clients reach it.
    fn start(
        self,
        config: &Config,
        instance: &Instance,
        shutdown: &Shutdown,
    ) -> Result<Vec<String>> {
        let process = process_name(instance)?;
        let site = |door| {
            let registry = Arc::clone(&instance.registry);
            let metrics = Arc::clone(&self.metrics);
            let settings = SiteSettings {
                hosts: config.server.clone(),
                rest: config.rest.clone(),
            };
            Site::new(registry, settings, metrics, door, &process)
        };
        let internal = self.internal.is_some();
        let public = site(SiteDoor::Public { internal });
        for endpoint in self.public {
            tokio::spawn(endpoint.serve(public.clone(), shutdown.clone()));
        }
        if let Some(endpoint) = self.internal {
            tokio::spawn(endpoint.serve(site(SiteDoor::Internal), shutdown.clone()));
        }
        Ok(self.urls)
    }
}

/// A reverse proxy may end TLS before us; then the settings say so.
fn warn_of_plain_http(config: &Config) {
    let address = config.listen.address;
    let proxied = config.server.scheme.is_some() || !config.server.trusted_proxies.is_empty();
    if !address.ip().is_loopback() && !proxied {
        tracing::warn!(
            %address,
            "tokens travel unencrypted: configure [tls], or put a reverse proxy in front and say \
             [server] scheme = \"https\""
        );
    }
}

fn tls(
    config: &Config,
    directory: &DataDirectory,
    instance: &Instance,
    shutdown: &Shutdown,
) -> Result<Option<Tls>> {
    if !config.tls.is_enabled() {
        return Ok(None);
    }
    let clock = Arc::clone(&instance.clock);
    Ok(Some(Tls::start(
        &config.tls,
        directory.path(),
        clock,
        shutdown,
    )?))
}

/// The sockets that systemd opened, or else those of the settings.
async fn public_listeners(config: &Config) -> Result<Vec<Listener>> {
    let inherited = sd_notify::listen_fds().context("cannot take the sockets of systemd")?;
    let mut listeners = Vec::new();
    for number in inherited {
        listeners.push(Listener::inherited(number)?);
    }
    if listeners.is_empty() {
        listeners.push(bind(config.listen.address).await?);
    }
    if let Some(path) = &config.listen.unix_socket {
        listeners.push(Listener::bind_unix(path)?);
    }
    Ok(listeners)
}

async fn bind(address: SocketAddr) -> Result<Listener> {
    let free = SocketAddr::new(address.ip(), 0);
    Listener::bind(address).await.hint(format!(
        "choose another address: naru serve --listen {free} takes a free port; ports below 1024 \
         need privileges"
    ))
}

/// What begins the ids of this process's requests.
fn process_name(instance: &Instance) -> Result<String> {
    let mut bytes = [0; 4];
    instance.random.fill(&mut bytes)?;
    Ok(hex::encode_upper(bytes))
}

/// Waits for the signal to stop, then lets running requests finish; a second signal ends at once.
async fn stop_when_told(
    signals: &mut Signals,
    config: &Config,
    shutdown: &Shutdown,
    tls: Option<&Tls>,
) {
    loop {
        match (signals.next().await, tls) {
            (Signal::Stop, _) => break,
            (Signal::Reload, Some(tls)) => tls.reload(),
            (Signal::Reload, None) => tracing::info!("there are no certificates to load again"),
        }
    }
    notify(&[NotifyState::Stopping]);
    let grace = Duration::from_secs(config.listen.drain_seconds);
    tracing::info!(
        seconds = grace.as_secs(),
        "stopping; running requests may finish"
    );
    tokio::select! {
        drained = shutdown.drain(grace) => match drained {
            Drained::Finished => tracing::info!("stopped"),
            Drained::Cut(left) => tracing::warn!(left, "stopped; what still ran was cut off"),
        },
        () = signals.stop() => tracing::warn!("told twice to stop; everything is cut off"),
    }
}

fn notify(state: &[NotifyState<'_>]) {
    // Only systemd listens, and only where it started us.
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot tell systemd");
    }
}

/// Tells systemd's watchdog now and then that the runtime still turns.
fn keep_watchdog_calm() {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(limit / 2);
        loop {
            tick.tick().await;
            notify(&[NotifyState::Watchdog]);
        }
    });
}
