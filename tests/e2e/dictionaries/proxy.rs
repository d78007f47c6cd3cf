//! What stands between ClickHouse and a feed: it records every request word for word, and lets things go wrong.
//!
//! In scope: faults that the real service does not show on demand. Out of scope: those it does (killed, nothing loaded).

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Result;

const MAX_IO: Duration = Duration::from_secs(20);

/// What happens to a request.
#[derive(Clone, Debug)]
pub(super) enum Mode {
    /// It goes to the feed on this port, and the answer comes back.
    Pass(u16),
    /// As `Pass`, with a token that the feed does not know.
    WrongToken(u16),
    /// As `Pass`, but the connection breaks after this many bytes of the answer.
    Truncate(u16, u64),
    /// The connection breaks at once.
    Reset,
    /// This status and body, without asking the feed.
    Answer(u16, String),
}

/// Runs until it is dropped.
pub(super) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    mode: Mutex<Mode>,
    requests: Mutex<Vec<String>>,
    is_stopped: AtomicBool,
}

impl Proxy {
    pub(super) fn start(mode: Mode) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared =
            Shared { mode: Mutex::new(mode), requests: Mutex::new(Vec::new()), is_stopped: AtomicBool::new(false) };
        let shared = Arc::new(shared);
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if own.is_stopped.load(Relaxed) {
                    break;
                }
                let shared = Arc::clone(&own);
                // A connection that breaks is what half of the modes are for.
                thread::spawn(move || shared.serve(stream).ok());
            }
        });
        Ok(Self { address, shared })
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    /// Every request since the last call, head and body.
    pub(super) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Relaxed);
        // Wakes the listener, which then sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(MAX_IO))?;
        let request = read_request(&mut client)?;
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        let mode = self.mode.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match mode {
            Mode::Pass(port) => forward(&request, port, &mut client, u64::MAX),
            Mode::WrongToken(port) => forward(&request.replace("Bearer ", "Bearer not-"), port, &mut client, u64::MAX),
            Mode::Truncate(port, bytes) => forward(&request, port, &mut client, bytes),
            Mode::Reset => client.shutdown(Shutdown::Both),
            Mode::Answer(status, body) => write!(
                client,
                "HTTP/1.1 {status} Fault\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            ),
        }
    }
}

/// Head and body: a body of ClickHouse is chunked, and a GET has none.
fn read_request(client: &mut TcpStream) -> io::Result<String> {
    let mut request = Vec::new();
    loop {
        let mut piece = [0; 16 * 1024];
        let length = client.read(&mut piece)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        request.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&request);
        let is_chunked = text.contains("Transfer-Encoding: chunked");
        if text.ends_with("\r\n0\r\n\r\n") || (!is_chunked && text.ends_with("\r\n\r\n")) {
            return Ok(text.into_owned());
        }
    }
}

/// Asks the feed and copies at most `limit` bytes of its answer. One request per connection, so that each has its mode.
fn forward(request: &str, port: u16, client: &mut TcpStream, limit: u64) -> io::Result<()> {
    let mut feed = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    feed.set_read_timeout(Some(MAX_IO))?;
    let head_end = request.find("\r\n\r\n").unwrap_or(request.len());
    let (head, body) = request.split_at(head_end);
    let lines: Vec<&str> = head.split("\r\n").filter(|line| !line.starts_with("Connection:")).collect();
    write!(feed, "{}\r\nConnection: close{body}", lines.join("\r\n"))?;
    io::copy(&mut feed.take(limit), client)?;
    client.shutdown(Shutdown::Both)
}
