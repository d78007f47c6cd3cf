//! The answers that belong to the patterns.
//!
//! In scope: the layout of the answer table and spelling a template. The table holds the lengths of the four lists (16 bits
//! each), four template offsets per pattern (16 bits each, [`NO_TEMPLATE`] for none), then the templates: a length byte and
//! the text, in which a byte of 1 to 9 stands for that group.

use std::borrow::Cow;
use std::ops::Range;

use crate::agent::DeviceType;
use crate::pattern::Captures;

/// Templates per pattern: family and three version parts, or device, brand and model.
pub(super) const FIELDS: usize = 4;
/// The offset of a template that a pattern does not have.
pub(super) const NO_TEMPLATE: u16 = u16::MAX;
/// The last byte of a template with groups: the result is trimmed.
pub(super) const TRIM: u8 = 10;
const LISTS_BYTES: usize = 8;
/// Bytes that groups add to most templates: one allocation is enough for them.
const GROUPS_BYTES: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct Answers {
    lists: [usize; 4],
    offsets: &'static [u8],
    templates: &'static [u8],
}

impl Answers {
    pub(super) fn new(table: &'static [u8]) -> Self {
        let lists = [read(table, 0), read(table, 1), read(table, 2), read(table, 3)].map(usize::from);
        let rest = table.get(LISTS_BYTES..).unwrap_or_default();
        let split = rest.len().min(lists.iter().sum::<usize>() * FIELDS * 2);
        let (offsets, templates) = rest.split_at(split);
        Self { lists, offsets, templates }
    }

    pub(super) fn browsers(&self) -> Range<usize> {
        0..self.lists[0]
    }

    pub(super) fn systems(&self) -> Range<usize> {
        self.lists[0]..self.lists[0] + self.lists[1]
    }

    pub(super) fn devices(&self) -> Range<usize> {
        let start = self.lists[0] + self.lists[1];
        start..start + self.lists[2]
    }

    pub(super) fn device_types(&self) -> Range<usize> {
        let start = self.lists[0] + self.lists[1] + self.lists[2];
        start..start + self.lists[3]
    }

    /// What a pattern of the last list tells; its first field holds the type's number.
    pub(super) fn device_type(&self, pattern: usize) -> Option<DeviceType> {
        DeviceType::ALL.get(usize::from(read(self.offsets, pattern * FIELDS))).copied()
    }

    /// A template with its groups filled in, if the pattern has one in this field.
    pub(super) fn spell(
        &self,
        pattern: usize,
        field: usize,
        text: &str,
        groups: &Captures,
    ) -> Option<Cow<'static, str>> {
        let template = self.template(pattern, field)?;
        if template.last() != Some(&TRIM) {
            return std::str::from_utf8(template).ok().map(Cow::Borrowed);
        }
        let mut spelled = String::with_capacity(template.len() + GROUPS_BYTES);
        for piece in template.split_inclusive(|byte| *byte <= TRIM) {
            let (literal, mark) = match piece.split_last() {
                Some((mark, literal)) if *mark <= TRIM => (literal, *mark),
                _ => (piece, TRIM),
            };
            spelled.push_str(std::str::from_utf8(literal).unwrap_or_default());
            spelled.push_str(groups.group(text, usize::from(mark)));
        }
        trim(&mut spelled);
        Some(Cow::Owned(spelled))
    }

    fn template(&self, pattern: usize, field: usize) -> Option<&'static [u8]> {
        if field >= FIELDS {
            return None;
        }
        let offset = Some(read(self.offsets, pattern * FIELDS + field)).filter(|offset| *offset != NO_TEMPLATE)?;
        let (length, rest) = self.templates.get(usize::from(offset)..)?.split_first()?;
        rest.get(..usize::from(*length))
    }
}

/// Removes white space around a text.
fn trim(text: &mut String) {
    text.truncate(text.trim_end().len());
    text.drain(..text.len() - text.trim_start().len());
}

/// The `index`-th 16-bit integer, [`NO_TEMPLATE`] past the end.
fn read(table: &[u8], index: usize) -> u16 {
    let chunk = table.get(index * 2..).and_then(|rest| rest.first_chunk());
    chunk.map_or(NO_TEMPLATE, |bytes| u16::from_le_bytes(*bytes))
}
