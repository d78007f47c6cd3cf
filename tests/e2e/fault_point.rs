//! "An acknowledged event arrives exactly once, wherever the collector dies": it is killed between every two steps of a flush.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use xtask::build;
use xtask::stack::Stack;
use xtask::stack::process::Stop;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    (
        "killed_between_any_two_steps_nothing_is_lost_or_doubled",
        killed_between_any_two_steps_nothing_is_lost_or_doubled,
    ),
    ("killed_while_a_batch_is_cut_nothing_is_lost_or_doubled", killed_while_a_batch_is_cut_nothing_is_lost_or_doubled),
];

/// In the order of a flush; the first is the step before it, of which the sender never hears.
const POINTS: [&str; 9] = [
    "rows-written",
    "flush-begun",
    "batch-frozen",
    "region-asked-ecommerce.events",
    "doubt-written-ecommerce.events",
    "answer-read-ecommerce.events",
    "batch-finished-ecommerce.events",
    "batches-sent",
    "alarm-set",
];
const SITE: &str = "killed";
const EVENTS: u64 = 20;
/// The longest delay between two attempts, and the start of the collector.
const RECOVERY_S: u64 = 60;

fn killed_between_any_two_steps_nothing_is_lost_or_doubled(lab: &mut Lab) -> Result<()> {
    with_fault_points(lab, |stack, gate| {
        POINTS.iter().try_for_each(|point| {
            kill_at(stack, gate, point).map_err(|error| error.context(format!("killed at {point}")))
        })
    })
}

/// One row of a batch is refused: the batch is halved until that row is alone, and the collector dies behind the first cut.
fn killed_while_a_batch_is_cut_nothing_is_lost_or_doubled(lab: &mut Lab) -> Result<()> {
    with_fault_points(lab, |stack, gate| {
        on_every_region(stack, "ALTER TABLE ecommerce.events MODIFY COLUMN seq Decimal(3, 0)")?;
        let survived = kill_behind_the_cut(stack, gate);
        on_every_region(stack, "ALTER TABLE ecommerce.events MODIFY COLUMN seq UInt32")?;
        survived
    })
}

fn kill_behind_the_cut(stack: &mut Stack, gate: &Gate) -> Result<()> {
    let (run, misfit) = (lab::event_id(), lab::event_id());
    let mut events: Vec<_> =
        (1..EVENTS).map(|seq| json!({"event_type": "login", "session_id": run, "seq": seq})).collect();
    events.push(json!({"event_id": misfit, "event_type": "login", "session_id": run, "seq": 4_000_000}));
    gate.arm(Some("batch-cut-ecommerce.events"));
    let answer = lab::send(stack, &json!({"site": SITE, "events": events}))?;
    ensure!(answer.status == 202, "{answer:?}");
    lab::wait_for("a cut", 30, || Ok(gate.is_reached().then_some(())))?;
    stack.stop_workerd(Stop::Kill)?;
    gate.arm(None);
    stack.start_workerd()?;
    lab::expect_events(stack, &format!("session_id = '{run}'"), EVENTS - 1, RECOVERY_S)?;
    lab::wait_for("the dead letter", RECOVERY_S, || {
        let sql = format!("SELECT count() FROM ecommerce.dead_letters WHERE event_id = '{misfit}'");
        let found: Result<u64> =
            stack.file.clickhouse.iter().map(|endpoint| Ok(endpoint.query(&sql)?.parse::<u64>()?)).sum();
        Ok((found? == 1).then_some(()))
    })?;
    expect_balance(stack)
}

fn on_every_region(stack: &Stack, sql: &str) -> Result<()> {
    stack.file.clickhouse.iter().try_for_each(|endpoint| endpoint.query(sql).map(drop))
}

/// Lets the collector stop at points, for the time of a test.
fn with_fault_points(lab: &mut Lab, test: impl FnOnce(&mut Stack, &Gate) -> Result<()>) -> Result<()> {
    let worker = build::worker_with_fault_points()?;
    let stack = lab.stack()?;
    let gate = Gate::open()?;
    stack.layout.surroundings.worker = Some(worker);
    stack.layout.surroundings.worker_variables = vec![("FAULT_POINTS_URL".to_owned(), gate.url.clone())];
    restart(stack)?;
    lab::put_site(stack, &json!({"id": SITE, "domains": ["shop.example"]}))?;
    let result = test(stack, &gate);
    gate.arm(None);
    stack.layout.surroundings.worker = None;
    stack.layout.surroundings.worker_variables = Vec::new();
    restart(stack)?;
    result
}

fn restart(stack: &mut Stack) -> Result<()> {
    stack.stop_workerd(Stop::Kill)?;
    stack.start_workerd()
}

fn kill_at(stack: &mut Stack, gate: &Gate, point: &str) -> Result<()> {
    let run = lab::event_id();
    let events: Vec<_> =
        (0..EVENTS).map(|_| json!({"event_id": lab::event_id(), "event_type": "login", "session_id": run})).collect();
    let beacon = json!({"site": SITE, "events": events});
    gate.arm(Some(point));
    // Killed before the answer, the collector never acknowledges: the sender does what the script does, and sends again.
    let is_acknowledged = lab::send(stack, &beacon).is_ok_and(|answer| answer.status == 202);
    ensure!(is_acknowledged != (point == "rows-written"), "the answer at {point}: {is_acknowledged}");
    lab::wait_for(&format!("the flush to reach {point}"), 30, || Ok(gate.is_reached().then_some(())))?;
    stack.stop_workerd(Stop::Kill)?;
    gate.arm(None);
    stack.start_workerd()?;
    if !is_acknowledged {
        let again = lab::send(stack, &beacon)?;
        ensure!(again.outcomes()?.iter().all(|outcome| outcome == "duplicate"), "expected duplicates, found {again:?}");
    }
    lab::expect_events(stack, &format!("session_id = '{run}'"), EVENTS, RECOVERY_S)?;
    expect_balance(stack)
}

/// The books survive as the rows do: all that was received has an outcome, all that was accepted is inserted, and nothing is inserted twice.
fn expect_balance(stack: &Stack) -> Result<()> {
    lab::wait_for("the books to balance", RECOVERY_S, || {
        let (mut open, mut inserted, mut rows) = (0, 0, 0);
        for endpoint in &stack.file.clickhouse {
            let number = |sql: String| -> Result<u64> { Ok(endpoint.query(&sql)?.parse()?) };
            let sums = |what: &str| {
                number(format!("SELECT sum({what}) FROM ecommerce.collector_balance WHERE site_id = '{SITE}'"))
            };
            open += sums("abs(unaccounted) + abs(pending)")?;
            inserted += sums("inserted")?;
            rows += number(format!("SELECT count() FROM ecommerce.events WHERE site_id = '{SITE}'"))?;
        }
        ensure!(open == 0 && inserted == rows, "{open} open, {inserted} booked as inserted, {rows} rows");
        Ok(Some(()))
    })
}

/// What the collector asks at every point: it is let through, unless the point is the armed one.
struct Gate {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    armed: Option<String>,
    /// Requests that never get an answer.
    held: Vec<TcpStream>,
}

impl Gate {
    fn open() -> Result<Self> {
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

    fn arm(&self, point: Option<&str>) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *state = State { armed: point.map(str::to_owned), held: Vec::new() };
    }

    fn is_reached(&self) -> bool {
        !self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).held.is_empty()
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
    let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let is_armed = state.armed.as_ref().is_some_and(|point| request.starts_with(&format!("GET /{point} ")));
    if is_armed {
        state.held.push(stream);
        return Ok(());
    }
    Ok(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?)
}
