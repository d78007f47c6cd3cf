-- Rows that ClickHouse refused, kept word for word so that `landfall replay` can bring them back. What the collector writes is String
-- only: whatever made the row poisonous cannot make this insert fail. stored_at is filled in by ClickHouse; collectors do not send it.
CREATE TABLE IF NOT EXISTS ecommerce.dead_letters
(
    event_id         String COMMENT 'as in the line, empty when it could not be read',
    site_id          String,
    collector_region String,
    received_at      String COMMENT 'edge clock, as in the line',
    batch_token      String COMMENT 'insert_deduplication_token of the batch that failed',
    reason           String COMMENT 'stable tag',
    code             String COMMENT 'X-ClickHouse-Exception-Code',
    message          String COMMENT 'first part of the reply of ClickHouse',
    line             String COMMENT 'the JSONEachRow line that was refused' CODEC(ZSTD(3)),
    stored_at        DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(stored_at)
ORDER BY (site_id, stored_at)
SETTINGS non_replicated_deduplication_window = 10000;
