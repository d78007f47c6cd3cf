//! The load generator. In scope: connections that are kept, each with one request on its way; at most a thread of this process.
//!
//! It shares the cores with what it measures, and so does everything behind that: the figures say how two things compare in one
//! run on this machine, not what a server of its own would do.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::event::Beacon;
use super::figure::{float, quantile};
use crate::interrupt;

/// How long one answer may take.
const MAX_ANSWER: Duration = Duration::from_secs(30);

/// What is sent where.
pub(super) struct Load<F> {
    pub(super) port: u16,
    pub(super) connections: u64,
    /// The request of this number, counted from 0.
    pub(super) request: F,
}

/// When a request is sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// As fast as answers come, for this long.
    Flood(Duration),
    /// As fast as answers come, this many.
    Count(u64),
    /// At this rate, for this long; a late answer makes the next requests late, and they say so.
    Steady { per_second: f64, time: Duration },
}

/// What came of a load.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Answered by 2xx.
    pub(super) taken: u64,
    /// Answered otherwise.
    pub(super) refused: u64,
    pub(super) elapsed: Duration,
    /// From the moment when the request was due to its answer, in milliseconds, ascending.
    latencies_ms: Vec<f64>,
}

impl Answers {
    pub(super) fn per_second(&self) -> f64 {
        float(self.taken) / self.elapsed.as_secs_f64()
    }

    pub(super) fn latency_ms(&self, share: f64) -> f64 {
        quantile(&self.latencies_ms, share)
    }

    /// An error if anything was refused: then the figures would be those of refusals.
    pub(super) fn all_taken(self) -> Result<Self> {
        match self.refused {
            0 => Ok(self),
            count => bail!("expected every request to be taken, found {count} of {} refused", self.taken + count),
        }
    }
}

impl<F: Fn(u64) -> Beacon + Send + Sync + 'static> Load<F> {
    /// Sends until the pace says to stop.
    pub(super) fn run(self, pace: Pace) -> Result<Answers> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.drive(pace))
    }

    async fn drive(self, pace: Pace) -> Result<Answers> {
        let connections = self.connections;
        let shared = Arc::new(Shared { load: self, pace, next: AtomicU64::new(0), started: Instant::now() });
        let mut senders = JoinSet::new();
        for _ in 0..connections {
            senders.spawn(Arc::clone(&shared).send_until_done());
        }
        let mut total = Answers::default();
        while let Some(answers) = senders.join_next().await {
            let answers = answers.context("expected a connection to end by itself")??;
            total.taken += answers.taken;
            total.refused += answers.refused;
            total.latencies_ms.extend(answers.latencies_ms);
        }
        total.elapsed = shared.started.elapsed();
        total.latencies_ms.sort_by(f64::total_cmp);
        Ok(total)
    }
}

struct Shared<F> {
    load: Load<F>,
    pace: Pace,
    next: AtomicU64,
    started: Instant,
}

impl<F: Fn(u64) -> Beacon + Send + Sync + 'static> Shared<F> {
    async fn send_until_done(self: Arc<Self>) -> Result<Answers> {
        let mut sender = connect(self.load.port).await?;
        let mut answers = Answers::default();
        while let Some((number, due)) = self.next() {
            interrupt::check()?;
            sleep_until(due).await;
            let is_taken = timeout(MAX_ANSWER, send(&mut sender, (self.load.request)(number)))
                .await
                .with_context(|| format!("expected an answer within {} s", MAX_ANSWER.as_secs()))??;
            answers.latencies_ms.push(due.elapsed().as_secs_f64() * 1e3);
            *(if is_taken { &mut answers.taken } else { &mut answers.refused }) += 1;
        }
        Ok(answers)
    }

    /// The next request and when it is due, unless all are sent.
    fn next(&self) -> Option<(u64, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        match self.pace {
            Pace::Flood(time) => (now < self.started + time).then_some((number, now)),
            Pace::Count(count) => (number < count).then_some((number, now)),
            Pace::Steady { per_second, time } => {
                let due = Duration::from_secs_f64(float(number) / per_second);
                (due < time).then_some((number, self.started + due))
            }
        }
    }
}

async fn connect(port: u16) -> Result<SendRequest<http_body_util::Full<hyper::body::Bytes>>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect(address).await.with_context(|| format!("expected a server at {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with its sender, and its error is the sender's too.
    tokio::spawn(connection);
    Ok(sender)
}

/// Whether the answer is 2xx; the whole of it is read.
async fn send(sender: &mut SendRequest<http_body_util::Full<hyper::body::Bytes>>, request: Beacon) -> Result<bool> {
    sender.ready().await.context("expected the connection to stay open")?;
    let response = sender.send_request(request).await.context("expected an answer")?;
    let is_taken = response.status().is_success();
    response.into_body().collect().await.context("expected the whole of an answer")?;
    Ok(is_taken)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::bench::event;

    /// Takes every other request, on one connection.
    fn serve() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut buffer = [0; 4096];
            for status in ["202 Accepted", "503 Service Unavailable"].into_iter().cycle() {
                if !matches!(stream.read(&mut buffer), Ok(1..)) {
                    break;
                }
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).expect("a listener");
            }
        });
        port
    }

    #[test]
    fn answers_are_counted_by_status() {
        let load = Load { port: serve(), connections: 1, request: |number| event::post("/", number, String::new()) };
        let answers = load.run(Pace::Count(5)).expect("a load");
        assert_eq!((answers.taken, answers.refused), (3, 2));
        assert!(answers.latency_ms(0.5) > 0.0);
        assert!(answers.all_taken().is_err());
    }

    #[test]
    fn a_steady_pace_sends_its_rate() {
        let load = Load { port: serve(), connections: 1, request: |number| event::post("/", number, String::new()) };
        let pace = Pace::Steady { per_second: 100.0, time: Duration::from_millis(50) };
        let answers = load.run(pace).expect("a load");
        assert_eq!(answers.taken + answers.refused, 5);
    }
}
