-- Revenue per day, currency and segment, refunds taken off, with the segment's share of that day's revenue in that currency.
-- A user counts for the segment that they are in now, also on past days. Purchases without a user id are `anonymous`, entry 0 of the feed;
-- a user that the feed does not know or has deleted is `unknown`. Buyers of several days cannot be added.
-- The dictionary is asked when this is read and never in a materialized view: there, one that does not load would make inserts fail.
-- The columns are declared, because finding out their types would load the dictionary: the schema must not wait for the feeds.
CREATE VIEW IF NOT EXISTS ecommerce.segment_revenue
(
    site_id      LowCardinality(String),
    date         Date,
    currency     LowCardinality(String),
    segment_name String,
    buyers       UInt64,
    orders       UInt64,
    revenue      Decimal(38, 4),
    share        Nullable(Float64)
)
AS
SELECT
    d.site_id AS site_id,
    d.date AS date,
    d.currency AS currency,
    d.segment_name AS segment_name,
    d.buyers AS buyers,
    d.orders AS orders,
    d.revenue AS revenue,
    toFloat64(d.revenue) / nullIf(sum(toFloat64(d.revenue)) OVER (PARTITION BY d.site_id, d.date, d.currency), 0) AS share
FROM
(
    SELECT
        e.site_id AS site_id,
        toDate(e.timestamp) AS date,
        e.currency AS currency,
        multiIf(
            dictGet('ecommerce.user_segments_dict', 'deleted', e.user_id) = 1, 'unknown',
            dictGet('ecommerce.user_segments_dict', 'segment_name', e.user_id) = '', 'unknown',
            dictGet('ecommerce.user_segments_dict', 'segment_name', e.user_id)
        ) AS segment_name,
        uniqIf(e.user_id, e.user_id != 0 AND e.event_type = 'purchase') AS buyers,
        uniqIf(e.order_id, e.event_type = 'purchase') AS orders,
        sum(if(e.event_type = 'purchase', e.revenue, -abs(e.revenue))) AS revenue
    FROM ecommerce.events AS e
    WHERE e.is_bot = 0 AND e.event_type IN ('purchase', 'refund')
    GROUP BY e.site_id, date, e.currency, segment_name
) AS d;
