//! Exact decimal numbers from text.
//!
//! In scope: the number grammar of JSON, read digit by digit into an integer and a power of ten.
//! Out of scope: floats. A price of `0.1` stays 1 x 10^-1 all the way to ClickHouse.

/// Digits kept of one number: 30 fit a `u128` with room for one more factor of ten, and no column holds more than 20.
const MAX_DIGITS: u32 = 30;

/// Digits of the largest `u64`; any number of fewer digits fits.
const MAX_U64_DIGITS: usize = 20;

/// Exponents beyond this give zero or an overflow in every column, so they need not be told apart.
const MAX_EXPONENT: i32 = 10_000;

/// The powers of ten that a `u128` holds.
const MAX_POWER_OF_TEN: u32 = 38;

/// A decimal number: `digits x 10^exponent`, negated if `is_negative`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    is_negative: bool,
    digits: u128,
    exponent: i32,
    /// True if digits beyond `MAX_DIGITS` were cut and were not all zero.
    is_cut: bool,
}

impl Number {
    /// Reads `-12.50`, `1e3`, `007`; nothing else may surround the number. `None` if the text is no number.
    pub fn parse(text: &str) -> Option<Self> {
        // Nearly every number is a plain one that 64 bits hold, and 128-bit arithmetic is slow in Wasm.
        if text.len() < MAX_U64_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let digits = text.parse::<u64>().ok()?;
            return Some(Self { is_negative: false, digits: u128::from(digits), exponent: 0, is_cut: false });
        }
        let (is_negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (unsigned.get(..at)?, parse_exponent(unsigned.get(at + 1..)?)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
        if whole.is_empty() || fraction.is_some_and(str::is_empty) {
            return None;
        }
        let mut number = Self { is_negative, digits: 0, exponent, is_cut: false };
        let mut kept = 0;
        for byte in whole.bytes() {
            number.append(byte, false, &mut kept)?;
        }
        for byte in fraction.unwrap_or("").bytes() {
            number.append(byte, true, &mut kept)?;
        }
        Some(number)
    }

    fn append(&mut self, byte: u8, is_fraction: bool, kept: &mut u32) -> Option<()> {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        if *kept < MAX_DIGITS {
            self.digits = self.digits * 10 + u128::from(digit);
            *kept += u32::from(self.digits != 0);
            self.exponent -= i32::from(is_fraction);
        } else {
            self.is_cut |= digit != 0;
            self.exponent += i32::from(!is_fraction);
        }
        Some(())
    }

    /// The number times a quantity. Of a number of many digits the first twenty count: no column holds more.
    #[must_use]
    pub fn times(self, quantity: u32) -> Self {
        /// Digits of the largest quantity: so many of the number's own give way where there is no room.
        const QUANTITY_DIGITS: i32 = 10;
        let factor = u128::from(quantity);
        if let Some(digits) = self.digits.checked_mul(factor) {
            return Self { digits, ..self };
        }
        let digits = self.digits / 10_u128.pow(QUANTITY_DIGITS.unsigned_abs());
        let exponent = self.exponent.saturating_add(QUANTITY_DIGITS);
        Self { digits: digits.saturating_mul(factor), exponent, is_cut: true, ..self }
    }

    /// The number as a whole number of `10^-scale`, rounded half away from zero. `None` if it does not fit.
    pub fn to_scaled(self, scale: u8) -> Option<i128> {
        let shift = self.exponent.saturating_add(i32::from(scale));
        let magnitude = if self.digits == 0 || shift == 0 {
            self.digits
        } else if shift >= 0 {
            self.digits.checked_mul(power_of_ten(shift.unsigned_abs())?)?
        } else {
            power_of_ten(shift.unsigned_abs()).map_or(0, |divisor| {
                let rounds_up = self.digits % divisor >= divisor.div_ceil(2);
                self.digits / divisor + u128::from(rounds_up)
            })
        };
        let magnitude = i128::try_from(magnitude).ok()?;
        Some(if self.is_negative { -magnitude } else { magnitude })
    }

    /// The number if it is whole (`5`, `5.0`, `5e2`), otherwise `None`.
    pub fn to_integer(self) -> Option<i128> {
        if self.is_cut {
            return None;
        }
        let is_whole = self.digits == 0
            || self.exponent >= 0
            || power_of_ten(self.exponent.unsigned_abs()).is_some_and(|divisor| self.digits.is_multiple_of(divisor));
        if is_whole { self.to_scaled(0) } else { None }
    }
}

fn power_of_ten(exponent: u32) -> Option<u128> {
    if exponent > MAX_POWER_OF_TEN { None } else { 10_u128.checked_pow(exponent) }
}

fn parse_exponent(text: &str) -> Option<i32> {
    let (is_negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..)?),
        [b'+', ..] => (false, text.get(1..)?),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse::<i32>().map_or(MAX_EXPONENT, |e| e.min(MAX_EXPONENT));
    Some(if is_negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_keep_their_exact_value() {
        for (text, scaled) in [
            ("0", 0),
            ("-0", 0),
            ("129.00", 1_290_000),
            ("007", 70_000),
            ("0.30000000000000004", 3_000),
            ("1e3", 10_000_000),
            ("1E-4", 1),
            ("0.00005", 1),
            ("0.00004999999999999999999999999999999999999999", 0),
            ("-0.00005", -1),
            ("1e-9999999999", 0),
            ("0e9999999999", 0),
            ("100000000000000000000000000000000000e-33", 1_000_000),
        ] {
            assert_eq!(Number::parse(text).and_then(|n| n.to_scaled(4)), Some(scaled), "{text}");
        }
    }

    #[test]
    fn a_product_is_exact() {
        for (text, quantity, scaled) in [
            ("0.12345", 10_000, 12_345_000),
            ("-19.99", 3, -599_700),
            ("5", 0, 0),
            ("0.100000000000000000000000000001", u32::MAX, 4_294_967_295_000),
        ] {
            let product = Number::parse(text).and_then(|number| number.times(quantity).to_scaled(4));
            assert_eq!(product, Some(scaled), "{text} x {quantity}");
        }
    }

    #[test]
    fn text_that_is_no_number_is_refused() {
        for text in
            ["", "-", ".5", "5.", "1e", "1e+", "+1", " 1", "1 ", "0x10", "1,5", "1.2.3", "NaN", "inf", "--1", "1-", "٣"]
        {
            assert_eq!(Number::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn integers_are_whole_or_nothing() {
        for (text, integer) in [
            ("5", Some(5)),
            ("5.0", Some(5)),
            ("5e2", Some(500)),
            ("500e-2", Some(5)),
            ("5.5", None),
            ("1e40", None),
            ("18446744073709551615", Some(i128::from(u64::MAX))),
            ("1000000000000000000000000000000.5", None),
        ] {
            assert_eq!(Number::parse(text).and_then(Number::to_integer), integer, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in ".{0,80}") {
            let _ = Number::parse(&text).map(|n| (n.to_integer(), n.to_scaled(4)));
        }

        #[test]
        fn any_integer_is_read_back(value in any::<i64>()) {
            prop_assert_eq!(Number::parse(&value.to_string()).and_then(Number::to_integer), Some(i128::from(value)));
        }

        #[test]
        fn four_decimals_are_never_changed(value in -999_999_999_999_999_999_i64..=999_999_999_999_999_999) {
            let sign = if value < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:04}", value.unsigned_abs() / 10_000, value.unsigned_abs() % 10_000);
            prop_assert_eq!(Number::parse(&text).and_then(|n| n.to_scaled(4)), Some(i128::from(value)));
        }
    }
}
