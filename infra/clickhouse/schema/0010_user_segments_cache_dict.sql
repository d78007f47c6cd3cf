-- The users of user_segments_dict, a part of them at a time: for more users than memory holds, of whom queries ask for few.
-- Costs nothing until a query uses it. A query then asks the feed for the users that are not in the cache, so it can fail where
-- user_segments_dict would answer; ALLOW_READ_EXPIRED_KEYS lets the known ones go on being answered while the feed is away.
CREATE DICTIONARY IF NOT EXISTS ecommerce.user_segments_cache_dict
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
LAYOUT(CACHE(SIZE_IN_CELLS 1048576 ALLOW_READ_EXPIRED_KEYS 1))
LIFETIME(MIN 300 MAX 600)
SETTINGS(http_max_tries = 3, http_connection_timeout = 2, http_receive_timeout = 10, date_time_input_format = 'best_effort');
