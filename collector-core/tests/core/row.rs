//! The complete row of nine typical beacons; the tenth is `encoding::text_of_every_kind_is_escaped_as_json_wants_it`.
//!
//! The columns of the device are compared with what crate `user-agent` says (`encoding`): its answers are tested there, and may become better.

use collector_core::client::Client;

use crate::fixture::{GOOGLEBOT, client, rows, site};

#[test]
fn a_page_view_becomes_this_row() {
    let body = r#"{"site":"demo","sent_at":1763660000023,"tracker":"landfall-js/1.0.0","events":[
        {"event_id":"01980a4e-0000-7000-8000-000000000001","event_type":"page_view","occurred_at":1763659999023,
         "page_url":"https://shop.example/p/17?utm_source=google&utm_medium=cpc&session=secret#top","page_title":"Ring","referrer":"https://www.google.com/search?q=ring",
         "page_id":"k3f","seq":3,"session_id":"s1","user_id":42,"screen":"1920x1080","viewport":"1200x900","language":"de-DE","timezone":"Europe/Berlin"}]}"#;
    insta::assert_snapshot!(rows(body, &site(""), &client()), @r#"
    event_id "01980a4e-0000-7000-8000-000000000001"
    site_id "demo"
    event_type "page_view"
    timestamp "2025-11-20 17:33:19.123"
    received_at "2025-11-20 17:33:20.123"
    skew_ms 100
    visitor_id 15623511045292552028
    user_id 42
    session_id "s1"
    page_id "k3f"
    seq 3
    page_url "https://shop.example/p/17?utm_source=google&utm_medium=cpc"
    page_path "/p/17"
    page_title "Ring"
    referrer "https://www.google.com/search"
    referrer_host "google.com"
    channel "Paid Search"
    utm_source "google"
    utm_medium "cpc"
    country "DE"
    region "Berlin"
    city "Berlin"
    asn 3320
    timezone "Europe/Berlin"
    language "de-DE"
    screen_width 1920
    screen_height 1080
    properties {"viewport":"1200x900"}
    rules_version "2026-11-21b"
    ip_address "::ffff:203.0.113.0"
    user_agent "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    collector_region "eu"
    colo "TXL"
    tracker "landfall-js/1.0.0"
    "#);
}

#[test]
fn a_purchase_becomes_a_row_and_one_for_each_item() {
    let body = r#"{"site":"demo","event_type":"purchase","event_id":"01980a4e-0000-7000-8000-000000000002","order_id":1001,"revenue":"258.00","currency":"eur","user_id":"18446744073709551615",
        "items":[{"product_id":17,"quantity":2,"unit_price":"99.50","size":"M"},{"product_id":"18","unit_price":59}]}"#;
    insta::assert_snapshot!(rows(body, &site(""), &client()), @r#"
    event_id "01980a4e-0000-7000-8000-000000000002"
    site_id "demo"
    event_type "purchase"
    timestamp "2025-11-20 17:33:20.123"
    received_at "2025-11-20 17:33:20.123"
    visitor_id 15623511045292552028
    user_id 18446744073709551615
    session_id "edge-ce384998a02a2e49"
    country "DE"
    region "Berlin"
    city "Berlin"
    asn 3320
    timezone "Europe/Berlin"
    language "de-DE"
    order_id "1001"
    revenue "258"
    currency "EUR"
    rules_version "2026-11-21b"
    ip_address "::ffff:203.0.113.0"
    user_agent "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    collector_region "eu"
    colo "TXL"

    event_id "a0b9940e-53f8-8bf1-bbb0-be555a9e6187"
    site_id "demo"
    event_type "item"
    timestamp "2025-11-20 17:33:20.123"
    received_at "2025-11-20 17:33:20.123"
    visitor_id 15623511045292552028
    user_id 18446744073709551615
    session_id "edge-ce384998a02a2e49"
    country "DE"
    region "Berlin"
    city "Berlin"
    asn 3320
    timezone "Europe/Berlin"
    language "de-DE"
    product_id 17
    order_id "1001"
    quantity 2
    revenue "199"
    currency "EUR"
    properties {"size":"M","unit_price":"99.50"}
    rules_version "2026-11-21b"
    ip_address "::ffff:203.0.113.0"
    user_agent "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    collector_region "eu"
    colo "TXL"

    event_id "7ad0a805-3d1c-8687-af73-7acdefdf770a"
    site_id "demo"
    event_type "item"
    timestamp "2025-11-20 17:33:20.123"
    received_at "2025-11-20 17:33:20.123"
    visitor_id 15623511045292552028
    user_id 18446744073709551615
    session_id "edge-ce384998a02a2e49"
    country "DE"
    region "Berlin"
    city "Berlin"
    asn 3320
    timezone "Europe/Berlin"
    language "de-DE"
    product_id 18
    order_id "1001"
    quantity 1
    revenue "59"
    currency "EUR"
    properties {"unit_price":"59"}
    rules_version "2026-11-21b"
    ip_address "::ffff:203.0.113.0"
    user_agent "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    collector_region "eu"
    colo "TXL"
    "#);
}

