//! Browsers that are driven by a program.
//!
//! In scope: what the tracker saw in the page. Out of scope: what the request itself shows (`header`, `crawler`).
//!
//! A named tool is the browser's own word: `navigator.webdriver` is true only where a program drives it. Everything else in the property is the
//! shop's own, for which the name was free before there was a tracker.

use std::borrow::Cow;

use crate::event::Event;
use crate::filter::Signal;

/// Name of the property in which the tracker reports automation, such as `navigator.webdriver`.
pub const PROPERTY: &str = "automation";

/// The signal of every driven browser.
pub const DRIVEN: &str = "browser:automation";

/// What a report names, and the signal that says so besides `browser:automation`.
const TOOLS: [(&str, &str); 8] = [
    ("webdriver", "browser:webdriver"),
    ("cypress", "browser:cypress"),
    ("phantom", "browser:phantom"),
    ("nightmare", "browser:nightmare"),
    ("headless", "browser:headless"),
    ("playwright", "browser:playwright"),
    ("puppeteer", "browser:puppeteer"),
    ("selenium", "browser:selenium"),
];

/// What a tracker reports that knows no tool.
const UNNAMED: &str = "true";

/// Adds the signals of one event.
pub fn check(event: &Event<'_>, signals: &mut Vec<Signal>) {
    let report = event.properties.get(PROPERTY).unwrap_or("");
    let tool = TOOLS.iter().find(|(name, _)| report == *name);
    if tool.is_some() || report == UNNAMED {
        signals.push(Cow::Borrowed(DRIVEN));
        signals.extend(tool.map(|(_, signal)| Cow::Borrowed(*signal)));
    }
}

/// True for the signal of a named tool.
pub fn is_named(signal: &str) -> bool {
    signal.starts_with("browser:") && signal != DRIVEN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::fixture::signals_of;

    #[test]
    fn reports_of_the_tracker_are_signals() {
        for (json, expected) in [
            (r#"{"event_type":"login"}"#, &[][..]),
            (r#"{"event_type":"login","properties":{"automation":false}}"#, &[]),
            (
                r#"{"event_type":"login","properties":{"automation":"webdriver"}}"#,
                &["browser:automation", "browser:webdriver"],
            ),
            (
                r#"{"event_type":"login","properties":{"automation":"cypress"}}"#,
                &["browser:automation", "browser:cypress"],
            ),
            // What a shop calls so itself.
            (r#"{"event_type":"login","properties":{"automation":"home"}}"#, &[]),
            (r#"{"event_type":"login","properties":{"automation":"no"}}"#, &[]),
            (r#"{"event_type":"login","properties":{"automation":1}}"#, &[]),
            (r#"{"event_type":"login","automation":true}"#, &["browser:automation"]),
        ] {
            assert_eq!(signals_of(json, check), expected, "{json}");
        }
    }
}
