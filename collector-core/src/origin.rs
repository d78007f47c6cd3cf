//! Which browser origins may send for a site.
//!
//! In scope: host names with their sub-domains, ports, `Origin: null`. Out of scope: the settings (`site`), CORS headers (the shell).
//!
//! HTTP lets any program send any `Origin`: this keeps other people's pages out, not other people's programs.

use std::net::Ipv6Addr;

use crate::site::Site;

/// The longest host name, in bytes (RFC 1035, section 2.3.4).
pub const MAX_HOST_BYTES: usize = 253;

/// The longest part of a host name between two dots, in bytes.
pub const MAX_LABEL_BYTES: usize = 63;

/// The longest origin that can be a site's, in bytes.
pub const MAX_ORIGIN_BYTES: usize = "https://".len() + MAX_HOST_BYTES + ":65535".len();

impl Site {
    /// True if a browser page of this origin may send events for the site. A request without an origin does not come from a page: it may.
    pub fn allows_origin(&self, origin: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        if origin == "null" {
            return self.allow_null_origin;
        }
        let origin = origin.to_ascii_lowercase();
        let (authority, default_port) = match origin.split_once("://") {
            Some(("https", authority)) => (authority, 443),
            Some(("http", authority)) => (authority, 80),
            _ => return false,
        };
        parse_authority(authority).is_some_and(|(host, port)| {
            let port = port.unwrap_or(default_port);
            self.domains.iter().any(|domain| matches_domain(host, port, domain))
        })
    }

    /// True if `host` (lower-case, without port) is one of the site's own hosts.
    pub fn has_host(&self, host: &str) -> bool {
        self.domains.iter().any(|domain| is_host_within(host, split_port(domain).0))
    }
}

/// True if the text can be a domain of a site: a lower-case host name, with or without a port.
pub(crate) fn is_domain(domain: &str) -> bool {
    parse_authority(domain).is_some()
}

/// A host and its port, if it has one; `None` if the text is neither.
fn parse_authority(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = split_port(text);
    let is_port = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0'));
    let port = port.map(str::parse).transpose().ok()?;
    (is_port && is_host(host)).then_some((host, port))
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        return address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let is_character = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let is_label = |label: &str| {
        (1..=MAX_LABEL_BYTES).contains(&label.len())
            && label.bytes().all(is_character)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= MAX_HOST_BYTES && host.split('.').all(is_label)
}

/// Splits `host:port`; the colons of an IPv6 address in brackets are not a port.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn matches_domain(host: &str, port: u16, domain: &str) -> bool {
    let (domain_host, domain_port) = split_port(domain);
    is_host_within(host, domain_host) && domain_port.is_none_or(|wanted| wanted.parse() == Ok(port))
}

/// True if the host is the domain or one of its sub-domains.
pub(crate) fn is_host_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_match_domains_and_their_sub_domains() {
        let mut site = Site::new("demo", &["shop.example", "localhost:8080", "127.0.0.1", "[::1]"]).unwrap();
        for (origin, is_allowed) in [
            (None, true),
            (Some("https://shop.example"), true),
            (Some("http://shop.example:8443"), true),
            (Some("HTTPS://WWW.Shop.Example"), true),
            (Some("http://localhost:8080"), true),
            (Some("http://127.0.0.1:9"), true),
            (Some("http://[::1]:9"), true),
            (Some("http://localhost:8081"), false),
            (Some("http://localhost"), false),
            (Some("https://evilshop.example"), false),
            (Some("https://shop.example.evil.test"), false),
            (Some("https://shop.example/path"), false),
            (Some("http://shop.example:abc"), false),
            (Some("http://shop.example:"), false),
            (Some("http://shop.example:+80"), false),
            (Some("http://shop.example:65536"), false),
            (Some("https://evil.test/.shop.example"), false),
            (Some("https://evil.test:1/.shop.example"), false),
            (Some("https://evil.test?.shop.example"), false),
            (Some("https://me@shop.example"), false),
            (Some("https://.shop.example"), false),
            (Some("https://a..shop.example"), false),
            (Some("https://shop.example."), false),
            (Some("file://shop.example"), false),
            (Some("shop.example"), false),
            (Some(""), false),
            (Some("null"), false),
        ] {
            assert_eq!(site.allows_origin(origin), is_allowed, "{origin:?}");
        }
        let long = format!("https://{}.shop.example", vec!["a".repeat(60); 4].join("."));
        assert!(!site.allows_origin(Some(&long)), "{} bytes", long.len());
        site.allow_null_origin = true;
        assert!(site.allows_origin(Some("null")));
    }

    #[test]
    fn the_longest_origin_is_a_sites() {
        let start = vec!["a".repeat(MAX_LABEL_BYTES); 3].join(".");
        let host =
            format!("{start}.{}.shop.example", "a".repeat(MAX_HOST_BYTES - start.len() - ".shop.example".len() - 1));
        let origin = format!("https://{host}:65535");
        assert_eq!(origin.len(), MAX_ORIGIN_BYTES);
        assert!(Site::new("demo", &["shop.example"]).unwrap().allows_origin(Some(&origin)));
    }

    #[test]
    fn a_port_that_goes_without_saying_counts() {
        let site = Site::new("demo", &["shop.example:443", "plain.example:80"]).unwrap();
        for (origin, is_allowed) in [
            ("https://shop.example", true),
            ("https://www.shop.example:443", true),
            ("http://shop.example", false),
            ("http://plain.example", true),
            ("https://plain.example", false),
            ("https://plain.example:80", true),
        ] {
            assert_eq!(site.allows_origin(Some(origin)), is_allowed, "{origin}");
        }
    }

    #[test]
    fn domains_are_host_names_with_or_without_a_port() {
        let long = format!("{}.de", vec!["a".repeat(60); 5].join("."));
        for domain in [
            "",
            ".",
            "-",
            "a.",
            ".a",
            "a..b",
            "-a.de",
            "a-.de",
            "a.de:",
            "a.de:+80",
            "a.de:080",
            "a.de:0",
            "a.de:65536",
            "A.de",
            "a.de/",
            "a b",
            "[::1",
            "::1",
            "[zz]",
            "[]",
            "[::1]x",
            "[::1]:x",
            "ä.de",
            &"a".repeat(64),
            &long,
        ] {
            assert!(!is_domain(domain), "{domain}");
        }
        for domain in
            ["a", "a.de", "my_shop.a-b.de:8080", "127.0.0.1", "[::1]", "[2001:db8::1]:443", "xn--mller-kva.de"]
        {
            assert!(is_domain(domain), "{domain}");
        }
    }
}
