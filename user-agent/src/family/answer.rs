//! The answers that belong to the patterns.
//!
//! In scope: the layout of the answer table and spelling a template. The table holds the lengths of the four lists (16 bits each), the answers of
//! the patterns of three of them (a byte with a bit per field that has a template, then the templates: a length byte and the text, in which a byte
//! of 1 to 9 stands for that group), and a device type's number for each of the fourth.

use std::borrow::Cow;
use std::ops::Range;

use crate::pattern::Captures;
use crate::user_agent::DeviceType;

/// Templates per pattern: family and three version parts, or device, brand and model.
pub(super) const FIELDS: usize = 4;
/// The last byte of a template with groups: the result is trimmed.
pub(super) const TRIM: u8 = 10;
const LISTS_BYTES: usize = 8;
/// Bytes that groups add to most templates: one allocation is enough for them.
const GROUPS_BYTES: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct Answers {
    lists: [usize; 4],
    /// Pattern -> the table from its answer on.
    templates: Vec<&'static [u8]>,
    device_types: &'static [u8],
}

impl Answers {
    pub(super) fn new(table: &'static [u8]) -> Self {
        let (lists, mut rest) = table.split_first_chunk::<LISTS_BYTES>().unwrap_or((&[0; _], &[]));
        let length = |list: usize| usize::from(u16::from_le_bytes([lists[list * 2], lists[list * 2 + 1]]));
        let lists = [length(0), length(1), length(2), length(3)];
        let mut templates = Vec::new();
        while templates.len() < lists[0] + lists[1] + lists[2] {
            templates.push(rest);
            rest = behind_templates(rest, FIELDS).unwrap_or_default();
        }
        Self { lists, templates, device_types: rest }
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

    /// What a pattern of the last list tells.
    pub(super) fn device_type(&self, pattern: usize) -> Option<DeviceType> {
        let number = self.device_types.get(pattern.checked_sub(self.templates.len())?)?;
        DeviceType::ALL.get(usize::from(*number)).copied()
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
        let answer = self.templates.get(pattern)?;
        if field >= FIELDS || answer.first()? >> field & 1 == 0 {
            return None;
        }
        let (length, rest) = behind_templates(answer, field)?.split_first()?;
        rest.get(..usize::from(*length))
    }
}

/// What follows the templates of an answer's first fields.
fn behind_templates(answer: &'static [u8], fields: usize) -> Option<&'static [u8]> {
    let (present, mut rest) = answer.split_first()?;
    for _ in (0..fields).filter(|field| present >> field & 1 == 1) {
        let (length, text) = rest.split_first()?;
        rest = text.get(usize::from(*length)..)?;
    }
    Some(rest)
}

/// Removes white space around a text.
fn trim(text: &mut String) {
    text.truncate(text.trim_end().len());
    text.drain(..text.len() - text.trim_start().len());
}
