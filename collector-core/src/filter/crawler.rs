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

/// What the signal of a crawler's name starts with. Only known names follow: what an unknown crawler calls itself may be anything.
pub const NAME_PREFIX: &str = "ua:name:";

/// Names of crawlers that most sites meet. The lists have names of agents for AI; other crawlers are called what their user agents call them.
const FREQUENT: [&str; 26] = [
    "Googlebot",
    "Googlebot-Image",
    "AdsBot-Google",
    "Google-InspectionTool",
    "bingbot",
    "Applebot",
    "YandexBot",
    "Baiduspider",
    "DuckDuckBot",
    "PetalBot",
    "SeznamBot",
    "AhrefsBot",
    "SemrushBot",
    "MJ12bot",
    "DotBot",
    "DataForSeoBot",
    "facebookexternalhit",
    "Twitterbot",
    "LinkedInBot",
    "Slackbot",
    "Discordbot",
    "TelegramBot",
    "Pinterestbot",
    "UptimeRobot",
    "curl",
    "python-requests",
];

/// The longest user agent of a browser, in bytes; in-app browsers reach about 400.
pub const MAX_BROWSER_USER_AGENT_BYTES: usize = 512;

/// Adds the signals of the user agent.
pub fn check(client: &Client<'_>, parser: &mut user_agent::Parser, signals: &mut Vec<Signal>) {
    let user_agent = client.user_agent();
    if user_agent.is_empty() {
        signals.push(Cow::Borrowed("ua:empty"));
        return;
    }
    let own = parser.crawler(user_agent);
    // Tools that patch the user agent often forget the client hints.
    let hinted = client.ch_brands.is_some_and(|brands| brands.contains("HeadlessChrome"));
    let class = own.as_ref().map(|crawler| crawler.class);
    if let Some(class) = class.or(hinted.then_some(user_agent::CrawlerClass::Headless)) {
        signals.push(Cow::Borrowed(CRAWLER));
        signals.push(Cow::Owned(format!("{PREFIX}{}", class.as_str())));
    }
    if let Some(name) = own.and_then(|crawler| known_name(crawler.name)) {
        signals.push(Cow::Owned(format!("{NAME_PREFIX}{name}")));
    }
    if user_agent.len() > MAX_BROWSER_USER_AGENT_BYTES {
        signals.push(Cow::Borrowed("ua:too_long"));
    } else if !user_agent.starts_with("Mozilla/") && !user_agent.starts_with("Opera/") {
        signals.push(Cow::Borrowed("ua:no_browser"));
    }
}

/// The name as it is stored. What a list has is borrowed from it, what only the user agent says is not.
fn known_name(name: Cow<'static, str>) -> Option<&'static str> {
    match name {
        Cow::Borrowed(name) => Some(name),
        Cow::Owned(name) => FREQUENT.into_iter().find(|frequent| frequent.eq_ignore_ascii_case(&name)),
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
    fn a_crawler_has_its_name_if_that_is_known() {
        let name =
            |user_agent: &str| signals(user_agent, None).into_iter().find(|signal| signal.starts_with("ua:name:"));
        for (user_agent, expected) in [
            (
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.2; +https://openai.com/gptbot",
                "ua:name:GPTBot",
            ),
            (
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; +https://openai.com/bot",
                "ua:name:ChatGPT-User",
            ),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "ua:name:Googlebot"),
        ] {
            assert_eq!(name(user_agent).as_deref(), Some(expected), "{user_agent}");
        }
        for frequent in FREQUENT {
            let user_agent = format!("{frequent}/2.1 (+http://example.org/)");
            assert_eq!(name(&user_agent), Some(format!("{NAME_PREFIX}{frequent}").into()), "{user_agent}");
        }
        let unknown = "Mozilla/5.0 (compatible; Qx17secretBot/2.1; +http://example.org/)";
        assert!(signals(unknown, None).iter().any(|signal| signal == CRAWLER));
        assert_eq!(name(unknown), None);
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
