//! The account: what was acknowledged against what ClickHouse has. In scope: reading it from every region, and the sums per phase.
//! Out of scope: showing it (`report`).

use std::collections::HashMap;

use anyhow::{Context, Result};
use uuid::Uuid;

use crate::stack::Stack;
use crate::stack::clickhouse::Endpoint;

use super::driver::{RESIDENT_SITE, page_id};
use super::ledger::Ledger;
use super::scene::RESIDENT_REGION;

/// What became of the events of one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) acknowledged: u64,
    /// Events in the table of some region, each counted once.
    pub(super) stored: u64,
    /// Acknowledged, and neither in a table nor among the dead letters.
    pub(super) lost: u64,
    /// Rows and dead letters beyond an event's first, in whatever region.
    pub(super) doubled: u64,
    pub(super) dead_lettered: u64,
    /// Acknowledged events that ClickHouse was made to refuse.
    pub(super) poison: u64,
}

impl Tally {
    /// Whether nothing was lost or doubled, and just the poison is among the dead letters.
    pub(super) fn is_clean(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.dead_lettered == self.poison
    }
}

/// How often each event is where.
#[derive(Default)]
struct Copies {
    rows: u64,
    letters: u64,
}

/// The sums of every phase, by its number.
pub(super) fn tallies(stack: &Stack, ledger: &Ledger, phases: usize) -> Result<Vec<Tally>> {
    let mut copies: HashMap<usize, Copies> = HashMap::new();
    for id in ids(stack, "SELECT event_id FROM ecommerce.events WHERE tracker = 'landfall-chaos'")? {
        if let Some(place) = ledger.place(id) {
            copies.entry(place).or_default().rows += 1;
        }
    }
    for id in ids(stack, "SELECT event_id FROM ecommerce.dead_letters WHERE event_id != ''")? {
        if let Some(place) = ledger.place(id) {
            copies.entry(place).or_default().letters += 1;
        }
    }
    let mut tallies = vec![Tally::default(); phases];
    for (place, entry) in ledger.entries().iter().enumerate() {
        let Copies { rows, letters } = copies.remove(&place).unwrap_or_default();
        let tally = &mut tallies[entry.phase];
        tally.acknowledged += u64::from(entry.is_acknowledged);
        tally.poison += u64::from(entry.is_acknowledged && entry.is_poison);
        tally.stored += rows.min(1);
        tally.dead_lettered += letters.min(1);
        tally.lost += u64::from(entry.is_acknowledged && rows + letters == 0);
        tally.doubled += (rows + letters).saturating_sub(1);
    }
    Ok(tallies)
}

/// How many events of a phase can be queried, or are among the dead letters.
pub(super) fn found(stack: &Stack, phase: usize) -> Result<u64> {
    let page = page_id(phase);
    let rows = sum(stack, &format!("SELECT uniqExact(event_id) FROM ecommerce.events WHERE page_id = '{page}'"))?;
    Ok(rows + letters(stack, phase)?)
}

/// How many events of a phase are among the dead letters.
pub(super) fn letters(stack: &Stack, phase: usize) -> Result<u64> {
    let page = page_id(phase);
    let own = format!("JSONExtractString(line, 'page_id') = '{page}'");
    sum(stack, &format!("SELECT uniqExact(event_id) FROM ecommerce.dead_letters WHERE {own}"))
}

/// Rows of the events table against what else counts them: the hourly view, and the account of outcomes. And rows where they may not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cross {
    pub(super) rows: u64,
    pub(super) letters: u64,
    pub(super) in_view: u64,
    pub(super) in_outcomes: u64,
    /// Rows and dead letters as the books have them ...
    pub(super) inserted: u64,
    pub(super) dead_lettered: u64,
    /// ... and what their two equations leave open, of whatever sign.
    pub(super) open: u64,
    /// Rows and dead letters of the resident site in its own region ...
    pub(super) resident: u64,
    /// ... and in others.
    pub(super) strayed: u64,
}

impl Cross {
    pub(super) fn read(stack: &Stack) -> Result<Self> {
        let resident = format!(
            "SELECT count() FROM ecommerce.events WHERE site_id = '{RESIDENT_SITE}' \
             UNION ALL SELECT count() FROM ecommerce.dead_letters WHERE site_id = '{RESIDENT_SITE}'"
        );
        let (own, others) = stack.file.clickhouse.iter().partition(|endpoint| endpoint.region == RESIDENT_REGION);
        Ok(Self {
            resident: sum_of(own, &resident)?,
            strayed: sum_of(others, &resident)?,
            rows: sum(stack, "SELECT count() FROM ecommerce.events")?,
            letters: sum(stack, "SELECT count() FROM ecommerce.dead_letters")?,
            in_view: sum(stack, "SELECT sum(event_count) FROM ecommerce.hourly_events")?,
            inserted: sum(stack, "SELECT sum(inserted) FROM ecommerce.collector_balance")?,
            dead_lettered: sum(stack, "SELECT sum(dead_lettered) FROM ecommerce.collector_balance")?,
            open: sum(stack, "SELECT sum(abs(pending) + abs(unaccounted)) FROM ecommerce.collector_balance")?,
            in_outcomes: sum(
                stack,
                "SELECT sum(count) FROM ecommerce.collector_outcomes WHERE outcome IN ('accepted', 'flagged')",
            )?,
        })
    }

    pub(super) fn is_clean(&self) -> bool {
        self.in_view == self.rows
            && self.in_outcomes == self.rows + self.letters
            && self.inserted == self.rows
            && self.dead_lettered == self.letters
            && self.open == 0
            && self.resident > 0
            && self.strayed == 0
    }
}

fn sum(stack: &Stack, sql: &str) -> Result<u64> {
    sum_of(stack.file.clickhouse.iter().collect(), sql)
}

/// All numbers that a query gives, in all of these regions.
fn sum_of(endpoints: Vec<&Endpoint>, sql: &str) -> Result<u64> {
    let mut total = 0;
    for endpoint in endpoints {
        for text in endpoint.query(sql)?.lines() {
            total += text.parse::<u64>().with_context(|| format!("expected a number, found {text:?}"))?;
        }
    }
    Ok(total)
}

fn ids(stack: &Stack, sql: &str) -> Result<Vec<Uuid>> {
    let mut ids = Vec::new();
    for endpoint in &stack.file.clickhouse {
        for line in endpoint.query(sql)?.lines() {
            ids.push(Uuid::parse_str(line).with_context(|| format!("expected an event id, found {line:?}"))?);
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_clean_only_without_loss_doubles_and_strange_letters() {
        let clean = Tally { acknowledged: 9, stored: 7, dead_lettered: 2, poison: 2, ..Tally::default() };
        assert!(clean.is_clean());
        assert!(!Tally { lost: 1, ..clean }.is_clean());
        assert!(!Tally { doubled: 1, ..clean }.is_clean());
        assert!(!Tally { dead_lettered: 3, ..clean }.is_clean());
        assert!(!Tally { dead_lettered: 1, ..clean }.is_clean());
    }
}
