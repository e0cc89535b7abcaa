//! Encrypted connections, and HTTP/2.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use naru_model::SystemClock;
use naru_server::listen::{CertificateFiles, LimitsSettings, Shutdown, Tls, TlsSettings};
use reqwest::{Certificate, Version};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{Client, FILE_LENGTH, Server, impatient};

const NAME: &str = "registry.example";

/// A server with a certificate from files, and the certificate.
struct TlsServer {
    server: Server,
    certificate: Certificate,
    files: TempDir,
    _tasks: Shutdown,
}

/// Writes a new self-signed pair, as a renewal would.
fn write_pair(directory: &Path) -> Certificate {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let key = directory.join("key.pem");
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    fs::write(directory.join("certificate.pem"), made.cert.pem()).unwrap();
    Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
}

impl TlsServer {
    async fn start(limits: LimitsSettings) -> Self {
        let files = tempfile::tempdir().unwrap();
        let certificate = write_pair(files.path());
        let settings = TlsSettings {
            certificates: vec![CertificateFiles {
                certificate: files.path().join("certificate.pem"),
                key: files.path().join("key.pem"),
            }],
            reload_seconds: 1,
            acme: None,
        };
        let tasks = Shutdown::new();
        let tls = Tls::start(&settings, files.path(), Arc::new(SystemClock), &tasks).unwrap();
        let server = Server::start_as(limits, |endpoint| endpoint.with_tls(tls)).await;
        Self {
            server,
            certificate,
            files,
            _tasks: tasks,
        }
    }
}

/// A client that trusts `certificate` alone, and finds the server under its name.
fn trusting(certificate: &Certificate, address: SocketAddr) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_certs_only([certificate.clone()])
        .resolve(NAME, address)
}

fn url(server: &Server, path: &str) -> String {
    format!("https://{NAME}:{}{path}", server.address.port())
}

#[tokio::test]
async fn who_offers_both_gets_http_1() {
    let tls = TlsServer::start(LimitsSettings::default()).await;
    let client = trusting(&tls.certificate, tls.server.address)
        .build()
        .unwrap();
    let answer = client
        .get(url(&tls.server, "/connection"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.version(), Version::HTTP_11);
    let facts = answer.text().await.unwrap();
    assert_eq!(
        facts,
        format!("HTTP/1.1 tls=true name=Some({NAME:?}) handoff=false peer=true")
    );
}

#[tokio::test]
async fn files_and_uploads_are_whole_over_tls_and_over_http_2() {
    let tls = TlsServer::start(LimitsSettings::default()).await;
    for http2 in [false, true] {
        let client = trusting(&tls.certificate, tls.server.address);
        let client = if http2 {
            client.http2_prior_knowledge()
        } else {
            client
        };
        let client = client.build().unwrap();
        let answer = client.get(url(&tls.server, "/file")).send().await.unwrap();
        let expected = if http2 {
            Version::HTTP_2
        } else {
            Version::HTTP_11
        };
        assert_eq!(answer.version(), expected);
        assert_eq!(answer.content_length(), Some(FILE_LENGTH as u64));
        assert!(answer.bytes().await.unwrap() == tls.server.content.bytes);
        let upload = client
            .put(url(&tls.server, "/count"))
            .body(vec![7; 3_000_000]);
        assert_eq!(
            upload.send().await.unwrap().text().await.unwrap(),
            "3000000"
        );
    }
}

#[tokio::test]
async fn many_streams_of_http_2_are_served_at_the_same_time() {
    let tls = TlsServer::start(LimitsSettings::default()).await;
    let client = trusting(&tls.certificate, tls.server.address);
    let client = client.http2_prior_knowledge().build().unwrap();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let request = client.get(url(&tls.server, "/file?7-900000"));
        let bytes = tls.server.content.bytes.slice(7..900_000);
        requests
            .spawn(async move { request.send().await.unwrap().bytes().await.unwrap() == bytes });
    }
    assert!(requests.join_all().await.into_iter().all(|equal| equal));
    assert_eq!(tls.server.metrics.connections.get(), 1);
}

