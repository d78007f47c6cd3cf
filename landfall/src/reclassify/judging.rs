//! The run over the rows. In scope: comparing the verdict that stands with the present one, noting what differs, and its items.

use collector_core::rejudge::{Judge, Judgement};
use collector_core::site::{Site, Sites};

use super::diff::{Diff, Difference};
use super::item::{self, Purchases};
use super::run::{Override, Run};
use super::source::{Source, Standing};
use super::{Mode, Outcome, Progress, ReclassifyError};
use crate::connection::Connection;

/// What is remembered from row to row.
pub(super) struct Judging<'c> {
    connection: &'c Connection,
    sites: &'c Sites,
    judge: Judge,
    pub(super) diff: Diff,
    run: Option<Run<'c>>,
    purchases: Purchases,
}

impl<'c> Judging<'c> {
    /// Before any row is read: a run notes which others are seen.
    pub(super) fn new(
        connection: &'c Connection,
        sites: &'c Sites,
        source: &Source<'_>,
        mode: Mode,
    ) -> Result<Self, ReclassifyError> {
        let run = if mode == Mode::Apply { Some(Run::new(connection, source)?) } else { None };
        let (judge, diff, purchases) = <(Judge, Diff, Purchases)>::default();
        Ok(Self { connection, sites, judge, diff, run, purchases })
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
        self.diff.note_shadows(standing, &judgement);
        let is_bot = judgement.verdict.flag.is_some();
        if is_bot != standing.is_bot() {
            return self.change(standing, &judgement, site);
        }
        self.diff.note_evidence(standing, &judgement);
        Ok(())
    }

    fn change(&mut self, standing: &Standing, judgement: &Judgement<'_>, site: &Site) -> Result<(), ReclassifyError> {
        let row = &standing.row;
        let crawler = self.judge.crawler_name(&row.user_agent);
        let difference = Difference { standing, judgement, crawler: crawler.as_deref() };
        let reason = self.diff.add(&difference);
        let verdict = Override::new(row, judgement, site.rules.version(), reason);
        if row.event_type == "purchase" {
            self.purchases.push(&row.order_id, verdict.clone());
        }
        self.write(&verdict)?;
        if self.purchases.is_full() { self.find_items() } else { Ok(()) }
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

    /// What is left, then the whole diff, and then the moment from which the run is seen.
    pub(super) fn finish(
        mut self,
        source: &Source<'_>,
        report: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Outcome, ReclassifyError> {
        self.find_items()?;
        report(Progress::Found(&self.diff));
        let has_changes = self.diff.to_bot.events + self.diff.to_human.events > 0;
        let run_id = match self.run {
            Some(run) if has_changes => Some(run.publish(source, &self.diff)?),
            _ => None,
        };
        Ok(Outcome { diff: self.diff, run_id })
    }
}
