//! Native events per second of the whole pipeline on one core: body in, rows and reply out.
//!
//! `cargo bench -p collector-core`. The counter column of the output is items (events) per second.

use std::sync::Arc;

use collector_core::append::{self, Append, Line};
use collector_core::beacon::Beacon;
use collector_core::body;
use collector_core::client::Client;
use collector_core::enrich::visitor::Salts;
use collector_core::ledger::{Ledger, minute_s};
use collector_core::pipeline::{Memory, Moment, Surroundings, collect};
use collector_core::region::Regions;
use collector_core::site::{Site, Sites};
use divan::Bencher;
use divan::counter::ItemsCount;

/// One event of about 1 KB, as the tracker sends it.
const EVENT: &str = include_str!("event.json").trim_ascii();

const USER_AGENT: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

fn main() {
    divan::main();
}

fn beacon(events: usize) -> String {
    format!(
        r#"{{"site":"demo","sent_at":1763660000123,"tracker":"landfall-js/1.0.0","events":[{}]}}"#,
        vec![EVENT; events].join(",")
    )
}

fn client() -> Client<'static> {
    Client {
        ip: "203.0.113.77".parse().ok(),
        country: Some("DE"),
        continent: Some("EU"),
        city: Some("Berlin"),
        latitude: Some(52.5),
        longitude: Some(13.4),
        is_https: true,
        user_agent: Some(USER_AGENT),
        ch_brands: Some("\"Chromium\";v=\"142\", \"Google Chrome\";v=\"142\", \"Not_A Brand\";v=\"99\""),
        ch_platform: Some("\"Windows\""),
        accept_language: Some("de-DE,de;q=0.9"),
        sec_fetch_mode: Some("no-cors"),
        origin: Some("https://shop.example"),
        ..Client::default()
    }
}

#[divan::bench(args = [1, 10, 50])]
fn pipeline(bencher: Bencher<'_, '_>, events: usize) {
    let mut sites = Sites::default();
    sites.insert(Arc::new(Site::new("demo", &["shop.example"]).expect("the settings are valid")));
    let regions = Regions::parse(r#"[{"name":"eu"},{"name":"us"}]"#).expect("the regions are valid");
    let (client, bytes) = (client(), beacon(events).into_bytes());
    let moment =
        Moment { received_at_ms: 1_763_660_000_200, entropy: [7; 32], salts: Salts::new(vec![(20_412, [1; 16])]) };
    let mut memory = Memory::default();
    bencher.counter(ItemsCount::new(events)).bench_local(|| {
        let body = body::decode(&bytes, None).expect("the body is plain");
        let beacon = Beacon::parse(&body).expect("the beacon is valid");
        let around = Surroundings { sites: &sites, regions: &regions, client: &client, moment: &moment, limited: &[] };
        let collected = collect(&beacon, around, &mut memory);
        assert_eq!(collected.rows.len(), events, "every event of the bench is valid");
        let lines = collected.rows.iter().map(|row| Line {
            event_id: row.event_id,
            site_id: row.site.id.as_str().into(),
            outcome: row.outcome,
            visitor_id: row.counted_visitor_id,
            json: row.line.as_slice().into(),
        });
        let append =
            Append { minute_s: minute_s(moment.received_at_ms), counts: Ledger::default(), lines: lines.collect() };
        (append::encode(&append).expect("the frame is within its limits"), collected.reply())
    });
}
