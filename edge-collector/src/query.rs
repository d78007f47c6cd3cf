//! The query of a request's own address. In scope: its names and values, decoded.
//!
//! `Request::url` of the `worker` crate would do, but brings the `url` crate: its parser and its international names were 15 KB of
//! the gzipped Worker, for a query that the runtime has already written out in full.

use std::borrow::Cow;

use collector_core::url::{Url, decode_param};

/// The query as written, without its `?`; empty if there is none.
pub(crate) fn of(url: &str) -> &str {
    Url::parse(url).map_or("", |url| url.query)
}

/// Names and values of a query.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode_param(name), decode_param(value))
    })
}
