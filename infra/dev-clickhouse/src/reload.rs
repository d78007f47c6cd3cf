//! Refreshes dictionaries by their LIFETIME, which the embedded engine does not do itself.
//!
//! In scope: the thread that says when the server is ready and then reloads what is due. Out of scope: when that is (`lifetime`).
//! Each refresh here is a complete load; a clickhouse-server sends `update_field` instead where a dictionary has it.

use std::thread;
use std::time::{Duration, Instant};

use crate::lifetime::Schedule;
use crate::server::{self, Dictionary, Server};
use crate::stop;

/// How often the server is asked what it has: a new dictionary is loaded within this time.
const POLL_MS: u64 = 500;
/// How often a starting server is asked whether it is up.
const START_POLL_MS: u64 = 20;

/// Starts the thread. It ends when the server stops.
pub(crate) fn spawn(server: Server, lifetime_scale: f64) {
    let started = Instant::now();
    thread::spawn(move || {
        while !server.is_up() {
            thread::sleep(Duration::from_millis(START_POLL_MS));
        }
        eprintln!("dev-clickhouse: ready at {} after {} ms", server.url(), started.elapsed().as_millis());
        let mut schedule = Schedule::new(lifetime_scale);
        while !stop::was_requested() {
            match server.dictionaries() {
                Ok(listed) => reload_due(&server, &mut schedule, &listed),
                Err(_) if stop::was_requested() => break,
                Err(error) => eprintln!("dev-clickhouse: cannot list dictionaries: {error}"),
            }
            thread::sleep(Duration::from_millis(POLL_MS));
        }
    });
}

fn reload_due(server: &Server, schedule: &mut Schedule, listed: &[Dictionary]) {
    for dictionary in schedule.due(listed, Instant::now(), &mut random_fraction) {
        let loaded = server.reload(dictionary);
        if let Err(error) = &loaded
            && !stop::was_requested()
        {
            eprintln!("dev-clickhouse: {} keeps what it has: {error}", dictionary.quoted_name());
        }
        schedule.record(dictionary, loaded.is_ok(), Instant::now(), random_fraction());
    }
}

/// A number in [0, 1). Without randomness the middle does: it only spreads requests.
fn random_fraction() -> f64 {
    server::random_bytes::<4>().map_or(0.5, |bytes| f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0))
}
