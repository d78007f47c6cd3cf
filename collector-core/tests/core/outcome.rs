//! One case per outcome and reason: what has to be sent to get it, and the receipt that comes back.

use std::collections::BTreeSet;

use collector_core::append::Taken;
use collector_core::beacon::{Beacon, MAX_EVENTS, MAX_SITES};
use collector_core::body;
use collector_core::client::Client;
use collector_core::ledger::Ledger;
use collector_core::outcome::{Fate, Measure, Outcome};
use collector_core::pipeline::Memory;
use collector_core::receipt::Reply;
use collector_core::web_bot_auth::{Fault, Finding};

use crate::fixture::{CHROME, GOOGLEBOT, NOW_MS, Read, client, collect_beacon, collect_with, receipts, reply_to, site};

/// A beacon, its circumstances, and the answer: status, then outcome, reason and field of the first receipt.
struct Case {
    settings: &'static str,
    client: Client<'static>,
    body: String,
    status: u16,
    answer: (&'static str, &'static str, &'static str),
}

fn case(body: &str, status: u16, answer: (&'static str, &'static str, &'static str)) -> Case {
    Case { settings: "", client: client(), body: body.to_owned(), status, answer }
}

/// An event with a member more, whose envelope is fine.
fn event(member: &str) -> String {
    format!(r#"{{"site":"demo","events":[{{"event_type":"login",{member}}}]}}"#)
}

const LOGIN: &str = r#"{"site":"demo","event_type":"login"}"#;

fn whole_beacons() -> Vec<Case> {
    let invalid = |reason| ("invalid", reason, "");
    vec![
        case("hello", 400, invalid("invalid_json")),
        case("5", 400, invalid("not_a_beacon")),
        case(&format!("[{}]", vec![LOGIN; MAX_EVENTS + 1].join(",")), 413, invalid("too_many_events")),
        case(&sites_beacon(MAX_SITES + 1), 400, invalid("too_many_sites")),
        case(r#"{"site":"nobody","event_type":"login"}"#, 404, ("invalid", "unknown_site", "/site")),
        Case {
            client: Client { origin: Some("https://evil.example"), ..client() },
            ..case(LOGIN, 403, invalid("origin_not_allowed"))
        },
        Case {
            client: Client { ingest_key: Some("guessed"), ..Client::default() },
            ..case(LOGIN, 403, invalid("wrong_ingest_key"))
        },
        Case {
            client: Client { ingest_key: Some("leaked"), ..client() },
            ..case(LOGIN, 403, invalid("ingest_key_in_browser"))
        },
    ]
}

fn sites_beacon(count: usize) -> String {
    let events: Vec<_> = (0..count).map(|n| format!(r#"{{"site":"s{n}"}}"#)).collect();
    format!("[{}]", events.join(","))
}

fn invalid_events() -> Vec<Case> {
    let invalid = |body: &str, reason, field| case(body, 202, ("invalid", reason, field));
    vec![
        invalid("[17]", "not_an_object", "/0"),
        invalid(r#"{"event_type":"login"}"#, "missing_field", "/site"),
        invalid(r#"{"site":"demo"}"#, "missing_field", "/event_type"),
        invalid(r#"{"site":"demo","events":[{"event_type":""}]}"#, "missing_field", "/events/0/event_type"),
        invalid(r#"{"site":"demo","event_type":"page_view"}"#, "missing_field", "/page_url"),
        invalid(
            r#"{"site":"demo","event_type":"purchase","revenue":1,"currency":"EUR"}"#,
            "missing_field",
            "/order_id",
        ),
        invalid(&purchase("").replace("EUR", ""), "missing_field", "/currency"),
        invalid(&purchase("").replace("o1", " \\t"), "missing_field", "/order_id"),
        invalid(&purchase("").replace("\"1\"", "\"\""), "missing_field", "/revenue"),
        invalid(&purchase(r#"{"product_id":1,"unit_price":""}"#), "missing_field", "/items/0/unit_price"),
        invalid(r#"{"site":7,"event_type":"login"}"#, "wrong_type", "/site"),
        invalid(&event(r#""page_title":["x"]"#), "wrong_type", "/events/0/page_title"),
        invalid(&event(r#""properties":"x""#), "wrong_type", "/events/0/properties"),
        invalid(r#"{"site":"demo","event_type":"Login"}"#, "invalid_value", "/event_type"),
        invalid(&event(r#""event_id":"17""#), "invalid_value", "/events/0/event_id"),
        invalid(&event(r#""currency":"EURO""#), "invalid_value", "/events/0/currency"),
        invalid(&event(r#""page_url":"/p/17""#), "invalid_value", "/events/0/page_url"),
        invalid(&event(r#""screen":"big""#), "invalid_value", "/events/0/screen"),
        invalid(&event(r#""user_id":1.5"#), "invalid_value", "/events/0/user_id"),
        invalid(&event(r#""seq":4294967296"#), "out_of_range", "/events/0/seq"),
        invalid(&event(r#""scroll_pct":101"#), "out_of_range", "/events/0/scroll_pct"),
        invalid(&event(r#""revenue":1e15"#), "out_of_range", "/events/0/revenue"),
        invalid(&event(r#""user_id":18446744073709551616"#), "out_of_range", "/events/0/user_id"),
        invalid(&event(&format!(r#""page_title":"{}""#, "x".repeat(1_025))), "too_long", "/events/0/page_title"),
        invalid(
            &event(&format!(r#""page_url":"https://a.b/{}""#, "x".repeat(2_048))),
            "too_long",
            "/events/0/page_url",
        ),
        invalid(&event(&members(65)), "too_many_properties", "/events/0/p64"),
        invalid(&purchase(&vec![r#"{"product_id":1,"unit_price":1}"#; 101].join(",")), "too_many_items", "/items"),
        invalid(
            &purchase(r#"{"product_id":1,"unit_price":1},{"product_id":2}"#),
            "missing_field",
            "/items/1/unit_price",
        ),
        invalid(&purchase("7"), "not_an_object", "/items/0"),
        Case {
            settings: r#""unknown_fields":"strict""#,
            ..invalid(&event(r#""x/y":1"#), "unknown_field", "/events/0/x~1y")
        },
    ]
}

fn members(count: usize) -> String {
    (0..count).map(|n| format!(r#""p{n}":1"#)).collect::<Vec<_>>().join(",")
}

fn purchase(items: &str) -> String {
    format!(
        r#"{{"site":"demo","event_type":"purchase","order_id":"o1","revenue":"1","currency":"EUR","items":[{items}]}}"#
    )
}

/// An array of purchases, each with some items.
fn purchases(count: usize, items: usize) -> String {
    let one = purchase(&vec![r#"{"product_id":1,"unit_price":1}"#; items].join(","));
    format!("[{}]", vec![one; count].join(","))
}

fn policies() -> Vec<Case> {
    let with = |settings, client, outcome, reason| Case { settings, client, ..case(LOGIN, 202, (outcome, reason, "")) };
    let crawler = Client { user_agent: Some(GOOGLEBOT), ..client() };
    let agent = Client { signed: Some(Finding::Verified("chatgpt")), ..client() };
    let driven =
        Client { ch_brands: None, sec_fetch_mode: None, sec_fetch_site: None, user_agent: Some(CHROME), ..client() };
    let gpc = Client { sec_gpc: Some("1"), ..client() };
    let dnt = Client { dnt: Some("1"), ..client() };
    let reported = r#"{"site":"demo","event_type":"login","properties":{"automation":"webdriver"}}"#;
    vec![
        with("", client(), "accepted", ""),
        with("", gpc, "accepted", "anonymised_gpc"),
        with("", dnt, "accepted", ""),
        with(r#""privacy":{"dnt":"anonymise"}"#, dnt, "accepted", "anonymised_dnt"),
        with(r#""privacy":{"gpc":"off"}"#, gpc, "accepted", ""),
        with(r#""privacy":{"gpc":"drop"}"#, gpc, "filtered", "gpc"),
        with(r#""privacy":{"dnt":"drop"}"#, dnt, "filtered", "dnt"),
        with("", agent, "flagged", "verified_agent"),
        with(r#""bots":"drop""#, agent, "filtered", "verified_agent"),
        with(r#""bots":"off""#, agent, "accepted", ""),
        with("", Client { signed: Some(Finding::Bad(Fault::Expired)), ..client() }, "accepted", ""),
        with("", crawler, "flagged", "crawler"),
        with(r#""bots":"drop""#, crawler, "filtered", "crawler"),
        with(r#""bots":"off""#, crawler, "accepted", ""),
        with(r#""rules":[{"name":"r","when":"asn = 3320","then":"flag"}]"#, client(), "flagged", "rule"),
        with(r#""rules":[{"name":"r","when":"asn = 3320","then":"drop"}]"#, client(), "filtered", "rule"),
        with("", driven, "accepted", ""),
        // A driven browser that sends all that a person's sends.
        Case { body: reported.into(), ..with("", client(), "flagged", "automation") },
        Case { body: reported.into(), ..with(r#""bots":"drop""#, client(), "filtered", "automation") },
        with("", Client { purpose: Some("prefetch;prerender"), ..client() }, "filtered", "prefetch"),
        with(r#""sampling_rate":0.0000001"#, client(), "filtered", "sampled"),
        with(r#""status":"paused""#, client(), "filtered", "site_paused"),
        Case { status: 429, body: purchases(11, 99), ..with("", client(), "limited", "beacon_full") },
        Case { status: 503, ..with(r#""regions":["mars"]"#, client(), "limited", "unavailable") },
    ]
}

#[test]
fn every_case_gets_its_outcome() {
    for case in whole_beacons().into_iter().chain(invalid_events()).chain(policies()) {
        let reply = reply_to(case.body.as_bytes(), &site(case.settings), &case.client);
        let shown = format!("{} with {{{}}}", case.body.get(..200).unwrap_or(&case.body), case.settings);
        assert_eq!(reply.status, case.status, "{shown}");
        let expected = case.answer.into();
        // A case is about the last event: those before it only use up room.
        assert_eq!(receipts(&reply).pop().unwrap_or_default(), expected, "{shown}");
    }
}

#[test]
fn no_reason_is_without_a_case() {
    let cases = whole_beacons().into_iter().chain(invalid_events()).chain(policies());
    let mut covered: BTreeSet<_> = cases.map(|case| (case.answer.0, case.answer.1)).collect();
    // Reasons of the encoded body, of rates over time and of the Batcher have tests of their own below.
    covered.extend(
        ["unsupported_encoding", "corrupt_encoding", "body_too_large", "invalid_utf8"]
            .map(|reason| ("invalid", reason)),
    );
    covered.extend([("limited", "site_rate"), ("limited", "address_rate"), ("duplicate", "")]);
    for (outcome, _) in Outcome::all() {
        assert!(covered.contains(&(outcome.tag(), outcome.reason_tag())), "no case for {outcome:?}");
    }
}

#[test]
fn the_documentation_has_the_table_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/OUTCOMES.md");
    let document = std::fs::read_to_string(path).unwrap();
    for table in [Outcome::markdown_table(), Fate::markdown_table(), Measure::markdown_table()] {
        assert!(document.contains(&table), "expected this table in collector-core/OUTCOMES.md:\n{table}");
    }
}

#[test]
fn bodies_that_cannot_be_read_are_refused() {
    for (bytes, encoding, reason) in [
        (&b"x"[..], Some("br"), "unsupported_encoding"),
        (b"x", Some("gzip"), "corrupt_encoding"),
        (&vec![b' '; body::MAX_BODY_BYTES + 1], None, "body_too_large"),
        (b"\"\xff\"", None, "invalid_utf8"),
    ] {
        let error = body::decode(bytes, encoding).and_then(|body| Beacon::parse(&body).map(|b| b.len())).unwrap_err();
        assert_eq!(first_receipt(&Reply::from_error(&error)).reason, reason);
    }
}

#[test]
fn rates_limit_and_ask_to_come_again() {
    let beacon = format!("[{}]", vec![LOGIN; 30].join(","));
    for (settings, reason) in [
        (r#""limits":{"events_per_second":2}"#, "site_rate"),
        (r#""limits":{"address_events_per_second":2}"#, "address_rate"),
    ] {
        let reply = reply_to(beacon.as_bytes(), &site(settings), &client());
        let receipts = receipts(&reply);
        let limited = receipts.iter().filter(|receipt| receipt.reason == reason).count();
        assert_eq!((reply.status, reply.retry_after_s.is_some(), limited), (429, true, 10), "{settings}");
    }
}

#[test]
fn the_batchers_word_is_final() {
    let beacon =
        Beacon::parse(br#"{"site":"demo","events":[{"event_type":"login"},{"event_type":"sign_up"}]}"#).unwrap();
    let mut collected = collect_beacon(&beacon, &site(""), &client());
    collected.settle(&[0, 1], &[Taken::Duplicate, Taken::Accepted]);
    let outcomes: Vec<_> = receipts(&collected.reply()).into_iter().map(|receipt| receipt.outcome).collect();
    assert_eq!((collected.reply().status, outcomes), (202, vec!["duplicate".to_owned(), "accepted".to_owned()]));
    collected.refuse(&[1]);
    let reply = collected.reply();
    assert_eq!((reply.status, receipts(&reply)[1].reason.as_str()), (503, "unavailable"));
}

/// The Batcher counts events, not rows, and none of visitors of whom a server tells or whom the site does not judge.
#[test]
fn a_visitor_is_counted_once_for_each_event() {
    let sent = purchase(r#"{"product_id":1,"unit_price":1},{"product_id":2,"unit_price":1}"#);
    let beacon = Beacon::parse(sent.as_bytes()).unwrap();
    let counted = |settings, client: &Client<'_>| -> Vec<bool> {
        let collected = collect_beacon(&beacon, &site(settings), client);
        let frame = collected.frame(&[0, 1, 2], Ledger::default());
        frame.lines.iter().map(|line| line.visitor_id != 0).collect()
    };
    assert_eq!(counted("", &client()), [true, false, false]);
    assert_eq!(counted(r#""bots":"off""#, &client()), [false; 3]);
}

#[test]
fn a_visitor_of_whom_the_batcher_said_so_is_judged_as_fast() {
    let beacon = Beacon::parse(LOGIN.as_bytes()).unwrap();
    let bare = Client { accept_language: None, ..client() };
    for (settings, client, expected) in [
        ("", client(), ("accepted", "")),
        ("", bare, ("flagged", "automation")),
        (r#""bots":"drop""#, bare, ("filtered", "automation")),
        (r#""bots":"off""#, bare, ("accepted", "")),
        (
            r#""rules":[{"name":"r","when":"bot_signals has \"rate:visitor\"","then":"drop"}]"#,
            client(),
            ("filtered", "rule"),
        ),
    ] {
        let site = site(settings);
        let mut memory = Memory::default();
        let mut first = collect_with(&beacon, &site, &client, &mut memory);
        assert!(first.rows.iter().all(|row| !String::from_utf8_lossy(&row.line).contains("rate:visitor")));
        let visitor_id = first.rows[0].visitor_id;
        first.settle(&[0], &[Taken::AcceptedFast]);
        assert_eq!(first.fast_visitors, [first.rows[0].counted_visitor_id]);
        memory.fast_visitors.insert(visitor_id, NOW_MS);
        let second = receipts(&collect_with(&beacon, &site, &client, &mut memory).reply()).pop().unwrap();
        assert_eq!((second.outcome.as_str(), second.reason.as_str()), expected, "{settings}");
        let other = Client {
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
            ..client
        };
        let third = receipts(&collect_with(&beacon, &site, &other, &mut memory).reply()).pop().unwrap();
        assert_eq!(third.outcome, "accepted", "another visitor, {settings}");
    }
}

#[test]
fn a_purchase_comes_again_if_any_part_of_it_was_refused() {
    let sent = purchase(r#"{"product_id":1,"unit_price":1}"#);
    let beacon = Beacon::parse(sent.as_bytes()).unwrap();
    let mut collected = collect_beacon(&beacon, &site(""), &client());
    collected.refuse(&[0]);
    collected.settle(&[1], &[Taken::Duplicate]);
    assert_eq!((collected.reply().status, first_receipt(&collected.reply()).reason.as_str()), (503, "unavailable"));
}

fn first_receipt(reply: &Reply) -> Read {
    receipts(reply).into_iter().next().unwrap_or_default()
}
