//! The page before.
//!
//! In scope: telling pages of the site itself from others. Out of scope: what the others are known for (`source`).

use std::borrow::Cow;

use crate::site::Site;
use crate::url::Url;

/// Where a visitor comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Referrer<'a> {
    /// Nothing that names a page.
    None,
    /// A page of the site.
    Own,
    /// Another site, or an app (`android-app://com.example/`).
    Other {
        /// Lower-case, without `www.` and port; the name of the package of an app.
        host: Cow<'a, str>,
        /// From the first `/`; may be empty.
        path: &'a str,
    },
}

impl<'a> Referrer<'a> {
    /// Reads the address of a page.
    pub fn parse(text: &'a str, site: &Site) -> Self {
        match Url::parse(text) {
            None => Self::None,
            Some(url) if site.has_host(&url.host()) => Self::Own,
            Some(url) => Self::Other { host: url.host(), path: url.path },
        }
    }

    /// The host of another site, else nothing.
    pub fn host(&self) -> &str {
        match self {
            Self::Other { host, .. } => host,
            Self::None | Self::Own => "",
        }
    }

    /// The host of another site, else nothing.
    pub fn into_host(self) -> Cow<'a, str> {
        match self {
            Self::Other { host, .. } => host,
            Self::None | Self::Own => Cow::Borrowed(""),
        }
    }

    /// The path on another site, else nothing.
    pub fn path(&self) -> &'a str {
        match self {
            Self::Other { path, .. } => path,
            Self::None | Self::Own => "",
        }
    }
}
