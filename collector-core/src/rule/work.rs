//! How much rules may do for one beacon.
//!
//! In scope: counting it. Out of scope: what an event comes to that there is no work left for (`Rules::judge`).

use std::cell::Cell;

/// The most steps of all rules of one beacon. A step is a comparison, a byte that a pattern knows, or a third of a way that it follows: about 2 ns in
/// the Worker, so all of them 15 to 25 ms on two busy cores. The worst rules for one event take fewer, so an event that finds none left may come
/// again in another beacon.
pub const MAX_BEACON_STEPS: usize = 8_000_000;

/// What rules may still do for a beacon.
#[derive(Clone, Debug)]
pub struct Work {
    steps_left: Cell<Option<usize>>,
}

impl Default for Work {
    fn default() -> Self {
        Self { steps_left: Cell::new(Some(MAX_BEACON_STEPS)) }
    }
}

impl Work {
    /// Takes some steps; false if there were too few.
    pub(crate) fn spend(&self, steps: usize) -> bool {
        let left = self.steps_left.get().and_then(|left| left.checked_sub(steps));
        self.steps_left.set(left);
        left.is_some()
    }

    #[cfg(test)]
    pub(crate) fn steps_left(&self) -> usize {
        self.steps_left.get().unwrap_or(0)
    }

    /// True once more was asked for than there was: what rules have said since is no answer.
    pub(crate) fn is_used_up(&self) -> bool {
        self.steps_left.get().is_none()
    }
}
