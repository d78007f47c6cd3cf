//! The way of an event behind its acknowledgement. In scope: what shows that a hop is behind it, the time of each.
//!
//! When it was frozen does not show from outside: that is a part of `delivered`.

use std::time::{Duration, Instant};

use collector_core::readiness::State;
use uuid::Uuid;

use super::{DoctorError, Note, advice, read_state};
use crate::collector::Collector;
use crate::connection::{Connection, ConnectionError};

const POLL: Duration = Duration::from_millis(50);
/// What shows a hop in ClickHouse, in the order of `counted`.
const IN_CLICKHOUSE: [&str; 3] = ["queryable", "in the views", "booked"];
const DELIVERED: &str = "delivered";

/// The event on its way.
pub(super) struct Sent {
    pub(super) site: String,
    pub(super) id: Uuid,
    /// When it was sent.
    pub(super) at: Instant,
    /// When its acknowledgement was here.
    pub(super) accepted_at: Instant,
}

/// How often ClickHouse has the event, and what its views and the books know of its site.
type Counted = Result<[u64; IN_CLICKHOUSE.len()], ConnectionError>;

/// How far the event came.
pub(super) struct Way {
    /// Whether it shows that ClickHouse has it.
    pub(super) has_landed: bool,
    /// Whether ClickHouse answers, if it was asked.
    pub(super) is_answering: bool,
}

/// What shows of the event, each time as it was since the event was sent.
#[derive(Default)]
struct Seen {
    delivered: Option<Duration>,
    /// In the order of `IN_CLICKHOUSE`.
    in_clickhouse: [Option<Duration>; IN_CLICKHOUSE.len()],
    /// What ClickHouse said the last time, if that was no answer.
    error: Option<ConnectionError>,
}

/// Follows the event to the end of its way, or as long as there is patience, and notes the time of each hop.
pub(super) fn follow(
    collector: &Collector,
    region: &str,
    connection: Option<&Connection>,
    sent: &Sent,
    patience: Duration,
    note: &mut Note<'_>,
) -> Result<Way, DoctorError> {
    let Seen { delivered, in_clickhouse, error } = watch(collector, region, connection, sent, patience)?;
    let is_queryable = in_clickhouse[0].is_some();
    let has_landed = delivered.is_some() || is_queryable;
    let mut told = Told { patience, is_late: false };
    if delivered.is_none() && is_queryable {
        note(DELIVERED, "does not show while older rows wait".to_owned(), None);
    } else {
        told.say(DELIVERED, delivered, ADVICE_AT_THE_EDGE, note);
    }
    let Some(connection) = connection else {
        note(IN_CLICKHOUSE[0], format!("not asked: no --clickhouse {region}=URL"), None);
        return Ok(Way { has_landed, is_answering: false });
    };
    if let Some(error) = error {
        note(IN_CLICKHOUSE[0], error.to_string(), Some(advice::of_error(&error, connection.url())));
        let is_answering =
            !matches!(error, ConnectionError::Unreachable { .. } | ConnectionError::NotClickHouse { .. });
        return Ok(Way { has_landed, is_answering });
    }
    for ((name, seen), advice) in IN_CLICKHOUSE.into_iter().zip(in_clickhouse).zip(ADVICE_IN_CLICKHOUSE) {
        told.say(name, seen, advice, note);
    }
    Ok(Way { has_landed, is_answering: true })
}

/// Asks again and again, until all shows or patience ends.
fn watch(
    collector: &Collector,
    region: &str,
    connection: Option<&Connection>,
    sent: &Sent,
    patience: Duration,
) -> Result<Seen, DoctorError> {
    let mut seen = Seen::default();
    loop {
        let asked_at = Instant::now();
        if seen.delivered.is_none() && is_delivered(&read_state(collector, region)?, asked_at - sent.accepted_at) {
            seen.delivered = Some(sent.at.elapsed());
        }
        match connection.map(|connection| counted(connection, &sent.site, sent.id)) {
            Some(Ok(counts)) => {
                seen.error = None;
                // Nobody else sends for this site, so what there is of it is the event.
                for (seen, count) in seen.in_clickhouse.iter_mut().zip(counts) {
                    *seen = seen.or_else(|| (count > 0).then(|| sent.at.elapsed()));
                }
            }
            // Waited out too, so that what the collector says next includes its own attempt.
            Some(Err(error)) => seen.error = Some(error),
            None => {}
        }
        let is_all =
            seen.delivered.is_some() && (connection.is_none() || seen.in_clickhouse.iter().all(Option::is_some));
        if is_all || sent.at.elapsed() > patience {
            return Ok(seen);
        }
        std::thread::sleep(POLL);
    }
}

