//! What one pass over a text notes for all patterns.
//!
//! In scope: where each character occurs, so that a pattern that begins with one is tried there only; whether the text is plain, which lets runs
//! skip characters without looking; the text as atoms see it.

use super::MAX_TEXT_BYTES;
use super::program::FOLDED;

/// No position: the end of a list.
const NONE: u16 = u16::MAX;
/// Bytes that an atom may be compared with beyond the end.
const PADDING_BYTES: usize = 8;

#[derive(Debug)]
pub(super) struct Notes {
    /// Only ASCII, and no line feed: characters are bytes, and a dot matches all of them.
    pub(super) is_plain: bool,
    /// The text without the bytes that atoms skip, at the end but for the padding; and the same in lower case.
    squeezed: [u8; MAX_TEXT_BYTES + PADDING_BYTES],
    folded: [u8; MAX_TEXT_BYTES + PADDING_BYTES],
    /// Where both begin.
    folded_start: usize,
    /// Folded byte -> where it occurs first.
    heads: [u16; 256],
    /// Position -> where a byte that folds to the same occurs next.
    nexts: [u16; MAX_TEXT_BYTES],
}

impl Default for Notes {
    fn default() -> Self {
        Self {
            is_plain: false,
            squeezed: [0; MAX_TEXT_BYTES + PADDING_BYTES],
            folded: [0; MAX_TEXT_BYTES + PADDING_BYTES],
            folded_start: MAX_TEXT_BYTES,
            heads: [NONE; 256],
            nexts: [NONE; MAX_TEXT_BYTES],
        }
    }
}

impl Notes {
    /// Notes a text, from its end to its start; one that is too long counts as empty.
    pub(super) fn take(&mut self, text: &[u8]) {
        let text = if text.len() > MAX_TEXT_BYTES { &[] } else { text };
        self.heads = [NONE; 256];
        let nexts = self.nexts.get_mut(..text.len()).unwrap_or_default();
        let (mut start, mut seen) = (MAX_TEXT_BYTES, 0);
        for (position, (byte, next)) in text.iter().zip(nexts).enumerate().rev() {
            let folded = FOLDED[usize::from(*byte)];
            *next = std::mem::replace(&mut self.heads[usize::from(folded)], u16::try_from(position).unwrap_or(NONE));
            // Without a branch per byte: a skipped one is overwritten by the next.
            let place = (start + MAX_TEXT_BYTES - 1) % MAX_TEXT_BYTES;
            self.squeezed[place] = *byte;
            self.folded[place] = folded;
            start = if folded == 0 { start } else { place };
            seen |= byte;
        }
        self.folded_start = start;
        self.is_plain = seen.is_ascii() && self.first(b'\n').is_none();
    }

    /// What grams are looked for in.
    pub(super) fn folded(&self) -> &[u8] {
        self.folded.get(self.folded_start..MAX_TEXT_BYTES).unwrap_or_default()
    }

    /// Eight bytes from a position of [`Self::folded`] on, the first in the lowest bits; those beyond the end are NUL, which no atom holds.
    pub(super) fn word(&self, position: usize, any_case: bool) -> u64 {
        let bytes = if any_case { &self.folded } else { &self.squeezed };
        let bytes = bytes.get(self.folded_start + position..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// The first position of a byte that folds as this one does.
    pub(super) fn first(&self, byte: u8) -> Option<usize> {
        Some(self.heads[usize::from(FOLDED[usize::from(byte)])]).filter(|head| *head != NONE).map(usize::from)
    }

    /// The next position of a byte that folds as the one at this position does.
    pub(super) fn next(&self, position: usize) -> Option<usize> {
        self.nexts.get(position).copied().filter(|next| *next != NONE).map(usize::from)
    }
}
