//! Rows to judge. In scope: which ones, day by day, and the verdict that stands for each. Out of scope: what is made of them.

use collector_core::filter::RULES_VERSION;
use collector_core::rejudge::{COLUMNS, StoredRow};
use collector_core::site::{Sites, is_id};
use serde::Deserialize;

use super::{Choice, ReclassifyError};
use crate::address::first_line;
use crate::connection::Connection;
use crate::time;

/// Items of a purchase have its verdict and are found with it (`item`). Their ids are computed by the edge, which makes them version 8; an event
/// of a site's own type `item` has another.
const NOT_AN_ITEM: &str = "NOT (e.event_type = 'item' AND substring(toString(e.event_id), 15, 1) = '8')";

/// How the values are written: as arrays, numbers bare, amounts as text. Its reader works between the lines, so time is no sign of trouble.
const SETTINGS: &str = "output_format_json_named_tuples_as_objects = 0, output_format_json_quote_64bit_integers = 0, \
                        output_format_json_quote_decimals = 1, max_execution_time = 0";

/// An event with the verdict that stands.
pub(super) const WITH_VERDICT: &str = "ecommerce.events AS e \
    LEFT ANY JOIN (SELECT *, true AS is_judged FROM ecommerce.verdicts) AS v \
    ON v.site_id = e.site_id AND v.timestamp = e.timestamp AND v.event_id = e.event_id";

/// The rows of a choice.
pub(super) struct Source<'c> {
    connection: &'c Connection,
    /// `YYYY-MM-DD hh:mm:ss`
    pub(super) from: String,
    /// `YYYY-MM-DD hh:mm:ss`
    pub(super) to: String,
    /// Empty: all sites.
    pub(super) site: String,
    /// The sites whose settings are known, as a list in SQL.
    known: String,
    /// Which of their rows the present rules have not judged, as SQL.
    due: String,
}

/// The events of one day.
#[derive(Debug, Deserialize)]
pub(super) struct Day {
    /// `YYYY-MM-DD`
    pub(super) date: String,
    /// Events of known sites.
    pub(super) events: u64,
    /// Events of sites that the settings do not name.
    pub(super) unknown_site: u64,
    /// The newest version of the collector's own rules that has judged one of them: a date, before the hash of a site's rules.
    pub(super) newest_rules: String,
}

/// A row and the verdict that stands: the edge's, or that of the newest run.
#[derive(Debug, Deserialize)]
pub(super) struct Standing {
    pub(super) is_bot: u8,
    /// The evidence of that verdict.
    pub(super) signals: Vec<String>,
    /// As the edge has stored it.
    pub(super) row: StoredRow,
}

impl Standing {
    pub(super) fn is_bot(&self) -> bool {
        self.is_bot != 0
    }
}

impl<'c> Source<'c> {
    /// Checks the choice. None of its texts can end a quote then.
    pub(super) fn new(connection: &'c Connection, sites: &Sites, choice: &Choice) -> Result<Self, ReclassifyError> {
        let refuse =
            |field, expected, found: &str| ReclassifyError::Choice { field, expected, found: found.to_owned() };
        let parse = |field, text: &str| time::parse(text).ok_or_else(|| refuse(field, time::EXPECTED, text));
        let (from, to) = (parse("--from", &choice.from)?, parse("--to", &choice.to)?);
        if from >= to {
            return Err(refuse("--to", "a time after --from", &choice.to));
        }
        let site = choice.site.clone().unwrap_or_default();
        let is_site = site.is_empty() || (is_id(&site) && sites.get(&site).is_some());
        if !is_site {
            return Err(refuse("--site", "a site of the settings", &site));
        }
        let known: Vec<_> = sites.iter().filter(|own| site.is_empty() || own.id == site).collect();
        if known.is_empty() {
            return Err(refuse("the settings", "at least one site", "none"));
        }
        let versions: Vec<_> = known.iter().map(|own| format!("('{}','{}')", own.id, own.rules.version())).collect();
        let version = "if(v.is_judged, v.rules_version, e.rules_version)";
        let due = format!("(e.site_id, {version}) NOT IN ({})", versions.join(","));
        let due = if choice.is_all { "1".to_owned() } else { due };
        let known = known.iter().map(|own| format!("'{}'", own.id)).collect::<Vec<_>>().join(",");
        Ok(Self { connection, from, to, site, known, due })
    }

    /// The version of the collector's own rules.
    pub(super) fn rules_version() -> &'static str {
        RULES_VERSION
    }

    /// The days that have events, in order.
    pub(super) fn days(&self) -> Result<Vec<Day>, ReclassifyError> {
        let Self { known, .. } = self;
        let site = if self.site.is_empty() { "1".to_owned() } else { format!("e.site_id = '{}'", self.site) };
        let sql = format!(
            "SELECT toString(toDate(e.timestamp)) AS date, countIf(e.site_id IN ({known})), countIf(e.site_id NOT IN ({known})), \
             max(splitByChar('+', e.rules_version)[1]) \
             FROM ecommerce.events AS e WHERE {} AND {site} AND {NOT_AN_ITEM} GROUP BY date ORDER BY date \
             SETTINGS {SETTINGS} FORMAT JSONCompactEachRow",
            self.range()
        );
        self.connection.execute(&sql)?.lines().map(parse).collect()
    }

    /// Hands over the due rows of a day, one at a time.
    pub(super) fn read(
        &self,
        date: &str,
        take: &mut dyn FnMut(Standing) -> Result<(), ReclassifyError>,
    ) -> Result<(), ReclassifyError> {
        let columns: Vec<_> = COLUMNS.iter().map(|name| column(name)).collect();
        let sql = format!(
            "SELECT if(v.is_judged, v.is_bot, e.is_bot), if(v.is_judged, v.bot_signals, e.bot_signals), ({}) FROM {WITH_VERDICT} WHERE {} \
             AND e.timestamp >= toDateTime64('{date}', 3, 'UTC') AND e.timestamp < toDateTime64('{date}', 3, 'UTC') + INTERVAL 1 DAY \
             AND e.site_id IN ({}) AND {NOT_AN_ITEM} AND {} SETTINGS {SETTINGS} FORMAT JSONCompactEachRow",
            columns.join(","),
            self.range(),
            self.known,
            self.due,
        );
        let mut lines = self.connection.lines(&sql)?;
        while let Some(line) = lines.next()? {
            take(parse(line)?)?;
        }
        Ok(())
    }

    fn range(&self) -> String {
        let Self { from, to, .. } = self;
        format!("e.timestamp >= toDateTime64('{from}', 3, 'UTC') AND e.timestamp < toDateTime64('{to}', 3, 'UTC')")
    }
}

/// A column as text where it is no text, because a row goes back under what identifies it.
fn column(name: &str) -> String {
    match name {
        "event_id" | "timestamp" => format!("toString(e.{name})"),
        _ => format!("e.{name}"),
    }
}

/// An error in the middle of a reply stands in its place.
pub(super) fn parse<T: for<'d> Deserialize<'d>>(line: &str) -> Result<T, ReclassifyError> {
    serde_json::from_str(line).map_err(|error| ReclassifyError::Row(format!("{error} in {}", first_line(line))))
}
