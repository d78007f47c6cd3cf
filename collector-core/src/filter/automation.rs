//! Browsers that are driven by a program.
//!
//! In scope: what the tracker saw in the page, and screens that no screen has. Out of scope: what the request itself shows (`header`, `crawler`).

use std::borrow::Cow;

use crate::event::Event;
use crate::filter::Signal;

/// Name of the property in which the tracker reports automation, such as `navigator.webdriver`.
pub const PROPERTY: &str = "automation";

/// The longest side of a real screen, in pixels: 16K.
const MAX_SCREEN_PX: u16 = 15_360;

/// Adds the signals of one event.
pub fn check(event: &Event<'_>, signals: &mut Vec<Signal>) {
    let report = event.properties.get(PROPERTY);
    if report.is_some_and(|value| !matches!(value, "" | "0" | "false")) {
        signals.push(Cow::Borrowed("browser:automation"));
    }
    let (width, height) = event.screen;
    let is_sent = event.screen != (0, 0);
    if is_sent && (width == 0 || height == 0 || width > MAX_SCREEN_PX || height > MAX_SCREEN_PX) {
        signals.push(Cow::Borrowed("screen:impossible"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::Beacon;
    use crate::site::Site;

    #[test]
    fn reports_of_the_tracker_are_signals() {
        let site = Site::new("demo", &["shop.example"]).unwrap();
        for (json, expected) in [
            (r#"{"event_type":"login","screen":"1920x1080"}"#, &[][..]),
            (r#"{"event_type":"login","properties":{"automation":false}}"#, &[]),
            (r#"{"event_type":"login","properties":{"automation":"webdriver"}}"#, &["browser:automation"]),
            (r#"{"event_type":"login","automation":true}"#, &["browser:automation"]),
            (r#"{"event_type":"login","screen":"0x1080"}"#, &["screen:impossible"]),
            (r#"{"event_type":"login","screen":"20000x1080"}"#, &["screen:impossible"]),
        ] {
            let beacon = Beacon::parse(json.as_bytes()).unwrap();
            let event = Event::check(&beacon.events().next().unwrap(), &site, false).unwrap();
            let mut signals = Vec::new();
            check(&event, &mut signals);
            assert_eq!(signals, expected, "{json}");
        }
    }
}
