//! From an expression to instructions.
//!
//! In scope: the order of choices (greedy and lazy, first alternative first), and what can follow a run or
//! comes first of many alternatives, so that the matcher does not try what cannot fit. Out of scope: bytes (`encode`).

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use super::super::program::MAX_NO;
use super::set::Error;

/// Characters: a bit per ASCII character, and all others or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Characters {
    pub(super) ascii: u128,
    pub(super) others: bool,
}

impl Characters {
    fn of_byte(byte: u8) -> Self {
        if byte.is_ascii() { Self { ascii: 1 << byte, others: false } } else { Self { ascii: 0, others: true } }
    }

    fn union(self, other: Self) -> Self {
        Self { ascii: self.ascii | other.ascii, others: self.others || other.others }
    }

    fn is_disjoint(self, other: Self) -> bool {
        self.ascii & other.ascii == 0 && !(self.others && other.others)
    }

    /// What `.` matches.
    pub(super) fn any() -> Self {
        Self { ascii: !(1 << b'\n'), others: true }
    }
}

/// A place in a program, known once its code is emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label(usize);

#[derive(Clone, Debug)]
pub(super) enum Op {
    Literal(Vec<u8>),
    LiteralAnyCase(Vec<u8>),
    Class(Characters),
    Run(Run),
    Split(Label),
    SplitJump(Label),
    Jump(Label),
    Save(u8),
    Look(Look),
    /// What comes first from here on, if something must.
    First(Option<Characters>),
    Alternatives,
    /// In front of an alternative: where the next begins.
    Branch(Label),
    /// In front of the last alternative: where it ends.
    LastBranch(Label),
    Match,
}

/// A class repeated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) class: Characters,
    pub(super) min: u8,
    pub(super) max: u16,
    pub(super) is_lazy: bool,
    /// What can follow it, if something must.
    pub(super) follow: Option<Characters>,
    /// Whether giving characters back cannot help.
    pub(super) takes_all: bool,
    /// The slot of its start if a group holds it and nothing else; its end has the next one.
    pub(super) group: Option<u8>,
}

/// A pattern's instructions.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) ops: Vec<Op>,
    /// Label -> index of an instruction.
    labels: Vec<usize>,
}

/// Alternatives from which on one look at all of them pays.
const FIRST_BRANCHES_MIN: usize = 4;

impl Program {
    /// Emits an expression; `groups` has a bit per group whose text is wanted.
    pub(super) fn new(expression: &Hir, groups: u16) -> Result<Self, Error> {
        let mut program = Self::default();
        program.emit(expression, groups)?;
        program.ops.push(Op::Match);
        program.look_ahead();
        Ok(program)
    }

    pub(super) fn index(&self, label: Label) -> usize {
        self.labels.get(label.0).copied().unwrap_or(usize::MAX)
    }

    /// The characters that can come first from an instruction on; `None` if nothing need come.
    pub(super) fn first(&self, index: usize) -> Option<Characters> {
        let mut found = Characters::default();
        let mut seen = vec![false; self.ops.len()];
        let mut open = vec![index];
        while let Some(index) = open.pop() {
            let op = self.ops.get(index)?;
            if std::mem::replace(&mut seen[index], true) {
                continue;
            }
            match op {
                Op::Literal(bytes) => found = found.union(Characters::of_byte(bytes[0])),
                Op::LiteralAnyCase(bytes) => {
                    let upper = Characters::of_byte(bytes[0].to_ascii_uppercase());
                    found = found.union(Characters::of_byte(bytes[0])).union(upper);
                }
                Op::Class(class) => found = found.union(*class),
                Op::Run(Run { class, min, .. }) => {
                    found = found.union(*class);
                    open.extend((*min == 0).then_some(index + 1));
                }
                Op::Split(label) | Op::SplitJump(label) => open.extend([index + 1, self.index(*label)]),
                Op::Jump(label) => open.push(self.index(*label)),
                Op::Look(Look::End) | Op::Match => return None,
                Op::Save(_) | Op::Look(_) | Op::First(_) => open.push(index + 1),
                Op::Alternatives => open.extend(self.branches(index + 1).into_iter().map(|branch| branch + 1)),
                Op::Branch(next) => open.push(self.index(*next)),
                Op::LastBranch(end) => open.push(self.index(*end)),
            }
        }
        Some(found)
    }

