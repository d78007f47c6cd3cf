//! A proxy between the Worker and one ClickHouse that can misbehave.
//!
//! In scope: one HTTP request per connection, passed on or met with a `Reaction`. Out of scope: which reaction when (the faults).
//!
//! The Worker's inserts carry a Content-Length; ClickHouse is asked to close the connection behind its answer, so neither direction needs a
//! parser for chunks.

mod exchange;
mod reaction;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::SockRef;

pub use reaction::Reaction;

/// How often an idle proxy looks for a connection, and whether it is to stop.
const POLL: Duration = Duration::from_millis(5);

/// A running proxy; it ends when dropped.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    port: u16,
    upstream: SocketAddr,
    plan: Mutex<Plan>,
    is_stopping: AtomicBool,
}

/// What the next requests meet.
struct Plan {
    /// One each, before anything else.
    script: VecDeque<Reaction>,
    /// All others.
    always: Reaction,
    /// Requests that came in.
    requests: u64,
    /// How often it was told to behave again.
    healings: u64,
    /// Requests that met anything but `Pass`, a ClickHouse that is away included.
    disturbed: u64,
}

impl Proxy {
    /// Listens on a free loopback port in front of another one.
    pub fn start(upstream_port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("expected a free port for a proxy")?;
        let port = listener.local_addr()?.port();
        let plan = Plan { script: VecDeque::new(), always: Reaction::Pass, requests: 0, healings: 0, disturbed: 0 };
        let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, upstream_port));
        let shared = Arc::new(Shared { port, upstream, plan: Mutex::new(plan), is_stopping: AtomicBool::new(false) });
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || listen(&shared, listener)
        });
        Ok(Self { port, shared, thread: Some(thread) })
    }

    /// From now on every request meets this.
    pub fn always(&self, reaction: Reaction) {
        self.shared.plan().always = reaction;
    }

    /// The next requests meet these, one each.
    pub fn script(&self, reactions: impl IntoIterator<Item = Reaction>) {
        self.shared.plan().script.extend(reactions);
    }

    /// Behaves again.
    pub fn heal(&self) {
        let mut plan = self.shared.plan();
        plan.script.clear();
        plan.always = Reaction::Pass;
        plan.healings += 1;
    }

    /// How much of the script is left.
    pub fn script_left(&self) -> usize {
        self.shared.plan().script.len()
    }

    /// How many requests have come in.
    pub fn requests(&self) -> u64 {
        self.shared.plan().requests
    }

    /// How many requests have met a fault.
    pub fn disturbed(&self) -> u64 {
        self.shared.plan().disturbed
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed there.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// Out of turn: the script is for inserts.
    fn reaction_to_question(&self) -> Reaction {
        let mut plan = self.plan();
        let is_gateway = plan.always == Reaction::BadGateway;
        plan.disturbed += u64::from(is_gateway);
        if is_gateway { Reaction::BadGateway } else { Reaction::Pass }
    }

    fn next_reaction(&self) -> Reaction {
        let mut plan = self.plan();
        let reaction = plan.script.pop_front().unwrap_or(plan.always);
        plan.requests += 1;
        plan.disturbed += u64::from(reaction != Reaction::Pass);
        reaction
    }
}

/// Accepts until it is to stop. To refuse connections the port is closed: the kernel then answers as for a server that is not there.
fn listen(shared: &Arc<Shared>, listener: TcpListener) {
    let mut listener = Some(listener);
    while !shared.is_stopping() {
        let is_refusing = shared.plan().always == Reaction::Refuse;
        listener = match listener {
            Some(_) if is_refusing => None,
            None if !is_refusing => TcpListener::bind((Ipv4Addr::LOCALHOST, shared.port)).ok(),
            other => other,
        };
        match listener.as_ref().map(accept) {
            Some(Ok(client)) => {
                let shared = Arc::clone(shared);
                // Its end is the end of its connection, at the latest when a deadline passes.
                drop(std::thread::spawn(move || exchange::serve(&client, &shared)));
            }
            _ => std::thread::sleep(POLL),
        }
    }
}

fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let (client, _) = listener.accept()?;
    client.set_nonblocking(false)?;
    Ok(client)
}

/// Lets a connection end as a crash ends it: with a reset, once it is closed.
fn reset(stream: &TcpStream) {
    if SockRef::from(stream).set_linger(Some(Duration::ZERO)).is_err() {
        // An orderly end without an answer is a fault too.
        let _ = stream.shutdown(Shutdown::Both);
    }
}
