//! From instructions to bytes.

use std::collections::BTreeMap;

use regex_syntax::hir::Look;

use super::super::program::{
    ALTERNATIVES, ANY, BRANCH, BYTE, CLASS, CLASS_BYTES, END, FIRST, JUMP, JUMP_BYTES, LAST_BRANCH, LITERAL,
    LITERAL_ANY_CASE, MATCH, NO_CLASS, NOT_WORD_BOUNDARY, RUN, RUN_ALL, RUN_ALL_BYTES, RUN_ALL_GROUP, RUN_BYTES,
    RUN_LAZY, SAVE, SPLIT, SPLIT_JUMP, START, WORD_BOUNDARY,
};
use super::emit::{Characters, Label, Op, Program, Run};
use super::set::Error;

/// The classes of a set, each stored once.
#[derive(Debug)]
pub(super) struct Classes {
    numbers: BTreeMap<Characters, u16>,
    bytes: Vec<u8>,
}

impl Default for Classes {
    fn default() -> Self {
        let any = Characters::any();
        let mut bytes = any.ascii.to_le_bytes().to_vec();
        bytes.push(1);
        Self { numbers: BTreeMap::from([(any, ANY)]), bytes }
    }
}

impl Classes {
    pub(super) fn number(&mut self, class: Characters) -> Result<u16, Error> {
        if let Some(number) = self.numbers.get(&class) {
            return Ok(*number);
        }
        let number =
            u16::try_from(self.numbers.len()).ok().filter(|number| *number != NO_CLASS).ok_or(Error::TooManyClasses)?;
        self.bytes.extend(class.ascii.to_le_bytes());
        self.bytes.push(u8::from(class.others));
        self.numbers.insert(class, number);
        Ok(number)
    }

    /// The number of a class, [`NO_CLASS`] for one that excludes nothing.
    pub(super) fn number_or_none(&mut self, class: Option<Characters>) -> Result<u16, Error> {
        class.map_or(Ok(NO_CLASS), |class| self.number(class))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        debug_assert_eq!(self.bytes.len(), self.numbers.len() * CLASS_BYTES, "expected {CLASS_BYTES} bytes per class");
        self.bytes
    }
}

/// The bytes of a program.
pub(super) fn encode(program: &Program, classes: &mut Classes) -> Result<Vec<u8>, Error> {
    let first = first(program, classes)?;
    let mut offsets = Vec::with_capacity(program.ops.len() + 1);
    let mut offset = first.len();
    for op in &program.ops {
        offsets.push(offset);
        offset += length(op);
    }
    offsets.push(offset);
    if u16::try_from(offset).is_err() {
        return Err(Error::ProgramTooLong { found: offset });
    }
    // Relative to the instruction at `from`, wrapping around 16 bits.
    let target = |from: usize, label: Label| -> [u8; 2] {
        let offset = offsets.get(program.index(label)).copied().unwrap_or(offset);
        let [low, high, ..] = offset.wrapping_sub(from).to_le_bytes();
        [low, high]
    };
    let mut bytes = first;
    for op in &program.ops {
        let at = bytes.len();
        match op {
            Op::Literal(literal) if literal.len() == 1 => bytes.extend([BYTE, literal[0]]),
            Op::Literal(literal) => encode_literal(&mut bytes, LITERAL, literal)?,
            Op::LiteralAnyCase(literal) => encode_literal(&mut bytes, LITERAL_ANY_CASE, literal)?,
            Op::Class(class) => {
                bytes.push(CLASS);
                bytes.extend(classes.number(*class)?.to_le_bytes());
            }
            Op::Run(run) => bytes.extend(encode_run(run, classes)?),
            Op::Split(label) => bytes.extend([[SPLIT].as_slice(), &target(at, *label)].concat()),
            Op::SplitJump(label) => bytes.extend([[SPLIT_JUMP].as_slice(), &target(at, *label)].concat()),
            Op::Jump(label) => bytes.extend([[JUMP].as_slice(), &target(at, *label)].concat()),
            Op::Save(slot) => bytes.extend([SAVE, *slot]),
            Op::Look(look) => bytes.push(encode_look(*look)?),
            Op::First(None) => {}
            Op::First(Some(class)) => {
                bytes.push(FIRST);
                bytes.extend(classes.number(*class)?.to_le_bytes());
            }
            Op::Alternatives => bytes.push(ALTERNATIVES),
            Op::Branch(label) => bytes.extend([[BRANCH].as_slice(), &target(at, *label)].concat()),
            Op::LastBranch(label) => bytes.extend([[LAST_BRANCH].as_slice(), &target(at, *label)].concat()),
            Op::Match => bytes.push(MATCH),
        }
    }
    Ok(bytes)
}

