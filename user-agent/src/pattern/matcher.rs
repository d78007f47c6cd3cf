//! Matching one compiled pattern: leftmost, first alternative first, like Perl and the `regex` crate.
//!
//! In scope: a backtracking matcher in bounded time. It first runs with no bookkeeping, which is what nearly every text
//! needs; a text that makes it take more than [`STEPS_MAX`] steps is matched again with a table of the states already
//! tried, so that no state is tried twice. Characters are ASCII or "other": classes hold all others or none.

use super::program::{
    BYTE, CLASS, CLASS_BYTES, END, FLAG_ANCHORED, GROUPS_MAX, JUMP, LITERAL, LITERAL_ANY_CASE, MATCH, NO_CLASS, NO_MAX,
    NOT_WORD_BOUNDARY, RUN, RUN_ALL, RUN_LAZY, SAVE, SPLIT, SPLIT_JUMP, START, SWITCH, WORD_BOUNDARY,
};
use super::table::{PatternSet, read_u16};

/// Steps of one pattern on one text before states are remembered; ordinary user agents take a few hundred.
const STEPS_MAX: usize = 4096;
/// Texts up to this length are matched; longer ones match nothing.
const TEXT_BYTES_MAX: usize = 4096;
const UNSET: u16 = u16::MAX;

/// Where the groups of a match lie.
#[derive(Clone, Copy, Debug)]
pub struct Captures {
    slots: [u16; GROUPS_MAX * 2],
}

impl Captures {
    /// The text of a group, from 1; empty when it took no part in the match.
    pub fn group<'t>(&self, text: &'t str, group: usize) -> &'t str {
        let slot = |index: usize| self.slots.get(index).copied().filter(|slot| *slot != UNSET).map(usize::from);
        let index = group.wrapping_sub(1).wrapping_mul(2);
        match (slot(index), slot(index.wrapping_add(1))) {
            (Some(start), Some(end)) => text.get(start..end).unwrap_or_default(),
            _ => "",
        }
    }
}

/// A choice to come back to.
#[derive(Clone, Copy, Debug)]
enum Choice {
    /// Continue at `pc` from `position`.
    Branch { pc: u16, position: u16 },
    /// A run gives characters back, down to `least`.
    Shrink { pc: u16, position: u16, least: u16, follow: u8 },
    /// A lazy run takes up to `more` characters.
    Grow { pc: u16, position: u16, more: u16, class: u8, follow: u8 },
    /// Undo a saved position.
    Restore { slot: u8, position: u16 },
}

#[derive(Debug, Default)]
pub(super) struct State {
    choices: Vec<Choice>,
    /// One bit per (pc, position) already tried and failed.
    tried: Vec<u64>,
}

impl State {
    pub(super) fn find(&mut self, set: &PatternSet<'_>, pattern: usize, text: &[u8]) -> Option<Captures> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let record = set.pattern(pattern);
        let program = set.program(pattern);
        let mut search =
            Search { set, program, text, slots: [UNSET; GROUPS_MAX * 2], steps_left: STEPS_MAX, tried: None, choices: &mut self.choices };
        let first = (record.first_class != NO_CLASS).then(|| set.class(record.first_class));
        let last_start = if record.flags & FLAG_ANCHORED == 0 { text.len() } else { 0 };
        let mut start = 0;
        while start <= last_start {
            if let Some(class) = first {
                match text.get(start..).and_then(|rest| rest.iter().position(|byte| has_byte(class, *byte))) {
                    Some(skipped) => start += skipped,
                    None => return None,
                }
                if start > last_start {
                    return None;
                }
            }
            match search.run(start) {
                Verdict::Match => return Some(Captures { slots: search.slots }),
                Verdict::NoMatch => start += 1,
                Verdict::OutOfSteps => {
                    self.tried.clear();
                    self.tried.resize((program.len() * (text.len() + 1)).div_ceil(64), 0);
                    search.slots = [UNSET; GROUPS_MAX * 2];
                    search.tried = Some(&mut self.tried);
                }
            }
        }
        None
    }
}

#[derive(PartialEq, Eq)]
enum Verdict {
    Match,
    NoMatch,
    OutOfSteps,
}

/// One pattern on one text.
struct Search<'a, 't> {
    set: &'a PatternSet<'t>,
    program: &'t [u8],
    text: &'a [u8],
    slots: [u16; GROUPS_MAX * 2],
    steps_left: usize,
    tried: Option<&'a mut Vec<u64>>,
    choices: &'a mut Vec<Choice>,
}
