//! What one pass over a text notes for all patterns.
//!
//! In scope: where each ASCII character occurs, so that a pattern that begins with one looks there only; whether the text
//! is plain, which lets runs skip characters without looking; the text as atoms see it.

use super::program::FOLDED;

/// No position: the end of a list.
const NONE: u16 = u16::MAX;
/// Texts up to this length are noted; longer ones match nothing.
pub(super) const TEXT_BYTES_MAX: usize = 4096;

#[derive(Debug)]
pub(super) struct Notes {
    /// Only printable ASCII.
    pub(super) is_plain: bool,
    /// What atoms are looked for in.
    pub(super) folded: Vec<u8>,
    /// ASCII character -> where it occurs first.
    heads: [u16; 128],
    /// Position -> where the same character occurs next.
    nexts: Vec<u16>,
}

impl Default for Notes {
    fn default() -> Self {
        Self { is_plain: false, folded: Vec::new(), heads: [NONE; 128], nexts: Vec::new() }
    }
}

impl Notes {
    /// Notes a text; one that is too long counts as empty.
    pub(super) fn take(&mut self, text: &[u8]) {
        let text = if text.len() > TEXT_BYTES_MAX { &[] } else { text };
        self.heads = [NONE; 128];
        self.nexts.clear();
        self.nexts.resize(text.len(), NONE);
        for (position, (byte, next)) in text.iter().zip(&mut self.nexts).enumerate().rev() {
            if let Some(head) = self.heads.get_mut(usize::from(*byte)) {
                *next = std::mem::replace(head, u16::try_from(position).unwrap_or(NONE));
            }
        }
        self.fold(text);
    }

    /// Folds a text without a branch per byte: a dropped one is overwritten by the next.
    fn fold(&mut self, text: &[u8]) {
        self.folded.resize(text.len(), 0);
        let mut length = 0;
        let mut is_plain = true;
        for byte in text {
            let folded = FOLDED.get(usize::from(*byte)).copied().unwrap_or_default();
            if let Some(place) = self.folded.get_mut(length) {
                *place = folded;
            }
            length += usize::from(folded != 0);
            is_plain &= (0x20..0x7F).contains(byte);
        }
        self.folded.truncate(length);
        self.is_plain = is_plain;
    }

    /// The first position at or after `from` that holds `byte`.
    pub(super) fn find(&self, byte: u8, from: usize) -> Option<usize> {
        let mut position = *self.heads.get(usize::from(byte))?;
        while position != NONE {
            if usize::from(position) >= from {
                return Some(usize::from(position));
            }
            position = *self.nexts.get(usize::from(position))?;
        }
        None
    }
}
