//! "Nothing is accepted falsely, and a refusal can be read": who may send, who may read, and what a mistake does.

use anyhow::{Result, ensure};
use serde_json::json;
use xtask::stack::Stack;
use xtask::stack::process::Stop;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("another_sites_page_cannot_use_the_pixel", another_sites_page_cannot_use_the_pixel),
    ("the_pixel_gives_a_persistent_visitor_its_id", the_pixel_gives_a_persistent_visitor_its_id),
    ("a_new_sites_page_may_ask_first_at_once", a_new_sites_page_may_ask_first_at_once),
    ("a_sites_page_can_read_why_its_beacon_was_refused", a_sites_page_can_read_why_its_beacon_was_refused),
    ("a_line_end_in_a_place_moves_no_other_property", a_line_end_in_a_place_moves_no_other_property),
    ("validating_takes_nothing_from_a_limit", validating_takes_nothing_from_a_limit),
    ("a_wrong_method_is_told_the_right_ones", a_wrong_method_is_told_the_right_ones),
    (
        "a_mistake_in_the_sites_variable_refuses_nothing_for_good",
        a_mistake_in_the_sites_variable_refuses_nothing_for_good,
    ),
];

fn another_sites_page_cannot_use_the_pixel(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let mark = lab::event_id();
    for (referer, page) in [("https://evil.example/", "evil"), ("https://www.shop.example/a?b", "own")] {
        let query = format!("site=demo&event_type=page_view&page_url=https%3A%2F%2Fshop.example%2F{mark}%2F{page}");
        let path = format!("/v1/pixel.gif?{query}");
        let pixel = lab::get(stack, &path, &[("User-Agent", lab::FIREFOX), ("Referer", referer)])?;
        ensure!(pixel.status == 200, "whatever becomes of the event, the page gets its image: {pixel:?}");
    }
    lab::expect_events(stack, &format!("page_path LIKE '/{mark}/%'"), 1, 10)?;
    lab::expect_events(stack, &format!("page_path = '/{mark}/own'"), 1, 10)
}

fn the_pixel_gives_a_persistent_visitor_its_id(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    lab::put_site(
        stack,
        &json!({"id": "pixels", "domains": ["pixels.example"], "privacy": {"visitor": "persistent"}}),
    )?;
    let path = "/v1/pixel.gif?site=pixels&event_type=page_view&page_url=https%3A%2F%2Fpixels.example%2F";
    let first = lab::get(stack, path, &[("User-Agent", lab::FIREFOX)])?;
    let cookie = first.header("Set-Cookie").unwrap_or_default().to_owned();
    ensure!(cookie.starts_with("landfall_id=") && cookie.contains("HttpOnly"), "expected an id, found {first:?}");
    let id = cookie.split(';').next().unwrap_or_default();
    let second = lab::get(stack, path, &[("User-Agent", lab::FIREFOX), ("Cookie", id)])?;
    ensure!(second.header("Set-Cookie").is_none(), "expected the same id to be kept, found {second:?}");
    lab::expect_events(stack, "site_id = 'pixels'", 2, 10)?;
    let visitors = stack.file.clickhouse[0]
        .query("SELECT uniqExact(visitor_id) FROM ecommerce.events WHERE site_id = 'pixels'")?;
    ensure!(visitors == "1", "expected one visitor, found {visitors}");
    Ok(())
}

fn a_new_sites_page_may_ask_first_at_once(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let url = format!("{}/v1/events", stack.file.collector);
    let is_allowed = || -> Result<bool> {
        let request = ureq::options(&url).header("Origin", "https://asks.example");
        let preflight = request.header("Access-Control-Request-Method", "POST").call()?;
        Ok(preflight.headers().get("Access-Control-Allow-Origin").is_some())
    };
    ensure!(!is_allowed()?, "expected no site of this origin yet");
    lab::put_site(stack, &json!({"id": "asks", "domains": ["asks.example"]}))?;
    // "No" is remembered for a second.
    lab::wait_for("a preflight's yes", 5, || Ok(is_allowed()?.then_some(())))
}

fn a_sites_page_can_read_why_its_beacon_was_refused(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    for (origin, is_readable) in [("https://shop.example", true), ("https://evil.example", false)] {
        let large = vec![b'x'; 65 * 1024];
        for (body, status) in [(&b"{"[..], 400), (&large, 413)] {
            let answer = lab::post(stack, "/v1/events", body, &[("Origin", origin)])?;
            let echoed = answer.header("Access-Control-Allow-Origin");
            ensure!(answer.status == status && echoed == is_readable.then_some(origin), "{origin}: {answer:?}");
        }
    }
    Ok(())
}

