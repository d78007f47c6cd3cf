//! What becomes of one event, and the only place that spells a reason tag.
//!
//! In scope: the closed sets of outcomes and fates with their reasons, their stable machine tags, and the meaning that the documentation prints.
//! Out of scope: deciding an outcome (`pipeline`, `event`, `filter`), counting it (`ledger`), showing it to the sender (`receipt`).

use std::fmt::Write;

/// Declares a reason enum whose doc comment is also the text of the documentation table, so that the two cannot differ.
macro_rules! reasons {
    ($(#[$outer:meta])* $name:ident { $(#[doc = $meaning:literal] $variant:ident => $tag:literal,)+ }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $(#[doc = $meaning] $variant,)+ }

        impl $name {
            /// Every reason, in the order of the documentation table.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The stable machine tag, for receipts, metrics, the ledger and tests.
            pub const fn tag(self) -> &'static str {
                match self { $($name::$variant => $tag,)+ }
            }

            /// What the reason means, in one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $($name::$variant => $meaning,)+ }
            }

            /// The reason that has this tag.
            pub fn from_tag(tag: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.tag() == tag)
            }
        }
    };
}

reasons! {
    /// Not well-formed, over a limit, or not allowed to be sent: the sender has to change something.
    InvalidReason {
        /// The `Content-Encoding` is none of identity, gzip and deflate.
        UnsupportedEncoding => "unsupported_encoding",
        /// The compressed body cannot be inflated, or something follows it.
        CorruptEncoding => "corrupt_encoding",
        /// The body is longer than the limit, as received or decompressed.
        BodyTooLarge => "body_too_large",
        /// The body is not UTF-8.
        InvalidUtf8 => "invalid_utf8",
        /// The body is not JSON.
        InvalidJson => "invalid_json",
        /// The body is JSON, but neither an envelope, an event nor an array of events.
        NotABeacon => "not_a_beacon",
        /// The beacon has more events than the limit.
        TooManyEvents => "too_many_events",
        /// The beacon names more different sites than the limit.
        TooManySites => "too_many_sites",
        /// The event is not a JSON object, or one with a name that is no text.
        NotAnObject => "not_an_object",
        /// A required field is absent, null or empty.
        MissingField => "missing_field",
        /// The field has a JSON type that it cannot have.
        WrongType => "wrong_type",
        /// The field has the right type and an impossible value.
        InvalidValue => "invalid_value",
        /// The number does not fit its column.
        OutOfRange => "out_of_range",
        /// The string is longer than the limit.
        TooLong => "too_long",
        /// The event has more properties than the limit.
        TooManyProperties => "too_many_properties",
        /// The purchase has more items than the limit, or their rows more bytes.
        TooManyItems => "too_many_items",
        /// The site is strict and does not know the field.
        UnknownField => "unknown_field",
        /// No site has this id.
        UnknownSite => "unknown_site",
        /// The request comes from an origin that is none of the site's domains.
        OriginNotAllowed => "origin_not_allowed",
        /// The ingest key is none of the site's.
        WrongIngestKey => "wrong_ingest_key",
        /// A browser sent an ingest key, so everybody can read it: replace it.
        IngestKeyInBrowser => "ingest_key_in_browser",
    }
}

reasons! {
    /// Well-formed, but the site's policy says no: nothing is stored, the event is counted.
    FilterReason {
        /// The user agent says that it is a crawler, and the site drops crawlers.
        Crawler => "crawler",
        /// An agent has signed the request, and the site drops agents and crawlers.
        VerifiedAgent => "verified_agent",
        /// A driven browser says so, or signals of two independent categories say that this is a bot, and the site drops bots.
        Automation => "automation",
        /// One of the site's own rules drops it.
        Rule => "rule",
        /// The page was prefetched or prerendered: nobody has seen it yet.
        Prefetch => "prefetch",
        /// The browser sends Global Privacy Control, and the site honours it by dropping.
        Gpc => "gpc",
        /// The browser sends Do Not Track, and the site honours it by dropping.
        Dnt => "dnt",
        /// The visitor is outside the site's sample.
        Sampled => "sampled",
        /// The site is paused.
        SitePaused => "site_paused",
    }
}

reasons! {
    /// Over a limit for now: the sender may send the event again later.
    LimitReason {
        /// The site is over its events per second.
        SiteRate => "site_rate",
        /// This address is over its events per second on this site.
        AddressRate => "address_rate",
        /// The beacon has no room left for the rows of this event, or no work for the site's rules on it: send it again in another one.
        BeaconFull => "beacon_full",
        /// Nothing could take the event durably.
        Unavailable => "unavailable",
    }
}

