//! Amounts of money as ClickHouse's `Decimal(18,4)`.
//!
//! In scope: reading an amount, writing it as text.
//! Out of scope: currencies (`event`) and conversion between them.

use std::fmt;

use crate::number::Number;

/// Digits after the point of `Decimal(18,4)`.
const SCALE: u8 = 4;

/// Ten-thousandths in one unit.
const UNIT: u64 = 10_000;

/// The largest magnitude of `Decimal(18,4)`: 18 nines, in ten-thousandths.
const MAX_TEN_THOUSANDTHS: i128 = 999_999_999_999_999_999;

/// An amount that fits `Decimal(18,4)`, without a float on the way.
///
/// More than four decimals are rounded half away from zero, because JavaScript prices such as `0.30000000000000004` are honest mistakes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money {
    ten_thousandths: i64,
}

impl Money {
    /// The amount of a number, or `None` if it does not fit.
    pub fn from_number(number: Number) -> Option<Self> {
        Self::from_ten_thousandths(number.to_scaled(SCALE)?)
    }

    /// The amount in ten-thousandths of its currency.
    pub const fn ten_thousandths(self) -> i64 {
        self.ten_thousandths
    }

    fn from_ten_thousandths(value: i128) -> Option<Self> {
        if value.abs() > MAX_TEN_THOUSANDTHS {
            return None;
        }
        i64::try_from(value).ok().map(|ten_thousandths| Self { ten_thousandths })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.ten_thousandths.unsigned_abs();
        let sign = if self.ten_thousandths < 0 { "-" } else { "" };
        let (whole, mut fraction) = (magnitude / UNIT, magnitude % UNIT);
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let mut width = usize::from(SCALE);
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            width -= 1;
        }
        write!(f, "{sign}{whole}.{fraction:0width$}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str) -> Option<Money> {
        Number::parse(text).and_then(Money::from_number)
    }

    #[test]
    fn amounts_are_written_shortest() {
        for (text, written) in [
            ("129.00", "129"),
            ("129.90", "129.9"),
            ("0.0001", "0.0001"),
            ("-12.34", "-12.34"),
            ("19.99995", "20"),
            ("-0.00001", "0"),
            ("99999999999999.9999", "99999999999999.9999"),
        ] {
            assert_eq!(money(text).map(|m| m.to_string()).as_deref(), Some(written), "{text}");
        }
    }

    #[test]
    fn amounts_that_do_not_fit_are_refused() {
        for text in ["100000000000000", "99999999999999.99995", "-1e14", "1e999"] {
            assert_eq!(money(text), None, "{text}");
        }
        assert_eq!(Number::parse("99999999999999").and_then(|n| Money::from_number(n.times(2))), None);
    }

    proptest! {
        #[test]
        fn any_amount_is_read_back_from_its_text(value in -999_999_999_999_999_999_i64..=999_999_999_999_999_999) {
            let amount = Money { ten_thousandths: value };
            prop_assert_eq!(money(&amount.to_string()), Some(amount));
        }
    }
}
