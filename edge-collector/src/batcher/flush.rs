//! Delivery: freezing segments and sending batches. In scope: what each class of answer does to a batch.
//! Out of scope: the meaning of an answer (`collector_core::delivery`), the request itself (`sink`).

use std::rc::Rc;

use collector_core::delivery::Delivery;
use collector_core::insert::{self, Insert, Table};
use collector_core::ledger::Ledger;
use collector_core::recent::WINDOW_MS;
use collector_core::retry::Backoff;
use serde_json::json;
use uuid::{Builder, Uuid};
use worker::{Error, Result, console_error};

use super::shard::{FLUSH_MS, OUTCOMES_FLUSH_MS, Shard};
use super::store::{Batch, Commit, Open, Part, Store};
use crate::config::Config;
use crate::{clock, sink};

/// How long one alarm goes on sending; then it makes way and is set again. The platform allows 15 minutes.
const ALARM_MS_MAX: i64 = 120_000;

impl Shard {
    /// Freezes what is old enough, sends what is frozen, and sets the next alarm.
    pub(crate) async fn flush(&self) -> Result<()> {
        let store = self.open("")?;
        self.memory.borrow_mut().alarm_at_ms = None;
        let started_ms = clock::now_ms();
        self.freeze_due(started_ms)?;
        store.atomically(move |store| store.drop_delivered(started_ms - WINDOW_MS))?;
        if started_ms >= self.memory.borrow().not_before_ms {
            self.send_batches(&store, started_ms).await?;
        }
        self.arm().await;
        Ok(())
    }

    fn freeze_due(&self, now_ms: i64) -> Result<()> {
        let (events, outcomes, letters) = {
            let memory = self.memory.borrow();
            (memory.events, memory.outcomes, memory.letters)
        };
        if events.is_some_and(|open| open.since_ms + FLUSH_MS <= now_ms) {
            self.freeze_events()?;
        }
        if let Some(open) = outcomes.filter(|open| open.since_ms + OUTCOMES_FLUSH_MS <= now_ms) {
            freeze(&*self.store()?, open, &mint_token()?)?;
            self.memory.borrow_mut().outcomes = None;
        }
        if let Some(open) = letters.filter(|open| open.since_ms + FLUSH_MS <= now_ms) {
            freeze(&*self.store()?, open, &mint_token()?)?;
            self.memory.borrow_mut().letters = None;
        }
        Ok(())
    }

    /// Makes the open segment of events a batch, and what was counted in it a part of the open segment of outcomes: both or neither.
    pub(super) fn freeze_events(&self) -> Result<()> {
        let (events, outcomes, counts) = {
            let memory = self.memory.borrow();
            (memory.events, memory.outcomes, memory.counts.lines(&memory.region))
        };
        let Some(events) = events else { return Ok(()) };
        let (token, now_ms) = (mint_token()?, clock::now_ms());
        let outcomes = self.store()?.atomically(move |store| {
            freeze(store, events, &token)?;
            append_lines(store, Table::Outcomes, outcomes, counts, now_ms)
        })?;
        let mut memory = self.memory.borrow_mut();
        memory.outcomes = outcomes;
        memory.frozen_bytes += events.bytes;
        memory.events = None;
        memory.counts = Ledger::default();
        Ok(())
    }

    async fn send_batches(&self, store: &Rc<Store>, started_ms: i64) -> Result<()> {
        for batch in store.batches()? {
            let now_ms = clock::now_ms();
            if now_ms - started_ms > ALARM_MS_MAX {
                break;
            }
            if batch.next_attempt_at_ms > now_ms {
                continue;
            }
            if !self.send_batch(store, &batch).await? {
                break;
            }
        }
        self.memory.borrow_mut().frozen_bytes = store.batches()?.iter().map(|batch| batch.bytes).sum();
        Ok(())
    }

    /// Sends one batch and acts on the answer. False: the region is in trouble, and the other batches need not try now.
    async fn send_batch(&self, store: &Rc<Store>, batch: &Batch) -> Result<bool> {
        let answer = self.attempt(store, batch).await.unwrap_or_else(|error| {
            // A missing secret or region is the operator's to mend: the batch waits, and says for what.
            console_error!("batcher: {error}");
            sink::Answer { delivery: Delivery::Hold, code: None, message: error.to_string() }
        });
        match answer.delivery {
            Delivery::Delivered => {
                let batch = batch.clone();
                store.atomically(move |store| store.finish(&batch, clock::now_ms()))?;
                Ok(true)
            }
            Delivery::Poison if batch.table == Table::Events => {
                self.take_apart(store, batch, &answer)?;
                Ok(true)
            }
            class => self.postpone(store, batch, class, &answer),
        }
    }

    /// Keeps a batch for later. False: the region is in trouble, not only this batch.
    fn postpone(&self, store: &Rc<Store>, batch: &Batch, class: Delivery, answer: &sink::Answer) -> Result<bool> {
        let wait_ms = Backoff { failures: batch.attempts }.next_wait_ms(class, random()?);
        let next_at_ms = clock::now_ms().saturating_add(i64::try_from(wait_ms).unwrap_or(i64::MAX));
        // Never ClickHouse's message, which may quote a visitor's data: this is shown by `/readyz`.
        let code = answer.code.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
        store.postpone(batch, next_at_ms, &format!("{} {code}", class.tag()))?;
        let line = json!({
            "level": "alert", "what": "insert_failed", "class": class.tag(), "table": batch.table.name(), "rows": batch.rows,
            "attempts": batch.attempts.saturating_add(1), "wait_ms": wait_ms, "code": answer.code,
        });
        console_error!("{line}");
        let is_region_wide = matches!(class, Delivery::Retry | Delivery::Unknown);
        if is_region_wide {
            self.memory.borrow_mut().not_before_ms = next_at_ms;
        }
        Ok(!is_region_wide)
    }

