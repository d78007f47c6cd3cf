//! What a service says about itself to Prometheus.
//!
//! In scope: names and label sets. Alert on `snapshot_age_seconds`, which grows while refreshes fail, and on any
//! `refreshes_total{result="suspicious"}`: somebody should look at the source.
//! Out of scope: logs.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::model::artefact::Model;

/// Labels of `requests_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    status: u16,
}

/// Labels of `refreshes_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refresh {
    result: &'static str,
}

/// Labels of `responses_cut_off_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CutOff {
    reason: &'static str,
}

/// Labels of `segment_entries`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Segment {
    segment_name: String,
}

/// Labels of `trainings_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Training {
    result: &'static str,
}

/// Handles to one service's metrics: cheap to clone, all clones count into the same.
#[derive(Clone, Default)]
pub struct Metrics {
    requests: Family<Request, Counter>,
    response_bytes: Counter,
    responses_cut_off: Family<CutOff, Counter>,
    refreshes: Family<Refresh, Counter>,
    refresh_failures_in_a_row: Gauge,
    store_failures: Counter,
    refresh_seconds: Gauge<f64, AtomicU64>,
    snapshot_loaded: Gauge,
    snapshot_age_seconds: Gauge,
    snapshot_rows: Gauge,
    snapshot_updated_seconds: Gauge,
    segment_entries: Family<Segment, Gauge>,
    trainings: Family<Training, Counter>,
    model_version: Gauge,
    model_trained_seconds: Gauge,
    model_auc: Gauge<f64, AtomicU64>,
    model_brier: Gauge<f64, AtomicU64>,
}

/// The state of the snapshot when `/metrics` is read.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotState {
    /// Entries, deleted ones included.
    pub rows: usize,
    /// Seconds since the source last confirmed it.
    pub age_s: u32,
    /// Latest change of an entry, unix seconds.
    pub newest: u32,
}

impl Metrics {
    /// Counts one answered request.
    pub fn answered(&self, method: &str, status: u16) {
        let request = Request { method: method.to_owned(), status };
        self.requests.get_or_create(&request).inc();
    }

    /// Counts body bytes of feed responses, as they go over the wire.
    pub fn sent(&self, bytes: usize) {
        self.response_bytes.inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Counts a streamed response that did not reach its end; `reason` is a tag such as `slow`.
    pub fn cut_off(&self, reason: &'static str) {
        self.responses_cut_off.get_or_create(&CutOff { reason }).inc();
    }

    /// Counts a finished refresh; `result` is a tag: `changed`, `unchanged`, `failed` or `suspicious`.
    pub fn refreshed(&self, result: &'static str, seconds: f64) {
        self.refreshes.get_or_create(&Refresh { result }).inc();
        self.refresh_seconds.set(seconds);
        if matches!(result, "changed" | "unchanged") {
            self.refresh_failures_in_a_row.set(0);
        } else {
            self.refresh_failures_in_a_row.inc();
        }
    }

    /// Counts a snapshot that could not be written to disk.
    pub fn store_failed(&self) {
        self.store_failures.inc();
    }

    /// Notes how many live entries each segment has.
    pub fn count_segments<'a>(&self, counts: impl Iterator<Item = (&'a str, usize)>) {
        for (name, count) in counts {
            let segment = Segment { segment_name: name.to_owned() };
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.segment_entries.get_or_create(&segment).set(count);
        }
    }

    /// Counts a finished training; `result` is a tag: `promoted`, `worse`, `too_little` or `failed`.
    pub fn trained(&self, result: &'static str) {
        self.trainings.get_or_create(&Training { result }).inc();
    }

    /// Notes what judges the users: a model, or `None` for the rule.
    pub fn judged_by(&self, model: Option<&Model>) {
        self.model_version.set(model.map_or(0, |model| model.version.into()));
        self.model_trained_seconds.set(model.map_or(0, |model| model.trained_at.into()));
        self.model_auc.set(model.map_or(0.0, |model| model.report.holdout.auc));
        self.model_brier.set(model.map_or(0.0, |model| model.report.holdout.brier));
    }

    /// The metrics as text, with the snapshot as it is now.
    pub fn render(&self, feed: &str, snapshot: Option<SnapshotState>) -> Result<String, fmt::Error> {
        self.snapshot_loaded.set(snapshot.is_some().into());
        if let Some(state) = snapshot {
            self.snapshot_age_seconds.set(state.age_s.into());
            self.snapshot_updated_seconds.set(state.newest.into());
            self.snapshot_rows.set(i64::try_from(state.rows).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry(feed))?;
        Ok(text)
    }

    #[rustfmt::skip]
    fn registry(&self, feed: &str) -> Registry {
        let mut all = Registry::with_labels([("feed".into(), feed.to_owned().into())].into_iter());
        all.register("requests", "Answered requests", self.requests.clone());
        all.register("response_bytes", "Body bytes of feed responses, as sent", self.response_bytes.clone());
        all.register("responses_cut_off", "Streamed responses that did not reach their end, by reason", self.responses_cut_off.clone());
        all.register("refreshes", "Finished refreshes by result", self.refreshes.clone());
        all.register("refresh_seconds", "Duration of the last refresh", self.refresh_seconds.clone());
        all.register("refresh_failures_in_a_row", "Refreshes since the last good one", self.refresh_failures_in_a_row.clone());
        all.register("store_failures", "Snapshots that could not be written to disk", self.store_failures.clone());
        all.register("snapshot_loaded", "1 once there is a snapshot to serve", self.snapshot_loaded.clone());
        all.register("snapshot_age_seconds", "Seconds since the source last confirmed the snapshot", self.snapshot_age_seconds.clone());
        all.register("snapshot_rows", "Entries of the snapshot, deleted ones included", self.snapshot_rows.clone());
        all.register("snapshot_updated_seconds", "Unix time of the latest change of an entry", self.snapshot_updated_seconds.clone());
        all.register("segment_entries", "Live entries by segment", self.segment_entries.clone());
        all.register("trainings", "Finished trainings by result", self.trainings.clone());
        all.register("model_version", "Model that judges the users, 0 = the rule", self.model_version.clone());
        all.register("model_trained_seconds", "Unix time of the model's youngest data, 0 = the rule", self.model_trained_seconds.clone());
        all.register("model_auc", "Ranking of the score on users kept apart, 0 = the rule", self.model_auc.clone());
        all.register("model_brier", "Squared error of the score on users kept apart, 0 = the rule", self.model_brier.clone());
        all
    }
}
