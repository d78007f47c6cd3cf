//! Agents that sign their requests.
//!
//! In scope: what a signature is worth as evidence. Out of scope: checking it (`web_bot_auth`, and the shell).
//!
//! A signature that was checked is as sure as the agent's own word. One that is bad, or that nobody could check, is a piece of evidence: what says
//! that it is an agent is hardly a person, but what it says is not known to be true.

use std::borrow::Cow;

use crate::client::Client;
use crate::filter::Signal;
use crate::web_bot_auth::Finding;

/// The signal of an agent whose signature was checked.
pub const VERIFIED: &str = "agent:verified_agent";

/// Adds the signals of a signed request; the second names the agent, or what is wrong.
pub fn check(client: &Client<'_>, signals: &mut Vec<Signal>) {
    let (signal, detail) = match client.signed {
        None => return,
        Some(Finding::Verified(name)) => (VERIFIED, Some(name)),
        Some(Finding::Bad(fault)) => ("agent:bad_signature", Some(fault.tag())),
        Some(Finding::Unknown) => ("agent:unknown", None),
        Some(Finding::Unverified) => ("agent:unverified", None),
    };
    signals.push(Cow::Borrowed(signal));
    signals.extend(detail.map(|detail| Cow::Owned(format!("{signal}:{detail}"))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web_bot_auth::Fault;

    #[test]
    fn every_finding_has_its_signals() {
        for (signed, expected) in [
            (None, &[][..]),
            (Some(Finding::Verified("chatgpt")), &["agent:verified_agent", "agent:verified_agent:chatgpt"]),
            (Some(Finding::Bad(Fault::Expired)), &["agent:bad_signature", "agent:bad_signature:expired"]),
            (Some(Finding::Unknown), &["agent:unknown"]),
            (Some(Finding::Unverified), &["agent:unverified"]),
        ] {
            let mut signals = Vec::new();
            check(&Client { signed, ..Client::default() }, &mut signals);
            assert_eq!(signals, expected, "{signed:?}");
        }
    }
}
