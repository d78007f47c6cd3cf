-- Product funnel per day. Conversion rates are computed when read: a stored ratio cannot be added up. Read the view product_stats.
-- A product is sold by the `item` events into which a purchase with items is expanded, or by a `purchase` that itself names one product.
-- orders counts distinct order ids, so two items of one order are one order.
CREATE TABLE IF NOT EXISTS ecommerce.product_stats_state
(
    site_id        LowCardinality(String),
    product_id     UInt64,
    date           Date CODEC(Delta(2), ZSTD(1)),
    is_bot         UInt8,
    currency       LowCardinality(String) COMMENT 'empty on views and cart events that carry none',
    views          SimpleAggregateFunction(sum, UInt64),
    cart_adds      SimpleAggregateFunction(sum, UInt64),
    cart_removes   SimpleAggregateFunction(sum, UInt64),
    units_sold     SimpleAggregateFunction(sum, UInt64),
    revenue        SimpleAggregateFunction(sum, Decimal(38, 4)),
    refunded       SimpleAggregateFunction(sum, Decimal(38, 4)),
    orders         AggregateFunction(uniq, String),
    unique_viewers AggregateFunction(uniq, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(date)
ORDER BY (site_id, product_id, date, is_bot, currency)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS ecommerce.mv_product_stats TO ecommerce.product_stats_state
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS
SELECT
    e.site_id AS site_id,
    assumeNotNull(e.product_id) AS product_id,
    toDate(e.timestamp) AS date,
    e.is_bot AS is_bot,
    e.currency AS currency,
    countIf(e.event_type = 'product_view') AS views,
    countIf(e.event_type = 'add_to_cart') AS cart_adds,
    countIf(e.event_type = 'remove_from_cart') AS cart_removes,
    sumIf(toUInt64(e.quantity), e.event_type IN ('purchase', 'item')) AS units_sold,
    sumIf(e.revenue, e.event_type IN ('purchase', 'item')) AS revenue,
    sumIf(e.revenue, e.event_type = 'refund') AS refunded,
    uniqStateIf(e.order_id, e.event_type IN ('purchase', 'item')) AS orders,
    uniqStateIf(e.visitor_id, e.event_type = 'product_view') AS unique_viewers
FROM ecommerce.events AS e
WHERE isNotNull(e.product_id)
GROUP BY site_id, product_id, date, is_bot, currency;

-- One row per product, day and bot flag, whatever the currency: the funnel. Money is in product_revenue, by currency.
CREATE VIEW IF NOT EXISTS ecommerce.product_stats AS
SELECT
    s.site_id AS site_id,
    s.product_id AS product_id,
    s.date AS date,
    s.is_bot AS is_bot,
    sum(s.views) AS views,
    sum(s.cart_adds) AS cart_adds,
    sum(s.cart_removes) AS cart_removes,
    uniqMerge(s.orders) AS purchases,
    sum(s.units_sold) AS units_sold,
    uniqMerge(s.unique_viewers) AS unique_viewers,
    if(views = 0, NULL, round(cart_adds / views * 100, 2)) AS cart_conversion_rate,
    if(cart_adds = 0, NULL, round(purchases / cart_adds * 100, 2)) AS purchase_conversion_rate
FROM ecommerce.product_stats_state AS s
GROUP BY site_id, product_id, date, is_bot;

CREATE VIEW IF NOT EXISTS ecommerce.product_revenue AS
SELECT
    s.site_id AS site_id,
    s.product_id AS product_id,
    s.date AS date,
    s.is_bot AS is_bot,
    s.currency AS currency,
    uniqMerge(s.orders) AS purchases,
    sum(s.units_sold) AS units_sold,
    sum(s.revenue) AS revenue,
    sum(s.refunded) AS refunded
FROM ecommerce.product_stats_state AS s
WHERE s.currency != ''
GROUP BY site_id, product_id, date, is_bot, currency;