const ADVICE_AT_THE_EDGE: &str = "the collector keeps it and delivers it later; what it waits for is below";
/// For the first hop that is late, in the order of `IN_CLICKHOUSE`.
const ADVICE_IN_CLICKHOUSE: [&str; IN_CLICKHOUSE.len()] = [
    "delivered and not there: does doctor ask the ClickHouse to which REGIONS sends this region's events?",
    "are the materialized views attached? SHOW TABLES FROM ecommerce LIKE 'mv_%'; landfall migrate makes them",
    "the books follow within 10 s or so: raise --patience; if they never do, see what is parked below",
];

/// What was said of the hops so far.
struct Told {
    patience: Duration,
    /// The hops behind a late one are late because of it.
    is_late: bool,
}

impl Told {
    fn say(&mut self, name: &str, seen: Option<Duration>, advice: &str, note: &mut Note<'_>) {
        let Some(elapsed) = seen else {
            let advice = (!self.is_late).then(|| advice.to_owned());
            self.is_late = true;
            return note(name, format!("not within {} s", self.patience.as_secs()), advice);
        };
        note(name, milliseconds(elapsed), None);
    }
}

/// Whether an event that was acknowledged `ago` is in ClickHouse, by what its Batchers say: nothing waits, or only what is younger.
fn is_delivered(state: &State, ago: Duration) -> bool {
    state.error.is_none() && (state.backlog_rows == 0 || state.oldest_pending_seconds < ago.as_secs())
}

/// Asks for all hops at once. Sorting keys first, so that large tables are not read.
fn counted(connection: &Connection, site: &str, id: Uuid) -> Counted {
    let since = "toDate(now('UTC')) - 1";
    let reply = connection.execute(&format!(
        "SELECT (SELECT count() FROM ecommerce.events WHERE site_id = '{site}' AND toDate(timestamp) >= {since} AND event_id = '{id}'), \
         (SELECT sum(event_count) FROM ecommerce.hourly_events WHERE site_id = '{site}' AND hour >= {since}), \
         (SELECT sum(count) FROM ecommerce.collector_outcomes WHERE site_id = '{site}' AND minute >= {since} AND outcome = 'inserted') \
         FORMAT TSV"
    ))?;
    let mut numbers = reply.trim().split('\t').map(|number| number.parse().unwrap_or(0));
    Ok(std::array::from_fn(|_| numbers.next().unwrap_or(0)))
}

pub(super) fn milliseconds(elapsed: Duration) -> String {
    format!("{} ms", elapsed.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_late_hops_only_the_first_needs_a_person() {
        let (mut told, mut advice) = (Told { patience: Duration::from_secs(15), is_late: false }, Vec::new());
        for (name, seen) in [("a", Some(Duration::from_millis(7))), ("b", None), ("c", None)] {
            told.say(name, seen, "mend it", &mut |_, found, what| advice.push((found, what.is_some())));
        }
        let late = "not within 15 s".to_owned();
        assert_eq!(advice, [("7 ms".to_owned(), false), (late.clone(), true), (late, false)]);
    }

    #[test]
    fn an_event_is_delivered_when_nothing_older_waits() {
        let state =
            |backlog_rows, oldest_pending_seconds| State { backlog_rows, oldest_pending_seconds, ..State::default() };
        let ago = Duration::from_millis(2_900);
        assert!(is_delivered(&state(0, 0), Duration::ZERO));
        assert!(is_delivered(&state(7, 1), ago));
        assert!(!is_delivered(&state(7, 2), ago), "it may be this one");
        assert!(!is_delivered(&state(7, 0), Duration::from_millis(900)));
        assert!(!is_delivered(&State::silent("gone"), ago));
    }
}
