//! The run over the rows. In scope: comparing the verdict that stands with the present one, noting what differs, and its items.

use collector_core::rejudge::{Judge, Judgement};
use collector_core::site::{Site, Sites};

use super::diff::{Diff, Difference};
use super::item::{self, Purchase};
use super::run::{Override, Run};
use super::source::{Source, Standing};
use super::{Mode, Outcome, ReclassifyError};
use crate::connection::Connection;

/// Purchases whose items are looked for together.
const PURCHASES_MAX: usize = 500;

/// What is remembered from row to row.
pub(super) struct Judging<'c> {
    connection: &'c Connection,
    sites: &'c Sites,
    judge: Judge,
    pub(super) diff: Diff,
    run: Option<Run<'c>>,
    /// Purchases with another verdict, whose items have not been looked for.
    purchases: Vec<Purchase>,
}

impl<'c> Judging<'c> {
    pub(super) fn new(connection: &'c Connection, sites: &'c Sites, mode: Mode) -> Self {
        let run = (mode == Mode::Apply).then(|| Run::new(connection));
        Self { connection, sites, judge: Judge::default(), diff: Diff::default(), run, purchases: Vec::new() }
    }

    /// Judges one row.
    pub(super) fn judge(&mut self, standing: &Standing) -> Result<(), ReclassifyError> {
        let row = &standing.row;
        // Only rows of known sites are asked for.
        let Some(site) = self.sites.get(&row.site_id) else { return Ok(()) };
        self.diff.looked_at += 1;
        let judgement = match self.judge.judge(row, site) {
            Ok(judgement) => judgement,
            Err(undecided) => {
                self.diff.undecided.add(&format!("{} of {}", undecided.rule, site.id), 1);
                return Ok(());
            }
        };
        self.diff.note_shadows(row, &judgement);
        let is_bot = judgement.verdict.flag.is_some();
        if is_bot == standing.is_bot() { Ok(()) } else { self.change(standing, &judgement, site) }
    }

    fn change(&mut self, standing: &Standing, judgement: &Judgement<'_>, site: &Site) -> Result<(), ReclassifyError> {
        let row = &standing.row;
        let crawler = self.judge.crawler_name(&row.user_agent);
        let difference = Difference { row, judgement, crawler: crawler.as_deref() };
        let reason = self.diff.add(&difference);
        let verdict = Override::new(row, judgement, site.rules.version(), reason);
        if row.event_type == "purchase" {
            self.purchases.push(Purchase { order_id: row.order_id.clone(), verdict: verdict.clone() });
        }
        self.write(&verdict)?;
        if self.purchases.len() >= PURCHASES_MAX { self.find_items() } else { Ok(()) }
    }

    fn find_items(&mut self) -> Result<(), ReclassifyError> {
        let purchases = std::mem::take(&mut self.purchases);
        for verdict in item::find(self.connection, &purchases)? {
            self.diff.add_item(verdict.is_bot());
            self.write(&verdict)?;
        }
        Ok(())
    }

    fn write(&mut self, verdict: &Override) -> Result<(), ReclassifyError> {
        self.run.as_mut().map_or(Ok(()), |run| run.write(verdict))
    }

    /// What is left, and then the moment from which the run is seen.
    pub(super) fn finish(mut self, source: &Source<'_>) -> Result<Outcome, ReclassifyError> {
        self.find_items()?;
        let has_changes = self.diff.to_bot.events + self.diff.to_human.events > 0;
        let run_id = match self.run {
            Some(run) if has_changes => Some(run.publish(source, &self.diff)?),
            _ => None,
        };
        Ok(Outcome { diff: self.diff, run_id })
    }
}
