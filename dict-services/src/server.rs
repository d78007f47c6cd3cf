//! Listening, and stopping without breaking a response.
//!
//! In scope: the socket, limits of a connection, signals, the grace period.
//! Out of scope: routes ([`crate::route`]), certificates ([`crate::tls`]).

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use crate::tls::TlsAcceptor;

/// Running responses may take this long after the stop signal.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);
/// Connections at one time; the next one waits in the system's queue. Every ClickHouse server keeps a few.
pub const MAX_CONNECTIONS: usize = 512;
/// A request head must have arrived within this time, which is also how long an idle connection is kept. Longer than the 30 s for which
/// ClickHouse keeps one, so that it is the client who closes and no request meets a closed socket.
pub const HEAD_DEADLINE: Duration = Duration::from_mins(1);
/// Largest request head; that of ClickHouse has some 300 bytes.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// A connection whose other end takes nothing for this long is closed, so that it does not keep its place for ever. Longer than
/// [`crate::reply::STALL_LIMIT`], so that it is the response that ends first and says why.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(45);
/// A TLS handshake must be done within this time.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Pause after an accept that failed for want of file descriptors: trying at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Binds `address`; port 0 takes a free one.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    Ok(listener)
}

/// Serves until `stop` resolves, then lets running responses finish for at most `grace`.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: impl Future<Output = ()>,
    grace: Duration,
) {
    let graceful = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Dropped at the end, which ends whatever the grace period could not wait for.
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            (stream, permit) = accept(&listener, &free) => {
                let connection = Connection { tls: tls.clone(), router: router.clone(), watcher: graceful.watcher(), permit };
                connections.spawn(connection.run(stream));
            }
            Some(_) = connections.join_next() => {}
            () = &mut stop => break,
        }
    }
    drop(listener);
    tracing::info!("stopping");
    if timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(grace_s = grace.as_secs(), "responses cut off at the end of the grace period");
    }
}

/// Waits for a free place, then for a connection.
async fn accept(listener: &TcpListener, free: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let Ok(permit) = Arc::clone(free).acquire_owned().await else {
        // Only a closed semaphore has no permits, and nothing closes this one.
        return pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection and what it holds until it ends.
struct Connection {
    tls: Option<TlsAcceptor>,
    router: Router,
    watcher: Watcher,
    permit: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Small answers must not wait for a full segment.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY refused");
        }
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_DEADLINE));
        let stream = Box::pin(stream);
        match self.tls.clone() {
            None => self.speak(stream).await,
            Some(tls) => match timeout(HANDSHAKE_DEADLINE, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.speak(stream).await,
                Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                Err(_) => tracing::debug!("TLS handshake took too long"),
            },
        }
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_DEADLINE)
            .max_header_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router));
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%error, "connection broke");
        }
        drop(self.permit);
    }
}

/// Resolves at SIGTERM or SIGINT.
pub fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
