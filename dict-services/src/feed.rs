//! The snapshot a feed serves now.
//!
//! In scope: publishing (check, stamp, swap), how fresh the snapshot is, how long a reader may keep an old one.
//! Out of scope: where content comes from, and HTTP.
//!
//! Readers clone an `Arc` and keep what they started with, so a refresh never waits for a reader and a reader never sees two
//! snapshots in one response. A reader that is still at it when [`KEPT_BEHIND`] newer ones have come is cut off: otherwise slow readers
//! would hold one snapshot each, and memory would grow with their number.

use std::future::pending;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::entries::{Defect, Entries};

/// Snapshots that readers may hold besides the current one. With the one that a refresh builds, three are in memory at most.
pub const KEPT_BEHIND: u64 = 1;

/// One feed's current snapshot, empty until the first publication.
pub struct Feed<E> {
    current: RwLock<Option<Published<E>>>,
    confirmed_at: AtomicU32,
    /// Latest time at which a reader took a snapshot.
    read_at: AtomicU32,
    /// How many snapshots have been published.
    generation: watch::Sender<u64>,
}

struct Published<E> {
    entries: Arc<E>,
    /// Its latest update time: asking every entry takes milliseconds for millions.
    newest: u32,
}

/// What a reader reads from.
pub struct Reading<E> {
    /// The snapshot, the same for the whole response.
    pub entries: Arc<E>,
    /// When it has to be given back.
    pub lease: Lease,
}

/// A reader's right to hold a snapshot.
pub struct Lease {
    generation: u64,
    published: watch::Receiver<u64>,
}

impl Lease {
    /// Resolves when the snapshot is too old to be held any longer.
    pub async fn expired(mut self) {
        let last = self.generation + KEPT_BEHIND;
        if self.published.wait_for(|published| *published > last).await.is_err() {
            // The feed is gone, so nothing newer will come.
            pending::<()>().await;
        }
    }
}

impl<E> Default for Feed<E> {
    fn default() -> Self {
        Self {
            current: RwLock::new(None),
            confirmed_at: AtomicU32::new(0),
            read_at: AtomicU32::new(0),
            generation: watch::Sender::new(0),
        }
    }
}

impl<E: Entries> Feed<E> {
    /// The snapshot to answer a reader from at `now`, `None` before the first publication.
    pub fn read(&self, now: u32) -> Option<Reading<E>> {
        let slot = self.current.read().unwrap_or_else(PoisonError::into_inner);
        // Noted under the lock: whatever is published after this gets a time that is not earlier.
        self.read_at.fetch_max(now, Relaxed);
        let published = self.generation.subscribe();
        let generation = *published.borrow();
        let lease = Lease { generation, published };
        slot.as_ref().map(|current| Reading { entries: Arc::clone(&current.entries), lease })
    }

    /// The snapshot, for this service itself.
    pub fn snapshot(&self) -> Option<Arc<E>> {
        // A panic while the lock was held cannot leave the slot half written: it is one value.
        let slot = self.current.read().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().map(|current| Arc::clone(&current.entries))
    }

    /// Checks `entries`, gives changed ones their update time and swaps them in. On a defect the old snapshot stays.
    ///
    /// Update times never go back, even if the clock does: they are not before the last change nor before the last reader, who
    /// asks for changes since then and must see this one.
    pub fn publish(&self, mut entries: E, now: u32) -> Result<Arc<E>, Defect> {
        entries.check()?;
        let mut slot = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let newest = slot.as_ref().map_or(0, |old| old.newest);
        entries.stamp(now.max(newest).max(self.read_at.load(Relaxed)));
        let newest = entries.newest();
        let entries = Arc::new(entries);
        *slot = Some(Published { entries: Arc::clone(&entries), newest });
        self.generation.send_modify(|generation| *generation += 1);
        self.confirm(now);
        Ok(entries)
    }

    /// Serves what an earlier run published at `confirmed_at`, with the times it had.
    pub fn restore(&self, entries: E, confirmed_at: u32) -> Result<Arc<E>, Defect> {
        self.publish(entries, confirmed_at)
    }

    /// Notes that the source was read at `now` and the snapshot is still what it says.
    pub fn confirm(&self, now: u32) {
        self.confirmed_at.store(now, Relaxed);
    }

    /// Latest change of an entry, unix seconds. 0 before the first publication.
    pub fn newest(&self) -> u32 {
        let slot = self.current.read().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().map_or(0, |current| current.newest)
    }

    /// Seconds since the source last confirmed the snapshot, `None` before the first publication.
    pub fn age_s(&self, now: u32) -> Option<u32> {
        self.snapshot().map(|_| now.saturating_sub(self.confirmed_at.load(Relaxed)))
    }
}
