//! "Every event is answered with one outcome": the collector's answers, and the row that follows.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("the_curl_line_of_the_readme_works", the_curl_line_of_the_readme_works),
    ("an_event_becomes_one_row_with_its_columns", an_event_becomes_one_row_with_its_columns),
    ("a_crawler_is_stored_flagged_with_its_evidence", a_crawler_is_stored_flagged_with_its_evidence),
    ("a_repeated_event_id_is_a_duplicate", a_repeated_event_id_is_a_duplicate),
    ("an_invalid_event_names_its_reason_and_field", an_invalid_event_names_its_reason_and_field),
    ("refusals_have_their_status", refusals_have_their_status),
    ("a_compressed_body_is_taken", a_compressed_body_is_taken),
    ("only_the_sites_origins_may_read_the_answer", only_the_sites_origins_may_read_the_answer),
    ("the_script_is_served_with_an_etag", the_script_is_served_with_an_etag),
    ("the_pixel_counts_a_view", the_pixel_counts_a_view),
    ("validate_shows_the_row_and_writes_nothing", validate_shows_the_row_and_writes_nothing),
    ("a_new_site_is_taken_at_once", a_new_site_is_taken_at_once),
    ("the_probes_say_alive_and_ready", the_probes_say_alive_and_ready),
    ("outcomes_are_counted", outcomes_are_counted),
    ("a_visitor_keeps_one_id_within_the_day", a_visitor_keeps_one_id_within_the_day),
];

