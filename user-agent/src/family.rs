//! Browser, operating system and device as uap-core names them.
//!
//! In scope: the first pattern of each list that matches, and the answer that its templates spell; the type of
//! device, which uap-core does not know, in the same pass. Out of scope: the
//! patterns themselves (`data/`, made by `cargo xtask update-data`).

mod answer;
#[cfg(feature = "compile")]
pub mod compile;

use std::borrow::Cow;
use std::ops::Range;

use crate::pattern::{Captures, PatternSet, Scratch};
use crate::user_agent::DeviceType;
use answer::Answers;

/// What uap-core calls a family that it does not know.
pub(crate) const OTHER: &str = "Other";

/// Bytes of most versions: one allocation is enough for them.
const VERSION_BYTES: usize = 16;

/// A family and its version parts joined by dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Versioned {
    pub(crate) family: Cow<'static, str>,
    pub(crate) version: Cow<'static, str>,
}

/// A device family with the brand and model that sold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) family: Cow<'static, str>,
    pub(crate) brand: Cow<'static, str>,
    pub(crate) model: Cow<'static, str>,
}

/// The three lists of uap-core and ours of device types in one pattern set.
#[derive(Clone, Debug)]
pub(crate) struct Families {
    patterns: PatternSet<'static>,
    answers: Answers,
}

impl Families {
    /// The lists that ship with this crate.
    pub(crate) fn shipped() -> Self {
        Self {
            patterns: PatternSet::new(include_bytes!("../data/uap_patterns.bin")),
            answers: Answers::new(include_bytes!("../data/uap_answers.bin")),
        }
    }

    /// Finds the patterns that can match; the three questions below are about the same text.
    pub(crate) fn scan(&self, text: &str, scratch: &mut Scratch) {
        self.patterns.scan(text, scratch);
    }

    pub(crate) fn browser(&self, text: &str, scratch: &mut Scratch) -> Versioned {
        self.versioned(text, self.answers.browsers(), scratch, 3)
    }

    pub(crate) fn os(&self, text: &str, scratch: &mut Scratch) -> Versioned {
        self.versioned(text, self.answers.systems(), scratch, 4)
    }

    pub(crate) fn device(&self, text: &str, scratch: &mut Scratch) -> Device {
        let found = self.patterns.find_map(text, self.answers.devices(), scratch, |pattern, groups| {
            Some(Device {
                family: self.family(pattern, text, groups)?,
                brand: self.answers.spell(pattern, 1, text, groups).unwrap_or_default(),
                model: self.answers.spell(pattern, 2, text, groups).unwrap_or_else(|| owned(groups.group(text, 1))),
            })
        });
        found.unwrap_or_else(|| Device { family: OTHER.into(), brand: "".into(), model: "".into() })
    }

    pub(crate) fn device_type(&self, text: &str, scratch: &mut Scratch) -> DeviceType {
        let list = self.answers.device_types();
        let found = self.patterns.find_map(text, list, scratch, |pattern, _| self.answers.device_type(pattern));
        found.unwrap_or_default()
    }

    fn versioned(&self, text: &str, list: Range<usize>, scratch: &mut Scratch, parts: usize) -> Versioned {
        let found = self.patterns.find_map(text, list, scratch, |pattern, groups| {
            let family = self.family(pattern, text, groups)?;
            Some(Versioned { family, version: self.version(pattern, text, groups, parts) })
        });
        found.unwrap_or_else(|| Versioned { family: OTHER.into(), version: "".into() })
    }

    /// The family; a pattern that names none does not count as a match.
    fn family(&self, pattern: usize, text: &str, groups: &Captures) -> Option<Cow<'static, str>> {
        let captured = || Some(groups.group(text, 1)).filter(|family| !family.is_empty()).map(owned);
        self.answers.spell(pattern, 0, text, groups).or_else(captured)
    }

    /// Version parts: a template where there is one, else the group behind the family's.
    fn version(&self, pattern: usize, text: &str, groups: &Captures, parts: usize) -> Cow<'static, str> {
        let mut version = Cow::Borrowed("");
        for part in 1..=parts {
            let spelled = self.answers.spell(pattern, part, text, groups);
            if version.is_empty()
                && let Some(spelled) = spelled
            {
                version = spelled;
                continue;
            }
            let part = spelled.as_deref().unwrap_or_else(|| groups.group(text, part + 1));
            if !part.is_empty() {
                push_part(version.to_mut(), part);
            }
        }
        version
    }
}

fn push_part(version: &mut String, part: &str) {
    if version.is_empty() {
        version.reserve(VERSION_BYTES);
    } else {
        version.push('.');
    }
    version.push_str(part);
}

fn owned(text: &str) -> Cow<'static, str> {
    if text.is_empty() { Cow::Borrowed("") } else { Cow::Owned(text.to_owned()) }
}
