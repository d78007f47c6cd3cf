//! The layout of a compiled set.
//!
//! In scope: finding the sections of a table in one slice of bytes. A damaged table gives patterns that never match; it
//! cannot panic. Out of scope: producing tables (`compile`).

use super::program::{CLASS_BYTES, CLAUSE_BYTES, PATTERN_BYTES};

/// Sections in the order in which they are stored; a header of their 32-bit end offsets comes first.
#[cfg_attr(not(any(test, feature = "compile")), expect(dead_code, reason = "the names document the layout"))]
pub(super) const SECTIONS: [&str; SECTION_COUNT] =
    ["classes", "program offsets", "programs", "patterns", "always", "buckets", "atoms", "clauses"];
pub(super) const SECTION_COUNT: usize = 8;
const HEADER_BYTES: usize = SECTION_COUNT * 4;

/// Patterns compiled by `cargo xtask update-data`, read in place.
#[derive(Clone, Copy, Debug)]
pub struct PatternSet<'t> {
    classes: &'t [u8],
    program_offsets: &'t [u8],
    programs: &'t [u8],
    patterns: &'t [u8],
    /// One 64-bit word per 64 patterns: those that any text may match.
    pub(super) always: &'t [u8],
    buckets: &'t [u8],
    /// There are two to this power buckets.
    pub(super) bucket_bits: u32,
    /// Per bucket, its atoms: a head (length - 1 in 3 bits, offset of the gram in 3, uses - 1 in 2), the string, the uses.
    atoms: &'t [u8],
    pub(super) clauses: &'t [u8],
}

/// One pattern's record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern {
    /// The class of characters that a match can begin with.
    pub(super) first_class: u16,
    /// The only character that a match can begin with, or 0.
    pub(super) first_byte: u8,
    pub(super) flags: u8,
}

impl<'t> PatternSet<'t> {
    /// Reads the header of a table.
    pub fn new(table: &'t [u8]) -> Self {
        let mut sections = [&table[..0]; SECTION_COUNT];
        let mut start = HEADER_BYTES;
        for (index, section) in sections.iter_mut().enumerate() {
            let end = read_u32(table, index);
            *section = table.get(start..end).unwrap_or_default();
            start = end;
        }
        let [classes, program_offsets, programs, patterns, always, buckets, atoms, several] = sections;
        Self {
            classes,
            program_offsets,
            programs,
            patterns,
            always,
            buckets,
            // One number per bucket and a closing one.
            bucket_bits: (buckets.len() / 2).saturating_sub(1).checked_ilog2().unwrap_or(1),
            atoms,
            clauses: several,
        }
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.patterns.len() / PATTERN_BYTES
    }

    /// Whether there are no patterns.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    pub(super) fn program(&self, pattern: usize) -> &'t [u8] {
        let range = read_u32(self.program_offsets, pattern)..read_u32(self.program_offsets, pattern + 1);
        self.programs.get(range).unwrap_or_default()
    }

    pub(super) fn pattern(&self, pattern: usize) -> Pattern {
        let start = pattern * PATTERN_BYTES;
        let byte = |offset| self.patterns.get(start + offset).copied().unwrap_or_default();
        Pattern { first_class: u16::from_le_bytes([byte(0), byte(1)]), first_byte: byte(2), flags: byte(3) }
    }

    /// A class, or the empty class when there is none of that number.
    pub(super) fn class(&self, class: u16) -> &'t [u8; CLASS_BYTES] {
        const EMPTY: [u8; CLASS_BYTES] = [0; CLASS_BYTES];
        let start = usize::from(class) * CLASS_BYTES;
        self.classes.get(start..).and_then(|rest| rest.first_chunk()).unwrap_or(&EMPTY)
    }

    /// The atoms of a bucket.
    pub(super) fn bucket(&self, bucket: usize) -> &'t [u8] {
        let pair = self.buckets.get(bucket * 2..).and_then(|rest| rest.first_chunk());
        let pair = pair.map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let (start, end) = ((pair & 0xFFFF) as usize, (pair >> 16) as usize);
        if start < end { self.atoms.get(start * 2..end * 2).unwrap_or_default() } else { &[] }
    }

    /// A clause's record: its pattern, which of the pattern's clauses it is, how many the pattern has.
    pub(super) fn clause(&self, clause: usize) -> Option<(usize, usize, usize)> {
        let record: &[u8; CLAUSE_BYTES] = self.clauses.get(clause * CLAUSE_BYTES..)?.first_chunk()?;
        let [pattern_low, pattern_high, index, count] = *record;
        Some((u16::from_le_bytes([pattern_low, pattern_high]).into(), index.into(), count.into()))
    }
}

/// The `index`-th 32-bit integer of a section, 0 past its end.
fn read_u32(section: &[u8], index: usize) -> usize {
    let chunk = section.get(index * 4..).and_then(|rest| rest.first_chunk());
    chunk.map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
}
