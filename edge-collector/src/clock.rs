//! The only place of the Worker that reads a clock.

/// Milliseconds since 1970, UTC. In the Workers runtime it only advances on I/O.
pub(crate) fn now_ms() -> i64 {
    i64::try_from(worker::Date::now().as_millis()).unwrap_or(i64::MAX)
}

/// How long ago something was, in whole seconds; 0 for the future.
pub(crate) fn age_s(at_ms: i64, now_ms: i64) -> u64 {
    now_ms.saturating_sub(at_ms).max(0).unsigned_abs() / 1_000
}
