//! A stored row, judged again by the present rules: what the edge would say of it today, as far as the row still shows it.
//!
//! In scope: which evidence a row shows again and which is kept, the site's policy and rules on it. Out of scope: reading rows and writing verdicts
//! (`landfall reclassify`), which rows need it.
//!
//! To the filters a stored row is a visitor of whom a site's own server tells: network, user agent and event are there, headers are not. What
//! only the edge could see (headers, Bot Management) stays as it was found. A rule that asks for what is not stored leaves the row undecided:
//! a guess would look like a verdict.

mod stored;

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use user_agent::{ClientHints, DeviceType, Parser};

use crate::client::Client;
use crate::event::{Event, User};
use crate::filter::{self, Signal, Verdict, crawler};
use crate::money::Money;
use crate::outcome::FilterReason;
use crate::property::Properties;
use crate::rule::{Known, Subject, Work};
use crate::site::{BotPolicy, Site};

pub use stored::{COLUMNS, StoredRow};

/// Categories of evidence that every stored row shows again. `ua` is one more, where the row has a user agent.
const SHOWN: [&str; 4] = ["asn", "browser", "screen", "referrer"];

/// What rules leave, which are asked again.
const RULES: [&str; 2] = ["rule", "shadow"];

/// The crawler that may have shown in a client hint, which is not stored.
const HEADLESS: &str = "ua:crawler:headless";

/// What the present rules say of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement<'r> {
    /// Whether it is a bot, and the evidence.
    pub verdict: Verdict,
    /// Why it would not be stored today, if it would not. Such a row is a bot, too.
    pub dropped: Option<FilterReason>,
    /// The kind of device, which is `bot` for crawlers.
    pub device_type: &'r str,
}

/// A rule of the site asks for something that is not stored, and it would decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided<'s> {
    /// The rule.
    pub rule: &'s str,
}

/// Judges stored rows; keeps the parser of user agents between them.
#[derive(Debug, Default)]
pub struct Judge {
    parser: Parser,
}

impl Judge {
    /// Judges one row of a site by the lists of this program and the site's present settings.
    pub fn judge<'r, 's>(&mut self, row: &'r StoredRow, site: &'s Site) -> Result<Judgement<'r>, Undecided<'s>> {
        let client = client_of(row);
        let properties = Properties::from_stored(row.properties.iter().map(|(name, value)| (&**name, &**value)));
        let event = event_of(row, properties.clone());
        let evidence = filter::judge_event(&event, &client, &self.client_signals(row, &client));
        let verdict = if site.bots == BotPolicy::Off { Verdict::default() } else { without_repetition(evidence) };
        let device_type = self.device_type(row, &verdict);
        let subject = row.as_row(&properties, &verdict, device_type);
        let subject = Subject { row: &subject, client: &client, work: &Work::default() };
        let judged = site.rules.judge_stored(&subject, known_of(row), verdict.clone(), site.bots);
        let (verdict, dropped) = judged.map_err(|rule| Undecided { rule })?;
        Ok(Judgement { verdict, dropped, device_type })
    }

    /// What the crawler calls itself, for people to read.
    pub fn crawler_name(&mut self, user_agent: &str) -> Option<Cow<'static, str>> {
        self.parser.crawler(user_agent).map(|crawler| crawler.name)
    }

    /// The evidence of the user agent, found again, and before the event is looked at what only the edge saw.
    fn client_signals(&mut self, row: &StoredRow, client: &Client<'_>) -> Vec<Signal> {
        let mut signals = filter::judge_client(client, &mut self.parser);
        let is_crawler = signals.iter().any(|signal| signal.starts_with(crawler::PREFIX));
        let may_be_hinted = !is_crawler && row.bot_signals.iter().any(|signal| signal == HEADLESS);
        let is_kept = |signal: &&String| match signal.split(':').next().unwrap_or("") {
            "ua" if row.user_agent.is_empty() => true,
            "ua" => may_be_hinted && (*signal == crawler::CRAWLER || *signal == HEADLESS),
            category => !SHOWN.contains(&category) && !RULES.contains(&category),
        };
        signals.extend(row.bot_signals.iter().filter(is_kept).map(|signal| Cow::Owned(signal.clone())));
        signals
    }

    /// The kind of device before rules are asked. What a former crawler is follows from its user agent; hints, which would say more, are gone.
    fn device_type<'r>(&mut self, row: &'r StoredRow, verdict: &Verdict) -> &'r str {
        let bot = DeviceType::Bot.as_str();
        if verdict.is_declared() {
            bot
        } else if row.device_type == bot && !row.user_agent.is_empty() {
            self.parser.parse(&row.user_agent, &ClientHints::default()).device_type.as_str()
        } else {
            &row.device_type
        }
    }
}

/// The sender as a stored row tells of it.
fn client_of(row: &StoredRow) -> Client<'_> {
    Client {
        ip: Some(row.ip_address).filter(|ip| !ip.is_unspecified()).map(IpAddr::V6),
        asn: Some(row.asn).filter(|asn| *asn != 0),
        user_agent: Some(row.user_agent.as_str()).filter(|text| !text.is_empty()),
        is_from_server: true,
        ..Client::default()
    }
}

/// The event as a stored row tells of it: what the filters look at, and nothing else.
fn event_of<'r>(row: &'r StoredRow, properties: Properties<'r>) -> Event<'r> {
    let none = Cow::Borrowed("");
    Event {
        event_id: None,
        event_type: Cow::Borrowed(&row.event_type),
        occurred_at_ms: None,
        sent_at_ms: None,
        tracker: none.clone(),
        page_url: Cow::Borrowed(&row.page_url),
        page_title: none.clone(),
        referrer: Cow::Borrowed(&row.referrer),
        page_id: none.clone(),
        seq: 0,
        session_id: none.clone(),
        user: User::Anonymous,
        product_id: None,
        order_id: none.clone(),
        quantity: 0,
        revenue: Money::default(),
        currency: none.clone(),
        engaged_ms: 0,
        scroll_pct: 0,
        screen: (row.screen_width, row.screen_height),
        language: none.clone(),
        timezone: none.clone(),
        properties,
        items: Vec::new(),
        ip: None,
        user_agent: none,
    }
}

/// What is known of user agent and address. An address that ends in zeros is taken for one that was cut.
fn known_of(row: &StoredRow) -> Known {
    /// Bits of a cut address, as `privacy.ip` says.
    const CUT: (u8, u8) = (24, 48);
    let (has_user_agent, ip) = (!row.user_agent.is_empty(), row.ip_address);
    let is_empty = row.bot_signals.iter().any(|signal| signal == "ua:empty");
    let address_bits = match ip.to_ipv4_mapped() {
        _ if ip == Ipv6Addr::UNSPECIFIED => 0,
        Some(v4) if v4.octets().ends_with(&[0]) => CUT.0,
        Some(_) => 32,
        None if ip.octets().ends_with(&[0; 10]) => CUT.1,
        None => 128,
    };
    Known { user_agent: has_user_agent || is_empty, address_bits }
}

/// Evidence that was kept and found again counts once.
fn without_repetition(mut verdict: Verdict) -> Verdict {
    let mut unique: Vec<Signal> = Vec::with_capacity(verdict.signals.len());
    for signal in verdict.signals {
        if !unique.contains(&signal) {
            unique.push(signal);
        }
    }
    verdict.signals = unique;
    verdict
}

#[cfg(test)]
mod tests;
