-- user_segments_dict that asks only for what changed since its last refresh: for millions of users on a narrow line.
-- Apply it in place of schema/0005, as a user who may create dictionaries:
--
--     export LANDFALL_USER_SEGMENTS_URL=https://feeds.example/user-segments LANDFALL_USER_SEGMENTS_TOKEN=...
--     envsubst < user_segments_incremental.sql | clickhouse-client
--
-- The token is in the statement, because ClickHouse refuses update_field with a named collection (code 36, 26.7). It stands where
-- SHOW CREATE DICTIONARY and the logs hide it, as a password; a header would be shown to everybody with SHOW DICTIONARIES.
-- To rotate it, run this again with the new one.
--
-- update_lag, seconds: each refresh also asks for what changed so long before the last one. It covers clocks that are apart, a clock that
-- steps back and a feed that restarted; a row that comes twice changes nothing. The server runs in UTC (config.d/timezone.xml).
-- Costs beside schema/0005: ClickHouse keeps a second copy of the data to merge into.
CREATE OR REPLACE DICTIONARY ecommerce.user_segments_dict
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
SOURCE(HTTP(
    url '${LANDFALL_USER_SEGMENTS_URL}'
    format 'JSONEachRow'
    credentials(user 'clickhouse' password '${LANDFALL_USER_SEGMENTS_TOKEN}')
    update_field 'last_updated'
    update_lag 900
))
LAYOUT(HASHED_ARRAY())
LIFETIME(MIN 300 MAX 600)
SETTINGS(http_max_tries = 3, http_connection_timeout = 2, http_receive_timeout = 60, date_time_input_format = 'best_effort');