fn a_line_end_in_a_place_moves_no_other_property(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let id = lab::event_id();
    let event = json!({"event_id": id, "event_type": "page_view", "page_url": "https://shop.example/"});
    let body = json!({"site": "demo", "events": [event]}).to_string();
    let place = r#"{"country":"DE","continent":"EU","region":"He\nsse","city":"Bad\r\nHomburg","asn":3320,"latitude":"50.2","longitude":"8.6"}"#;
    let answer = lab::post(stack, "/v1/events", body.as_bytes(), &[("CF-Blob", place)])?;
    ensure!(answer.status == 202, "{answer:?}");
    lab::expect_events(stack, &format!("event_id = '{id}' AND asn = 3320 AND city = 'Bad Homburg'"), 1, 10)
}

fn validating_takes_nothing_from_a_limit(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    lab::put_site(stack, &json!({"id": "tight", "domains": ["tight.example"], "limits": {"events_per_second": 1}}))?;
    let event = json!({"event_type": "page_view", "page_url": "https://tight.example/"});
    let body = json!({"site": "tight", "events": vec![&event; 10]}).to_string();
    let bearer = format!("Bearer {}", stack.file.admin_token);
    for headers in [&[][..], &[("Authorization", bearer.as_str())], &[]] {
        let shown = lab::post(stack, "/v1/validate", body.as_bytes(), headers)?;
        ensure!(shown.status == 202, "the bucket of ten holds for each: {shown:?}");
    }
    let stored = lab::post(stack, "/v1/events", body.as_bytes(), &[])?;
    ensure!(stored.status == 202, "expected the bucket to be full still, found {stored:?}");
    let more = lab::post(stack, "/v1/events", body.as_bytes(), &[])?;
    ensure!(more.status == 429, "expected the bucket to be empty now, found {more:?}");
    Ok(())
}

fn a_wrong_method_is_told_the_right_ones(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    for (path, allowed) in [("/healthz", "GET, HEAD"), ("/v1/pixel.gif", "GET"), ("/v1/sites", "GET")] {
        let answer = lab::post(stack, path, b"", &[])?;
        ensure!(answer.status == 405 && answer.header("Allow") == Some(allowed), "{path}: {answer:?}");
    }
    let answer = lab::get(stack, "/v1/events", &[])?;
    ensure!(answer.status == 405 && answer.header("Allow") == Some("POST, OPTIONS"), "{answer:?}");
    let metrics = lab::get(stack, "/metrics", &[])?;
    ensure!(metrics.status == 401 && metrics.header("WWW-Authenticate") == Some("Bearer"), "{metrics:?}");
    Ok(())
}

fn a_mistake_in_the_sites_variable_refuses_nothing_for_good(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    // The comma at the end.
    let mistake = r#"[{"id":"demo","domains":["shop.example"]},]"#;
    stack.stop_workerd(Stop::Clean)?;
    stack.layout.surroundings.worker_variables = vec![("SITES".to_owned(), mistake.to_owned())];
    let result = stack.launch_workerd().and_then(|_| look_at_the_mistake(stack));
    stack.stop_workerd(Stop::Clean)?;
    stack.layout.surroundings.worker_variables = Vec::new();
    stack.start_workerd()?;
    result
}

fn look_at_the_mistake(stack: &Stack) -> Result<()> {
    lab::wait_for("the collector to be alive", 30, || {
        let alive = lab::get(stack, "/healthz", &[]);
        Ok(alive.is_ok_and(|answer| answer.status == 200).then_some(()))
    })?;
    let event = json!({"event_type": "page_view", "page_url": "https://shop.example/"});
    let beacon = lab::send(stack, &json!({"site": "demo", "events": [event]}))?;
    ensure!(
        beacon.status == 503 && beacon.header("Retry-After").is_some(),
        "expected a sender to keep its events: {beacon:?}"
    );
    let ready = lab::get(stack, "/readyz", &[])?;
    ensure!(
        ready.status == 503 && ready.text.contains("variable SITES"),
        "expected the mistake's name, found {ready:?}"
    );
    // The Registry would answer with the mistake.
    let preflight = |origin: &str| -> Result<u16> {
        let request = ureq::options(format!("{}/v1/events", stack.file.collector)).header("Origin", origin);
        Ok(request.config().http_status_as_error(false).build().call()?.status().as_u16())
    };
    let long = format!("https://{}.example", "a".repeat(10_000));
    let (short, long) = (preflight("https://a.example")?, preflight(&long)?);
    ensure!((short, long) == (503, 204), "expected no call for an origin that is too long, found {short} and {long}");
    Ok(())
}
