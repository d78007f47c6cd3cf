//! Strings that a text must hold for a pattern to match.
//!
//! In scope: from an expression to clauses, each a set of atoms of which every match holds one (the method of RE2's
//! `FilteredRE2`), and choosing the few clauses that rule out most user agents.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use super::super::program::{ATOM_BYTES_MAX, FOLDED, GRAM_BYTES, bucket};

/// A clause: every match holds at least one of these strings, in lower case.
pub(super) type Clause = BTreeSet<Vec<u8>>;

/// Strings that a set may hold when a product of two sets makes it.
const PRODUCT_MAX: usize = 128;
/// Strings that a set may hold when a long list of alternatives makes it.
const EXACT_MAX: usize = 512;
/// Bytes of the longest string kept exact.
const EXACT_BYTES_MAX: usize = 32;
/// Members of the largest class that is spelled out as part of longer strings.
const CLASS_MEMBERS_MAX: usize = 4;
/// Members of the largest class that ends a string too short to be an atom: letters and digits.
const CLASS_PREFIX_MEMBERS_MAX: usize = 36;
/// Copies of the longest repetition that is spelled out: `; {0,2}`.
const COPIES_MAX: u32 = 2;
/// Bits of a gram.
const GRAM_BITS: u32 = 24;
/// A further clause is worth its cost only if fewer common user agents hold it.
const FREQUENCY_MAX: f64 = 0.2;
/// Clauses kept per pattern.
const CLAUSES_MAX: usize = 3;
/// A clause with atoms at least this long that no common user agent holds needs no second one.
const RARE_ATOM_BYTES: usize = 4;

/// Shapes of user agents that are common today: an atom that occurs in them rules out little.
const COMMON: [&str; 12] = [
    "mozilla/5.0 (windows nt 10.0; win64; x64) applewebkit/537.36 (khtml, like gecko) chrome/138.0.0.0 safari/537.36",
    "mozilla/5.0 (windows nt 10.0; win64; x64) applewebkit/537.36 (khtml, like gecko) chrome/138.0.0.0 safari/537.36 edg/138.0.0.0",
    "mozilla/5.0 (macintosh; intel mac os x 10_15_7) applewebkit/537.36 (khtml, like gecko) chrome/138.0.0.0 safari/537.36",
    "mozilla/5.0 (macintosh; intel mac os x 10_15_7) applewebkit/605.1.15 (khtml, like gecko) version/18.5 safari/605.1.15",
    "mozilla/5.0 (iphone; cpu iphone os 18_5 like mac os x) applewebkit/605.1.15 (khtml, like gecko) version/18.5 mobile/15e148 safari/604.1",
    "mozilla/5.0 (iphone; cpu iphone os 18_5 like mac os x) applewebkit/605.1.15 (khtml, like gecko) mobile/15e148 instagram",
    "mozilla/5.0 (linux; android 10; k) applewebkit/537.36 (khtml, like gecko) chrome/138.0.0.0 mobile safari/537.36",
    "mozilla/5.0 (linux; android 14; sm-s918b) applewebkit/537.36 (khtml, like gecko) samsungbrowser/27.0 chrome/125.0.0.0 mobile safari/537.36",
    "mozilla/5.0 (linux; android 13; 2201117tg build/tp1a.220624.014; wv) applewebkit/537.36 (khtml, like gecko) version/4.0 chrome/138.0.7204.63 mobile safari/537.36",
    "mozilla/5.0 (windows nt 10.0; win64; x64; rv:140.0) gecko/20100101 firefox/140.0",
    "mozilla/5.0 (x11; linux x86_64) applewebkit/537.36 (khtml, like gecko) chrome/138.0.0.0 safari/537.36",
    "mozilla/5.0 (android 14; mobile; rv:140.0) gecko/140.0 firefox/140.0",
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
    fn best(self) -> Option<Clause> {
        let exact = self.exact.filter(is_usable);
        self.clauses.into_iter().chain(exact).min_by(|left, right| cost(left).total_cmp(&cost(right)))
    }

    /// What the strings begin with.
    fn beginning(&self) -> &Clause {
        self.exact.as_ref().unwrap_or(&self.prefix)
    }
}

/// The clauses to keep for a pattern; none if any text may match it.
pub(super) fn clauses(expression: &Hir) -> Vec<Clause> {
    let known = know(expression);
    let mut clauses: Vec<Clause> = known
        .clauses
        .into_iter()
        .chain(known.exact.filter(is_usable))
        .map(|clause| without_redundant(&clause))
        .collect();
    clauses.sort_by(|left, right| cost(left).total_cmp(&cost(right)));
    clauses.dedup();
    let mut kept: Vec<Clause> = Vec::new();
    for clause in clauses {
        if kept.len() == CLAUSES_MAX || kept.first().is_some_and(is_rare) {
            break;
        }
        if kept.is_empty() || frequency(&clause) < FREQUENCY_MAX {
            kept.push(clause);
        }
    }
    kept
}

/// Bytes of a literal as the prefilter sees them.
fn fold(literal: &[u8]) -> Vec<u8> {
    literal.iter().map(|byte| FOLDED[usize::from(*byte)]).filter(|byte| *byte != 0).collect()
}

/// Where in an atom the gram begins that shares its bucket with the fewest grams of common user agents.
pub(super) fn gram_offset(atom: &[u8], bucket_bits: u32) -> usize {
    let bucket_of = |gram: &[u8]| bucket(gram.iter().fold(0, |gram, byte| gram << 8 | u32::from(*byte)), bucket_bits);
    let shared = |wanted: usize| {
        COMMON
            .iter()
            .map(|text| fold(text.as_bytes()).windows(GRAM_BYTES).filter(|gram| bucket_of(gram) == wanted).count())
            .sum::<usize>()
    };
    atom.windows(GRAM_BYTES).enumerate().min_by_key(|(_, gram)| shared(bucket_of(gram))).map_or(0, |(offset, _)| offset)
}

