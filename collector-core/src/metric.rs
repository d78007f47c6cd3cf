//! Metrics in Prometheus' text format.
//!
//! In scope: names, kinds and helps of all metrics; samples as text; the page that `/metrics` serves.
//! Out of scope: where the numbers come from (the Batchers).
//!
//! Names follow Prometheus' conventions (<https://prometheus.io/docs/practices/naming/>). Labels are few and bounded: region, shard and the tags
//! of `outcome`; never a site, of which there may be thousands (`ecommerce.collector_outcomes` has those).

use std::fmt::Write;

use crate::account::Account;
use crate::delivery::Delivery;
use crate::ledger::Ledger;

/// Bounds of the buckets of insert durations, in milliseconds.
const BUCKETS_MS: [u64; 8] = [10, 50, 100, 250, 500, 1_000, 5_000, 30_000];

/// A metric as the page declares it: name, kind, help.
struct Metric(&'static str, &'static str, &'static str);

/// Every metric, in the order of the page.
const METRICS: &[Metric] = &[
    Metric("landfall_build_info", "gauge", "Version of the Worker and of the rules that judge bots; always 1."),
    Metric("landfall_up", "gauge", "Whether the Batcher answered."),
    Metric("landfall_accepting", "gauge", "Whether the Batcher takes events: its backlog is below the limit."),
    Metric("landfall_received_total", "counter", "Events that came in."),
    Metric("landfall_events_total", "counter", "Events by outcome and reason."),
    Metric("landfall_rows_total", "counter", "Acknowledged rows by what became of them."),
    Metric("landfall_backlog_rows", "gauge", "Acknowledged rows that are not in ClickHouse yet."),
    Metric("landfall_backlog_bytes", "gauge", "Bytes of these rows."),
    Metric("landfall_backlog_age_seconds", "gauge", "How long the oldest of these rows has waited."),
    Metric("landfall_batches", "gauge", "Frozen batches that wait, by the class of the failure that they wait for."),
    Metric("landfall_insert_attempts_total", "counter", "Inserts of rows by the class of the answer."),
    Metric("landfall_insert_seconds", "histogram", "How long inserts of rows took."),
    Metric("landfall_insert_rows_total", "counter", "Rows of successful inserts."),
    Metric("landfall_retries_total", "counter", "Inserts of batches that had been tried before."),
    Metric("landfall_failovers_total", "counter", "Batches that another region than their own took."),
];

/// Where a sample comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'a> {
    /// The region of the Batcher.
    pub region: &'a str,
    /// Its shard.
    pub shard: u32,
}

/// Samples of one Batcher as text, one per line, in any order: `exposition` sorts them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    text: String,
}

impl Samples {
    /// Adds one sample. Labels are tags and ids, which need no escapes; another label is left out.
    pub fn push(&mut self, name: &str, origin: Origin<'_>, labels: &[(&str, &str)], value: u64) {
        self.push_text(name, origin, labels, &value.to_string());
    }

    fn push_text(&mut self, name: &str, origin: Origin<'_>, labels: &[(&str, &str)], value: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{name}{{region=\"{}\",shard=\"{}\"", origin.region, origin.shard);
        for (label, value) in labels.iter().filter(|(_, value)| is_plain(value)) {
            let _ = write!(self.text, ",{label}=\"{value}\"");
        }
        let _ = writeln!(self.text, "}} {value}");
    }

    /// Adds what a ledger's totals count.
    pub fn push_totals(&mut self, origin: Origin<'_>, totals: &Ledger) {
        for (key, count) in totals.iter() {
            let tags = [("outcome", key.account.tag()), ("reason", key.account.reason_tag())];
            match key.account {
                Account::Received => self.push("landfall_received_total", origin, &[], count),
                Account::Ended(_) => self.push("landfall_events_total", origin, &tags, count),
                Account::Met(_) => self.push("landfall_rows_total", origin, &tags, count),
                // The levels of this minute, which are measured anew for metrics.
                Account::Measured(_) => {}
            }
        }
    }

    /// The lines.
    pub fn into_text(self) -> String {
        self.text
    }
}

fn is_plain(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:+".contains(&b))
}

/// One attempt to insert a batch of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The class of the answer.
    pub delivery: Delivery,
    /// How long the answer took, in milliseconds.
    pub took_ms: u64,
    /// Rows of the batch.
    pub rows: u64,
    /// Whether the batch had been tried before.
    pub is_retry: bool,
    /// Whether the region is another than the Batcher's own.
    pub is_elsewhere: bool,
}

