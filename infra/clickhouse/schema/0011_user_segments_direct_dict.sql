-- The users of user_segments_dict, none of them in memory: every query asks the feed, which answers what it holds now. For a few lookups
-- that must be fresh, or to compare with. Not for joins over many events: each dictGet of each block is a request.
-- It keeps nothing, so it has no LIFETIME, and without the feed it has no answer.
CREATE DICTIONARY IF NOT EXISTS ecommerce.user_segments_direct_dict
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
LAYOUT(DIRECT())
SETTINGS(http_max_tries = 3, http_connection_timeout = 2, http_receive_timeout = 10, date_time_input_format = 'best_effort');
