//! The page of an event: its URL without what must not be kept, its path, its campaign.
//!
//! In scope: the query parameter allow list, fragments, campaigns (`utm_*`) and click ids. Out of scope: referrers (`channel`), masking (`mask`).

use std::borrow::Cow;

use crate::enrich::channel::click::{self, Click};
use crate::enrich::mask::mask;
use crate::reader::MAX_STRING_BYTES;
use crate::site::Site;
use crate::url::{Url, decode_param};

/// Query parameters that every site keeps besides `utm_*` and click ids: the two plain names of a source.
const SOURCE_PARAMS: [&str; 2] = ["ref", "source"];

/// The campaign that a URL names. Absent parts are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Campaign<'a> {
    /// `utm_source`
    pub source: Cow<'a, str>,
    /// `utm_medium`
    pub medium: Cow<'a, str>,
    /// `utm_campaign`
    pub campaign: Cow<'a, str>,
    /// `utm_term`
    pub term: Cow<'a, str>,
    /// `utm_content`
    pub content: Cow<'a, str>,
    /// The click id that tells most.
    pub click: Option<&'static Click>,
}

impl<'a> Campaign<'a> {
    /// Reads the campaign of a URL; the first of a parameter counts.
    pub fn parse(url: &Url<'a>) -> Self {
        let mut campaign = Self::default();
        for (_, name, value) in url.params() {
            let slot = match name.strip_prefix("utm_") {
                Some("source") => &mut campaign.source,
                Some("medium") => &mut campaign.medium,
                Some("campaign") => &mut campaign.campaign,
                Some("term") => &mut campaign.term,
                Some("content") => &mut campaign.content,
                _ => {
                    let found = click::find(name).filter(|_| !value.is_empty());
                    campaign.click = found.map(|found| found.or_surer(campaign.click)).or(campaign.click);
                    continue;
                }
            };
            if slot.is_empty() {
                *slot = mask(cut(trim(decode_param(value))));
            }
        }
        campaign
    }
}

/// Blanks around a value are a slip of the hand.
fn trim(value: Cow<'_, str>) -> Cow<'_, str> {
    match value {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// The URL as it is stored: without user, password, foreign query parameters and plain fragments, with personal data masked.
pub fn clean_url<'a>(text: &Cow<'a, str>, site: &Site) -> Cow<'a, str> {
    mask(reduce(text, &|name| is_allowed(name, site)))
}

/// A clean URL without click ids, by which a network knows who clicked.
pub fn without_clicks<'a>(clean: &Cow<'a, str>) -> Cow<'a, str> {
    reduce(clean, &|name| click::find(name).is_none())
}

/// The URL with those query parameters that are kept. What is no absolute URL has none.
fn reduce<'a>(text: &Cow<'a, str>, is_kept: &dyn Fn(&str) -> bool) -> Cow<'a, str> {
    let Some(url) = Url::parse(text) else {
        let plain = |text: &str| text.bytes().position(|byte| byte == b'?' || byte == b'#').unwrap_or(text.len());
        return match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.split_at(plain(text)).0),
            Cow::Owned(text) => Cow::Owned(text.split_at(plain(text)).0.to_owned()),
        };
    };
    // Only a fragment that is a route (#/path, #!/path) names a page; any other may hold a token.
    let route = url.fragment.split(['?', '&']).next().filter(|f| f.starts_with('/') || f.starts_with("!/"));
    let is_clean = url.params().all(|(_, name, _)| is_kept(name))
        && url.fragment == route.unwrap_or("")
        && text.len() == clean_length(&url);
    if is_clean {
        return text.clone();
    }
    let mut clean = String::with_capacity(text.len());
    clean.extend([url.scheme, "://", url.authority, url.path]);
    let mut separator = '?';
    for (pair, _, _) in url.params().filter(|(_, name, _)| is_kept(name)) {
        clean.push(separator);
        clean.push_str(pair);
        separator = '&';
    }
    if let Some(route) = route {
        clean.push('#');
        clean.push_str(route);
    }
    Cow::Owned(clean)
}

/// The length of the URL when nothing is left out of it.
fn clean_length(url: &Url<'_>) -> usize {
    let query = if url.query.is_empty() { 0 } else { url.query.len() + 1 };
    let fragment = if url.fragment.is_empty() { 0 } else { url.fragment.len() + 1 };
    url.scheme.len() + 3 + url.authority.len() + url.path.len() + query + fragment
}

/// The path of a URL; `/` when it has none.
pub fn path<'a>(url: &Url<'a>) -> &'a str {
    if url.path.is_empty() { "/" } else { url.path }
}

fn is_allowed(name: &str, site: &Site) -> bool {
    name.starts_with("utm_")
        || click::find(name).is_some()
        || SOURCE_PARAMS.iter().any(|param| param.eq_ignore_ascii_case(name))
        || site.query_params.iter().any(|own| own == name)
}

/// Decoding can only shorten a URL's value, but a lossy one may triple it: the column's limit holds in any case.
fn cut(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= MAX_STRING_BYTES {
        return text;
    }
    let end = text.floor_char_boundary(MAX_STRING_BYTES);
    Cow::Owned(text.get(..end).unwrap_or("").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(url: &str) -> String {
        let mut site = Site::new("demo", &["shop.example"]).unwrap();
        site.query_params = vec!["size".into()];
        clean_url(&Cow::Borrowed(url), &site).into_owned()
    }

    #[test]
    fn only_allowed_parameters_stay() {
        for (url, stored) in [
            ("https://shop.example/p?utm_source=a&size=2", "https://shop.example/p?utm_source=a&size=2"),
            ("https://shop.example/p?session=secret&size=2&FBCLID=1", "https://shop.example/p?size=2&FBCLID=1"),
            ("https://shop.example/p?token=secret", "https://shop.example/p"),
            ("https://me:pw@shop.example/p", "https://shop.example/p"),
            ("https://shop.example/p#access_token=secret", "https://shop.example/p"),
            ("https://shop.example/#/cart?x=secret", "https://shop.example/#/cart"),
            (
                "https://shop.example/u/ann@mail.example?utm_term=bob%40mail.example",
                "https://shop.example/u/[email]?utm_term=[email]",
            ),
            ("https://shop.example", "https://shop.example"),
            ("/relative?token=1", "/relative"),
            ("relative#token=1?x", "relative"),
            ("?q=1", ""),
        ] {
            assert_eq!(clean(url), stored, "{url}");
        }
    }

    #[test]
    fn campaigns_are_decoded() {
        let url = Url::parse(
            "https://shop.example/?utm_source=news+letter&utm_source=b&utm_medium=e%2Dmail&gclid=&MSCLKID=x&fbclid=y",
        )
        .unwrap();
        let campaign = Campaign::parse(&url);
        assert_eq!((campaign.source.as_ref(), campaign.medium.as_ref()), ("news letter", "e-mail"));
        assert_eq!(campaign.click.map(|click| click.param), Some("msclkid"));
    }

    #[test]
    fn paths_come_from_the_url() {
        assert_eq!(Url::parse("https://shop.example/p/17?x=1").as_ref().map(path), Some("/p/17"));
        assert_eq!(Url::parse("https://shop.example?x=1").as_ref().map(path), Some("/"));
    }
}