/// Inserts since the Batcher woke up. Prometheus understands counters that start over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inserts {
    attempts: Vec<(Delivery, u64)>,
    buckets: [u64; BUCKETS_MS.len()],
    count: u64,
    sum_ms: u64,
    rows: u64,
    retries: u64,
    failovers: u64,
}

impl Inserts {
    /// Notes one attempt.
    pub fn note(&mut self, attempt: &Attempt) {
        let Attempt { delivery, took_ms, rows, is_retry, is_elsewhere } = *attempt;
        match self.attempts.iter_mut().find(|(class, _)| *class == delivery) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.attempts.push((delivery, 1)),
        }
        for (bucket, bound_ms) in self.buckets.iter_mut().zip(BUCKETS_MS) {
            *bucket = bucket.saturating_add(u64::from(took_ms <= bound_ms));
        }
        self.count = self.count.saturating_add(1);
        self.sum_ms = self.sum_ms.saturating_add(took_ms);
        self.retries = self.retries.saturating_add(u64::from(is_retry));
        if delivery == Delivery::Delivered {
            self.rows = self.rows.saturating_add(rows);
            self.failovers = self.failovers.saturating_add(u64::from(is_elsewhere));
        }
    }

    /// Adds these samples.
    pub fn push(&self, origin: Origin<'_>, samples: &mut Samples) {
        for (class, count) in &self.attempts {
            samples.push("landfall_insert_attempts_total", origin, &[("class", class.tag())], *count);
        }
        for (bucket, bound_ms) in self.buckets.iter().zip(BUCKETS_MS) {
            samples.push("landfall_insert_seconds_bucket", origin, &[("le", &seconds(bound_ms))], *bucket);
        }
        samples.push("landfall_insert_seconds_bucket", origin, &[("le", "+Inf")], self.count);
        samples.push_text("landfall_insert_seconds_sum", origin, &[], &seconds(self.sum_ms));
        samples.push("landfall_insert_seconds_count", origin, &[], self.count);
        samples.push("landfall_insert_rows_total", origin, &[], self.rows);
        samples.push("landfall_retries_total", origin, &[], self.retries);
        samples.push("landfall_failovers_total", origin, &[], self.failovers);
    }
}

/// Milliseconds as seconds, without the standard library's float formatting, which is 15 KB of Wasm.
fn seconds(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The page: samples of all Batchers, each metric's together below its declaration, as the format demands.
pub fn exposition(texts: &[String]) -> String {
    let mut page = String::new();
    for Metric(name, kind, help) in METRICS {
        let mut is_declared = false;
        for line in texts.iter().flat_map(|text| text.lines()).filter(|line| is_of(line, name)) {
            if !is_declared {
                let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
                is_declared = true;
            }
            page.push_str(line);
            page.push('\n');
        }
    }
    page
}

/// Whether a sample belongs to a metric; a histogram's samples have a suffix.
fn is_of(line: &str, metric: &str) -> bool {
    let suffix = line.split('{').next().and_then(|name| name.strip_prefix(metric));
    suffix.is_some_and(|suffix| ["", "_bucket", "_sum", "_count"].contains(&suffix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{FilterReason, Outcome};

    const ORIGIN: Origin<'_> = Origin { region: "eu", shard: 0 };

    #[test]
    fn every_metric_is_declared_once_above_its_samples() {
        let mut ledger = Ledger::default();
        ledger.add_ended(0, "", Outcome::Filtered(FilterReason::Gpc));
        let mut samples = Samples::default();
        samples.push_totals(ORIGIN, &ledger);
        let mut inserts = Inserts::default();
        let first =
            Attempt { delivery: Delivery::Retry, took_ms: 31_000, rows: 1_000, is_retry: false, is_elsewhere: false };
        inserts.note(&first);
        inserts.note(&Attempt {
            delivery: Delivery::Delivered,
            took_ms: 60,
            is_retry: true,
            is_elsewhere: true,
            ..first
        });
        inserts.push(ORIGIN, &mut samples);
        let other = "landfall_received_total{region=\"us\",shard=\"0\"} 7\nlandfall_unknown{} 1\n".to_owned();
        insta::assert_snapshot!(exposition(&[samples.into_text(), other]));
    }

    #[test]
    fn a_label_that_would_need_escapes_is_left_out() {
        let mut samples = Samples::default();
        samples.push("landfall_batches", ORIGIN, &[("class", "a\"b")], 1);
        assert_eq!(samples.into_text(), "landfall_batches{region=\"eu\",shard=\"0\"} 1\n");
    }

    #[test]
    fn seconds_are_exact() {
        assert_eq!([0, 10, 250, 1_000, 30_000, 1_234].map(seconds), ["0", "0.01", "0.25", "1", "30", "1.234"]);
    }
}
