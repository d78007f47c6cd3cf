//! Every layout that fits a feed loads from the live service and answers what the feed says, attribute by attribute.

use anyhow::{Result, ensure};
use serde_json::Value;
use xtask::stack::clickhouse::Endpoint;
use xtask::stack::file::Feed;

use super::health::Health;
use super::statement::{COUNTRIES, Statement, USER_SEGMENTS, USER_SEGMENTS_INCREMENTAL};
use crate::lab::{self, Lab};

/// The delivered one first.
const COUNTRY_LAYOUTS: [&str; 5] = [
    "COMPLEX_KEY_HASHED_ARRAY()",
    "COMPLEX_KEY_HASHED()",
    "COMPLEX_KEY_SPARSE_HASHED()",
    "COMPLEX_KEY_CACHE(SIZE_IN_CELLS 1024)",
    "COMPLEX_KEY_DIRECT()",
];
/// Further layouts besides the three that are delivered.
const USER_LAYOUTS: [&str; 2] = ["HASHED()", "SPARSE_HASHED()"];
const COUNTRY_ATTRIBUTES: [&str; 4] = ["code3", "name", "continent", "population"];
const USER_ATTRIBUTES: [&str; 6] = ["segment_id", "segment_name", "score", "confidence", "last_updated", "deleted"];
/// Keys per query: a DIRECT dictionary asks the feed for each attribute.
const KEYS: usize = 300;

pub(super) fn every_layout_answers_what_countries_says(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let (endpoint, feed) = (&stack.file.clickhouse[0], &stack.file.countries);
    let entries = read(feed, "countries")?;
    ensure!(entries.len() >= 249, "{}", entries.len());
    let port = stack.layout.ports.countries;
    for (index, layout) in COUNTRY_LAYOUTS.into_iter().enumerate() {
        let name = format!("countries_layout_{index}");
        let statement = Statement::read(COUNTRIES)?.named(&name)?.over(port, "countries")?.laid_out(layout)?;
        endpoint.query(statement.sql())?;
        check(endpoint, &name, "code", &COUNTRY_ATTRIBUTES, &entries)?;
        let unknown =
            endpoint.query(&format!("SELECT dictGet('ecommerce.{name}', ('name', 'population'), tuple('??'))"))?;
        ensure!(unknown == "('',0)", "{layout}: an unknown code is {unknown}");
        endpoint.query(&format!("DROP DICTIONARY ecommerce.{name}"))?;
    }
    check(endpoint, "countries_dict", "code", &COUNTRY_ATTRIBUTES, &entries)
}

pub(super) fn every_layout_answers_what_user_segments_says(lab: &mut Lab) -> Result<()> {
    super::known_user(lab)?;
    let stack = lab.stack()?;
    let (endpoint, feed, port) =
        (&stack.file.clickhouse[0], &stack.file.user_segments, stack.layout.ports.user_segments);
    let mut names = vec![
        "user_segments_dict".to_owned(),
        "user_segments_cache_dict".to_owned(),
        "user_segments_direct_dict".to_owned(),
    ];
    for (index, layout) in USER_LAYOUTS.into_iter().enumerate() {
        let name = format!("user_segments_layout_{index}");
        let statement = Statement::read(USER_SEGMENTS)?.named(&name)?.over(port, "user-segments?compression=zstd")?;
        endpoint.query(statement.laid_out(layout)?.sql())?;
        names.push(name);
    }
    let incremental = Statement::read(USER_SEGMENTS_INCREMENTAL)?.named("user_segments_incremental")?;
    endpoint.query(incremental.with_feed(port, &feed.token)?.sql())?;
    names.push("user_segments_incremental".to_owned());
    for name in &names {
        // The segments are refreshed meanwhile, so feed and dictionary are read anew until they were read at the same time.
        lab::wait_for(&format!("{name} to answer what the feed says"), 30, || {
            let entries = read(feed, "user-segments")?;
            endpoint.query(&format!("SYSTEM RELOAD DICTIONARY ecommerce.{name}"))?;
            check(endpoint, name, "user_id", &USER_ATTRIBUTES, &entries).map(Some)
        })?;
        Health::expect(endpoint, name, "ok")?;
    }
    for name in names.iter().filter(|name| name.contains("layout") || name.contains("incremental")) {
        endpoint.query(&format!("DROP DICTIONARY ecommerce.{name}"))?;
    }
    Ok(())
}

/// The token of the statement that must carry it is hidden from everybody who may look at dictionaries.
pub(super) fn no_token_shows_in_the_incremental_dictionary(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let (endpoint, token) = (&stack.file.clickhouse[0], &stack.file.user_segments.token);
    let statement = Statement::read(USER_SEGMENTS_INCREMENTAL)?.named("user_segments_hidden")?;
    endpoint.query(statement.with_feed(stack.layout.ports.user_segments, token)?.sql())?;
    endpoint.query("SYSTEM RELOAD DICTIONARY ecommerce.user_segments_hidden")?;
    for question in [
        "SHOW CREATE DICTIONARY ecommerce.user_segments_hidden",
        "SELECT create_table_query, as_select FROM system.tables WHERE name = 'user_segments_hidden'",
        "SELECT source, origin FROM system.dictionaries WHERE name = 'user_segments_hidden'",
    ] {
        let answer = endpoint.query(question)?;
        ensure!(!answer.is_empty() && !answer.contains(token), "{question}: {answer}");
    }
    endpoint.query("DROP DICTIONARY ecommerce.user_segments_hidden").map(drop)
}

/// The entries of a feed, as its body has them.
fn read(feed: &Feed, path: &str) -> Result<Vec<Value>> {
    let bearer = format!("Bearer {}", feed.token);
    let body = lab::get_url(&format!("{}/{path}", feed.url), &[("Authorization", &bearer)])?.text;
    Ok(body.lines().take(KEYS).map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// Asks a dictionary for every attribute of every entry.
fn check(endpoint: &Endpoint, dictionary: &str, key: &str, attributes: &[&str], entries: &[Value]) -> Result<()> {
    let keys: Vec<String> = entries.iter().map(|entry| entry[key].to_string().replace('"', "'")).collect();
    let get = |attribute: &&str| format!("dictGet('ecommerce.{dictionary}', '{attribute}', k) AS {attribute}");
    let columns: Vec<String> = attributes.iter().map(get).collect();
    let key_type = if key == "code" { "k.1 AS code" } else { "k AS user_id" };
    let array = if key == "code" {
        format!("tuple(arrayJoin([{}]))", keys.join(","))
    } else {
        format!("toUInt64(arrayJoin([{}]))", keys.join(","))
    };
    let sql = format!(
        "SELECT {key_type}, {} FROM (SELECT {array} AS k) FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0",
        columns.join(", ")
    );
    let answer = endpoint.query(&sql)?;
    let found: Vec<Value> = answer.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(found.len() == entries.len(), "{dictionary}: expected {} answers, found {}", entries.len(), found.len());
    for (found, expected) in found.iter().zip(entries) {
        for attribute in attributes.iter().chain([&key]) {
            ensure!(
                is_same(&found[attribute], &expected[attribute]),
                "{dictionary}, {attribute}: expected {expected}, found {found}"
            );
        }
    }
    Ok(())
}

/// Equal, or as near as a Float32 is.
fn is_same(found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => (found - expected).abs() <= expected.abs() * 1e-6,
        _ => found == expected,
    }
}
