//! Simulated shoppers. In scope: beacons as browsers send them, at a steady rate, from a fixed seed.
//! Out of scope: real browsers (the sample shop has those).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

const USER_AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
];
/// Country, region, city, timezone, latitude, longitude, continent.
const PLACES: [(&str, &str, &str, &str, &str, &str, &str); 5] = [
    ("DE", "Hesse", "Frankfurt am Main", "Europe/Berlin", "50.11", "8.68", "EU"),
    ("FR", "Ile-de-France", "Paris", "Europe/Paris", "48.85", "2.35", "EU"),
    ("US", "Virginia", "Ashburn", "America/New_York", "39.04", "-77.48", "NA"),
    ("JP", "Tokyo", "Tokyo", "Asia/Tokyo", "35.68", "139.69", "AS"),
    ("BR", "Sao Paulo", "Sao Paulo", "America/Sao_Paulo", "-23.55", "-46.63", "SA"),
];
const REFERRERS: [&str; 4] = ["", "https://www.google.com/", "https://www.instagram.com/", "https://chatgpt.com/"];
const PRODUCTS: u64 = 12;
const DEMO_SHOPPERS: u64 = 400;
const PAUSE: Duration = Duration::from_millis(100);

/// What has been sent and answered so far.
#[derive(Debug, Default)]
pub struct Counts {
    pub acknowledged: AtomicU64,
    pub refused: AtomicU64,
}

/// Traffic on a thread of its own; it ends when dropped.
pub struct Traffic {
    pub counts: Arc<Counts>,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    /// Starts to send to a collector's base URL.
    pub fn start(collector: &str) -> Self {
        let counts = Arc::new(Counts::default());
        let is_stopping = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (counts, is_stopping, url) = (counts.clone(), is_stopping.clone(), format!("{collector}/v1/events"));
            move || send_until(&is_stopping, &counts, &url)
        });
        Self { counts, is_stopping, thread: Some(thread) }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed there.
            let _ = thread.join();
        }
    }
}

fn send_until(is_stopping: &AtomicBool, counts: &Counts, url: &str) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .build()
        .into();
    let mut shoppers = Shoppers::new(DEMO_SHOPPERS);
    while !is_stopping.load(Ordering::SeqCst) {
        let visit = shoppers.visit(now_ms());
        let events = visit.events();
        let answer = agent
            .post(url)
            .header("Content-Type", "text/plain")
            .header("Origin", "https://shop.example")
            .header("User-Agent", visit.user_agent)
            .header("Accept-Language", "en-GB,en;q=0.8")
            .header("Sec-Fetch-Mode", "no-cors")
            .header("CF-Connecting-IP", visit.ip)
            .header("CF-Blob", visit.cf.to_string())
            .send(visit.body.to_string());
        let is_taken = answer.is_ok_and(|response| response.status() == 202);
        let counter = if is_taken { &counts.acknowledged } else { &counts.refused };
        counter.fetch_add(events, Ordering::SeqCst);
        std::thread::sleep(PAUSE);
    }
}

/// What one shopper's visit sends.
pub struct Visit {
    pub body: Value,
    pub cf: Value,
    pub user_agent: &'static str,
    /// An address of the range for tests (RFC 2544), so that shoppers are told apart.
    pub ip: String,
}

impl Visit {
    pub fn events(&self) -> u64 {
        self.body["events"].as_array().map_or(0, Vec::len) as u64
    }
}

/// Shoppers who come again and again, from a fixed seed.
pub struct Shoppers {
    dice: Dice,
    count: u64,
}

impl Shoppers {
    /// So many different ones; more than the range of addresses holds share some.
    pub const fn new(count: u64) -> Self {
        Self { dice: Dice(0x1a4d_fa11), count }
    }

    /// The next visit of one of them.
    pub fn visit(&mut self, now_ms: u64) -> Visit {
        let shopper = self.dice.below(self.count);
        visit(&mut self.dice, shopper, now_ms)
    }
}

/// One shopper's visit: views, sometimes a cart, sometimes a purchase.
fn visit(dice: &mut Dice, shopper: u64, now_ms: u64) -> Visit {
    let place = PLACES[pick(shopper, PLACES.len())];
    let product = 1 + dice.below(PRODUCTS);
    let page = format!("https://shop.example/product.html?id={product}");
    let referrer = REFERRERS[pick(dice.below(8), REFERRERS.len())];
    let mut seq = 0_u64;
    let mut event = |event_type: &str, more: Value| {
        seq += 1;
        let mut event = json!({
            "event_type": event_type, "page_url": page, "page_title": format!("Product {product}"), "referrer": referrer,
            "occurred_at": now_ms - 50 + seq, "page_id": format!("p{shopper}-{now_ms}"), "seq": seq,
            "session_id": format!("s{shopper}"), "screen": "1920x1080", "language": "en-GB", "timezone": place.3,
            "user_id": if shopper.is_multiple_of(2) { shopper } else { 0 }, "event_id": uuid::Uuid::now_v7().to_string(),
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            event[name] = value.clone();
        }
        event
    };
    let mut events = vec![event("page_view", json!({})), event("product_view", json!({"product_id": product}))];
    if dice.below(3) == 0 {
        events.push(event("add_to_cart", json!({"product_id": product, "quantity": 1})));
    }
    if dice.below(8) == 0 {
        let revenue = format!("{}.90", 40 + 10 * product);
        let order = json!({"order_id": format!("o{shopper}-{now_ms}"), "revenue": revenue, "currency": "EUR", "product_id": product, "quantity": 1});
        events.push(event("purchase", order));
    }
    let cf = json!({"country": place.0, "region": place.1, "city": place.2, "timezone": place.3, "latitude": place.4,
        "longitude": place.5, "continent": place.6, "asn": 3320, "colo": "FRA"});
    let body = json!({"site": "demo", "sent_at": now_ms, "tracker": "landfall-demo", "events": events});
    let ip = format!("198.{}.{}.{}", 18 + shopper / 50_000 % 2, shopper / 200 % 250, 1 + shopper % 200);
    Visit { body, cf, ip, user_agent: USER_AGENTS[pick(shopper, USER_AGENTS.len())] }
}

fn pick(value: u64, length: usize) -> usize {
    usize::try_from(value % length as u64).unwrap_or(0)
}

/// Milliseconds since 1970, UTC.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// A small reproducible random source (SplitMix64): the same demo every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
