//! A condition that was read and checked, and whether it holds.
//!
//! In scope: the tree, its evaluation. Out of scope: the text (`parser`).

use crate::rule::field::{Field, Subject, Value};
use crate::rule::network::Network;
use crate::rule::regex::Regex;
use crate::rule::work::Work;

/// Steps that a pattern counts besides its own: many short ones take longer than few long ones.
const PATTERN_STEPS: usize = 8;

/// What a byte costs in which a text is looked for.
const STEPS_PER_SEARCHED_BYTE: usize = 2;

/// A condition.
#[derive(Debug)]
pub(crate) enum Condition {
    /// Every part holds.
    All(Vec<Self>),
    /// Some part holds.
    Any(Vec<Self>),
    /// The part does not hold.
    Not(Box<Self>),
    /// One field passes one test.
    Test(Field, Test),
}

/// What is asked of a field; the parser pairs each only with fields of its type.
#[derive(Debug)]
pub(crate) enum Test {
    IsSet,
    TextIn(Vec<String>),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Matches(Regex),
    NumberIn(Vec<i128>),
    Below(i128),
    Above(i128),
    Has(String),
    Within(Vec<Network>),
}

impl Condition {
    /// True if the condition holds; parts are tried in order, and no more of them than needed. Without meaning once the work is used up.
    pub(crate) fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(subject)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(subject)),
            Self::Not(part) => !part.holds(subject),
            Self::Test(field, test) => {
                subject.work.spend(field.steps(subject) + test.steps());
                test.passes(field.value(subject), subject.work)
            }
        }
    }

    /// Steps of its patterns, each with what it takes to begin, and one for each text that is looked for.
    pub(crate) fn steps(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::steps).sum(),
            Self::Not(part) => part.steps(),
            Self::Test(_, Test::Matches(regex)) => PATTERN_STEPS + regex.len(),
            Self::Test(_, Test::Contains(_)) => 1,
            Self::Test(..) => 0,
        }
    }
}

impl Test {
    /// Steps of the comparisons with a list; what reads the whole text counts its own.
    fn steps(&self) -> usize {
        match self {
            Self::TextIn(list) => list.len(),
            Self::NumberIn(list) => list.len(),
            Self::Within(list) => list.len(),
            _ => 1,
        }
    }

    fn passes(&self, value: Value<'_>, work: &Work) -> bool {
        match (self, value) {
            (Self::IsSet, Value::Flag(is_set)) => is_set,
            (Self::TextIn(list), Value::Text(text)) => list.iter().any(|own| own == text),
            (Self::Contains(part), Value::Text(text)) => {
                work.spend(STEPS_PER_SEARCHED_BYTE * text.len()) && text.contains(part.as_str())
            }
            (Self::StartsWith(part), Value::Text(text)) => text.starts_with(part.as_str()),
            (Self::EndsWith(part), Value::Text(text)) => text.ends_with(part.as_str()),
            (Self::Matches(regex), Value::Text(text)) => regex.is_match(text, work),
            (Self::NumberIn(list), Value::Number(number)) => list.contains(&number),
            (Self::Below(limit), Value::Number(number)) => number < *limit,
            (Self::Above(limit), Value::Number(number)) => number > *limit,
            (Self::Has(signal), Value::List(list)) => list.iter().any(|own| own == signal),
            (Self::Within(networks), Value::Address(Some(address))) => networks.iter().any(|own| own.contains(address)),
            _ => false,
        }
    }
}
