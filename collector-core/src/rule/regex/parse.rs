//! From the text of an expression to its steps.
//!
//! In scope: characters, classes, groups, `|`, `* + ? {m,n}`, `^ $ \b \B`, `(?i)` for the whole expression. Whether a repetition is lazy makes no
//! difference to whether a text matches: `?` behind one is read and ignored.

use super::class::Class;
use super::{MAX_STEPS, RegexError};

/// How deep groups may be nested.
const MAX_GROUPS: usize = 16;

const TOO_LARGE: RegexError = RegexError { expected: "a pattern of at most 256 steps, repetitions counted out", at: 1 };

/// Compiles an expression.
pub(super) fn compile(pattern: &str) -> Result<Vec<Step>, RegexError> {
    let (skipped, body) = pattern.strip_prefix("(?i)").map_or((0, pattern), |rest| (4, rest));
    let mut parser = Parser { characters: body.chars().collect(), at: 0, skipped, ignores_case: skipped > 0 };
    let tree = parser.alternatives(0)?;
    if parser.at < parser.characters.len() {
        return Err(parser.fault("( before this )"));
    }
    let mut steps = Vec::new();
    emit(&tree, &mut steps)?;
    push(&mut steps, Step::Match)?;
    Ok(steps)
}

/// One step through an expression; numbers are places in the list of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
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

/// A part of an expression.
enum Part {
    One(Step),
    Sequence(Vec<Self>),
    Alternatives(Vec<Self>),
    Repeat { part: Box<Self>, least: usize, most: Option<usize> },
}

struct Parser {
    characters: Vec<char>,
    at: usize,
    /// Characters of the expression before the first of these.
    skipped: usize,
    ignores_case: bool,
}

impl Parser {
    fn alternatives(&mut self, depth: usize) -> Result<Part, RegexError> {
        let mut parts = vec![self.sequence(depth)?];
        while self.take('|') {
            parts.push(self.sequence(depth)?);
        }
        Ok(Part::Alternatives(parts))
    }

    fn sequence(&mut self, depth: usize) -> Result<Part, RegexError> {
        let mut parts = Vec::new();
        while self.peek().is_some_and(|c| c != '|' && c != ')') {
            let part = self.one(depth)?;
            parts.push(self.repeated(part)?);
        }
        Ok(Part::Sequence(parts))
    }

    fn one(&mut self, depth: usize) -> Result<Part, RegexError> {
        let Some(character) = self.next() else { return Err(self.fault("a character")) };
        match character {
            '(' => self.group(depth),
            '[' => self.class(),
            '.' => Ok(self.take_of(vec![('\n', '\n')], true)),
            '^' => Ok(Part::One(Step::Start)),
            '$' => Ok(Part::One(Step::End)),
            '\\' => self.escape(),
            '*' | '+' | '?' | '{' => {
                self.at -= 1;
                Err(self.fault("something to repeat (a character that repeats is written \\*)"))
            }
            other => Ok(self.take_of(vec![(other, other)], false)),
        }
    }

    fn group(&mut self, depth: usize) -> Result<Part, RegexError> {
        if depth == MAX_GROUPS {
            return Err(self.fault("at most 16 groups in one another"));
        }
        if self.take('?') && !self.take(':') {
            return Err(self.fault("a plain group ( or (?: (look-around, names and flags are not supported)"));
        }
        let inner = self.alternatives(depth + 1)?;
        if self.take(')') { Ok(inner) } else { Err(self.fault(") at the end of a group")) }
    }

    /// The inside of `[...]`.
    fn class(&mut self) -> Result<Part, RegexError> {
        let is_negated = self.take('^');
        let mut ranges = Vec::new();
        let first = self.at;
        while self.at == first || self.peek() != Some(']') {
            let Some(character) = self.next() else { return Err(self.fault("] at the end of a class")) };
            if character == '[' {
                return Err(self.fault("\\[ for a bracket in a class"));
            }
            let low = match character {
                '\\' => match self.escaped()? {
                    Escaped::Set(set, false) => {
                        ranges.extend_from_slice(set);
                        continue;
                    }
                    Escaped::Character(character) => character,
                    _ => return Err(self.fault("a character or \\d, \\w, \\s in a class")),
                },
                plain => plain,
            };
            let high = if self.begins_range() { self.range_end()? } else { low };
            if high < low {
                return Err(self.fault("a range from a lower to a higher character"));
            }
            ranges.push((low, high));
        }
        self.at += 1;
        Ok(self.take_of(ranges, is_negated))
    }

    fn begins_range(&self) -> bool {
        self.peek() == Some('-') && self.characters.get(self.at + 1).is_some_and(|c| *c != ']')
    }

    fn range_end(&mut self) -> Result<char, RegexError> {
        self.at += 1;
        match self.next() {
            Some('\\') => match self.escaped()? {
                Escaped::Character(character) => Ok(character),
                _ => Err(self.fault("a character at the end of a range")),
            },
            Some('[') | None => Err(self.fault("a character at the end of a range")),
            Some(character) => Ok(character),
        }
    }

    /// What follows a backslash outside a class.
    fn escape(&mut self) -> Result<Part, RegexError> {
        Ok(match self.escaped()? {
            Escaped::Set(set, is_negated) => self.take_of(set.to_vec(), is_negated),
            Escaped::Boundary(wanted) => Part::One(Step::Boundary(wanted)),
            Escaped::Character(character) => self.take_of(vec![(character, character)], false),
        })
    }

