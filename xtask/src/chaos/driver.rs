//! The steady load. In scope: beacons at a fixed rate with known event ids, sent again as the browser script does: the same body, the same
//! ids, until the collector answers for every event. Out of scope: judging the result (`account`).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use uuid::Uuid;

use super::ledger::Ledger;

/// Each may be stuck in a retry; together they keep the rate.
const THREADS: usize = 8;
const EVENTS_PER_BEACON: usize = 20;
const MAX_REQUEST: Duration = Duration::from_secs(15);
const RETRY_FIRST: Duration = Duration::from_millis(200);
const MAX_RETRY: Duration = Duration::from_secs(2);
/// How long the last beacons may take after the load has ended.
const MAX_FINISH: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(20);
/// Does not fit the column once a fault has narrowed it.
const POISON_SEQ: u32 = 4_000_000;
const USUAL_SEQ: u32 = 1;
const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
/// Where the visitors are: near the regions `eu` and `us`.
const PLACES: [&str; 2] = [
    r#"{"country":"DE","continent":"EU","latitude":"50.1","longitude":"8.7","timezone":"Europe/Berlin"}"#,
    r#"{"country":"US","continent":"NA","latitude":"39.0","longitude":"-77.5","timezone":"America/New_York"}"#,
];

/// The site of most events, which may be stored anywhere.
const USUAL_SITE: &str = "demo";
/// Every such beacon is of `RESIDENT_SITE`, near each place.
const RESIDENT_BEACON_OF: usize = 4;

/// A site whose events may be stored in its region only, wherever its visitors are.
pub(super) const RESIDENT_SITE: &str = "resident";

/// A running load; it ends when dropped.
pub(super) struct Driver {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    url: String,
    agent: ureq::Agent,
    ledger: Mutex<Ledger>,
    phase: AtomicUsize,
    /// No new beacon is made.
    is_ending: AtomicBool,
    /// Nothing is sent again either.
    is_abandoned: AtomicBool,
    /// What no correct collector would answer.
    wrong_answer: Mutex<Option<String>>,
    started: Instant,
    beacon_interval: Duration,
    beacons: AtomicUsize,
}

/// One beacon, the same on every attempt.
struct Beacon {
    body: String,
    ids: Vec<Uuid>,
    address: String,
    place: &'static str,
}

