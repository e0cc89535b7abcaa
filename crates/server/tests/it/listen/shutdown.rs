//! Stopping in order.

use std::time::{Duration, Instant};

use naru_server::listen::{Drained, LimitsSettings};
use tokio::net::TcpStream;

use super::Server;

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_running_request_finishes_and_new_ones_are_refused() {
    let server = Server::start(LimitsSettings::default()).await;
    let mut client = server.connect().await;
    client.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
    server
        .until("a request runs", |it| it.requests_running.get() == 1)
        .await;
    let drain = tokio::spawn({
        let shutdown = server.shutdown.clone();
        async move { shutdown.drain(GRACE).await }
    });
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!drain.is_finished(), "the request still runs");
    server.content.go.notify_one();
    let answer = client.answer().await;
    assert_eq!(answer.body, b"waited");
    assert!(answer.head.contains("connection: close"));
    assert_eq!(drain.await.unwrap(), Drained::Finished);
}

#[tokio::test]
async fn connections_without_a_request_close_at_once() {
    let server = Server::start(LimitsSettings::default()).await;
    let mut silent = server.connect().await;
    let mut idle = server.connect().await;
    idle.get("/").await;
    server
        .until("both are open", |it| it.connections_open.get() == 2)
        .await;
    let start = Instant::now();
    assert_eq!(server.shutdown.drain(GRACE).await, Drained::Finished);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(silent.closed().await.is_some() && idle.closed().await.is_some());
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut_off() {
    let server = Server::start(LimitsSettings::default()).await;
    let mut client = server.connect().await;
    client.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
    server
        .until("a request runs", |it| it.requests_running.get() == 1)
        .await;
    let drained = server.shutdown.drain(Duration::from_millis(200)).await;
    assert_eq!(drained, Drained::Cut(1));
    assert_eq!(client.closed().await.as_deref(), Some(&b""[..]));
}
