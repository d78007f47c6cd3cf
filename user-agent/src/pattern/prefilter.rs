//! Which patterns can match a text at all.
//!
//! In scope: one pass over the text that looks for atoms (strings that some pattern cannot match without). Every pattern
//! has up to three clauses, each a set of atoms of which the text must hold one; a pattern whose clauses all hold is a
//! candidate. Out of scope: choosing atoms and clauses (`compile::atom`).

use super::program::{ATOM_END, ATOM_USES_MAX, CLAUSE_BYTES, GRAM_BYTES, USE_CLAUSE, bucket};
use super::table::PatternSet;
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
            let atoms = set.bucket(bucket(gram, set.bucket_bits));
            // The gram that ends here began two bytes ago; before that there is none.
            if !atoms.is_empty() && end >= GRAM_BYTES {
                self.hold_atoms(set, atoms, &notes.folded, end - GRAM_BYTES);
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

    /// Compares the atoms of a bucket with the text around their gram, which begins at `gram_start`.
    fn hold_atoms(&mut self, set: &PatternSet<'_>, mut atoms: &[u8], folded: &[u8], gram_start: usize) {
        while let Some((atom, after)) = read_atom(atoms) {
            let start = gram_start.checked_sub(atom.gram_offset);
            let around = start.and_then(|start| folded.get(start..start + atom.bytes.len())).unwrap_or_default();
            if around.len() == atom.bytes.len() && around.iter().zip(atom.bytes).all(|(left, right)| left == right) {
                for used in atom.uses.chunks_exact(2).filter_map(|used| used.first_chunk()) {
                    self.hold(set, u16::from_le_bytes(*used).into());
                }
            }
            atoms = after;
        }
    }

    /// Notes that an atom was found where it is used.
    fn hold(&mut self, set: &PatternSet<'_>, used: usize) {
        let clause_bit = usize::from(USE_CLAUSE);
        if used & clause_bit == 0 {
            return set_bit(&mut self.candidates, used);
        }
        self.hold_clause(set, used & !clause_bit);
    }

    fn hold_clause(&mut self, set: &PatternSet<'_>, clause: usize) {
        set_bit(&mut self.clauses_held, clause);
        let Some((pattern, index, count)) = set.clause(clause) else { return };
        // The clauses of one pattern are numbered in a row.
        let first = clause.saturating_sub(index);
        if (first..first + count).all(|clause| has_bit(&self.clauses_held, clause)) {
            set_bit(&mut self.candidates, pattern);
        }
    }
}

/// A string that some patterns need.
struct Atom<'t> {
    bytes: &'t [u8],
    /// Where in the atom its gram begins.
    gram_offset: usize,
    /// Where it is used, 16 bits each.
    uses: &'t [u8],
}

/// The first atom of a bucket, and the rest.
fn read_atom(atoms: &[u8]) -> Option<(Atom<'_>, &[u8])> {
    let (head, mut rest) = atoms.split_first().filter(|(head, _)| **head != ATOM_END)?;
    let mut uses = usize::from(head >> 6) + 1;
    if uses == ATOM_USES_MAX {
        let (count, after) = rest.split_first()?;
        (uses, rest) = (usize::from(*count), after);
    }
    let (bytes, rest) = rest.split_at_checked(usize::from(head & 7) + 1)?;
    let (uses, rest) = rest.split_at_checked(uses * 2)?;
    Some((Atom { bytes, gram_offset: usize::from(head >> 3 & 7), uses }, rest))
}

fn set_bit(words: &mut [u64], index: usize) {
    if let Some(word) = words.get_mut(index / 64) {
        *word |= 1 << (index % 64);
    }
}

fn has_bit(words: &[u64], index: usize) -> bool {
    words.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
}
