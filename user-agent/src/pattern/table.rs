//! The layout of a compiled set.
//!
//! In scope: reading a table: its classes and programs stay where they are, its atoms become an index. A damaged table gives
//! patterns that never match; it cannot panic. Out of scope: producing tables (`compile`).
//!
//! A table holds the number of classes and the classes, then the numbers of patterns and of atoms, and for each pattern the
//! length of its program, the program, the number of its atoms (twice, and one more if their letters match in either case), and
//! those. A number is one byte below 128, or two with the lower 7 bits and the highest bit in the first. An atom is a head (see
//! [`ATOM_IN_PROGRAM`]), then, if the program spells it, where; or else the bytes that the atom before does not begin with.

use super::prefilter::{Atom, Index};
use super::program::{ATOM_CONTINUES, ATOM_IN_PROGRAM, CLASS_BYTES};

/// Patterns compiled by `cargo xtask update-data`.
#[derive(Clone, Debug)]
pub struct PatternSet<'t> {
    classes: &'t [u8],
    programs: Vec<&'t [u8]>,
    pub(super) index: Index,
}

impl<'t> PatternSet<'t> {
    /// Reads a table.
    pub fn new(table: &'t [u8]) -> Self {
        let mut reader = Reader { rest: table };
        let classes = reader.number().and_then(|classes| reader.bytes(classes * CLASS_BYTES)).unwrap_or_default();
        let [patterns, atoms] = [reader.number().unwrap_or_default(), reader.number().unwrap_or_default()];
        let mut set = Self { classes, programs: Vec::with_capacity(patterns), index: Index::new(patterns, atoms) };
        while set.programs.len() < patterns && set.read_pattern(&mut reader).is_some() {}
        set
    }

    fn read_pattern(&mut self, reader: &mut Reader<'t>) -> Option<()> {
        let pattern = u16::try_from(self.programs.len()).ok()?;
        let length = reader.number()?;
        let from_program = reader.rest;
        self.programs.push(reader.bytes(length)?);
        let number = reader.number()?;
        let (atoms, any_case) = (number >> 1, number & 1 == 1);
        if atoms == 0 {
            self.index.add_always(pattern);
        }
        let mut word = 0;
        for _ in 0..atoms {
            let head = reader.byte()?;
            let (length, gram_offset) = ((head & 7) + 1, head >> 3 & 7);
            word = if head & ATOM_IN_PROGRAM != 0 {
                load(from_program.get(reader.number()?..)?, length)
            } else {
                let same = if head & ATOM_CONTINUES != 0 { reader.byte()? & 7 } else { 0 };
                let (new, rest) = (length.checked_sub(same)?, reader.rest);
                reader.bytes(new.into())?;
                let kept = word & ((1 << (8 * u32::from(same))) - 1);
                kept | load(rest, new) << (8 * u32::from(same))
            };
            self.index.add(Atom::new(word, length, gram_offset, any_case, pattern));
        }
        Some(())
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.programs.len()
    }

    /// Whether there are no patterns.
    pub fn is_empty(&self) -> bool {
        self.programs.is_empty()
    }

    pub(super) fn program(&self, pattern: usize) -> &'t [u8] {
        self.programs.get(pattern).copied().unwrap_or_default()
    }

    /// A class, or the empty class when there is none of that number.
    pub(super) fn class(&self, class: u16) -> &'t [u8; CLASS_BYTES] {
        const EMPTY: [u8; CLASS_BYTES] = [0; CLASS_BYTES];
        let start = usize::from(class) * CLASS_BYTES;
        self.classes.get(start..).and_then(|rest| rest.first_chunk()).unwrap_or(&EMPTY)
    }
}

/// The part of a table that is still to be read.
struct Reader<'t> {
    rest: &'t [u8],
}

impl<'t> Reader<'t> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn bytes(&mut self, count: usize) -> Option<&'t [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(bytes)
    }

    /// A number below 2^15.
    fn number(&mut self) -> Option<usize> {
        let low = self.byte()?;
        let high = if low < 0x80 { 0 } else { self.byte()? };
        Some(usize::from(low & 0x7F) | usize::from(high) << 7)
    }
}

/// The first one to eight of some bytes, the first in the lowest bits.
fn load(bytes: &[u8], count: u8) -> u64 {
    let word = match bytes.first_chunk() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    word & (u64::MAX >> (u64::BITS - 8 * u32::from(count.clamp(1, 8))))
}
