//! One measured figure and the table of a suite. In scope: how a figure is judged and shown.

use std::fmt::Write as _;

const HEADERS: [&str; 5] = ["what", "measured", "budget", "ratio", "verdict"];

/// What was measured, and what it should be.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    what: String,
    measured: f64,
    unit: &'static str,
    budget: Budget,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Budget {
    AtMost(f64),
    AtLeast(f64),
    /// It is shown beside the others and not judged.
    None,
}

impl Figure {
    pub(super) fn new(what: impl Into<String>, measured: f64, unit: &'static str, budget: Budget) -> Self {
        Self { what: what.into(), measured, unit, budget }
    }

    pub(super) fn is_missed(&self) -> bool {
        match self.budget {
            Budget::AtMost(limit) => self.measured > limit,
            // A figure that is not a number reaches nothing.
            Budget::AtLeast(limit) => self.measured.is_nan() || self.measured < limit,
            Budget::None => false,
        }
    }

    fn cells(&self) -> [String; 5] {
        let (sign, limit) = match self.budget {
            Budget::AtMost(limit) => ("<=", limit),
            Budget::AtLeast(limit) => (">=", limit),
            Budget::None => {
                let measured = format!("{} {}", number(self.measured), self.unit);
                return [self.what.clone(), measured, String::new(), String::new(), String::new()];
            }
        };
        let ratio = if limit == 0.0 { String::new() } else { format!("{}x", number(self.measured / limit)) };
        let verdict = if self.is_missed() { "MISSED" } else { "ok" };
        [
            self.what.clone(),
            format!("{} {}", number(self.measured), self.unit),
            format!("{sign} {} {}", number(limit), self.unit),
            ratio,
            verdict.to_owned(),
        ]
    }
}

/// The figures as a table; the ratio is the measured figure over its budget.
pub(super) fn table(figures: &[Figure]) -> String {
    let rows: Vec<[String; 5]> =
        std::iter::once(HEADERS.map(str::to_owned)).chain(figures.iter().map(Figure::cells)).collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for [what, measured, budget, ratio, verdict] in &rows {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{what:<0$}  {measured:>1$}  {budget:>2$}  {ratio:>3$}  {verdict}",
            width(0),
            width(1),
            width(2),
            width(3)
        );
    }
    text
}

/// Three digits, or all of a whole number, with separators of thousands.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = if magnitude >= 100.0 || value.fract() == 0.0 {
        0
    } else if magnitude >= 10.0 {
        1
    } else if magnitude >= 0.1 {
        2
    } else {
        4
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    fraction.map_or_else(|| format!("{sign}{grouped}"), |fraction| format!("{sign}{grouped}.{fraction}"))
}

/// The middle of an odd number of measurements, the upper middle of an even one; not a number if there is none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value below which this share of the sorted values lies; not a number if there is none.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a position"
    )]
    let position = (share * sorted.len() as f64) as usize;
    sorted.get(position.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// Small counts as a float, for ratios.
#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^52")]
pub(super) fn float(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_judged_by_its_budget() {
        let is_missed = |measured, budget| Figure::new("x", measured, "B", budget).is_missed();
        assert!(!is_missed(10.0, Budget::AtMost(10.0)));
        assert!(is_missed(10.1, Budget::AtMost(10.0)));
        assert!(!is_missed(0.8, Budget::AtLeast(0.8)));
        assert!(is_missed(0.79, Budget::AtLeast(0.8)));
        assert!(is_missed(f64::NAN, Budget::AtLeast(0.8)));
        assert!(!is_missed(9.0, Budget::None));
    }

    #[test]
    fn numbers_are_short_and_grouped() {
        let texts = [1_234_567.0, 358_400.4, 99.94, 2.345, 0.8, 0.0123, 0.0, -1234.0].map(number);
        assert_eq!(texts, ["1,234,567", "358,400", "99.9", "2.35", "0.80", "0.0123", "0", "-1,234"]);
    }

    #[test]
    fn a_table_shows_ratio_and_verdict() {
        let figures = [
            Figure::new("Wasm", 460_028.0, "B", Budget::AtMost(358_400.0)),
            Figure::new("no-op", 21.0, "ms", Budget::None),
        ];
        let shown = table(&figures);
        let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["Wasm", "460,028", "B", "<=", "358,400", "B", "1.28x", "MISSED"]);
        assert_eq!(lines[2], ["no-op", "21", "ms"]);
    }

    #[test]
    fn medians_and_quantiles() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
        let sorted: Vec<f64> = (0..100).map(f64::from).collect();
        assert!((quantile(&sorted, 0.95) - 95.0).abs() < f64::EPSILON);
        assert!((quantile(&sorted, 1.0) - 99.0).abs() < f64::EPSILON);
    }
}
