//! Who sends: persistent visitors with their cookie, and the site's own server with its key.

use collector_core::beacon::Beacon;
use collector_core::client::Client;
use collector_core::collected::Collected;
use collector_core::first_party;
use serde_json::{Value, json};

use crate::fixture::{GOOGLEBOT, client, collect_beacon, receipts, site};

const PERSISTENT: &str = r#""privacy":{"visitor":"persistent"}"#;

/// The SHA-256 of `key-1`.
const WITH_KEY: &str = r#""ingest_key_sha256":["be2974546978e3739e6d6da85c4be9f334ce32df2b9fd4b6ff1b55c0d57e9d44"]"#;

fn collect(body: &Value, settings: &str, client: &Client<'_>) -> Collected {
    let body = body.to_string();
    collect_beacon(&Beacon::parse(body.as_bytes()).unwrap(), &site(settings), client)
}

fn row(collected: &Collected, index: usize) -> Value {
    serde_json::from_slice(&collected.rows[index].line).unwrap()
}

fn login() -> Value {
    json!({"site": "demo", "event_type": "login"})
}

#[test]
fn a_persistent_visitor_gets_one_id_and_keeps_it() {
    let first = collect(&json!([login(), login()]), PERSISTENT, &client());
    let id = first.new_first_party_id.unwrap();
    assert_eq!(row(&first, 0)["visitor_id"], row(&first, 1)["visitor_id"]);
    let cookie = first_party::set_cookie(id, "", true);
    let elsewhere = Client { ip: "198.51.100.9".parse().ok(), cookie: cookie.split(';').next(), ..client() };
    let second = collect(&login(), PERSISTENT, &elsewhere);
    assert_eq!(second.new_first_party_id, None, "the browser has one");
    assert_eq!(row(&second, 0)["visitor_id"], row(&first, 0)["visitor_id"]);
    assert_ne!(row(&collect(&login(), "", &elsewhere), 0)["visitor_id"], row(&first, 0)["visitor_id"]);
}

#[test]
fn who_wants_no_id_gets_none() {
    assert_eq!(collect(&login(), "", &client()).new_first_party_id, None, "the site does not ask for it");
    let gpc = Client { sec_gpc: Some("1"), ..client() };
    assert_eq!(collect(&login(), PERSISTENT, &gpc).new_first_party_id, None);
    let elsewhere = Client { origin: Some("https://evil.example"), ..client() };
    assert_eq!(collect(&login(), PERSISTENT, &elsewhere).new_first_party_id, None);
}

/// The shop's server, in a data centre far from the visitor.
fn server() -> Client<'static> {
    Client {
        ip: "192.0.2.1".parse().ok(),
        country: Some("US"),
        asn: Some(64_500),
        user_agent: Some("shop-backend/1.0"),
        ingest_key: Some("key-1"),
        is_https: true,
        ..Client::default()
    }
}

#[test]
fn the_sites_server_tells_of_its_visitor() {
    let visitor = client();
    let order = json!({"site": "demo", "event_type": "purchase", "order_id": "o-1", "revenue": "10", "currency": "EUR",
        "occurred_at": 1_763_650_000_000_i64, "ip_address": "203.0.113.77", "user_agent": visitor.user_agent});
    let collected = collect(&order, WITH_KEY, &server());
    let told = row(&collected, 0);
    assert_eq!(receipts(&collected.reply())[0].outcome, "accepted", "a server's bare headers are no evidence");
    assert_eq!(told["timestamp"], "2025-11-20 14:46:40.000", "the server's clock is believed");
    assert_eq!((&told["skew_ms"], &told["country"], &told["asn"]), (&json!(0), &json!(""), &json!(0)));
    assert_eq!(told["ip_address"], "::ffff:203.0.113.0");
    let browser = row(&collect(&login(), WITH_KEY, &visitor), 0);
    for column in ["visitor_id", "user_agent", "browser", "os", "device_type"] {
        assert_eq!(told[column], browser[column], "{column}: the order belongs to the visit");
    }
}

#[test]
fn each_event_of_a_server_has_its_own_visitor() {
    let told = |ip: &str, agent: &str| json!({"event_type": "login", "ip_address": ip, "user_agent": agent});
    let body = json!({"site": "demo", "events": [
        told("203.0.113.77", client().user_agent()), told("203.0.113.78", client().user_agent()), told("", ""), told("203.0.113.77", GOOGLEBOT)]});
    let collected = collect(&body, WITH_KEY, &server());
    let visitors: Vec<_> = (0..3).map(|index| row(&collected, index)["visitor_id"].clone()).collect();
    assert!(visitors[0] != visitors[1] && visitors[1] != visitors[2], "{visitors:?}");
    let outcomes: Vec<_> = receipts(&collected.reply()).into_iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(outcomes, ["accepted", "accepted", "accepted", "flagged"]);
}

#[test]
fn an_order_of_nobody_known_has_no_visitor_and_is_in_every_sample() {
    let settings = format!(r#"{WITH_KEY},"sampling_rate":0.000000001"#);
    let orders = json!({"site": "demo", "events": [{"event_type": "refund"}, {"event_type": "refund", "session_id": "s1"},
        {"event_type": "refund", "ip_address": "203.0.113.77"}]});
    let collected = collect(&orders, &settings, &server());
    let reasons: Vec<_> = receipts(&collected.reply()).into_iter().map(|receipt| receipt.reason).collect();
    assert_eq!(reasons, ["", "", "sampled"]);
    for (index, session) in [(0, ""), (1, "s1")] {
        let order = row(&collected, index);
        assert_eq!((&order["visitor_id"], &order["session_id"]), (&json!(0), &json!(session)));
        assert_eq!(order["properties"], json!({}), "it stands for itself, not for the visitors outside the sample");
    }
}

#[test]
fn an_impossible_address_names_its_field() {
    let body = json!({"site": "demo", "events": [{"event_type": "login", "ip_address": "203.0.113.777"}]});
    let receipt = receipts(&collect(&body, WITH_KEY, &server()).reply()).remove(0);
    assert_eq!((receipt.reason.as_str(), receipt.field.as_str()), ("invalid_value", "/events/0/ip_address"));
}

#[test]
fn what_only_a_server_may_tell_is_an_unknown_field_of_others() {
    let body = json!({"site": "demo", "event_type": "login", "ip_address": "203.0.113.1"});
    let lenient = row(&collect(&body, "", &client()), 0);
    assert_eq!(lenient["properties"]["ip_address"], "203.0.113.0", "as the site stores addresses");
    assert_eq!(lenient["ip_address"], "::ffff:203.0.113.0", "the address that the edge saw");
    let strict = collect(&body, r#""unknown_fields":"strict""#, &client()).reply();
    assert_eq!(
        (receipts(&strict)[0].reason.as_str(), receipts(&strict)[0].field.as_str()),
        ("unknown_field", "/ip_address")
    );
}
