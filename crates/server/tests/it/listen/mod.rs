//! Connections: what is served, what is refused, and what is given up.

mod acme;
mod files;
mod limits;
mod shutdown;
mod tls;

use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use naru_server::body::Body;
use naru_server::listen::{
    ConnectionInfo, Endpoint, HttpService, LimitsSettings, ListenMetrics, Listener, RequestBody,
    RequestBodyError, Shutdown,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// How large the file is that the server under test serves; no multiple of anything.
const FILE_LENGTH: usize = 5_000_011;

/// A server under test.
struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    metrics: ListenMetrics,
    content: Content,
}

/// What it serves.
#[derive(Clone)]
struct Content {
    file: Arc<File>,
    bytes: Bytes,
    /// Lets `/wait` go on.
    go: Arc<Notify>,
}

impl Content {
    fn new() -> Self {
        let bytes: Vec<u8> = (0..FILE_LENGTH)
            .map(|at| (at * 31 % 251).to_le_bytes()[0])
            .collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        Self {
            file: Arc::new(file),
            bytes: bytes.into(),
            go: Arc::default(),
        }
    }

    fn service(&self) -> impl HttpService + use<> {
        let content = self.clone();
        tower::service_fn(move |request| content.clone().answer(request))
    }

    async fn answer(self, request: Request<RequestBody>) -> Result<Response<Body>, Infallible> {
        let connection = request
            .extensions()
            .get::<ConnectionInfo>()
            .unwrap()
            .clone();
        let body = match request.uri().path() {
            "/file" => self.part_of_the_file(&request, &connection),
            "/count" => return Ok(counted(request.into_body()).await),
            "/refuse" => return Ok(with_status(StatusCode::UNAUTHORIZED, "sign in first")),
            "/wait" => {
                self.go.notified().await;
                "waited".into()
            }
            "/stream" => in_three_parts(),
            "/connection" => facts(&request, &connection).into(),
            _ => "hello".into(),
        };
        Ok(Response::new(body))
    }

    fn part_of_the_file(&self, request: &Request<RequestBody>, to: &ConnectionInfo) -> Body {
        let whole = 0..FILE_LENGTH as u64;
        let range = request.uri().query().map_or(whole, |query| {
            let (start, end) = query.split_once('-').unwrap();
            start.parse().unwrap()..end.parse().unwrap()
        });
        Body::file(self.file.clone(), range, to)
    }
}

fn with_status(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    Response::builder()
        .status(status)
        .body(body.into())
        .unwrap()
}

async fn counted(body: RequestBody) -> Response<Body> {
    match body.collect().await {
        Ok(body) => Response::new(body.to_bytes().len().to_string().into()),
        Err(RequestBodyError::Stalled) => with_status(StatusCode::REQUEST_TIMEOUT, "too slow"),
        Err(RequestBodyError::Broken(_)) => with_status(StatusCode::BAD_REQUEST, "gone"),
    }
}

fn in_three_parts() -> Body {
    let parts = futures_util::stream::iter(["one", "two", "three"]).then(async |part| {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(hyper::body::Frame::data(Bytes::from_static(
            part.as_bytes(),
        )))
    });
    Body::stream(StreamBody::new(Box::pin(parts)))
}

fn facts(request: &Request<RequestBody>, connection: &ConnectionInfo) -> String {
    format!(
        "{:?} tls={} name={:?} handoff={} peer={}",
        request.version(),
        connection.is_tls(),
        connection.server_name(),
        connection.handoff().is_some(),
        connection.peer().is_some(),
    )
}

impl Server {
    async fn start(limits: LimitsSettings) -> Self {
        Self::start_as(limits, |endpoint| endpoint).await
    }