#[tokio::test]
async fn an_http_2_head_has_limits_too() {
    let tls = TlsServer::start(LimitsSettings::default()).await;
    let client = trusting(&tls.certificate, tls.server.address);
    let client = client.http2_prior_knowledge().build().unwrap();
    let path = format!("/{}", "x".repeat(9000));
    let answer = client.get(url(&tls.server, &path)).send().await.unwrap();
    assert_eq!(answer.status(), 414);
    let mut request = client.get(url(&tls.server, "/"));
    for number in 0..101 {
        request = request.header(format!("x-{number}"), "y");
    }
    assert_eq!(request.send().await.unwrap().status(), 431);
}

#[tokio::test]
async fn an_http_2_connection_drains() {
    let tls = TlsServer::start(LimitsSettings::default()).await;
    let client = trusting(&tls.certificate, tls.server.address);
    let client = client.http2_prior_knowledge().build().unwrap();
    let request = tokio::spawn(client.get(url(&tls.server, "/wait")).send());
    tls.server
        .until("a request runs", |it| it.requests_running.get() == 1)
        .await;
    let shutdown = tls.server.shutdown.clone();
    let drain = tokio::spawn(async move { shutdown.drain(Duration::from_secs(10)).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    tls.server.content.go.notify_one();
    assert_eq!(
        request.await.unwrap().unwrap().text().await.unwrap(),
        "waited"
    );
    assert_eq!(drain.await.unwrap(), naru_server::listen::Drained::Finished);
}

#[tokio::test]
async fn an_idle_http_2_connection_is_closed() {
    let tls = TlsServer::start(LimitsSettings {
        idle_seconds: 1,
        ..impatient()
    })
    .await;
    let client = trusting(&tls.certificate, tls.server.address);
    let client = client.http2_prior_knowledge().build().unwrap();
    client.get(url(&tls.server, "/")).send().await.unwrap();
    tls.server
        .until("it is closed", |it| it.connections_open.get() == 0)
        .await;
}

#[tokio::test]
async fn http_2_without_tls_is_spoken_where_it_is_allowed() {
    let server = Server::start_as(LimitsSettings::default(), |endpoint| {
        endpoint.with_cleartext_http2(true)
    })
    .await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let answer = client
        .get(format!("http://{}/connection", server.address))
        .send()
        .await
        .unwrap();
    assert_eq!(
        answer.text().await.unwrap(),
        "HTTP/2.0 tls=false name=None handoff=false peer=true"
    );
    assert_eq!(
        server.connect().await.get("/").await.body,
        b"hello",
        "and HTTP/1 as before"
    );
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_ends_the_connection() {
    let tls = TlsServer::start(impatient()).await;
    let mut client = Client(TcpStream::connect(tls.server.address).await.unwrap());
    assert!(client.closed().await.is_some());
    tls.server
        .until("it is counted", |it| it.handshakes_failed.get() == 1)
        .await;
}

#[tokio::test]
async fn a_changed_certificate_is_served_without_a_restart() {
    let tls = TlsServer::start(LimitsSettings::default()).await;
    let renewed = write_pair(tls.files.path());
    for attempt in 0.. {
        let client = trusting(&renewed, tls.server.address).build().unwrap();
        match client.get(url(&tls.server, "/")).send().await {
            Ok(_) => break,
            Err(error) => assert!(attempt < 100, "never served: {error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let client = trusting(&tls.certificate, tls.server.address)
        .build()
        .unwrap();
    assert!(
        client.get(url(&tls.server, "/")).send().await.is_err(),
        "the old one is gone"
    );
}

#[tokio::test]
async fn a_damaged_certificate_does_not_replace_a_sound_one() {
    let tls = TlsServer::start(LimitsSettings::default()).await;
    fs::write(tls.files.path().join("certificate.pem"), "half a certific").unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let client = trusting(&tls.certificate, tls.server.address)
        .build()
        .unwrap();
    assert!(client.get(url(&tls.server, "/")).send().await.is_ok());
}

#[tokio::test]
async fn a_missing_certificate_stops_the_start() {
    let settings = TlsSettings {
        certificates: vec![CertificateFiles {
            certificate: "/nonexistent/certificate.pem".into(),
            key: "/nonexistent/key.pem".into(),
        }],
        ..TlsSettings::default()
    };
    let clock = Arc::new(SystemClock);
    let error = Tls::start(&settings, Path::new("/"), clock, &Shutdown::new()).unwrap_err();
    assert_eq!(error.to_string(), "cannot read /nonexistent/key.pem");
}
