//! Rows of whole events, stored and judged again.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::beacon::Beacon;
use crate::enrich::visitor::Salts;
use crate::outcome::FlagReason;
use crate::pipeline::{Memory, Moment, Surroundings, collect};
use crate::region::Regions;
use crate::site::Sites;

const CHROME: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// What the edge stores of an event of a client, if it stores it.
fn stored(event: &Value, client: &Client<'_>, settings: &Value) -> Option<StoredRow> {
    let sites = Sites::parse(&json!([settings]).to_string()).unwrap();
    let regions = Regions::parse(r#"[{"name":"eu"}]"#).unwrap();
    let moment = Moment { received_at_ms: 1_763_660_000_123, entropy: [7; 32], salts: Salts::new(Vec::new()) };
    let around = Surroundings { sites: &sites, regions: &regions, client, moment: &moment, limited: &[] };
    let text = event.to_string();
    let collected = collect(&Beacon::parse(text.as_bytes()).unwrap(), around, &mut Memory::default());
    collected.rows.first().map(|row| serde_json::from_slice(&row.line).unwrap())
}

fn settings(more: &Value) -> Value {
    let mut settings = json!({"id": "demo", "domains": ["shop.example"], "privacy": {"ip": "keep"}});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

fn rule(name: &str, when: &str, then: &str) -> Value {
    json!({"name": name, "when": when, "then": then})
}

/// The flag and signals of a row under other settings, or the rule that leaves it undecided.
fn judged(row: &StoredRow, settings: &Value) -> Result<(Option<FlagReason>, Vec<Signal>), String> {
    let site = Site::parse(&settings.to_string()).unwrap();
    match Judge::default().judge(row, &site) {
        Ok(judgement) => Ok((judgement.verdict.flag, judgement.verdict.signals)),
        Err(undecided) => Err(undecided.rule.to_owned()),
    }
}

fn chrome() -> Client<'static> {
    Client {
        ip: "203.0.113.77".parse().ok(),
        country: Some("DE"),
        asn: Some(3_320),
        user_agent: Some(CHROME),
        accept_language: Some("de"),
        ..Client::default()
    }
}

fn login() -> Value {
    json!({"site": "demo", "event_type": "login"})
}

#[test]
fn a_new_rule_judges_stored_rows() {
    let row = stored(&login(), &chrome(), &settings(&json!({}))).unwrap();
    for (rules, flag, signals) in [
        (json!([]), None, &[][..]),
        (json!([rule("de", r#"country = "DE""#, "flag")]), Some(FlagReason::Rule), &["rule:de"]),
        (json!([rule("de", r#"country = "FR""#, "flag")]), None, &[]),
        (json!([rule("ip", r#"ip_address = "203.0.113.77""#, "flag")]), Some(FlagReason::Rule), &["rule:ip"]),
        (json!([rule("ua", r#"user_agent contains "Chrome""#, "drop")]), Some(FlagReason::Rule), &["rule:ua"]),
    ] {
        let (found, evidence) = judged(&row, &settings(&json!({ "rules": rules }))).unwrap();
        assert_eq!((found, &evidence[..]), (flag, &signals.iter().map(|s| Cow::Borrowed(*s)).collect::<Vec<_>>()[..]));
    }
}

#[test]
fn a_rule_that_is_gone_judges_no_longer() {
    let ruled = settings(&json!({"rules": [rule("de", r#"country = "DE""#, "flag")]}));
    let row = stored(&login(), &chrome(), &ruled).unwrap();
    assert_eq!(row.bot_signals, ["rule:de"]);
    assert_eq!(judged(&row, &settings(&json!({}))), Ok((None, Vec::new())));
}

#[test]
fn a_row_that_would_not_be_stored_today_is_a_bot_and_says_why() {
    let row = stored(&login(), &Client { user_agent: Some(GOOGLEBOT), ..chrome() }, &settings(&json!({}))).unwrap();
    for (more, reason) in [
        (json!({"bots": "drop"}), FilterReason::Crawler),
        (json!({"rules": [rule("all", "asn > 0", "drop")]}), FilterReason::Rule),
    ] {
        let site = Site::parse(&settings(&more).to_string()).unwrap();
        let mut judge = Judge::default();
        let judgement = judge.judge(&row, &site).unwrap();
        assert_eq!((judgement.dropped, judgement.verdict.flag.is_some()), (Some(reason), true));
    }
}

#[test]
fn lists_of_user_agents_and_networks_are_asked_again() {
    let mut row = stored(&login(), &chrome(), &settings(&json!({}))).unwrap();
    row.user_agent = GOOGLEBOT.to_owned();
    row.asn = 24_940;
    let (flag, signals) = judged(&row, &settings(&json!({}))).unwrap();
    assert_eq!(flag, Some(FlagReason::Crawler));
    assert_eq!(signals, ["ua:crawler", "ua:crawler:search", "ua:name:Googlebot", "asn:hosting"]);
    // And the other way: what the lists no longer say is gone, and the device is no bot.
    let mut row = stored(&login(), &Client { user_agent: Some(GOOGLEBOT), ..chrome() }, &settings(&json!({}))).unwrap();
    assert_eq!(row.device_type, "bot");
    row.user_agent = CHROME.to_owned();
    let site = Site::parse(&settings(&json!({})).to_string()).unwrap();
    let mut judge = Judge::default();
    let judgement = judge.judge(&row, &site).unwrap();
    assert_eq!((judgement.verdict.flag, judgement.device_type), (None, "desktop"));
}

#[test]
fn evidence_that_only_the_edge_saw_stays() {
    let mut row = stored(&login(), &chrome(), &settings(&json!({}))).unwrap();
    row.bot_signals =
        ["ua:crawler", "ua:crawler:headless", "header:no_sec_fetch", "cloudflare:automated", "probe:path"]
            .map(str::to_owned)
            .to_vec();
    let (flag, signals) = judged(&row, &settings(&json!({}))).unwrap();
    assert_eq!(flag, Some(FlagReason::Crawler));
    assert_eq!(signals.iter().map(AsRef::<str>::as_ref).collect::<Vec<_>>(), row.bot_signals);
    // An agent that signed its request in a usual browser stays an agent, and its device a bot.
    row.bot_signals = vec!["agent:verified_agent".into(), "agent:verified_agent:chatgpt".into(), "rate:visitor".into()];
    row.device_type = "bot".to_owned();
    let site = Site::parse(&settings(&json!({})).to_string()).unwrap();
    let mut judge = Judge::default();
    let judgement = judge.judge(&row, &site).unwrap();
    assert_eq!((judgement.verdict.flag, judgement.device_type), (Some(FlagReason::VerifiedAgent), "bot"));
    assert_eq!(judgement.verdict.signals, row.bot_signals);
    // Without the user agent, what it said stays.
    row.user_agent = String::new();
    row.bot_signals = vec!["ua:crawler".into(), "ua:crawler:seo".into()];
    assert_eq!(judged(&row, &settings(&json!({}))).map(|found| found.1.len()), Ok(2));
}

#[test]
fn rules_on_what_is_not_stored_leave_a_row_undecided() {
    let cut = |mode: &str| settings(&json!({"privacy": {"ip": mode}}));
    let row = |mode: &str| stored(&login(), &chrome(), &cut(mode)).unwrap();
    let office = |network: &str| rule("office", &format!("ip_address in [\"{network}\"]"), "flag");
    let with = |rules: Value| settings(&json!({ "rules": rules }));
    for (mode, network, expected) in [
        ("keep", "203.0.113.77", Ok(true)),
        ("keep", "203.0.113.78", Ok(false)),
        ("truncate", "203.0.113.77", Err("office")),
        ("truncate", "203.0.114.77", Ok(false)),
        ("truncate", "203.0.113.0/24", Ok(true)),
        ("drop", "203.0.113.0/24", Err("office")),
    ] {
        let found = judged(&row(mode), &with(json!([office(network)])));
        assert_eq!(
            found.map(|found| found.0.is_some()).as_ref().map_err(String::as_str),
            expected.as_ref().map_err(|rule| *rule),
            "{mode} {network}"
        );
    }
    // What is known may decide alone, an earlier rule too, and a shadow never.
    let known = rule("office", r#"ip_address = "203.0.113.77" and country = "FR""#, "flag");
    let earlier = rule("de", r#"country = "DE""#, "flag");
    let mut shadow = office("203.0.113.77");
    shadow["shadow"] = true.into();
    assert_eq!(judged(&row("drop"), &with(json!([known]))).map(|found| found.0), Ok(None));
    assert_eq!(judged(&row("drop"), &with(json!([earlier, office("203.0.113.77")]))).map(|f| f.1.len()), Ok(1));
    assert_eq!(judged(&row("drop"), &with(json!([shadow]))), Ok((None, Vec::new())));
    let mut anonymous = row("keep");
    anonymous.user_agent = String::new();
    let chrome = json!([rule("ua", r#"not user_agent contains "Chrome""#, "flag")]);
    assert_eq!(judged(&anonymous, &with(chrome.clone())), Err("ua".to_owned()));
    anonymous.bot_signals = vec!["ua:empty".to_owned()];
    assert_eq!(judged(&anonymous, &with(chrome)).map(|found| found.0), Ok(Some(FlagReason::Rule)));
}

/// Headers and facts as senders have them, good and bad.
fn clients() -> impl Strategy<Value = Client<'static>> {
    let user_agents =
        [CHROME, GOOGLEBOT, "GPTBot/1.2", "curl/8.5", "", "Mozilla/5.0 HeadlessChrome/120.0", "Opera/9.8"];
    let user_agent = prop::sample::select(user_agents.to_vec());
    let brands = prop::sample::select(vec![None, Some("\"Chromium\";v=\"142\""), Some("\"HeadlessChrome\";v=\"142\"")]);
    let facts = (prop::sample::select(vec![None, Some(3_320), Some(24_940)]), 0..100_u8, any::<bool>(), any::<u32>());
    (user_agent, brands, facts, any::<[bool; 4]>()).prop_map(
        |(user_agent, ch_brands, (asn, score, is_verified_bot, ip), [is_https, has_fetch, has_language, gpc])| Client {
            ip: Some(IpAddr::V4(ip.into())),
            country: Some("DE"),
            asn,
            bot_score: Some(score),
            is_verified_bot: is_verified_bot && score == 7,
            is_https,
            user_agent: Some(user_agent),
            ch_brands,
            sec_fetch_mode: has_fetch.then_some("no-cors"),
            accept_language: has_language.then_some("de"),
            sec_gpc: gpc.then_some("1"),
            ..Client::default()
        },
    )
}

fn events() -> impl Strategy<Value = Value> {
    let pages =
        ["https://shop.example/", "https://shop.example/.env", "https://shop.example/?x=${jndi:a}&utm_source=b"];
    let referrers =
        ["", "https://semalt.com/a", "https://u:p@www.semalt.com/?a=b@c.example", "https://example.org/", "/x"];
    let screens = ["", "1920x1080", "1x1", "0x900"];
    let (pages, referrers) = (prop::sample::select(pages.to_vec()), prop::sample::select(referrers.to_vec()));
    let automation = prop::sample::select(vec!["", "0", "webdriver", "robot", "a@b.example"]);
    (pages, referrers, prop::sample::select(screens.to_vec()), automation, 0..1_000_u32).prop_map(
        |(page, referrer, screen, automation, price)| {
            json!({"site": "demo", "event_type": "purchase", "order_id": "o1", "currency": "EUR",
                "revenue": format!("{price}.25"), "page_url": page, "referrer": referrer, "screen": screen,
                "properties": {"automation": automation, "plan": "pro"}})
        },
    )
}

fn sites() -> impl Strategy<Value = Value> {
    let rules = [
        rule("probe", r#"bot_signals has "probe:path" and revenue > 300.5"#, "flag"),
        rule("people", r#"is_bot and properties["plan"] = "pro" and asn = 24940"#, "allow"),
        rule("low", r#"ip_address in ["0.0.0.0/2", "100.64.0.0/10"] and device_type = "bot""#, "flag"),
        rule("odd", r#"ip_address in ["64.0.0.0/27"] or user_agent starts_with "curl""#, "drop"),
        json!({"name": "try", "when": "screen_width = 1", "then": "drop", "shadow": true}),
    ];
    let rules = prop::sample::subsequence(rules.to_vec(), 0..=5);
    let modes = prop::sample::select(vec!["keep", "truncate", "drop"]);
    (rules, prop::sample::select(vec!["flag", "drop", "off"]), modes).prop_map(|(rules, bots, ip)| {
        json!({"id": "demo", "domains": ["shop.example"], "rules": rules, "bots": bots, "privacy": {"ip": ip}})
    })
}

proptest! {
    #[test]
    fn the_rules_that_judged_a_row_judge_it_the_same_again(client in clients(), event in events(), settings in sites()) {
        let Some(row) = stored(&event, &client, &settings) else { return Ok(()) };
        let site = Site::parse(&settings.to_string()).unwrap();
        let mut judge = Judge::default();
        match judge.judge(&row, &site) {
            Ok(found) => {
                let mut signals: Vec<_> = found.verdict.signals.iter().map(ToString::to_string).collect();
                let mut edge = row.bot_signals.clone();
                signals.sort();
                edge.sort();
                prop_assert_eq!(signals, edge);
                prop_assert_eq!(found.dropped, None);
                prop_assert_eq!(found.device_type, &row.device_type);
            }
            Err(undecided) => {
                let is_whole = !row.user_agent.is_empty() && settings["privacy"]["ip"] == "keep";
                prop_assert!(!is_whole || client.ip.is_some_and(|ip| ip.to_string().ends_with(".0")), "{}", undecided.rule);
            }
        }
    }

    #[test]
    fn any_stored_row_gets_an_answer(texts in prop::collection::vec("\\PC{0,30}", 5), ip in any::<u128>(), asn in any::<u32>(), settings in sites()) {
        let mut row = stored(&login(), &chrome(), &settings_of(&settings)).unwrap();
        [row.user_agent, row.referrer, row.page_url, row.device_type, row.revenue] = texts.clone().try_into().unwrap();
        (row.ip_address, row.asn, row.bot_signals) = (Ipv6Addr::from_bits(ip), asn, texts);
        let _ = Judge::default().judge(&row, &Site::parse(&settings.to_string()).unwrap());
    }
}

/// The same site without rules, so that an event is stored.
fn settings_of(site: &Value) -> Value {
    json!({"id": site["id"], "domains": site["domains"]})
}
