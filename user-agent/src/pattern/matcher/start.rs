//! Starts: where in a text a match can begin.
//!
//! In scope: what a program begins with, and the positions of that.

use super::Search;
use super::character::has_byte;
use crate::pattern::program::{
    BYTE, CLASS, FIRST, LITERAL, LITERAL_ANY_CASE, RUN, RUN_ALL, RUN_ALL_GROUP, RUN_LAZY, SAVE, START, WORD_BOUNDARY,
};

impl Search<'_, '_> {
    /// The instruction that decides where a match can begin.
    pub(super) fn begin(&self) -> usize {
        let mut pc = 0;
        loop {
            match self.operand(pc) {
                SAVE => pc += 2,
                WORD_BOUNDARY => pc += 1,
                _ => return pc,
            }
        }
    }

    /// The first position behind `before`, or at all, where a match can begin.
    pub(super) fn next_start(&self, begin: usize, before: Option<usize>) -> Option<usize> {
        let from = before.map_or(0, |before| before + 1);
        let of_byte = |byte| before.map_or_else(|| self.notes.first(byte), |before| self.notes.next(before));
        let of_class = |at: usize| {
            let class = self.set.class(self.wide_operand(at));
            let skipped = self.text.get(from..)?.iter().position(|byte| has_byte(class, *byte));
            self.steps.add(skipped.unwrap_or(self.text.len() - from));
            Some(from + skipped?)
        };
        match self.operand(begin) {
            START => before.is_none().then_some(0),
            BYTE => of_byte(self.operand(begin + 1)),
            LITERAL | LITERAL_ANY_CASE => of_byte(self.operand(begin + 2)),
            CLASS | FIRST => of_class(begin + 1),
            RUN | RUN_ALL | RUN_LAZY if self.operand(begin + 3) > 0 => of_class(begin + 1),
            RUN_ALL_GROUP if self.operand(begin + 4) > 0 => of_class(begin + 2),
            _ => (from <= self.text.len()).then_some(from),
        }
    }

    /// Whether the first bytes of a literal at `begin`, if there is one, are found at a position.
    pub(super) fn begins(&self, begin: usize, position: usize) -> bool {
        let is = |offset: usize, byte: u8| self.text.get(position + offset) == Some(&byte);
        let second = self.operand(begin + 3);
        match self.operand(begin) {
            BYTE => is(0, self.operand(begin + 1)),
            LITERAL => is(0, self.operand(begin + 2)) && is(1, second),
            LITERAL_ANY_CASE => is(1, second) || is(1, second.to_ascii_uppercase()),
            _ => true,
        }
    }
}
