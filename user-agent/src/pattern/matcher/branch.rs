//! Branches: what may follow and what follows otherwise.
//!
//! In scope: optional parts and alternatives, and one look at the next character, which rules most of them out before a choice is left.

use super::{Choice, Search, narrow};
use crate::pattern::program::{BRANCH, BYTE, JUMP_BYTES, LITERAL, LITERAL_ANY_CASE};

/// Bytes of an instruction that one look needs.
const LOOK_BYTES: usize = 3;

impl Search<'_, '_> {
    /// What follows, unless it cannot begin here; then, or if it fails, the target.
    pub(super) fn split(&mut self, pc: usize, position: usize) -> usize {
        if !self.can_begin(pc + JUMP_BYTES, self.byte_at(position)) {
            return self.target(pc);
        }
        self.choose(Choice::Branch { pc: narrow(self.target(pc)), position: narrow(position) });
        pc + JUMP_BYTES
    }

    /// The first alternative from the branch at `pc` on that can begin here, with the choice of those behind it.
    pub(super) fn alternative(&mut self, mut pc: usize, position: usize) -> Option<usize> {
        let byte = self.byte_at(position);
        loop {
            self.steps.add(1);
            let (is_last, next) = (self.operand(pc) != BRANCH, self.target(pc));
            if self.can_begin(pc + JUMP_BYTES, byte) {
                if !is_last {
                    self.choose(Choice::Alternative { pc: narrow(next), position: narrow(position) });
                }
                return Some(pc + JUMP_BYTES);
            }
            if is_last {
                self.read = self.read.max(pc + JUMP_BYTES + LOOK_BYTES);
                return None;
            }
            pc = next;
        }
    }

    /// What follows the alternatives of which the branch at `pc` is one.
    pub(super) fn behind_branches(&self, mut pc: usize) -> usize {
        while self.operand(pc) == BRANCH {
            pc = self.target(pc);
        }
        self.target(pc)
    }

    /// Whether the instruction at `pc` can take a byte next, as far as one look tells.
    fn can_begin(&self, pc: usize, byte: u8) -> bool {
        let Some([opcode, first, second]) = self.program.get(pc..).and_then(<[u8]>::first_chunk) else { return true };
        match *opcode {
            BYTE => byte == *first,
            LITERAL => byte == *second,
            LITERAL_ANY_CASE => byte.to_ascii_lowercase() == *second,
            _ => true,
        }
    }

    /// The byte at a position, or NUL, which no literal holds, at the end.
    fn byte_at(&self, position: usize) -> u8 {
        self.text.get(position).copied().unwrap_or_default()
    }
}
