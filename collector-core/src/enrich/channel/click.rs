//! Click ids: query parameters by which networks recognise their clicks.
//!
//! In scope: which network a parameter belongs to, and what it implies where the site owner says nothing. Out of scope: which parameters a
//! stored URL keeps (`page`).

/// A parameter that a network adds to links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Click {
    /// Name of the parameter, lower-case.
    pub param: &'static str,
    /// The network, as campaigns name it.
    pub source: &'static str,
    /// `cpc` or `display` if only paid clicks carry it; empty if links that people share carry it too.
    pub medium: &'static str,
}

const fn click(param: &'static str, source: &'static str, medium: &'static str) -> Click {
    Click { param, source, medium }
}

/// Every click id. Of several in one URL the first of this list counts: paid clicks are told more surely.
pub const CLICKS: [Click; 18] = [
    click("gclid", "google", "cpc"),
    click("gbraid", "google", "cpc"),
    click("wbraid", "google", "cpc"),
    click("gclsrc", "google", "cpc"),
    click("gad_source", "google", "cpc"),
    click("dclid", "doubleclick", "display"),
    click("msclkid", "bing", "cpc"),
    click("yclid", "yandex", "cpc"),
    click("ttclid", "tiktok", "cpc"),
    click("twclid", "twitter", "cpc"),
    click("li_fat_id", "linkedin", "cpc"),
    click("epik", "pinterest", "cpc"),
    click("sccid", "snapchat", "cpc"),
    click("scid", "snapchat", "cpc"),
    click("rdt_cid", "reddit", "cpc"),
    // On every link out of Facebook, paid or not.
    click("fbclid", "facebook", ""),
    click("ysclid", "yandex", ""),
    click("srsltid", "google", ""),
];

/// The click id of this name, in any case.
pub fn find(param: &str) -> Option<&'static Click> {
    CLICKS.iter().find(|click| click.param.eq_ignore_ascii_case(param))
}

impl Click {
    /// The one that tells more.
    #[must_use]
    pub fn or_surer(&'static self, other: Option<&'static Self>) -> &'static Self {
        let place = |click: &Self| CLICKS.iter().position(|own| own == click);
        other.filter(|other| place(other) < place(self)).unwrap_or(self)
    }
}
