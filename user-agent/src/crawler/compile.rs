//! From crawler lists to the three tables of this module.

use super::CrawlerClass;
use super::label::FLAG_SPELLED;
use crate::pattern::compile::{Error, Source, compile};

/// One pattern and what it tells.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The expression.
    pub expression: String,
    /// Whether letters match in either case.
    pub any_case: bool,
    /// Where its name is found.
    pub name: Name,
    /// The class.
    pub class: CrawlerClass,
    /// Whether it is weak evidence: not applied to a user agent in the shape of a browser.
    pub is_weak: bool,
}

/// Where a crawler's name is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// It is this. Entries with such a name come first.
    Known(String),
    /// It is what the pattern matched.
    Matched,
    /// It is the word that holds what the pattern matched.
    Word,
}

/// The contents of `data/crawler_exclusions.bin`, `crawler_patterns.bin` and `crawler_labels.bin`.
#[derive(Clone, Debug)]
pub struct Tables {
    /// What to blank out first.
    pub exclusions: Vec<u8>,
    /// The patterns.
    pub patterns: Vec<u8>,
    /// Their labels.
    pub labels: Vec<u8>,
}

/// Compiles exclusions (matched in any case) and patterns, which keep their order of precedence; weak evidence comes last.
pub fn tables(exclusions: &[&str], entries: &[Entry]) -> Result<Tables, Error> {
    let remembered =
        |expression: &str, any_case| Source { expression: format!("({expression})"), any_case, groups: 1 << 1 };
    let exclusions: Vec<Source> = exclusions.iter().map(|expression| remembered(expression, true)).collect();
    let (weak, strong): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| entry.is_weak);
    let labels = labels(&strong, &weak)?;
    let patterns: Vec<Source> =
        strong.into_iter().chain(weak).map(|entry| remembered(&entry.expression, entry.any_case)).collect();
    Ok(Tables { exclusions: compile(&exclusions)?, patterns: compile(&patterns)?, labels })
}

fn labels(strong: &[&Entry], weak: &[&Entry]) -> Result<Vec<u8>, Error> {
    let mut table = Vec::new();
    for count in [strong.len(), weak.len()] {
        let count = u16::try_from(count).map_err(|_| Error::SetTooLarge { section: "labels", found: count })?;
        table.extend(count.to_le_bytes());
    }
    let mut names: Vec<u8> = Vec::new();
    for entry in strong.iter().chain(weak) {
        let class = CrawlerClass::ALL.iter().position(|class| *class == entry.class).unwrap_or_default();
        let spelled = if entry.name == Name::Matched { FLAG_SPELLED } else { 0 };
        table.push(u8::try_from(class).unwrap_or_default() | spelled);
        if let Name::Known(name) = &entry.name {
            names.push(u8::try_from(name.len()).map_err(|_| Error::LiteralTooLong { found: name.len() })?);
            names.extend(name.bytes());
        }
    }
    table.extend(names);
    Ok(table)
}
