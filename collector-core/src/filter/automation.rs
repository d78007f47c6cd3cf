//! Browsers that are driven by a program.
//!
//! In scope: what the tracker saw in the page. Out of scope: what the request itself shows (`header`, `crawler`).

use std::borrow::Cow;

use crate::event::Event;
use crate::filter::Signal;

/// Name of the property in which the tracker reports automation, such as `navigator.webdriver`.
pub const PROPERTY: &str = "automation";

/// What a report may name, and the signal that says so besides `browser:automation`.
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

/// Adds the signals of one event.
pub fn check(event: &Event<'_>, signals: &mut Vec<Signal>) {
    let Some(report) = event.properties.get(PROPERTY).filter(|value| !matches!(*value, "" | "0" | "false")) else {
        return;
    };
    signals.push(Cow::Borrowed("browser:automation"));
    let tool = TOOLS.iter().find(|(name, _)| report.eq_ignore_ascii_case(name));
    signals.extend(tool.map(|(_, signal)| Cow::Borrowed(*signal)));
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
            (r#"{"event_type":"login","properties":{"automation":"robot"}}"#, &["browser:automation"]),
            (r#"{"event_type":"login","automation":true}"#, &["browser:automation"]),
        ] {
            assert_eq!(signals_of(json, check), expected, "{json}");
        }
    }
}
