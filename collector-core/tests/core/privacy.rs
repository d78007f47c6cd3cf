//! What rows must not hold: identifiers of who asked for none, addresses beyond the site's setting, personal data in texts.

use collector_core::beacon::Beacon;
use collector_core::client::Client;
use serde_json::{Value, json};

use crate::fixture::{client, collect_beacon, site};

/// The row of a login with more members.
fn row(more: &Value, settings: &str, client: &Client<'_>) -> Value {
    let mut event = json!({"site": "demo", "event_type": "login"});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = event.to_string();
    let collected = collect_beacon(&Beacon::parse(body.as_bytes()).unwrap(), &site(settings), client);
    serde_json::from_slice(&collected.rows[0].line).unwrap()
}

fn private() -> Client<'static> {
    Client { sec_gpc: Some("1"), ..client() }
}

#[test]
fn who_wants_privacy_is_not_known_by_a_click() {
    let page = json!({"page_url": "https://shop.example/p?utm_source=google&gclid=EAIa&FBCLID=x&utm_medium=cpc",
        "referrer": "https://l.facebook.example/l?fbclid=y&source=z"});
    for settings in ["", r#""query_params":["gclid"]"#] {
        let anonymous = row(&page, settings, &private());
        assert_eq!(anonymous["page_url"], "https://shop.example/p?utm_source=google&utm_medium=cpc");
        assert_eq!(anonymous["referrer"], "https://l.facebook.example/l?source=z");
        assert_eq!(anonymous["channel"], "Paid Search");
    }
    assert!(row(&page, "", &client())["page_url"].as_str().unwrap().contains("gclid=EAIa"));
}

#[test]
fn a_click_still_tells_the_channel_of_who_wants_privacy() {
    let page = json!({"page_url": "https://shop.example/p?msclkid=1"});
    let (anonymous, known) = (row(&page, "", &private()), row(&page, "", &client()));
    assert_eq!((&anonymous["page_url"], &anonymous["channel"]), (&json!("https://shop.example/p"), &known["channel"]));
    assert_ne!(known["channel"], "Direct");
}

#[test]
fn an_address_in_properties_is_stored_as_the_site_stores_addresses() {
    let sent = json!({"ip_address": "203.0.113.77"});
    for (settings, client, stored) in [
        ("", client(), json!("203.0.113.0")),
        (r#""privacy":{"ip":"keep"}"#, client(), json!("203.0.113.77")),
        (r#""privacy":{"ip":"drop"}"#, client(), json!("[address]")),
        (r#""privacy":{"ip":"keep"}"#, private(), json!("[address]")),
    ] {
        assert_eq!(row(&sent, settings, &client)["properties"]["ip_address"], stored, "{settings}");
        let inside = json!({ "properties": sent });
        assert_eq!(row(&inside, settings, &client)["properties"]["ip_address"], stored, "{settings}");
    }
    let v6 = json!({"properties": {"ip_address": "2001:db8:1:2::3"}});
    assert_eq!(row(&v6, "", &client())["properties"]["ip_address"], "2001:db8:1::");
    // Whatever else stands there may hold one.
    let list = json!({"properties": {"ip_address": "203.0.113.77, 10.0.0.1"}});
    assert_eq!(row(&list, "", &client())["properties"]["ip_address"], "[address]");
}

#[test]
fn every_text_of_the_client_is_masked() {
    let sent = json!({"session_id": "ann@mail.example", "order_id": "ann@mail.example", "page_id": "ann@mail.example",
        "properties": {"of ann@mail.example": 1, "link": "https://a.example/reset?lang=de&token=s3cret&x=1",
            "list": ["ann@mail.example"]}});
    let row = row(&sent, "", &client());
    for column in ["session_id", "order_id", "page_id"] {
        assert_eq!(row[column], "[email]", "{column}");
    }
    assert_eq!(row["properties"]["of [email]"], "1");
    assert_eq!(row["properties"]["link"], "https://a.example/reset?lang=de&token=[token]&x=1");
    assert_eq!(row["properties"]["list"], r#"["[email]"]"#);
    let text = r#"{"site":"demo","event_type":"login","properties":{"list":["ann\u0040mail.example"]}}"#;
    let collected = collect_beacon(&Beacon::parse(text.as_bytes()).unwrap(), &site(""), &client());
    let escaped: Value = serde_json::from_slice(&collected.rows[0].line).unwrap();
    assert_eq!(escaped["properties"]["list"], r#"["[email]"]"#);
}
