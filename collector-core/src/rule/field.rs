//! What conditions can ask about: the columns of the row.
//!
//! In scope: names, types and values of fields. Out of scope: what may be asked of each type (`parser`).
//!
//! A rule sees the row as it would be stored, with two exceptions: `ip_address` and `user_agent` are what the edge saw, because rules about them
//! have to work for sites that store less.

use std::net::IpAddr;

use crate::client::Client;
use crate::filter::Signal;
use crate::row::Row;
use crate::rule::lexer::NUMBER_SCALE;
use crate::rule::work::Work;

/// What a rule is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// The row as it would be stored.
    pub row: &'s Row<'s>,
    /// The sender.
    pub client: &'s Client<'s>,
    /// What rules may still do.
    pub work: &'s Work,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Number,
    Flag,
    List,
    Address,
}

/// The value of a field; absent texts are empty, absent numbers zero.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'s> {
    Text(&'s str),
    /// In parts of `NUMBER_SCALE`.
    Number(i128),
    Flag(bool),
    List(&'s [Signal]),
    Address(Option<IpAddr>),
}

/// A column of the row.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Type,
    read: for<'s> fn(&Subject<'s>) -> Value<'s>,
}

/// What a condition asks about.
#[derive(Debug)]
pub(crate) enum Field {
    Column(&'static Column),
    /// A property, by its name.
    Property(String),
}

impl Field {
    /// The field of this name, if there is one.
    pub(crate) fn find(name: &str) -> Option<Self> {
        COLUMNS.iter().find(|column| column.name == name).map(Self::Column)
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        matches!(self, Self::Column(column) if column.name == name)
    }

    pub(crate) fn kind(&self) -> Type {
        match self {
            Self::Column(column) => column.kind,
            Self::Property(_) => Type::Text,
        }
    }

    /// Steps to find the value: a property is looked for by its name.
    pub(crate) fn steps(&self, subject: &Subject<'_>) -> usize {
        match self {
            Self::Column(_) => 0,
            Self::Property(_) => subject.row.properties.iter().count(),
        }
    }

    pub(crate) fn value<'s>(&self, subject: &Subject<'s>) -> Value<'s> {
        match self {
            Self::Column(column) => (column.read)(subject),
            Self::Property(name) => Value::Text(subject.row.properties.get(name).unwrap_or("")),
        }
    }
}

macro_rules! column {
    (Text $name:ident) => {
        column!($name, Type::Text, |subject| Value::Text(subject.row.$name.as_ref()))
    };
    (Number $name:ident) => {
        column!($name, Type::Number, |subject| Value::Number(i128::from(subject.row.$name) * NUMBER_SCALE))
    };
    ($name:ident, $kind:expr, $read:expr) => {
        Column { name: stringify!($name), kind: $kind, read: $read }
    };
}

/// Every column that a condition can ask about. Times and ids say nothing about who sent an event.
pub(crate) const COLUMNS: &[Column] = &[
    column!(Text event_type),
    column!(Text session_id),
    column!(Text page_url),
    column!(Text page_path),
    column!(Text page_title),
    column!(Text referrer),
    column!(Text referrer_host),
    column!(Text channel),
    column!(Text utm_source),
    column!(Text utm_medium),
    column!(Text utm_campaign),
    column!(Text utm_term),
    column!(Text utm_content),
    column!(Text country),
    column!(Text region),
    column!(Text city),
    column!(Text timezone),
    column!(Text language),
    column!(Text device_type),
    column!(Text browser),
    column!(Text browser_version),
    column!(Text os),
    column!(Text os_version),
    column!(Text device_brand),
    column!(Text device_model),
    column!(Text order_id),
    column!(Text currency),
    column!(Text collector_region),
    column!(Text colo),
    column!(Text tracker),
    column!(user_agent, Type::Text, |subject| Value::Text(subject.client.user_agent.unwrap_or(""))),
    column!(Number user_id),
    column!(Number asn),
    column!(Number seq),
    column!(Number skew_ms),
    column!(Number screen_width),
    column!(Number screen_height),
    column!(Number quantity),
    column!(Number engaged_ms),
    column!(Number scroll_pct),
    column!(product_id, Type::Number, |subject| {
        Value::Number(i128::from(subject.row.product_id.unwrap_or(0)) * NUMBER_SCALE)
    }),
    column!(revenue, Type::Number, |subject| Value::Number(subject.row.revenue.ten_thousandths().into())),
    column!(is_bot, Type::Flag, |subject| Value::Flag(subject.row.is_bot)),
    column!(bot_signals, Type::List, |subject| Value::List(subject.row.bot_signals)),
    column!(ip_address, Type::Address, |subject| Value::Address(subject.client.ip)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_a_column_of_the_row() {
        for column in COLUMNS {
            assert!(crate::row::COLUMNS.contains(&column.name), "{}", column.name);
        }
    }

    #[test]
    fn every_field_is_documented_with_its_type() {
        let document = include_str!("../../../docs/rules.md");
        for column in COLUMNS {
            let kind = format!("| {} |", format!("{:?}", column.kind).to_lowercase());
            let line = document.lines().find(|line| line.starts_with(&kind)).expect("a line for each type");
            assert!(line.contains(&format!("`{}`", column.name)), "{} in {line}", column.name);
        }
    }
}
