//! The instructions of a compiled pattern.
//!
//! In scope: their byte encoding, shared by the compiler and the matcher. A program is a string of bytes: an opcode, then
//! its operands; numbers of classes, targets and `max` are 16-bit little-endian. A target is relative to its instruction, so
//! that equal parts of programs are equal bytes.

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
/// Bytes of either.
pub(super) const RUN_BYTES: usize = 8;
/// `class, min, max (2)`: as [`RUN`] where giving characters back cannot help.
pub(super) const RUN_ALL: u8 = 7;
/// Its bytes.
pub(super) const RUN_ALL_BYTES: usize = 6;
/// `slot, class, min, max (2)`: as [`RUN_ALL`] between two [`SAVE`]s, in this slot and the next.
pub(super) const RUN_ALL_GROUP: u8 = 8;
/// `target`: try what follows, then the target.
pub(super) const SPLIT: u8 = 9;
/// `target`: try the target, then what follows.
pub(super) const SPLIT_JUMP: u8 = 10;
/// `target`: continue there.
pub(super) const JUMP: u8 = 11;
/// `slot`: remember the position.
pub(super) const SAVE: u8 = 12;
/// The start of the text.
pub(super) const START: u8 = 13;
/// The end of the text.
pub(super) const END: u8 = 14;
/// A word boundary (ASCII).
pub(super) const WORD_BOUNDARY: u8 = 15;
/// No word boundary (ASCII).
pub(super) const NOT_WORD_BOUNDARY: u8 = 16;
/// Alternatives follow: a [`BRANCH`] each, the last one a [`LAST_BRANCH`].
pub(super) const ALTERNATIVES: u8 = 17;
/// `target`: an alternative, in front of it; the next is at the target. Who comes here from the alternative before continues behind the last.
pub(super) const BRANCH: u8 = 18;
/// `target`: the last alternative; it ends at the target.
pub(super) const LAST_BRANCH: u8 = 19;
/// Bytes of an instruction with a target and nothing else.
pub(super) const JUMP_BYTES: usize = 3;
/// `class`: the next character belongs to the class, without taking it.
pub(super) const FIRST: u8 = 20;

/// A `max` operand without limit: longer than any text.
#[cfg(any(test, feature = "compile"))]
pub(super) const MAX_NO: u16 = u16::MAX;
/// A class operand that excludes nothing.
pub(super) const NO_CLASS: u16 = u16::MAX;

/// The class of `.`, everything but a line feed.
pub(super) const ANY: u16 = 0;

/// Bytes of one class: a bit per ASCII character, then one byte that is 1 when all other characters belong to it.
pub(super) const CLASS_BYTES: usize = 17;

/// Groups that answers may refer to: `$1` to `$9`.
pub(super) const MAX_GROUPS: usize = 9;

/// Bytes of a gram, which every atom holds at least one of.
pub(super) const GRAM_BYTES: usize = 3;
/// Bytes of the longest atom.
#[cfg(any(test, feature = "compile"))]
pub(super) const MAX_ATOM_BYTES: usize = 8;
/// In an atom's head, which holds its length - 1 in 3 bits and then the offset of its gram in 3: its bytes are those of the program from the place
/// that follows.
pub(super) const ATOM_IN_PROGRAM: u8 = 0x80;
/// In an atom's head: it begins as the atom before, with as many bytes as follow.
pub(super) const ATOM_CONTINUES: u8 = 0x40;

/// Every byte as the prefilter sees it: in lower case, and 0 where names differ in spelling only (`Galaxy Tab`,
/// `galaxy_tab`).
pub(super) const FOLDED: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = match byte {
            b' ' | b'\t' | 0x0B..=b'\r' | b'_' => 0,
            _ => byte.to_ascii_lowercase(),
        };
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};
