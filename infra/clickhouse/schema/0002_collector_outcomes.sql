-- What became of every event: the proof that nothing was lost in silence. One row per minute, site, region, outcome and reason.
-- A batch carries its counters and inserts them here with a token of its own, so a retry adds nothing: the deduplication window is
-- what makes the counts exact (0001_events.sql says why 10,000). Counters of one minute arrive in several batches: always sum(count).
CREATE TABLE IF NOT EXISTS ecommerce.collector_outcomes
(
    minute           DateTime('UTC') COMMENT 'received_at, cut to the minute' CODEC(Delta(4), ZSTD(1)),
    site_id          LowCardinality(String),
    collector_region LowCardinality(String),
    outcome          LowCardinality(String) COMMENT 'received, and one of accepted, flagged, filtered, invalid, duplicate, limited, and of stored rows inserted or dead_lettered',
    reason           LowCardinality(String) COMMENT 'stable tag, empty when the outcome needs none',
    count            UInt64 CODEC(ZSTD(1))
)
ENGINE = SummingMergeTree(count)
PARTITION BY toYYYYMM(minute)
ORDER BY (site_id, minute, collector_region, outcome, reason)
SETTINGS non_replicated_deduplication_window = 10000;