/// The line that `up` and `demo` print, run by the shell that a user has.
fn the_curl_line_of_the_readme_works(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let output = std::process::Command::new("sh").args(["-c", &stack.curl_line()]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(text.contains(r#""outcome":"accepted""#), "expected an accepted event, found {text}");
    Ok(())
}

fn an_event_becomes_one_row_with_its_columns(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let id = lab::event_id();
    let body = json!({"site": "demo", "events": [{
        "event_id": id, "event_type": "purchase", "page_url": "https://shop.example/checkout?utm_campaign=spring&secret=1",
        "referrer": "https://www.google.com/", "user_id": "18446744073709551615", "order_id": "o-1 \"ü\"\n", "revenue": "129.95", "currency": "EUR",
        "product_id": 17, "quantity": 2, "screen": "1920x1080", "language": "de-DE", "colour": "gold"}]});
    let cf = r#"{"country":"DE","region":"Hesse","city":"Frankfurt am Main","asn":3320,"colo":"FRA","continent":"EU","timezone":"Europe/Berlin","latitude":"50.1","longitude":"8.7"}"#;
    let answer = lab::post(
        stack,
        "/v1/events",
        body.to_string().as_bytes(),
        &[("CF-Blob", cf), ("Origin", "https://shop.example")],
    )?;
    ensure!(answer.status == 202 && answer.outcomes()? == ["accepted"], "{answer:?}");
    lab::expect_events(stack, &format!("event_id = '{id}'"), 1, 10)?;
    let columns = "site_id, event_type, page_path, utm_campaign, position(page_url, 'secret'), referrer_host, channel, toString(user_id), order_id, \
         toString(revenue), currency, product_id, quantity, screen_width, language, country, city, asn, browser, os, device_type, is_bot, \
         properties['colour'], collector_region, visitor_id != 0";
    let row = stack.file.clickhouse[0]
        .query(&format!("SELECT {columns} FROM ecommerce.events WHERE event_id = '{id}' FORMAT JSONCompactEachRow"))?;
    let expected = json!([
        "demo",
        "purchase",
        "/checkout",
        "spring",
        0,
        "google.com",
        "Organic Search",
        "18446744073709551615",
        "o-1 \"ü\"\n",
        "129.95",
        "EUR",
        17,
        2,
        1920,
        "de-DE",
        "DE",
        "Frankfurt am Main",
        3320,
        "Firefox",
        "Linux",
        "desktop",
        0,
        "gold",
        "eu",
        1
    ]);
    let found: serde_json::Value = serde_json::from_str(&row)?;
    ensure!(found == expected, "expected {expected}, found {found}");
    Ok(())
}

fn a_crawler_is_stored_flagged_with_its_evidence(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let id = lab::event_id();
    let body = json!({"site": "demo", "events": [{"event_id": id, "event_type": "page_view", "page_url": "https://shop.example/"}]});
    let agent =
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)";
    let answer = lab::post(stack, "/v1/events", body.to_string().as_bytes(), &[("User-Agent", agent)])?;
    ensure!(answer.status == 202 && answer.outcomes()? == ["flagged"], "{answer:?}");
    lab::expect_events(
        stack,
        &format!("event_id = '{id}' AND is_bot = 1 AND has(bot_signals, 'ua:crawler') AND device_type = 'bot'"),
        1,
        10,
    )
}

fn a_repeated_event_id_is_a_duplicate(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let id = lab::event_id();
    let event = json!({"event_id": id, "event_type": "page_view", "page_url": "https://shop.example/"});
    let answer = lab::send(stack, &json!({"site": "demo", "events": [event, event]}))?;
    ensure!(answer.outcomes()? == ["accepted", "duplicate"], "{answer:?}");
    let again = lab::send(stack, &json!({"site": "demo", "events": [event]}))?;
    ensure!(again.status == 202 && again.outcomes()? == ["duplicate"], "{again:?}");
    // Ids are each site's own matter.
    lab::put_site(stack, &json!({"id": "same-ids", "domains": ["shop.example"]}))?;
    let other = lab::send(stack, &json!({"site": "same-ids", "events": [event]}))?;
    ensure!(other.outcomes()? == ["accepted"], "{other:?}");
    lab::expect_events(stack, &format!("event_id = '{id}' AND site_id = 'demo'"), 1, 10)?;
    lab::expect_events(stack, &format!("event_id = '{id}' AND site_id = 'same-ids'"), 1, 10)
}

fn an_invalid_event_names_its_reason_and_field(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let view = json!({"event_type": "page_view", "page_url": "https://shop.example/"});
    let answer = lab::send(stack, &json!({"site": "demo", "events": [view, {"page_url": "https://shop.example/"}]}))?;
    ensure!(answer.status == 202, "{answer:?}");
    let second = &answer.json()?["results"][1];
    ensure!(
        second["outcome"] == "invalid"
            && second["reason"] == "missing_field"
            && second["field"] == "/events/1/event_type",
        "{second}"
    );
    Ok(())
}

fn refusals_have_their_status(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let view = |site: &str| {
        json!({"site": site, "events": [{"event_type": "page_view", "page_url": "https://shop.example/"}]}).to_string()
    };
    let refused = |body: &[u8], headers: &[(&str, &str)], status: u16, reason: &str| -> Result<()> {
        let answer = lab::post(stack, "/v1/events", body, headers)?;
        ensure!(
            answer.status == status && answer.text.contains(reason),
            "expected {status} {reason}, found {answer:?}"
        );
        ensure!(answer.json()?["results"].is_array(), "{reason}: expected receipts, found {answer:?}");
        Ok(())
    };
    refused(b"{", &[], 400, "invalid_json")?;
    refused(b"{\"site\":\"\xff\"}", &[], 400, "invalid_utf8")?;
    refused(&vec![b'x'; 65 * 1024], &[], 413, "body_too_large")?;
    refused(view("nobody").as_bytes(), &[], 404, "unknown_site")?;
    refused(view("demo").as_bytes(), &[("Origin", "https://evil.example")], 403, "origin_not_allowed")?;
    let lost = lab::get(stack, "/nowhere", &[])?;
    ensure!(lost.status == 404, "{lost:?}");
    let method = lab::get(stack, "/v1/events", &[])?;
    ensure!(method.status == 405, "{method:?}");
    Ok(())
}

fn a_compressed_body_is_taken(lab: &mut Lab) -> Result<()> {
    use std::io::Write as _;
    let stack = lab.stack()?;
    let body = json!({"site": "demo", "events": [{"event_type": "page_view", "page_url": "https://shop.example/"}]})
        .to_string();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(body.as_bytes())?;
    let answer = lab::post(stack, "/v1/events", &gzip.finish()?, &[("Content-Encoding", "gzip")])?;
    ensure!(answer.status == 202, "{answer:?}");
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; 4 << 20])?;
    let answer = lab::post(stack, "/v1/events", &bomb.finish()?, &[("Content-Encoding", "gzip")])?;
    ensure!(answer.status == 413, "a bomb: {answer:?}");
    Ok(())
}