impl Driver {
    /// Starts to send `rate` events a second to a collector's base URL. `run` tells this run's ids from all others.
    pub(super) fn start(collector: &str, run: u64, rate: u32) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(MAX_REQUEST)).http_status_as_error(false);
        let shared = Arc::new(Shared {
            url: format!("{collector}/v1/events"),
            agent: config.build().into(),
            ledger: Mutex::new(Ledger::new(run)),
            phase: AtomicUsize::new(0),
            is_ending: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
            wrong_answer: Mutex::new(None),
            started: Instant::now(),
            beacon_interval: Duration::from_secs(EVENTS_PER_BEACON as u64) / rate.max(1),
            beacons: AtomicUsize::new(0),
        });
        let spawn = |_| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.drive())
        };
        Self { threads: (0..THREADS).map(spawn).collect(), shared }
    }

    /// Events made from now on belong to this phase.
    pub(super) fn enter(&self, phase: usize) {
        self.shared.phase.store(phase, Ordering::SeqCst);
    }

    /// Sends events that ClickHouse will refuse, so many near each region, until they are acknowledged. Returns how many in all.
    pub(super) fn send_poison(&self, count: usize) -> Result<u64> {
        for number in 0..PLACES.len() {
            self.shared.deliver(&self.shared.beacon(number, count, POISON_SEQ));
        }
        self.check()?;
        Ok((count * PLACES.len()) as u64)
    }

    /// An error if the collector has answered what it must not.
    pub(super) fn check(&self) -> Result<()> {
        match lock(&self.shared.wrong_answer).as_ref() {
            Some(found) => bail!("expected 202 with receipts of stored events, or 5xx, found {found}"),
            None => Ok(()),
        }
    }

    /// How many events have been made.
    pub(super) fn sent(&self) -> u64 {
        self.ledger().entries().len() as u64
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.shared.ledger)
    }

    /// Ends the load when every event is acknowledged, or after a while all the same.
    pub(super) fn finish(&mut self, is_interrupted: impl Fn() -> bool) {
        self.shared.is_ending.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + MAX_FINISH;
        while Instant::now() < deadline && !is_interrupted() && !self.threads.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(POLL);
        }
        self.abandon();
    }

    fn abandon(&mut self) {
        self.shared.is_ending.store(true, Ordering::SeqCst);
        self.shared.is_abandoned.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            // A panic there has been printed there.
            let _ = thread.join();
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl Shared {
    /// Beacon after beacon, each at its time; what an outage has held up follows at once.
    fn drive(&self) {
        while !self.is_ending.load(Ordering::SeqCst) {
            let number = self.beacons.fetch_add(1, Ordering::SeqCst);
            let due = self.started + self.beacon_interval * u32::try_from(number).unwrap_or(u32::MAX);
            while Instant::now() < due && !self.is_ending.load(Ordering::SeqCst) {
                std::thread::sleep(POLL.min(due.saturating_duration_since(Instant::now())));
            }
            if !self.is_ending.load(Ordering::SeqCst) {
                self.deliver(&self.beacon(number, EVENTS_PER_BEACON, USUAL_SEQ));
            }
        }
    }

    fn beacon(&self, number: usize, count: usize, seq: u32) -> Beacon {
        let phase = self.phase.load(Ordering::SeqCst);
        let ids = lock(&self.ledger).add(count, phase, seq == POISON_SEQ);
        let event = |id: &Uuid| {
            json!({"event_id": id.to_string(), "event_type": "page_view", "page_url": "https://shop.example/chaos", "seq": seq,
                "page_id": page_id(phase)})
        };
        let events: Vec<Value> = ids.iter().map(event).collect();
        let is_resident = number / PLACES.len() % RESIDENT_BEACON_OF == RESIDENT_BEACON_OF - 1;
        let site = if is_resident { RESIDENT_SITE } else { USUAL_SITE };
        let body = json!({"site": site, "tracker": "landfall-chaos", "events": events}).to_string();
        // Addresses of the range for tests (RFC 2544), so that there are many visitors.
        let address = format!("198.18.{}.{}", number / 200 % 200, 1 + number % 200);
        Beacon { body, ids, address, place: PLACES[number % PLACES.len()] }
    }

    /// Sends a beacon until every event of it is acknowledged.
    fn deliver(&self, beacon: &Beacon) {
        let mut wait = RETRY_FIRST;
        while !self.is_abandoned.load(Ordering::SeqCst) && !self.attempt(beacon) {
            let until = Instant::now() + wait;
            while Instant::now() < until && !self.is_abandoned.load(Ordering::SeqCst) {
                std::thread::sleep(POLL);
            }
            wait = (2 * wait).min(MAX_RETRY);
        }
    }

    /// True if there is nothing to send again.
    fn attempt(&self, beacon: &Beacon) -> bool {
        let request = self.agent.post(&self.url).header("Content-Type", "text/plain").header("User-Agent", USER_AGENT);
        let request = request.header("Accept-Language", "en").header("Sec-Fetch-Mode", "no-cors");
        let request = request.header("CF-Connecting-IP", &beacon.address).header("CF-Blob", beacon.place);
        let Ok(response) = request.send(&beacon.body) else { return false };
        let status = response.status().as_u16();
        let Ok(text) = response.into_body().read_to_string() else { return false };
        match (status, self.acknowledge(beacon, &text)) {
            (202, true) => true,
            (500..=599, _) => false,
            _ => {
                lock(&self.wrong_answer).get_or_insert(format!("{status}: {text}"));
                true
            }
        }
    }

    /// Notes what the receipts say; true if every event is stored or known.
    fn acknowledge(&self, beacon: &Beacon, text: &str) -> bool {
        let answer: Value = serde_json::from_str(text).unwrap_or_default();
        let receipts = answer["results"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_known =
            |receipt: &Value| matches!(receipt["outcome"].as_str(), Some("accepted" | "flagged" | "duplicate"));
        let mut ledger = lock(&self.ledger);
        let known = beacon.ids.iter().zip(receipts).filter(|(_, receipt)| is_known(receipt));
        let known: Vec<Uuid> = known.map(|(id, _)| *id).collect();
        for id in &known {
            ledger.acknowledge(*id);
        }
        known.len() == beacon.ids.len()
    }
}

/// How a phase is named on its events.
pub(super) fn page_id(phase: usize) -> String {
    format!("phase-{phase}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
