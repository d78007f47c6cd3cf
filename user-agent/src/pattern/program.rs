//! The instructions of a compiled pattern.
//!
//! In scope: their byte encoding, shared by the compiler and the matcher. A program is a string of bytes: an opcode, then
//! its operands; numbers of classes and targets
//! are 16-bit little-endian. A target is relative to its instruction, so that equal parts of programs are equal bytes.

/// The pattern matches.
pub(super) const MATCH: u8 = 0;
/// `byte`: this byte.
pub(super) const BYTE: u8 = 1;
/// `length, bytes`: these bytes.
pub(super) const LITERAL: u8 = 2;
/// `length, bytes`: these bytes in lower case, whatever the case of the text.
pub(super) const LITERAL_ANY_CASE: u8 = 3;
/// `class`: one character of the class.
pub(super) const CLASS: u8 = 4;
/// `class, min, max (2), follow`: as many characters as possible; then fewer, where `follow` (a class, or [`NO_CLASS`]) fits.
pub(super) const RUN: u8 = 5;
/// As [`RUN`], preferring few characters.
pub(super) const RUN_LAZY: u8 = 6;
/// As [`RUN`] where giving characters back cannot help.
pub(super) const RUN_ALL: u8 = 7;
/// Bytes of any of the three.
pub(super) const RUN_BYTES: usize = 8;
/// `target`: try what follows, then the target.
pub(super) const SPLIT: u8 = 8;
/// `target`: try the target, then what follows.
pub(super) const SPLIT_JUMP: u8 = 9;
/// `target`: continue there.
pub(super) const JUMP: u8 = 10;
/// `slot`: remember the position.
pub(super) const SAVE: u8 = 11;
/// The start of the text.
pub(super) const START: u8 = 12;
/// The end of the text.
pub(super) const END: u8 = 13;
/// A word boundary (ASCII).
pub(super) const WORD_BOUNDARY: u8 = 14;
/// No word boundary (ASCII).
pub(super) const NOT_WORD_BOUNDARY: u8 = 15;
/// `count, default target, count bytes, count targets`: continue where the next byte says.
pub(super) const SWITCH: u8 = 16;
/// Never matches.
pub(super) const FAIL: u8 = 17;

/// A `max` operand without limit: longer than any text.
#[cfg(any(test, feature = "compile"))]
pub(super) const NO_MAX: u16 = u16::MAX;
/// A class operand that excludes nothing.
pub(super) const NO_CLASS: u16 = u16::MAX;

/// The class of `.`, everything but a line feed.
pub(super) const ANY: u16 = 0;

/// Bytes of one class: a bit per ASCII character, then one byte that is 1 when all other characters belong to it.
pub(super) const CLASS_BYTES: usize = 17;

/// Bytes of one pattern's record: first class (2), first byte, flags.
pub(super) const PATTERN_BYTES: usize = 4;
/// Pattern flag: matches at the start of the text only.
pub(super) const FLAG_ANCHORED: u8 = 1;

/// Groups that answers may refer to: `$1` to `$9`.
pub(super) const GROUPS_MAX: usize = 9;

/// Buckets per atom, at least: so that most grams of a text find an empty one.
#[cfg(any(test, feature = "compile"))]
pub(super) const BUCKETS_PER_ATOM: usize = 3;
/// Bytes of a gram, which every atom holds at least one of.
pub(super) const GRAM_BYTES: usize = 3;
/// Bytes of the longest atom.
#[cfg(any(test, feature = "compile"))]
pub(super) const ATOM_BYTES_MAX: usize = 8;
/// In place of an atom's head: the bucket ends here. Buckets begin at even offsets, so that 16 bits reach 128 KiB.
pub(super) const ATOM_END: u8 = 0xFF;
/// Uses that an atom's head can count; that many mean that a byte with the count follows.
pub(super) const ATOM_USES_MAX: usize = 4;

/// A use of an atom is a pattern's number or, with this bit, the number of one of several clauses of a pattern.
pub(super) const USE_CLAUSE: u16 = 0x8000;

/// Bytes of one clause's record: its pattern (2), which of the pattern's clauses it is, how many the pattern has.
pub(super) const CLAUSE_BYTES: usize = 4;

/// The bucket, one of 2^`bucket_bits`, of three folded bytes packed into an integer.
pub(super) fn bucket(gram: u32, bucket_bits: u32) -> usize {
    // Fibonacci hashing: the multiplier is 2^32 / golden ratio.
    (gram.wrapping_mul(0x9E37_79B1) >> (u32::BITS - bucket_bits)) as usize
}

/// Every byte as the prefilter sees it: in lower case, and 0 where names differ in spelling only (`Galaxy Tab`,
/// `galaxy_tab`).
pub(super) const FOLDED: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = match byte {
            b' ' | b'\t'..=b'\r' | b'_' => 0,
            _ => byte.to_ascii_lowercase(),
        };
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};