/// The part of a string that serves as its atom: around its least common gram.
pub(super) fn shortened(atom: &[u8]) -> &[u8] {
    // With as many buckets as there can be, no two grams share one.
    let start = gram_offset(atom, GRAM_BITS).min(atom.len().saturating_sub(ATOM_BYTES_MAX));
    &atom[start..atom.len().min(start + ATOM_BYTES_MAX)]
}

fn know(expression: &Hir) -> Known {
    match expression.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::exactly(Clause::from([Vec::new()])),
        HirKind::Literal(literal) => Known::exactly(Clause::from([fold(&literal.0)])),
        HirKind::Class(class) => match members(class) {
            Some(members) if members.len() <= CLASS_MEMBERS_MAX => Known::exactly(members),
            Some(members) => Known { prefix: members, ..Known::nothing() },
            None => Known::nothing(),
        },
        HirKind::Capture(capture) => know(&capture.sub),
        HirKind::Repetition(repetition) => know_repetition(repetition),
        HirKind::Concat(parts) => know_concat(parts),
        HirKind::Alternation(branches) => know_alternation(branches),
    }
}

fn know_repetition(repetition: &Repetition) -> Known {
    let sub = know(&repetition.sub);
    match (repetition.min, repetition.max, &sub.exact) {
        (min, Some(max), Some(exact)) if max <= COPIES_MAX => {
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
            if all.len() <= PRODUCT_MAX { Known::exactly(all) } else { Known::nothing() }
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

fn know_concat(parts: &[Hir]) -> Known {
    let mut found = Known::nothing();
    let mut run = Clause::from([Vec::new()]);
    let mut is_exact = true;
    for part in parts {
        let known = know(part);
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
    let limit = if left.len() == 1 || right.len() == 1 { EXACT_MAX } else { PRODUCT_MAX };
    let longest = |clause: &Clause| clause.iter().map(Vec::len).max().unwrap_or_default();
    if left.len() * right.len() > limit || longest(left) + longest(right) > EXACT_BYTES_MAX {
        return None;
    }
    Some(left.iter().flat_map(|head| right.iter().map(move |tail| [head.as_slice(), tail].concat())).collect())
}

/// As [`product`], where nothing can be appended to the result: strings that are long enough stay as they are.
fn lengthened(left: &Clause, right: &Clause) -> Option<Clause> {
    [RARE_ATOM_BYTES, GRAM_BYTES].iter().find_map(|enough| {
        let (long, short): (Clause, Clause) = left.iter().cloned().partition(|atom| atom.len() >= *enough);
        product(&short, right).map(|joined| joined.into_iter().chain(long).collect())
    })
}

fn know_alternation(branches: &[Hir]) -> Known {
    let known: Vec<Known> = branches.iter().map(know).collect();
    let beginnings: Clause = known.iter().flat_map(Known::beginning).cloned().collect();
    if known.iter().all(|branch| branch.exact.is_some()) && beginnings.len() <= EXACT_MAX {
        return Known::exactly(beginnings);
    }
    let prefix = if beginnings.len() <= EXACT_MAX { beginnings } else { Clause::from([Vec::new()]) };
    let union: Option<Vec<Clause>> = known.into_iter().map(Known::best).collect();
    let clauses = union.map(|clauses| clauses.into_iter().flatten().collect()).into_iter().collect();
    Known { exact: None, prefix, clauses }
}

/// The members of a small class, in lower case.
fn members(class: &Class) -> Option<Clause> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Bytes(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
        Class::Unicode(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
    };
    let mut members = Clause::new();
    for (start, end) in ranges {
        for member in start..=end.min(0x80) {
            members.insert(fold(&[u8::try_from(member).ok().filter(u8::is_ascii)?]));
        }
    }
    (members.len() <= CLASS_PREFIX_MEMBERS_MAX).then_some(members)
}

/// Whether every string is long enough to be a good atom as it is.
fn is_long(clause: &Clause) -> bool {
    clause.iter().all(|atom| atom.len() >= RARE_ATOM_BYTES)
}

fn is_usable(clause: &Clause) -> bool {
    clause.iter().all(|atom| atom.len() >= GRAM_BYTES)
}

fn is_rare(clause: &Clause) -> bool {
    frequency(clause) == 0.0 && is_long(clause)
}

/// The share of common user agents that hold one of the atoms.
fn frequency(clause: &Clause) -> f64 {
    let held = COMMON.iter().filter(|text| clause.iter().any(|atom| holds(&fold(text.as_bytes()), atom))).count();
    f64::from(u32::try_from(held).unwrap_or(u32::MAX)) / 12.0
}

/// What is better avoided: common atoms first, then short ones.
fn cost(clause: &Clause) -> f64 {
    let shortest = clause.iter().map(Vec::len).min().unwrap_or_default().min(EXACT_BYTES_MAX);
    frequency(clause) + 0.2 / f64::from(u32::try_from(shortest.max(1)).unwrap_or(1))
}

/// Without the atoms that hold another atom: they add nothing.
fn without_redundant(clause: &Clause) -> Clause {
    let is_needed = |atom: &&Vec<u8>| !clause.iter().any(|other| other.len() < atom.len() && holds(atom, other));
    clause.iter().filter(is_needed).cloned().collect()
}

fn holds(text: &[u8], atom: &[u8]) -> bool {
    text.windows(atom.len().max(1)).any(|window| window == atom)
}
