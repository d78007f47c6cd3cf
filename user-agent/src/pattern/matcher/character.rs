//! Characters: one, several in a row, and what is between two.

use super::Search;
use crate::pattern::program::CLASS_BYTES;

impl Search<'_, '_> {
    pub(super) fn byte(&self, pc: usize, position: usize) -> Option<(usize, usize)> {
        (self.text.get(position) == self.program.get(pc + 1)).then_some((pc + 2, position + 1))
    }

    pub(super) fn literal(&self, pc: usize, position: usize) -> Option<(usize, usize)> {
        let length = usize::from(self.operand(pc + 1));
        let literal = self.program.get(pc + 2..pc + 2 + length)?;
        let found = self.text.get(position..position + length)?;
        // Byte by byte: most differ in the first, and a call to compare memory costs more than that.
        let is_same = found.iter().zip(literal).all(|(left, right)| left == right);
        is_same.then_some((pc + 2 + length, position + length))
    }

    pub(super) fn literal_any_case(&self, pc: usize, position: usize) -> Option<(usize, usize)> {
        let length = usize::from(self.operand(pc + 1));
        let literal = self.program.get(pc + 2..pc + 2 + length)?;
        self.text
            .get(position..position + length)?
            .eq_ignore_ascii_case(literal)
            .then_some((pc + 2 + length, position + length))
    }

    pub(super) fn character(&self, pc: usize, position: usize) -> Option<(usize, usize)> {
        let class = self.set.class(self.wide_operand(pc + 1));
        self.step(class, position).map(|next| (pc + 3, next))
    }

    pub(super) fn at_word_boundary(&self, position: usize) -> bool {
        let is_word = |index: Option<usize>| {
            index
                .and_then(|index| self.text.get(index))
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        };
        is_word(position.checked_sub(1)) != is_word(Some(position))
    }

    /// The position behind one character of a class.
    pub(super) fn step(&self, class: &[u8; CLASS_BYTES], position: usize) -> Option<usize> {
        let byte = *self.text.get(position)?;
        has_byte(class, byte).then(|| (position + character_bytes(byte)).min(self.text.len()))
    }

    /// The position before the character that ends at `position`.
    pub(super) fn step_back(&self, position: usize) -> usize {
        let mut before = position.saturating_sub(1);
        if self.notes.is_plain {
            return before;
        }
        while before > 0 && self.text.get(before).is_some_and(|byte| byte & 0xC0 == 0x80) {
            before -= 1;
        }
        before
    }
}

pub(super) fn has_byte(class: &[u8; CLASS_BYTES], byte: u8) -> bool {
    if byte.is_ascii() { class[usize::from(byte >> 3)] >> (byte & 7) & 1 == 1 } else { class[CLASS_BYTES - 1] == 1 }
}

/// Bytes of the UTF-8 character that begins with `byte`.
fn character_bytes(byte: u8) -> usize {
    match byte {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}
