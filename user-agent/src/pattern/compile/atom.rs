//! Strings that a text must hold for a pattern to match.
//!
//! In scope: from an expression to clauses, each a set of atoms of which every match holds one (the method of RE2's
//! `FilteredRE2`), and choosing the clause that rules out most user agents.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use super::super::program::{FOLDED, GRAM_BYTES, MAX_ATOM_BYTES};

/// Strings of which every match holds at least one.
pub(super) type Clause = BTreeSet<Vec<u8>>;

/// How letters are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// As they are.
    Exact,
    /// In lower case.
    Any,
}

impl Case {
    /// A text as atoms see it, without the bytes that they skip.
    fn squeeze(self, text: &[u8]) -> Vec<u8> {
        let seen = |byte: &u8| if self == Self::Any { byte.to_ascii_lowercase() } else { *byte };
        text.iter().filter(|byte| FOLDED[usize::from(**byte)] != 0).map(seen).collect()
    }
}

/// Strings that a set may hold when a product of two sets makes it.
const MAX_PRODUCT: usize = 128;
/// Strings that a set may hold when a long list of alternatives makes it.
const MAX_EXACT: usize = 512;
/// Bytes of the longest string kept exact.
const MAX_EXACT_BYTES: usize = 32;
/// Members of the largest class that is spelled out as part of longer strings.
const MAX_CLASS_MEMBERS: usize = 4;
/// Members of the largest class that ends a string too short to be an atom: letters and digits.
const MAX_CLASS_PREFIX_MEMBERS: usize = 36;
/// Copies of the longest repetition that is spelled out: `; {0,2}`.
const MAX_COPIES: u32 = 2;
/// Bytes from which on an atom is long enough as it is.
const LONG_ATOM_BYTES: usize = 4;

/// Shapes of user agents that are common today: an atom that occurs in them rules out little.
const COMMON: [&str; 12] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 13; 2201117TG Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/138.0.7204.63 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0",
];

/// What is known of the strings that an expression matches.
struct Known {
    /// All of them, when they are few.
    exact: Option<Clause>,
    /// What they begin with, when `exact` is not known.
    prefix: Clause,
    clauses: Vec<Clause>,
}

impl Known {
    fn nothing() -> Self {
        Self { exact: None, prefix: Clause::from([Vec::new()]), clauses: Vec::new() }
    }

    fn exactly(exact: Clause) -> Self {
        Self { exact: Some(exact), prefix: Clause::new(), clauses: Vec::new() }
    }

    /// The best clause, with the exact strings counted as one.
    fn best(self, case: Case) -> Option<Clause> {
        let exact = self.exact.filter(is_usable);
        self.clauses.into_iter().chain(exact).min_by(|left, right| cost(left, case).total_cmp(&cost(right, case)))
    }

    /// What the strings begin with.
    fn beginning(&self) -> &Clause {
        self.exact.as_ref().unwrap_or(&self.prefix)
    }
}

/// The clause that rules out most user agents, and how its letters are compared; without atoms if any text may match the expression.
pub(super) fn clause(expression: &Hir, any_case: bool) -> (Clause, Case) {
    let cases: &[Case] = if any_case { &[Case::Any] } else { &[Case::Exact, Case::Any] };
    cases
        .iter()
        .filter_map(|case| Some((without_redundant(&know(expression, *case).best(*case)?), *case)))
        .min_by(|(left, left_case), (right, right_case)| cost(left, *left_case).total_cmp(&cost(right, *right_case)))
        .unwrap_or((Clause::new(), Case::Any))
}

/// Where in an atom its least common gram begins.
pub(super) fn gram_offset(atom: &[u8]) -> usize {
    let common = |wanted: &[u8]| {
        COMMON
            .iter()
            .map(|text| {
                Case::Any
                    .squeeze(text.as_bytes())
                    .windows(GRAM_BYTES)
                    .filter(|gram| wanted.eq_ignore_ascii_case(gram))
                    .count()
            })
            .sum::<usize>()
    };
    atom.windows(GRAM_BYTES).enumerate().min_by_key(|(_, gram)| common(gram)).map_or(0, |(offset, _)| offset)
}

/// The part of a string that serves as its atom: around its least common gram.
pub(super) fn shortened(atom: &[u8]) -> &[u8] {
    let start = gram_offset(atom).min(atom.len().saturating_sub(MAX_ATOM_BYTES));
    &atom[start..atom.len().min(start + MAX_ATOM_BYTES)]
}

fn know(expression: &Hir, case: Case) -> Known {
    match expression.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::exactly(Clause::from([Vec::new()])),
        HirKind::Literal(literal) => Known::exactly(Clause::from([case.squeeze(&literal.0)])),
        HirKind::Class(class) => match members(class, case) {
            Some(members) if members.len() <= MAX_CLASS_MEMBERS => Known::exactly(members),
            Some(members) => Known { prefix: members, ..Known::nothing() },
            None => Known::nothing(),
        },
        HirKind::Capture(capture) => know(&capture.sub, case),
        HirKind::Repetition(repetition) => know_repetition(repetition, case),
        HirKind::Concat(parts) => know_concat(parts, case),
        HirKind::Alternation(branches) => know_alternation(branches, case),
    }
}

