//! Runs. In scope: writing verdicts beside the events, the line that makes a run seen, and the one that takes it back.

use collector_core::rejudge::{Judgement, StoredRow};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::ReclassifyError;
use super::diff::Diff;
use super::source::{Source, parse};
use crate::connection::{Connection, ConnectionError, Target};

/// Verdicts that are written together.
const MAX_BATCH_ROWS: usize = 10_000;

/// A verdict that stands above the stored one. The fields are columns of `ecommerce.verdict_overrides`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Override {
    pub(super) site_id: String,
    pub(super) timestamp: String,
    pub(super) event_id: String,
    is_bot: u8,
    bot_signals: Vec<String>,
    device_type: String,
    rules_version: String,
    reason: String,
}

/// The same with its run.
#[derive(Serialize)]
struct Line<'l> {
    run_id: &'l str,
    #[serde(flatten)]
    verdict: &'l Override,
}

impl Override {
    pub(super) fn new(row: &StoredRow, judgement: &Judgement<'_>, rules_version: &str, reason: String) -> Self {
        let Judgement { verdict, device_type, .. } = judgement;
        Self {
            site_id: row.site_id.clone(),
            timestamp: row.timestamp.clone(),
            event_id: row.event_id.clone(),
            is_bot: verdict.flag.is_some().into(),
            bot_signals: verdict.signals.iter().map(ToString::to_string).collect(),
            device_type: (*device_type).to_owned(),
            rules_version: rules_version.to_owned(),
            reason,
        }
    }

    /// The same verdict on an item of the purchase.
    pub(super) fn of_item(&self, event_id: String) -> Self {
        Self { event_id, ..self.clone() }
    }

    pub(super) fn is_bot(&self) -> bool {
        self.is_bot != 0
    }
}

/// A run that nobody sees yet.
pub(super) struct Run<'c> {
    connection: &'c Connection,
    id: String,
    /// The others on its events, as they were at its beginning.
    others: String,
    lines: String,
    waiting: usize,
}

impl<'c> Run<'c> {
    pub(super) fn new(connection: &'c Connection, source: &Source<'_>) -> Result<Self, ReclassifyError> {
        let others = state(connection, source)?;
        Ok(Self { connection, id: Uuid::now_v7().to_string(), others, lines: String::new(), waiting: 0 })
    }

