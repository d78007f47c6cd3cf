//! Which patterns can match a text at all.
//!
//! In scope: an index of atoms (strings of which a text must hold one if a pattern is to match it), made when a set is read, and one pass over the
//! text that looks them up: a pattern whose atom is found is a candidate. Out of scope: choosing atoms (`compile::atom`).

use super::bits;
use super::program::GRAM_BYTES;
use super::text::Notes;

/// Bits of a gram's hash. Few grams of a text share one with an atom: most of the pass looks at one bit per byte.
const HASH_BITS: u32 = 16;
const HASH_WORDS: usize = (1 << HASH_BITS) / bits::WORD_BITS;
/// Two to this power chains of atoms, some per hash.
const CHAIN_BITS: u32 = 12;
/// The end of a chain.
const NONE: u16 = u16::MAX;

/// The atoms of a set.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// The hashes of all atoms' grams.
    hashes: Box<[u64; HASH_WORDS]>,
    /// Chain -> its first atom.
    chains: Vec<u16>,
    atoms: Vec<Atom>,
    /// The patterns that any text may match.
    always: Vec<u64>,
}

/// A string that a pattern needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Atom {
    /// Up to eight bytes, the first in the lowest bits.
    word: u64,
    /// The highest bits, which hold none of them.
    unused_bits: u8,
    /// Where in the atom the gram begins that it is found by.
    gram_offset: u8,
    /// Whether its letters match in either case.
    any_case: bool,
    pattern: u16,
    /// The next atom of the chain.
    next: u16,
}

impl Atom {
    pub(super) fn new(word: u64, length: u8, gram_offset: u8, any_case: bool, pattern: u16) -> Self {
        Self { word, unused_bits: 64 - 8 * length.clamp(1, 8), gram_offset, any_case, pattern, next: NONE }
    }
}

impl Index {
    /// An index of a set with so many patterns, with room for so many atoms.
    pub(super) fn new(patterns: usize, atoms: usize) -> Self {
        Self {
            hashes: Box::new([0; HASH_WORDS]),
            chains: vec![NONE; 1 << CHAIN_BITS],
            atoms: Vec::with_capacity(atoms),
            always: vec![0; patterns.div_ceil(bits::WORD_BITS)],
        }
    }

    /// Notes that any text may match a pattern.
    pub(super) fn add_always(&mut self, pattern: u16) {
        bits::insert(&mut self.always, pattern.into());
    }

    pub(super) fn add(&mut self, mut atom: Atom) {
        let [first, second, third, ..] = (atom.word >> (8 * u32::from(atom.gram_offset))).to_le_bytes();
        let gram = [first, second, third].map(|byte| byte.to_ascii_lowercase());
        let hash = hash(u32::from_be_bytes([0, gram[0], gram[1], gram[2]]));
        let Some(chain) = self.chains.get_mut(chain(hash)) else { return };
        // 16 bits number all atoms of a set; the compiler sees to it.
        atom.next = std::mem::replace(chain, u16::try_from(self.atoms.len()).unwrap_or(NONE));
        self.atoms.push(atom);
        bits::insert(self.hashes.as_mut_slice(), hash);
    }

    /// The atoms of a hash's chain.
    fn chain(&self, hash: usize) -> impl Iterator<Item = &Atom> {
        let first = self.chains.get(chain(hash)).and_then(|first| self.atoms.get(usize::from(*first)));
        std::iter::successors(first, |atom| self.atoms.get(usize::from(atom.next)))
    }
}

/// What one pass found: a bit per pattern.
#[derive(Debug, Default)]
pub(super) struct State {
    candidates: Vec<u64>,
}

impl State {
    pub(super) fn scan(&mut self, index: &Index, notes: &Notes) {
        self.candidates.clone_from(&index.always);
        let mut gram = 0;
        for (end, byte) in (1..).zip(notes.folded()) {
            gram = gram << 8 & 0x00FF_FFFF | u32::from(*byte);
            let hash = hash(gram);
            if bits::has(index.hashes.as_slice(), hash) {
                self.look_up(index, hash, notes, end);
            }
        }
    }

    /// The first candidate at or after `from`.
    pub(super) fn next_candidate(&self, from: usize) -> Option<usize> {
        bits::next(&self.candidates, from)
    }

    /// Compares the atoms of a chain with the text around the gram that ends at `end`.
    fn look_up(&mut self, index: &Index, hash: usize, notes: &Notes, end: usize) {
        for atom in index.chain(hash) {
            let Some(start) = end.checked_sub(GRAM_BYTES + usize::from(atom.gram_offset)) else { continue };
            if (notes.word(start, atom.any_case) ^ atom.word) << atom.unused_bits == 0 {
                bits::insert(&mut self.candidates, atom.pattern.into());
            }
        }
    }
}

/// Three folded bytes packed into an integer, the last in the lowest bits, spread over 2^[`HASH_BITS`].
fn hash(gram: u32) -> usize {
    // Fibonacci hashing: the multiplier is 2^32 / golden ratio.
    (gram.wrapping_mul(0x9E37_79B1) >> (u32::BITS - HASH_BITS)) as usize
}

fn chain(hash: usize) -> usize {
    hash >> (HASH_BITS - CHAIN_BITS)
}
