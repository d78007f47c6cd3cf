//! "Small services feed countries and user segments to ClickHouse's HTTP dictionaries."
//!
//! Here: what a user of the dictionaries relies on. In the modules: every layout, every fault, loads during swaps, the requests on the wire,
//! the views that enrich events.

mod consistency;
mod enrichment;
mod extra;
mod fault;
mod health;
mod https;
mod layout;
mod proxy;
mod request;
mod statement;
mod watched;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use xtask::stack::Stack;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_country_is_found_by_dictget", a_country_is_found_by_dictget),
    ("a_buyers_segment_is_found_by_dictget", a_buyers_segment_is_found_by_dictget),
    ("a_feed_opens_only_with_its_token", a_feed_opens_only_with_its_token),
    ("no_token_shows_in_show_create", no_token_shows_in_show_create),
    ("no_token_shows_in_the_incremental_dictionary", layout::no_token_shows_in_the_incremental_dictionary),
    ("every_layout_answers_what_countries_says", layout::every_layout_answers_what_countries_says),
    ("every_layout_answers_what_user_segments_says", layout::every_layout_answers_what_user_segments_says),
    ("requests_are_those_that_the_feeds_are_tested_with", request::requests_are_those_that_the_feeds_are_tested_with),
    ("a_fault_on_the_way_keeps_the_last_good_data", fault::a_fault_on_the_way_keeps_the_last_good_data),
    ("a_killed_service_keeps_the_last_good_data", fault::a_killed_service_keeps_the_last_good_data),
    ("a_feed_without_a_snapshot_wipes_nothing", fault::a_feed_without_a_snapshot_wipes_nothing),
    ("a_poisoned_upstream_reaches_no_dictionary", fault::a_poisoned_upstream_reaches_no_dictionary),
    ("https_loads_from_whom_the_server_trusts", https::https_loads_from_whom_the_server_trusts),
    ("every_load_is_one_snapshot", consistency::every_load_is_one_snapshot),
    ("visitors_are_counted_by_country_and_size", enrichment::visitors_are_counted_by_country_and_size),
    ("revenue_is_shared_among_segments", enrichment::revenue_is_shared_among_segments),
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
    let (user, expected) = buy(lab)?;
    let endpoint = &lab.stack()?.file.clickhouse[0];
    let found =
        endpoint.query(&format!("SELECT dictGet('ecommerce.user_segments_dict', 'segment_name', toUInt64({user}))"))?;
    ensure!(!found.is_empty() && found == expected, "expected {expected}, found {found:?}");
    Ok(())
}

/// A user whom feed and dictionary know, and their segment.
fn known_user(lab: &mut Lab) -> Result<(u64, String)> {
    let stack = lab.stack()?;
    let known = entries(stack)?.into_iter().find(|entry| entry["user_id"] != json!(0) && entry["deleted"] == json!(0));
    let Some(entry) = known else { return buy(lab) };
    stack.file.clickhouse[0].query("SYSTEM RELOAD DICTIONARY ecommerce.user_segments_dict")?;
    user_and_segment(&entry)
}

/// A new user buys something, and feed and dictionary come to know them.
fn buy(lab: &mut Lab) -> Result<(u64, String)> {
    let stack = lab.stack()?;
    let user = xtask::traffic::now_ms();
    let purchase = json!({"event_type": "purchase", "user_id": user, "order_id": lab::event_id(), "revenue": "250.00", "currency": "EUR",
        "page_url": "https://shop.example/checkout"});
    let answer = lab::send(stack, &json!({"site": "demo", "events": [purchase]}))?;
    ensure!(answer.status == 202, "{answer:?}");
    let entry = lab::wait_for("the buyer in the feed", 60, || {
        Ok(entries(stack)?.into_iter().find(|entry| entry["user_id"] == json!(user)))
    })?;
    stack.file.clickhouse[0].query("SYSTEM RELOAD DICTIONARY ecommerce.user_segments_dict")?;
    user_and_segment(&entry)
}

/// What the feed of user segments says.
fn entries(stack: &Stack) -> Result<Vec<Value>> {
    let feed = &stack.file.user_segments;
    let bearer = format!("Bearer {}", feed.token);
    let body = lab::get_url(&format!("{}/user-segments", feed.url), &[("Authorization", &bearer)])?.text;
    Ok(body.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn user_and_segment(entry: &Value) -> Result<(u64, String)> {
    let segment = entry["segment_name"].as_str().context("expected a segment name")?;
    Ok((entry["user_id"].as_u64().context("expected a user id")?, segment.to_owned()))
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
