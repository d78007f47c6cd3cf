//! "Small services feed countries and user segments to ClickHouse's HTTP dictionaries."

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_country_is_found_by_dictget", a_country_is_found_by_dictget),
    ("a_buyers_segment_is_found_by_dictget", a_buyers_segment_is_found_by_dictget),
    ("a_feed_opens_only_with_its_token", a_feed_opens_only_with_its_token),
    ("no_token_shows_in_show_create", no_token_shows_in_show_create),
];

fn a_country_is_found_by_dictget(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    for endpoint in &stack.file.clickhouse {
        let name = endpoint.query("SELECT dictGet('ecommerce.countries_dict', 'name', 'DE')")?;
        ensure!(name == "Germany", "{}: {name}", endpoint.region);
        let facts = endpoint.query(
            "SELECT count() >= 249, countIf(population > 0) > 200, countIf(length(continent) = 2) = count() FROM ecommerce.countries_dict",
        )?;
        ensure!(facts == "1\t1\t1", "{}: {facts}", endpoint.region);
    }
    Ok(())
}

fn a_buyers_segment_is_found_by_dictget(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let user = xtask::traffic::now_ms();
    let purchase = json!({"event_type": "purchase", "user_id": user, "order_id": lab::event_id(), "revenue": "250.00", "currency": "EUR",
        "page_url": "https://shop.example/checkout"});
    let answer = lab::send(stack, &json!({"site": "demo", "events": [purchase]}))?;
    ensure!(answer.status == 202, "{answer:?}");
    let feed = &stack.file.user_segments;
    let (url, bearer) = (format!("{}/user-segments", feed.url), format!("Bearer {}", feed.token));
    let entry = lab::wait_for("the buyer in the feed", 60, || {
        let body = lab::get_url(&url, &[("Authorization", &bearer)])?.text;
        Ok(body
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|entry| entry["user_id"] == json!(user)))
    })?;
    let expected = entry["segment_name"].as_str().context("expected a segment name")?.to_owned();
    let endpoint = &stack.file.clickhouse[0];
    endpoint.query("SYSTEM RELOAD DICTIONARY ecommerce.user_segments_dict")?;
    let found =
        endpoint.query(&format!("SELECT dictGet('ecommerce.user_segments_dict', 'segment_name', toUInt64({user}))"))?;
    ensure!(!found.is_empty() && found == expected, "expected {expected}, found {found:?}");
    Ok(())
}

fn a_feed_opens_only_with_its_token(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    for (feed, path) in [(&stack.file.countries, "countries"), (&stack.file.user_segments, "user-segments")] {
        let url = format!("{}/{path}", feed.url);
        ensure!(lab::get_url(&url, &[])?.status == 401, "{path} without a token");
        ensure!(lab::get_url(&url, &[("Authorization", "Bearer wrong")])?.status == 401, "{path} with a wrong token");
        let bearer = format!("Bearer {}", feed.token);
        let whole = lab::get_url(&url, &[("Authorization", &bearer)])?;
        ensure!(whole.status == 200 && !whole.text.is_empty(), "{path}: {}", whole.status);
        for probe in ["healthz", "readyz"] {
            ensure!(lab::get_url(&format!("{}/{probe}", feed.url), &[])?.status == 200, "{path} {probe}");
        }
    }
    Ok(())
}

fn no_token_shows_in_show_create(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    for (dictionary, feed) in
        [("countries_dict", &stack.file.countries), ("user_segments_dict", &stack.file.user_segments)]
    {
        let ddl = stack.file.clickhouse[0].query(&format!("SHOW CREATE DICTIONARY ecommerce.{dictionary}"))?;
        ensure!(!ddl.contains(&feed.token), "{ddl}");
    }
    Ok(())
}
