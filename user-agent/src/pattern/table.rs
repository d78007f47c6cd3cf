//! The layout of a compiled set.
//!
//! In scope: finding the sections of a table in one slice of bytes. A damaged table gives patterns that never match; it
//! cannot panic. Out of scope: producing tables (`compile`).

use super::program::{ATOM_BYTES, CLASS_BYTES, CLAUSE_BYTES, PATTERN_BYTES};

/// Sections in the order in which they are stored; a header of their 32-bit end offsets comes first.
#[cfg_attr(not(any(test, feature = "compile")), expect(dead_code, reason = "the names document the layout"))]
pub(super) const SECTIONS: [&str; SECTION_COUNT] = [
    "classes",
    "program offsets",
    "programs",
    "patterns",
    "always",
    "buckets",
    "atoms",
    "atom strings",
    "atom uses",
    "clauses",
];
pub(super) const SECTION_COUNT: usize = 10;
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
    pub(super) atoms: &'t [u8],
    atom_strings: &'t [u8],
    pub(super) uses: &'t [u8],
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

/// A string that some patterns need.
#[derive(Clone, Debug)]
pub(super) struct Atom<'t> {
    pub(super) bytes: &'t [u8],
    /// Where in the atom its gram begins.
    pub(super) gram_offset: usize,
    /// Where it is used, as a range of `uses`.
    pub(super) uses: std::ops::Range<usize>,
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
        let [classes, program_offsets, programs, patterns, always, buckets, atoms, atom_strings, uses, clauses] = sections;
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
            atom_strings,
            uses,
            clauses,
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

    /// The atoms of a bucket, as the first and the one behind the last.
    pub(super) fn bucket(&self, bucket: usize) -> (usize, usize) {
        let pair = self.buckets.get(bucket * 2..).and_then(|rest| rest.first_chunk());
        let pair = pair.map_or(0, |bytes| u32::from_le_bytes(*bytes));
        ((pair & 0xFFFF) as usize, (pair >> 16) as usize)
    }

    /// An atom, if its gram can be the one of this check byte.
    pub(super) fn atom(&self, atom: usize, check: u8) -> Option<Atom<'t>> {
        let start = atom * ATOM_BYTES;
        let record: &[u8; ATOM_BYTES] = self.atoms.get(start..)?.first_chunk()?;
        let [offset_low, offset_high, length, gram_offset, gram_check, use_low, use_high] = *record;
        if gram_check != check {
            return None;
        }
        let offset = usize::from(u16::from_le_bytes([offset_low, offset_high]));
        let use_start = usize::from(u16::from_le_bytes([use_low, use_high]));
        // The last record is followed by a closing one.
        let use_end = read_u16(self.atoms.get(start + ATOM_BYTES + 5..)?, 0);
        Some(Atom {
            bytes: self.atom_strings.get(offset..offset + usize::from(length))?,
            gram_offset: usize::from(gram_offset),
            uses: use_start..use_end,
        })
    }

    /// A clause's record: its pattern, which of the pattern's clauses it is, how many the pattern has.
    pub(super) fn clause(&self, clause: usize) -> Option<(usize, usize, usize)> {
        let record: &[u8; CLAUSE_BYTES] = self.clauses.get(clause * CLAUSE_BYTES..)?.first_chunk()?;
        let [pattern_low, pattern_high, index, count] = *record;
        Some((u16::from_le_bytes([pattern_low, pattern_high]).into(), index.into(), count.into()))
    }
}

/// The `index`-th 16-bit integer of a section, 0 past its end.
pub(super) fn read_u16(section: &[u8], index: usize) -> usize {
    let chunk = section.get(index * 2..).and_then(|rest| rest.first_chunk());
    chunk.map_or(0, |bytes| usize::from(u16::from_le_bytes(*bytes)))
}

/// The `index`-th 32-bit integer of a section, 0 past its end.
fn read_u32(section: &[u8], index: usize) -> usize {
    let chunk = section.get(index * 4..).and_then(|rest| rest.first_chunk());
    chunk.map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
}
