//! What a run found. In scope: the table, and whether it is as it should be.

use std::fmt;
use std::time::Duration;

use super::account::{Cross, Tally};

/// The account of a run.
pub struct Report {
    pub(super) lines: Vec<Line>,
    pub(super) cross: Cross,
}

/// One fault.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) tally: Tally,
    pub(super) end: End,
}

/// How a fault ended.
pub(super) enum End {
    /// Everything acknowledged during it was delivered so long after it was mended.
    Recovered(Duration),
    /// It was not delivered within this time.
    NotRecovered(Duration),
    /// It could not be brought about, or something else was wrong while it lasted.
    Failed(String),
    /// It is not possible on this machine.
    NotRun(&'static str),
}

impl Line {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, tally: Tally::default(), end: End::NotRecovered(Duration::ZERO) }
    }

    fn is_clean(&self) -> bool {
        self.tally.is_clean() && matches!(self.end, End::Recovered(_))
    }
}

impl Report {
    /// Whether every acknowledged event is stored once, everywhere it is counted, and in time.
    pub fn is_clean(&self) -> bool {
        self.acknowledged() > 0 && self.lines.iter().all(Line::is_clean) && self.cross.is_clean()
    }

    /// How many events the collector has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.lines.iter().map(|line| line.tally.acknowledged).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{:<18} {:>12} {:>9} {:>6} {:>8} {:>14}  recovery",
            "fault", "acknowledged", "stored", "lost", "doubled", "dead-lettered"
        )?;
        for line in &self.lines {
            let Tally { acknowledged, stored, lost, doubled, dead_lettered, poison } = line.tally;
            let letters = format!("{dead_lettered} of {poison}");
            let mark = if line.is_clean() { "" } else { "  <--" };
            let name = line.name;
            writeln!(
                out,
                "{name:<18} {acknowledged:>12} {stored:>9} {lost:>6} {doubled:>8} {letters:>14}  {}{mark}",
                line.end
            )?;
        }
        let Cross { rows, letters, in_view, in_outcomes, inserted, dead_lettered, open, resident, strayed } =
            self.cross;
        let total = self.acknowledged();
        writeln!(out, "\n{total} events acknowledged, {rows} rows, {letters} dead letters")?;
        writeln!(out, "{in_view} events in the hourly view (expected {rows})")?;
        writeln!(out, "{in_outcomes} accepted or flagged in collector_outcomes (expected {})", rows + letters)?;
        writeln!(
            out,
            "{inserted} booked as inserted (expected {rows}), {dead_lettered} as dead-lettered (expected {letters})"
        )?;
        writeln!(out, "{open} pending or unaccounted in the books (expected 0)")?;
        write!(
            out,
            "{resident} events of the site that is bound to one region are there, {strayed} elsewhere (expected 0)"
        )
    }
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recovered(after) => write!(out, "{:.1} s", after.as_secs_f64()),
            Self::NotRecovered(limit) => write!(out, "not within {} s", limit.as_secs()),
            Self::Failed(error) => write!(out, "{error}"),
            Self::NotRun(hindrance) => write!(out, "not run: {hindrance}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(tally: Tally, end: End) -> Report {
        let cross = Cross {
            rows: 5,
            letters: 0,
            in_view: 5,
            in_outcomes: 5,
            inserted: 5,
            dead_lettered: 0,
            open: 0,
            resident: 1,
            strayed: 0,
        };
        Report { lines: vec![Line { name: "refused", tally, end }], cross }
    }

    #[test]
    fn a_report_is_clean_only_if_everything_is() {
        type Spoil = fn(&mut Cross);
        let whole = Tally { acknowledged: 5, stored: 5, ..Tally::default() };
        let second = Duration::from_secs(1);
        assert!(report(whole, End::Recovered(second)).is_clean());
        assert!(!report(whole, End::NotRecovered(second)).is_clean());
        assert!(!report(whole, End::Failed("x".to_owned())).is_clean());
        assert!(!report(whole, End::NotRun("not here")).is_clean(), "what did not run proves nothing");
        assert!(!report(Tally { lost: 1, ..whole }, End::Recovered(second)).is_clean());
        assert!(!report(Tally::default(), End::Recovered(second)).is_clean(), "nothing was sent");
        let mut doubled_in_view = report(whole, End::Recovered(second));
        doubled_in_view.cross.in_view = 6;
        assert!(!doubled_in_view.is_clean());
        let spoils: [Spoil; 3] = [|cross| cross.inserted = 4, |cross| cross.dead_lettered = 1, |cross| cross.open = 1];
        for spoil in spoils {
            let mut wrong_books = report(whole, End::Recovered(second));
            spoil(&mut wrong_books.cross);
            assert!(!wrong_books.is_clean(), "{wrong_books}");
        }
        let mut astray = report(whole, End::Recovered(second));
        astray.cross.strayed = 1;
        assert!(!astray.is_clean());
    }

    #[test]
    fn the_table_marks_what_is_wrong() {
        let lossy = Tally { acknowledged: 5, stored: 4, lost: 1, ..Tally::default() };
        let text = report(lossy, End::Recovered(Duration::from_millis(1_500))).to_string();
        assert!(
            text.contains("refused                       5         4      1        0         0 of 0  1.5 s  <--"),
            "{text}"
        );
    }
}
