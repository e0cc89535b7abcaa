//! Files sent by the kernel.

use tokio::io::AsyncReadExt;

use super::{FILE_LENGTH, Server};
use naru_server::listen::LimitsSettings;

#[tokio::test]
async fn a_file_and_parts_of_it_arrive_over_one_connection() {
    let server = Server::start(LimitsSettings::default()).await;
    let mut client = server.connect().await;
    let ranges = [
        0..FILE_LENGTH,
        0..0,
        0..1,
        1..70_000,
        4_095..4_097,
        65_536..3_000_000,
        100..FILE_LENGTH,
    ];
    for range in ranges {
        let answer = client
            .get(&format!("/file?{}-{}", range.start, range.end))
            .await;
        assert!(
            answer.body == server.content.bytes[range.clone()],
            "{range:?}"
        );
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(LimitsSettings::default()).await;
    let mut client = server.connect().await;
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    let paths = ["/file", "/", "/file?10-200000", "/file?5-9", "/file"];
    client.send(&paths.map(one).concat()).await;
    let bytes = &server.content.bytes;
    for expected in [
        &bytes[..],
        b"hello",
        &bytes[10..200_000],
        &bytes[5..9],
        &bytes[..],
    ] {
        assert!(client.answer().await.body == expected);
    }
}

#[tokio::test]
async fn sixty_four_clients_get_the_file_at_the_same_time() {
    let server = Server::start(LimitsSettings::default()).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let mut client = server.connect().await;
        let bytes = server.content.bytes.clone();
        clients.spawn(async move { client.get("/file").await.body == bytes });
    }
    assert!(clients.join_all().await.into_iter().all(|equal| equal));
}

#[tokio::test]
async fn a_client_that_leaves_half_way_disturbs_nobody() {
    let server = Server::start(LimitsSettings::default()).await;
    for _ in 0..8 {
        let mut client = server.connect().await;
        client.send("GET /file HTTP/1.1\r\nhost: a\r\n\r\n").await;
        client.0.read_exact(&mut [0; 1000]).await.unwrap();
    }
    server
        .until("all are closed", |it| it.connections_open.get() == 0)
        .await;
    assert!(server.connect().await.get("/file").await.body == server.content.bytes);
}

#[tokio::test]
async fn a_file_cut_short_ends_the_connection_and_not_the_server() {
    let server = Server::start(LimitsSettings::default()).await;
    server.content.file.set_len(1_000_000).unwrap();
    let mut client = server.connect().await;
    client.send("GET /file HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let said = client.closed().await.unwrap();
    assert!(
        said.len() < FILE_LENGTH,
        "the client sees that bytes are missing"
    );
    assert_eq!(server.connect().await.get("/").await.body, b"hello");
}

#[tokio::test]
async fn a_head_request_has_the_length_and_no_body() {
    let server = Server::start(LimitsSettings::default()).await;
    let mut client = server.connect().await;
    client
        .send("HEAD /file HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    let said = String::from_utf8(client.closed().await.unwrap()).unwrap();
    assert!(said.contains(&format!("content-length: {FILE_LENGTH}\r\n")));
    assert!(said.ends_with("\r\n\r\n"));
}
