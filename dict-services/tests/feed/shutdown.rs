//! Stopping: running responses finish, or break visibly at the end of the grace period.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dict_services::route::router;
use dict_services::segment::table::Table;
use dict_services::server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{shell, table};

const NOW: u32 = 1_763_660_000;
const DEADLINE: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

/// Serves more than the sockets can buffer.
async fn start(grace: Duration) -> Running {
    let shell = shell::<Table>();
    let users: Vec<(u64, u16)> = (1..=200_000).map(|id| (id, 1)).collect();
    shell.feed.publish(table(None, &users, NOW), NOW).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let server = tokio::spawn(server::serve(listener, None, router(Arc::clone(&shell)), stopped, grace));
    Running { address, stop, server }
}

async fn ask(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /user-segments HTTP/1.1\r\nHost: feed\r\nAuthorization: Bearer secret\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut start = [0; 15];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test]
async fn a_running_response_is_finished() {
    let running = start(DEADLINE).await;
    let mut stream = ask(running.address).await;
    running.stop.send(()).unwrap();
    // Far less than the body, so the response is still running; far more than a service that does not wait would live.
    let mut part = vec![0; 4 * 1024 * 1024];
    tokio::time::timeout(DEADLINE, stream.read_exact(&mut part)).await.unwrap().unwrap();
    assert!(!running.server.is_finished(), "the process would end here and break the response");
    let mut body = Vec::new();
    tokio::time::timeout(DEADLINE, stream.read_to_end(&mut body)).await.unwrap().unwrap();
    assert!(body.ends_with(b"}\n\r\n0\r\n\r\n"), "the terminating chunk is there");
    tokio::time::timeout(DEADLINE, running.server).await.unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_reader_that_does_not_read_cannot_keep_the_service_up() {
    let running = start(Duration::from_millis(50)).await;
    let _stream = ask(running.address).await;
    running.stop.send(()).unwrap();
    tokio::time::timeout(DEADLINE, running.server).await.unwrap().unwrap();
}
