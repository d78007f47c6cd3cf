-- ClickHouse answers an INSERT when the page cache has it; the collector then forgets the batch. With these settings it answers when the disk has it:
-- about one more fsync per part and second.
-- The window of remembered blocks is what keeps a repeated batch from being stored twice. A batch is repeated within a minute of its region being
-- there; meanwhile other Batchers may drain what an outage left, some 25 batches a second each, in up to three partitions. 100,000 blocks are
-- 20 minutes of that, and about 10 MB of log for each table.
ALTER TABLE ecommerce.events
    MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 100000;
ALTER TABLE ecommerce.collector_outcomes
    MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 100000;
ALTER TABLE ecommerce.dead_letters
    MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 100000;
ALTER TABLE ecommerce.hourly_events_state
    MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 100000;
ALTER TABLE ecommerce.product_stats_state
    MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 100000;
