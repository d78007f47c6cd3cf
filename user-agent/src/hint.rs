//! User-agent client hints: the `Sec-CH-UA*` request headers.
//!
//! In scope: reading the headers into plain values. Out of scope: what they change (`refine`).

/// Values of the client hint request headers, as sent; every field is absent when its header is.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientHints<'a> {
    /// `Sec-CH-UA`.
    pub brands: Option<&'a str>,
    /// `Sec-CH-UA-Full-Version-List`.
    pub full_version_list: Option<&'a str>,
    /// `Sec-CH-UA-Mobile`: `?1` or `?0`.
    pub mobile: Option<&'a str>,
    /// `Sec-CH-UA-Platform`.
    pub platform: Option<&'a str>,
    /// `Sec-CH-UA-Platform-Version`.
    pub platform_version: Option<&'a str>,
    /// `Sec-CH-UA-Model`.
    pub model: Option<&'a str>,
}

/// Hints beyond this length are ignored.
const MAX_HINT_BYTES: usize = 512;

impl<'a> ClientHints<'a> {
    /// The hints in the order of their fields.
    pub(crate) fn all(&self) -> [Option<&'a str>; 6] {
        [self.brands, self.full_version_list, self.mobile, self.platform, self.platform_version, self.model]
    }

    /// Whether no hint was sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.all().iter().all(Option::is_none)
    }

    /// Whether the browser is a mobile one, if it says.
    pub(crate) fn is_mobile(&self) -> Option<bool> {
        match self.mobile.map(str::trim) {
            Some("?1") => Some(true),
            Some("?0") => Some(false),
            _ => None,
        }
    }

    /// The platform's name.
    pub(crate) fn platform_name(&self) -> Option<&'a str> {
        self.platform.and_then(text)
    }

    /// The platform's version.
    pub(crate) fn platform_number(&self) -> Option<&'a str> {
        self.platform_version.and_then(text)
    }

    /// The device's model.
    pub(crate) fn model_name(&self) -> Option<&'a str> {
        self.model.and_then(text)
    }

    /// The brand that says most, with the fullest version sent: never a made-up one, `Chromium` only if it stands alone.
    pub(crate) fn brand(&self) -> Option<Brand<'a>> {
        let fullest = self.full_version_list.and_then(best);
        fullest.or_else(|| self.brands.and_then(best))
    }
}

/// A brand and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Brand<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
}

/// The most telling brand of a list such as `"Chromium";v="138", "Brave";v="138", "Not)A;Brand";v="8"`.
fn best(list: &str) -> Option<Brand<'_>> {
    let mut found: Option<Brand<'_>> = None;
    for brand in brands(list) {
        let is_vaguer = |current: Brand<'_>| rank(brand.name) <= rank(current.name);
        if rank(brand.name) > 0 && !found.is_some_and(is_vaguer) {
            found = Some(brand);
        }
    }
    found
}

/// How much a brand tells: nothing (made up to keep servers honest), the engine, its best known browser, another browser.
fn rank(name: &str) -> u8 {
    let is_made_up = name.contains("Not") && name.contains("Brand");
    match name {
        _ if is_made_up => 0,
        "Chromium" => 1,
        "Google Chrome" => 2,
        _ => 3,
    }
}

/// The brands of a list: quoted names, each followed by a quoted version.
fn brands(list: &str) -> impl Iterator<Item = Brand<'_>> {
    let list = if list.len() > MAX_HINT_BYTES { "" } else { list };
    let mut quoted = list.split('"').skip(1).step_by(2);
    std::iter::from_fn(move || Some(Brand { name: quoted.next()?.trim(), version: quoted.next()? }))
}

/// The text of a quoted value, if there is any.
fn text(value: &str) -> Option<&str> {
    let value = value.trim();
    let text = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value).trim();
    (!text.is_empty() && text.len() <= MAX_HINT_BYTES).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brand_that_says_most_wins() {
        let cases = [
            (r#""Chromium";v="138", "Google Chrome";v="138", "Not)A;Brand";v="8""#, Some(("Google Chrome", "138"))),
            (r#""Not(A:Brand";v="99", "Microsoft Edge";v="133", "Chromium";v="133""#, Some(("Microsoft Edge", "133"))),
            (r#""Chromium";v="112", " Not A;Brand";v="99""#, Some(("Chromium", "112"))),
            (r#""Brave";v="138", "Google Chrome";v="138", "Chromium";v="138""#, Some(("Brave", "138"))),
            (r#""Google Chrome";v="138", "Brave";v="137""#, Some(("Brave", "137"))),
            (r#"" Not A;Brand";v="99""#, None),
            ("", None),
            (r#""Brave"#, None),
        ];
        for (list, expected) in cases {
            let hints = ClientHints { brands: Some(list), ..ClientHints::default() };
            assert_eq!(hints.brand().map(|brand| (brand.name, brand.version)), expected, "{list}");
        }
    }

    #[test]
    fn the_full_version_list_is_preferred() {
        let hints = ClientHints {
            brands: Some(r#""Brave";v="138""#),
            full_version_list: Some(r#""Chromium";v="138.0.7204.97", "Brave";v="138.1.80.113""#),
            ..ClientHints::default()
        };
        assert_eq!(hints.brand(), Some(Brand { name: "Brave", version: "138.1.80.113" }));
    }

    #[test]
    fn values_lose_their_quotes_and_empty_ones_count_as_absent() {
        let hints = ClientHints {
            platform: Some("\"Windows\""),
            model: Some("\"\""),
            mobile: Some("?0"),
            ..ClientHints::default()
        };
        assert_eq!(hints.platform_name(), Some("Windows"));
        assert_eq!(hints.model_name(), None);
        assert_eq!(hints.is_mobile(), Some(false));
    }
}
