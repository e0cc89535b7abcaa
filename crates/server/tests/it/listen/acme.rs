//! Certificates from a real ACME authority: Let's Encrypt's `pebble`, which connects back to the
//! server under test to see its proof.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use naru_model::{Clock, ManualClock, SystemClock};
use naru_server::listen::{LimitsSettings, Shutdown, Tls, TlsSettings};
use reqwest::Certificate;
use serde_json::json;
use tempfile::TempDir;

use super::Server;

const NAMES: [&str; 2] = ["registry.example", "docker.registry.example"];

/// The authority, and the name server that tells it that every name is on loopback.
struct Pebble {
    authority: Child,
    name_server: Child,
    port: u16,
    management_port: u16,
    files: TempDir,
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in [&mut self.authority, &mut self.name_server] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn quietly(command: &mut Command) -> Option<Child> {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()
}

impl Pebble {
    /// An authority that validates names at `tls_port`; `None` where it is not installed.
    async fn start(tls_port: u16) -> Option<Self> {
        let files = tempfile::tempdir().unwrap();
        let (port, management_port) = (free_port(), free_port());
        let config = write_config(files.path(), port, management_port, tls_port);
        let (name_port, name_management_port) = (free_port(), free_port());
        let name_server = quietly(
            Command::new("pebble-challtestsrv")
                .args([
                    "-defaultIPv6",
                    "",
                    "-http01",
                    "",
                    "-https01",
                    "",
                    "-tlsalpn01",
                    "",
                ])
                .args(["-dns01", &format!("127.0.0.1:{name_port}")])
                .args(["-management", &format!("127.0.0.1:{name_management_port}")]),
        )?;
        let authority = quietly(
            Command::new("pebble")
                .arg("-config")
                .arg(config)
                .args(["-dnsserver", &format!("127.0.0.1:{name_port}")])
                .env("PEBBLE_VA_NOSLEEP", "1")
                .env("PEBBLE_WFE_NONCEREJECT", "0"),
        )?;
        let pebble = Self {
            authority,
            name_server,
            port,
            management_port,
            files,
        };
        pebble.until_it_answers().await;
        Some(pebble)
    }

    fn own_certificate(&self) -> std::path::PathBuf {
        self.files.path().join("certificate.pem")
    }

    fn client(&self) -> reqwest::Client {
        let own = Certificate::from_pem(&fs::read(self.own_certificate()).unwrap()).unwrap();
        reqwest::Client::builder()
            .tls_certs_only([own])
            .build()
            .unwrap()
    }

    async fn until_it_answers(&self) {
        let directory = format!("https://localhost:{}/dir", self.port);
        for _ in 0..200 {
            if self.client().get(&directory).send().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("pebble does not answer");
    }

    /// The root of the certificates that it issues; new with each start.
    async fn root(&self) -> Certificate {
        let url = format!("https://localhost:{}/roots/0", self.management_port);
        let pem = self
            .client()
            .get(url)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        Certificate::from_pem(&pem).unwrap()
    }

    fn settings(&self) -> TlsSettings {
        serde_json::from_value(json!({ "acme": {
            "domains": NAMES,
            "contact": ["admin@registry.example"],
            "directory": format!("https://localhost:{}/dir", self.port),
            "root_certificate": self.own_certificate(),
            "terms_of_service_agreed": true,
        }}))
        .unwrap()
    }
}

fn write_config(directory: &Path, port: u16, management: u16, tls: u16) -> std::path::PathBuf {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    fs::write(&certificate, own.cert.pem()).unwrap();
    fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let config = json!({ "pebble": {
        "listenAddress": format!("127.0.0.1:{port}"),
        "managementListenAddress": format!("127.0.0.1:{management}"),
        "certificate": certificate,
        "privateKey": key,
        "httpPort": free_port(),
        "tlsPort": tls,
    }});
    let path = directory.join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    path
}

/// What the server with the address shows: the certificate must be the authority's.
async fn get(name: &str, address: SocketAddr, root: &Certificate) -> reqwest::Result<String> {
    let client = reqwest::Client::builder()
        .tls_certs_only([root.clone()])
        .resolve(name, address)
        .build()
        .unwrap();
    let url = format!("https://{name}:{}/", address.port());
    client.get(url).send().await?.text().await
}

async fn until_served(name: &str, address: SocketAddr, root: &Certificate) {
    for attempt in 0.. {
        match get(name, address, root).await {
            Ok(text) => return assert_eq!(text, "hello"),
            Err(error) => assert!(attempt < 200, "no certificate: {error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_certificate_is_proved_kept_and_renewed() {
    let port = free_port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let Some(pebble) = Pebble::start(port).await else {
        eprintln!("SKIPPED: pebble and pebble-challtestsrv are not installed");
        return;
    };
    let root = pebble.root().await;
    let data = tempfile::tempdir().unwrap();
    let kept = data.path().join("acme/certificate.pem");

    // Proved: the authority reaches the serving port, and all names are served.
    let first = serve(&pebble, data.path(), Arc::new(SystemClock), address).await;
    for name in NAMES {
        until_served(name, address, &root).await;
    }
    assert_eq!(
        (mode(&kept), mode(&data.path().join("acme/account.json"))),
        (0o600, 0o600)
    );
    stop(first).await;

    // Kept: a second start serves at once, and asks for nothing.
    let certificate = fs::read(&kept).unwrap();
    let account = fs::read(data.path().join("acme/account.json")).unwrap();
    let second = serve(&pebble, data.path(), Arc::new(SystemClock), address).await;
    assert!(get(NAMES[0], address, &root).await.is_ok());
    assert!(fs::read(&kept).unwrap() == certificate);
    stop(second).await;

    // Renewed: years later the certificate is old; the account is the same.
    let years_later = SystemClock.now().plus(Duration::from_hours(24 * 365 * 10));
    let clock = Arc::new(ManualClock::new(years_later));
    let third = serve(&pebble, data.path(), clock, address).await;
    for attempt in 0.. {
        if fs::read(&kept).unwrap() != certificate {
            break;
        }
        assert!(attempt < 200, "never renewed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    until_served(NAMES[1], address, &root).await;
    assert!(fs::read(data.path().join("acme/account.json")).unwrap() == account);
    stop(third).await;
}

async fn serve(
    pebble: &Pebble,
    data: &Path,
    clock: Arc<dyn Clock>,
    address: SocketAddr,
) -> (Server, Shutdown) {
    let tasks = Shutdown::new();
    let tls = Tls::start(&pebble.settings(), data, clock, &tasks).unwrap();
    let equip = |endpoint: naru_server::listen::Endpoint| endpoint.with_tls(tls);
    (
        Server::start_at(address, LimitsSettings::default(), equip).await,
        tasks,
    )
}

async fn stop((server, tasks): (Server, Shutdown)) {
    tasks.drain(Duration::from_secs(1)).await;
    server.shutdown.drain(Duration::from_secs(1)).await;
    // The accept loop closes its socket in a task of its own.
    while tokio::net::TcpStream::connect(server.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
