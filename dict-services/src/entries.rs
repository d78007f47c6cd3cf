//! What every feed's content can do, so that snapshot, disk and HTTP are written once.
//!
//! In scope: the trait and the error for content that must not be served.
//! Out of scope: the content ([`crate::country`], [`crate::segment`]).

use std::io::{self, Write};

use serde::de::DeserializeOwned;

/// Update time of an entry that changed but is not published yet. [`Entries::stamp`] replaces it at publication: a time taken
/// earlier could be older than a reader's last request, and that reader would never see the change.
pub const PENDING: u32 = u32::MAX;

/// Content that must not be served: it would replace good data in a dictionary.
#[derive(Debug, thiserror::Error)]
#[error("expected {expected}, found {found} in {field}")]
pub struct Defect {
    /// Where.
    pub field: &'static str,
    /// What would be right.
    pub expected: &'static str,
    /// What is there.
    pub found: String,
}

impl Defect {
    /// Names what is wrong with `field`.
    #[expect(clippy::needless_pass_by_value, reason = "callers name numbers, texts and errors alike")]
    pub fn new(field: &'static str, expected: &'static str, found: impl ToString) -> Self {
        Self { field, expected, found: found.to_string() }
    }
}

/// The complete content of one feed: one entry per key, in key order, immutable once published.
pub trait Entries: Send + Sync + Sized + 'static {
    /// Name of the feed: its URL path and its file on disk.
    const FEED: &'static str;
    /// Version of the on-disk layout. A file of another version is not read.
    const SCHEMA_VERSION: u32;
    /// One line of a key lookup.
    type Key: DeserializeOwned;

    /// Number of entries.
    fn len(&self) -> usize;
    /// Whether there is nothing to serve.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// When the entry at `index` last changed, unix seconds.
    fn updated_at(&self, index: usize) -> u32;
    /// The latest [`Entries::updated_at`], 0 if there is none.
    fn newest(&self) -> u32 {
        (0..self.len()).map(|index| self.updated_at(index)).max().unwrap_or(0)
    }
    /// Gives every [`PENDING`] entry the time `at`.
    fn stamp(&mut self, at: u32);
    /// Appends the entry at `index` as one line: every attribute, no null, line feed at the end.
    fn write_entry(&self, index: usize, out: &mut Vec<u8>);
    /// Where the entry of `key` is.
    fn find(&self, key: &Self::Key) -> Option<usize>;
    /// Checks what a reader relies on. Content that fails is never published.
    fn check(&self) -> Result<(), Defect>;
    /// Writes the content for [`crate::store`].
    fn encode(&self, out: &mut dyn Write) -> io::Result<()>;
    /// Reads what [`Entries::encode`] wrote.
    fn decode(bytes: &[u8]) -> Result<Self, Defect>;
}
