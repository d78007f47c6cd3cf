//! A sorted table of 32-bit keys, read in place.
//!
//! In scope: the layout, and finding a key in it. Out of scope: making tables (the build script), what keys stand for (`entry`).
//!
//! Layout: 257 little-endian 16-bit numbers, of which the n-th says how many keys begin with a byte below n; the other three bytes of each key,
//! big-endian, in order; one byte per key for its kind. Hashed keys do not compress, so the first byte is spared.

use super::entry::Kind;

/// Bytes before the keys.
const DIRECTORY_BYTES: usize = 257 * 2;

/// Bytes of a key that its place does not tell.
const REST_BYTES: usize = 3;

/// A table that the build script made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'t> {
    bytes: &'t [u8],
}

impl<'t> Table<'t> {
    pub(super) const fn new(bytes: &'t [u8]) -> Self {
        Self { bytes }
    }

    /// What a key is listed as. A damaged table finds nothing.
    pub(super) fn find(self, key: u32) -> Option<Kind> {
        let [first, rest @ ..] = key.to_be_bytes();
        let (start, end) = (self.below(first.into()), self.below(usize::from(first) + 1));
        let keys = self.bytes.get(DIRECTORY_BYTES..)?.get(start * REST_BYTES..end * REST_BYTES)?;
        let (keys, _) = keys.as_chunks::<REST_BYTES>();
        let at = start + keys.binary_search(&rest).ok()?;
        let kind = self.bytes.get(DIRECTORY_BYTES + self.len() * REST_BYTES + at)?;
        Kind::ALL.get(usize::from(*kind)).map(|(kind, _)| *kind)
    }

    /// Number of keys.
    pub(super) fn len(self) -> usize {
        self.below(256)
    }

    /// Number of keys whose first byte is below this.
    fn below(self, first: usize) -> usize {
        let number = self.bytes.get(first * 2..).and_then(|bytes| bytes.first_chunk());
        number.map_or(0, |bytes| u16::from_le_bytes(*bytes).into())
    }
}
