//! The requests of ClickHouse, byte for byte, over a real socket. `tests/e2e/dictionaries/request.rs` sees to it that a real server sends
//! these, except for the incremental one: the embedded engine always loads everything. That was recorded from the scheduler of a
//! clickhouse-server (18.16.1, Debian), with a dictionary whose `update_field` is `last_updated`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dict_services::country::Countries;
use dict_services::entries::Entries;
use dict_services::route::router;
use dict_services::segment::table::Table;
use dict_services::server;
use futures_util::future::pending;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{shell, table};

const NOW: u32 = 1_763_660_000;
const DEADLINE: Duration = Duration::from_secs(20);

/// Serves a shell on a free port, until the test ends.
async fn start<E: Entries>(shell: Arc<dict_services::route::Shell<E>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, None, router(shell), pending(), DEADLINE));
    address
}

async fn users() -> SocketAddr {
    let shell = shell::<Table>();
    let first = shell.feed.publish(table(None, &[(1, 1), (2, 2), (3, 3)], NOW), NOW).unwrap();
    shell.feed.publish(table(Some(&first), &[(1, 1), (2, 4)], NOW + 60), NOW + 60).unwrap();
    start(shell).await
}

/// Sends `request` and reads to the end of the answer: head and body.
async fn exchange(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = tokio::time::timeout(DEADLINE, read_answer(&mut stream)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

/// Small answers carry their length, so the connection may stay open.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let received = stream.read(&mut piece).await.unwrap();
        answer.extend_from_slice(&piece[..received]);
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        let Some(end) = text.find("\r\n\r\n") else { continue };
        let length = text[..end].split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        if received == 0 || answer.len() >= end + 4 + length {
            return String::from_utf8(answer).unwrap();
        }
    }
}

#[tokio::test]
async fn a_full_load_gets_every_entry() {
    let request = "GET /user-segments HTTP/1.1\r\nHost: 127.0.0.1:36251\r\nAuthorization: Bearer secret\r\n\
        User-Agent: ClickHouse/26.9.2.1\r\nConnection: Keep-Alive\r\nKeep-Alive: timeout=30, max=1000\r\n\r\n";
    let (head, body) = exchange(users().await, request).await;
    assert!(head.starts_with("http/1.1 200 ok"), "{head}");
    assert!(!head.contains("content-encoding"), "{head}");
    assert_eq!(body.lines().count(), 4);
}

#[tokio::test]
async fn an_incremental_load_gets_what_has_changed_also_with_the_token_as_a_password() {
    // clickhouse:secret
    let request = "GET /user-segments?compression=identity&last_updated=2025-11-20%2017%3A34%3A20 HTTP/1.1\r\nHost: 127.0.0.1:36251\r\n\
        User-Agent: ClickHouse/26.9.2.1\r\nAuthorization: Basic Y2xpY2tob3VzZTpzZWNyZXQ=\r\nConnection: Keep-Alive\r\n\r\n";
    let (head, body) = exchange(users().await, request).await;
    assert!(head.starts_with("http/1.1 200 ok"), "{head}");
    assert_eq!(body.lines().count(), 2, "{body}");
}

#[tokio::test]
async fn the_first_incremental_load_of_an_old_server_gets_every_entry() {
    let load = async |time: &str| {
        let request = format!(
            "GET /user-segments?last_updated={time} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer secret\r\n\r\n"
        );
        exchange(users().await, &request).await.1.lines().count()
    };
    assert_eq!(load("0000-00-00%2000%3A00%3A00").await, 4, "the first one asks for everything");
    assert_eq!(load("2025-11-20%2017%3A34%3A20").await, 2);
}

#[tokio::test]
async fn an_incremental_load_without_changes_is_an_empty_200() {
    let request = "GET /user-segments?last_updated=2025-11-20%2017%3A34%3A21 HTTP/1.1\r\nHost: 127.0.0.1:36251\r\n\
        Authorization: Bearer secret\r\n\r\n";
    let (head, body) = exchange(users().await, request).await;
    assert!(head.starts_with("http/1.1 200 ok") && head.contains("content-length: 0"), "{head}");
    assert_eq!(body, "");
}

#[tokio::test]
async fn a_key_lookup_is_chunked_and_has_no_content_type() {
    for keys in ["{\"user_id\":1}\n{\"user_id\":9}\n", "{\"user_id\":\"1\"}\n{\"user_id\":\"9\"}\n"] {
        let request = format!(
            "POST /user-segments HTTP/1.1\r\nHost: 127.0.0.1:36251\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer secret\r\n\
             User-Agent: ClickHouse/26.9.2.1\r\n\r\n{:X}\r\n{keys}\r\n0\r\n\r\n",
            keys.len()
        );
        let (head, body) = exchange(users().await, &request).await;
        assert!(head.starts_with("http/1.1 200 ok"), "{head}");
        assert!(body.starts_with("{\"user_id\":1,") && body.lines().count() == 1, "{body}");
    }
}

#[tokio::test]
async fn a_lookup_of_a_complex_key_finds_its_entry() {
    let shell = shell::<Countries>();
    shell.feed.publish(Countries::vendored().unwrap(), NOW).unwrap();
    let request = "POST /countries HTTP/1.1\r\nHost: 127.0.0.1:36251\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer secret\r\n\r\n\
        e\r\n{\"code\":\"DE\"}\n\r\n0\r\n\r\n";
    let (head, body) = exchange(start(shell).await, request).await;
    assert!(head.starts_with("http/1.1 200 ok"), "{head}");
    assert!(body.contains("Germany"), "{body}");
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_refused() {
    let filler = "x".repeat(server::MAX_HEAD_BYTES);
    let request = format!("GET /user-segments HTTP/1.1\r\nHost: feed\r\nX-Filler: {filler}\r\n\r\n");
    let (head, _) = exchange(users().await, &request).await;
    assert!(head.starts_with("http/1.1 431"), "{head}");
}

#[tokio::test]
async fn http_1_0_is_refused_because_its_bodies_end_with_the_connection() {
    let ask = async |path: &str| {
        let request = format!("GET {path} HTTP/1.0\r\nAuthorization: Bearer secret\r\n\r\n");
        exchange(users().await, &request).await.0
    };
    let head = ask("/user-segments").await;
    assert!(head.starts_with("http/1.0 505"), "{head}");
    let head = ask("/healthz").await;
    assert!(head.starts_with("http/1.0 200"), "a simple prober may still ask: {head}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_loses_its_place() {
    let mut stream = TcpStream::connect(users().await).await.unwrap();
    // Until no buffer takes any more, and then until the other end is gone.
    let asking = async { while stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: feed\r\n\r\n").await.is_ok() {} };
    tokio::time::timeout(2 * server::WRITE_DEADLINE, asking).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let mut stream = TcpStream::connect(users().await).await.unwrap();
    stream.write_all(b"GET /user-segments HTTP/1.1\r\n").await.unwrap();
    // Time is paused: it jumps to the deadline when nothing else is left to do.
    let mut answer = Vec::new();
    tokio::time::timeout(2 * server::HEAD_DEADLINE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}
