//! User agents that say what they are.
//!
//! In scope: self-declared crawlers, and user agents that no browser sends. Out of scope: the lists of crawlers (crate `user-agent`).

use std::borrow::Cow;

use crate::client::Client;
use crate::filter::Signal;

/// The signal of every self-declared crawler.
pub const CRAWLER: &str = "ua:crawler";

/// What the second signal of a self-declared crawler starts with; the crawler's class follows.
pub const PREFIX: &str = "ua:crawler:";

/// The longest user agent of a browser, in bytes; in-app browsers reach about 400.
pub const MAX_BROWSER_USER_AGENT_BYTES: usize = 512;

/// Adds the signals of the user agent.
pub fn check(client: &Client<'_>, parser: &mut user_agent::Parser, signals: &mut Vec<Signal>) {
    let user_agent = client.user_agent();
    if user_agent.is_empty() {
        signals.push(Cow::Borrowed("ua:empty"));
        return;
    }
    let own = parser.crawler(user_agent).map(|crawler| crawler.class);
    // Tools that patch the user agent often forget the client hints.
    let hinted = client.ch_brands.is_some_and(|brands| brands.contains("HeadlessChrome"));
    if let Some(class) = own.or(hinted.then_some(user_agent::CrawlerClass::Headless)) {
        signals.push(Cow::Borrowed(CRAWLER));
        signals.push(Cow::Owned(format!("{PREFIX}{}", class.as_str())));
    }
    if user_agent.len() > MAX_BROWSER_USER_AGENT_BYTES {
        signals.push(Cow::Borrowed("ua:too_long"));
    } else if !user_agent.starts_with("Mozilla/") && !user_agent.starts_with("Opera/") {
        signals.push(Cow::Borrowed("ua:no_browser"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

    fn signals(user_agent: &str, ch_brands: Option<&str>) -> Vec<Signal> {
        let client = Client { user_agent: Some(user_agent), ch_brands, ..Client::default() };
        let mut signals = Vec::new();
        check(&client, &mut user_agent::Parser::new(), &mut signals);
        signals
    }

    #[test]
    fn self_declared_crawlers_are_known_and_browsers_are_not() {
        assert!(signals(CHROME, Some("\"Chromium\";v=\"142\"")).is_empty());
        assert_eq!(signals(CHROME, Some("\"HeadlessChrome\";v=\"142\"")), ["ua:crawler", "ua:crawler:headless"]);
        let googlebot = signals("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", None);
        assert!(googlebot.iter().any(|signal| *signal == CRAWLER), "{googlebot:?}");
    }

    #[test]
    fn user_agents_that_no_browser_sends_are_signals() {
        let long = format!("{CHROME} {}", "x".repeat(MAX_BROWSER_USER_AGENT_BYTES));
        for (user_agent, expected) in [("", "ua:empty"), (long.as_str(), "ua:too_long"), ("MyApp/1.0", "ua:no_browser")]
        {
            let found = signals(user_agent, None);
            assert!(found.iter().any(|signal| signal == expected), "{expected} in {found:?}");
        }
        assert!(!signals(CHROME, None).iter().any(|signal| signal.starts_with("ua:")));
    }
}
