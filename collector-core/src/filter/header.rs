//! Headers that a browser of this kind would have sent.
//!
//! In scope: client hints, `Sec-Fetch-*` and `Accept-Language` against the user agent. Out of scope: the user agent itself (`crawler`).

use std::borrow::Cow;

use crate::client::Client;
use crate::filter::Signal;

/// Chromium from which client hints and `Sec-Fetch-*` are sent by default over TLS.
const MIN_CHROMIUM: u32 = 90;

/// Firefox from which `Sec-Fetch-*` is sent over TLS. It never sends client hints.
const MIN_FIREFOX: u32 = 90;

/// Words of user agents, and the `Sec-CH-UA-Platform` of browsers that say so; the first that is found counts.
const PLATFORMS: [(&str, &[&str]); 5] = [
    ("Windows NT", &["Windows"]),
    ("Android", &["Android"]),
    ("CrOS", &["Chrome OS", "Chromium OS"]),
    ("Macintosh", &["macOS"]),
    ("X11; Linux", &["Linux"]),
];

/// Adds the signals of the headers.
pub fn check(client: &Client<'_>, signals: &mut Vec<Signal>) {
    let mut add = |holds: bool, signal: &'static str| signals.extend(holds.then_some(Cow::Borrowed(signal)));
    let user_agent = client.user_agent();
    let chromium = chromium_major(user_agent);
    let firefox = major_after(user_agent, " Firefox/");
    let has_hints = client.is_https && chromium.is_some_and(|major| major >= MIN_CHROMIUM);
    let has_fetch = has_hints || (client.is_https && firefox.is_some_and(|major| major >= MIN_FIREFOX));
    add(has_hints && client.ch_brands.is_none(), "header:no_client_hints");
    add(has_fetch && client.sec_fetch_mode.is_none() && client.sec_fetch_site.is_none(), "header:no_sec_fetch");
    add(client.accept_language.is_none_or(str::is_empty), "header:no_accept_language");
    // A script sends a beacon, or a picture loads one: nobody navigates to it.
    add(client.sec_fetch_mode == Some("navigate"), "header:navigation");
    add(firefox.is_some() && client.ch_brands.is_some(), "header:client_hints_unexpected");
    add(contradicts(client, user_agent, chromium), "header:client_hints_differ");
}

/// Whether client hints tell of another browser than the user agent. Both come from the same program, also in its "desktop site" mode.
fn contradicts(client: &Client<'_>, user_agent: &str, chromium: Option<u32>) -> bool {
    let hinted = client.ch_brands.and_then(chromium_brand_major);
    let platform = client.ch_platform.map(|platform| platform.trim_matches(['"', ' '])).filter(|p| !p.is_empty());
    let expected = PLATFORMS.iter().find(|(word, _)| user_agent.contains(word)).map(|(_, platforms)| *platforms);
    let is_mobile = client.ch_mobile.map(|mobile| mobile == "?1");
    chromium.zip(hinted).is_some_and(|(claimed, hinted)| claimed != hinted)
        || platform.zip(expected).is_some_and(|(platform, expected)| !expected.contains(&platform))
        || (chromium.is_some() && is_mobile == Some(true) && !user_agent.contains("Mobile"))
}

/// The major version of a Chromium that sends client hints; on iOS every browser is WebKit and sends none.
fn chromium_major(user_agent: &str) -> Option<u32> {
    let is_webview = user_agent.contains("; wv)");
    major_after(user_agent, " Chrome/").filter(|_| !is_webview)
}

fn major_after(user_agent: &str, product: &str) -> Option<u32> {
    let (_, version) = user_agent.split_once(product)?;
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
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
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
    fn missing_headers_are_signals() {
        let bare = Client { user_agent: Some(CHROME), is_https: true, ..Client::default() };
        assert_eq!(signals(&bare), ["header:no_client_hints", "header:no_sec_fetch", "header:no_accept_language"]);
        assert_eq!(signals(&Client { is_https: false, ..bare }), ["header:no_accept_language"], "the rest needs TLS");
        let firefox = Client { user_agent: Some(FIREFOX), ..bare };
        assert_eq!(signals(&firefox), ["header:no_sec_fetch", "header:no_accept_language"]);
    }

    #[test]
    fn contradicting_headers_are_signals() {
        let chrome = Client {
            user_agent: Some(CHROME),
            is_https: true,
            ch_brands: Some(BRANDS),
            ch_platform: Some("\"Linux\""),
            ch_mobile: Some("?0"),
            sec_fetch_mode: Some("no-cors"),
            accept_language: Some("de"),
            ..Client::default()
        };
        let differ = &["header:client_hints_differ"][..];
        for (client, expected) in [
            (chrome, &[][..]),
            (Client { ch_brands: Some("\"Chromium\";v=\"120\""), ..chrome }, differ),
            (Client { ch_platform: Some("\"Windows\""), ..chrome }, differ),
            (Client { ch_mobile: Some("?1"), ..chrome }, differ),
            (Client { ch_platform: Some("\"\""), ..chrome }, &[]),
            (Client { user_agent: Some(FIREFOX), ..chrome }, &["header:client_hints_unexpected"]),
            (Client { sec_fetch_mode: Some("navigate"), ..chrome }, &["header:navigation"]),
        ] {
            assert_eq!(signals(&client), expected, "{client:?}");
        }
    }
}
