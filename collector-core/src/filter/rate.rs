//! Visitors who send faster than people do.
//!
//! In scope: what it is worth as evidence. Out of scope: counting (`rate`, in the Batcher).

use std::borrow::Cow;

use crate::filter::Signal;

/// The evidence against a visitor: with one more signal, if the visitor was too fast a short time ago.
pub fn add(signals: &[Signal], is_fast: bool) -> Cow<'_, [Signal]> {
    if !is_fast {
        return Cow::Borrowed(signals);
    }
    Cow::Owned([signals, &[Cow::Borrowed("rate:visitor")]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_visitor_is_one_more_signal() {
        let signals = [Cow::Borrowed("header:navigation")];
        assert_eq!(*add(&signals, false), ["header:navigation"]);
        assert_eq!(*add(&signals, true), ["header:navigation", "rate:visitor"]);
    }
}
