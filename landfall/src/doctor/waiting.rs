//! What waits in a region's Batchers. In scope: reading their state from `/readyz`. Out of scope: why, in an operator's words (`advice`).

use std::time::Duration;

use collector_core::readiness::{Parked, State};

use super::{Note, advice};

/// A batch is sent within about a second; older than this, something is in its way.
const OLDEST_USUAL_S: u64 = 10;

/// Notes what waits and whether that is unusual, then what has failed, by what it waits for. `before` is what waited `elapsed` ago.
pub(super) fn look(before: &State, state: &State, elapsed: Duration, region: &str, note: &mut Note<'_>) {
    if let Some(error) = &state.error {
        return note("waiting", error.clone(), Some("the Batcher cannot be reached: npx wrangler tail".to_owned()));
    }
    let (rows, oldest_s) = (state.backlog_rows, state.oldest_pending_seconds);
    let mut found = format!("{}, {}", counted(rows, "row", "rows"), counted(state.backlog_bytes, "byte", "bytes"));
    if rows > 0 {
        found = format!("{found}, the oldest for {oldest_s} s");
    }
    let is_draining = is_draining(before, state, elapsed);
    if is_draining {
        found.push_str("; it is getting less");
    }
    let advice = if !state.is_accepting {
        Some("too much waits: events are refused until ClickHouse has taken some of it")
    } else if state.parked.is_empty() && rows > 0 && oldest_s > OLDEST_USUAL_S && !is_draining {
        Some("rows wait without an attempt: is the cron trigger of wrangler.toml deployed?")
    } else {
        None
    };
    note("waiting", found, advice.map(str::to_owned));
    if state.parked.is_empty() {
        note("parked", "nothing".to_owned(), None);
    }
    for parked in &state.parked {
        note("parked", words(parked), Some(advice::of(&parked.waits_for, region)));
    }
}

/// Whether what waited has become less: fewer rows, or an oldest one that is younger than it would have become. A full backlog drains for minutes,
/// and what has not failed waits in it for nothing but its turn.
fn is_draining(before: &State, now: &State, elapsed: Duration) -> bool {
    let oldest_s = before.oldest_pending_seconds.saturating_add(elapsed.as_secs());
    before.backlog_rows > 0 && (now.backlog_rows < before.backlog_rows || now.oldest_pending_seconds < oldest_s)
}

fn words(parked: &Parked) -> String {
    let batches = counted(i64::try_from(parked.batches).unwrap_or(i64::MAX), "batch", "batches");
    let rows = counted(parked.rows, "row", "rows");
    format!("{}: {batches}, {rows}, the oldest for {} s", parked.waits_for, parked.oldest_seconds)
}

fn counted(count: i64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(state: &State) -> Vec<(String, Option<String>)> {
        let mut notes = Vec::new();
        look(&State::default(), state, ELAPSED, "eu", &mut |_, found, advice| notes.push((found, advice)));
        notes
    }

    const ELAPSED: Duration = Duration::from_millis(2_500);

    #[test]
    fn a_backlog_that_drains_needs_nothing() {
        let state = |backlog_rows, oldest_pending_seconds| State {
            is_accepting: true,
            backlog_rows,
            oldest_pending_seconds,
            ..State::default()
        };
        let before = state(9, 60);
        for (now, is_ill) in [
            (state(8, 62), false),
            (state(20, 61), false),
            (state(9, 62), true),
            (state(9, 63), true),
            (state(10, 62), true),
        ] {
            let mut advised = Vec::new();
            look(&before, &now, ELAPSED, "eu", &mut |_, _, advice| advised.extend(advice));
            assert_eq!(!advised.is_empty(), is_ill, "{now:?}");
        }
    }

    #[test]
    fn only_what_is_unusual_gets_advice() {
        let idle = State { is_accepting: true, ..State::default() };
        assert_eq!(looked(&idle), [("0 rows, 0 bytes".to_owned(), None), ("nothing".to_owned(), None)]);
        let busy = State { backlog_rows: 7, backlog_bytes: 70, oldest_pending_seconds: 1, ..idle };
        assert_eq!(looked(&busy)[0], ("7 rows, 70 bytes, the oldest for 1 s".to_owned(), None));
        for ill in [
            State { is_accepting: false, ..busy.clone() },
            State { oldest_pending_seconds: 60, ..busy.clone() },
            State { error: Some("gone".to_owned()), ..busy.clone() },
        ] {
            assert!(looked(&ill)[0].1.is_some(), "{ill:?}");
        }
    }

    #[test]
    fn what_is_parked_is_told_by_what_it_waits_for() {
        let mut state = State { is_accepting: true, backlog_rows: 7, oldest_pending_seconds: 60, ..State::default() };
        for (waits_for, rows) in [("hold code 60", 3), ("retry code 202", 4)] {
            state.park(Parked { waits_for: waits_for.to_owned(), batches: 1, rows, oldest_seconds: 60 });
        }
        let notes = looked(&state);
        assert_eq!(notes[0].1, None, "what is parked says why");
        assert_eq!(notes[1].0, "hold code 60: 1 batch, 3 rows, the oldest for 60 s");
        assert!(notes[1].1.as_ref().is_some_and(|advice| advice.contains("landfall migrate")), "{notes:?}");
        assert_eq!(notes.len(), 3);
    }
}
