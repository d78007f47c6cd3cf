//! One batch on its way to ClickHouse. In scope: an attempt, and what each class of answer does to the batch.
//! Out of scope: the meaning of an answer (`collector_core::delivery`), the request itself (`sink`), refused batches (`poison`).

use std::rc::Rc;

use collector_core::append;
use collector_core::delivery::Delivery;
use collector_core::insert::{self, Insert, Table};
use collector_core::ledger::Ledger;
use collector_core::outcome::{DeadLetterReason, Fate};
use collector_core::retry::Backoff;
use serde_json::json;
use uuid::Uuid;
use worker::{Error, Result, console_error};

use super::shard::Shard;
use super::store::{Batch, Store};
use crate::config::Config;
use crate::{clock, sink};

impl Shard {
    /// Sends one batch and acts on the answer. False: the region is in trouble, and the other batches need not try now.
    pub(super) async fn send_batch(&self, store: &Rc<Store>, batch: &Batch) -> Result<bool> {
        let started_ms = clock::now_ms();
        let answer = self.attempt(store, batch).await.unwrap_or_else(|error| {
            // A missing secret or region is the operator's to mend: the batch waits, and says for what.
            console_error!("batcher: {error}");
            sink::Answer { delivery: Delivery::Hold, code: None, message: error.to_string() }
        });
        let took_ms = clock::now_ms().saturating_sub(started_ms).max(0).unsigned_abs();
        self.memory.borrow_mut().inserts.note(answer.delivery, took_ms, batch.rows.unsigned_abs());
        match answer.delivery {
            Delivery::Delivered => {
                self.finish(store, batch)?;
                Ok(true)
            }
            Delivery::Poison if batch.table == Table::Events => {
                self.take_apart(store, batch, &answer)?;
                Ok(true)
            }
            class => self.postpone(store, batch, class, &answer),
        }
    }

    /// The batch is in ClickHouse: it is done, and its rows are booked.
    fn finish(&self, store: &Rc<Store>, batch: &Batch) -> Result<()> {
        let fate = match batch.table {
            Table::Events => Some(Fate::Inserted(None)),
            Table::DeadLetters => Some(Fate::DeadLettered(DeadLetterReason::RefusedByClickhouse)),
            Table::Outcomes => None,
        };
        let mut counts = Ledger::default();
        for frame in fate.map_or_else(|| Ok(Vec::new()), |_| store.counts(batch.segment))? {
            if let (Some(fate), Ok(carried)) = (fate, append::decode(&frame)) {
                counts.merge(&carried.counts.stored_as(fate));
            }
        }
        let (batch, now_ms) = (batch.clone(), clock::now_ms());
        self.book(&counts, move |store| store.finish(&batch, now_ms))
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
}

fn random() -> Result<u64> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| Error::RustError(format!("expected random bytes, found {error}")))?;
    Ok(u64::from_le_bytes(bytes))
}
