//! From an expression to instructions.
//!
//! In scope: the order of choices (greedy and lazy, first alternative first), switches over long lists of alternatives,
//! and what can follow a run, so that the matcher does not try what cannot fit. Out of scope: bytes (`encode`).

use std::collections::BTreeMap;

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use super::super::program::NO_MAX;
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

    fn has(self, byte: u8) -> bool {
        self.ascii >> byte & 1 == 1
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
    Switch { otherwise: Label, cases: Vec<(u8, Label)> },
    Match,
    Fail,
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

/// Alternatives from which on a switch pays.
const SWITCH_BRANCHES_MIN: usize = 5;
/// Cases of the largest switch; more mean that the alternatives begin with nearly anything.
const SWITCH_CASES_MAX: usize = 64;

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
            // Past the end: a branch whose continuation is not emitted yet.
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
                Op::Save(_) | Op::Look(_) => open.push(index + 1),
                Op::Switch { otherwise, cases } => {
                    open.push(self.index(*otherwise));
                    open.extend(cases.iter().map(|(_, label)| self.index(*label)));
                }
                Op::Fail => {}
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
        if branches.len() >= SWITCH_BRANCHES_MIN && self.emit_switch(branches, groups)? {
            return Ok(());
        }
        let end = self.label();
        for (index, branch) in branches.iter().enumerate() {
            let next = self.label();
            let is_last = index + 1 == branches.len();
            self.ops.extend((!is_last).then_some(Op::Split(next)));
            self.emit(branch, groups)?;
            self.ops.extend((!is_last).then_some(Op::Jump(end)));
            self.place(next);
        }
        self.place(end);
        Ok(())
    }

    /// Emits alternatives behind a switch on the next byte: for each byte, those that can begin with it, in their order.
    fn emit_switch(&mut self, branches: &[Hir], groups: u16) -> Result<bool, Error> {
        let (ops, labels) = (self.ops.len(), self.labels.len());
        let (otherwise, end) = (self.label(), self.label());
        self.ops.push(Op::Switch { otherwise, cases: Vec::new() });
        let mut starts = Vec::new();
        for branch in branches {
            let (start, index) = (self.label(), self.ops.len());
            self.place(start);
            self.emit(branch, groups)?;
            starts.push((start, self.first(index)));
            self.ops.push(Op::Jump(end));
        }
        let able = |fits: &dyn Fn(Characters) -> bool| -> Vec<Label> {
            starts.iter().filter(|(_, first)| first.is_none_or(fits)).map(|(start, _)| *start).collect()
        };
        let default = able(&|first| first.others);
        let cases: Vec<(u8, Vec<Label>)> =
            (0..128).map(|byte| (byte, able(&|first| first.has(byte)))).filter(|(_, able)| *able != default).collect();
        if cases.len() > SWITCH_CASES_MAX {
            self.ops.truncate(ops);
            self.labels.truncate(labels);
            return Ok(false);
        }
        let mut chains = BTreeMap::from([(default, otherwise)]);
        let cases =
            cases.into_iter().map(|(byte, able)| (byte, *chains.entry(able).or_insert_with(|| self.label()))).collect();
        for (able, label) in chains {
            self.place(label);
            self.emit_chain(&able);
        }
        self.place(end);
        self.ops[ops] = Op::Switch { otherwise, cases };
        Ok(true)
    }

    /// Emits a try of each place, in order.
    fn emit_chain(&mut self, places: &[Label]) {
        match places.split_last() {
            None => self.ops.push(Op::Fail),
            Some((last, before)) => {
                self.ops.extend(before.iter().map(|place| Op::SplitJump(*place)));
                self.ops.push(Op::Jump(*last));
            }
        }
    }

    /// Notes for every run what can follow it.
    fn look_ahead(&mut self) {
        let follows: Vec<Option<Characters>> = (0..self.ops.len()).map(|index| self.first(index + 1)).collect();
        for (op, next) in self.ops.iter_mut().zip(follows) {
            if let Op::Run(Run { class, follow, takes_all, .. }) = op {
                *takes_all = next.is_some_and(|next| next.is_disjoint(*class));
                *follow = next;
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
        repetition.max.map_or(Ok(NO_MAX), |max| u16::try_from(max).map_err(|_| Error::RunTooLong { found: max }))?;
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
