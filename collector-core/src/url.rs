//! The parts of a URL, without copying and without rewriting it.
//!
//! In scope: scheme, host, path, query, fragment of absolute URLs; percent-decoding of query values.
//! Out of scope: normalisation and international names: what the browser sent is what is stored. (The `url` crate does both; its tables
//! alone are larger than the whole collector.)

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// An absolute URL, split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Url<'a> {
    /// `https`, as written.
    pub scheme: &'a str,
    /// Host and port, without user and password.
    pub authority: &'a str,
    /// From the first `/`; may be empty.
    pub path: &'a str,
    /// After `?`, without it.
    pub query: &'a str,
    /// After `#`, without it.
    pub fragment: &'a str,
}

impl<'a> Url<'a> {
    /// Splits an absolute URL with a host; `None` for anything else.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_at(text.bytes().position(|byte| byte == b':')?);
        let rest = rest.strip_prefix("://")?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if !is_scheme {
            return None;
        }
        let (rest, fragment) = split_before(rest, |byte| byte == b'#');
        let (rest, query) = split_before(rest, |byte| byte == b'?');
        let (authority, path) = split_before(rest, |byte| byte == b'/' || byte == b'\\');
        let user_bytes = authority.bytes().rposition(|byte| byte == b'@').map_or(0, |at| at + 1);
        let authority = authority.get(user_bytes..).unwrap_or("");
        let is_plain = authority.bytes().all(|byte| byte.is_ascii_graphic());
        let is_host = !authority.is_empty()
            && (is_plain || !authority.contains(|c: char| c.is_ascii_whitespace() || c.is_control()));
        is_host.then_some(Self {
            scheme,
            authority,
            path,
            query: query.get(1..).unwrap_or(""),
            fragment: fragment.get(1..).unwrap_or(""),
        })
    }

    /// The host, lower-case, without port and without `www.`.
    pub fn host(&self) -> Cow<'a, str> {
        let host = match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => self.authority,
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let host = match host.get(..4) {
            Some(www) if www.eq_ignore_ascii_case("www.") => host.get(4..).unwrap_or(host),
            _ => host,
        };
        if host.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        }
    }

    /// The query parameters as written, still encoded: whole pair, name, value.
    pub fn params(&self) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
        self.query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (pair, name, value)
        })
    }
}

/// Splits before the first byte of a kind, which is ASCII. (The searchers of `str` are slow to begin, and URLs are short.)
fn split_before(text: &str, is_end: impl Fn(u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().position(is_end).unwrap_or(text.len()))
}

/// Decodes one name or value of a query; invalid UTF-8 becomes U+FFFD.
pub fn decode_param(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_split() {
        let url = Url::parse("https://me:pw@WWW.Shop.example:8443/a/b?x=1&&y#/top?z").unwrap();
        assert_eq!(url.host(), "shop.example");
        assert_eq!(
            (url.authority, url.path, url.query, url.fragment),
            ("WWW.Shop.example:8443", "/a/b", "x=1&&y", "/top?z")
        );
        assert_eq!(url.params().collect::<Vec<_>>(), [("x=1", "x", "1"), ("y", "y", "")]);
        assert_eq!(
            Url::parse("http://[2001:db8::1]:80/").map(|u| u.host().into_owned()).as_deref(),
            Some("[2001:db8::1]")
        );
        assert_eq!(Url::parse("android-app://com.google.android.gm/").map(|u| u.path), Some("/"));
        assert_eq!(Url::parse("https://shop.example").map(|u| u.path), Some(""));
        assert_eq!(Url::parse("https://shop.example?utm_source=a/b").map(|u| u.query), Some("utm_source=a/b"));
    }

    #[test]
    fn text_that_is_no_absolute_url_is_refused() {
        for text in [
            "",
            "/p/17",
            "shop.example/p",
            "https://",
            "https:///p",
            "://x",
            "1https://x",
            "javascript:alert(1)",
            "http://a b/",
        ] {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }

    #[test]
    fn parameters_are_decoded() {
        assert_eq!(decode_param("summer+sale%202"), "summer sale 2");
        assert_eq!(decode_param("100%"), "100%");
        assert_eq!(decode_param("%ff"), "\u{fffd}");
    }
}