#[test]
fn nested_properties_get_dotted_names() {
    let body = r#"{"site":"demo","event_type":"quiz_done","occurred_at":1,"plan":"pro","properties":{"score":{"total":0.30000000000000004,"parts":[1,2]},"mail":"ann@mail.example"}}"#;
    insta::assert_snapshot!(rows(body, &site(""), &client()), @r#"
    event_id "019aa253-eb7b-754d-a86c-cc254da86ccc"
    site_id "demo"
    event_type "quiz_done"
    timestamp "2025-11-20 17:33:20.123"
    received_at "2025-11-20 17:33:20.123"
    visitor_id 15623511045292552028
    session_id "edge-ce384998a02a2e49"
    country "DE"
    region "Berlin"
    city "Berlin"
    asn 3320
    timezone "Europe/Berlin"
    language "de-DE"
    properties {"mail":"[email]","plan":"pro","score.parts":"[1,2]","score.total":"0.30000000000000004"}
    rules_version "2026-11-21b"
    ip_address "::ffff:203.0.113.0"
    user_agent "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    collector_region "eu"
    colo "TXL"
    "#);
}

#[test]
fn a_crawler_is_stored_with_its_evidence() {
    let body = r#"{"site":"demo","event_type":"page_view","page_url":"https://shop.example/"}"#;
    let crawler = Client { user_agent: Some(GOOGLEBOT), ch_brands: None, accept_language: None, ..client() };
    insta::assert_snapshot!(rows(body, &site(""), &crawler), @r#"
    event_id "019aa253-eb7b-754d-a86c-cc254da86ccc"
    site_id "demo"
    event_type "page_view"
    timestamp "2025-11-20 17:33:20.123"
    received_at "2025-11-20 17:33:20.123"
    visitor_id 7006915834867756575
    session_id "edge-f5cb7af8a669c59d"
    page_url "https://shop.example/"
    page_path "/"
    channel "Direct"
    country "DE"
    region "Berlin"
    city "Berlin"
    asn 3320
    timezone "Europe/Berlin"
    is_bot 1
    bot_signals ["ua:crawler","ua:crawler:search","ua:name:Googlebot","header:no_accept_language"]
    rules_version "2026-11-21b"
    ip_address "::ffff:203.0.113.0"
    user_agent "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    collector_region "eu"
    colo "TXL"
    "#);
}

#[test]
fn global_privacy_control_leaves_no_identifier() {
    let body = r#"{"site":"demo","event_type":"page_view","page_url":"https://shop.example/","session_id":"s1","user_id":"ann","page_id":"k3f"}"#;
    let private = Client { sec_gpc: Some("1"), ..client() };
    insta::assert_snapshot!(rows(body, &site(r#""keep_user_key":true"#), &private), @r#"
    event_id "019aa253-eb7b-754d-a86c-cc254da86ccc"
    site_id "demo"
    event_type "page_view"
    timestamp "2025-11-20 17:33:20.123"
    received_at "2025-11-20 17:33:20.123"
    page_id "k3f"
    page_url "https://shop.example/"
    page_path "/"
    channel "Direct"
    country "DE"
    asn 3320
    timezone "Europe/Berlin"
    language "de-DE"
    rules_version "2026-11-21b"
    collector_region "eu"
    colo "TXL"
    "#);
}

#[test]
fn a_clock_that_is_years_behind_is_set_right() {
    let body = r#"{"site":"demo","event_type":"login","sent_at":1000000000000,"occurred_at":999999995000}"#;
    insta::assert_snapshot!(rows(body, &site(""), &client()), @r#"
    event_id "019aa253-eb7b-754d-a86c-cc254da86ccc"
    site_id "demo"
    event_type "login"
    timestamp "2025-11-20 17:33:15.123"
    received_at "2025-11-20 17:33:20.123"
    skew_ms 2147483647
    visitor_id 15623511045292552028
    session_id "edge-ce384998a02a2e49"
    country "DE"
    region "Berlin"
    city "Berlin"
    asn 3320
    timezone "Europe/Berlin"
    language "de-DE"
    rules_version "2026-11-21b"
    ip_address "::ffff:203.0.113.0"
    user_agent "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    collector_region "eu"
    colo "TXL"
    "#);
}

#[test]
fn an_event_older_than_a_month_gets_the_time_of_its_arrival() {
    let body = r#"{"site":"demo","event_type":"login","sent_at":1763660000123,"occurred_at":1760000000000}"#;
    insta::assert_snapshot!(rows(body, &site(""), &client()), @r#"
    event_id "019aa253-eb7b-754d-a86c-cc254da86ccc"
    site_id "demo"
    event_type "login"
    timestamp "2025-11-20 17:33:20.123"
    received_at "2025-11-20 17:33:20.123"
    visitor_id 15623511045292552028
    session_id "edge-ce384998a02a2e49"
    country "DE"
    region "Berlin"
    city "Berlin"
    asn 3320
    timezone "Europe/Berlin"
    language "de-DE"
    properties {"clamped":"past"}
    rules_version "2026-11-21b"
    ip_address "::ffff:203.0.113.0"
    user_agent "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    collector_region "eu"
    colo "TXL"
    "#);
}

#[test]
fn a_text_user_id_becomes_a_number() {
    let body = r#"{"site":"demo","event_type":"sign_up","user_id":"ann@mail.example"}"#;
    let settings = r#""keep_user_key":true,"sampling_rate":0.999,"privacy":{"ip":"keep"},"user_id_key":"00112233445566778899aabbccddeeff""#;
    insta::assert_snapshot!(rows(body, &site(settings), &client()), @r#"
    event_id "019aa253-eb7b-754d-a86c-cc254da86ccc"
    site_id "demo"
    event_type "sign_up"
    timestamp "2025-11-20 17:33:20.123"
    received_at "2025-11-20 17:33:20.123"
    visitor_id 15623511045292552028
    user_id 12473235832906816528
    session_id "edge-ce384998a02a2e49"
    country "DE"
    region "Berlin"
    city "Berlin"
    asn 3320
    timezone "Europe/Berlin"
    language "de-DE"
    properties {"sampling_rate":"0.999","user_key":"ann@mail.example"}
    rules_version "2026-11-21b"
    ip_address "::ffff:203.0.113.77"
    user_agent "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    collector_region "eu"
    colo "TXL"
    "#);
}

#[test]
fn of_an_unknown_sender_nothing_is_made_up() {
    let body = r#"{"site":"demo","event_type":"refund","order_id":"1001","revenue":-99.5,"currency":"EUR"}"#;
    insta::assert_snapshot!(rows(body, &site(""), &Client::default()), @r#"
    event_id "019aa253-eb7b-754d-a86c-cc254da86ccc"
    site_id "demo"
    event_type "refund"
    timestamp "2025-11-20 17:33:20.123"
    received_at "2025-11-20 17:33:20.123"
    visitor_id 13581766717397026408
    session_id "edge-cf2f36f776526a95"
    order_id "1001"
    revenue "-99.5"
    currency "EUR"
    is_bot 1
    bot_signals ["ua:empty","header:no_accept_language"]
    rules_version "2026-11-21b"
    collector_region "eu"
    "#);
}