    fn emit(&mut self, expression: &Hir, groups: u16) -> Result<(), Error> {
        match expression.kind() {
            HirKind::Empty => {}
            HirKind::Literal(literal) => self.ops.push(Op::Literal(literal.0.to_vec())),
            HirKind::Class(class) => self.ops.push(Op::Class(characters(class)?)),
            HirKind::Look(look) => self.ops.push(Op::Look(*look)),
            HirKind::Capture(capture) => {
                let wanted = capture.index <= 9 && groups >> capture.index & 1 == 1;
                let slot = u8::try_from(capture.index * 2).unwrap_or_default().wrapping_sub(2);
                if wanted && let Some(run) = single_run(&capture.sub)? {
                    self.ops.push(Op::Run(Run { group: Some(slot), ..run }));
                    return Ok(());
                }
                self.ops.extend(wanted.then_some(Op::Save(slot)));
                self.emit(&capture.sub, groups)?;
                self.ops.extend(wanted.then_some(Op::Save(slot + 1)));
            }
            HirKind::Repetition(repetition) => self.emit_repetition(repetition, groups)?,
            HirKind::Concat(parts) => self.emit_concat(parts, groups)?,
            HirKind::Alternation(branches) => self.emit_alternation(branches, groups)?,
        }
        Ok(())
    }

    /// Emits parts in order, with letters of either case in a row as one instruction.
    fn emit_concat(&mut self, parts: &[Hir], groups: u16) -> Result<(), Error> {
        let mut rest = parts;
        while let Some((part, after)) = rest.split_first() {
            let word: Vec<Vec<u8>> = rest.iter().map_while(any_case).collect();
            let has_letter = rest.iter().take(word.len()).any(|part| matches!(part.kind(), HirKind::Class(_)));
            if word.len() > 1 && has_letter {
                self.ops.push(Op::LiteralAnyCase(word.concat()));
                rest = &rest[word.len()..];
            } else {
                self.emit(part, groups)?;
                rest = after;
            }
        }
        Ok(())
    }

    fn emit_repetition(&mut self, repetition: &Repetition, groups: u16) -> Result<(), Error> {
        if let Some(run) = repeated_class(repetition)? {
            self.ops.push(Op::Run(run));
            return Ok(());
        }
        for _ in 0..repetition.min {
            self.emit(&repetition.sub, groups)?;
        }
        let split = if repetition.greedy { Op::Split } else { Op::SplitJump };
        let end = self.label();
        match repetition.max {
            None if repetition.sub.properties().minimum_len() == Some(0) => return Err(Error::EmptyLoop),
            None => {
                let again = self.label();
                self.place(again);
                self.ops.push(split(end));
                self.emit(&repetition.sub, groups)?;
                self.ops.push(Op::Jump(again));
            }
            Some(max) => {
                for _ in repetition.min..max {
                    self.ops.push(split(end));
                    self.emit(&repetition.sub, groups)?;
                }
            }
        }
        self.place(end);
        Ok(())
    }

    fn emit_alternation(&mut self, branches: &[Hir], groups: u16) -> Result<(), Error> {
        let mut next = self.label();
        if let [branch, nothing] = branches
            && matches!(nothing.kind(), HirKind::Empty)
        {
            self.ops.push(Op::Split(next));
            self.emit(branch, groups)?;
            self.place(next);
            return Ok(());
        }
        self.ops.extend((branches.len() >= FIRST_BRANCHES_MIN).then_some(Op::First(None)));
        self.ops.push(Op::Alternatives);
        for (index, branch) in branches.iter().enumerate() {
            self.ops.push(if index + 1 == branches.len() { Op::LastBranch(next) } else { Op::Branch(next) });
            self.emit(branch, groups)?;
            self.place(next);
            next = self.label();
        }
        Ok(())
    }

