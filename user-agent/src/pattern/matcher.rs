//! Matching one compiled pattern: leftmost, first alternative first, like Perl and the `regex` crate.
//!
//! In scope: a backtracking matcher in bounded time. It first runs with no bookkeeping, which is what nearly every text
//! needs; a text that makes it take take back more than [`MAX_BACKTRACKS`] choices is matched again with a table of the states
//! already tried, so that no state is tried twice. Characters are ASCII or "other": classes hold all others or none.

mod branch;
mod character;
mod run;
mod start;

use std::ops::Range;

use super::MAX_TEXT_BYTES;
use super::program::{
    ALTERNATIVES, BRANCH, BYTE, CLASS, END, FIRST, JUMP, JUMP_BYTES, LAST_BRANCH, LITERAL, LITERAL_ANY_CASE, MATCH,
    MAX_GROUPS, NOT_WORD_BOUNDARY, RUN, RUN_ALL, RUN_ALL_GROUP, RUN_BYTES, RUN_LAZY, SAVE, SPLIT, SPLIT_JUMP, START,
    WORD_BOUNDARY,
};
use super::steps::Steps;
use super::table::PatternSet;
use super::text::Notes;

/// Choices of one pattern on one text that are taken back before states are remembered; user agents take a few dozen.
const MAX_BACKTRACKS: usize = 512;
const UNSET: u16 = u16::MAX;

/// Where the groups of a match lie.
#[derive(Clone, Copy, Debug)]
pub struct Captures {
    slots: [u16; MAX_GROUPS * 2],
}

impl Captures {
    /// The text of a group, from 1; empty when it took no part in the match.
    pub fn group<'t>(&self, text: &'t str, group: usize) -> &'t str {
        self.range(group).and_then(|range| text.get(range)).unwrap_or_default()
    }

    /// Where a group lies, if it took part in the match.
    pub fn range(&self, group: usize) -> Option<Range<usize>> {
        let slot = |index: usize| self.slots.get(index).copied().filter(|slot| *slot != UNSET).map(usize::from);
        let index = group.checked_sub(1)?.checked_mul(2)?;
        Some(slot(index)?..slot(index + 1)?)
    }
}

/// A choice to come back to.
#[derive(Clone, Copy, Debug)]
enum Choice {
    /// Continue at `pc` from `position`.
    Branch { pc: u16, position: u16 },
    /// Try the alternatives from the branch at `pc` on.
    Alternative { pc: u16, position: u16 },
    /// A run gives characters back, down to `least`.
    Shrink { pc: u16, position: u16, least: u16, follow: u16 },
    /// A lazy run takes up to `more` characters.
    Grow { pc: u16, position: u16, more: u16, class: u16, follow: u16 },
    /// Undo a saved position.
    Restore { slot: u8, position: u16 },
}

#[derive(Debug, Default)]
pub(super) struct State {
    choices: Vec<Choice>,
    /// One bit per (pc, position) already tried and failed.
    tried: Vec<u64>,
    /// Choices taken back by the last pattern.
    backtracks: usize,
    /// The last pattern, if it failed on this text, and how many bytes of its program were looked at.
    failed: Option<(usize, usize)>,
    pub(super) steps: Steps,
}

impl State {
    /// Forgets the last text.
    pub(super) fn reset(&mut self) {
        self.failed = None;
    }

    /// The groups of the leftmost match in `text`, which `notes` are about.
    pub(super) fn find(
        &mut self,
        set: &PatternSet<'_>,
        pattern: usize,
        text: &[u8],
        notes: &Notes,
    ) -> Option<Captures> {
        if text.len() > MAX_TEXT_BYTES || self.fails_alike(set, pattern) {
            return None;
        }
        self.backtracks = 0;
        let mut search = Search {
            set,
            program: set.program(pattern),
            text,
            notes,
            slots: [UNSET; MAX_GROUPS * 2],
            backtracks: &mut self.backtracks,
            remembers: false,
            tried: &mut self.tried,
            choices: &mut self.choices,
            read: 0,
            steps: &self.steps,
        };
        let found = search.leftmost().then_some(Captures { slots: search.slots });
        self.failed = if found.is_none() { Some((pattern, search.read)) } else { None };
        found
    }

