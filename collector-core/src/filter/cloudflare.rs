//! What Cloudflare's Bot Management says of the sender, where the account has it.
//!
//! In scope: its score and its verified bots. Out of scope: how it finds out. Without Bot Management both are absent and nothing follows.

use std::borrow::Cow;

use crate::client::Client;
use crate::filter::Signal;

/// The signal of a crawler that Cloudflare has verified: as sure as the crawler's own word.
pub const VERIFIED: &str = "cloudflare:verified_bot";

/// Scores up to this are "likely automated" (developers.cloudflare.com/bots/concepts/bot-score).
const MAX_AUTOMATED_SCORE: u8 = 29;

/// Adds the signals of Bot Management.
pub fn check(client: &Client<'_>, signals: &mut Vec<Signal>) {
    if client.is_verified_bot {
        signals.push(Cow::Borrowed(VERIFIED));
    }
    if client.bot_score.is_some_and(|score| (1..=MAX_AUTOMATED_SCORE).contains(&score)) {
        signals.push(Cow::Borrowed("cloudflare:automated"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_scores_and_verified_bots_are_signals() {
        for (bot_score, is_verified_bot, expected) in [
            (None, false, &[][..]),
            (Some(99), false, &[]),
            (Some(30), false, &[]),
            // Zero is "not computed".
            (Some(0), false, &[]),
            (Some(29), false, &["cloudflare:automated"]),
            (Some(1), true, &["cloudflare:verified_bot", "cloudflare:automated"]),
        ] {
            let mut signals = Vec::new();
            check(&Client { bot_score, is_verified_bot, ..Client::default() }, &mut signals);
            assert_eq!(signals, expected, "{bot_score:?} {is_verified_bot}");
        }
    }
}