    async fn attempt(&self, store: &Rc<Store>, batch: &Batch) -> Result<sink::Answer> {
        let region = self.memory.borrow().region.clone();
        let config = Config::of(&self.env)?;
        let endpoint = config
            .endpoint(&region)
            .ok_or_else(|| Error::RustError(format!("expected region {region:?} in REGIONS")))?;
        let endpoint = insert::Endpoint {
            url: endpoint.url.clone(),
            user: endpoint.user.clone(),
            password: endpoint.password(&self.env)?,
        };
        let token =
            Uuid::try_parse(&batch.token).map_err(|error| Error::RustError(format!("token of a batch: {error}")))?;
        let body = insert::compress([store.lines(batch)?.as_slice()]);
        Ok(sink::send(Insert::new(&endpoint, batch.table, token, body)).await)
    }

    /// Halves a batch that ClickHouse refuses as it is; a single row that it refuses becomes a dead letter.
    fn take_apart(&self, store: &Rc<Store>, batch: &Batch, answer: &sink::Answer) -> Result<()> {
        let (lines, ids) = (store.lines(batch)?, store.ids(batch)?);
        let rows = count_lines(&lines);
        if rows <= 1 {
            return self.bury(store, batch, &lines, answer);
        }
        let (first, second) = split_lines(&lines, rows / 2);
        let first_ids = usize::try_from(rows / 2).unwrap_or(0).saturating_mul(16).min(ids.len());
        let (first_ids, second_ids) = ids.split_at_checked(first_ids).unwrap_or((&ids, &[]));
        let part = |lines: &[u8], ids: &[u8]| -> Result<Part> {
            Ok(Part { token: mint_token()?, rows: count_lines(lines), ids: ids.to_vec(), lines: lines.to_vec() })
        };
        let (first, second) = (part(first, first_ids)?, part(second, second_ids)?);
        let (batch, now_ms) = (batch.clone(), clock::now_ms());
        store.atomically(move |store| {
            store.insert_part(first, now_ms)?;
            store.insert_part(second, now_ms)?;
            // Its ids live on in the parts.
            store.drop_segment(batch.segment)
        })
    }

    /// Moves a single row to the dead letters.
    fn bury(&self, store: &Rc<Store>, batch: &Batch, line: &[u8], answer: &sink::Answer) -> Result<()> {
        let (letters, region) = {
            let memory = self.memory.borrow();
            (memory.letters, memory.region.clone())
        };
        console_error!("{}", json!({"level": "alert", "what": "dead_letter", "code": answer.code}));
        let letter = dead_letter(line, &region, batch, answer);
        let (batch, now_ms) = (batch.clone(), clock::now_ms());
        let letters = store.atomically(move |store| {
            let letters = append_lines(store, Table::DeadLetters, letters, letter, now_ms)?;
            store.finish(&batch, now_ms)?;
            Ok(letters)
        })?;
        self.memory.borrow_mut().letters = letters;
        Ok(())
    }
}

/// Adds lines to an open segment, made if there is none; the segment as it then is.
fn append_lines(store: &Store, table: Table, open: Option<Open>, lines: Vec<u8>, now_ms: i64) -> Result<Option<Open>> {
    if lines.is_empty() {
        return Ok(open);
    }
    let open = open.map_or_else(|| store.create_segment(table, now_ms), Ok)?;
    let (rows, bytes) = (count_lines(&lines), i64::try_from(lines.len()).unwrap_or(i64::MAX));
    store.append(open.segment, Commit { rows, lines, ..Commit::default() })?;
    Ok(Some(Open { rows: open.rows + rows, bytes: open.bytes + bytes, ..open }))
}

fn freeze(store: &Store, open: Open, token: &str) -> Result<()> {
    // Only outcomes were counted: there is no row to send.
    if open.rows == 0 { store.drop_segment(open.segment) } else { store.freeze(open, token) }
}

/// A row of `ecommerce.dead_letters`: text only, so that nothing in it can be refused again.
fn dead_letter(line: &[u8], region: &str, batch: &Batch, answer: &sink::Answer) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    let row: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let field = |name: &str| row.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let letter = json!({
        "event_id": field("event_id"),
        "site_id": field("site_id"),
        "collector_region": region,
        "received_at": field("received_at"),
        "batch_token": batch.token,
        "reason": "refused_by_clickhouse",
        "code": answer.code.map(|code| code.to_string()).unwrap_or_default(),
        "message": answer.message,
        "line": text.trim_end(),
    });
    format!("{letter}\n").into_bytes()
}

fn count_lines(lines: &[u8]) -> i64 {
    i64::try_from(lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()).unwrap_or(i64::MAX)
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

fn random() -> Result<u64> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| Error::RustError(format!("expected random bytes, found {error}")))?;
    Ok(u64::from_le_bytes(bytes))
}

/// A deduplication token: unique, and in the order of time for whoever reads logs.
fn mint_token() -> Result<String> {
    let mut bytes = [0_u8; 10];
    getrandom::fill(&mut bytes).map_err(|error| Error::RustError(format!("expected random bytes, found {error}")))?;
    Ok(Builder::from_unix_timestamp_millis(clock::now_ms().unsigned_abs(), &bytes).into_uuid().hyphenated().to_string())
}