    /// Whether a pattern begins with the same instructions as the last one, which failed there: lists have patterns of one kind in a row.
    fn fails_alike(&self, set: &PatternSet<'_>, pattern: usize) -> bool {
        self.failed.is_some_and(|(failed, read)| {
            let begin = set.program(pattern).get(..read);
            begin.is_some() && begin == set.program(failed).get(..read)
        })
    }
}

/// What became of a pattern at one place of the text.
#[derive(PartialEq, Eq)]
enum Attempt {
    Match,
    NoMatch,
    /// It went back too often: only a search that remembers what it has tried may go on.
    TooHard,
}

/// One pattern on one text.
struct Search<'a, 't> {
    set: &'a PatternSet<'t>,
    program: &'t [u8],
    text: &'a [u8],
    notes: &'a Notes,
    slots: [u16; MAX_GROUPS * 2],
    backtracks: &'a mut usize,
    remembers: bool,
    tried: &'a mut Vec<u64>,
    choices: &'a mut Vec<Choice>,
    /// Bytes of the program that the search has looked at, at most.
    read: usize,
    steps: &'a Steps,
}

impl Search<'_, '_> {
    /// Searches for the leftmost match.
    fn leftmost(&mut self) -> bool {
        let begin = self.begin();
        self.read = self.end(begin);
        let mut start = self.next_start(begin, None);
        while let Some(position) = start {
            // Most fail at the literal they begin with, which is sooner seen than by a run.
            if self.begins(begin, position) {
                match self.run(position) {
                    Attempt::Match => return true,
                    Attempt::NoMatch => {}
                    Attempt::TooHard => {
                        self.start_remembering();
                        continue;
                    }
                }
            }
            start = self.next_start(begin, Some(position));
        }
        false
    }

    fn run(&mut self, start: usize) -> Attempt {
        self.choices.clear();
        self.slots = [UNSET; MAX_GROUPS * 2];
        let (mut pc, mut position) = (0, start);
        loop {
            if self.follow(pc, position) {
                return Attempt::Match;
            }
            *self.backtracks += 1;
            if !self.remembers && *self.backtracks > MAX_BACKTRACKS {
                return Attempt::TooHard;
            }
            match self.backtrack() {
                Some(state) => (pc, position) = state,
                None => return Attempt::NoMatch,
            }
        }
    }

    /// Follows one path until it matches or fails, leaving choices behind.
    fn follow(&mut self, mut pc: usize, mut position: usize) -> bool {
        loop {
            self.steps.add(1);
            let next = match self.operand(pc) {
                BYTE => self.byte(pc, position),
                LITERAL => self.literal(pc, position),
                LITERAL_ANY_CASE => self.literal_any_case(pc, position),
                CLASS => self.character(pc, position),
                RUN_ALL => self.run_all(pc, position),
                RUN_ALL_GROUP => self.run_all_group(pc, position),
                RUN => self.run_greedy(pc, position),
                RUN_LAZY => self.run_lazy(pc, position),
                SPLIT => Some((self.split(pc, position), position)),
                SPLIT_JUMP => {
                    self.choose(Choice::Branch { pc: narrow(pc + JUMP_BYTES), position: narrow(position) });
                    Some((self.target(pc), position))
                }
                JUMP => Some((self.target(pc), position)),
                ALTERNATIVES => self.alternative(pc + 1, position).map(|pc| (pc, position)),
                BRANCH | LAST_BRANCH => Some((self.behind_branches(pc), position)),
                SAVE => {
                    self.save(self.operand(pc + 1), position);
                    Some((pc + 2, position))
                }
                START => (position == 0).then_some((pc + 1, position)),
                END => (position == self.text.len()).then_some((pc + 1, position)),
                WORD_BOUNDARY => self.at_word_boundary(position).then_some((pc + 1, position)),
                NOT_WORD_BOUNDARY => (!self.at_word_boundary(position)).then_some((pc + 1, position)),
                FIRST => self.fits(self.wide_operand(pc + 1), position).then_some((pc + 3, position)),
                MATCH => return true,
                _ => None,
            };
            let Some(state) = next else {
                self.read = self.read.max(self.end(pc));
                return false;
            };
            (pc, position) = state;
        }
    }

