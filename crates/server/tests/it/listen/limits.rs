//! Clients that ask for too much or stand still.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Server, impatient};
use naru_server::listen::LimitsSettings;

#[tokio::test]
async fn a_head_that_takes_too_long_ends_the_connection() {
    let server = Server::start(impatient()).await;
    for beginning in ["", "GET / HTTP/1.1\r\nhost:"] {
        let mut client = server.connect().await;
        client.send(beginning).await;
        let start = Instant::now();
        assert_eq!(client.closed().await.as_deref(), Some(&b""[..]));
        assert!(start.elapsed() >= Duration::from_millis(900));
    }
}

#[tokio::test]
async fn a_head_in_drops_ends_the_connection() {
    let server = Server::start(impatient()).await;
    let mut client = server.connect().await;
    let start = Instant::now();
    while client.0.write_all(b"G").await.is_ok() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "the drops go on for ever"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn an_idle_connection_may_wait_longer_than_a_head() {
    let limits = LimitsSettings {
        idle_seconds: 3,
        ..impatient()
    };
    let server = Server::start(limits).await;
    let mut client = server.connect().await;
    client.get("/").await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(client.get("/").await.body, b"hello");
    assert!(client.closed().await.is_some(), "but not for ever");
}

#[tokio::test]
async fn the_head_of_a_later_request_must_not_take_long_either() {
    let server = Server::start(impatient()).await;
    let mut client = server.connect().await;
    client.get("/").await;
    client.send("GET / HTT").await;
    assert_eq!(client.closed().await.as_deref(), Some(&b""[..]));
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up() {
    let server = Server::start(impatient()).await;
    let mut client = server.connect().await;
    client
        .send("PUT /count HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\nfirst bytes")
        .await;
    assert_eq!(client.answer().await.status(), 408);
    assert!(client.closed().await.is_some());
    assert_eq!(server.metrics.stalled.get(), 1);
}

#[tokio::test]
async fn a_slow_body_that_moves_may_take_longer_than_any_limit() {
    let server = Server::start(impatient()).await;
    let mut client = server.connect().await;
    client
        .send("PUT /count HTTP/1.1\r\nhost: a\r\ncontent-length: 20000\r\n\r\n")
        .await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        client.send(&"x".repeat(1000)).await;
    }
    assert_eq!(client.answer().await.body, b"20000");
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up() {
    let server = Server::start(impatient()).await;
    let mut client = server.connect().await;
    // More than the sockets on both sides hold, so that the last answers cannot leave.
    for _ in 0..16 {
        client.send("GET /file HTTP/1.1\r\nhost: a\r\n\r\n").await;
    }
    server
        .until("the connection is given up", |it| it.stalled.get() == 1)
        .await;
    server
        .until("it is closed", |it| it.connections_open.get() == 0)
        .await;
}

#[tokio::test]
async fn an_answer_that_does_not_wait_for_the_body_reaches_the_client() {
    let server = Server::start(LimitsSettings::default()).await;
    let mut client = server.connect().await;
    client
        .send("PUT /refuse HTTP/1.1\r\nhost: a\r\ncontent-length: 8000000\r\n\r\n")
        .await;
    let (mut reading, mut writing) = client.0.split();
    let mut said = Vec::new();
    let write = async {
        // A client that first says all and then listens; the server may close meanwhile.
        let _ = writing.write_all(&vec![0; 8_000_000]).await;
    };
    let (read, ()) = tokio::join!(reading.read_to_end(&mut said), write);
    read.expect("the connection ends in order, without a reset");
    assert!(said.starts_with(b"HTTP/1.1 401 "));
    assert!(said.ends_with(b"sign in first"));
}

#[tokio::test]
async fn too_large_a_head_is_answered_431() {
    let server = Server::start(LimitsSettings::default()).await;
    let long = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "x".repeat(70_000)
    );
    let many = format!(
        "GET / HTTP/1.1\r\nhost: a\r\n{}\r\n",
        "x: y\r\n".repeat(101)
    );
    for head in [long, many] {
        let mut client = server.connect().await;
        client.send(&head).await;
        assert_eq!(client.answer().await.status(), 431);
    }
    let fitting = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "x".repeat(60_000)
    );
    let mut client = server.connect().await;
    client.send(&fitting).await;
    assert_eq!(client.answer().await.status(), 200);
}

#[tokio::test]
async fn too_long_a_uri_is_answered_414() {
    let server = Server::start(LimitsSettings::default()).await;
    let mut client = server.connect().await;
    assert_eq!(
        client.get(&format!("/{}", "x".repeat(8192))).await.status(),
        414
    );
    assert_eq!(
        client.get(&format!("/{}", "x".repeat(8191))).await.status(),
        200
    );
}

#[tokio::test]
async fn surplus_connections_wait_for_a_place() {
    let limits = LimitsSettings {
        connections: 2,
        ..LimitsSettings::default()
    };
    let server = Server::start(limits).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    first.get("/").await;
    second.get("/").await;
    let mut third = server.connect().await;
    third.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let early = tokio::time::timeout(Duration::from_millis(300), third.answer()).await;
    assert!(early.is_err(), "there is no place yet");
    drop(first);
    let mut said = [0; 12];
    third.0.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_streamed_answer_does_not_wait_for_an_acknowledgement() {
    let server = Server::start(LimitsSettings::default()).await;
    let mut client = server.connect().await;
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        client.send("GET /stream HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut said = Vec::new();
        while !said.ends_with(b"0\r\n\r\n") {
            said.push(client.0.read_u8().await.unwrap());
        }
        fastest = fastest.min(start.elapsed());
    }
    // With Nagle's algorithm each of them takes 40 ms and more.
    assert!(fastest < Duration::from_millis(30), "{fastest:?}");
}
