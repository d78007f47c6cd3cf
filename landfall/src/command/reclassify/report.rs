//! What `landfall reclassify` prints: how far it is, and what it found.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use landfall::connection::Target;
use landfall::reclassify::{Change, Diff, Mode, Outcome, Progress, Tally};

const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// Lines of one list; what follows is only counted.
const MAX_LINES: usize = 15;
/// Characters of a user agent.
const MAX_SHOWN_CHARACTERS: usize = 120;

/// How far it is, now and then, where it does not mix with the result.
#[derive(Default)]
pub(super) struct Meter {
    total: u64,
    shown_at: Option<Instant>,
}

impl Meter {
    pub(super) fn show(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Counted { events } => {
                self.total = events;
                self.shown_at = Some(Instant::now());
                eprintln!("{events} events in question");
            }
            Progress::Judged { day, events } => {
                if self.shown_at.is_none_or(|at| at.elapsed() > PROGRESS_EVERY) {
                    self.shown_at = Some(Instant::now());
                    eprintln!("{day}: {events} of {} events", self.total);
                }
            }
            Progress::Found(_) => {}
        }
    }
}

/// What would change.
pub(super) fn print(out: &mut impl Write, diff: &Diff) -> io::Result<()> {
    print_counts(out, diff)?;
    print_change(out, "would become bots", &diff.to_bot)?;
    if diff.dropped > 0 {
        writeln!(out, "  {} of them would not be stored today", diff.dropped)?;
    }
    print_change(out, "would become people", &diff.to_human)?;
    if diff.other_evidence > 0 {
        writeln!(out, "\nwould stay what they are for other evidence: {} events (not applied)", diff.other_evidence)?;
        print_tally(out, "evidence", &diff.evidence)?;
    }
    for (shadow, marked) in &diff.shadows {
        writeln!(out, "{shadow} would mark {} events, {} purchases among them", marked.events, marked.purchases)?;
    }
    writeln!(out)
}

/// What became of it.
pub(super) fn print_end(out: &mut impl Write, outcome: &Outcome, mode: Mode, target: &Target) -> io::Result<()> {
    let Target { url, user, .. } = target;
    match (&outcome.run_id, mode) {
        (Some(id), _) => writeln!(
            out,
            "applied as run {id}; take it back with: landfall reclassify --url {url} --user {user} --undo --run {id}"
        ),
        (None, Mode::Apply) => writeln!(out, "nothing to change"),
        (None, Mode::Diff) => writeln!(out, "nothing was changed; --apply does it"),
    }
}

fn print_counts(out: &mut impl Write, diff: &Diff) -> io::Result<()> {
    writeln!(out, "{:>10} events judged again", diff.looked_at)?;
    writeln!(out, "{:>10} passed over: the present rules have judged them", diff.present)?;
    if let Some(newer) = &diff.newer_rules {
        writeln!(
            out,
            "some were judged by rules of {newer}, newer than those of this program: is it the release that is deployed?"
        )?;
    }
    if diff.unknown_site > 0 {
        writeln!(out, "{:>10} left: the settings do not name their site", diff.unknown_site)?;
    }
    if diff.undecided.total() > 0 {
        writeln!(
            out,
            "{:>10} left undecided: a rule asks for an address or user agent that is not stored",
            diff.undecided.total()
        )?;
        print_tally(out, "rule", &diff.undecided)?;
    }
    Ok(())
}

fn print_change(out: &mut impl Write, what: &str, change: &Change) -> io::Result<()> {
    let Change { events, items, purchases, revenue, .. } = change;
    write!(out, "\n{what}: {events} events, {purchases} purchases among them")?;
    let money = revenue.to_string();
    writeln!(out, "{}{money}{}", if money.is_empty() { "" } else { " (" }, if money.is_empty() { "" } else { ")" })?;
    if *items > 0 {
        writeln!(out, "  and {items} items of these purchases")?;
    }
    print_tally(out, "reason", &change.reasons)?;
    print_tally(out, "crawler", &change.crawlers)?;
    print_tally(out, "site", &change.sites)?;
    for example in &change.examples {
        // Quoted: whatever a sender wrote shall not reach the terminal as it is.
        let user_agent: String = example.user_agent.chars().take(MAX_SHOWN_CHARACTERS).collect();
        writeln!(out, "  for example {}: {user_agent:?}", example.reason)?;
    }
    Ok(())
}

fn print_tally(out: &mut impl Write, what: &str, tally: &Tally) -> io::Result<()> {
    let sorted = tally.sorted();
    for (name, count) in sorted.iter().take(MAX_LINES) {
        writeln!(out, "  {what:<8} {:<40} {count:>10}", name.escape_debug())?;
    }
    let rest: u64 = sorted.iter().skip(MAX_LINES).map(|(_, count)| count).sum();
    if rest > 0 {
        writeln!(out, "  {what:<8} {:<40} {rest:>10}", "(others)")?;
    }
    Ok(())
}
