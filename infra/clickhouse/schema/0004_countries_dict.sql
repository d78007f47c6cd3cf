-- Countries by ISO 3166-1 alpha-2 code: dictGet('ecommerce.countries_dict', 'name', 'DE').
-- URL and token live in the named collection `countries` (config.d/feeds.xml), so SHOW CREATE shows neither.
-- The key is written COMPLEX_KEY_* because it is a String (FixedString keys are refused). Attributes are String and not LowCardinality,
-- which dictionaries refuse too. DEFAULT is what an unknown code answers.
-- http_max_tries: the server's default of 10 makes one load of a dead feed take half a minute.
CREATE DICTIONARY IF NOT EXISTS ecommerce.countries_dict
(
    code       String,
    code3      String DEFAULT '',
    name       String DEFAULT '',
    continent  String DEFAULT '',
    population UInt64 DEFAULT 0
)
PRIMARY KEY code
SOURCE(HTTP(NAME countries))
LAYOUT(COMPLEX_KEY_HASHED_ARRAY())
LIFETIME(MIN 3600 MAX 7200)
SETTINGS(http_max_tries = 3, http_connection_timeout = 2, http_receive_timeout = 20, date_time_input_format = 'best_effort');
