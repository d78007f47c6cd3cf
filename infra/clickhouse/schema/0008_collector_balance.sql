-- The books, by minute, site and region. Two equations hold once the counters of a minute have arrived (they travel for about 6 seconds):
--   received = accepted + flagged + filtered + invalid + duplicate + limited        unaccounted is the difference: 0
--   accepted + flagged = inserted + pending + dead_lettered                         pending is the difference: 0 when nothing waits
-- A region that is down has its rows pending, or inserted elsewhere (counted here as inserted; inserted_elsewhere says how many of them).
-- The site '' holds what named no known site. To prove it for a day:
--   SELECT sum(received), sum(unaccounted), sum(pending) FROM ecommerce.collector_balance WHERE toDate(minute) = today()
CREATE VIEW IF NOT EXISTS ecommerce.collector_balance AS
SELECT
    minute,
    site_id,
    collector_region,
    sumIf(count, outcome = 'received') AS received,
    sumIf(count, outcome = 'accepted') AS accepted,
    sumIf(count, outcome = 'flagged') AS flagged,
    sumIf(count, outcome = 'filtered') AS filtered,
    sumIf(count, outcome = 'invalid') AS invalid,
    sumIf(count, outcome = 'duplicate') AS duplicate,
    sumIf(count, outcome = 'limited') AS limited,
    toInt64(received) - toInt64(accepted + flagged + filtered + invalid + duplicate + limited) AS unaccounted,
    sumIf(count, outcome = 'inserted') AS inserted,
    sumIf(count, outcome = 'inserted' AND reason != '') AS inserted_elsewhere,
    sumIf(count, outcome = 'dead_lettered') AS dead_lettered,
    toInt64(accepted + flagged) - toInt64(inserted + dead_lettered) AS pending
FROM ecommerce.collector_outcomes
GROUP BY minute, site_id, collector_region;
-- The books against the table itself: rows that this region's collectors say are inserted, and rows that are here. missing is 0, unless rows
-- went to another region's ClickHouse or came from one; its sum over all regions is 0. This reads received_at of every row in question.
CREATE VIEW IF NOT EXISTS ecommerce.collector_audit AS
SELECT
    minute,
    site_id,
    sum(booked) AS inserted,
    sum(found) AS stored,
    toInt64(inserted) - toInt64(stored) AS missing
FROM
(
    SELECT minute, site_id, count AS booked, 0 AS found
    FROM ecommerce.collector_outcomes
    WHERE outcome = 'inserted'
    UNION ALL
    SELECT toStartOfMinute(received_at) AS minute, site_id, 0 AS booked, count() AS found
    FROM ecommerce.events
    GROUP BY minute, site_id
)
GROUP BY minute, site_id;