fn only_the_sites_origins_may_read_the_answer(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let body = json!({"site": "demo", "events": [{"event_type": "page_view", "page_url": "https://shop.example/"}]})
        .to_string();
    let own = lab::post(stack, "/v1/events", body.as_bytes(), &[("Origin", "https://www.shop.example")])?;
    ensure!(own.header("Access-Control-Allow-Origin") == Some("https://www.shop.example"), "{own:?}");
    let other = lab::post(stack, "/v1/events", body.as_bytes(), &[("Origin", "https://evil.example")])?;
    ensure!(other.header("Access-Control-Allow-Origin").is_none(), "{other:?}");
    for (origin, is_allowed) in [("https://shop.example", true), ("https://evil.example", false), ("null", false)] {
        let url = format!("{}/v1/events", stack.file.collector);
        let preflight =
            ureq::options(&url).header("Origin", origin).header("Access-Control-Request-Method", "POST").call()?;
        let echoed = preflight.headers().get("Access-Control-Allow-Origin").and_then(|value| value.to_str().ok());
        ensure!(preflight.status() == 204 && echoed == is_allowed.then_some(origin), "{origin}: {echoed:?}");
    }
    Ok(())
}

fn the_script_is_served_with_an_etag(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let script = lab::get(stack, "/l.js", &[])?;
    ensure!(script.status == 200 && script.text.contains("landfall"), "{}", script.status);
    let etag = script.header("ETag").unwrap_or_default().to_owned();
    ensure!(!etag.is_empty(), "expected an ETag");
    let again = lab::get(stack, "/l.js", &[("If-None-Match", &etag)])?;
    ensure!(again.status == 304 && again.text.is_empty(), "{again:?}");
    let manifest = std::fs::read_to_string(xtask::paths::root().join("beacon/dist/manifest.json"))?;
    let manifest: serde_json::Value = serde_json::from_str(&manifest)?;
    let version = manifest["version"].as_str().unwrap_or_default();
    let pinned = lab::get(stack, &format!("/l.{version}.js"), &[])?;
    let cache = pinned.header("Cache-Control").unwrap_or_default();
    ensure!(
        pinned.status == 200 && cache.contains("immutable") && pinned.text == script.text,
        "{} {cache}",
        pinned.status
    );
    ensure!(lab::get(stack, "/l.0.0.0.js", &[])?.status == 404, "expected no other version");
    Ok(())
}

fn the_pixel_counts_a_view(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let path = format!("/pixel-{}", lab::event_id());
    let pixel = lab::get(
        stack,
        &format!("/v1/pixel.gif?site=demo&event_type=page_view&page_url=https%3A%2F%2Fshop.example{path}"),
        &[("User-Agent", lab::FIREFOX)],
    )?;
    ensure!(pixel.status == 200 && pixel.header("Content-Type") == Some("image/gif"), "{pixel:?}");
    lab::expect_events(stack, &format!("page_path = '{path}'"), 1, 10)
}

fn validate_shows_the_row_and_writes_nothing(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let id = lab::event_id();
    let body = json!({"site": "demo", "events": [{"event_id": id, "event_type": "page_view", "page_url": "https://shop.example/v"}]});
    let answer = lab::post(stack, "/v1/validate", body.to_string().as_bytes(), &[])?;
    let row = &answer.json()?["results"][0]["row"];
    ensure!(row["page_path"] == "/v" && row["site_id"] == "demo", "{answer:?}");
    // An event sent after it is stored; the validated one is still not there.
    let marker = lab::event_id();
    lab::send(
        stack,
        &json!({"site": "demo", "events": [{"event_id": marker, "event_type": "page_view", "page_url": "https://shop.example/"}]}),
    )?;
    lab::expect_events(stack, &format!("event_id IN ('{id}', '{marker}')"), 1, 10)
}

