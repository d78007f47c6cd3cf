//! Typed reading of the fields of one event.
//!
//! In scope: JSON text to string, number or amount, and the receipt's reason and pointer when it is none.
//! Out of scope: which fields an event needs (`event`).

use std::borrow::Cow;

use crate::beacon::WireEvent;
use crate::field::Field;
use crate::money::Money;
use crate::number::Number;
use crate::outcome::InvalidReason;
use crate::wire;

/// The longest URL, in bytes of UTF-8.
pub const MAX_URL_BYTES: usize = 2_048;

/// The longest other string, in bytes of UTF-8.
pub const MAX_STRING_BYTES: usize = 1_024;

/// Why one event is invalid, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The reason, for the receipt and the ledger.
    pub reason: InvalidReason,
    /// JSON pointer of the field in the beacon; empty for the whole document.
    pub field: String,
}

impl Invalid {
    /// The same below a pointer.
    pub(crate) fn below(self, pointer: &str) -> Self {
        Self { field: format!("{pointer}{}", self.field), ..self }
    }
}

/// Reads a string. Numbers are accepted as their text, because shops send numeric order ids as numbers.
pub(crate) fn text(value: &str, max_bytes: usize) -> Result<Cow<'_, str>, InvalidReason> {
    let text = match wire::string(value) {
        Some(text) => text,
        None if is_number(value) => Cow::Borrowed(value),
        None => return Err(InvalidReason::WrongType),
    };
    if text.len() > max_bytes { Err(InvalidReason::TooLong) } else { Ok(text) }
}

/// True unless the value is a string of nothing but white space: that is as good as absent.
pub(crate) fn is_filled(value: &&str) -> bool {
    wire::string(value).is_none_or(|text| !text.trim_ascii().is_empty())
}

/// Reads a number, or a string that is one.
pub(crate) fn number(value: &str) -> Result<Number, InvalidReason> {
    if is_number(value) {
        return Number::parse(value).ok_or(InvalidReason::InvalidValue);
    }
    let text = wire::string(value).ok_or(InvalidReason::WrongType)?;
    Number::parse(&text).ok_or(InvalidReason::InvalidValue)
}

/// Reads a whole number from 0 to `max`.
pub(crate) fn integer(value: &str, max: u64) -> Result<u64, InvalidReason> {
    let number = number(value)?;
    let Some(integer) = number.to_integer() else {
        // Too large for any integer is out of range; a fraction is another mistake.
        let is_huge = number.to_scaled(0).is_none_or(|rounded| rounded.abs() > i128::from(u64::MAX));
        return Err(if is_huge { InvalidReason::OutOfRange } else { InvalidReason::InvalidValue });
    };
    u64::try_from(integer).ok().filter(|value| *value <= max).ok_or(InvalidReason::OutOfRange)
}

/// Reads an amount of money.
pub(crate) fn money(value: &str) -> Result<Money, InvalidReason> {
    Money::from_number(number(value)?).ok_or(InvalidReason::OutOfRange)
}

fn is_number(value: &str) -> bool {
    value.as_bytes().first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')
}

/// Reads the known fields of one event; absent fields are `None`, and an error carries its pointer.
impl<'a> WireEvent<'_, 'a> {
    pub(crate) fn invalid(&self, field: Field, reason: InvalidReason) -> Invalid {
        Invalid { reason, field: self.pointer(field) }
    }

    fn read<T>(
        &self,
        field: Field,
        read: impl FnOnce(&'a str) -> Result<T, InvalidReason>,
    ) -> Result<Option<T>, Invalid> {
        self.get(field).map(read).transpose().map_err(|reason| self.invalid(field, reason))
    }

    pub(crate) fn text(&self, field: Field) -> Result<Cow<'a, str>, Invalid> {
        Ok(self.read(field, |value| text(value, MAX_STRING_BYTES))?.unwrap_or_default())
    }

    pub(crate) fn url(&self, field: Field) -> Result<Cow<'a, str>, Invalid> {
        Ok(self.read(field, |value| text(value, MAX_URL_BYTES))?.unwrap_or_default())
    }

    pub(crate) fn u64(&self, field: Field) -> Result<Option<u64>, Invalid> {
        self.read(field, |value| integer(value, u64::MAX))
    }

    pub(crate) fn u32(&self, field: Field) -> Result<Option<u32>, Invalid> {
        let value = self.read(field, |value| integer(value, u64::from(u32::MAX)))?;
        Ok(value.and_then(|value| u32::try_from(value).ok()))
    }

    pub(crate) fn money(&self, field: Field) -> Result<Option<Money>, Invalid> {
        self.read(field, money)
    }

    /// Reads milliseconds since 1970; a fraction (from a high-resolution clock) is rounded.
    pub(crate) fn time_ms(&self, field: Field) -> Result<Option<i64>, Invalid> {
        /// The range of a JavaScript `Date`, in milliseconds around 1970.
        const MAX_TIME_MS: i128 = 8_640_000_000_000_000;
        self.read(field, |value| {
            let time_ms = number(value)?.to_scaled(0).filter(|ms| ms.abs() <= MAX_TIME_MS);
            time_ms.and_then(|ms| i64::try_from(ms).ok()).ok_or(InvalidReason::OutOfRange)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_accepts_its_values_and_names_the_mistake() {
        use InvalidReason::{InvalidValue, OutOfRange, WrongType};
        for (value, expected) in [
            ("17", Ok(17)),
            ("\"17\"", Ok(17)),
            ("17.0", Ok(17)),
            ("255", Ok(255)),
            ("256", Err(OutOfRange)),
            ("-1", Err(OutOfRange)),
            ("1e40", Err(OutOfRange)),
            ("1.5", Err(InvalidValue)),
            ("\"17 \"", Err(InvalidValue)),
            ("\"\"", Err(InvalidValue)),
            ("true", Err(WrongType)),
            ("[1]", Err(WrongType)),
            ("{}", Err(WrongType)),
        ] {
            assert_eq!(integer(value, 255), expected, "{value}");
        }
        assert_eq!(text("42", 9).as_deref(), Ok("42"));
        assert_eq!(text("\"0123456789\"", 9), Err(InvalidReason::TooLong));
        assert_eq!(text("false", 9), Err(WrongType));
        assert_eq!(money("\"129,00\""), Err(InvalidValue));
        assert_eq!(money("1e15"), Err(OutOfRange));
    }
}
