//! Waiting for what a dying process still holds.
//!
//! In scope: the lock of a data directory and ports, which a killed server keeps until the system has torn it down. Out of scope: waiting
//! for a server that lives.

use std::thread;
use std::time::{Duration, Instant};

/// Tearing down a killed server takes tenths of a second on a busy machine; whoever holds on longer is alive.
const LIMIT_MS: u64 = if cfg!(test) { 1_000 } else { 3_000 };
const POLL_MS: u64 = 20;

/// Tries until it works, or returns the last error.
pub(crate) fn until_free<T, E>(mut take: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let deadline = Instant::now() + Duration::from_millis(LIMIT_MS);
    loop {
        match take() {
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(POLL_MS)),
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_free_is_taken() {
        let mut tries = 0;
        let taken = until_free(|| {
            tries += 1;
            if tries < 3 { Err("held") } else { Ok(tries) }
        });
        assert_eq!(taken, Ok(3));
    }
}