/// What a match begins with, where the program does not begin with it.
fn first(program: &Program, classes: &mut Classes) -> Result<Vec<u8>, Error> {
    let is_pass = |op: &&Op| matches!(op, Op::Save(_) | Op::Look(Look::WordAscii));
    let is_told = match program.ops.iter().find(|op| !is_pass(op)) {
        Some(Op::Literal(_) | Op::LiteralAnyCase(_) | Op::Class(_) | Op::First(Some(_)) | Op::Look(Look::Start)) => {
            true
        }
        Some(Op::Run(run)) => run.min > 0,
        _ => false,
    };
    match program.first(0).filter(|_| !is_told) {
        Some(class) => Ok([&[FIRST], classes.number(class)?.to_le_bytes().as_slice()].concat()),
        None => Ok(Vec::new()),
    }
}

fn length(op: &Op) -> usize {
    match op {
        Op::Literal(literal) if literal.len() == 1 => 2,
        Op::Literal(literal) | Op::LiteralAnyCase(literal) => 2 + literal.len(),
        Op::Save(_) => 2,
        Op::Run(Run { takes_all: true, group, .. }) => RUN_ALL_BYTES + usize::from(group.is_some()),
        Op::Run(Run { takes_all: false, group, .. }) => RUN_BYTES + if group.is_some() { 4 } else { 0 },
        Op::First(None) => 0,
        Op::Class(_) | Op::First(Some(_)) => 3,
        Op::Split(_) | Op::SplitJump(_) | Op::Jump(_) | Op::Branch(_) | Op::LastBranch(_) => JUMP_BYTES,
        Op::Look(_) | Op::Alternatives | Op::Match => 1,
    }
}

fn encode_run(run: &Run, classes: &mut Classes) -> Result<Vec<u8>, Error> {
    let mut operands = classes.number(run.class)?.to_le_bytes().to_vec();
    operands.push(run.min);
    operands.extend(run.max.to_le_bytes());
    if run.takes_all {
        let opcode = run.group.map_or(vec![RUN_ALL], |slot| vec![RUN_ALL_GROUP, slot]);
        return Ok([opcode, operands].concat());
    }
    operands.extend(classes.number_or_none(run.follow)?.to_le_bytes());
    let opcode = if run.is_lazy { RUN_LAZY } else { RUN };
    let [before, after] = match run.group {
        Some(slot) => [vec![SAVE, slot], vec![SAVE, slot + 1]],
        None => [vec![], vec![]],
    };
    Ok([before, vec![opcode], operands, after].concat())
}

fn encode_literal(bytes: &mut Vec<u8>, opcode: u8, literal: &[u8]) -> Result<(), Error> {
    let length = u8::try_from(literal.len()).map_err(|_| Error::LiteralTooLong { found: literal.len() })?;
    bytes.extend([opcode, length]);
    bytes.extend(literal);
    Ok(())
}

fn encode_look(look: Look) -> Result<u8, Error> {
    match look {
        Look::Start => Ok(START),
        Look::End => Ok(END),
        Look::WordAscii => Ok(WORD_BOUNDARY),
        Look::WordAsciiNegate => Ok(NOT_WORD_BOUNDARY),
        other => Err(Error::Look { found: format!("{other:?}") }),
    }
}
