//! The only place of the Worker that reads a clock.

/// Milliseconds since 1970, UTC. In the Workers runtime it only advances on I/O.
pub(crate) fn now_ms() -> i64 {
    i64::try_from(worker::Date::now().as_millis()).unwrap_or(i64::MAX)
}
