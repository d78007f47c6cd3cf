//! Regular expressions in bounded time and space.
//!
//! In scope: whether a text matches, by following all ways through the expression at once (Thompson's construction): time grows with text times
//! expression, never faster. Out of scope: captures, look-around, back references, Unicode classes.
//!
//! Measured: the crate regex-lite, the smallest that is well kept, adds 24 KB gzipped to a Wasm module; this adds 5 KB. Its tests compare it with
//! the crate regex.

mod parse;

/// The longest expression, in bytes.
pub const MAX_REGEX_BYTES: usize = 256;

/// The most steps of a compiled expression: bounds both the memory of one and the time that it takes for each character.
pub const MAX_STEPS: usize = 256;

/// Characters of a text that are looked at; columns hold at most 2,048 bytes.
const MAX_TEXT_CHARACTERS: usize = 2_048;

/// Why an expression is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RegexError {
    /// What may stand there.
    pub(crate) expected: &'static str,
    /// Where, in characters from 1.
    pub(crate) at: usize,
}

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Regex {
    steps: Vec<Step>,
}

/// One step through an expression; numbers are places in the list of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Takes one character.
    Take(Class),
    /// Goes two ways.
    Split(usize, usize),
    /// Goes on elsewhere.
    Jump(usize),
    /// Only at the beginning of the text.
    Start,
    /// Only at the end of the text.
    End,
    /// Only between a word and what is no word, or (`false`) anywhere else.
    Boundary(bool),
    /// Matched.
    Match,
}

/// A set of characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Class {
    ranges: Vec<(char, char)>,
    is_negated: bool,
    ignores_case: bool,
}

impl Class {
    fn has(&self, character: char) -> bool {
        let is_in = |c: char| self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
        let other_case = || {
            if character.is_ascii_lowercase() { character.to_ascii_uppercase() } else { character.to_ascii_lowercase() }
        };
        let found = is_in(character) || (self.ignores_case && is_in(other_case()));
        found != self.is_negated
    }
}

impl Regex {
    /// Compiles an expression.
    pub(crate) fn new(pattern: &str) -> Result<Self, RegexError> {
        if pattern.len() > MAX_REGEX_BYTES {
            return Err(RegexError { expected: "a pattern of at most 256 bytes", at: 1 });
        }
        parse::compile(pattern).map(|steps| Self { steps })
    }

    /// Number of its steps.
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    /// True if the expression matches some part of the text.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        let mut now = Threads::new(self.steps.len());
        let mut next = Threads::new(self.steps.len());
        let mut before = None;
        let mut characters = text.chars().take(MAX_TEXT_CHARACTERS);
        loop {
            let after = characters.next();
            // A match may begin anywhere.
            if now.follow(&self.steps, 0, before, after) {
                return true;
            }
            let Some(character) = after else { return false };
            next.clear();
            for at in &now.waiting {
                let takes = matches!(self.steps.get(*at), Some(Step::Take(class)) if class.has(character));
                // What follows a character is between it and the next one.
                if takes && next.follow(&self.steps, at + 1, after, characters.clone().next()) {
                    return true;
                }
            }
            std::mem::swap(&mut now, &mut next);
            before = after;
        }
    }
}

/// The ways that are followed at one place of the text.
struct Threads {
    /// Steps that wait for a character, each once.
    waiting: Vec<usize>,
    /// Steps that were reached.
    reached: Vec<bool>,
    /// Steps to look at.
    pending: Vec<usize>,
}

impl Threads {
    fn new(steps: usize) -> Self {
        Self { waiting: Vec::new(), reached: vec![false; steps], pending: Vec::new() }
    }

    fn clear(&mut self) {
        self.waiting.clear();
        self.reached.fill(false);
    }

    /// Follows all ways from one step up to those that take a character; true if one of them is a match.
    fn follow(&mut self, steps: &[Step], from: usize, before: Option<char>, after: Option<char>) -> bool {
        self.pending.push(from);
        while let Some(at) = self.pending.pop() {
            let Some(is_reached) = self.reached.get_mut(at) else { continue };
            if std::mem::replace(is_reached, true) {
                continue;
            }
            match steps.get(at) {
                Some(Step::Take(_)) => self.waiting.push(at),
                Some(Step::Split(one, other)) => self.pending.extend([*one, *other]),
                Some(Step::Jump(to)) => self.pending.push(*to),
                Some(Step::Start) if before.is_none() => self.pending.push(at + 1),
                Some(Step::End) if after.is_none() => self.pending.push(at + 1),
                Some(Step::Boundary(wanted)) if (is_word(before) != is_word(after)) == *wanted => {
                    self.pending.push(at + 1);
                }
                Some(Step::Match) => {
                    self.pending.clear();
                    return true;
                }
                _ => {}
            }
        }
        false
    }
}

fn is_word(character: Option<char>) -> bool {
    character.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests;
