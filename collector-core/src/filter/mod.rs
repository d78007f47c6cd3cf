//! Is this a person? Signals, a verdict, and what the site makes of it.
//!
//! In scope: one file per signal source, the rule that turns signals into a verdict, the site's policy.
//! Out of scope: parsing user agents (crate `user-agent`), counting over time (`rate`).
//!
//! Signals are named `category:signal`. A crawler's own word is a verdict, that of a driven browser too, and so are an agent's signature and
//! Cloudflare's check of a crawler; otherwise it takes signals of two independent categories, because each single one also happens to people
//! (privacy extensions, corporate proxies, old browsers). Several signals of one category count once.

pub mod agent;
pub mod automation;
pub mod cloudflare;
pub mod crawler;
#[cfg(test)]
mod fixture;
pub mod header;
pub mod network;
pub mod prefetch;
pub mod probe;
pub mod rate;
pub mod referrer;
pub mod screen;

use std::borrow::Cow;

use crate::client::Client;
use crate::event::Event;
use crate::outcome::{FilterReason, FlagReason};
use crate::site::BotPolicy;

/// Names the rules that judged a row. It changes whenever a verdict may change.
pub const RULES_VERSION: &str = "2026-11-21b";

/// The most signals kept of one event.
pub const MAX_SIGNALS: usize = 24;

/// A named piece of evidence, `category:signal`.
pub type Signal = Cow<'static, str>;

/// What the signals of one event add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why it is a bot, if it is.
    pub flag: Option<FlagReason>,
    /// The evidence, also of events that are no bot.
    pub signals: Vec<Signal>,
}

impl Verdict {
    /// Whether the sender itself says that it is a program: then its kind of device is `bot`.
    pub fn is_declared(&self) -> bool {
        matches!(self.flag, Some(FlagReason::Crawler | FlagReason::VerifiedAgent))
    }

    /// What the site's policy makes of the verdict: `Err` if the event is not to be stored.
    pub fn apply(self, policy: BotPolicy) -> Result<Self, FilterReason> {
        match (policy, self.flag) {
            (BotPolicy::Off, _) => Ok(Self::default()),
            (BotPolicy::Drop, Some(FlagReason::VerifiedAgent)) => Err(FilterReason::VerifiedAgent),
            (BotPolicy::Drop, Some(FlagReason::Crawler)) => Err(FilterReason::Crawler),
            (BotPolicy::Drop, Some(FlagReason::Automation)) => Err(FilterReason::Automation),
            (BotPolicy::Drop, Some(FlagReason::Rule)) => Err(FilterReason::Rule),
            _ => Ok(self),
        }
    }
}

/// Judges the browser of a sender by its headers, which are the same for all its beacons.
pub fn judge_client(client: &Client<'_>, parser: &mut user_agent::Parser) -> Vec<Signal> {
    let mut signals = Vec::new();
    // What a site's own server does not tell of a visitor is no evidence.
    if !client.is_from_server || client.user_agent.is_some() {
        crawler::check(client, parser, &mut signals);
    }
    if !client.is_from_server {
        header::check(client, &mut signals);
    }
    signals
}

/// Judges one event of a sender. `client_signals` is what is known of the sender before the event: `judge_client`, and `rate::add`.
#[inline(never)] // Why: `pipeline`.
pub fn judge_event(event: &Event<'_>, client: &Client<'_>, client_signals: &[Signal]) -> Verdict {
    let mut signals = client_signals.to_vec();
    agent::check(client, &mut signals);
    network::check(client, &mut signals);
    cloudflare::check(client, &mut signals);
    automation::check(event, &mut signals);
    screen::check(event, &mut signals);
    referrer::check(event, &mut signals);
    probe::check(event, &mut signals);
    signals.truncate(MAX_SIGNALS);
    Verdict { flag: flag(&signals), signals }
}

fn flag(signals: &[Signal]) -> Option<FlagReason> {
    if signals.iter().any(|signal| signal == agent::VERIFIED) {
        return Some(FlagReason::VerifiedAgent);
    }
    if signals.iter().any(|signal| signal.starts_with(crawler::PREFIX) || signal == cloudflare::VERIFIED) {
        return Some(FlagReason::Crawler);
    }
    if signals.iter().any(|signal| automation::is_named(signal)) {
        return Some(FlagReason::Automation);
    }
    let first = signals.first().map(category)?;
    signals.iter().any(|signal| category(signal) != first).then_some(FlagReason::Automation)
}

fn category(signal: &Signal) -> &str {
    signal.split(':').next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(signals: &[&'static str]) -> Option<FlagReason> {
        flag(&signals.iter().map(|s| Cow::Borrowed(*s)).collect::<Vec<_>>())
    }

    #[test]
    fn a_verdict_needs_a_crawler_or_two_categories() {
        for (signals, expected) in [
            (&[][..], None),
            (&["header:no_sec_fetch"], None),
            (&["header:no_sec_fetch", "header:no_accept_language"], None),
            (&["header:no_sec_fetch", "browser:automation"], Some(FlagReason::Automation)),
            (&["asn:hosting", "asn:hosting"], None),
            (&["browser:automation"], None),
            (&["browser:automation", "browser:webdriver"], Some(FlagReason::Automation)),
            (&["ua:crawler:search", "browser:webdriver"], Some(FlagReason::Crawler)),
            (&["rate:visitor"], None),
            (&["header:no_sec_fetch", "rate:visitor"], Some(FlagReason::Automation)),
            (&["asn:hosting", "header:no_sec_fetch"], Some(FlagReason::Automation)),
            (&["ua:crawler:search"], Some(FlagReason::Crawler)),
            (&["cloudflare:verified_bot"], Some(FlagReason::Crawler)),
            (&["ua:crawler:search", "agent:verified_agent"], Some(FlagReason::VerifiedAgent)),
            (&["agent:bad_signature", "agent:bad_signature:expired"], None),
            (&["agent:unknown", "asn:hosting"], Some(FlagReason::Automation)),
            (&["cloudflare:automated"], None),
            (&["ua:empty"], None),
            (&["ua:empty", "header:no_sec_fetch"], Some(FlagReason::Automation)),
        ] {
            assert_eq!(verdict(signals), expected, "{signals:?}");
        }
    }

    #[test]
    fn the_policy_decides_what_happens_to_a_verdict() {
        let crawler = Verdict { flag: Some(FlagReason::Crawler), signals: vec![Cow::Borrowed("ua:crawler:search")] };
        let driven = Verdict { flag: Some(FlagReason::Automation), ..crawler.clone() };
        assert_eq!(crawler.clone().apply(BotPolicy::Flag), Ok(crawler.clone()));
        assert_eq!(crawler.clone().apply(BotPolicy::Drop), Err(FilterReason::Crawler));
        let agent = Verdict { flag: Some(FlagReason::VerifiedAgent), ..crawler.clone() };
        assert_eq!(agent.apply(BotPolicy::Drop), Err(FilterReason::VerifiedAgent));
        assert_eq!(driven.apply(BotPolicy::Drop), Err(FilterReason::Automation));
        assert_eq!(crawler.apply(BotPolicy::Off), Ok(Verdict::default()));
        assert_eq!(Verdict::default().apply(BotPolicy::Drop), Ok(Verdict::default()));
    }
}
