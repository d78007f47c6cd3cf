//! Why rules are refused.

use thiserror::Error;

/// Why a site's rules are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleError {
    /// The condition of one rule cannot be read.
    #[error("expected {expected} at column {column} of rule {rule:?}, found {found}")]
    Condition {
        /// Name of the rule.
        rule: String,
        /// Where in the condition, in characters from 1.
        column: usize,
        /// What may stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// Something about the list as a whole, or a rule's name.
    #[error("expected {expected} in rules, found {found}")]
    List {
        /// What may be.
        expected: &'static str,
        /// What is.
        found: String,
    },
}

/// What is wrong in a condition, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// In characters from 1.
    pub(crate) column: usize,
    pub(crate) expected: &'static str,
    pub(crate) found: String,
}

impl Fault {
    pub(crate) fn new(column: usize, expected: &'static str, found: &str) -> Self {
        Self { column, expected, found: found.to_owned() }
    }

    pub(crate) fn of_rule(self, rule: &str) -> RuleError {
        let Self { column, expected, found } = self;
        RuleError::Condition { rule: rule.to_owned(), column, expected, found }
    }
}