reasons! {
    /// Why a stored event carries `is_bot = 1`.
    FlagReason {
        /// Stored with `is_bot = 1`: the user agent says that it is a crawler.
        Crawler => "crawler",
        /// Stored with `is_bot = 1`: an agent has signed the request, and its signature was checked.
        VerifiedAgent => "verified_agent",
        /// Stored with `is_bot = 1`: a driven browser says so, or signals of two independent categories.
        Automation => "automation",
        /// Stored with `is_bot = 1`: one of the site's own rules says so.
        Rule => "rule",
    }
}

reasons! {
    /// Why an accepted event was stored without identifiers.
    AnonymisedReason {
        /// Stored without identifiers: the browser sends Global Privacy Control.
        Gpc => "anonymised_gpc",
        /// Stored without identifiers: the browser sends Do Not Track.
        Dnt => "anonymised_dnt",
    }
}

reasons! {
    /// Why a stored row is not in the ClickHouse of the region that took it.
    ElsewhereReason {
        /// The row is in the ClickHouse of another permitted region, because its own did not answer.
        Failover => "failover",
        /// The row is in the ClickHouse of one permitted region; another may have it too, for it never said.
        PossibleDuplicate => "possible_duplicate",
    }
}

reasons! {
    /// Why a row was set aside.
    DeadLetterReason {
        /// ClickHouse refuses this row, whatever batch it is in; it is kept in `ecommerce.dead_letters`.
        RefusedByClickhouse => "refused_by_clickhouse",
    }
}

reasons! {
    /// What delivering took, per minute and region. No events are counted here.
    Measure {
        /// INSERTs of rows that ClickHouse took, in whatever region.
        Inserts => "inserts",
        /// Rows in these INSERTs.
        InsertRows => "insert_rows",
        /// Bytes of these rows, as JSON.
        InsertBytes => "insert_bytes",
        /// How long these INSERTs took, in milliseconds, all together.
        InsertMs => "insert_ms",
        /// Attempts that failed before them, or before a batch was cut.
        Retries => "retries",
        /// Batches that another region took.
        Failovers => "failovers",
        /// The most rows that waited at once; like the levels below it adds up over the Batchers of a region.
        BacklogRows => "backlog_rows",
        /// The most bytes that waited at once.
        BacklogBytes => "backlog_bytes",
        /// The longest that a row had waited, in seconds.
        BacklogSeconds => "backlog_seconds",
        /// Batchers that have measured these levels.
        Batchers => "batchers",
    }
}

/// What the collector decides about one event. Every event of a beacon ends in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Stored; with a reason if a privacy signal had its identifiers removed.
    Accepted(Option<AnonymisedReason>),
    /// Stored with `is_bot = 1` and its signals.
    Flagged(FlagReason),
    /// Not stored: the site's policy says no.
    Filtered(FilterReason),
    /// Not stored: the sender has to change something.
    Invalid(InvalidReason),
    /// Not stored again: this event id was stored a short time ago.
    Duplicate,
    /// Not stored: over a limit for now.
    Limited(LimitReason),
}

impl Outcome {
    /// The stable machine tag of the outcome.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Flagged(_) => "flagged",
            Self::Filtered(_) => "filtered",
            Self::Invalid(_) => "invalid",
            Self::Duplicate => "duplicate",
            Self::Limited(_) => "limited",
        }
    }

    /// The stable machine tag of the reason; empty when the outcome needs none.
    pub const fn reason_tag(self) -> &'static str {
        match self {
            Self::Accepted(None) | Self::Duplicate => "",
            Self::Accepted(Some(reason)) => reason.tag(),
            Self::Flagged(reason) => reason.tag(),
            Self::Filtered(reason) => reason.tag(),
            Self::Invalid(reason) => reason.tag(),
            Self::Limited(reason) => reason.tag(),
        }
    }

    /// True if the event becomes a row.
    pub const fn is_stored(self) -> bool {
        matches!(self, Self::Accepted(_) | Self::Flagged(_))
    }

    /// The outcome that has these two tags.
    pub fn from_tags(tag: &str, reason_tag: &str) -> Option<Self> {
        match tag {
            "accepted" if reason_tag.is_empty() => Some(Self::Accepted(None)),
            "accepted" => AnonymisedReason::from_tag(reason_tag).map(|reason| Self::Accepted(Some(reason))),
            "flagged" => FlagReason::from_tag(reason_tag).map(Self::Flagged),
            "filtered" => FilterReason::from_tag(reason_tag).map(Self::Filtered),
            "invalid" => InvalidReason::from_tag(reason_tag).map(Self::Invalid),
            "duplicate" if reason_tag.is_empty() => Some(Self::Duplicate),
            "limited" => LimitReason::from_tag(reason_tag).map(Self::Limited),
            _ => None,
        }
    }

    /// Every outcome with its meaning, in the order of the documentation table.
    pub fn all() -> Vec<(Self, &'static str)> {
        let mut all = vec![(Self::Accepted(None), "Stored.")];
        all.extend(AnonymisedReason::ALL.iter().map(|r| (Self::Accepted(Some(*r)), r.meaning().trim())));
        all.extend(FlagReason::ALL.iter().map(|r| (Self::Flagged(*r), r.meaning().trim())));
        all.extend(FilterReason::ALL.iter().map(|r| (Self::Filtered(*r), r.meaning().trim())));
        all.extend(InvalidReason::ALL.iter().map(|r| (Self::Invalid(*r), r.meaning().trim())));
        all.push((
            Self::Duplicate,
            "This event id was stored a short time ago, and those of all its items: nothing is stored again.",
        ));
        all.extend(LimitReason::ALL.iter().map(|r| (Self::Limited(*r), r.meaning().trim())));
        all
    }

    /// The table of all outcomes and reasons as Markdown, for the documentation.
    pub fn markdown_table() -> String {
        markdown(Self::all().into_iter().map(|(outcome, meaning)| (outcome.tag(), outcome.reason_tag(), meaning)))
    }
}

