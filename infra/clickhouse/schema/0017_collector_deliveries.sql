-- What delivering takes is in the books too, as lines with the outcome 'delivery' and the site '': they are no events, so the balance leaves them out.
-- The counters of a minute add up. So do its levels (backlog_*): a Batcher books by how much a level rises above the highest of the minute so far,
-- so that the sum is the highest, of all the region's Batchers together.
ALTER TABLE ecommerce.collector_outcomes
    MODIFY COLUMN outcome COMMENT 'received, and one of accepted, flagged, filtered, invalid, duplicate, limited, and of stored rows inserted or dead_lettered; delivery: what delivering took';

CREATE OR REPLACE VIEW ecommerce.collector_balance AS
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
WHERE outcome != 'delivery'
GROUP BY minute, site_id, collector_region;

-- How a region's Batchers deliver, by the minute. INSERTs count when ClickHouse has taken them, with the failed attempts before them; dead letters in
-- the minute in which their events were received. backlog_seconds is how long the oldest row had waited, on average over the Batchers that had any.
-- Which minutes an outage has touched:
--   SELECT * FROM ecommerce.collector_deliveries WHERE retries + failovers + dead_letters > 0 OR backlog_seconds > 60 ORDER BY minute
CREATE VIEW IF NOT EXISTS ecommerce.collector_deliveries AS
SELECT
    minute,
    collector_region,
    sumIf(count, outcome = 'delivery' AND reason = 'inserts') AS inserts,
    sumIf(count, outcome = 'delivery' AND reason = 'insert_rows') AS rows,
    sumIf(count, outcome = 'delivery' AND reason = 'insert_bytes') AS bytes,
    round(rows / nullIf(inserts, 0), 1) AS rows_per_insert,
    round(sumIf(count, outcome = 'delivery' AND reason = 'insert_ms') / nullIf(inserts, 0), 1) AS ms_per_insert,
    sumIf(count, outcome = 'delivery' AND reason = 'retries') AS retries,
    sumIf(count, outcome = 'delivery' AND reason = 'failovers') AS failovers,
    sumIf(count, outcome = 'dead_lettered') AS dead_letters,
    sumIf(count, outcome = 'delivery' AND reason = 'backlog_rows') AS backlog_rows,
    sumIf(count, outcome = 'delivery' AND reason = 'backlog_bytes') AS backlog_bytes,
    round(
        sumIf(count, outcome = 'delivery' AND reason = 'backlog_seconds')
        / nullIf(sumIf(count, outcome = 'delivery' AND reason = 'batchers'), 0), 1) AS backlog_seconds
FROM ecommerce.collector_outcomes
WHERE outcome IN ('delivery', 'dead_lettered')
GROUP BY minute, collector_region;
