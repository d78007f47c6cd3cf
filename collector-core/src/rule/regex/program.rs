//! An expression made ready, and its run over a text.
//!
//! In scope: which places a character leads to, following them. Out of scope: the text of the expression (`parse`), remembering (`known`).
//!
//! All ways are followed at once. Where the same places meet the same character again it is known where they lead, so that most of a text costs a
//! look into a table for each byte. What an expression remembers is bounded; behind that bound each character costs its ways.

use std::sync::{Mutex, PoisonError};

use super::class::Class;
use super::known::{Known, Side, State};
use super::parse::Step;
use super::places::Places;
use crate::rule::work::Work;

/// Bytes of a text that are looked at; columns hold at most as many.
const MAX_TEXT_BYTES: usize = 2_048;

/// Characters of which is known beforehand who takes them.
const ASCII: usize = 128;

/// What a character costs of which is not known where it leads, and each way that is followed for it, where a known byte costs one.
const STEPS_PER_CHARACTER: usize = 40;
const STEPS_PER_WAY: usize = 3;

/// An expression as sets of places. A place is a step that takes a character, asks for a condition, or is the match.
#[derive(Debug)]
pub(super) struct Program {
    /// Places at which a match may begin.
    start: Places,
    /// The places behind each step.
    next: Vec<Places>,
    /// The places that take a character, for each class.
    classes: Vec<(Class, Places)>,
    rows: Rows,
    conditions: Conditions,
    matched: Places,
    known: Mutex<Known>,
}

/// Characters that make no difference.
#[derive(Debug)]
struct Rows {
    /// The row of each byte; that behind the last is of bytes beyond ASCII.
    of: [u8; 256],
    takers: Vec<(Places, Side)>,
}

/// Places that ask what is around them instead of taking a character.
#[derive(Debug, Default)]
struct Conditions {
    start: Places,
    end: Places,
    boundary: Places,
    no_boundary: Places,
}

impl Conditions {
    /// Those that hold between two sides.
    fn holding(&self, before: Side, after: Side) -> Places {
        let is_boundary = (before == Side::Word) != (after == Side::Word);
        let mut holding = if is_boundary { self.boundary } else { self.no_boundary };
        if before == Side::Nothing {
            holding = holding.or(&self.start);
        }
        if after == Side::Nothing {
            holding = holding.or(&self.end);
        }
        holding
    }
}

impl Rows {
    fn new(classes: &[(Class, Places)]) -> Self {
        let (mut of, mut rows) = ([0; 256], Vec::new());
        for (row, character) in of.iter_mut().zip('\0'..).take(ASCII) {
            let own = (takers(classes, character), side(Some(character)));
            let index = rows.iter().position(|row| *row == own).unwrap_or(rows.len());
            if index == rows.len() {
                rows.push(own);
            }
            // There are at most as many rows as characters.
            *row = u8::try_from(index).unwrap_or(0);
        }
        of.iter_mut().skip(ASCII).for_each(|row| *row = u8::try_from(rows.len()).unwrap_or(0));
        Self { of, takers: rows }
    }

    fn of(&self, character: char) -> usize {
        let row = self.of.get(character as usize).filter(|_| character.is_ascii());
        row.map_or(self.takers.len(), |row| usize::from(*row))
    }
}

impl Program {
    pub(super) fn new(steps: &[Step]) -> Self {
        let next: Vec<_> = (1..=steps.len()).map(|from| closure(steps, from)).collect();
        let mut classes: Vec<(Class, Places)> = Vec::new();
        let mut conditions = Conditions::default();
        let mut matched = Places::default();
        for (place, step) in steps.iter().enumerate() {
            match step {
                Step::Take(class) => add_taker(&mut classes, class, place),
                Step::Start => conditions.start.insert(place),
                Step::End => conditions.end.insert(place),
                Step::Boundary(true) => conditions.boundary.insert(place),
                Step::Boundary(false) => conditions.no_boundary.insert(place),
                Step::Match => matched.insert(place),
                Step::Split(..) | Step::Jump(_) => {}
            }
        }
        let rows = Rows::new(&classes);
        let known = Mutex::new(Known::new(rows.takers.len() + 1));
        Self { start: closure(steps, 0), next, classes, rows, conditions, matched, known }
    }

