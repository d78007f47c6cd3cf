//! Work counted, so that tests can bound it without a clock. In scope: a counter that costs nothing where nobody asks.

#[cfg(any(test, feature = "steps"))]
use std::cell::Cell;

/// Steps: instructions, and characters that runs and searches for a start look at.
#[derive(Debug, Default)]
pub(super) struct Steps {
    #[cfg(any(test, feature = "steps"))]
    taken: Cell<usize>,
}

#[cfg(any(test, feature = "steps"))]
impl Steps {
    pub(super) fn add(&self, steps: usize) {
        self.taken.set(self.taken.get() + steps);
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.get()
    }
}

#[cfg(not(any(test, feature = "steps")))]
impl Steps {
    #[expect(clippy::unused_self, reason = "as where steps are counted")]
    pub(super) fn add(&self, _steps: usize) {}
}
