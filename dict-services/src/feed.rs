//! The snapshot a feed serves now.
//!
//! In scope: publishing (check, stamp, swap), how fresh the snapshot is.
//! Out of scope: where content comes from, and HTTP.
//!
//! Readers clone an `Arc` and keep what they started with, so a refresh never waits for a reader and a reader never sees two
//! snapshots in one response.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use crate::entries::{Defect, Entries};

/// One feed's current snapshot, empty until the first publication.
pub struct Feed<E> {
    current: RwLock<Option<Arc<E>>>,
    confirmed_at: AtomicU32,
    /// Latest time at which a reader took a snapshot.
    read_at: AtomicU32,
}

impl<E> Default for Feed<E> {
    fn default() -> Self {
        Self { current: RwLock::new(None), confirmed_at: AtomicU32::new(0), read_at: AtomicU32::new(0) }
    }
}

impl<E: Entries> Feed<E> {
    /// The snapshot to answer a reader from at `now`, `None` before the first publication.
    pub fn read(&self, now: u32) -> Option<Arc<E>> {
        let slot = self.current.read().unwrap_or_else(PoisonError::into_inner);
        // Noted under the lock: whatever is published after this gets a time that is not earlier.
        self.read_at.fetch_max(now, Relaxed);
        slot.clone()
    }

    /// The snapshot, for this service itself.
    pub fn snapshot(&self) -> Option<Arc<E>> {
        // A panic while the lock was held cannot leave the slot half written: it is one pointer.
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Checks `entries`, gives changed ones their update time and swaps them in. On a defect the old snapshot stays.
    ///
    /// Update times never go back, even if the clock does: they are not before the last change nor before the last reader, who
    /// asks for changes since then and must see this one.
    pub fn publish(&self, mut entries: E, now: u32) -> Result<Arc<E>, Defect> {
        entries.check()?;
        let mut slot = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let newest = slot.as_ref().map_or(0, |old| old.newest());
        entries.stamp(now.max(newest).max(self.read_at.load(Relaxed)));
        let published = Arc::new(entries);
        *slot = Some(Arc::clone(&published));
        self.confirm(now);
        Ok(published)
    }

    /// Serves what an earlier run published at `confirmed_at`, with the times it had.
    pub fn restore(&self, entries: E, confirmed_at: u32) -> Result<Arc<E>, Defect> {
        self.publish(entries, confirmed_at)
    }

    /// Notes that the source was read at `now` and the snapshot is still what it says.
    pub fn confirm(&self, now: u32) {
        self.confirmed_at.store(now, Relaxed);
    }

    /// Seconds since the source last confirmed the snapshot, `None` before the first publication.
    pub fn age_s(&self, now: u32) -> Option<u32> {
        self.snapshot().map(|_| now.saturating_sub(self.confirmed_at.load(Relaxed)))
    }
}
