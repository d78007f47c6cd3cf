//! Regular expressions in bounded time and space.
//!
//! In scope: whether a text matches, by following all ways through the expression at once (Thompson's construction): time grows with text times
//! expression, never faster. Out of scope: captures, look-around, back references, Unicode classes.
//!
//! Where a set of ways leads is remembered, so a pattern as people write them costs some nanoseconds for each byte of a text.
//!
//! Measured: the crate regex-lite, the smallest that is well kept, adds 24 KB gzipped to a Wasm module; this adds 6 KB. Its tests compare it with
//! the crate regex.

mod class;
mod known;
mod parse;
mod places;
mod program;

use crate::rule::work::Work;
use program::Program;

/// The longest expression, in bytes.
pub const MAX_REGEX_BYTES: usize = 256;

/// The most steps of a compiled expression: bounds both the memory of one and the time that it takes for each character.
pub const MAX_STEPS: usize = 256;

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
    steps: usize,
    program: Box<Program>,
}

impl Regex {
    /// Compiles an expression.
    pub(crate) fn new(pattern: &str) -> Result<Self, RegexError> {
        if pattern.len() > MAX_REGEX_BYTES {
            return Err(RegexError { expected: "a pattern of at most 256 bytes", at: 1 });
        }
        parse::compile(pattern).map(|steps| Self { steps: steps.len(), program: Box::new(Program::new(&steps)) })
    }

    /// Number of its steps.
    pub(crate) fn len(&self) -> usize {
        self.steps
    }

    /// True if the expression matches some part of the text; without meaning once the work is used up.
    pub(crate) fn is_match(&self, text: &str, work: &Work) -> bool {
        self.program.is_match(text, work)
    }
}

#[cfg(test)]
mod tests;
