//! Which patterns can match a text at all.
//!
//! In scope: one pass over the text that looks for atoms (strings that some pattern cannot match without). Every pattern
//! has up to three clauses, each a set of atoms of which the text must hold one; a pattern whose clauses all hold is a
//! candidate. Out of scope: choosing atoms and clauses (`compile::atom`).

use super::program::{CLAUSE_BYTES, GRAM_BYTES, USE_CLAUSE, bucket};
use super::table::{Atom, PatternSet, read_u16};
use super::text::Notes;

/// What one pass found.
#[derive(Debug, Default)]
pub(super) struct State {
    /// One bit per clause, for the patterns that have several.
    clauses_held: Vec<u64>,
    /// One bit per pattern.
    candidates: Vec<u64>,
}

impl State {
    pub(super) fn scan(&mut self, set: &PatternSet<'_>, notes: &Notes) {
        self.reset(set);
        let mut gram = 0_u32;
        for (end, byte) in (1..).zip(&notes.folded) {
            gram = (gram << 8) & 0x00FF_FFFF | u32::from(*byte);
            let (bucket, check) = bucket(gram, set.bucket_bits);
            let (first, last) = set.bucket(bucket);
            // The gram that ends here began two bytes ago; before that there is none.
            if first < last && end >= GRAM_BYTES {
                self.hold_atoms(set, &notes.folded, (first..last).filter_map(|atom| set.atom(atom, check)), end - GRAM_BYTES);
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
        self.clauses_held.resize((set.clauses.len() / CLAUSE_BYTES).div_ceil(64), 0);
        self.candidates.clear();
        let words = set.always.chunks_exact(8).filter_map(|word| word.first_chunk());
        self.candidates.extend(words.map(|word| u64::from_le_bytes(*word)));
    }

    /// Compares atoms with the text around their gram, which begins at `gram_start`.
    fn hold_atoms<'t>(&mut self, set: &PatternSet<'t>, folded: &[u8], atoms: impl Iterator<Item = Atom<'t>>, gram_start: usize) {
        for atom in atoms {
            let Some(start) = gram_start.checked_sub(atom.gram_offset) else { continue };
            if folded.get(start..).is_some_and(|rest| rest.starts_with(atom.bytes)) {
                for index in atom.uses {
                    self.hold(set, read_u16(set.uses, index));
                }
            }
        }
    }

    /// Notes that an atom was found where it is used.
    fn hold(&mut self, set: &PatternSet<'_>, used: usize) {
        let clause_bit = usize::from(USE_CLAUSE);
        if used & clause_bit == 0 {
            set_bit(&mut self.candidates, used);
            return;
        }
        let clause = used & !clause_bit;
        set_bit(&mut self.clauses_held, clause);
        let Some((pattern, index, count)) = set.clause(clause) else { return };
        // The clauses of one pattern are numbered in a row.
        let first = clause.saturating_sub(index);
        if (first..first + count).all(|clause| has_bit(&self.clauses_held, clause)) {
            set_bit(&mut self.candidates, pattern);
        }
    }
}

fn set_bit(words: &mut [u64], index: usize) {
    if let Some(word) = words.get_mut(index / 64) {
        *word |= 1 << (index % 64);
    }
}

fn has_bit(words: &[u64], index: usize) -> bool {
    words.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
}