fn a_new_site_is_taken_at_once(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let url = format!("{}/v1/sites/fresh", stack.file.collector);
    let settings = json!({"id": "fresh", "domains": ["fresh.example"]}).to_string();
    let without = ureq::put(&url).config().http_status_as_error(false).build().send(&settings)?;
    ensure!(without.status() == 401, "without a token: {}", without.status());
    let bearer = format!("Bearer {}", stack.file.admin_token);
    let put = ureq::put(&url)
        .config()
        .http_status_as_error(false)
        .build()
        .header("Authorization", &bearer)
        .send(&settings)?;
    ensure!(put.status().is_success(), "{}", put.status());
    let event = json!({"site": "fresh", "events": [{"event_type": "page_view", "page_url": "https://fresh.example/"}]});
    let answer = lab::send(stack, &event)?;
    ensure!(answer.status == 202, "{answer:?}");
    let wrong = ureq::put(&url)
        .config()
        .http_status_as_error(false)
        .build()
        .header("Authorization", &bearer)
        .send(r#"{"id":"fresh","domains":[]}"#)?;
    ensure!(wrong.status() == 400, "impossible settings: {}", wrong.status());
    let delete =
        ureq::delete(&url).config().http_status_as_error(false).build().header("Authorization", &bearer).call()?;
    ensure!(delete.status().is_success(), "{}", delete.status());
    Ok(())
}

fn the_probes_say_alive_and_ready(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    ensure!(lab::get(stack, "/healthz", &[])?.status == 200, "expected it to be alive");
    let ready = lab::get(stack, "/readyz", &[])?;
    ensure!(ready.status == 200 && ready.json()?["regions"]["us"]["is_accepting"] == true, "{ready:?}");
    Ok(())
}

/// What was stored, refused and repeated is all in the account.
fn outcomes_are_counted(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let total = |outcome: &str| -> Result<u64> {
        let sql = format!(
            "SELECT sum(count) FROM ecommerce.collector_outcomes WHERE site_id = 'demo' AND outcome = '{outcome}'"
        );
        stack.file.clickhouse.iter().map(|endpoint| Ok(endpoint.query(&sql)?.parse::<u64>()?)).sum()
    };
    // Everything sent before is counted first, so that the differences are this test's.
    let settled = lab::event_id();
    lab::send(
        stack,
        &json!({"site": "demo", "events": [{"event_id": settled, "event_type": "page_view", "page_url": "https://shop.example/"}]}),
    )?;
    lab::wait_for("the earlier counts", 30, || {
        let waiting = lab::get(stack, "/readyz", &[])?.json()?;
        let batches = |region: &str| waiting["regions"][region]["batches"].as_u64();
        let open = |region: &str| waiting["regions"][region]["has_open_segment"] == true;
        let is_idle = ["eu", "us"].iter().all(|region| batches(region) == Some(0) && !open(region));
        Ok(is_idle.then_some(()))
    })?;
    let before = (total("accepted")?, total("invalid")?, total("duplicate")?);
    let view = json!({"event_id": lab::event_id(), "event_type": "page_view", "page_url": "https://shop.example/"});
    lab::send(stack, &json!({"site": "demo", "events": [view, view, {"event_type": "page_view"}]}))?;
    lab::wait_for("one accepted, one invalid, one duplicate", 30, || {
        let after = (total("accepted")?, total("invalid")?, total("duplicate")?);
        Ok((after == (before.0 + 1, before.1 + 1, before.2 + 1)).then_some(()))
    })
}

fn a_visitor_keeps_one_id_within_the_day(lab: &mut Lab) -> Result<()> {
    lab::pass_midnight()?;
    let stack = lab.stack()?;
    let mark = lab::event_id();
    for agent in
        [lab::FIREFOX, lab::FIREFOX, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"]
    {
        let body = json!({"site": "demo", "events": [{"event_type": "page_view", "page_url": format!("https://shop.example/{mark}")}]});
        lab::post(stack, "/v1/events", body.to_string().as_bytes(), &[("User-Agent", agent)])?;
    }
    lab::expect_events(stack, &format!("page_path = '/{mark}'"), 3, 10)?;
    let visitors = stack.file.clickhouse[0]
        .query(&format!("SELECT uniqExact(visitor_id) FROM ecommerce.events WHERE page_path = '/{mark}'"))?;
    ensure!(visitors == "2", "expected 2 visitors, found {visitors}");
    Ok(())
}
