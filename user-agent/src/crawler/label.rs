//! What is known of the crawler behind a pattern.
//!
//! In scope: the layout of the label table: three bytes per pattern (class and flag, then the 16-bit offset of a name or
//! [`NO_NAME`]), then the names, each a length byte and the text.

use std::ops::Range;

use super::CrawlerClass;

/// Bytes of one pattern's record.
pub(super) const LABEL_BYTES: usize = 3;
/// In the class byte: weak evidence, not applied to a user agent in the shape of a browser.
pub(super) const FLAG_WEAK: u8 = 0x80;
/// The offset of a name that is not known.
pub(super) const NO_NAME: u16 = u16::MAX;
/// The longest name taken from a user agent.
const NAME_BYTES_MAX: usize = 64;

#[derive(Clone, Copy, Debug)]
pub(super) struct Labels<'t> {
    labels: &'t [u8],
    names: &'t [u8],
}

/// One pattern's label.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label<'t> {
    pub(super) name: Option<&'t str>,
    pub(super) class: CrawlerClass,
    pub(super) is_weak: bool,
}

impl<'t> Labels<'t> {
    /// Reads a table: the number of labels (16 bits), the labels, the names.
    pub(super) fn new(table: &'t [u8]) -> Self {
        let (count, rest) = table.split_first_chunk().unwrap_or((&[0; 2], &[]));
        let split = rest.len().min(usize::from(u16::from_le_bytes(*count)) * LABEL_BYTES);
        let (labels, names) = rest.split_at(split);
        Self { labels, names }
    }

    pub(super) fn label(&self, pattern: usize) -> Option<Label<'t>> {
        let [class, offset_low, offset_high] = *self.labels.get(pattern * LABEL_BYTES..)?.first_chunk()?;
        let offset = u16::from_le_bytes([offset_low, offset_high]);
        Some(Label {
            name: if offset == NO_NAME { None } else { self.name(offset.into()) },
            class: CrawlerClass::ALL.get(usize::from(class & !FLAG_WEAK)).copied()?,
            is_weak: class & FLAG_WEAK != 0,
        })
    }

    fn name(&self, offset: usize) -> Option<&'t str> {
        let (length, rest) = self.names.get(offset..)?.split_first()?;
        std::str::from_utf8(rest.get(..usize::from(*length))?).ok()
    }
}

/// The product token of `text` around a part of it, without its version.
pub(super) fn word_around(text: &str, part: Range<usize>) -> &str {
    let is_outside = |character: char| !(character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | '!' | '@'));
    let before = text.get(..part.start).unwrap_or_default();
    let after = text.get(part.end..).unwrap_or_default();
    let start = before.char_indices().rev().find(|(_, character)| is_outside(*character));
    let start = start.map_or(0, |(index, character)| index + character.len_utf8());
    let end = part.end + after.find(is_outside).unwrap_or(after.len());
    let word = text.get(start..end).unwrap_or_default().trim();
    let mut length = word.len().min(NAME_BYTES_MAX);
    while !word.is_char_boundary(length) {
        length -= 1;
    }
    word.get(..length).unwrap_or_default()
}