    /// The next state to try, undoing what led to the last one.
    fn backtrack(&mut self) -> Option<(usize, usize)> {
        loop {
            let (pc, position) = match self.choices.pop()? {
                Choice::Branch { pc, position } => (pc, position),
                Choice::Alternative { pc, position } => match self.alternative(pc.into(), position.into()) {
                    Some(pc) => (narrow(pc), position),
                    None => continue,
                },
                Choice::Restore { slot, position } => {
                    if let Some(saved) = self.slots.get_mut(usize::from(slot)) {
                        *saved = position;
                    }
                    continue;
                }
                Choice::Shrink { pc, position, least, follow } => match self.shrink(pc, position, least, follow) {
                    Some(position) => (pc, position),
                    None => continue,
                },
                Choice::Grow { pc, position, more, class, follow } => {
                    match self.grow(pc, position, more, class, follow) {
                        Some(position) => (pc, position),
                        None => continue,
                    }
                }
            };
            let (pc, position) = (usize::from(pc), usize::from(position));
            if self.is_new(pc, position) {
                return Some((pc, position));
            }
        }
    }

    fn start_remembering(&mut self) {
        self.tried.clear();
        self.tried.resize((self.program.len() * (self.text.len() + 1)).div_ceil(64), 0);
        self.steps.add(self.tried.len());
        self.remembers = true;
    }

    /// Whether a state was not tried before, where that is remembered.
    fn is_new(&mut self, pc: usize, position: usize) -> bool {
        if !self.remembers {
            return true;
        }
        let index = pc * (self.text.len() + 1) + position;
        let Some(word) = self.tried.get_mut(index / 64) else { return false };
        let bit = 1 << (index % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn save(&mut self, slot: u8, position: usize) {
        let Some(saved) = self.slots.get_mut(usize::from(slot)) else { return };
        let old = std::mem::replace(saved, narrow(position));
        // With nothing to come back to, nothing need be restored.
        if !self.choices.is_empty() {
            self.choose(Choice::Restore { slot, position: old });
        }
    }

    fn choose(&mut self, choice: Choice) {
        self.choices.push(choice);
    }

    /// Where the instruction at `pc` ends, at the latest.
    fn end(&self, pc: usize) -> usize {
        match self.operand(pc) {
            LITERAL | LITERAL_ANY_CASE => pc + 2 + usize::from(self.operand(pc + 1)),
            _ => pc + RUN_BYTES,
        }
    }

    fn operand(&self, at: usize) -> u8 {
        self.program.get(at).copied().unwrap_or(u8::MAX)
    }

    fn wide_operand(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.operand(at), self.operand(at + 1)])
    }

    /// The target of the instruction at `pc`.
    fn target(&self, pc: usize) -> usize {
        usize::from(narrow(pc).wrapping_add(self.wide_operand(pc + 1)))
    }
}

/// Positions and offsets are at most [`MAX_TEXT_BYTES`] and 65,535: narrowing them loses nothing.
fn narrow(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(UNSET)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::compile::{Source, compile};

    #[test]
    fn no_state_is_tried_twice_however_ambiguous_the_pattern() {
        let source = Source { expression: "(?:ab|(?:ab){2}|[ab]{2})*c".to_owned(), ..Source::default() };
        let table = compile(&[source]).expect("a pattern in the dialect");
        let set = PatternSet::new(&table);
        // Without memory of states, the ways to split this text number more than 2^100.
        let text = "ab".repeat(200);
        let mut notes = Notes::default();
        notes.take(text.as_bytes());
        let mut state = State::default();
        assert!(state.find(&set, 0, text.as_bytes(), &notes).is_none());
        let states = set.program(0).len() * (text.len() + 1);
        // Each start may fail at once, on top of every state being tried once.
        let most = MAX_BACKTRACKS + states + text.len() + 1;
        assert!(state.backtracks > MAX_BACKTRACKS && state.backtracks <= most, "{} of {most}", state.backtracks);
    }
}