    /// Writes one verdict, sooner or later.
    pub(super) fn write(&mut self, verdict: &Override) -> Result<(), ReclassifyError> {
        let line = Line { run_id: &self.id, verdict };
        self.lines += &serde_json::to_string(&line).map_err(|error| ReclassifyError::Row(error.to_string()))?;
        self.lines.push('\n');
        self.waiting += 1;
        if self.waiting >= MAX_BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ReclassifyError> {
        let lines = std::mem::take(&mut self.lines);
        self.waiting = 0;
        let table = "ecommerce.verdict_overrides";
        self.connection
            .execute(&format!("INSERT INTO {table} SETTINGS async_insert = 0 FORMAT JSONEachRow\n{lines}"))?;
        Ok(())
    }

    /// Makes all of it seen at once. What differs was found against the verdicts of the beginning: if these are others now, it is wrong.
    pub(super) fn publish(mut self, source: &Source<'_>, diff: &Diff) -> Result<String, ReclassifyError> {
        self.flush()?;
        if state(self.connection, source)? != self.others {
            return Err(ReclassifyError::Overtaken);
        }
        let line = json!({
            "run_id": self.id, "from_time": source.from, "to_time": source.to, "site_id": source.site,
            "rules_version": Source::rules_version(),
            "became_bot": diff.to_bot.events + diff.to_bot.items, "became_human": diff.to_human.events + diff.to_human.items,
        });
        let table = "ecommerce.verdict_runs";
        let sql = format!("INSERT INTO {table} SETTINGS async_insert = 0 FORMAT JSONEachRow\n{line}\n");
        match self.connection.execute(&sql) {
            Ok(_) => Ok(self.id),
            Err(source @ (ConnectionError::Unreachable { .. } | ConnectionError::Slow { .. })) => {
                Err(ReclassifyError::Unsure { run: self.id, source })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The runs on these events: a text that is another one as soon as a run is published or taken back.
fn state(connection: &Connection, source: &Source<'_>) -> Result<String, ReclassifyError> {
    let Source { from, to, site, .. } = source;
    let state = connection.execute(&format!(
        "SELECT count(), countIf(is_undone = 1), max(published_at) FROM ecommerce.verdict_runs FINAL \
         WHERE from_time < toDateTime64('{to}', 3, 'UTC') AND to_time > toDateTime64('{from}', 3, 'UTC') \
         AND (site_id IN ('', '{site}') OR '{site}' = '')"
    ));
    Ok(state?)
}

/// A run that was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Undone {
    /// The run.
    pub run_id: String,
    /// When it was applied, UTC.
    pub published_at: String,
    /// Rows whose verdict was changed, items of purchases included.
    pub rows: u64,
}

/// Takes a run back, without a name the newest: its verdicts are seen no more, so those before it stand again. Nothing is deleted.
pub fn undo(target: &Target, run: Option<Uuid>) -> Result<Undone, ReclassifyError> {
    let connection = Connection::new(target)?;
    if run.is_none() {
        check_not_undone(&connection)?;
    }
    let name = run.map_or_else(String::new, |run| format!("AND run_id = '{run}'"));
    let found = connection.execute(&format!(
        "SELECT run_id, toString(published_at), became_bot + became_human FROM ecommerce.verdict_runs FINAL \
         WHERE is_undone = 0 {name} ORDER BY published_at DESC, run_id DESC LIMIT 1 \
         SETTINGS output_format_json_quote_64bit_integers = 0 FORMAT JSONCompactEachRow"
    ))?;
    let line = found.lines().next();
    let none = || ReclassifyError::NoRun(run.map_or_else(|| "none".to_owned(), |run| run.to_string()));
    let undone: Undone = parse(line.ok_or_else(none)?)?;
    check_newest(&connection, &undone.run_id)?;
    connection.execute(&format!(
        "INSERT INTO ecommerce.verdict_runs SELECT * REPLACE (1 AS is_undone, now64(6) AS undone_at) \
         FROM ecommerce.verdict_runs FINAL WHERE run_id = '{}' SETTINGS async_insert = 0",
        undone.run_id
    ))?;
    Ok(undone)
}

/// Without a name the newest run is meant. If that is taken back already, an older one is hardly meant.
fn check_not_undone(connection: &Connection) -> Result<(), ReclassifyError> {
    let runs = connection.execute(
        "SELECT run_id, is_undone FROM ecommerce.verdict_runs FINAL ORDER BY published_at DESC, run_id DESC LIMIT 1 BY is_undone \
         FORMAT JSONCompactEachRow",
    )?;
    let runs: Vec<(String, u8)> = runs.lines().map(parse).collect::<Result<_, _>>()?;
    match runs.as_slice() {
        [(newest, 1), (standing, _)] => {
            Err(ReclassifyError::AlreadyUndone { newest: newest.clone(), standing: standing.clone() })
        }
        _ => Ok(()),
    }
}

/// A later run on the same events has only written what differs from this one: without it, that one would say less than it found.
fn check_newest(connection: &Connection, run: &str) -> Result<(), ReclassifyError> {
    let newer = connection.execute(&format!(
        "SELECT n.run_id FROM ecommerce.verdict_runs AS n FINAL CROSS JOIN \
         (SELECT * FROM ecommerce.verdict_runs FINAL WHERE run_id = '{run}') AS o \
         WHERE n.is_undone = 0 AND (n.published_at, n.run_id) > (o.published_at, o.run_id) \
         AND n.from_time < o.to_time AND n.to_time > o.from_time AND (n.site_id = o.site_id OR n.site_id = '' OR o.site_id = '') \
         ORDER BY n.published_at DESC, n.run_id DESC LIMIT 1"
    ))?;
    match newer.trim() {
        "" => Ok(()),
        newer => Err(ReclassifyError::NotNewest { run: run.to_owned(), newer: newer.to_owned() }),
    }
}

#[cfg(test)]
impl Override {
    /// A verdict on an event of this site and time.
    pub(super) fn of(site_id: &str, timestamp: &str) -> Self {
        Self {
            site_id: site_id.to_owned(),
            timestamp: timestamp.to_owned(),
            event_id: Uuid::nil().to_string(),
            is_bot: 1,
            bot_signals: Vec::new(),
            device_type: String::new(),
            rules_version: String::new(),
            reason: String::new(),
        }
    }
}