/// What became of an acknowledged row. Until then it is pending: in the Batcher's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    /// It is in ClickHouse; with a reason if that is not the region's own.
    Inserted(Option<ElsewhereReason>),
    /// It is set aside.
    DeadLettered(DeadLetterReason),
}

impl Fate {
    /// The stable machine tag of the fate.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Inserted(_) => "inserted",
            Self::DeadLettered(_) => "dead_lettered",
        }
    }

    /// The stable machine tag of the reason; empty when the fate needs none.
    pub const fn reason_tag(self) -> &'static str {
        match self {
            Self::Inserted(None) => "",
            Self::Inserted(Some(reason)) => reason.tag(),
            Self::DeadLettered(reason) => reason.tag(),
        }
    }

    /// Every fate with its meaning, in the order of the documentation table.
    pub fn all() -> Vec<(Self, &'static str)> {
        let mut all = vec![(Self::Inserted(None), "The row is in the ClickHouse of its region.")];
        all.extend(ElsewhereReason::ALL.iter().map(|r| (Self::Inserted(Some(*r)), r.meaning().trim())));
        all.extend(DeadLetterReason::ALL.iter().map(|r| (Self::DeadLettered(*r), r.meaning().trim())));
        all
    }

    /// The table of all fates as Markdown, for the documentation.
    pub fn markdown_table() -> String {
        markdown(Self::all().into_iter().map(|(fate, meaning)| (fate.tag(), fate.reason_tag(), meaning)))
    }
}

impl Measure {
    /// The column `outcome` of all measures.
    pub const TAG: &'static str = "delivery";

    /// The table of all measures as Markdown, for the documentation.
    pub fn markdown_table() -> String {
        markdown(Self::ALL.iter().map(|measure| (Self::TAG, measure.tag(), measure.meaning().trim())))
    }
}

/// A documentation table; its columns are those of `ecommerce.collector_outcomes`.
fn markdown<'a>(lines: impl Iterator<Item = (&'a str, &'a str, &'a str)>) -> String {
    let mut table = String::from("| outcome | reason | meaning |\n|---|---|---|\n");
    for (tag, reason, meaning) in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| `{tag}` | {} | {meaning} |", quoted(reason));
    }
    table
}

fn quoted(tag: &str) -> String {
    if tag.is_empty() { String::new() } else { format!("`{tag}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_found_again_by_its_tags() {
        for (outcome, _) in Outcome::all() {
            assert_eq!(Outcome::from_tags(outcome.tag(), outcome.reason_tag()), Some(outcome), "{outcome:?}");
        }
    }

    #[test]
    fn tags_are_unique_and_machine_readable() {
        let mut seen = std::collections::BTreeSet::new();
        for (outcome, meaning) in Outcome::all() {
            assert!(seen.insert((outcome.tag(), outcome.reason_tag())), "tag used twice: {outcome:?}");
            assert!(
                outcome.reason_tag().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{outcome:?}"
            );
            assert!(meaning.ends_with('.'), "meaning of {outcome:?} is a sentence");
        }
    }

    #[test]
    fn markdown_table_has_one_line_per_outcome() {
        assert_eq!(Outcome::markdown_table().lines().count(), Outcome::all().len() + 2);
    }
}