    async fn start_as(limits: LimitsSettings, equip: impl FnOnce(Endpoint) -> Endpoint) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), limits, equip).await
    }

    async fn start_at(
        address: SocketAddr,
        limits: LimitsSettings,
        equip: impl FnOnce(Endpoint) -> Endpoint,
    ) -> Self {
        let listener = Listener::bind(address).await.unwrap();
        let address = listener.address().unwrap();
        let (shutdown, metrics) = (Shutdown::new(), ListenMetrics::default());
        let endpoint = equip(Endpoint::new(listener, limits, metrics.clone()));
        let content = Content::new();
        tokio::spawn(endpoint.serve(content.service(), shutdown.clone()));
        Self {
            address,
            shutdown,
            metrics,
            content,
        }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Waits until a count is what it should become.
    async fn until(&self, what: &str, is_so: impl Fn(&ListenMetrics) -> bool) {
        for _ in 0..500 {
            if is_so(&self.metrics) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never: {what}");
    }
}

/// A client that says exactly what it is told to.
struct Client(TcpStream);

/// An answer, read up to its promised length.
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

impl Client {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(&format!(
            "{} {path} HTTP/1.1\r\nhost: a.example\r\n\r\n",
            Method::GET
        ))
        .await;
        self.answer().await
    }

    async fn answer(&mut self) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8(head).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0
            .read_exact(&mut body)
            .await
            .expect("the promised length");
        Answer { head, body }
    }

    /// Whether the server closes the connection within a few seconds, and what it said before.
    async fn closed(&mut self) -> Option<Vec<u8>> {
        let mut said = Vec::new();
        let reading = self.0.read_to_end(&mut said);
        match tokio::time::timeout(Duration::from_secs(10), reading).await {
            Ok(_) => Some(said),
            Err(_) => None,
        }
    }
}

/// Limits that let a test see their effect soon.
fn impatient() -> LimitsSettings {
    LimitsSettings {
        handshake_seconds: 1,
        header_seconds: 1,
        stall_seconds: 1,
        ..LimitsSettings::default()
    }
}

#[tokio::test]
async fn a_handler_knows_the_connection() {
    let server = Server::start(LimitsSettings::default()).await;
    let answer = server.connect().await.get("/connection").await;
    let facts = String::from_utf8(answer.body).unwrap();
    assert_eq!(facts, "HTTP/1.1 tls=false name=None handoff=true peer=true");
}

#[tokio::test]
async fn connections_and_requests_are_counted() {
    let server = Server::start(LimitsSettings::default()).await;
    let mut client = server.connect().await;
    client.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
    server
        .until("a request runs", |it| it.requests_running.get() == 1)
        .await;
    assert_eq!(server.metrics.connections_open.get(), 1);
    server.content.go.notify_one();
    client.answer().await;
    server
        .until("none runs", |it| it.requests_running.get() == 0)
        .await;
    drop(client);
    server
        .until("none is open", |it| it.connections_open.get() == 0)
        .await;
    assert_eq!(
        (
            server.metrics.connections.get(),
            server.metrics.requests.get()
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_unix_socket_serves_and_replaces_a_dead_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("naru.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listener = Listener::bind_unix(&path).unwrap();
    assert!(
        Listener::bind_unix(&path).is_err(),
        "a living one is not replaced"
    );
    let endpoint = Endpoint::new(
        listener,
        LimitsSettings::default(),
        ListenMetrics::default(),
    );
    tokio::spawn(endpoint.serve(Content::new().service(), Shutdown::new()));
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream
        .write_all(b"GET /connection HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(said.ends_with("handoff=false peer=false"), "{said}");
}

#[tokio::test]
async fn an_inherited_socket_serves() {
    use std::os::fd::AsRawFd;
    let original = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let listener = Listener::inherited(original.as_raw_fd()).unwrap();
    let address = listener.address().unwrap();
    let endpoint = Endpoint::new(
        listener,
        LimitsSettings::default(),
        ListenMetrics::default(),
    );
    tokio::spawn(endpoint.serve(Content::new().service(), Shutdown::new()));
    let mut client = Client(TcpStream::connect(address).await.unwrap());
    assert_eq!(client.get("/").await.body, b"hello");
}
