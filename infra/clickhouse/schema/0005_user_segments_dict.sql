-- Model segments by user: dictGet('ecommerce.user_segments_dict', 'segment_name', user_id).
-- URL and token live in the named collection `user_segments` (config.d/feeds.xml), so SHOW CREATE shows neither. ClickHouse refuses
-- update_field together with a named collection (code 36 at load, 26.7), so each refresh is complete: about half a minute for ten million users on 2 cores.
-- dictionaries/user_segments_incremental.sql replaces this one where that is too much; 0010 and 0011 are for users that do not fit memory.
-- A user that is gone comes with deleted = 1, which every way of refreshing needs.
-- segment_id is as wide as in the feed: a number too large for a narrower type would wrap in silence.
CREATE DICTIONARY IF NOT EXISTS ecommerce.user_segments_dict
(
    user_id      UInt64,
    segment_id   UInt32 DEFAULT 0,
    segment_name String DEFAULT '',
    score        Float32 DEFAULT 0,
    confidence   Float32 DEFAULT 0,
    last_updated DateTime DEFAULT '1970-01-01 00:00:00',
    deleted      UInt8 DEFAULT 0
)
PRIMARY KEY user_id
SOURCE(HTTP(NAME user_segments))
LAYOUT(HASHED_ARRAY())
LIFETIME(MIN 300 MAX 600)
SETTINGS(http_max_tries = 3, http_connection_timeout = 2, http_receive_timeout = 60, date_time_input_format = 'best_effort');
