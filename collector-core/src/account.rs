//! What the ledger counts.
//!
//! In scope: the kinds of counters, and their tags in `ecommerce.collector_outcomes`. Out of scope: counting (`ledger`), reasons (`outcome`).
//!
//! Two equations hold over them, per site, region and minute: what was received is the sum of all outcomes; and what was accepted or flagged
//! is the sum of all fates and of what is still pending. Measures stand beside them, for the site `''`.

use crate::outcome::{DeadLetterReason, ElsewhereReason, Fate, Measure, Outcome};

/// The tag of an event that came in, whatever its outcome.
const RECEIVED: &str = "received";

/// What one counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// Events that came in.
    Received,
    /// Events that ended in this outcome.
    Ended(Outcome),
    /// Acknowledged rows that met this fate.
    Met(Fate),
    /// What delivering took.
    Measured(Measure),
}

impl Account {
    /// The column `outcome`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Received => RECEIVED,
            Self::Ended(outcome) => outcome.tag(),
            Self::Met(fate) => fate.tag(),
            Self::Measured(_) => Measure::TAG,
        }
    }

    /// The column `reason`.
    pub const fn reason_tag(self) -> &'static str {
        match self {
            Self::Received => "",
            Self::Ended(outcome) => outcome.reason_tag(),
            Self::Met(fate) => fate.reason_tag(),
            Self::Measured(measure) => measure.tag(),
        }
    }

    /// The account that has these two tags.
    pub fn from_tags(tag: &str, reason_tag: &str) -> Option<Self> {
        match tag {
            RECEIVED if reason_tag.is_empty() => Some(Self::Received),
            "inserted" if reason_tag.is_empty() => Some(Self::Met(Fate::Inserted(None))),
            "inserted" => ElsewhereReason::from_tag(reason_tag).map(|reason| Self::Met(Fate::Inserted(Some(reason)))),
            "dead_lettered" => {
                DeadLetterReason::from_tag(reason_tag).map(|reason| Self::Met(Fate::DeadLettered(reason)))
            }
            Measure::TAG => Measure::from_tag(reason_tag).map(Self::Measured),
            _ => Outcome::from_tags(tag, reason_tag).map(Self::Ended),
        }
    }
}

impl From<Outcome> for Account {
    fn from(outcome: Outcome) -> Self {
        Self::Ended(outcome)
    }
}

impl From<Fate> for Account {
    fn from(fate: Fate) -> Self {
        Self::Met(fate)
    }
}

impl From<Measure> for Account {
    fn from(measure: Measure) -> Self {
        Self::Measured(measure)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> Vec<Account> {
        let outcomes = Outcome::all().into_iter().map(|(outcome, _)| outcome.into());
        let fates = Fate::all().into_iter().map(|(fate, _)| fate.into());
        let measures = Measure::ALL.iter().map(|measure| (*measure).into());
        [Account::Received].into_iter().chain(outcomes).chain(fates).chain(measures).collect()
    }

    #[test]
    fn every_account_is_found_again_by_its_tags() {
        for account in all() {
            assert_eq!(Account::from_tags(account.tag(), account.reason_tag()), Some(account), "{account:?}");
        }
    }

    #[test]
    fn no_two_accounts_share_their_tags() {
        let tags: BTreeSet<_> = all().iter().map(|account| (account.tag(), account.reason_tag())).collect();
        assert_eq!(tags.len(), all().len());
    }
}
