//! What comes in. In scope: which lines are new, which visitors are fast, and the window in which lines wait for their write.
//! Out of scope: the write itself (`shard`).

use collector_core::append::{Append, Taken};
use collector_core::outcome::Outcome;
use collector_core::rate::VisitorCounts;
use collector_core::recent::{self, RecentIds};

use super::window::Window;

/// What a Batcher remembers of the lines that came in.
#[derive(Default)]
pub(super) struct Intake {
    pub(super) window: Window,
    /// Ids by which lines that come again are known.
    pub(super) recent: RecentIds,
    visitors: VisitorCounts,
}

impl Intake {
    /// Takes a frame into the window; says what became of each line.
    pub(super) fn take(&mut self, append: &Append<'_>, now_ms: i64) -> Vec<Taken> {
        self.window.counts.merge(&append.counts);
        let mut answers = Vec::with_capacity(append.lines.len());
        for line in &append.lines {
            let key = recent::key(&line.site_id, line.event_id);
            let is_new = self.recent.insert(key, now_ms);
            let (taken, outcome) = if !is_new {
                (Taken::Duplicate, Outcome::Duplicate)
            } else if self.visitors.add(line.visitor_id, now_ms) {
                (Taken::AcceptedFast, line.outcome)
            } else {
                (Taken::Accepted, line.outcome)
            };
            self.window.counts.add(append.minute_s, &line.site_id, outcome, 1);
            if is_new {
                self.window.push(key, &line.json);
            }
            answers.push(taken);
        }
        answers
    }

    /// Forgets the lines of a window that could not be written: their senders bring them again.
    pub(super) fn forget(&mut self, window: &Window) {
        for id in &window.ids {
            self.recent.remove(id);
        }
    }
}
