-- Verdicts that were given again after the fact, by `landfall reclassify`. `events` is never changed: a run writes what differs here, and
-- `events_judged` reads the one over the other. A run is seen from the moment when its line in `verdict_runs` is written, all of it at once;
-- rows of a run without such a line are what an interrupted one left, and nobody sees them.
--
-- ReplacingMergeTree: an undone run is the same line with is_undone = 1, which wins in any order. Read it with FINAL.
CREATE TABLE IF NOT EXISTS ecommerce.verdict_runs
(
    run_id        UUID,
    is_undone     UInt8 COMMENT '1: nobody sees this run any more',
    published_at  DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'the newest run decides about an event that several have judged',
    undone_at     Nullable(DateTime64(6, 'UTC')),
    from_time     DateTime64(3, 'UTC') COMMENT 'events whose timestamp is at or after this',
    to_time       DateTime64(3, 'UTC') COMMENT 'and before this',
    site_id       LowCardinality(String) COMMENT 'empty: all sites',
    rules_version LowCardinality(String) COMMENT 'of the collector; a site with rules has a version of its own in verdict_overrides',
    became_bot    UInt64,
    became_human  UInt64,
    run_by        String DEFAULT currentUser()
)
ENGINE = ReplacingMergeTree(is_undone)
ORDER BY run_id;

-- One row per event and run, of events whose verdict the run changed. What identifies an event is what the table of events is sorted by, and
-- its id: an id that a site uses twice still names two events.
-- PARTITION BY: what is left of an interrupted run can be dropped at once; so can an undone run, whose rows the join below leaves out but reads.
CREATE TABLE IF NOT EXISTS ecommerce.verdict_overrides
(
    run_id        UUID CODEC(ZSTD(1)),
    site_id       LowCardinality(String),
    timestamp     DateTime64(3, 'UTC') COMMENT 'of the event' CODEC(Delta(8), ZSTD(1)),
    event_id      UUID CODEC(ZSTD(1)),
    is_bot        UInt8,
    bot_signals   Array(LowCardinality(String)) CODEC(ZSTD(1)),
    device_type   LowCardinality(String),
    rules_version LowCardinality(String) COMMENT 'which rule set judged it this time',
    reason        LowCardinality(String) COMMENT 'what decided: rule:<name>, ua:crawler:<class>, or the categories of evidence'
)
ENGINE = MergeTree
PARTITION BY run_id
ORDER BY (site_id, timestamp, event_id);

-- The verdict that stands, of every event that a run has judged: that of the newest run which is not undone. Each column has its own argMax, so
-- that a query reads those that it asks for.
CREATE VIEW IF NOT EXISTS ecommerce.verdicts AS
SELECT
    o.site_id AS site_id,
    o.timestamp AS timestamp,
    o.event_id AS event_id,
    argMax(o.run_id, (r.published_at, o.run_id)) AS run_id,
    argMax(o.is_bot, (r.published_at, o.run_id)) AS is_bot,
    argMax(o.bot_signals, (r.published_at, o.run_id)) AS bot_signals,
    argMax(o.device_type, (r.published_at, o.run_id)) AS device_type,
    argMax(o.rules_version, (r.published_at, o.run_id)) AS rules_version,
    argMax(o.reason, (r.published_at, o.run_id)) AS reason
FROM ecommerce.verdict_overrides AS o
INNER JOIN (SELECT run_id, published_at FROM ecommerce.verdict_runs FINAL WHERE is_undone = 0) AS r ON r.run_id = o.run_id
GROUP BY o.site_id, o.timestamp, o.event_id;

-- The events with the verdict that stands: the columns of `events` under their names, and two more. Conditions on site and time reach both tables.
-- A column that is added to `events` later is not in here until this view is made anew.
CREATE VIEW IF NOT EXISTS ecommerce.events_judged AS
SELECT
    e.* REPLACE
    (
        if(v.is_judged, v.is_bot, e.is_bot) AS is_bot,
        if(v.is_judged, v.bot_signals, e.bot_signals) AS bot_signals,
        if(v.is_judged, v.device_type, e.device_type) AS device_type,
        if(v.is_judged, v.rules_version, e.rules_version) AS rules_version
    ),
    e.is_bot AS edge_is_bot,
    v.run_id AS run_id
FROM ecommerce.events AS e
LEFT ANY JOIN (SELECT *, true AS is_judged FROM ecommerce.verdicts) AS v
    ON v.site_id = e.site_id AND v.timestamp = e.timestamp AND v.event_id = e.event_id;
