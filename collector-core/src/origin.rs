//! Which browser origins may send for a site.
//!
//! In scope: host names with their sub-domains, ports, `Origin: null`. Out of scope: the settings (`site`), CORS headers (the shell).
//!
//! HTTP lets any program send any `Origin`: this keeps other people's pages out, not other people's programs.

use crate::site::Site;

impl Site {
    /// True if a browser page of this origin may send events for the site. A request without an origin does not come from a page: it may.
    pub fn allows_origin(&self, origin: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        if origin == "null" {
            return self.allow_null_origin;
        }
        let origin = origin.to_ascii_lowercase();
        let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        authority.is_some_and(|authority| self.domains.iter().any(|domain| matches_domain(authority, domain)))
    }

    /// True if `host` (lower-case, without port) is one of the site's own hosts.
    pub fn has_host(&self, host: &str) -> bool {
        self.domains.iter().any(|domain| is_host_within(host, split_port(domain).0))
    }
}

/// True if the text can be a domain of a site: a lower-case host name, with or without a port.
pub(crate) fn is_domain(domain: &str) -> bool {
    let (host, port) = split_port(domain);
    let is_host = !host.is_empty()
        && !host.starts_with('.')
        && host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._[]:".contains(&b));
    is_host && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Splits `host:port`; the colons of an IPv6 address in brackets are not a port.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn matches_domain(authority: &str, domain: &str) -> bool {
    let (host, port) = split_port(authority);
    let (domain_host, domain_port) = split_port(domain);
    is_host_within(host, domain_host) && domain_port.is_none_or(|wanted| port == Some(wanted))
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
            (Some("file://shop.example"), false),
            (Some("shop.example"), false),
            (Some(""), false),
            (Some("null"), false),
        ] {
            assert_eq!(site.allows_origin(origin), is_allowed, "{origin:?}");
        }
        site.allow_null_origin = true;
        assert!(site.allows_origin(Some("null")));
    }
}
