-- One line per dictionary: may its answers be trusted? Alert on: SELECT * FROM ecommerce.dictionary_health WHERE NOT is_healthy.
--   unused   nobody asked for it yet; ClickHouse loads on first use
--   failed   it never loaded: queries that use it fail
--   failing  the last refresh failed; it answers from the last good load, age_s old
--   stale    no error, but three lifetimes without a refresh: the scheduler has stopped
--   empty    it loaded nothing, which no feed of ours answers
--   ok
-- A failed refresh leaves `status` at LOADED, so status alone says nothing. CACHE and DIRECT have no age: they keep single keys or none.
CREATE VIEW IF NOT EXISTS ecommerce.dictionary_health AS
SELECT
    d.name AS name,
    d.type AS layout,
    toString(d.status) AS status,
    d.type LIKE '%Cache' OR d.type LIKE '%Direct' AS is_partial,
    if(is_partial OR d.last_successful_update_time = 0, NULL, dateDiff('second', d.last_successful_update_time, now())) AS age_s,
    multiIf(
        status = 'NOT_LOADED', 'unused',
        status IN ('FAILED', 'FAILED_AND_RELOADING'), 'failed',
        d.last_exception != '', 'failing',
        age_s > 3 * d.lifetime_max, 'stale',
        NOT is_partial AND startsWith(status, 'LOADED') AND d.element_count = 0, 'empty',
        'ok'
    ) AS state,
    state IN ('ok', 'unused') AS is_healthy,
    d.lifetime_max AS lifetime_max_s,
    d.element_count AS rows,
    d.bytes_allocated AS bytes,
    d.error_count AS errors,
    d.last_exception AS last_error,
    d.loading_duration AS loading_s,
    d.query_count AS queries,
    d.found_rate AS found_rate
FROM system.dictionaries AS d
WHERE d.database = 'ecommerce';