fn know_repetition(repetition: &Repetition, case: Case) -> Known {
    let sub = know(&repetition.sub, case);
    match (repetition.min, repetition.max, &sub.exact) {
        (min, Some(max), Some(exact)) if max <= MAX_COPIES => {
            let mut all = Clause::new();
            let mut copies = Clause::from([Vec::new()]);
            for count in 0..=max {
                if count >= min {
                    all.extend(copies.iter().cloned());
                }
                copies = copies
                    .iter()
                    .flat_map(|head| exact.iter().map(move |tail| [head.as_slice(), tail].concat()))
                    .collect();
            }
            if all.len() <= MAX_PRODUCT { Known::exactly(all) } else { Known::nothing() }
        }
        (0, ..) => Known::nothing(),
        (.., Some(exact)) => Known {
            exact: None,
            clauses: Some(exact.clone()).filter(is_usable).into_iter().collect(),
            prefix: exact.clone(),
        },
        (.., None) => sub,
    }
}

fn know_concat(parts: &[Hir], case: Case) -> Known {
    let mut found = Known::nothing();
    let mut run = Clause::from([Vec::new()]);
    let mut is_exact = true;
    for part in parts {
        let known = know(part, case);
        let joined =
            if known.exact.is_some() { product(&run, known.beginning()) } else { lengthened(&run, known.beginning()) };
        let goes_on = joined.is_some() && known.exact.is_some();
        let ended = joined.unwrap_or_else(|| run.clone());
        if goes_on {
            run = ended;
        } else {
            if std::mem::take(&mut is_exact) {
                found.prefix.clone_from(&ended);
            }
            found.clauses.extend(Some(ended).filter(is_usable));
            run = known.exact.clone().unwrap_or_else(|| Clause::from([Vec::new()]));
        }
        found.clauses.extend(known.clauses);
    }
    if is_exact {
        return Known { exact: Some(run), ..found };
    }
    found.clauses.extend(Some(run).filter(is_usable));
    found
}

/// Every string of `left` followed by every one of `right`, unless they are too many or too long.
fn product(left: &Clause, right: &Clause) -> Option<Clause> {
    let limit = if left.len() == 1 || right.len() == 1 { MAX_EXACT } else { MAX_PRODUCT };
    let longest = |clause: &Clause| clause.iter().map(Vec::len).max().unwrap_or_default();
    if left.len() * right.len() > limit || longest(left) + longest(right) > MAX_EXACT_BYTES {
        return None;
    }
    Some(left.iter().flat_map(|head| right.iter().map(move |tail| [head.as_slice(), tail].concat())).collect())
}

/// As [`product`], where nothing can be appended to the result: strings that are long enough stay as they are.
fn lengthened(left: &Clause, right: &Clause) -> Option<Clause> {
    [LONG_ATOM_BYTES, GRAM_BYTES].iter().find_map(|enough| {
        let (long, short): (Clause, Clause) = left.iter().cloned().partition(|atom| atom.len() >= *enough);
        product(&short, right).map(|joined| joined.into_iter().chain(long).collect())
    })
}

fn know_alternation(branches: &[Hir], case: Case) -> Known {
    let known: Vec<Known> = branches.iter().map(|branch| know(branch, case)).collect();
    let beginnings: Clause = known.iter().flat_map(Known::beginning).cloned().collect();
    if known.iter().all(|branch| branch.exact.is_some()) && beginnings.len() <= MAX_EXACT {
        return Known::exactly(beginnings);
    }
    let prefix = if beginnings.len() <= MAX_EXACT { beginnings } else { Clause::from([Vec::new()]) };
    let union: Option<Vec<Clause>> = known.into_iter().map(|branch| branch.best(case)).collect();
    let clauses = union.map(|clauses| clauses.into_iter().flatten().collect()).into_iter().collect();
    Known { exact: None, prefix, clauses }
}

/// The members of a small class.
fn members(class: &Class, case: Case) -> Option<Clause> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Bytes(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
        Class::Unicode(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
    };
    let mut members = Clause::new();
    for (start, end) in ranges {
        for member in start..=end.min(0x80) {
            members.insert(case.squeeze(&[u8::try_from(member).ok().filter(u8::is_ascii)?]));
        }
    }
    (members.len() <= MAX_CLASS_PREFIX_MEMBERS).then_some(members)
}

fn is_usable(clause: &Clause) -> bool {
    clause.iter().all(|atom| atom.len() >= GRAM_BYTES)
}

/// The share of common user agents that hold one of the atoms.
fn frequency(clause: &Clause, case: Case) -> f64 {
    let is_held = |text: &&&str| {
        let text = case.squeeze(text.as_bytes());
        clause.iter().any(|atom| holds(&text, atom))
    };
    let held = COMMON.iter().filter(is_held).count();
    f64::from(u32::try_from(held).unwrap_or(u32::MAX)) / 12.0
}

/// What is better avoided: common atoms first, then short ones.
fn cost(clause: &Clause, case: Case) -> f64 {
    let shortest = clause.iter().map(Vec::len).min().unwrap_or_default().min(MAX_EXACT_BYTES);
    frequency(clause, case) + 0.2 / f64::from(u32::try_from(shortest.max(1)).unwrap_or(1))
}

/// Without the atoms that hold another atom: they add nothing.
fn without_redundant(clause: &Clause) -> Clause {
    let is_needed = |atom: &&Vec<u8>| !clause.iter().any(|other| other.len() < atom.len() && holds(atom, other));
    clause.iter().filter(is_needed).cloned().collect()
}

fn holds(text: &[u8], atom: &[u8]) -> bool {
    text.windows(atom.len().max(1)).any(|window| window == atom)
}
