//! Delivery: freezing segments and sending batches. In scope: what each class of answer does to a batch.
//! Out of scope: the meaning of an answer (`collector_core::delivery`), the request itself (`sink`).

use std::rc::Rc;

use collector_core::delivery::Delivery;
use collector_core::insert::{self, Insert, Table};
use collector_core::ledger::Ledger;
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
        if started_ms >= self.memory.borrow().not_before_ms {
            self.send_batches(&store, started_ms).await?;
        }
        self.arm().await;
        Ok(())
    }

    fn freeze_due(&self, now_ms: i64) -> Result<()> {
        let (events, outcomes) = {
            let memory = self.memory.borrow();
            (memory.events, memory.outcomes)
        };
        if events.is_some_and(|open| open.since_ms + FLUSH_MS <= now_ms) {
            self.freeze_events()?;
        }
        if let Some(open) = outcomes.filter(|open| open.since_ms + OUTCOMES_FLUSH_MS <= now_ms) {
            self.freeze(open)?;
            self.memory.borrow_mut().outcomes = None;
        }
        Ok(())
    }

    /// Makes the open segment of events a batch, and what was counted in it a part of the open segment of outcomes. There is no await in
    /// between, so that both are durable or neither is.
    pub(super) fn freeze_events(&self) -> Result<()> {
        let (open, counts) = {
            let memory = self.memory.borrow();
            (memory.events, memory.counts.clone())
        };
        let Some(open) = open else { return Ok(()) };
        let region = self.memory.borrow().region.clone();
        self.account(counts.lines(&region))?;
        self.freeze(open)?;
        let mut memory = self.memory.borrow_mut();
        memory.events = None;
        memory.counts = Ledger::default();
        Ok(())
    }

    /// Adds lines to the open segment of outcomes.
    fn account(&self, lines: Vec<u8>) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut memory = self.memory.borrow_mut();
        let store = memory.store.clone().ok_or_else(|| Error::RustError("expected an open store".to_owned()))?;
        let open = match memory.outcomes {
            Some(open) => open,
            None => store.create_segment(Table::Outcomes, clock::now_ms())?,
        };
        let rows = count_lines(&lines);
        let bytes = i64::try_from(lines.len()).unwrap_or(i64::MAX);
        store.append(open.segment, Commit { rows, lines, ..Commit::default() })?;
        memory.outcomes = Some(Open { rows: open.rows + rows, bytes: open.bytes + bytes, ..open });
        Ok(())
    }

    fn freeze(&self, open: Open) -> Result<()> {
        let mut memory = self.memory.borrow_mut();
        let store = memory.store.clone().ok_or_else(|| Error::RustError("expected an open store".to_owned()))?;
        if open.rows == 0 {
            // Only outcomes were counted: there is no row to send.
            return store.drop_segment(open.segment);
        }
        store.freeze(open, &mint_token()?.hyphenated().to_string())?;
        memory.frozen_bytes += open.bytes;
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
        let answer = self.attempt(store, batch).await?;
        match answer.delivery {
            Delivery::Delivered => {
                store.drop_batch(batch)?;
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
        store.postpone(batch, next_at_ms, &format!("{} {}", class.tag(), answer.message))?;
        // Never the body, which holds visitors' data, nor the URL with its token.
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
        let lines = store.lines(batch)?;
        let rows = count_lines(&lines);
        let parts = if rows <= 1 {
            let region = self.memory.borrow().region.clone();
            console_error!("{}", json!({"level": "alert", "what": "dead_letter", "code": answer.code}));
            let letter = dead_letter(&lines, &region, batch, answer);
            vec![Part { table: Table::DeadLetters, token: batch.token.clone(), rows: 1, lines: letter }]
        } else {
            let (first, second) = split_lines(&lines, rows / 2);
            let part = |lines: &[u8]| -> Result<Part> {
                let token = mint_token()?.hyphenated().to_string();
                Ok(Part { table: Table::Events, token, rows: count_lines(lines), lines: lines.to_vec() })
            };
            vec![part(first)?, part(second)?]
        };
        store.replace(batch, parts, clock::now_ms())
    }
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
fn mint_token() -> Result<Uuid> {
    let mut bytes = [0_u8; 10];
    getrandom::fill(&mut bytes).map_err(|error| Error::RustError(format!("expected random bytes, found {error}")))?;
    Ok(Builder::from_unix_timestamp_millis(clock::now_ms().unsigned_abs(), &bytes).into_uuid())
}
