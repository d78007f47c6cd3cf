-- Events per hour. States, not numbers: unique counts of two inserts cannot be added, only merged. Read the view hourly_events.
-- uniq is exact up to about 65,000 distinct values per cell and within about 1 % above.
-- revenue is kept per event_type and currency, so purchases, their items and refunds are never added up by accident.
-- The materialized view has no dictGet: a dictionary that fails to load must not make an insert fail.
-- SQL SECURITY DEFINER: otherwise the collector, which may only insert, is refused because the view reads the inserted rows. The user
-- that runs the migration becomes the definer and must stay.
CREATE TABLE IF NOT EXISTS ecommerce.hourly_events_state
(
    site_id         LowCardinality(String),
    hour            DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    event_type      LowCardinality(String),
    is_bot          UInt8,
    currency        LowCardinality(String),
    event_count     SimpleAggregateFunction(sum, UInt64),
    unique_users    AggregateFunction(uniq, UInt64) COMMENT 'signed-in users, user_id 0 is not one',
    unique_visitors AggregateFunction(uniq, UInt64),
    unique_sessions AggregateFunction(uniq, String),
    revenue         SimpleAggregateFunction(sum, Decimal(38, 4)),
    engaged_ms      SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (site_id, hour, event_type, is_bot, currency)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS ecommerce.mv_hourly_events TO ecommerce.hourly_events_state
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT
    e.site_id AS site_id,
    toDateTime(toStartOfHour(e.timestamp), 'UTC') AS hour,
    e.event_type AS event_type,
    e.is_bot AS is_bot,
    e.currency AS currency,
    count() AS event_count,
    uniqStateIf(e.user_id, e.user_id != 0) AS unique_users,
    uniqState(e.visitor_id) AS unique_visitors,
    uniqStateIf(e.session_id, e.session_id != '') AS unique_sessions,
    sum(e.revenue) AS revenue,
    sum(toUInt64(e.engaged_ms)) AS engaged_ms
FROM ecommerce.events AS e
GROUP BY site_id, hour, event_type, is_bot, currency;

-- One row per currency too: sum(event_count) freely, but never add revenue over currencies, nor unique counts over anything.
CREATE VIEW IF NOT EXISTS ecommerce.hourly_events AS
SELECT
    s.site_id AS site_id,
    s.hour AS hour,
    s.event_type AS event_type,
    s.is_bot AS is_bot,
    s.currency AS currency,
    sum(s.event_count) AS event_count,
    uniqMerge(s.unique_users) AS unique_users,
    uniqMerge(s.unique_visitors) AS unique_visitors,
    uniqMerge(s.unique_sessions) AS unique_sessions,
    sum(s.revenue) AS revenue,
    sum(s.engaged_ms) AS engaged_ms
FROM ecommerce.hourly_events_state AS s
GROUP BY site_id, hour, event_type, is_bot, currency;
