//! What would change. In scope: the arithmetic, by direction, reason, crawler, site, with the purchases among it. Out of scope: printing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use collector_core::filter::{RULES_VERSION, Signal, agent, automation, cloudflare, crawler};
use collector_core::rejudge::{Judgement, StoredRow};

use super::source::Standing;

/// Names that are counted apart; crawlers name themselves, so there may be any number.
const MAX_NAMES: usize = 1_000;
/// Where all other names are counted.
const OTHERS: &str = "(others)";
/// User agents that are shown for one reason, and in all.
const EXAMPLES_OF_A_REASON: usize = 2;
const MAX_EXAMPLES: usize = 12;
/// Ten-thousandths in one unit of money.
const UNIT: u128 = 10_000;

/// What differs between the verdicts that stand and the present rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Events that were judged again; items of purchases go with their purchase.
    pub looked_at: u64,
    /// Events that were passed over, because the present rules have judged them already.
    pub present: u64,
    /// Events of sites that the settings do not name: left as they are.
    pub unknown_site: u64,
    /// Rules newer than this program's that have judged some of the events: is this the release that is deployed?
    pub newer_rules: Option<String>,
    /// Events left as they are, because a rule asks for what is not stored; by `<rule> of <site>`.
    pub undecided: Tally,
    /// People that would be bots.
    pub to_bot: Change,
    /// Bots that would be people.
    pub to_human: Change,
    /// Events whose `is_bot` stays and whose evidence is another. They are only counted, never applied.
    pub other_evidence: u64,
    /// What is new in it or gone, as `+asn:hosting` or `-asn:hosting`.
    pub evidence: Tally,
    /// Events among `to_bot` that the present rules would not store at all.
    pub dropped: u64,
    /// Events that a shadow would mark and has not marked, by `<shadow> of <site>`, and the purchases among them.
    pub shadows: BTreeMap<String, Marked>,
}

/// Events whose verdict changes in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The events.
    pub events: u64,
    /// Items of purchases among them, which are rows of their own.
    pub items: u64,
    /// Purchases among the events.
    pub purchases: u64,
    /// What these purchases were worth.
    pub revenue: Revenue,
    /// By what decides now, or decided before.
    pub reasons: Tally,
    /// By what the crawler calls itself.
    pub crawlers: Tally,
    /// By site.
    pub sites: Tally,
    /// Some of them.
    pub examples: Vec<Example>,
}

/// A user agent among the changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// As in `Change::reasons`.
    pub reason: String,
    /// As it was stored.
    pub user_agent: String,
}

/// Events that a shadow would mark.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    /// The events.
    pub events: u64,
    /// Purchases among them.
    pub purchases: u64,
}

/// Counts by name, of a bounded number of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<String, u64>);

impl Tally {
    pub(super) fn add(&mut self, name: &str, count: u64) {
        let is_known = self.0.len() < MAX_NAMES || self.0.contains_key(name);
        let name = if is_known { name } else { OTHERS };
        *self.0.entry(name.to_owned()).or_default() += count;
    }

    /// The sum of all counts.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Names and counts, the most frequent first.
    pub fn sorted(&self) -> Vec<(&str, u64)> {
        let mut list: Vec<_> = self.0.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        list.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        list
    }
}

/// Money by currency, in ten-thousandths: currencies cannot be added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revenue(BTreeMap<String, i128>);

impl Revenue {
    fn add(&mut self, row: &StoredRow) {
        *self.0.entry(row.currency.clone()).or_default() += i128::from(row.money().ten_thousandths());
    }
}

/// `512.30 EUR, 20.0055 USD`
impl fmt::Display for Revenue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (currency, amount)) in self.0.iter().enumerate() {
            let (sign, magnitude) = (if *amount < 0 { "-" } else { "" }, amount.unsigned_abs());
            let fraction = format!("{:04}", magnitude % UNIT);
            let separator = if index > 0 { ", " } else { "" };
            write!(f, "{separator}{sign}{}.{:0<2} {currency}", magnitude / UNIT, fraction.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

/// A row whose present verdict is another than the one that stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference<'d> {
    pub(super) standing: &'d Standing,
    pub(super) judgement: &'d Judgement<'d>,
    pub(super) crawler: Option<&'d str>,
}

impl Diff {
    /// Counts a changed row; returns its reason.
    pub(super) fn add(&mut self, difference: &Difference<'_>) -> String {
        let Difference { standing, judgement, crawler } = *difference;
        let row = &standing.row;
        let is_bot = judgement.verdict.flag.is_some();
        self.dropped += u64::from(judgement.dropped.is_some());
        let change = if is_bot { &mut self.to_bot } else { &mut self.to_human };
        let reason = reason(&standing.signals, judgement);
        let is_rule = reason.starts_with("rule:");
        let shown = if is_rule { format!("{reason} of {}", row.site_id) } else { reason.clone() };
        change.events += 1;
        change.sites.add(&row.site_id, 1);
        change.reasons.add(&shown, 1);
        if let Some(crawler) = crawler {
            change.crawlers.add(crawler, 1);
        }
        if row.event_type == "purchase" {
            change.purchases += 1;
            change.revenue.add(row);
        }
        change.add_example(shown, &row.user_agent);
        reason
    }

