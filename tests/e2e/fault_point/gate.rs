//! The other end of the collector's fault points (`edge-collector/src/fault_point/asking.rs`).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;

/// What the collector asks at every point: it is let through, unless the point is the armed one.
pub(super) struct Gate {
    pub(super) url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    armed: Option<String>,
    /// Requests that never get an answer.
    held: Vec<TcpStream>,
}

impl Gate {
    pub(super) fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let gate = Self { url: format!("http://{}", listener.local_addr()?), state: Arc::default() };
        let state = Arc::clone(&gate.state);
        // Ends with the tests' process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A caller that was killed meanwhile is no concern of the gate.
                let _ = pass(stream, &state);
            }
        });
        Ok(gate)
    }

    pub(super) fn arm(&self, point: Option<&str>) {
        *lock(&self.state) = State { armed: point.map(str::to_owned), held: Vec::new() };
    }

    /// Lets on who is held, with this status: what the collector does then, `edge-collector/src/fault_point/asking.rs` says.
    pub(super) fn answer(&self, status: u16) -> Result<()> {
        let held = std::mem::take(&mut *lock(&self.state)).held;
        held.into_iter().try_for_each(|mut stream| Ok(stream.write_all(&reply(status))?))
    }

    pub(super) fn is_reached(&self) -> bool {
        !lock(&self.state).held.is_empty()
    }
}

fn pass(mut stream: TcpStream, state: &Mutex<State>) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Vec::new();
    let mut byte = [0_u8; 1];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        request.push(byte[0]);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let mut state = lock(state);
    let is_armed = state.armed.as_ref().is_some_and(|point| request.starts_with(&format!("GET /{point} ")));
    if is_armed {
        state.held.push(stream);
        return Ok(());
    }
    Ok(stream.write_all(&reply(200))?)
}

fn reply(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