    fn escaped(&mut self) -> Result<Escaped, RegexError> {
        const DIGITS: &[(char, char)] = &[('0', '9')];
        const WORDS: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
        const SPACES: &[(char, char)] = &[('\t', '\r'), (' ', ' ')];
        Ok(match self.next() {
            Some('d') => Escaped::Set(DIGITS, false),
            Some('D') => Escaped::Set(DIGITS, true),
            Some('w') => Escaped::Set(WORDS, false),
            Some('W') => Escaped::Set(WORDS, true),
            Some('s') => Escaped::Set(SPACES, false),
            Some('S') => Escaped::Set(SPACES, true),
            Some('b') => Escaped::Boundary(true),
            Some('B') => Escaped::Boundary(false),
            Some('n') => Escaped::Character('\n'),
            Some('r') => Escaped::Character('\r'),
            Some('t') => Escaped::Character('\t'),
            Some(sign) if sign.is_ascii_punctuation() => Escaped::Character(sign),
            _ => return Err(self.fault("a sign or one of d D w W s S b B n r t after \\")),
        })
    }

    fn repeated(&mut self, part: Part) -> Result<Part, RegexError> {
        let (least, most) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => return self.counted(part),
            _ => return Ok(part),
        };
        self.at += 1;
        self.take('?');
        self.once(Part::Repeat { part: Box::new(part), least, most })
    }

    fn counted(&mut self, part: Part) -> Result<Part, RegexError> {
        self.at += 1;
        let least = self.count()?;
        let most = match (self.take(','), self.peek()) {
            (false, _) => Some(least),
            (true, Some('}')) => None,
            (true, _) => Some(self.count()?),
        };
        if !self.take('}') || most.is_some_and(|most| most < least) {
            return Err(self.fault("a repetition such as {2}, {2,} or {2,5}"));
        }
        self.take('?');
        self.once(Part::Repeat { part: Box::new(part), least, most })
    }

    /// A repetition of a repetition is written with a group.
    fn once(&self, part: Part) -> Result<Part, RegexError> {
        let is_repeated = self.peek().is_some_and(|c| matches!(c, '*' | '+' | '?' | '{'));
        if is_repeated { Err(self.fault("a group around what repeats a repetition")) } else { Ok(part) }
    }

    fn count(&mut self) -> Result<usize, RegexError> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let digits: String = self.characters.get(start..self.at).unwrap_or_default().iter().collect();
        let count = digits.parse().map_err(|_| self.fault("a number of repetitions"))?;
        if count > MAX_STEPS { Err(TOO_LARGE) } else { Ok(count) }
    }

    fn take_of(&self, ranges: Vec<(char, char)>, is_negated: bool) -> Part {
        Part::One(Step::Take(Class { ranges, is_negated, ignores_case: self.ignores_case }))
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += 1;
        Some(character)
    }

    fn take(&mut self, character: char) -> bool {
        let is_there = self.peek() == Some(character);
        self.at += usize::from(is_there);
        is_there
    }

    fn fault(&self, expected: &'static str) -> RegexError {
        RegexError { expected, at: self.skipped + self.at + 1 }
    }
}

/// What a backslash makes of the next character.
enum Escaped {
    Character(char),
    /// A set, or (`true`) all but the set.
    Set(&'static [(char, char)], bool),
    Boundary(bool),
}

/// Appends the steps of a part.
fn emit(part: &Part, steps: &mut Vec<Step>) -> Result<(), RegexError> {
    match part {
        Part::One(step) => push(steps, step.clone()),
        Part::Sequence(parts) => parts.iter().try_for_each(|part| emit(part, steps)),
        Part::Alternatives(parts) => emit_alternatives(parts, steps),
        Part::Repeat { part, least, most } => emit_repeat(part, *least, *most, steps),
    }
}

/// `a|b`: split to a and behind it; after a, jump behind b.
fn emit_alternatives(parts: &[Part], steps: &mut Vec<Step>) -> Result<(), RegexError> {
    let Some((last, others)) = parts.split_last() else { return Ok(()) };
    let mut jumps = Vec::new();
    for part in others {
        let split = steps.len();
        push(steps, Step::Split(split + 1, 0))?;
        emit(part, steps)?;
        jumps.push(steps.len());
        push(steps, Step::Jump(0))?;
        let next = steps.len();
        set(steps, split, Step::Split(split + 1, next));
    }
    emit(last, steps)?;
    let end = steps.len();
    for jump in jumps {
        set(steps, jump, Step::Jump(end));
    }
    Ok(())
}

/// `a{2,4}` is `aa(a(a)?)?`; `a{2,}` is `aaa*`.
fn emit_repeat(part: &Part, least: usize, most: Option<usize>, steps: &mut Vec<Step>) -> Result<(), RegexError> {
    for _ in 0..least {
        let before = steps.len();
        emit(part, steps)?;
        // Nothing, many times, is nothing: otherwise `(((){250}){250}){250}` would take for ever.
        if steps.len() == before {
            break;
        }
    }
    let Some(most) = most else {
        let split = steps.len();
        push(steps, Step::Split(split + 1, 0))?;
        emit(part, steps)?;
        push(steps, Step::Jump(split))?;
        let end = steps.len();
        set(steps, split, Step::Split(split + 1, end));
        return Ok(());
    };
    let mut splits = Vec::new();
    for _ in least..most {
        splits.push(steps.len());
        push(steps, Step::Split(steps.len() + 1, 0))?;
        emit(part, steps)?;
    }
    let end = steps.len();
    for split in splits {
        set(steps, split, Step::Split(split + 1, end));
    }
    Ok(())
}

fn push(steps: &mut Vec<Step>, step: Step) -> Result<(), RegexError> {
    if steps.len() == MAX_STEPS {
        return Err(TOO_LARGE);
    }
    steps.push(step);
    Ok(())
}

fn set(steps: &mut [Step], at: usize, step: Step) {
    if let Some(own) = steps.get_mut(at) {
        *own = step;
    }
}
