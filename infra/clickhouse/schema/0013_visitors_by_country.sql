-- Visitors per country and day with the country's name, and how many they are for its size: a small country with many visitors shows.
-- Dictionaries are asked when this is read and never in a materialized view: there, one that does not load would make inserts fail.
-- The columns are declared, because finding out their types would load the dictionaries: the schema must not wait for the feeds.
-- An unknown code has an empty name and no population. Visitors of several days cannot be added: a visitor is one per salt period.
CREATE VIEW IF NOT EXISTS ecommerce.visitors_by_country
(
    site_id              LowCardinality(String),
    date                 Date,
    country              String,
    country_name         String,
    continent            String,
    population           UInt64,
    events               UInt64,
    visitors             UInt64,
    visitors_per_million Nullable(Float64)
)
AS
SELECT
    v.site_id AS site_id,
    v.date AS date,
    v.country AS country,
    dictGet('ecommerce.countries_dict', 'name', v.country) AS country_name,
    dictGet('ecommerce.countries_dict', 'continent', v.country) AS continent,
    dictGet('ecommerce.countries_dict', 'population', v.country) AS population,
    v.events AS events,
    v.visitors AS visitors,
    if(population = 0, NULL, v.visitors / population * 1e6) AS visitors_per_million
FROM
(
    SELECT
        e.site_id AS site_id,
        toDate(e.timestamp) AS date,
        CAST(e.country, 'String') AS country,
        count() AS events,
        uniq(e.visitor_id) AS visitors
    FROM ecommerce.events AS e
    WHERE e.is_bot = 0
    GROUP BY e.site_id, date, e.country
) AS v;
