//! The answers that belong to the patterns.
//!
//! In scope: the layout of the answer table and spelling a template. The table holds the lengths of the four lists (16 bits
//! each), four template offsets per pattern (16 bits each, [`NO_TEMPLATE`] for none), then the templates: a length byte and
//! the text, in which a byte of 1 to 9 stands for that group.

use std::ops::Range;

use crate::agent::DeviceType;
use crate::pattern::Captures;

/// Templates per pattern: family and three version parts, or device, brand and model.
pub(super) const FIELDS: usize = 4;
/// The offset of a template that a pattern does not have.
pub(super) const NO_TEMPLATE: u16 = u16::MAX;
/// In a template: no group, but the result is trimmed as with one.
pub(super) const TRIM: u8 = 10;
const LISTS_BYTES: usize = 8;
/// Bytes that groups add to most templates: one allocation is enough for them.
const GROUPS_BYTES: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct Answers<'t> {
    lists: [usize; 4],
    offsets: &'t [u8],
    templates: &'t [u8],
}

impl<'t> Answers<'t> {
    pub(super) fn new(table: &'t [u8]) -> Self {
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
    pub(super) fn spell(&self, pattern: usize, field: usize, text: &str, groups: &Captures) -> Option<String> {
        let mut spelled = String::new();
        self.spell_into(pattern, field, text, groups, &mut spelled).then_some(spelled)
    }

    /// As [`Self::spell`], at the end of `target`; whether there is a template.
    pub(super) fn spell_into(
        &self,
        pattern: usize,
        field: usize,
        text: &str,
        groups: &Captures,
        target: &mut String,
    ) -> bool {
        let Some(template) = self.template(pattern, field) else { return false };
        let start = target.len();
        target.reserve(template.len() + if template.last() == Some(&TRIM) { GROUPS_BYTES } else { 0 });
        let mut trims = false;
        for piece in template.split_inclusive(|byte| *byte <= TRIM) {
            let (literal, mark) = match piece.split_last() {
                Some((mark, literal)) if *mark <= TRIM => (literal, *mark),
                _ => (piece, 0),
            };
            target.push_str(std::str::from_utf8(literal).unwrap_or_default());
            trims |= mark > 0;
            if (1..TRIM).contains(&mark) {
                target.push_str(groups.group(text, usize::from(mark)));
            }
        }
        if trims {
            trim(target, start);
        }
        true
    }

    fn template(&self, pattern: usize, field: usize) -> Option<&'t [u8]> {
        if field >= FIELDS {
            return None;
        }
        let offset = Some(read(self.offsets, pattern * FIELDS + field)).filter(|offset| *offset != NO_TEMPLATE)?;
        let (length, rest) = self.templates.get(usize::from(offset)..)?.split_first()?;
        rest.get(..usize::from(*length))
    }
}

/// Removes white space around what was spelled from `start` on.
fn trim(target: &mut String, start: usize) {
    target.truncate(target.trim_end().len().max(start));
    let spelled = target.get(start..).unwrap_or_default();
    let blank = spelled.len() - spelled.trim_start().len();
    target.drain(start..start + blank);
}

/// The `index`-th 16-bit integer, [`NO_TEMPLATE`] past the end.
fn read(table: &[u8], index: usize) -> u16 {
    let chunk = table.get(index * 2..).and_then(|rest| rest.first_chunk());
    chunk.map_or(NO_TEMPLATE, |bytes| u16::from_le_bytes(*bytes))
}