    /// The branches of which the first is at an index.
    fn branches(&self, first: usize) -> Vec<usize> {
        let next = |index: &usize| match self.ops.get(*index) {
            Some(Op::Branch(next)) => Some(self.index(*next)),
            _ => None,
        };
        std::iter::successors(Some(first), next).collect()
    }

    /// Notes for every run, and in front of many alternatives, what can follow.
    fn look_ahead(&mut self) {
        let follows: Vec<Option<Characters>> = (0..self.ops.len()).map(|index| self.first(index + 1)).collect();
        for (op, next) in self.ops.iter_mut().zip(follows) {
            if let Op::Run(Run { class, follow, takes_all, .. }) = op {
                *takes_all = next.is_some_and(|next| next.is_disjoint(*class));
                *follow = next;
            } else if let Op::First(first) = op {
                *first = next;
            }
        }
    }

    fn label(&mut self) -> Label {
        self.labels.push(usize::MAX);
        Label(self.labels.len() - 1)
    }

    fn place(&mut self, label: Label) {
        self.labels[label.0] = self.ops.len();
    }
}

/// The class of an expression that matches exactly one character.
fn single(expression: &Hir) -> Result<Option<Characters>, Error> {
    match expression.kind() {
        HirKind::Class(class) => characters(class).map(Some),
        HirKind::Literal(literal) if literal.0.len() == 1 => Ok(Some(Characters::of_byte(literal.0[0]))),
        _ => Ok(None),
    }
}

/// The run that is all of an expression.
fn single_run(expression: &Hir) -> Result<Option<Run>, Error> {
    match expression.kind() {
        HirKind::Repetition(repetition) => repeated_class(repetition),
        _ => Ok(None),
    }
}

/// The run of a repetition of exactly one character.
fn repeated_class(repetition: &Repetition) -> Result<Option<Run>, Error> {
    let Some(class) = single(&repetition.sub)? else { return Ok(None) };
    let min = u8::try_from(repetition.min).map_err(|_| Error::RunTooLong { found: repetition.min })?;
    let max =
        repetition.max.map_or(Ok(MAX_NO), |max| u16::try_from(max).map_err(|_| Error::RunTooLong { found: max }))?;
    Ok(Some(Run { class, min, max, is_lazy: !repetition.greedy, follow: None, takes_all: false, group: None }))
}

/// The lower-case bytes of a part that matches in either case.
fn any_case(part: &Hir) -> Option<Vec<u8>> {
    match part.kind() {
        HirKind::Literal(literal) if !literal.0.iter().any(u8::is_ascii_alphabetic) => Some(literal.0.to_vec()),
        HirKind::Class(class) => {
            let ascii = characters(class).ok().filter(|class| !class.others)?.ascii;
            let lower = (b'a'..=b'z').find(|lower| ascii == 1 << lower | 1 << lower.to_ascii_uppercase())?;
            Some(vec![lower])
        }
        _ => None,
    }
}

fn characters(class: &Class) -> Result<Characters, Error> {
    let (ranges, last): (Vec<(u32, u32)>, u32) = match class {
        Class::Bytes(class) => (class.iter().map(|range| (range.start().into(), range.end().into())).collect(), 0xFF),
        Class::Unicode(class) => {
            (class.iter().map(|range| (range.start().into(), range.end().into())).collect(), 0x10_FFFF)
        }
    };
    let mut found = Characters::default();
    for (start, end) in ranges {
        found.ascii |= (start..=end.min(0x7F)).fold(0, |ascii, byte| ascii | 1 << byte);
        match (start, end) {
            (_, ..=0x7F) => {}
            (..=0x80, end) if end == last => found.others = true,
            _ => return Err(Error::MixedClass),
        }
    }
    Ok(found)
}
