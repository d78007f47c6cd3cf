//! Referrers that advertise themselves.
//!
//! In scope: hosts of referrer spam (`data/referrer_spam.txt`). Out of scope: what other referrers are known for (`enrich::channel`).

use std::borrow::Cow;

use crate::event::Event;
use crate::filter::Signal;
use crate::known::{self, Kind};
use crate::url::Url;

/// Adds the signal of the page before.
pub fn check(event: &Event<'_>, signals: &mut Vec<Signal>) {
    let is_spam = |url: Url<'_>| known::domains(&url.host()).any(|(_, kind)| kind == Some(Kind::Spam));
    if Url::parse(&event.referrer).is_some_and(is_spam) {
        signals.push(Cow::Borrowed("referrer:spam"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::fixture::signals_of;

    #[test]
    fn spam_is_known_by_its_host_and_every_parent() {
        for (referrer, expected) in [
            ("https://semalt.com/crawler.php", &["referrer:spam"][..]),
            ("http://WWW.best.semalt.com/", &["referrer:spam"]),
            ("https://notsemalt.com/", &[]),
            ("https://www.google.com/", &[]),
            ("semalt.com", &[]),
            ("", &[]),
        ] {
            let json = format!(r#"{{"event_type":"login","referrer":"{referrer}"}}"#);
            assert_eq!(signals_of(&json, check), expected, "{referrer}");
        }
    }
}
