//! Rules as a site states them, on the rows of whole events.

use crate::beacon::Beacon;
use crate::client::Client;
use crate::collected::Collected;
use crate::enrich::visitor::Salts;
use crate::outcome::{LimitReason, Outcome};
use crate::pipeline::{Memory, Moment, Surroundings, collect};
use crate::region::Regions;
use crate::rule::{MAX_RULES, Rules};
use crate::site::Sites;

const EVENT: &str = r#"{"site":"demo","event_type":"purchase","order_id":"o1","revenue":"129.95","currency":"EUR","quantity":2,
    "page_url":"https://shop.example/p/17?utm_source=google","screen":"800x600","properties":{"plan":"pro"},"user_id":42}"#;

const CHROME: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

fn client() -> Client<'static> {
    Client {
        ip: "203.0.113.77".parse().ok(),
        country: Some("DE"),
        city: Some("Köln"),
        asn: Some(24_940),
        user_agent: Some(CHROME),
        accept_language: Some("de"),
        ..Client::default()
    }
}

/// What becomes of `EVENT` on a site with settings more.
fn collected(settings: &str) -> Collected {
    collected_of(EVENT, settings)
}

fn collected_of(beacon: &str, settings: &str) -> Collected {
    let sites = Sites::parse(&format!(r#"[{{"id":"demo","domains":["shop.example"]{settings}}}]"#)).unwrap();
    let regions = Regions::parse(r#"[{"name":"eu"}]"#).unwrap();
    let moment = Moment { received_at_ms: 1_763_660_000_123, entropy: [7; 32], salts: Salts::new(Vec::new()) };
    let around = Surroundings { sites: &sites, regions: &regions, client: &client(), moment: &moment, limited: &[] };
    collect(&Beacon::parse(beacon.as_bytes()).unwrap(), around, &mut Memory::default())
}

fn settings(rules: &[(&str, &str, &str)]) -> String {
    let rules: Vec<_> = rules
        .iter()
        .map(|(name, when, then)| serde_json::json!({ "name": name, "when": when, "then": then }))
        .collect();
    format!(r#","rules":{}"#, serde_json::to_string(&rules).unwrap())
}

fn tags(collected: &Collected) -> (&'static str, &'static str) {
    let outcome = collected.receipts[0].outcome;
    (outcome.tag(), outcome.reason_tag())
}

#[test]
fn conditions_hold_or_do_not() {
    for (condition, expected) in [
        (r#"country = "DE""#, true),
        (r#"country != "DE""#, false),
        (r#"country in ["FR", "DE"]"#, true),
        (r#"city = "Köln" and not country = "FR""#, true),
        (r#"country = "FR" or country = "DE" and asn = 1"#, false),
        (r#"(country = "FR" or country = "DE") and asn = 24940"#, true),
        (r#"not not country = "DE""#, true),
        ("revenue > 129.9 and revenue <= 129.95", true),
        ("revenue < 129.95", false),
        ("revenue >= 129.951", false),
        ("screen_width = 800 and screen_height = 600", true),
        ("quantity in [1, 2, 3]", true),
        ("user_id != 42", false),
        ("skew_ms > -1", true),
        (r#"page_path starts_with "/p/""#, true),
        (r#"page_url contains "utm_source""#, true),
        (r#"page_path ends_with ".php""#, false),
        (r#"page_path matches "^/p/\d+$""#, true),
        (r#"user_agent matches "(?i)chrome/14[0-9]""#, true),
        (r#"channel = "Organic Search""#, true),
        (r#"properties["plan"] = "pro""#, true),
        (r#"properties["none"] = """#, true),
        (r#"bot_signals has "asn:hosting""#, true),
        ("is_bot", false),
        ("not is_bot", true),
        (r#"ip_address in ["10.0.0.0/8", "203.0.113.77"]"#, true),
        (r#"ip_address = "203.0.113.0/25""#, true),
        (r#"ip_address != "203.0.113.128/25""#, true),
        (r#"device_type = "desktop" and os = "Linux""#, true),
    ] {
        let found = tags(&collected(&settings(&[("r", condition, "flag")])));
        assert_eq!(found == ("flagged", "rule"), expected, "{condition}: {found:?}");
    }
}

#[test]
fn the_first_rule_that_holds_decides() {
    let (yes, no) = (r#"country = "DE""#, r#"country = "FR""#);
    for (rules, expected) in [
        (&[("a", no, "drop"), ("b", yes, "flag"), ("c", yes, "drop")][..], ("flagged", "rule")),
        (&[("a", yes, "allow"), ("b", yes, "drop")], ("accepted", "")),
        (&[("a", yes, "drop")], ("filtered", "rule")),
        (&[("a", no, "drop")], ("accepted", "")),
    ] {
        assert_eq!(tags(&collected(&settings(rules))), expected, "{rules:?}");
    }
}

#[test]
fn a_rule_stands_above_the_policy() {
    let event = r#"{"site":"demo","event_type":"login"}"#;
    let crawler = Client { user_agent: Some("GPTBot/1.2"), ..client() };
    for (policy, then, expected) in [
        ("drop", None, ("filtered", "crawler")),
        ("drop", Some("allow"), ("accepted", "")),
        ("drop", Some("flag"), ("flagged", "rule")),
        ("flag", None, ("flagged", "crawler")),
        ("flag", Some("drop"), ("filtered", "rule")),
        ("off", None, ("accepted", "")),
        ("off", Some("flag"), ("flagged", "rule")),
    ] {
        let when = if then.is_some() { r#"country = "DE""# } else { r#"country = "FR""# };
        let json = format!(
            r#"[{{"id":"demo","domains":["shop.example"],"bots":"{policy}"{}}}]"#,
            settings(&[("r", when, then.unwrap_or("flag"))])
        );
        let (sites, regions) = (Sites::parse(&json).unwrap(), Regions::parse(r#"[{"name":"eu"}]"#).unwrap());
        let moment = Moment { received_at_ms: 0, entropy: [7; 32], salts: Salts::new(Vec::new()) };
        let around = Surroundings { sites: &sites, regions: &regions, client: &crawler, moment: &moment, limited: &[] };
        let found = collect(&Beacon::parse(event.as_bytes()).unwrap(), around, &mut Memory::default());
        assert_eq!(tags(&found), expected, "{policy} {then:?}");
    }
}

#[test]
fn without_a_policy_there_is_no_verdict_to_ask_about() {
    let event = r#"{"site":"demo","event_type":"login"}"#;
    let crawler = Client { user_agent: Some("GPTBot/1.2"), ..client() };
    for (condition, expected) in [("is_bot", false), (r#"bot_signals has "ua:crawler""#, false), ("not is_bot", true)] {
        let rules = settings(&[("r", condition, "flag")]);
        let json = format!(r#"[{{"id":"demo","domains":["shop.example"],"bots":"off"{rules}}}]"#);
        let (sites, regions) = (Sites::parse(&json).unwrap(), Regions::parse(r#"[{"name":"eu"}]"#).unwrap());
        let moment = Moment { received_at_ms: 0, entropy: [7; 32], salts: Salts::new(Vec::new()) };
        let around = Surroundings { sites: &sites, regions: &regions, client: &crawler, moment: &moment, limited: &[] };
        let found = collect(&Beacon::parse(event.as_bytes()).unwrap(), around, &mut Memory::default());
        assert_eq!(tags(&found) == ("flagged", "rule"), expected, "{condition}");
    }
}

/// A beacon of page views of addresses that are as long as they may be, each another and of two letters that look like chance.
fn long_addresses(events: usize) -> String {
    let mut state = 1_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 31 == 0 { 'a' } else { 'b' }
    };
    let mut event = |_| {
        let url =
            format!("https://shop.example/{}", std::iter::repeat_with(&mut letter).take(2_000).collect::<String>());
        format!(r#"{{"event_type":"page_view","page_url":"{url}","referrer":"{url}"}}"#)
    };
    format!(r#"{{"site":"demo","events":[{}]}}"#, (0..events).map(&mut event).collect::<Vec<_>>().join(","))
}

fn rules_of(conditions: &[String]) -> String {
    let names: Vec<_> = (0..conditions.len()).map(|n| format!("r{n}")).collect();
    let rules = names.iter().zip(conditions).map(|(name, condition)| (name.as_str(), condition.as_str(), "flag"));
    settings(&rules.collect::<Vec<_>>())
}

/// Rules that take as long as rules may: long patterns, many short ones, none that is known by heart, and texts that are looked for.
fn slow_rules() -> [Vec<String>; 3] {
    let many = |test: &str, times: usize| vec![test; times].join(" or ");
    [
        vec![r#"page_url matches "a.{244}z""#.to_owned(); 4],
        vec![many(r#"page_url matches "a.{6}z""#, 2); 30],
        vec![many(r#"page_url contains "zz""#, 20); 50],
    ]
}

#[test]
fn a_beacon_has_so_much_work_and_what_finds_none_may_come_again() {
    for conditions in slow_rules() {
        let found = collected_of(&long_addresses(100), &rules_of(&conditions));
        let outcomes: Vec<_> = found.receipts.iter().map(|receipt| receipt.outcome).collect();
        let judged = outcomes.iter().take_while(|outcome| **outcome == Outcome::Accepted(None)).count();
        assert!((1..8).contains(&judged), "{judged} of {}", conditions[0]);
        assert!(outcomes[judged..].iter().all(|outcome| *outcome == Outcome::Limited(LimitReason::BeaconFull)));
        assert_eq!(found.rows.len(), judged);
    }
}

#[test]
fn rules_as_people_write_them_find_work_enough() {
    let words = r#"page_url matches "bot|crawl|spider|slurp|facebookexternalhit|headless|python|curl|wget|scrapy""#;
    let found = collected_of(&long_addresses(100), &rules_of(&vec![words.to_owned(); 10]));
    assert!(found.receipts.iter().all(|receipt| receipt.outcome == Outcome::Accepted(None)));
}

#[test]
fn shadow_rules_only_leave_their_name() {
    let rules = r#","rules":[{"name":"try","when":"country = \"DE\"","then":"drop","shadow":true},{"name":"real","when":"asn > 0","then":"flag"}]"#;
    let collected = collected(rules);
    assert_eq!(tags(&collected), ("flagged", "rule"));
    let row: serde_json::Value = serde_json::from_slice(&collected.rows[0].line).unwrap();
    assert_eq!(row["is_bot"], 1);
    let signals: Vec<_> = row["bot_signals"].as_array().unwrap().iter().filter_map(|signal| signal.as_str()).collect();
    assert!(signals.ends_with(&["shadow:try", "rule:real"]), "{signals:?}");
}

#[test]
fn the_version_names_the_rules() {
    let version = |settings: &str| {
        let row: serde_json::Value = serde_json::from_slice(&collected(settings).rows[0].line).unwrap();
        row["rules_version"].as_str().unwrap_or("").to_owned()
    };
    let (none, one) = (version(""), version(&settings(&[("a", "asn = 1", "flag")])));
    assert_eq!(none, crate::filter::RULES_VERSION);
    assert!(one.starts_with(&format!("{none}+")), "{one}");
    assert_eq!(one, version(&settings(&[("a", "asn = 1", "flag")])));
    assert_ne!(one, version(&settings(&[("a", "asn = 1", "drop")])));
    assert_ne!(one, version(&settings(&[("a", "asn = 2", "flag")])));
}

#[test]
fn rules_that_cannot_be_used_are_refused() {
    let rule = |name: &str, when: &str| format!(r#"{{"name":"{name}","when":"{when}","then":"flag"}}"#);
    let pattern = format!(r#"user_agent matches \"{}\""#, "a{250}");
    let many = |count: usize| (0..count).map(|n| rule(&format!("r{n}"), &pattern)).collect::<Vec<_>>().join(",");
    for (rules, expected) in [
        (
            rule("Office", "is_bot"),
            r#"expected names of 1 to 64 lower-case letters, digits, - or _ in rules, found "Office""#,
        ),
        (format!("{0},{0}", rule("a", "is_bot")), r#"expected each name once in rules, found "a""#),
        (rule("a", "country = 3"), r#"expected a text in quotes at column 11 of rule "a", found 3"#),
        (vec![rule("a", "is_bot"); MAX_RULES + 1].join(","), "expected at most 50 rules in rules, found 51"),
        (many(5), "expected patterns and contains of at most 1,024 steps together in rules, found 1295 steps"),
    ] {
        let parsed: Rules = serde_json::from_str(&format!("[{rules}]")).unwrap();
        assert_eq!(parsed.check().unwrap_err().to_string(), expected);
    }
    let unknown = r#"[{"name":"a","when":"is_bot","then":"ban"}]"#;
    assert!(serde_json::from_str::<Rules>(unknown).unwrap_err().to_string().contains("unknown variant `ban`"));
}
