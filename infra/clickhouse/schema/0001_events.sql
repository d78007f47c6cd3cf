-- One row per event, written by the collector only. Column names follow the e-commerce demo, so that its queries run as they are.
--
-- ORDER BY: a question is about one site and a range of days; after that the rows of one visitor lie together in time order, so that
-- everything a visit repeats (address, agent, city, session) compresses to almost nothing. Event types are few: filtering on them
-- reads one LowCardinality column, and the hourly aggregate answers most of those questions anyway.
-- PARTITION BY: the collector clamps `timestamp` to 30 days back and 24 hours ahead, so one batch touches at most three partitions.
-- non_replicated_deduplication_window: plain MergeTree ignores insert_deduplication_token without it. A batch whose outcome is unknown
-- is sent again with the same token for up to 5 minutes. 10,000 remembered blocks cover that at 10 inserts per second with 3 partitions
-- each; it is also the default of replicated tables. The log costs about 1 MB. Every target of a materialized view over this table
-- needs the same window, or a retry counts twice there.
CREATE TABLE IF NOT EXISTS ecommerce.events
(
    event_id         UUID CODEC(ZSTD(1)),
    site_id          LowCardinality(String),
    event_type       LowCardinality(String),
    timestamp        DateTime64(3, 'UTC') COMMENT 'occurred_at of the client, corrected by skew_ms, clamped' CODEC(Delta(8), ZSTD(1)),
    received_at      DateTime64(3, 'UTC') COMMENT 'edge clock' CODEC(Delta(8), ZSTD(1)),
    skew_ms          Int32 COMMENT 'received_at - sent_at' CODEC(ZSTD(1)),
    visitor_id       UInt64 COMMENT 'keyed hash, daily salt unless the site is persistent' CODEC(ZSTD(1)),
    user_id          UInt64 COMMENT '0 = anonymous' CODEC(ZSTD(1)),
    session_id       String CODEC(ZSTD(1)),
    page_id          String COMMENT 'one page load, gaps in seq within it are lost events' CODEC(ZSTD(1)),
    seq              UInt32 CODEC(ZSTD(1)),
    page_url         String CODEC(ZSTD(1)),
    page_path        String CODEC(ZSTD(1)),
    page_title       String CODEC(ZSTD(1)),
    referrer         String CODEC(ZSTD(1)),
    referrer_host    LowCardinality(String),
    channel          LowCardinality(String),
    utm_source       LowCardinality(String),
    utm_medium       LowCardinality(String),
    utm_campaign     String CODEC(ZSTD(1)),
    utm_term         String CODEC(ZSTD(1)),
    utm_content      String CODEC(ZSTD(1)),
    country          LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2, upper case, empty = unknown, key of countries_dict',
    region           String CODEC(ZSTD(1)),
    city             String CODEC(ZSTD(1)),
    asn              UInt32 CODEC(ZSTD(1)),
    timezone         LowCardinality(String),
    language         LowCardinality(String),
    device_type      LowCardinality(String) COMMENT 'desktop, smartphone, tablet, tv, console, watch, bot, other',
    browser          LowCardinality(String),
    browser_version  LowCardinality(String),
    os               LowCardinality(String),
    os_version       LowCardinality(String),
    device_brand     LowCardinality(String),
    device_model     LowCardinality(String),
    screen_width     UInt16 CODEC(ZSTD(1)),
    screen_height    UInt16 CODEC(ZSTD(1)),
    product_id       Nullable(UInt64) CODEC(ZSTD(1)),
    order_id         String CODEC(ZSTD(1)),
    quantity         UInt32 CODEC(ZSTD(1)),
    revenue          Decimal(18, 4) COMMENT 'in currency, never add rows of different currencies' CODEC(ZSTD(1)),
    currency         LowCardinality(String) COMMENT 'ISO 4217',
    engaged_ms       UInt32 CODEC(ZSTD(1)),
    scroll_pct       UInt8 CODEC(ZSTD(1)),
    properties       Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    is_bot           UInt8 CODEC(ZSTD(1)),
    bot_signals      Array(LowCardinality(String)) CODEC(ZSTD(1)),
    rules_version    LowCardinality(String),
    ip_address       IPv6 COMMENT 'truncated unless the site keeps it, :: when dropped' CODEC(ZSTD(1)),
    user_agent       String CODEC(ZSTD(1)),
    collector_region LowCardinality(String),
    colo             LowCardinality(String),
    tracker          LowCardinality(String)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (site_id, toDate(timestamp), visitor_id, timestamp)
SETTINGS non_replicated_deduplication_window = 10000;
