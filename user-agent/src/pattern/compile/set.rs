//! A whole set: programs, atoms and clauses in one table.

use std::collections::BTreeMap;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, Look};

use super::super::program::{
    ATOM_END, ATOM_USES_MAX, BUCKETS_PER_ATOM, CLAUSE_BYTES, FLAG_ANCHORED, GRAM_BYTES, USE_CLAUSE, bucket,
};
use super::super::table::SECTIONS;
use super::atom::{Clause, clauses, gram_offset, shortened};
use super::emit::{Characters, Program};
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
    /// Atoms or clauses that 16 bits cannot number.
    #[error("expected a {section} section that 16 bits can address, found {found}")]
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
    for (pattern, source) in sources.iter().enumerate() {
        builder
            .add(pattern, source)
            .map_err(|reason| Error::Pattern { expression: source.expression.clone(), reason: Box::new(reason) })?;
    }
    builder.finish(sources.len())
}

#[derive(Default)]
struct Builder {
    classes: Classes,
    program_offsets: Vec<u8>,
    programs: Vec<u8>,
    patterns: Vec<u8>,
    always: Vec<usize>,
    /// Atom -> where it is used.
    atoms: BTreeMap<Vec<u8>, Vec<u16>>,
    /// The clauses of the patterns that have several.
    clauses: Vec<u8>,
}

impl Builder {
    fn add(&mut self, pattern: usize, source: &Source) -> Result<(), Error> {
        let expression = parse(source)?;
        let program = Program::new(&expression, source.groups)?;
        let first = program.first(0);
        let first_class = self.classes.number_or_none(first)?;
        let first_byte = first.and_then(Characters::only).unwrap_or_default();
        let anchored = expression.properties().look_set_prefix().contains(Look::Start);
        let clauses = clauses(&expression);
        self.program_offsets.extend(size(self.programs.len()));
        self.programs.extend(encode(&program, &mut self.classes)?);
        self.patterns.extend(first_class.to_le_bytes());
        self.patterns.extend([first_byte, if anchored { FLAG_ANCHORED } else { 0 }]);
        self.add_clauses(pattern, clauses)
    }

    fn add_clauses(&mut self, pattern: usize, clauses: Vec<Clause>) -> Result<(), Error> {
        let count = clauses.len();
        if count == 0 {
            self.always.push(pattern);
        }
        for (index, clause) in clauses.into_iter().enumerate() {
            let pattern = narrow("patterns", pattern)?;
            let mut reference = pattern;
            if count > 1 {
                reference = narrow("clauses", self.clauses.len() / CLAUSE_BYTES)? | USE_CLAUSE;
                self.clauses.extend(pattern.to_le_bytes());
                self.clauses.extend([index, count].map(|value| u8::try_from(value).unwrap_or(u8::MAX)));
            }
            for atom in clause {
                let uses = self.atoms.entry(shortened(&atom).to_vec()).or_default();
                if uses.last() != Some(&reference) {
                    uses.push(reference);
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, patterns: usize) -> Result<Vec<u8>, Error> {
        self.program_offsets.extend(size(self.programs.len()));
        let mut always = vec![0_u64; patterns.div_ceil(64)];
        for pattern in &self.always {
            always[pattern / 64] |= 1 << (pattern % 64);
        }
        let mut prefilter = Prefilter::default();
        prefilter.fill(&self.atoms)?;
        let sections: [Vec<u8>; SECTIONS.len()] = [
            self.classes.into_bytes(),
            self.program_offsets,
            self.programs,
            self.patterns,
            always.iter().flat_map(|word| word.to_le_bytes()).collect(),
            prefilter.buckets,
            prefilter.atoms,
            self.clauses,
        ];
        let mut end = sections.len() * 4;
        let mut table = Vec::new();
        for section in &sections {
            end += section.len();
            table.extend(size(end));
        }
        table.extend(sections.concat());
        Ok(table)
    }
}

/// The sections that the prefilter reads.
#[derive(Default)]
struct Prefilter {
    buckets: Vec<u8>,
    atoms: Vec<u8>,
}

impl Prefilter {
    fn fill(&mut self, atoms: &BTreeMap<Vec<u8>, Vec<u16>>) -> Result<(), Error> {
        let bucket_bits = (atoms.len().max(1) * BUCKETS_PER_ATOM).next_power_of_two().ilog2();
        let mut by_bucket: BTreeMap<usize, Vec<(&Vec<u8>, usize)>> = BTreeMap::new();
        for atom in atoms.keys() {
            let offset = gram_offset(atom, bucket_bits);
            let gram = atom[offset..offset + GRAM_BYTES].iter().fold(0, |gram, byte| gram << 8 | u32::from(*byte));
            by_bucket.entry(bucket(gram, bucket_bits)).or_default().push((atom, offset));
        }
        for index in 0..1 << bucket_bits {
            self.buckets.extend(narrow("atoms", self.atoms.len() / 2)?.to_le_bytes());
            for (atom, offset) in by_bucket.remove(&index).unwrap_or_default() {
                self.add_atom(atom, offset, &atoms[atom])?;
            }
            self.atoms.extend((self.atoms.len() % 2 == 1).then_some(ATOM_END));
        }
        self.buckets.extend(narrow("atoms", self.atoms.len() / 2)?.to_le_bytes());
        Ok(())
    }

    fn add_atom(&mut self, atom: &[u8], gram_offset: usize, uses: &[u16]) -> Result<(), Error> {
        let byte = |value: usize| u8::try_from(value).map_err(|_| Error::SetTooLarge { section: "atom", found: value });
        self.atoms.push(byte((atom.len() - 1) | (gram_offset << 3) | ((uses.len().min(ATOM_USES_MAX) - 1) << 6))?);
        if uses.len() >= ATOM_USES_MAX {
            self.atoms.push(byte(uses.len())?);
        }
        self.atoms.extend(atom);
        self.atoms.extend(uses.iter().flat_map(|used| used.to_le_bytes()));
        Ok(())
    }
}

fn parse(source: &Source) -> Result<Hir, Error> {
    ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .case_insensitive(source.any_case)
        .build()
        .parse(&source.expression)
        .map_err(|error| Error::Syntax(Box::new(error)))
}

fn narrow(section: &'static str, value: usize) -> Result<u16, Error> {
    u16::try_from(value).map_err(|_| Error::SetTooLarge { section, found: value })
}

fn size(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}
