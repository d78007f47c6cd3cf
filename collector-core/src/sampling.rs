//! The share of a site's visitors whose events are stored.
//!
//! In scope: the number, exact to nine decimals, as JSON and as text. Out of scope: who is in the sample (`enrich::visitor`).
//!
//! It is a whole number of billionths, because printing a float takes 16 KB of tables in Wasm.

use std::fmt;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error, Serialize, Serializer};
use serde_json::value::RawValue;

const ONE: i64 = 1_000_000_000;

/// A share; any number can be read, [`SamplingRate::is_share`] says whether it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamplingRate {
    billionths: i64,
}

impl SamplingRate {
    /// Every visitor.
    pub const ALL: Self = Self { billionths: ONE };

    /// Whether the number is above 0 and at most 1.
    pub fn is_share(self) -> bool {
        (1..=ONE).contains(&self.billionths)
    }

    /// Whether a position, one of 2^32 that are all equally likely, is within the share.
    pub fn includes(self, position: u32) -> bool {
        i128::from(position) * i128::from(ONE) < i128::from(self.billionths) << u32::BITS
    }
}

impl From<f64> for SamplingRate {
    fn from(share: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the cast saturates, and far from 0 to 1 the number is refused"
        )]
        let billionths = (share * 1e9 + 0.5_f64.copysign(share)) as i64;
        // Rounding must not make a share of less than a billionth.
        Self { billionths: if share < 1e-9 { billionths.min(0) } else { billionths } }
    }
}

impl fmt::Display for SamplingRate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.billionths / ONE, self.billionths % ONE);
        if part == 0 {
            return write!(formatter, "{whole}");
        }
        let sign = if self.billionths < 0 { "-" } else { "" };
        let decimals = format!("{:09}", part.unsigned_abs());
        write!(formatter, "{sign}{}.{}", whole.unsigned_abs(), decimals.trim_end_matches('0'))
    }
}

impl<'de> Deserialize<'de> for SamplingRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for SamplingRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_is_above_zero_and_at_most_one() {
        for (json, text, is_share) in [
            ("1", "1", true),
            ("0.25", "0.25", true),
            ("1e-7", "0.0000001", true),
            ("0.999", "0.999", true),
            ("0", "0", false),
            ("-0.5", "-0.5", false),
            ("1.5", "1.5", false),
        ] {
            let rate: SamplingRate = serde_json::from_str(json).unwrap();
            assert_eq!((rate.to_string().as_str(), rate.is_share()), (text, is_share), "{json}");
        }
    }

    #[test]
    fn the_share_of_all_positions_is_included() {
        let quarter = SamplingRate::from(0.25);
        assert!(quarter.includes(0) && quarter.includes((1 << 30) - 1));
        assert!(!quarter.includes(1 << 30) && !quarter.includes(u32::MAX));
        assert!(SamplingRate::ALL.includes(u32::MAX));
        assert!(!SamplingRate::from(0.0).includes(0));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(share in any::<f64>()) {
            let rate = SamplingRate::from(share);
            let json = serde_json::to_string(&rate).unwrap();
            let read: SamplingRate = serde_json::from_str(&json).unwrap();
            let error = read.billionths.abs_diff(rate.billionths);
            prop_assert!(error <= rate.billionths.unsigned_abs() >> 50, "{}", json);
        }
    }
}
