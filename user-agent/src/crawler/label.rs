//! What is known of the crawler behind a pattern.
//!
//! In scope: the layout of the label table (the numbers of patterns that are strong and weak evidence in 16 bits each; a byte per pattern, its
//! class and a flag; then names for the first patterns, each a length byte and the text) and names taken from the user agent itself.

use std::ops::Range;

use super::CrawlerClass;

/// In a label: the pattern spells the crawler's name, so the matched text is the name.
pub(super) const FLAG_SPELLED: u8 = 0x40;
/// The longest name taken from a user agent.
const MAX_NAME_BYTES: usize = 64;

#[derive(Clone, Copy, Debug)]
pub(super) struct Labels<'t> {
    strong: usize,
    classes: &'t [u8],
    names: &'t [u8],
}

/// One pattern's label.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label {
    pub(super) class: CrawlerClass,
    is_spelled: bool,
}

impl<'t> Labels<'t> {
    pub(super) fn new(table: &'t [u8]) -> Self {
        let ([strong_low, strong_high, weak_low, weak_high], rest) =
            table.split_first_chunk().unwrap_or((&[0; 4], &[]));
        let strong = usize::from(u16::from_le_bytes([*strong_low, *strong_high]));
        let weak = usize::from(u16::from_le_bytes([*weak_low, *weak_high]));
        let (classes, names) = rest.split_at(rest.len().min(strong + weak));
        Self { strong, classes, names }
    }

    /// The patterns that apply to a user agent: weak evidence proves nothing against one in the shape of a browser.
    pub(super) fn patterns(&self, is_browser: bool) -> Range<usize> {
        0..if is_browser { self.strong } else { self.classes.len() }
    }

    pub(super) fn label(&self, pattern: usize) -> Option<Label> {
        let label = *self.classes.get(pattern)?;
        let class = CrawlerClass::ALL.get(usize::from(label & !FLAG_SPELLED)).copied()?;
        Some(Label { class, is_spelled: label & FLAG_SPELLED != 0 })
    }

    /// The name that belongs to a pattern, if the table has it.
    pub(super) fn name(&self, pattern: usize) -> Option<&'t str> {
        let mut rest = self.names;
        for _ in 0..pattern {
            let (length, after) = rest.split_first()?;
            rest = after.get(usize::from(*length)..)?;
        }
        let (length, after) = rest.split_first()?;
        std::str::from_utf8(after.get(..usize::from(*length))?).ok()
    }
}

/// The name that a user agent itself gives: what a pattern spells, else the word around what it matched, unless that is part
/// of an address; then what the user agent calls itself first.
pub(super) fn name_in(text: &str, label: Label, matched: Range<usize>) -> &str {
    let is_edge = |character: char| matches!(character, '/' | ' ' | ';' | ':' | '(' | ')' | '-' | '.');
    let spelled = text.get(matched.clone()).unwrap_or_default().trim_matches(is_edge);
    let name = if label.is_spelled { spelled } else { word_around(text, matched) };
    shortened(if is_address(name) { product(text).unwrap_or(name) } else { name })
}

/// Whether a word is part of an address rather than a name.
fn is_address(word: &str) -> bool {
    ["http", "www.", ".com", ".org", ".net"].iter().any(|part| word.contains(part)) || word.contains('@')
}

/// What a user agent calls itself: behind `compatible;`, or else its first word, if that is not every browser's.
fn product(text: &str) -> Option<&str> {
    let compatible = text.split_once("compatible;").map(|(_, after)| after.trim_start());
    let first = Some(text).filter(|text| !text.starts_with("Mozilla") && !text.starts_with("Opera"));
    let is_end = |character: char| matches!(character, '/' | ';' | ')' | '(' | ',' | '+');
    let name = compatible.or(first)?.split(is_end).next()?.trim();
    (!name.is_empty() && !is_address(name)).then_some(name)
}

/// The product token of `text` around a part of it, without its version.
fn word_around(text: &str, part: Range<usize>) -> &str {
    let is_outside =
        |character: char| !(character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | '!' | '@'));
    let before = text.get(..part.start).unwrap_or_default();
    let after = text.get(part.end..).unwrap_or_default();
    let start = before.char_indices().rev().find(|(_, character)| is_outside(*character));
    let start = start.map_or(0, |(index, character)| index + character.len_utf8());
    let end = part.end + after.find(is_outside).unwrap_or(after.len());
    text.get(start..end).unwrap_or_default().trim()
}

fn shortened(name: &str) -> &str {
    let mut length = name.len().min(MAX_NAME_BYTES);
    while !name.is_char_boundary(length) {
        length -= 1;
    }
    name.get(..length).unwrap_or_default()
}
