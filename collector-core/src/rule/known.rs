//! Conditions on a row that is stored already, where not everything is known that the edge saw.
//!
//! In scope: which tests such a row can answer, and what their answers say of the whole condition. Out of scope: what is known (`rejudge`).

use crate::rule::condition::{Condition, Test};
use crate::rule::field::Subject;

/// What a stored row has of the two fields that are not stored as the edge saw them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Whether the user agent is the sender's.
    pub(crate) user_agent: bool,
    /// How many of the first bits of the address are the sender's.
    pub(crate) address_bits: u8,
}

impl Condition {
    /// Whether the condition holds; `None` if that hangs on what is not known.
    pub(crate) fn holds_as_known(&self, subject: &Subject<'_>, known: Known) -> Option<bool> {
        match self {
            Self::All(parts) => decide(parts, false, |part| part.holds_as_known(subject, known)),
            Self::Any(parts) => decide(parts, true, |part| part.holds_as_known(subject, known)),
            Self::Not(part) => part.holds_as_known(subject, known).map(|holds| !holds),
            Self::Test(field, _) if field.is_named("user_agent") && !known.user_agent => None,
            Self::Test(_, Test::Within(networks)) => {
                let address = subject.client.ip?;
                decide(networks, true, |network| network.contains_prefix(address, known.address_bits))
            }
            Self::Test(..) => Some(self.holds(subject)),
        }
    }
}

/// One part that is `decisive` decides, whatever the others are; else all must be known.
fn decide<T>(parts: &[T], decisive: bool, holds: impl Fn(&T) -> Option<bool>) -> Option<bool> {
    let mut is_known = true;
    for part in parts {
        match holds(part) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => is_known = false,
        }
    }
    is_known.then_some(!decisive)
}
