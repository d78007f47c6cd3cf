//! A condition that was read and checked, and whether it holds.
//!
//! In scope: the tree, its evaluation. Out of scope: the text (`parser`).

use crate::rule::field::{Field, Subject, Value};
use crate::rule::network::Network;
use crate::rule::regex::Regex;

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
    /// True if the condition holds; parts are tried in order, and no more of them than needed.
    pub(crate) fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(subject)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(subject)),
            Self::Not(part) => !part.holds(subject),
            Self::Test(field, test) => test.passes(field.value(subject)),
        }
    }

    /// Steps of its patterns.
    pub(crate) fn steps(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::steps).sum(),
            Self::Not(part) => part.steps(),
            Self::Test(_, Test::Matches(regex)) => regex.len(),
            Self::Test(..) => 0,
        }
    }
}

impl Test {
    fn passes(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::IsSet, Value::Flag(is_set)) => is_set,
            (Self::TextIn(list), Value::Text(text)) => list.iter().any(|own| own == text),
            (Self::Contains(part), Value::Text(text)) => text.contains(part.as_str()),
            (Self::StartsWith(part), Value::Text(text)) => text.starts_with(part.as_str()),
            (Self::EndsWith(part), Value::Text(text)) => text.ends_with(part.as_str()),
            (Self::Matches(regex), Value::Text(text)) => regex.is_match(text),
            (Self::NumberIn(list), Value::Number(number)) => list.contains(&number),
            (Self::Below(limit), Value::Number(number)) => number < *limit,
            (Self::Above(limit), Value::Number(number)) => number > *limit,
            (Self::Has(signal), Value::List(list)) => list.iter().any(|own| own == signal),
            (Self::Within(networks), Value::Address(Some(address))) => networks.iter().any(|own| own.contains(address)),
            _ => false,
        }
    }
}
