//! The lines of one response: which entries of one snapshot, written piece by piece.
//!
//! In scope: selecting entries, filling a buffer up to a size.
//! Out of scope: compression and HTTP.

use std::sync::Arc;

use crate::entries::Entries;

/// Which entries a request asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every entry: a full load.
    All,
    /// Entries that changed at or after this time, unix seconds: an incremental load.
    Since(u32),
    /// Entries at these positions: a key lookup.
    At(Vec<usize>),
}

impl Selection {
    /// The incremental selection for a reader that asks for changes since `since`. A time in our future means that the two
    /// clocks disagree, so nothing is known about what the reader has seen: it gets everything.
    pub fn changed_since(since: u32, now: u32) -> Self {
        if since > now { Self::All } else { Self::Since(since) }
    }

    /// The positions of `keys`, each once, in entry order. Unknown keys are left out: the dictionary has defaults for them.
    pub fn of_keys<E: Entries>(entries: &E, keys: &[E::Key]) -> Self {
        let mut found: Vec<usize> = keys.iter().filter_map(|key| entries.find(key)).collect();
        found.sort_unstable();
        found.dedup();
        Self::At(found)
    }
}

/// A position in the lines of one response. It holds its snapshot, so a refresh in between changes nothing.
pub struct Lines<E> {
    entries: Arc<E>,
    selection: Selection,
    next: usize,
}

impl<E: Entries> Lines<E> {
    /// All lines of `selection`.
    pub fn new(entries: Arc<E>, selection: Selection) -> Self {
        Self { entries, selection, next: 0 }
    }

    /// Appends lines to `out` until it holds `enough_bytes`. Returns whether lines may be left.
    pub fn fill(&mut self, out: &mut Vec<u8>, enough_bytes: usize) -> bool {
        let end = match &self.selection {
            Selection::At(found) => found.len(),
            Selection::All | Selection::Since(_) => self.entries.len(),
        };
        while self.next < end {
            if out.len() >= enough_bytes {
                return true;
            }
            let position = self.next;
            self.next += 1;
            match &self.selection {
                Selection::All => self.entries.write_entry(position, out),
                Selection::Since(since) => {
                    if self.entries.updated_at(position) >= *since {
                        self.entries.write_entry(position, out);
                    }
                }
                Selection::At(found) => self.entries.write_entry(found[position], out),
            }
        }
        false
    }
}
