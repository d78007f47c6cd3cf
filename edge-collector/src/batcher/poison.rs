//! Batches that ClickHouse refuses as they are. In scope: halving a batch until the refused rows are alone, and setting those aside.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

use collector_core::insert::Table;
use collector_core::log::Level;
use collector_core::outcome::DeadLetterReason;
use collector_core::stored;
use serde::{Deserialize, Serialize};
use worker::Result;

use super::books::{encode_counts, failed_attempts};
use super::deliver::with_code;
use super::shard::Shard;
use super::store::{Batch, Commit, Part, Store, count_lines};
use crate::{clock, log, sink};

impl Shard {
    /// Halves a batch that ClickHouse refuses as it is; a single row that it refuses becomes a dead letter.
    pub(super) fn take_apart(&self, store: &Store, batch: &Batch, answer: &sink::Answer) -> Result<()> {
        let (lines, ids) = (store.lines(batch)?, store.ids(batch)?);
        let rows = count_lines(&lines);
        if rows <= 1 {
            return self.bury(batch, &lines, answer);
        }
        let (first, second) = split_lines(&lines, rows / 2);
        let first_ids = usize::try_from(rows / 2).unwrap_or(0).saturating_mul(16).min(ids.len());
        let (first_ids, second_ids) = ids.split_at_checked(first_ids).unwrap_or((&ids, &[]));
        let part = |lines: &[u8], ids: &[u8]| Part::new(lines.to_vec(), ids.to_vec());
        let (first, second) = (part(first, first_ids)?, part(second, second_ids)?);
        let (batch, now_ms) = (batch.clone(), clock::now_ms());
        self.book(failed_attempts(batch.attempts.saturating_add(1), now_ms), move |store| {
            store.insert_part(first, now_ms)?;
            store.insert_part(second, now_ms)?;
            // Its ids live on in the parts.
            store.replace(&batch)
        })
    }

    /// Moves a single row to the dead letters.
    fn bury(&self, batch: &Batch, line: &[u8], answer: &sink::Answer) -> Result<()> {
        let (letters, region) = {
            let memory = self.memory.borrow();
            (memory.open.letters, memory.region.clone())
        };
        log::write(with_code(self.line(Level::Alert, "dead_letter"), answer.code));
        let commit = Commit {
            rows: 1,
            counts: encode_counts(&stored::tally(line))?,
            lines: dead_letter(line, &region, batch, answer)?,
            ..Commit::default()
        };
        let (batch, now_ms) = (batch.clone(), clock::now_ms());
        let open = Rc::new(Cell::new(letters));
        let found = Rc::clone(&open);
        self.book(failed_attempts(batch.attempts.saturating_add(1), now_ms), move |store| {
            open.set(Some(store.append_to(Table::DeadLetters, letters, commit, now_ms)?));
            store.finish(&batch, now_ms)
        })?;
        self.memory.borrow_mut().open.letters = found.get();
        self.freeze_if_full(Table::DeadLetters);
        Ok(())
    }
}

/// A row of `ecommerce.dead_letters`: text only, so that nothing in it can be refused again.
#[derive(Serialize)]
struct DeadLetter<'a> {
    #[serde(flatten)]
    row: RefusedRow<'a>,
    collector_region: &'a str,
    batch_token: &'a str,
    reason: &'a str,
    code: String,
    message: &'a str,
    line: &'a str,
}

/// What a dead letter repeats of the refused row; empty where the row has no such column.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct RefusedRow<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    site_id: Cow<'a, str>,
    #[serde(borrow)]
    received_at: Cow<'a, str>,
}

fn dead_letter(line: &[u8], region: &str, batch: &Batch, answer: &sink::Answer) -> Result<Vec<u8>> {
    let text = String::from_utf8_lossy(line);
    let letter = DeadLetter {
        row: serde_json::from_str(&text).unwrap_or_default(),
        collector_region: region,
        batch_token: &batch.token,
        reason: DeadLetterReason::RefusedByClickhouse.tag(),
        code: answer.code.map(|code| code.to_string()).unwrap_or_default(),
        message: &answer.message,
        line: text.trim_end(),
    };
    let mut json = serde_json::to_vec(&letter)?;
    json.push(b'\n');
    Ok(json)
}

/// Splits behind the first `rows` lines.
fn split_lines(lines: &[u8], rows: i64) -> (&[u8], &[u8]) {
    let mut seen = 0;
    let end = lines.iter().position(|byte| {
        seen += i64::from(*byte == b'\n');
        seen == rows
    });
    lines.split_at_checked(end.map_or(lines.len(), |end| end + 1)).unwrap_or((lines, &[]))
}
