//! Where characters have led before.

use super::places::Places;

/// The most states that are remembered of one expression, which bounds its memory to 20 KB; expressions as people write them have about as many as
/// they have characters.
const MAX_STATES: usize = 64;

/// Not known yet.
const NOWHERE: u16 = u16::MAX;

/// What is on one side of a place in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Side {
    /// The text begins or ends.
    #[default]
    Nothing,
    Word,
    Other,
}

/// How far the ways through an expression have come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    pub(super) places: Places,
    pub(super) before: Side,
}

/// Places that were met, and where a character leads from them. A position is that of a state's first column in `to`.
#[derive(Debug)]
pub(super) struct Known {
    columns: usize,
    states: Vec<State>,
    to: Vec<u16>,
}

impl Known {
    /// Nothing yet. Where the last column leads is never remembered.
    pub(super) fn new(columns: usize) -> Self {
        Self { columns, states: Vec::new(), to: Vec::new() }
    }

    /// The beginning of a text. What one sender has filled is emptied for the next.
    pub(super) fn first(&mut self) -> usize {
        if self.states.len() == MAX_STATES {
            (self.states, self.to) = Default::default();
        }
        self.position(State::default()).unwrap_or(0)
    }

    pub(super) fn state(&self, at: usize) -> State {
        self.states.get(at / self.columns).copied().unwrap_or_default()
    }

    /// Follows bytes as far as it is known where they lead: to which position, after how many.
    pub(super) fn follow(&self, mut at: usize, bytes: &[u8], column_of: &[u8; 256]) -> (usize, usize) {
        let mut count = 0;
        while let Some(byte) = bytes.get(count) {
            let Some(column) = column_of.get(usize::from(*byte)) else { break };
            match self.to.get(at + usize::from(*column)) {
                Some(to) if *to != NOWHERE => at = usize::from(*to),
                _ => break,
            }
            count += 1;
        }
        (at, count)
    }

    /// Remembers where a column leads; `None` if there is no room.
    pub(super) fn add(&mut self, from: usize, column: usize, state: State) -> Option<usize> {
        let position = self.position(state)?;
        let is_remembered = column + 1 < self.columns;
        if let Some(to) = self.to.get_mut(from + column).filter(|_| is_remembered) {
            *to = u16::try_from(position).unwrap_or(NOWHERE);
        }
        Some(position)
    }

    fn position(&mut self, state: State) -> Option<usize> {
        let is_same = |own: &State| own.before == state.before && own.places.is_same(&state.places);
        let index = self.states.iter().position(is_same).unwrap_or(self.states.len());
        if index == MAX_STATES {
            return None;
        }
        if index == self.states.len() {
            self.states.push(state);
            self.to.resize(self.to.len() + self.columns, NOWHERE);
        }
        Some(index * self.columns)
    }
}
