//! Group commit. In scope: collecting what arrives within a short window, so that one blob row holds it and one durable write answers
//! every waiting request. Out of scope: the write itself.

use std::mem;

use collector_core::append::Append;
use collector_core::ledger::Ledger;
use futures_channel::oneshot;
use uuid::Uuid;

/// What has arrived since the last commit.
#[derive(Default)]
pub(crate) struct Window {
    /// What is remembered of the rows (`collector_core::recent::key`).
    pub(crate) ids: Vec<Uuid>,
    /// Outcomes counted, those of the rows among them.
    pub(crate) counts: Ledger,
    /// `JSONEachRow` lines, each with its line end.
    pub(crate) lines: Vec<u8>,
    waiting: Vec<oneshot::Sender<bool>>,
    /// When the first of those who wait came.
    opened_at_ms: i64,
}

/// A window that is this much older than it should be, or from the future, has lost its timer: the runtime's timers follow the wall clock.
const STUCK_MS: i64 = 1_000;

impl Window {
    /// Whether somebody waits whom no timer will answer in time.
    pub(crate) fn is_stuck(&self, now_ms: i64) -> bool {
        !self.is_empty() && !(0..STUCK_MS).contains(&now_ms.saturating_sub(self.opened_at_ms))
    }

    /// Whether nobody waits: the next one to arrive opens the window.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds one row.
    pub(crate) fn push(&mut self, id: Uuid, line: &[u8]) {
        self.ids.push(id);
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
    }

    /// Whether a frame's rows would make the blob row too large.
    pub(crate) fn would_overflow(&self, append: &Append<'_>, limit_bytes: usize) -> bool {
        let more_bytes: usize = append.lines.iter().map(|line| line.json.len() + 17).sum();
        !self.lines.is_empty() && self.lines.len() + 16 * self.ids.len() + more_bytes > limit_bytes
    }

    /// Resolves to whether the commit was durable.
    pub(crate) fn wait(&mut self, now_ms: i64) -> oneshot::Receiver<bool> {
        let (sender, receiver) = oneshot::channel();
        if self.is_empty() {
            self.opened_at_ms = now_ms;
        }
        self.waiting.push(sender);
        receiver
    }

    /// Closes the window: the next arrival opens a new one.
    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }

    /// Answers every waiting request.
    pub(crate) fn answer(self, is_durable: bool) {
        for sender in self.waiting {
            // Whoever has gone needs no answer.
            let _ = sender.send(is_durable);
        }
    }
}
