//! An early end in the pipeline. In scope: what each kind of refusal becomes. Out of scope: who refuses (the steps).

use crate::outcome::{FilterReason, LimitReason, Outcome};
use crate::reader::Invalid;

/// Why an event goes no further.
pub(super) struct Stop {
    pub(super) outcome: Outcome,
    pub(super) field: Option<String>,
}

impl From<Invalid> for Stop {
    fn from(invalid: Invalid) -> Self {
        Self { outcome: Outcome::Invalid(invalid.reason), field: Some(invalid.field) }
    }
}

impl From<FilterReason> for Stop {
    fn from(reason: FilterReason) -> Self {
        Self { outcome: Outcome::Filtered(reason), field: None }
    }
}

impl From<LimitReason> for Stop {
    fn from(reason: LimitReason) -> Self {
        Self { outcome: Outcome::Limited(reason), field: None }
    }
}

impl From<Outcome> for Stop {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, field: None }
    }
}