    /// Notes which rules have judged before; versions are dates.
    pub(super) fn note_version(&mut self, version: &str) {
        let newest = self.newer_rules.as_deref().unwrap_or(RULES_VERSION);
        if version > newest {
            self.newer_rules = Some(version.to_owned());
        }
    }

    pub(super) fn add_item(&mut self, is_bot: bool) {
        let change = if is_bot { &mut self.to_bot } else { &mut self.to_human };
        change.items += 1;
    }

    /// Counts an event that stays a person or a bot, if for other evidence. Shadows are counted apart.
    pub(super) fn note_evidence(&mut self, standing: &Standing, judgement: &Judgement<'_>) {
        let is_evidence = |signal: &&str| !signal.starts_with("shadow:");
        let before: BTreeSet<&str> = standing.signals.iter().map(String::as_str).filter(is_evidence).collect();
        let now: BTreeSet<&str> = judgement.verdict.signals.iter().map(AsRef::as_ref).filter(is_evidence).collect();
        for (sign, signals) in [("+", now.difference(&before)), ("-", before.difference(&now))] {
            signals.for_each(|signal| self.evidence.add(&format!("{sign}{signal}"), 1));
        }
        self.other_evidence += u64::from(before != now);
    }

    /// Counts what shadows would mark, which is how a rule is tried on the past.
    pub(super) fn note_shadows(&mut self, Standing { signals, row, .. }: &Standing, judgement: &Judgement<'_>) {
        let is_new = |signal: &&Signal| signal.starts_with("shadow:") && !signals.iter().any(|own| own == *signal);
        for signal in judgement.verdict.signals.iter().filter(is_new) {
            let marked = self.shadows.entry(format!("{signal} of {}", row.site_id)).or_default();
            marked.events += 1;
            marked.purchases += u64::from(row.event_type == "purchase");
        }
    }
}

impl Change {
    fn add_example(&mut self, reason: String, user_agent: &str) {
        let is_known = self.examples.iter().any(|example| example.user_agent == user_agent);
        let of_reason = self.examples.iter().filter(|example| example.reason == reason).count();
        if !is_known && of_reason < EXAMPLES_OF_A_REASON && self.examples.len() < MAX_EXAMPLES {
            self.examples.push(Example { reason, user_agent: user_agent.to_owned() });
        }
    }
}

/// What decides: the rule, else the evidence. Of a row that becomes a person without a rule, it is what decided the verdict that stands.
fn reason(standing: &[String], judgement: &Judgement<'_>) -> String {
    let now: Vec<&str> = judgement.verdict.signals.iter().map(AsRef::as_ref).collect();
    let before: Vec<&str> = standing.iter().map(String::as_str).collect();
    let is_decided_now = judgement.verdict.flag.is_some() || now.iter().any(|signal| signal.starts_with("rule:"));
    let signals = if is_decided_now { now } else { before };
    let decisive = ["rule:", agent::VERIFIED, crawler::PREFIX, cloudflare::VERIFIED];
    let found = decisive.iter().find_map(|prefix| signals.iter().find(|signal| signal.starts_with(prefix)));
    let found = found.or_else(|| signals.iter().find(|signal| automation::is_named(signal)));
    found.map_or_else(|| categories(&signals), |signal| (*signal).to_owned())
}

/// `asn+header`: the categories of evidence that together make a verdict.
fn categories(signals: &[&str]) -> String {
    let mut categories: Vec<_> = signals.iter().filter_map(|signal| signal.split(':').next()).collect();
    categories.retain(|category| *category != "shadow");
    categories.sort_unstable();
    categories.dedup();
    categories.join("+")
}

#[cfg(test)]
mod tests;
