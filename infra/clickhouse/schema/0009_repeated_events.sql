-- Event ids that are in the table more than once: the check behind "exactly once", for what deduplication by token cannot see (rows inserted by
-- hand, or from a region that was given up and came back). It reads the ids of the days in question: always name a site and a range of days.
CREATE VIEW IF NOT EXISTS ecommerce.repeated_events AS
SELECT
    site_id,
    toDate(timestamp) AS date,
    event_id,
    count() AS copies,
    uniqExact(received_at) AS receptions,
    groupUniqArray(collector_region) AS collector_regions
FROM ecommerce.events
GROUP BY site_id, date, event_id
HAVING copies > 1;