    /// True if the expression matches some part of the text; without meaning once the work is used up.
    pub(super) fn is_match(&self, text: &str, work: &Work) -> bool {
        let mut rest = text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or(text);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut at = known.first();
        loop {
            let (to, bytes) = known.follow(at, rest.as_bytes(), &self.rows.of);
            let mut characters = rest.get(bytes..).unwrap_or("").chars();
            let after = characters.next();
            let Some((state, ways)) = self.step(&known.state(to), after) else { return true };
            let is_paid = work.spend(bytes + STEPS_PER_CHARACTER + STEPS_PER_WAY * ways);
            let Some(character) = after.filter(|_| is_paid) else { return false };
            rest = characters.as_str();
            match known.add(to, self.rows.of(character), state) {
                Some(position) => at = position,
                None => return self.is_match_from(state, rest, work),
            }
        }
    }

    /// The same without remembering more.
    fn is_match_from(&self, mut state: State, text: &str, work: &Work) -> bool {
        let mut characters = text.chars();
        loop {
            let after = characters.next();
            let Some((following, ways)) = self.step(&state, after) else { return true };
            if after.is_none() || !work.spend(STEPS_PER_CHARACTER + STEPS_PER_WAY * ways) {
                return false;
            }
            state = following;
        }
    }

    /// Where a character leads, or the end of the text, and how many ways there were. `None` is a match before it.
    fn step(&self, state: &State, after: Option<char>) -> Option<(State, usize)> {
        let side = side(after);
        // A match may begin anywhere.
        let now = self.pass(state.places.or(&self.start), &self.conditions.holding(state.before, side));
        if !now.and(&self.matched).is_empty() {
            return None;
        }
        let takers = after.map_or_else(Places::default, |character| self.takers(character));
        let (places, ways) = now.and(&takers).followed_by(&self.next);
        Some((State { places, before: side }, ways))
    }

    /// These places, and those behind conditions that hold.
    fn pass(&self, mut now: Places, holding: &Places) -> Places {
        let mut passed = Places::default();
        loop {
            let open = now.and(holding).without(&passed);
            if open.is_empty() {
                return now;
            }
            passed = passed.or(&open);
            now = now.or(&open.followed_by(&self.next).0);
        }
    }

    /// The places that take a character.
    fn takers(&self, character: char) -> Places {
        let row = self.rows.takers.get(self.rows.of(character));
        row.map_or_else(|| takers(&self.classes, character), |(takers, _)| *takers)
    }
}

fn takers(classes: &[(Class, Places)], character: char) -> Places {
    let own = classes.iter().filter(|(class, _)| class.has(character));
    own.fold(Places::default(), |takers, (_, places)| takers.or(places))
}

/// Adds a place to those of its class. A repetition has the same class many times.
fn add_taker(classes: &mut Vec<(Class, Places)>, class: &Class, place: usize) {
    if let Some((_, places)) = classes.iter_mut().find(|(own, _)| own == class) {
        places.insert(place);
        return;
    }
    let mut places = Places::default();
    places.insert(place);
    classes.push((class.clone(), places));
}

/// The places that are reached from a step without a character and without a condition.
fn closure(steps: &[Step], from: usize) -> Places {
    let (mut places, mut reached, mut pending) = (Places::default(), Places::default(), vec![from]);
    while let Some(at) = pending.pop() {
        if reached.has(at) {
            continue;
        }
        reached.insert(at);
        match steps.get(at) {
            Some(Step::Split(one, other)) => pending.extend([*one, *other]),
            Some(Step::Jump(to)) => pending.push(*to),
            Some(_) => places.insert(at),
            None => {}
        }
    }
    places
}

fn side(character: Option<char>) -> Side {
    match character {
        None => Side::Nothing,
        Some(c) if c.is_ascii_alphanumeric() || c == '_' => Side::Word,
        Some(_) => Side::Other,
    }
}
