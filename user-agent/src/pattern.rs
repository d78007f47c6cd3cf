//! Sets of patterns compiled ahead of time: which ones match a string, and what their groups hold.
//!
//! In scope: reading a compiled set and matching it against one string in bounded time, with no compilation but an index of
//! what patterns need, and no allocation beyond a reusable [`Scratch`]. A general engine spends more on compiling one of these patterns
//! than this one spends on a whole user agent (see `examples/accuracy.rs` for the comparison with its oracle).
//! Out of scope: what the patterns mean (`family`, `crawler`), and compiling them (`compile`, only with that feature).

mod bits;
#[cfg(any(test, feature = "compile"))]
pub mod compile;
mod matcher;
mod prefilter;
mod program;
mod steps;
mod table;
mod text;

pub use matcher::Captures;
pub use table::PatternSet;

use std::ops::Range;

/// Texts up to this length are looked at; longer ones match nothing.
pub const MAX_TEXT_BYTES: usize = 512;

/// Working memory of a match, reused between strings.
#[derive(Debug, Default)]
pub struct Scratch {
    notes: text::Notes,
    prefilter: prefilter::State,
    matcher: matcher::State,
}

impl Scratch {
    /// Empty working memory; it grows on first use.
    pub fn new() -> Self {
        Self::default()
    }

    /// The steps taken so far: instructions, and characters that runs look at.
    #[cfg(any(test, feature = "steps"))]
    pub fn steps(&self) -> usize {
        self.matcher.steps.taken()
    }
}

impl PatternSet<'_> {
    /// Finds the patterns that can match `text`; [`Self::find_map`] then looks at those only.
    pub fn scan(&self, text: &str, scratch: &mut Scratch) {
        scratch.notes.take(text.as_bytes());
        scratch.prefilter.scan(&self.index, &scratch.notes);
        scratch.matcher.reset();
    }

    /// The first pattern in `range`, in order, that matches the scanned `text` and that `accept` answers.
    pub fn find_map<T>(
        &self,
        text: &str,
        range: Range<usize>,
        scratch: &mut Scratch,
        mut accept: impl FnMut(usize, &Captures) -> Option<T>,
    ) -> Option<T> {
        let mut from = range.start;
        while let Some(pattern) = scratch.prefilter.next_candidate(from).filter(|pattern| *pattern < range.end) {
            if let Some(found) = self.captures(pattern, text, scratch).and_then(|groups| accept(pattern, &groups)) {
                return Some(found);
            }
            from = pattern + 1;
        }
        None
    }

    /// The groups of one pattern's leftmost match in the scanned `text`.
    pub fn captures(&self, pattern: usize, text: &str, scratch: &mut Scratch) -> Option<Captures> {
        scratch.matcher.find(self, pattern, text.as_bytes(), &scratch.notes)
    }
}
