//! Which patterns can match a text at all.
//!
//! In scope: one pass over the text that looks for atoms (strings that some pattern cannot match without). Every pattern
//! has up to three clauses, each a set of atoms of which the text must hold one; a pattern whose clauses all hold is a
//! candidate. Out of scope: choosing atoms and clauses (`compile::atom`).

use super::program::{GRAM_BYTES, bucket};
use super::table::{PatternSet, read_u16};
use super::text::Notes;

/// What one pass found.
#[derive(Debug, Default)]
pub(super) struct State {
    /// One bit per clause.
    clauses_held: Vec<u64>,
    /// Clauses held, per pattern.
    held: Vec<u8>,
    /// One bit per pattern.
    candidates: Vec<u64>,
}

impl State {
    pub(super) fn scan(&mut self, set: &PatternSet<'_>, notes: &Notes) {
        self.reset(set);
        let mut gram = 0_u32;
        for (end, byte) in (1..).zip(&notes.folded) {
            gram = (gram << 8) & 0x00FF_FFFF | u32::from(*byte);
            let (first, last) = set.bucket(bucket(gram));
            // The gram that ends here began two bytes ago; before that there is none.
            if first < last && end >= GRAM_BYTES {
                self.hold_atoms(set, &notes.folded, first..last, end - GRAM_BYTES);
            }
        }
    }

    /// The first candidate at or after `from`.
    pub(super) fn next_candidate(&self, from: usize) -> Option<usize> {
        let mut index = from / 64;
        let mut word = self.candidates.get(index)? & (u64::MAX << (from % 64));
        while word == 0 {
            index += 1;
            word = *self.candidates.get(index)?;
        }
        Some(index * 64 + word.trailing_zeros() as usize)
    }

    fn reset(&mut self, set: &PatternSet<'_>) {
        self.clauses_held.clear();
        self.clauses_held.resize((set.clause_patterns.len() / 2).div_ceil(64), 0);
        self.held.clear();
        self.held.resize(set.len(), 0);
        self.candidates.clear();
        self.candidates.extend(set.always.chunks_exact(8).filter_map(|word| word.first_chunk()).map(|word| u64::from_le_bytes(*word)));
    }

    /// Compares the atoms of one bucket with the text around a gram that begins at `gram_start`.
    fn hold_atoms(&mut self, set: &PatternSet<'_>, folded: &[u8], atoms: std::ops::Range<usize>, gram_start: usize) {
        for atom in atoms.filter_map(|atom| set.atom(atom)) {
            let Some(start) = gram_start.checked_sub(atom.gram_offset) else { continue };
            if folded.get(start..).is_some_and(|rest| rest.starts_with(atom.bytes)) {
                for index in atom.clauses {
                    self.hold_clause(set, read_u16(set.clause_lists, index));
                }
            }
        }
    }

    fn hold_clause(&mut self, set: &PatternSet<'_>, clause: usize) {
        let Some(word) = self.clauses_held.get_mut(clause / 64) else { return };
        let bit = 1 << (clause % 64);
        if *word & bit != 0 {
            return;
        }
        *word |= bit;
        let pattern = read_u16(set.clause_patterns, clause);
        let Some(held) = self.held.get_mut(pattern) else { return };
        *held = held.saturating_add(1);
        if *held == set.clauses_needed(pattern)
            && let Some(candidates) = self.candidates.get_mut(pattern / 64)
        {
            *candidates |= 1 << (pattern % 64);
        }
    }
}
