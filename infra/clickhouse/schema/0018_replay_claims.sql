-- Which `landfall replay` may insert: one at a time. A replay that begins writes a line with the next number, and its number is its deduplication
-- token: of all that find the same number free, one line is stored. When it ends it writes the line again with is_released = 1, which wins in any
-- order. A line without that is a replay at work, or one that was killed.
--
-- ReplacingMergeTree: read it with FINAL. The window need not hold many tokens: who finds another line under the number gives way in any case.
CREATE TABLE IF NOT EXISTS ecommerce.replay_claims
(
    number      UInt64 COMMENT 'the highest one counts',
    run_id      UUID COMMENT 'what --break-claim is given',
    is_released UInt8,
    client      String COMMENT 'who runs it, on which host, as which process',
    claimed_at  DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'with is_released = 1: when it was released',
    claimed_by  String DEFAULT currentUser()
)
ENGINE = ReplacingMergeTree(is_released)
ORDER BY (number, run_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;
