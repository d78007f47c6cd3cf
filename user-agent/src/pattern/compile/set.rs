//! A whole set: programs, atoms and clauses in one table.

use std::collections::BTreeSet;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;

use super::super::program::{ATOM_CONTINUES, ATOM_IN_PROGRAM, CLASS_BYTES};
use super::atom::{Case, clause, gram_offset, shortened};
use super::emit::Program;
use super::encode::{Classes, encode};

/// One pattern to compile.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The expression.
    pub expression: String,
    /// Whether letters match in either case.
    pub any_case: bool,
    /// One bit per group whose text is wanted: bit 1 for `$1` and so on.
    pub groups: u16,
}

/// Why a set cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A pattern of the set.
    #[error("pattern {expression:?}: {reason}")]
    Pattern {
        /// The pattern's expression.
        expression: String,
        /// What is wrong with it.
        reason: Box<Error>,
    },
    /// Not a regular expression.
    #[error("expected a regular expression: {0}")]
    Syntax(Box<regex_syntax::Error>),
    /// A class with some but not all characters beyond ASCII.
    #[error("expected a class with all characters beyond ASCII or none")]
    MixedClass,
    /// A repetition of something that may be empty.
    #[error("expected a repeated part that is never empty")]
    EmptyLoop,
    /// An assertion that the matcher does not know.
    #[error("expected ^, $, \\b or \\B, found {found}")]
    Look {
        /// The assertion.
        found: String,
    },
    /// A repetition count that does not fit.
    #[error("expected a repetition of at least 255 and at most 65,535, found {found}")]
    RunTooLong {
        /// The count.
        found: u32,
    },
    /// A literal that does not fit.
    #[error("expected a literal of at most 255 bytes, found {found}")]
    LiteralTooLong {
        /// Its bytes.
        found: usize,
    },
    /// A program that does not fit.
    #[error("expected a program of at most 65,535 bytes, found {found}")]
    ProgramTooLong {
        /// Its bytes.
        found: usize,
    },
    /// More classes than 16 bits can number.
    #[error("expected at most 65,535 classes")]
    TooManyClasses,
    /// A count or a place that a table cannot hold.
    #[error("expected a {section} number of at most 32,767, found {found}")]
    SetTooLarge {
        /// Which section.
        section: &'static str,
        /// Its size.
        found: usize,
    },
}

/// Compiles patterns into a table for [`super::super::PatternSet::new`]; patterns keep their order.
pub fn compile(sources: &[Source]) -> Result<Vec<u8>, Error> {
    let mut builder = Builder::default();
    for source in sources {
        builder
            .add(source)
            .map_err(|reason| Error::Pattern { expression: source.expression.clone(), reason: Box::new(reason) })?;
    }
    builder.finish(sources.len())
}

#[derive(Default)]
struct Builder {
    classes: Classes,
    /// The patterns' programs and atoms.
    patterns: Vec<u8>,
    /// How many atoms they have.
    atoms: usize,
}

impl Builder {
    fn add(&mut self, source: &Source) -> Result<(), Error> {
        let expression = parse(&source.expression, source.any_case)?;
        let program = encode(&Program::new(&expression, source.groups)?, &mut self.classes)?;
        self.patterns.extend(number("program", program.len())?);
        self.patterns.extend(&program);
        // Parsed as it is spelled: a letter in either case would be a class of two.
        let (clause, case) = clause(&parse(&source.expression, false)?, source.any_case);
        let atoms: BTreeSet<&[u8]> = clause.iter().map(|atom| shortened(atom)).collect();
        self.patterns.extend(number("atoms", atoms.len() << 1 | usize::from(case == Case::Any))?);
        let mut before: &[u8] = &[];
        self.atoms += atoms.len();
        for atom in atoms {
            self.add_atom(atom, before, &program)?;
            before = atom;
        }
        Ok(())
    }

    fn add_atom(&mut self, atom: &[u8], before: &[u8], program: &[u8]) -> Result<(), Error> {
        let head = narrow("atom", (atom.len() - 1) | gram_offset(atom) << 3)?;
        let same = before.iter().zip(atom).take_while(|(left, right)| left == right).count();
        if let Some(place) = place(atom, program).filter(|_| atom.len() - same > 1) {
            self.patterns.push(head | ATOM_IN_PROGRAM);
            self.patterns.extend(number("program", place)?);
        } else if same > 0 {
            self.patterns.extend([head | ATOM_CONTINUES, narrow("atom", same)?]);
            self.patterns.extend(&atom[same..]);
        } else {
            self.patterns.push(head);
            self.patterns.extend(atom);
        }
        Ok(())
    }

    fn finish(self, patterns: usize) -> Result<Vec<u8>, Error> {
        let classes = self.classes.into_bytes();
        let mut table = number("classes", classes.len() / CLASS_BYTES)?;
        table.extend(classes);
        table.extend(number("patterns", patterns)?);
        table.extend(number("atoms", self.atoms)?);
        table.extend(self.patterns);
        Ok(table)
    }
}

/// Where a program spells an atom.
fn place(atom: &[u8], program: &[u8]) -> Option<usize> {
    program.windows(atom.len()).position(|window| window == atom)
}

fn parse(expression: &str, any_case: bool) -> Result<Hir, Error> {
    ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .case_insensitive(any_case)
        .build()
        .parse(expression)
        .map_err(|error| Error::Syntax(Box::new(error)))
}

fn narrow(section: &'static str, value: usize) -> Result<u8, Error> {
    u8::try_from(value).map_err(|_| Error::SetTooLarge { section, found: value })
}

/// A number as a table holds it.
fn number(section: &'static str, value: usize) -> Result<Vec<u8>, Error> {
    if value < 0x80 {
        return Ok(vec![narrow(section, value)?]);
    }
    Ok(vec![narrow(section, value & 0x7F)? | 0x80, narrow(section, value >> 7)?])
}
