//! Headers that a browser of this kind would have sent.
//!
//! In scope: client hints, `Sec-Fetch-*` and `Accept-Language` against the user agent. Out of scope: the user agent itself (`crawler`).

use std::borrow::Cow;

use crate::client::Client;
use crate::filter::Signal;

/// Chromium from which client hints are sent by default over TLS.
const MIN_CHROMIUM_WITH_HINTS: u32 = 90;

/// Adds the signals of the headers.
pub fn check(client: &Client<'_>, signals: &mut Vec<Signal>) {
    let chromium = chromium_major(client.user_agent());
    let is_modern = chromium.is_some_and(|major| major >= MIN_CHROMIUM_WITH_HINTS);
    if is_modern && client.is_https && client.ch_brands.is_none() {
        signals.push(Cow::Borrowed("header:no_client_hints"));
    }
    if is_modern && client.sec_fetch_mode.is_none() && client.sec_fetch_site.is_none() {
        signals.push(Cow::Borrowed("header:no_sec_fetch"));
    }
    if client.accept_language.is_none_or(str::is_empty) {
        signals.push(Cow::Borrowed("header:no_accept_language"));
    }
    let hinted = client.ch_brands.and_then(chromium_brand_major);
    if chromium.zip(hinted).is_some_and(|(claimed, hinted)| claimed != hinted) {
        signals.push(Cow::Borrowed("header:client_hints_differ"));
    }
}

/// The major version of a Chromium that sends client hints; on iOS every browser is WebKit and sends none.
fn chromium_major(user_agent: &str) -> Option<u32> {
    let is_webview = user_agent.contains("; wv)");
    let (_, version) = user_agent.split_once(" Chrome/").filter(|_| !is_webview)?;
    version.split('.').next()?.parse().ok()
}

/// The version of the brand `Chromium` in `Sec-CH-UA`.
fn chromium_brand_major(brands: &str) -> Option<u32> {
    let (_, rest) = brands.split_once("\"Chromium\";v=\"")?;
    rest.split(['"', '.']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME: &str =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
    const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15";
    const BRANDS: &str = "\"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\"";

    fn signals(client: &Client<'_>) -> Vec<Signal> {
        let mut signals = Vec::new();
        check(client, &mut signals);
        signals
    }

    #[test]
    fn a_browser_with_its_headers_gives_no_signal() {
        let chrome = Client {
            user_agent: Some(CHROME),
            is_https: true,
            ch_brands: Some(BRANDS),
            sec_fetch_mode: Some("no-cors"),
            accept_language: Some("de"),
            ..Client::default()
        };
        assert!(signals(&chrome).is_empty());
        assert!(signals(&Client { is_https: false, ch_brands: None, ..chrome }).is_empty(), "hints need TLS");
        let safari =
            Client { user_agent: Some(SAFARI), is_https: true, accept_language: Some("de"), ..Client::default() };
        assert!(signals(&safari).is_empty());
    }

    #[test]
    fn missing_and_contradicting_headers_are_signals() {
        let bare = Client { user_agent: Some(CHROME), is_https: true, ..Client::default() };
        assert_eq!(signals(&bare), ["header:no_client_hints", "header:no_sec_fetch", "header:no_accept_language"]);
        let patched = Client {
            ch_brands: Some("\"Chromium\";v=\"120\""),
            sec_fetch_site: Some("cross-site"),
            accept_language: Some("de"),
            ..bare
        };
        assert_eq!(signals(&patched), ["header:client_hints_differ"]);
    }
}
