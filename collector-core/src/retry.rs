//! When to try again.
//!
//! In scope: exponential backoff with jitter. Out of scope: what may be tried again (`delivery`), clocks and random sources (arguments).

use crate::delivery::Delivery;

/// Wait after the first failure, in milliseconds.
pub const FIRST_WAIT_MS: u64 = 500;

/// The longest wait between two attempts, in milliseconds: an outage that ends is noticed within half a minute.
pub const MAX_WAIT_MS: u64 = 30_000;

/// The longest wait of a held batch, in milliseconds: it needs a person, but must drain by itself once the cause is gone.
pub const MAX_HOLD_WAIT_MS: u64 = 60_000;

/// How often something failed in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    /// Failures since the last success.
    pub failures: u32,
}

impl Backoff {
    /// Notes a failure and gives the wait before the next attempt: doubled each time, of which a random half is taken off, so that many
    /// Batchers do not come back at the same moment. `random` is any uniform number.
    pub fn next_wait_ms(&mut self, class: Delivery, random: u64) -> u64 {
        self.failures = self.failures.saturating_add(1);
        let max_ms = if class == Delivery::Hold { MAX_HOLD_WAIT_MS } else { MAX_WAIT_MS };
        let doublings = self.failures.saturating_sub(1).min(16);
        let wait_ms = (FIRST_WAIT_MS << doublings).min(max_ms);
        wait_ms - random % (wait_ms / 2 + 1)
    }

    /// Notes a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_up_to_their_limit() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.next_wait_ms(Delivery::Retry, 0)).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.next_wait_ms(Delivery::Hold, 0), 60_000);
        backoff.reset();
        assert_eq!(backoff.next_wait_ms(Delivery::Retry, 0), 500);
    }

    proptest! {
        #[test]
        fn jitter_takes_off_at_most_half(failures in any::<u32>(), random in any::<u64>()) {
            let full = Backoff { failures }.next_wait_ms(Delivery::Retry, 0);
            let wait = Backoff { failures }.next_wait_ms(Delivery::Retry, random);
            prop_assert!(wait >= full / 2 && wait <= full);
        }
    }
}
