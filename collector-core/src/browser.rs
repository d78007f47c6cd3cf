//! What a browser says about itself, remembered for its next beacon.
//!
//! In scope: its user agent as parsed and the evidence in its headers, in a bounded table. Out of scope: finding them (crate `user-agent`, `filter`).
//!
//! Parsing a user agent costs a third of the pipeline, and most beacons come from a browser that has sent one before.

use std::collections::HashMap;
use std::hash::Hasher as _;
use std::sync::Arc;

use siphasher::sip::SipHasher13;
use user_agent::{ClientHints, Parser, UserAgent};

use crate::client::Client;
use crate::filter::{self, Signal};

/// Browsers remembered at once; about 500 bytes each.
pub const MAX_BROWSERS: usize = 1_000;

/// A browser, or a program that sends in the place of one, by its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Browser {
    /// Its name and version, operating system and device.
    pub user_agent: UserAgent,
    /// Evidence that holds for all its events.
    pub signals: Vec<Signal>,
}

/// The browsers that one isolate has seen, and the parser for those it has not.
#[derive(Debug, Default)]
pub struct Browsers {
    parser: Parser,
    known: HashMap<u64, Arc<Browser>>,
}

impl Browsers {
    /// The browser of a beacon's sender. `entropy` keys the table, so that nobody can make two browsers share an entry.
    pub fn find(&mut self, client: &Client<'_>, entropy: &[u8; 16]) -> Arc<Browser> {
        let key = hash(entropy, client);
        if let Some(browser) = self.known.get(&key) {
            return Arc::clone(browser);
        }
        let browser = Arc::new(self.parse(client));
        if self.known.len() >= MAX_BROWSERS {
            // The common browsers are back at once; keeping order of use would cost more than parsing them again.
            self.known.clear();
        }
        self.known.insert(key, Arc::clone(&browser));
        browser
    }

    fn parse(&mut self, client: &Client<'_>) -> Browser {
        let hints = ClientHints {
            brands: client.ch_brands,
            full_version_list: client.ch_full_version_list,
            mobile: client.ch_mobile,
            platform: client.ch_platform,
            platform_version: client.ch_platform_version,
            model: client.ch_model,
        };
        Browser {
            user_agent: self.parser.parse(client.user_agent(), &hints),
            signals: filter::judge_client(client, &mut self.parser),
        }
    }

    /// Number of browsers remembered, at most `MAX_BROWSERS`.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// True if no browser is remembered.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// Behind each header; no text holds this byte.
const END: u8 = 0xff;
/// In place of a header that is absent; no text holds this byte either.
const ABSENT: &[u8] = &[0xfe];

/// The place of a browser in the table. One round per word is enough for a table with a secret key, as the standard library's maps show.
fn hash(entropy: &[u8; 16], client: &Client<'_>) -> u64 {
    let mut hasher = SipHasher13::new_with_key(entropy);
    for header in headers(client) {
        hasher.write(header);
        hasher.write_u8(END);
    }
    hasher.finish()
}

/// Everything that user agent and signals are made of. An absent header and an empty one differ.
fn headers<'a>(client: &Client<'a>) -> [&'a [u8]; 13] {
    let header = |value: Option<&'a str>| value.map_or(ABSENT, str::as_bytes);
    [
        header(client.user_agent),
        header(client.ch_brands),
        header(client.ch_full_version_list),
        header(client.ch_mobile),
        header(client.ch_platform),
        header(client.ch_platform_version),
        header(client.ch_model),
        header(client.accept_language),
        header(client.sec_fetch_site),
        header(client.sec_fetch_mode),
        header(client.sec_fetch_dest),
        if client.is_https { &[1] } else { &[0] },
        if client.is_from_server { &[1] } else { &[0] },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME: &str =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

    #[test]
    fn a_known_browser_is_judged_as_a_new_one() {
        let client =
            Client { user_agent: Some(CHROME), accept_language: Some("de"), is_https: true, ..Client::default() };
        let mut browsers = Browsers::default();
        let first = browsers.find(&client, &[1; 16]);
        assert!(Arc::ptr_eq(&first, &browsers.find(&client, &[1; 16])));
        assert_eq!(*first, Browsers::default().parse(&client));
    }

    #[test]
    fn every_header_that_matters_makes_another_browser() {
        let client = Client { user_agent: Some(CHROME), ..Client::default() };
        let variants = [
            Client { user_agent: Some("curl/8.0"), ..client },
            Client { ch_brands: Some(""), ..client },
            Client { ch_full_version_list: Some(""), ..client },
            Client { ch_mobile: Some("?1"), ..client },
            Client { ch_platform: Some(""), ..client },
            Client { ch_platform_version: Some(""), ..client },
            Client { ch_model: Some(""), ..client },
            Client { accept_language: Some(""), ..client },
            Client { sec_fetch_site: Some(""), ..client },
            Client { sec_fetch_mode: Some(""), ..client },
            Client { sec_fetch_dest: Some(""), ..client },
            Client { is_https: true, ..client },
            Client { is_from_server: true, ..client },
        ];
        let mut browsers = Browsers::default();
        for variant in std::iter::once(&client).chain(&variants) {
            browsers.find(variant, &[1; 16]);
        }
        assert_eq!(browsers.len(), 1 + variants.len());
    }

    #[test]
    fn the_table_is_bounded() {
        let mut browsers = Browsers::default();
        for number in 0..=MAX_BROWSERS {
            let language = number.to_string();
            browsers.find(&Client { accept_language: Some(&language), ..Client::default() }, &[1; 16]);
        }
        assert!(browsers.len() <= MAX_BROWSERS);
    }
}
